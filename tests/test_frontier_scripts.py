"""The scripts of the frontier, with tiny numbers."""

import json
import pathlib

import jax
import numpy as np
import pytest
import scripts
import small

from experiments.frontier import contenders
from qdistill.runs import folder, presets
from qdistill.runs.checkpoints import Checkpoints


def untrained(out: pathlib.Path, name: str) -> str:
    """A run of a preset that has a checkpoint, but has learned nothing."""
    contenders.load("demo")
    settings = presets.PRESETS[name][1]
    folder.open_folder(out, settings, resume=False)
    state = folder.set_up(settings).trainers[0].init(jax.random.key(0))
    with Checkpoints(out / "checkpoints") as saved:
        saved.save(state, 1.0)
    small.score(out, training_steps=8)
    return str(out)


def test_work_and_precision_of_solvers_and_emulators(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    arguments = ("demo", "informed-1", "--smoke", "--out", str(out))
    done = scripts.run("work_precision", *arguments)
    assert done.returncode == 0, done.stderr
    report = json.loads((out / "metrics.json").read_text())
    kinds = {row["kind"] for row in report["contenders"].values()}
    assert kinds == {
        *("split step", "clamped split step", "Chebyshev", "384 points, Takahashi-Imada"),
        *("projected", "cut off", "folded", "student", "Takahashi-Imada", "Chin"),
        *("Blanes-Moan", "filters of theory"),
    }
    assert list(report["levels"]) == ["film", "end"]
    assert list(report["levels"]["film"]) == ["0.1", "0.01", "0.001"]
    assert (out / "frontier.png").stat().st_size > 10_000
    assert "film, error 0.1: cheapest solver" in done.stdout
    done = scripts.run("work_precision", *arguments)
    assert done.returncode == 1
    assert "is not an empty folder" in done.words
    done = scripts.run("work_precision", "demo", "propagator", "--out", str(tmp_path / "other"))
    assert done.returncode == 1
    assert "`runs` must be of the same physics, but is of another in propagator" in done.words


def test_what_learned_from_operators_and_from_trajectories(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "coarse"
    trained = [untrained(tmp_path / name, name) for name in ("propagator", "kernel")]
    done = scripts.run("coarse", *trained, "--smoke", "--out", str(out))
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
    # Eleven products of 255 waves, and two frames of two packets.
    expected = 11 * 2 * 255**3 + 4 * 8 * 255**2
    assert kernel["film_gigaflop"] == pytest.approx(1e-9 * expected, rel=0.05)
    assert set(metrics["beside"]) == {"split steps", "projected", "cut off", "folded"}
    assert (out / "frontier.png").stat().st_size > 0


def test_runs_of_other_students_are_refused(tmp_path: pathlib.Path) -> None:
    options = ("--smoke", "--sizes", "224", "--out", str(tmp_path / "out"))
    done = scripts.run("coarse", str(tmp_path / "run"), *options)
    assert done.returncode == 1
    assert "There is no run in" in done.words
    done = scripts.run("coarse", "demo", *options)
    assert done.returncode == 1
    assert "`trained` must be runs of `propagator` or `kernel` on the continuum" in done.words


def test_what_learned_on_lines_and_on_planes(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("coarse_plane", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    assert list(metrics["learned"]) == ["learned on lines", "learned on planes"]
    rows = metrics["boxes"]["12"]["contenders"]
    assert {row["kind"] for row in rows.values()} == {
        *("clamped split step", "18 points, Takahashi-Imada", "cut off", "folded", "student"),
        *("Takahashi-Imada", "Chin", "Blanes-Moan"),
    }
    assert all(0 < row["rms_error"] < 1.5 for row in rows.values())
    weights = metrics["learned"]["learned on lines"]["4.5"]["weights"]
    assert np.shape(weights) == (2, 12)
    assert np.any(weights)
    assert (out / "frontier-12.png").stat().st_size > 10_000
