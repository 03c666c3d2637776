import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.forecast import benchmark
from qdistill.forecast.benchmark import CASES, BenchmarkConfig
from qdistill.physics import observables
from qdistill.physics.grid import Grid, norm
from qdistill.students import Student
from qdistill.teacher import solvers as solver

GRID = Grid(1024, 100.0)
CONFIG = BenchmarkConfig(n_frames=6)


@pytest.fixture(scope="module")
def truth() -> benchmark.Runs:
    psi0, v = benchmark.make_cases(GRID)
    return benchmark.simulate(GRID, 0.1, psi0, v, CONFIG)


def test_there_are_the_papers_25_cases() -> None:
    assert len(CASES) == 25
    assert sum(name.startswith("barrier") for name in CASES) == 11
    assert set(CASES) == set(benchmark.published())


def test_cases_start_outside_their_landscapes() -> None:
    psi0, v = benchmark.make_cases(GRID)
    np.testing.assert_allclose([norm(GRID, psi) for psi in psi0], 1, rtol=1e-5)
    probability_inside = jnp.sum(jnp.where(v != 0, jnp.abs(psi0) ** 2, 0), axis=1) * GRID.cell
    # The paper's own widest packet, 4.9 bohr, reaches a per mille into its barrier.
    assert jnp.all(probability_inside < 2e-3)
    assert all(observables.momentum(GRID, psi) > 0 for psi in psi0)
    assert jnp.all(jnp.abs(v).max(axis=1) > 0)


def test_barriers_have_the_published_parameters() -> None:
    _, v = benchmark.make_cases(GRID)
    for row, name in zip(v, CASES, strict=True):
        if name.startswith("barrier"):
            _, height, width = (float(part) for part in name.split("-")[1:])
            assert float(row.max()) == pytest.approx(height)
            assert float(jnp.sum(row > 0)) * GRID.dx[0] == pytest.approx(width, abs=GRID.dx[0])


def test_truth_is_converged(truth: benchmark.Runs) -> None:
    """Strang with 100 substeps, whose error over ten frames is about 1e-5, agrees."""
    step = jax.jit(solver.split_step(GRID, 0.1, 100)(truth.v[2]))
    psi = truth.given[2, 0]
    frames = []
    for _ in range(9):
        psi = step(psi)
        frames.append(psi)
    np.testing.assert_allclose(jnp.stack(frames[:3]), truth.given[2, 1:], atol=1e-4)
    np.testing.assert_allclose(jnp.stack(frames[3:]), truth.frames[2], atol=1e-4)


def test_an_exact_student_scores_one(truth: benchmark.Runs) -> None:
    teacher = solver.chebyshev(GRID, 0.1, 1e-7, (-10.0, 14.0))
    student = Student(1, lambda key: {}, lambda params: teacher)
    forecast = benchmark.forecast(student, teacher, truth)
    scores = benchmark.summarise(list(CASES), benchmark.measure(GRID, forecast, truth))
    assert scores["n_frames"] == 6
    assert scores["mean_correlation"] == pytest.approx(1, abs=1e-6)
    assert scores["mean_nrmse"] < 1e-5
    assert scores["max_norm_drift"] < 1e-5
    assert len(scores["cases"]) == 25


def test_a_student_that_repeats_the_last_frame_scores_less(truth: benchmark.Runs) -> None:
    """The correlation of frozen psi with the truth: |<psi(t)|psi(0)>|, here computed directly."""
    student = Student(1, lambda key: {}, lambda params: lambda v: lambda psi: psi)
    forecast = benchmark.forecast(student, student.propagator({}), truth)
    measured = benchmark.measure(GRID, forecast, truth)
    overlap = jnp.abs(jnp.sum(jnp.conj(truth.frames) * truth.given[:, -1:], axis=-1)) * GRID.cell
    np.testing.assert_allclose(measured["correlation"], overlap, rtol=1e-4)
    assert measured["correlation"].mean() < 0.99


def test_a_student_that_blows_up_breaks_nothing(truth: benchmark.Runs) -> None:
    student = Student(1, lambda key: {}, lambda params: lambda v: lambda psi: 1e30 * psi)
    forecast = benchmark.forecast(student, student.propagator({}), truth)
    scores = benchmark.summarise(list(CASES), benchmark.measure(GRID, forecast, truth))
    assert scores["mean_nrmse"] == np.inf
    assert 0 <= scores["mean_final_correlation"] < 1e-6


def test_published_means_are_the_papers() -> None:
    assert benchmark.published_means("full-gru")["correlation"] == pytest.approx(0.99591, abs=1e-5)
    assert benchmark.published_means("demo-gru")["correlation"] == pytest.approx(0.92896, abs=1e-5)


def test_cases_need_a_box_of_100_bohr() -> None:
    with pytest.raises(ValueError, match="`grid` must be one-dimensional and 100 bohr long"):
        benchmark.make_cases(Grid(1024, 50.0))
