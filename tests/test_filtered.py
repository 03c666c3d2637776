"""Null models that see the potential through a filter."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments import filtered, nulls_figure
from experiments.corrections import filters
from qdistill import Grid, System, rollout, teacher
from qdistill.forecast import cases, metrics
from qdistill.physics import packets, potentials
from qdistill.system import Propagator
from qdistill.teacher import SCHEMES, schemes

SYSTEM = System(Grid(256, 25.0, "lattice"), dt=0.1)
X = SYSTEM.grid.positions()
PSI = packets.gaussian(SYSTEM.grid, centre=9.0, width=1.0, momentum=3.0)
SMOOTH = 4.0 * jnp.exp(-(((X - 14.0) / 2.0) ** 2))


def error(propagator: Propagator, v: jax.Array) -> float:
    """The relative L2 error after 20 frames."""
    exact = cases.exact(SYSTEM, v[None])
    true, made = (rollout(each, PSI[None], v, 20)[-1:] for each in (exact, propagator))
    return float(metrics.nrmse(made, true)[0])


def test_a_smoothed_split_step_is_the_split_step_of_the_smoothed_potential() -> None:
    v = potentials.barrier(X, height=5.0, width=2.0, centre=15.0)
    (null,) = filtered.make_smoothed(SYSTEM, (2,), (0.2,)).values()
    plain = teacher.split_step(SYSTEM, 2, 2.0 * 2 / SYSTEM.dt, SCHEMES["strang"])
    expected = rollout(plain, PSI[None], schemes.smooth(SYSTEM.grid, v, 0.2), 20)
    np.testing.assert_allclose(rollout(null, PSI[None], v, 20), expected, atol=2e-5)


def test_theory_is_a_scheme_of_fourth_order_where_potentials_are_smooth() -> None:
    (null,) = filtered.make_theory(SYSTEM, (2,)).values()
    # Slow waves have the shares of Simpson's rule.
    np.testing.assert_allclose(null.shares[:, 0], [1 / 6, 2 / 3, 1 / 6], atol=1e-3)
    without = dataclasses.replace(null, gradients=0 * null.gradients)
    assert error(null, SMOOTH) < 0.2 * error(without, SMOOTH)


def test_filters_are_those_of_perturbation_theory() -> None:
    (null,) = filtered.make_theory(SYSTEM, (1,)).values()
    plain = filtered._strang(SYSTEM, 1, filtered.THEORY[1].phase / SYSTEM.dt)
    theory = filters.perturbation_theory(plain)
    q = np.abs(SYSTEM.grid.wavenumbers())[: len(null.shares[0])]
    np.testing.assert_allclose(null.shares, theory.at(q).shares, rtol=1e-6)


def test_other_numbers_of_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="pairs"):
        filtered.make_theory(SYSTEM, (3,))
    with pytest.raises(ValueError, match="`cap` must be finite and positive"):
        filtered.theory(SYSTEM, 2, -1.0)
    with pytest.raises(ValueError, match="`smoothing` must be a length"):
        filtered.theory(SYSTEM, 2, 40.0, smoothing=-0.1)
    with pytest.raises(ValueError, match="one-dimensional"):
        filtered.theory(System(Grid((32, 32), (8.0, 8.0)), dt=0.1), 2, 40.0)
    with pytest.raises(ValueError, match="pairs"):
        filtered.make_smoothed(SYSTEM, (4,), (0.1,))


def test_matched_null_models_are_filled_in_the_figure() -> None:
    rho = {"median": 0.2, "low": 0.1, "high": 0.3}
    evidence = {"verdict": "as a null model", "p": 1.0, "nulls": ["near"]}
    rows: dict[str, dict] = {"student": {"evidence": evidence}, "near": {}, "far": {}}
    kinds = ("barriers, single packets", "other potentials, single packets")
    findings = {
        name: {kind: {nulls_figure.SYMMETRY: {"rho": rho, **row}} for kind in kinds}
        for name, row in rows.items()
    }
    roles = {"student": "emulator", "near": "null", "far": "null"}
    axes = nulls_figure.plot({"findings": findings, "roles": roles}).axes
    assert [ax.get_title() for ax in axes] == [kind.replace(", ", ",\n") for kind in kinds]
    for ax in axes:
        marked = [bars[0] for bars in ax.containers]
        assert [line.get_ydata()[0] for line in marked] == [0, 1, 2]
        assert [line.get_markerfacecolor() == "white" for line in marked] == [False, False, True]
