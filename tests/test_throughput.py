"""The comparison of speeds: its truth, its errors, its clock, its fits; and the whole in small."""

import json
import os
import pathlib
import subprocess
import sys

import exact
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.throughput import equal_method, scaling
from experiments.throughput.peers.splittings import phases
from experiments.throughput.problem import Problem, relative_error, sample
from experiments.throughput.teachers import TEACHERS, prepare
from experiments.timing import interleave
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import split_step

ROOT = pathlib.Path(__file__).parents[1]


@pytest.fixture(scope="module")
def problem() -> Problem:
    system = System(Grid(160, 100.0), bounds=scaling.BOUNDS)
    return sample(system, 10, n_packets=4, n_potentials=2)


def test_the_truth_is_that_of_the_dense_oracle(problem) -> None:
    for v, psi, truth in zip(problem.v, problem.psi, problem.truth, strict=True):
        expected = exact.propagate(problem.grid, v, psi[:, None], t=1.0)[:, 0]
        np.testing.assert_allclose(truth, expected, atol=1e-11)
    assert np.array_equal(problem.v[0], problem.v[1])
    assert not np.array_equal(problem.v[1], problem.v[2])


def test_the_error_is_a_root_mean_square_over_the_packets_that_ran(problem) -> None:
    factors = np.array([1.0, 1.3])[:, None]
    error = relative_error(problem, problem.truth[:2] * factors)
    assert error == pytest.approx(0.3 / np.sqrt(2))


def test_packets_that_do_not_share_potentials_evenly_are_refused() -> None:
    with pytest.raises(ValueError, match="`n_packets` must be a multiple of 2 potentials"):
        sample(System(Grid(16, 100.0)), 1, n_packets=3, n_potentials=2)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        # Ten frames of 1e-5, and float32 over 1e2 products; a dense potential is the first.
        ("chebyshev, 1e-5, 16 at a time", 1e-4),
        ("chebyshev, 1e-5, one frame in five", 1e-4),
        ("dense, one potential, all frames at once", 1e-5),
        ("chebyshev, 1e-10, complex128", 1e-9),
    ],
)
def test_teachers_evolve_the_problem(problem, name: str, bound: float) -> None:
    run = prepare(problem, TEACHERS[name], n_devices=1)
    last = run()[:2] if "dense" in name else run()
    assert relative_error(problem, last) < bound


def test_runs_take_turns_and_the_median_counts(monkeypatch) -> None:
    clock = [0.0]
    order: list[str] = []
    durations = {"a": [1.0, 9.0, 2.0], "b": [5.0, 4.0, 6.0]}

    def pass_time(name: str) -> None:
        clock[0] += durations[name][order.count(name)]
        order.append(name)

    monkeypatch.setattr("time.perf_counter", lambda: clock[0])
    runs = {name: lambda name=name: pass_time(name) for name in durations}
    assert interleave(runs, 3) == {"a": 2.0, "b": 5.0}
    assert order == ["a", "b"] * 3


def test_a_power_law_is_fitted_with_its_error() -> None:
    sizes = (1, 2, 4, 8)
    fit = scaling._fit(sizes, [3.0 * n**1.5 for n in sizes])
    assert fit["exponent"] == pytest.approx(1.5)
    assert fit["exponent_error"] == pytest.approx(0, abs=1e-9)
    # One point off by a factor e shifts the slope by x / sum x^2, and leaves residuals.
    fit = scaling._fit(sizes, [1.0, 1.0, 1.0, np.e])
    x = np.log(sizes) - np.mean(np.log(sizes))
    assert fit["exponent"] == pytest.approx(x[-1] / np.sum(x**2))
    left = np.array([-0.25, -0.25, -0.25, 0.75]) - fit["exponent"] * x
    assert fit["exponent_error"] == pytest.approx(np.sqrt(left @ left / 2 / np.sum(x**2)))


def test_the_whole_in_small_on_two_devices(tmp_path: pathlib.Path) -> None:
    script = ROOT / "experiments" / "throughput" / "throughput.py"
    out = tmp_path / "out"
    command = [sys.executable, str(script), "--smoke", "--devices", "2", "--out", str(out)]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    on_cpu = os.environ | {"PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    ran = subprocess.run(command, capture_output=True, text=True, env=on_cpu)
    assert ran.returncode == 0, ran.stderr
    found = json.loads((out / "metrics.json").read_text())
    assert found["environment"]["n_devices"] == 2
    for rows in found["solvers"].values():
        assert rows["chebyshev, 1e-5"]["rms_relative_error"] < 1e-4
        assert rows["dense, one potential"]["rms_relative_error"] < 1e-4
        assert all(row["packet_frames_per_second"] > 0 for row in rows.values())
    for name, row in found["solvers"]["lattice"].items():
        if name.startswith("C,"):
            # 200 steps a frame: second order in a small step, on this coarse grid.
            assert row["rms_relative_error"] < 1e-3
    assert 0 < found["trainings"]["gru"]["teacher_share"] < 1
    memory = found["memory"]
    # Frames pile up, observables hardly, their mean not at all; nothing in between does.
    kept = {name: memory[name]["kept_bytes"] for name in memory if name != "n_frames"}
    assert kept["frames"][1] == 2 * kept["frames"][0]
    assert kept["mean observables"][1] == kept["mean observables"][0]
    assert memory["observables"]["kept_bytes"][1] < 0.1 * kept["frames"][1]
    for name in ("observables", "mean observables"):
        between = memory[name]["in_between_bytes"]
        assert between[1] <= between[0] + 4096
    for figure in ("throughput", "scaling"):
        assert (out / f"{figure}.png").stat().st_size > 10_000


def test_every_solver_has_the_same_method(tmp_path: pathlib.Path) -> None:
    done = scripts.run("equal_method", "--smoke", "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "metrics.json").read_text())
    for name, row in found["solvers"].items():
        ours = found["solvers"]["qdistill: " + name.split(": ")[1]]
        assert row["rms_relative_error"] == pytest.approx(ours["rms_relative_error"], rel=0.15)
        assert len(row["seconds"]) == 2
    assert set(found["methods"]) == set(equal_method.METHODS)
    # Two methods of one solver; peers where they are installed.
    assert "qdistill" in found["gains"]["method"]


@pytest.mark.parametrize("name", list(equal_method.METHODS))
def test_phases_that_peers_are_given_are_those_of_the_solver(name: str) -> None:
    method = equal_method.METHODS[name]
    grid = Grid(64, 6.25, "continuum")
    v, psi = np.sin(grid.positions()), np.exp(-((grid.positions() - 3) ** 2) + 0j)
    given = Problem(System(grid, 0.1), 1, v[None], psi[None], psi[None])
    half, full, drift, start = phases(given, method)
    wave = half * start
    for i in range(method.n_substeps):
        wave = np.fft.ifft(drift * np.fft.fft(wave))
        wave = wave * (full if i + 1 < method.n_substeps else half)
    solver = split_step(given.system, method.n_substeps, method.kinetic_cap, method.scheme)
    step = solver(jnp.asarray(v, "f4"))
    np.testing.assert_allclose(wave[0], step.advance(jnp.asarray(psi, "c8")), atol=1e-5)
