from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.forecast import cases, paper
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig, make_held_out
from qdistill.forecast.paper import CASES
from qdistill.physics import observables
from qdistill.physics.grid import Grid, norm
from qdistill.system import Step, System, Wrapped, rollout
from qdistill.teacher import chebyshev, split_step

GRID = Grid(1024, 100.0)
SYSTEM = System(GRID, 0.1, bounds=(-10.0, 14.0))
CONFIG = BenchmarkConfig(n_frames=6)


@pytest.fixture(scope="module")
def truth() -> Cases:
    return make_held_out(CONFIG, SYSTEM, ())


class Multiplied(Wrapped):
    """Psi times a number, whatever the potential."""

    factor = 1.0

    def __call__(self, v: Any) -> Step:
        return Step(lambda frames, n: frames[-1], lambda psi: self.factor * psi, lambda psi: psi)


class Exploding(Multiplied):
    """Psi grows without bound."""

    factor = 1e30


def test_there_are_the_papers_25_cases() -> None:
    assert len(CASES) == 25
    assert sum(name.startswith("barrier") for name in CASES) == 11
    assert set(CASES) == set(paper.published())


def test_cases_start_outside_their_potentials() -> None:
    _, psi0, v = paper.make_cases(GRID)
    np.testing.assert_allclose([norm(GRID, psi) for psi in psi0], 1, rtol=1e-5)
    probability_inside = jnp.sum(jnp.where(v != 0, jnp.abs(psi0) ** 2, 0), axis=1) * GRID.cell
    # The paper's own widest packet, 4.9 bohr, reaches a per mille into its barrier.
    assert jnp.all(probability_inside < 2e-3)
    assert all(observables.momentum(GRID, psi) > 0 for psi in psi0)
    assert jnp.all(jnp.abs(v).max(axis=1) > 0)


def test_barriers_have_the_published_parameters() -> None:
    _, _, v = paper.make_cases(GRID)
    for row, name in zip(v, CASES, strict=True):
        if name.startswith("barrier"):
            _, height, width = (float(part) for part in name.split("-")[1:])
            assert float(row.max()) == pytest.approx(height)
            assert float(jnp.sum(row > 0)) * GRID.dx[0] == pytest.approx(width, abs=GRID.dx[0])


def test_truth_is_converged(truth: Cases) -> None:
    """Strang with 100 substeps, whose error over ten frames is about 1e-5, agrees."""
    frames = rollout(split_step(SYSTEM, 100), truth.given[2, :1], truth.v[2], 9)
    np.testing.assert_allclose(frames[:3], truth.given[2, 1:], atol=1e-4)
    np.testing.assert_allclose(frames[3:], truth.frames[2], atol=1e-4)


def test_an_exact_propagator_scores_one(truth: Cases) -> None:
    frames = cases.forecast(chebyshev(SYSTEM, 1e-7), truth)
    scores = cases.summarise(truth.family, cases.measure(SYSTEM, truth, frames))
    assert scores["n_frames"] == 6
    assert scores["mean_correlation"] == pytest.approx(1, abs=1e-6)
    assert scores["mean_nrmse"] < 1e-5
    assert scores["max_norm_drift"] < 1e-5
    assert list(scores["cases"]) == list(CASES)


def test_a_propagator_that_repeats_the_last_frame_scores_less(truth: Cases) -> None:
    """The correlation of frozen psi with the truth: |<psi(t)|psi(0)>|, here computed directly."""
    frames = cases.forecast(Multiplied(chebyshev(SYSTEM, 1e-7)), truth)
    measured = cases.measure(SYSTEM, truth, frames)
    overlap = jnp.abs(jnp.sum(jnp.conj(truth.frames) * truth.given[:, -1:], axis=-1)) * GRID.cell
    np.testing.assert_allclose(measured["correlation"], overlap, rtol=1e-4)
    assert measured["correlation"].mean() < 0.99


def test_a_propagator_that_blows_up_breaks_nothing(truth: Cases) -> None:
    frames = cases.forecast(Exploding(chebyshev(SYSTEM, 1e-7)), truth)
    scores = cases.summarise(truth.family, cases.measure(SYSTEM, truth, frames))
    assert scores["mean_nrmse"] == np.inf
    assert 0 <= scores["mean_final_correlation"] < 1e-6


def test_cases_pass_through_vmap_and_keep_their_family(truth: Cases) -> None:
    norms = jax.vmap(lambda case: jnp.linalg.norm(case.frames[-1]))(truth)
    assert norms.shape == (len(truth),)
    assert jax.tree.map(lambda leaf: leaf[:3], truth).family == tuple(CASES)


def test_published_means_are_the_papers() -> None:
    assert paper.published_means("full-gru")["correlation"] == pytest.approx(0.99591, abs=1e-5)
    assert paper.published_means("demo-gru")["correlation"] == pytest.approx(0.92896, abs=1e-5)


def test_another_box_has_the_same_cases_in_its_own_units() -> None:
    names, psi0, v = paper.make_cases(GRID)
    half = Grid(1024, 50.0, origin=-10.0)
    others, psi0_half, v_half = paper.make_cases(half)
    assert names == others
    np.testing.assert_array_equal(v, v_half)
    starts = [float(observables.position(half, psi)) for psi in psi0_half]
    expected = [float(observables.position(GRID, psi)) / 2 - 10 for psi in psi0]
    np.testing.assert_allclose(starts, expected, atol=1e-3)


def test_a_plane_has_no_paper_cases() -> None:
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        paper.make_cases(Grid((8, 8), (4.0, 4.0)))
