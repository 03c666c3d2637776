"""Contenders against closed forms, and the comparison of made-up costs."""

import json
import pathlib
import runpy
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from experiments.frontier import band_contenders, contenders, costs, resampling
from experiments.frontier import cases as frontier
from experiments.frontier import compare as jobs
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import Contender, Evolution
from experiments.frontier.costs import Cost
from experiments.frontier.operations import Operations
from qdistill import students
from qdistill.forecast.benchmark import Runs
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Dispersion, Grid
from qdistill.runs import folder as runs
from qdistill.runs.checkpoints import Checkpoints
from qdistill.teacher import solvers as solver

ROOT = pathlib.Path(__file__).parents[1]
LATTICE = Grid(256, 25.0)
V = potentials.barrier(LATTICE.positions(), 4.0, 2.0, 14.0)


def runs_of(grid: Grid, v: jax.Array, n_units: int = 1) -> Runs:
    """A packet, exactly evolved."""
    psi = packets.gaussian(grid, 9.0, 1.5, 3.0)
    exact = jax.jit(solver.chebyshev(grid, contenders.UNIT, 1e-7, (0.0, 4.0))(v))
    frames = [psi]
    for _ in range(n_units):
        frames.append(exact(frames[-1]))
    return Runs(psi[None, None], v[None], jnp.stack(frames[1:])[None])


def error_of(contender: Contender, truth: Runs) -> float:
    return float(frontier.measure_errors(contender, truth)[0])


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_free_packets_are_exact_on_fewer_points(dispersion: Dispersion) -> None:
    grid = Grid(256, 25.0, dispersion)
    truth = runs_of(grid, jnp.zeros(256))
    few = [
        contenders.coarse_clamped(grid, 64, 10, 60.0),
        *band_contenders.projected(grid, [64]).values(),
        *band_contenders.cut_off(grid, [64]).values(),
    ]
    for contender in few:
        # Rounding: the packet has exp(-50) beyond the waves of 64 points.
        assert error_of(contender, truth) < 2e-5


def test_solvers_err_as_their_orders_say() -> None:
    truth = runs_of(LATTICE, V)
    splits = contenders.split_steps(LATTICE, (20, 160, 320))
    assert "split step, 20 pairs" not in splits  # a resonance
    coarse, fine = (error_of(splits[f"split step, {n} pairs"], truth) for n in (160, 320))
    assert coarse == pytest.approx(4 * fine, rel=0.1)
    for tolerance, contender in zip(
        (1e-2, 1e-4), contenders.chebyshevs(LATTICE, (1e-2, 1e-4), (0.0, 4.0)).values(), strict=True
    ):
        assert error_of(contender, truth) < tolerance


def test_a_projected_propagator_loses_less_with_more_points() -> None:
    truth = runs_of(LATTICE, V)
    errors = [
        error_of(each, truth)
        for each in band_contenders.projected(LATTICE, (64, 128, 253)).values()
    ]
    assert errors[0] > 2 * errors[1] > 4 * errors[2]
    # Three waves are missing of 256, and folded in.
    assert errors[2] < 1e-3


def test_a_student_makes_as_many_frames_as_fit() -> None:
    frame = solver.chebyshev(LATTICE, 0.25, 1e-6, (0.0, 4.0))
    itself = contenders.student(students.from_propagator(frame), {}, 0.25)
    assert itself.is_learned
    assert error_of(itself, runs_of(LATTICE, V, n_units=2)) < 2e-5
    with pytest.raises(ValueError, match=r"`dt` must be a part of 1 a\.u\., but is 0\.3"):
        contenders.student(students.from_propagator(frame), {}, 0.3)


def test_the_best_cap_is_the_best() -> None:
    truth = runs_of(LATTICE, V)
    cap, chosen = frontier.best_clamped(LATTICE, 20, truth)
    tried = [error_of(contenders.clamped(LATTICE, 20, each), truth) for each in contenders.caps(20)]
    assert error_of(chosen, truth) == pytest.approx(min(tried), rel=1e-4)
    assert contenders.caps(20)[int(np.argmin(tried))] == cap


def test_the_cheapest_at_a_level_wins() -> None:
    config = FrontierConfig(n_bootstrap=200)
    errors = {
        "slow": np.full(6, 1e-4), "fast": np.full(6, 5e-2), "student": np.full(6, 5e-3),
    }  # fmt: skip
    seconds = {"slow": 8.0, "fast": 1.0, "student": 2.0}
    found = jobs.compare(
        errors, {name: np.full(3, s) for name, s in seconds.items()}, ["student"], config
    )
    for level, solver_name, ratio in (("0.1", "fast", 0.5), ("0.01", "slow", 4.0)):
        assert (found[level]["solver"], found[level]["student"]) == (solver_name, "student")
        for key in ("ratio", "ratio_low", "ratio_high"):
            assert found[level][key] == pytest.approx(ratio)
    assert found["0.001"] == {"solver": "slow", "student": None}


def test_an_interval_holds_the_luck_of_the_landscapes() -> None:
    """Who fails on one landscape of four is within 0.01 on 0.32 of all draws, (3/4)^4."""
    config = FrontierConfig(levels=(1e-2,), n_bootstrap=2000)
    errors = {
        "slow": np.full(4, 1e-4),
        "fast": np.array([1e-3, 1e-3, 1e-3, 3e-2]),
        "student": np.zeros(4),
    }
    seconds = {n: np.full(2, s) for n, s in zip(errors, (8.0, 1.0, 2.0), strict=True)}
    row = jobs.compare(errors, seconds, ["student"], config)["0.01"]
    assert row["solver"] == "slow"
    assert (row["ratio_low"], row["ratio"], row["ratio_high"]) == (0.5, 4.0, 4.0)


def test_a_job_is_a_landscape_its_packets_and_looks_at_them() -> None:
    config = FrontierConfig(n_packets=2, job_units=5)
    costs_of = {"a": Cost(np.full(3, 4.0), np.full(3, 0.3), np.full(3, 0.5))}
    spent = jobs.in_seconds(costs_of, config)
    np.testing.assert_allclose(spent["film"]["a"], 4 + 2 * (5 * 0.3 + 5 * 0.5))
    np.testing.assert_allclose(spent["end"]["a"], 4 + 2 * (5 * 0.3 + 0.5))
    assert Operations(4, 0.3, 0.5).of_job(2, 5, 1) == pytest.approx(8.0)


def test_every_part_of_a_job_is_timed_apart() -> None:
    """Contenders that work on their landscape, their packets, or their looks only."""
    matrix = jnp.eye(400)

    def work(seed: jax.Array) -> jax.Array:
        return 0 * jnp.sum(jax.lax.fori_loop(0, 20, lambda _, m: m @ m, matrix * seed))

    def landscape(v: jax.Array) -> Evolution:
        done = work(v[0])
        return Evolution(last, lambda psi: psi * (1 + done), as_is, as_is)

    def packet(v: jax.Array) -> Evolution:
        return Evolution(last, lambda psi: psi * (1 + work(jnp.abs(psi[0]))), as_is, as_is)

    def look(v: jax.Array) -> Evolution:
        return Evolution(last, as_is, lambda psi: psi * (1 + work(jnp.abs(psi[0]))), as_is)

    def last(frames: jax.Array) -> jax.Array:
        return frames[-1]

    def as_is(psi: jax.Array) -> jax.Array:
        return psi

    heavy = {each.__name__: Contender("heavy", each) for each in (landscape, packet, look)}
    truth = runs_of(LATTICE, V)
    given = jnp.resize(truth.given, (2, *truth.given.shape[1:]))
    found = costs.measure(heavy, given, truth.v[0], n_units=4, n_repeats=3)
    for part in ("setup", "packet", "look"):
        seconds = {name: abs(np.median(getattr(cost, part))) for name, cost in found.items()}
        mine = seconds.pop({"setup": "landscape"}.get(part, part))
        assert mine > 2 * max(seconds.values()), part


def test_operations_are_those_of_the_algorithms() -> None:
    """An FFT pair of 1024 points, and a band of 223 waves whose film is real products."""
    grid = Grid(1024, 100.0, "continuum")
    (split,) = contenders.split_steps(grid, (400,)).values()
    assert split.operations is not None
    pair = split.operations.unit / 400
    assert pair == 2 * 5 * 1024 * 10 + 12 * 1024
    (band,) = band_contenders.cut_off(grid, (224,)).values()
    assert band.operations is not None
    assert band.operations.look == 2 * 224 * 223 * 2
    assert band.operations.landscape == pytest.approx(9 * 223**3 + 2 * 224 * 223**2, rel=0.01)
    coarse = contenders.coarse_clamped(grid, 256, 10, 60.0)
    assert coarse.operations is not None
    assert coarse.operations.unit == 10 * (2 * 5 * 256 * 8 + 12 * 256)


def test_a_look_is_psi_on_points_of_ones_own() -> None:
    """What is seen there is the packet that is returned on the fine grid, resampled."""
    truth = runs_of(LATTICE, V)
    everyone = [
        *band_contenders.cut_off(LATTICE, [64]).values(),
        *band_contenders.projected(LATTICE, [64]).values(),
        contenders.coarse_clamped(LATTICE, 64, 20, 60.0),
    ]
    for contender in everyone:
        evolution = contender.evolution(V)
        state = evolution.step(evolution.start(truth.given[0]))
        coarse = resampling.coarse_grid(LATTICE, 64)
        seen = resampling.to_fine(LATTICE, coarse, evolution.look(state))
        np.testing.assert_allclose(seen, evolution.psi(state), atol=1e-5)


def test_smoke_run_writes_numbers_and_a_figure(
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run, out = tmp_path / "student", tmp_path / "out"
    runs.open_folder(run, small.UNITARY, resume=False)
    state = runs.set_up(small.UNITARY).trainers[0].init(jax.random.key(0))
    with Checkpoints(run / "checkpoints") as saved:
        saved.save(state, 1.0)
    script = ROOT / "experiments" / "frontier" / "work_precision.py"
    arguments = [str(run), "--smoke", "--out", str(out)]
    monkeypatch.setattr(sys, "argv", ["work_precision.py", *arguments])
    runpy.run_path(str(script), run_name="__main__")
    report = json.loads((out / "metrics.json").read_text())
    kinds = {row["kind"] for row in report["contenders"].values()}
    assert kinds == {
        *("split step", "clamped split step", "Chebyshev", "384 points, clamped"),
        *("projected", "cut off", "folded", "student"),
    }
    assert list(report["levels"]) == ["film", "end"]
    assert list(report["levels"]["film"]) == ["0.1", "0.01", "0.001"]
    assert (out / "frontier.png").stat().st_size > 10_000
    assert "film, error 0.1: cheapest solver" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="is not an empty folder"):
        runpy.run_path(str(script), run_name="__main__")
