import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig, make_paper_cases
from qdistill.insight import flight
from qdistill.physics import families, observables
from qdistill.physics.grid import Grid, norm
from qdistill.system import System
from qdistill.teacher import split_step

GRID = Grid()
SYSTEM = System(GRID, 0.1)
FEW = BenchmarkConfig(n_frames=20)


def test_cases_are_drawn_from_every_family_and_do_not_depend_on_their_number() -> None:
    names, psi0, v = baselines.sample_cases(jax.random.key(3), GRID, 20)
    assert names == 2 * tuple(families.FAMILIES)
    _, fewer_psi0, fewer_v = baselines.sample_cases(jax.random.key(3), GRID, 4)
    np.testing.assert_array_equal(fewer_psi0, psi0[:4])
    np.testing.assert_array_equal(fewer_v, v[:4])
    assert len({float(jnp.sum(row**2)) for row in v}) == 20


def test_packets_fly_right_and_start_left_of_the_potential() -> None:
    _, psi0, _ = baselines.sample_cases(jax.random.key(3), GRID, 10)
    for psi in psi0:
        assert norm(GRID, psi) == pytest.approx(1, abs=1e-5)
        assert 15 <= observables.position(GRID, psi) <= 20
        # Lattice momenta sin(k dx) / dx of E0 between 1.5 and 8.6.
        assert 1.6 < observables.momentum(GRID, psi) < 4.2


@pytest.mark.parametrize("length", [40.0, 250.0])
def test_cases_of_another_box_are_those_of_the_papers_in_its_units(length: float) -> None:
    grid = Grid(1024, length, origin=-length / 2)
    _, psi0, v = baselines.sample_cases(jax.random.key(3), grid, 3)
    starts = [observables.position(grid, psi) for psi in psi0]
    assert all(-0.35 * length <= start <= -0.3 * length for start in starts)
    _, _, usual = baselines.sample_cases(jax.random.key(3), GRID, 3)
    np.testing.assert_allclose(jnp.mean(v, axis=1), jnp.mean(usual, axis=1), rtol=2e-2, atol=1e-3)


def test_the_best_cap_is_the_best_of_those_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "CAP_PHASES", (0.3, 2.5))
    _, psi0, v = baselines.sample_cases(jax.random.key(0), GRID, 2)
    truth = cases.simulate(cases.exact(SYSTEM, v), psi0, v, 4, FEW.n_frames)
    # 3 hartree is less than the packets have.
    caps, per_frame = baselines.best_clamped(SYSTEM, 1, truth)
    assert caps == {"correlation": pytest.approx(25.0), "nrmse": pytest.approx(25.0)}
    assert jnp.mean(1 - per_frame["correlation"]) < 1e-5


def test_caps_are_positive_backwards_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "CAP_PHASES", (0.3, 2.5))
    back = dataclasses.replace(SYSTEM, dt=-SYSTEM.dt)
    _, psi0, v = baselines.sample_cases(jax.random.key(0), GRID, 2)
    truth = cases.simulate(cases.exact(back, v), psi0, v, 4, FEW.n_frames)
    assert baselines.best_clamped(back, 1, truth)[0] == {
        "correlation": pytest.approx(25.0), "nrmse": pytest.approx(25.0),
    }  # fmt: skip


def test_each_metric_has_its_own_best_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(baselines, "CAP_PHASES", (0.3, 2.5))
    made_up = {
        3.0: {"correlation": jnp.full((1, 2), 0.9), "nrmse": jnp.full((1, 2), 0.1)},
        25.0: {"correlation": jnp.full((1, 2), 0.8), "nrmse": jnp.full((1, 2), 0.0)},
    }
    monkeypatch.setattr(jax, "jit", lambda measure: lambda cap, _: made_up[round(cap, 6)])
    _, psi0, v = baselines.sample_cases(jax.random.key(0), GRID, 1)
    truth = Cases(psi0[:, None], v, psi0[:, None])
    caps, per_frame = baselines.best_clamped(SYSTEM, 1, truth)
    assert caps == {"correlation": pytest.approx(3.0), "nrmse": pytest.approx(25.0)}
    np.testing.assert_allclose(per_frame["correlation"], 0.9)
    np.testing.assert_allclose(per_frame["nrmse"], 0.0)


def test_evaluation_holds_every_family_and_its_table_every_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(baselines, "CAP_PHASES", (2.5,))
    fine_steps = split_step(SYSTEM, 40)
    scores = baselines.evaluate({"fine": fine_steps}, 5, 12, FEW, pairs=(1,))
    assert set(scores["scores"]) == {"fine", "clamped-1"}
    fine, coarse = scores["scores"]["fine"], scores["scores"]["clamped-1"]
    assert set(fine) == {*families.FAMILIES, "all"}
    assert fine["all"]["n_case"] == 12
    assert fine["barrier"]["n_case"] == 2
    assert fine["all"]["worst_nrmse"] < 1e-3
    assert fine["all"]["mean_nrmse"] <= coarse["all"]["mean_nrmse"]
    text = baselines.table(scores)
    assert len(text.splitlines()) == 2 + 2 * 11


def test_a_system_with_channels_has_no_such_cases() -> None:
    two = split_step(System(GRID, 0.1, n_channel=2), 4)
    words = "`system` must be without channels, but is of 2 channels. `rollout` and"
    for call in (
        lambda: baselines.evaluate({"two": two}, 0, 2, FEW),
        lambda: make_paper_cases(FEW, two.system),
        lambda: flight.evaluate(two, jnp.zeros((2, 2, 1024)), jnp.ones(1024, complex), 2),
    ):
        with pytest.raises(ValueError, match=words):
            call()


def test_summary_is_by_family() -> None:
    per_frame = {
        "correlation": jnp.array([[1.0, 0.9], [0.8, 0.8], [0.5, 0.7]]),
        "nrmse": jnp.array([[0.1, 0.3], [0.2, 0.2], [0.4, 0.4]]),
    }
    errors = baselines.case_errors(per_frame)
    summary = baselines.summarise(("a", "b", "b"), errors)
    assert summary["a"]["median_infidelity"] == pytest.approx(0.05)
    assert summary["b"]["worst_infidelity"] == pytest.approx(0.4)
    assert summary["all"]["median_nrmse"] == pytest.approx(0.2)
    assert summary["all"]["mean_nrmse"] == pytest.approx(0.8 / 3)


def test_baselines_in_double_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """There the error of a clamped split step with a cap above all waves is Strang's alone."""
    monkeypatch.setattr(baselines, "CAP_PHASES", (3.0,))
    with jax.enable_x64(True):
        system = System(Grid(256, 100.0, "continuum"))
        _, psi0, v = baselines.sample_cases(jax.random.key(0), system.grid, 2)
        assert (psi0.dtype, v.dtype) == (jnp.complex128, jnp.float64)
        truth = cases.simulate(cases.exact(system, v, 1e-11), psi0, v, 1, 3)
        caps, per_frame = baselines.best_clamped(system, 64, truth)
        assert caps["nrmse"] > system.grid.kinetic_energy().max()
        for values in per_frame.values():
            assert values.dtype == jnp.float64
        # Three frames of h = 0.1 / 64, of the order of h^2 / 24 times what a potential does.
        assert per_frame["nrmse"].max() < 1e-5


def test_propagators_of_two_systems_are_not_compared() -> None:
    two = {"a": split_step(SYSTEM, 4), "b": split_step(System(GRID, 0.2), 8)}
    with pytest.raises(ValueError, match="`propagators`"):
        baselines.evaluate(two, 0, 1, FEW)
