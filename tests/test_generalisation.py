"""Generalisation: sweeps of one property, lessons without a family, replaced parts."""

import dataclasses
import json
import pathlib

import numpy as np
import pytest
import scripts

import qdistill
from experiments.corrections import splittings
from experiments.generalisation import beyond, generalisation, left_out, parts
from experiments.generalisation.beyond import Sweeps
from experiments.generalisation.generalisation import over_seeds
from qdistill.physics import families
from qdistill.runs import config, presets
from qdistill.system import LESSONS


def test_only_one_property_varies() -> None:
    sweeps, system = Sweeps(n_case=2, n_frames=2), qdistill.System(dt=0.1)
    low, high = (sweeps.make(system, "height", value) for value in (4.0, 30.0))
    np.testing.assert_array_equal(low.given, high.given)
    np.testing.assert_allclose(np.asarray(low.v) / 4, np.asarray(high.v) / 30, rtol=1e-6)
    assert low.frames.shape == (2, 2, 1024)


def test_a_family_that_is_left_out_has_no_weight() -> None:
    names = left_out.lessons_of_families()
    assert len(names) == len(families.FAMILIES)
    assert set(names) <= set(LESSONS)
    settings = left_out.config_of(left_out.LeftOut(n_steps=40, preset="informed-2"))
    assert settings.curriculum.lessons == names
    assert list(settings.training.boundaries) == [40]
    assert config.from_json(config.to_json(settings)) == settings
    # In full: the stages of the preset, with these lessons.
    of_preset = presets.PRESETS["unitary"][1]
    settings = left_out.config_of(left_out.Args().sizes)
    assert settings.training.stages == of_preset.training.stages
    assert (settings.student, settings.curriculum.lessons) == (of_preset.student, names)


def test_the_families_script_runs_alone(tmp_path: pathlib.Path) -> None:
    done = scripts.run(
        "left_out", "--smoke", "--sizes.preset", "informed-2", "--out", str(tmp_path / "out")
    )
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert set(found["families"]) == {"well"}
    assert (tmp_path / "out" / "families.png").stat().st_size > 10_000
    assert {name: len(rows) for name, rows in found["cases"].items()} == {
        "start": 1, "none": 1, "well": 1,
    }  # fmt: skip


def test_one_family_only_is_taught_alone(tmp_path: pathlib.Path) -> None:
    weights = left_out.weights_of(("none", "well"), only=True)
    assert weights[0].all()
    assert [name for name, w in zip(families.FAMILIES, weights[1], strict=True) if w] == ["well"]
    done = scripts.run(
        "left_out", "--smoke", "--only", "--sizes.preset", "informed-2",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert len(found["families"]["well"]["each other"]) == len(families.FAMILIES) - 1
    raw = {
        "start": [np.array([9.0, 9.0])],
        "none": [np.array([1.0, 4.0]), np.array([2.0, 4.0])],
        "a": [np.array([1.0, 40.0]), np.array([2.0, 40.0])],
    }
    compared = left_out.compare_only(raw, np.array(["a", "b"]), ("a",))
    ratio = compared["families"]["a"]["log10 of the ratio"]
    assert ratio["own"]["mean"] == pytest.approx(0)
    assert ratio["others"]["mean"] == compared["all families"]["mean"] == pytest.approx(1)


def test_trainings_without_a_family_are_compared_with_all_that_saw_it() -> None:
    family = np.array(["a", "b"])
    raw = {
        "start": [np.array([9.0, 9.0])],
        "none": [np.array([1.0, 4.0]), np.array([2.0, 4.0])],
        "a": [np.array([10.0, 1.0]), np.array([20.0, 1.0])],
        "b": [np.array([1.0, 20.0]), np.array([2.0, 20.0])],
    }
    found = left_out.compare(raw, family, ("a", "b"))
    ratio = {name: row["log10 of the ratio"]["own"] for name, row in found["families"].items()}
    assert found["families"]["a"]["start"] == 9
    assert ratio["a"]["mean"] == pytest.approx(1)
    assert ratio["a"]["deviation"] == pytest.approx(0)
    # b was seen with the errors 4 and 1, whose geometric mean is 2.
    assert found["families"]["b"]["with"] == pytest.approx([2, 2])
    assert ratio["b"]["mean"] == pytest.approx(1)
    assert found["all families"]["mean"] == pytest.approx(1)
    assert found["largest ratio"] == pytest.approx(10)


def test_errors_over_solvers_are_paired_by_case() -> None:
    solver = [[[1.0, 20.0]]]
    rows = dict.fromkeys(beyond.BASELINES, solver) | {
        "demo": [[[1.0, 20.0], [1.0, 20.0]]],
        "clamped Strang": [[[10.0, 200.0]]],
    }
    found = over_seeds({"width": {"values": [1.0], "errors": rows}})["width"]["demo"]
    assert found["over"]["clamped Strang"][0]["mean"] == pytest.approx(-1)
    assert found["over"]["Takahashi-Imada"][0]["mean"] == pytest.approx(0)


def test_emulators_and_solvers_are_swept_and_drawn() -> None:
    args = generalisation.smoke(generalisation.Args(runs=("demo",)))
    done = generalisation.measure(args)
    numbers = done.metrics
    assert numbers["trainings"] == {"demo": 1}
    assert {name: of["values"] for name, of in numbers["beyond"].items()} == {
        "momentum": [3, 8], "width": [2.5], "height": [8],
    }  # fmt: skip
    of_demo = numbers["beyond"]["momentum"]["errors"]["demo"]
    usual, fast = np.mean(of_demo, axis=(1, 2))
    assert usual < fast
    # The usual cases are the same whichever property varies.
    for name in ("width", "height"):
        assert numbers["beyond"][name]["errors"]["demo"] == of_demo[:1]
    legend = done.figures["generalisation"].axes[3].get_legend()
    words = [text.get_text() for text in legend.get_texts()] if legend else []
    assert {"demo", "Takahashi-Imada, own cap", "taught"} <= set(words)


def test_replaced_phases_join_and_keep_the_rest() -> None:
    splitting = splittings.of_emulator(qdistill.load("demo"))
    grid, made = splitting.system.grid, parts.versions(splitting)
    k = np.abs(grid.wavenumbers())
    learned, mass, clamped = (
        made[name].drifts(grid) for name in ("as learned", "mass alone", "fast waves clamped")
    )
    fast = k > parts.FAST
    np.testing.assert_array_equal(clamped[:, ~fast], learned[:, ~fast])
    assert np.ptp(clamped[:, fast]) < 1e-12
    shift = (mass - learned)[:, fast]
    assert np.ptp(shift) < 1e-9
    slow = mass[:, :2]
    assert np.allclose(slow, learned[:, :2], atol=1e-2)
    assert dataclasses.replace(splitting, drifts=made["as learned"].drifts).n_pairs == 2
    assert beyond.USUAL["momentum"] < parts.FAST
