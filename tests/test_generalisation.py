import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.forecast import baselines as generalisation
from qdistill.forecast import benchmark
from qdistill.forecast.benchmark import BenchmarkConfig
from qdistill.physics import observables, potentials
from qdistill.physics.grid import Grid, norm
from qdistill.teacher import solvers as solver

GRID = Grid()
FEW = BenchmarkConfig(n_frames=20)


def test_cases_are_drawn_from_every_family_and_do_not_depend_on_their_number() -> None:
    families, psi0, v = generalisation.sample_cases(jax.random.key(3), GRID, 20)
    assert families == 2 * list(potentials.FAMILIES)
    _, fewer_psi0, fewer_v = generalisation.sample_cases(jax.random.key(3), GRID, 4)
    np.testing.assert_array_equal(fewer_psi0, psi0[:4])
    np.testing.assert_array_equal(fewer_v, v[:4])
    assert len({float(jnp.sum(row**2)) for row in v}) == 20


def test_packets_fly_right_and_start_left_of_the_landscape() -> None:
    _, psi0, _ = generalisation.sample_cases(jax.random.key(3), GRID, 10)
    for psi in psi0:
        assert norm(GRID, psi) == pytest.approx(1, abs=1e-5)
        assert 15 <= observables.position(GRID, psi) <= 20
        # Lattice momenta sin(k dx) / dx of E0 between 1.5 and 8.6.
        assert 1.6 < observables.momentum(GRID, psi) < 4.2


def test_the_clamped_student_is_the_clamped_solver() -> None:
    student = generalisation.clamped(GRID, 0.1, 2, 40.0)
    _, psi0, v = generalisation.sample_cases(jax.random.key(0), GRID, 1)
    step = solver.split_step(GRID, 0.1, 2, kinetic_cap=40.0)(v[0])
    params = student.init(jax.random.key(0))
    assert params == {}
    np.testing.assert_array_equal(student.propagator(params)(v[0])(psi0[0]), step(psi0[0]))


def test_the_best_cap_is_the_best_of_those_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generalisation, "CAP_PHASES", (0.3, 2.5))
    _, psi0, v = generalisation.sample_cases(jax.random.key(0), GRID, 2)
    truth = benchmark.simulate(GRID, 0.1, psi0, v, FEW)
    # 3 hartree is less than the packets have.
    caps, per_frame = generalisation.best_clamped(GRID, 0.1, 1, truth)
    assert caps == {"correlation": pytest.approx(25.0), "nrmse": pytest.approx(25.0)}
    assert jnp.mean(1 - per_frame["correlation"]) < 1e-5


def test_each_metric_has_its_own_best_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generalisation, "CAP_PHASES", (0.3, 2.5))
    made_up = {
        3.0: {"correlation": jnp.full((1, 2), 0.9), "nrmse": jnp.full((1, 2), 0.1)},
        25.0: {"correlation": jnp.full((1, 2), 0.8), "nrmse": jnp.full((1, 2), 0.0)},
    }
    monkeypatch.setattr(jax, "jit", lambda measure: lambda cap, _: made_up[round(cap, 6)])
    _, psi0, v = generalisation.sample_cases(jax.random.key(0), GRID, 1)
    truth = benchmark.Runs(psi0[:, None], v, psi0[:, None])
    caps, per_frame = generalisation.best_clamped(GRID, 0.1, 1, truth)
    assert caps == {"correlation": pytest.approx(3.0), "nrmse": pytest.approx(25.0)}
    np.testing.assert_allclose(per_frame["correlation"], 0.9)
    np.testing.assert_allclose(per_frame["nrmse"], 0.0)


def test_evaluation_holds_every_family_and_its_table_every_row(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(generalisation, "CAP_PHASES", (2.5,))
    exact = generalisation.clamped(GRID, 0.1, 40, 1e3)
    scores = generalisation.evaluate(GRID, 0.1, {"fine": (exact, {})}, 5, 12, FEW, pairs=(1,))
    assert set(scores["scores"]) == {"fine", "clamped-1"}
    fine, coarse = scores["scores"]["fine"], scores["scores"]["clamped-1"]
    assert set(fine) == {*potentials.FAMILIES, "all"}
    assert fine["all"]["n_case"] == 12
    assert fine["barrier"]["n_case"] == 2
    assert fine["all"]["worst_nrmse"] < 1e-3
    assert fine["all"]["mean_nrmse"] <= coarse["all"]["mean_nrmse"]
    text = generalisation.table(scores)
    assert len(text.splitlines()) == 2 + 2 * 11


def test_summary_is_by_family() -> None:
    per_frame = {
        "correlation": jnp.array([[1.0, 0.9], [0.8, 0.8], [0.5, 0.7]]),
        "nrmse": jnp.array([[0.1, 0.3], [0.2, 0.2], [0.4, 0.4]]),
    }
    errors = generalisation.case_errors(per_frame)
    summary = generalisation.summarise(["a", "b", "b"], errors)
    assert summary["a"]["median_infidelity"] == pytest.approx(0.05)
    assert summary["b"]["worst_infidelity"] == pytest.approx(0.4)
    assert summary["all"]["median_nrmse"] == pytest.approx(0.2)
    assert summary["all"]["mean_nrmse"] == pytest.approx(0.8 / 3)
