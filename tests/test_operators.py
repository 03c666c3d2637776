"""The learned effective Hamiltonian: its symmetries, its fields, and least squares on boxes."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.frontier import least_squares as operators
from experiments.frontier.least_squares import OperatorsConfig
from qdistill.physics import band as projection
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, norm
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.runs.checkpoints import Checkpoints
from qdistill.students import PropagatorConfig, effective, propagator
from qdistill.teacher import solvers as solver

GRID = Grid(1024, 100.0, "continuum")
BOX = Grid(128, 12.5, "continuum")
FORM = PropagatorConfig(256)
V = potentials.double(BOX.positions(), (5.0, 8.0), 1.3, 2.1, 6.0)
WEIGHTS = {"weights": jnp.asarray(np.random.default_rng(0).normal(size=(2, 12)), float)}


def derivative_by_fft(rows: np.ndarray) -> np.ndarray:
    k = 2 * np.pi * np.fft.fftfreq(128, BOX.dx[0])
    return np.fft.ifft(1j * k * np.fft.fft(rows)).real


@pytest.mark.parametrize("power", [0, 1, 2])
def test_fields_stand_between_derivatives(power: int) -> None:
    phase = 2 * np.pi * np.arange(16)[:, None] * np.asarray(BOX.positions(), float) / 12.5
    rows = np.concatenate([np.cos(phase), np.sin(phase[1:])])
    rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    edge = np.pi / (100 / 256)
    for _ in range(power):
        rows = derivative_by_fft(rows) / edge
    found = effective.between_derivatives(FORM, GRID, V, power)
    # A second derivative has the sign of both sides twice.
    np.testing.assert_allclose(found, (rows * np.asarray(V)) @ rows.T, atol=3e-5)


def test_the_hamiltonian_is_symmetric_and_knows_constants_and_mirrors() -> None:
    h = effective.hamiltonian(FORM, GRID, WEIGHTS, V)
    np.testing.assert_allclose(h, h.T, atol=1e-4)
    shifted = effective.hamiltonian(FORM, GRID, WEIGHTS, V + 3)
    np.testing.assert_allclose(shifted - h, 3 * np.eye(len(h)), atol=1e-4)
    # x -> 12.5 - x + dx takes points to points, and sines to minus sines but for that dx.
    fields, mirrored = (effective.fields(FORM, GRID, WEIGHTS, v) for v in (V, V[::-1]))
    np.testing.assert_allclose(mirrored[:, ::-1], fields, atol=1e-4)
    energies, others = (
        np.linalg.eigvalsh(effective.hamiltonian(FORM, GRID, WEIGHTS, v)) for v in (V, V[::-1])
    )
    np.testing.assert_allclose(energies, others, atol=1e-3)


def test_the_student_is_unitary_and_frames_compose() -> None:
    psi = packets.gaussian(BOX, 4.0, 0.9, 2.0)
    half, whole = (propagator.make(FORM, GRID, dt).propagator(WEIGHTS)(V) for dt in (0.5, 1.0))
    later = whole(psi)
    np.testing.assert_allclose(norm(BOX, later), norm(BOX, psi), rtol=1e-4)
    np.testing.assert_allclose(half(half(psi)), later, atol=1e-4)


def test_what_is_not_learned_is_the_projected_hamiltonian() -> None:
    student = propagator.make(FORM, GRID, 1.0)
    params = student.init(jax.random.key(0))
    h = effective.hamiltonian(FORM, GRID, params, V)
    np.testing.assert_allclose(h, projection.project(BOX, 15, V), atol=1e-6)


def test_least_squares_find_a_planted_law() -> None:
    config = OperatorsConfig(("barrier",), n_boxes=3, n_box=128, n_states=20, ridge=1e-9)
    planted = np.random.default_rng(1).normal(size=24)
    a = np.random.default_rng(2).normal(size=(3, 400, 24))
    b = a @ planted
    normal = (
        np.einsum("bpi,bpj->bij", a, a),
        np.einsum("bpi,bp->bi", a, b),
        np.sum(b**2, axis=1),
    )
    found, errors = operators._solve(config, *normal)
    np.testing.assert_allclose(found, planted, rtol=1e-4)
    assert errors.max() < 1e-6 * normal[2].min()


def test_a_law_learned_from_barriers_mends_a_double_barrier() -> None:
    config = OperatorsConfig(("barrier",), n_boxes=48, n_box=128, n_states=20)
    params, report = operators.fit(config, FORM, GRID, jax.random.key(0))
    assert report["foretold_error"] < 0.4 * report["foretold_error_before"]
    psi = packets.gaussian(BOX, 2.5, 0.8, 2.5)
    true = jax.jit(solver.chebyshev(BOX, 5.0, 1e-6, (0.0, 8.0))(V))(psi)
    student = propagator.make(FORM, GRID, 5.0)
    step = jax.jit(lambda params: student.propagator(params)(V)(psi))
    before, after = (
        float(jnp.linalg.norm(step(p) - true) / jnp.linalg.norm(true))
        for p in (student.init(jax.random.key(0)), params)
    )
    assert after < 0.6 * before


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_states` must be at most 31, the waves of the band"):
        operators.fit(OperatorsConfig(n_box=128), FORM, GRID, jax.random.key(0))
    with pytest.raises(ValueError, match="`n_fields` must be at least 1"):
        operators.fit(OperatorsConfig(), PropagatorConfig(256, 0), GRID, jax.random.key(0))
    with pytest.raises(ValueError, match="`widths` must be positive numbers"):
        PropagatorConfig(widths=(0.1, 0.0))
    with pytest.raises(ValueError, match="`n_coarse` must be between 4 and 1024"):
        propagator.make(PropagatorConfig(2048), GRID, 1.0)


def test_the_script_compares_what_learned_from_operators_and_from_trajectories(
    tmp_path: pathlib.Path,
) -> None:
    out = tmp_path / "coarse"
    for name in ("propagator", "kernel"):
        folder, settings = tmp_path / name, presets.PRESETS[name][1]
        runs.open_folder(folder, settings, resume=False)
        state = runs.set_up(settings).trainers[0].init(jax.random.key(0))
        with Checkpoints(folder / "checkpoints") as saved:
            saved.save(state, 1.0)
        training = {"n_parameters": 1, "training_seconds": 0.0, "training_steps": 8}
        (folder / "metrics.json").write_text(json.dumps(training))
    trained, kernel = tmp_path / "propagator", tmp_path / "kernel"
    done = scripts.run("coarse", str(trained), str(kernel), "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    rows = metrics["contenders"].values()
    assert {row["kind"] for row in rows} >= {"cut off", "folded", "student"}
    assert all(row["rms_error"] < 0.5 for row in rows)
    student = metrics["learned"]["propagator from trajectories, 224 points"]
    assert student["training_steps"] == 8
    weights = metrics["learned"]["propagator from all, 224 points"]["weights"]
    assert np.any(np.array(weights) != 0)
    kernel = metrics["contenders"]["kernel from eigenstates, 256 points"]
    assert kernel["kind"] == "student"
    # Eleven products of 255 waves, four of them with 256 points, and two frames of two packets.
    expected = 11 * 2 * 255**3 + 4 * 2 * 256 * 255 * 256 + 4 * 8 * 256**2
    assert kernel["film_gigaflop"] == pytest.approx(1e-9 * expected, rel=0.05)
    assert (out / "frontier.png").stat().st_size > 0


def test_the_script_refuses_runs_of_other_students(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = (str(tmp_path / "run"), "--smoke", "--out", str(tmp_path / "out"))
    done = scripts.run("coarse", *options)
    assert done.returncode == 1
    assert "There is no run in" in done.words
    settings = presets.PRESETS["demo"][1]
    monkeypatch.setattr(runs, "load", lambda out: (settings, runs.set_up(settings), {}))
    done = scripts.run("coarse", *(options[:-1]), str(tmp_path / "other"))
    assert done.returncode == 1
    assert "`trained` must be runs of `propagator` or `kernel` on the continuum" in done.words
