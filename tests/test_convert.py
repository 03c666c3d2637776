"""Runs and package files of older versions become those of this one, with the same numbers."""

import copy
import json
import pathlib
from typing import Any

import jax
import numpy as np
import pytest
import scripts

from experiments import convert
from qdistill.runs import config, extensions, folder, presets, pretrained
from qdistill.students import WindowedConfig

ROOT = pathlib.Path(__file__).parents[1]
BATCHES = {
    "n_block": 20, "examples": "frames", "placement": "landscape", "floor": 0.05,
    "spectra": {"n_box": 256, "n_states": 64, "floor": 0.0, "ceiling": 12.0, "horizon": 100},
}  # fmt: skip
STAGE = {
    "relative": False, "loss_sigma": 0.0, "power": 1.0, "noise": 0.0, "optimiser": "adam",
    "decay": "linear", "memory": 0.999, "warm_up": 0.05, "weight_decay": 0.0, "clip": 1.0,
}  # fmt: skip


def stage(n_steps: int, n_target: int, n_batch: int, rate: float) -> dict[str, Any]:
    sizes = {"n_batch": n_batch, "n_runs": 48, "n_frames": 40 + n_target, "n_target": n_target}
    rates = {"peak_rate": rate, "final_rate": rate / 100}
    return {"n_steps": n_steps, "batches": BATCHES | sizes, **STAGE, **rates}


# `results/demo/config.json` of the first edition.
OLD: dict[str, Any] = {
    "preset": "demo",
    "seed": 0,
    "teacher": {
        "n_dim": 1, "n_x": 1024, "length": 100.0, "dispersion": "lattice", "dt": 0.1,
        "solver": "chebyshev", "tolerance": 1e-05, "v_range": [-16.0, 16.0], "n_substeps": 10,
    },
    "curriculum": {
        "lessons": ["barrier"], "weights": [], "plan": "constant", "difficulty": [1.0, 1.0],
        "ramp": 0.5,
    },
    "student": {
        "name": "unitary",
        "n_units": 69,
        "windows": {
            "n_window": 23, "n_history": 4, "sigma": 2.8, "v_scale": 14.0, "gauge": False,
            "floor": 0.0003,
        },
        "unitary": {
            "n_pairs": 2, "start": "nothing", "kinetic_cap": 40.0, "reach": 8, "n_units": 16,
            "mirror": True, "reversible": True, "knot_spacing": 0.25, "smooth": True,
        },
        "local": {"n_layers": 1, "kernel_reach": 24, "reach": 8, "n_units": 16},
        "fno": {"n_channels": 10, "n_layers": 3, "n_modes": 112, "v_scale": 14.0},
        "propagator": {"n_coarse": 224, "n_fields": 2, "widths": [0.1, 0.25, 0.6]},
    },
    "training": {
        "stages": [stage(300, 1, 64, 1e-2), stage(300, 8, 64, 1e-2), stage(1000, 40, 16, 3e-3)],
        "checkpoint_every": 100,
        "on_divergence": "stop", "diverged": 1000.0, "rollback_rate": 0.5, "max_rollbacks": 10,
    },
    "benchmark": {"n_frames": 400, "n_given": 4, "tolerance": 1e-07},
}  # fmt: skip
DEMO = presets.PRESETS["demo"][1]


@pytest.fixture
def old() -> dict[str, Any]:
    return copy.deepcopy(OLD)


def converted(tree: dict[str, Any]) -> config.Config:
    assert convert.is_old(tree)
    new = convert.convert(tree)
    assert not convert.is_old(new)
    return config.from_tree(new)


def test_a_config_of_the_first_edition_is_the_preset(old: dict[str, Any]) -> None:
    assert converted(old) == DEMO
    assert old == OLD, "what is given is left as it was"


def test_settings_that_the_oldest_runs_do_not_name_are_what_they_were(old: dict[str, Any]) -> None:
    del old["teacher"]["n_dim"], old["student"]["unitary"]["smooth"]
    for name in ("on_divergence", "diverged", "rollback_rate", "max_rollbacks"):
        del old["training"][name]
    assert config.differences(converted(old), DEMO) == ["student.smooth: False is not True"]


@pytest.mark.parametrize(
    ("was", "lessons"),
    [
        (["barrier", "landscapes"], ("barrier", "potentials")),
        (
            ["plane-free", "plane-wall", "plane-slit", "plane-shape"],
            ("packets", "wall", "slit", "shape"),
        ),
        (["free", "paper-full"], ("free", "paper-full")),
    ],
)
def test_lessons_have_their_new_names(
    was: list[str], lessons: tuple[str, ...], old: dict[str, Any]
) -> None:
    old["curriculum"]["lessons"] = was
    assert converted(old).curriculum.lessons == lessons


def test_a_plane_has_as_many_points_each_way(old: dict[str, Any]) -> None:
    physics = {"n_dim": 2, "n_x": 64, "length": 16.0, "dispersion": "continuum"}
    old["teacher"] |= physics
    assert converted(old).system == presets.PRESETS["plane"][1].system


@pytest.mark.parametrize("name", ["gru", "linear", "propagator", "local", "fno"])
def test_only_the_settings_of_the_student_itself_are_kept(name: str, old: dict[str, Any]) -> None:
    old["student"]["name"] = name
    student = converted(old).student
    assert student.name == name
    if name in ("gru", "linear"):
        assert student == WindowedConfig(name)
    assert "teacher.dt" not in config.leaves(converted(old))


def test_the_folder_of_a_run_is_converted_once(old: dict[str, Any], tmp_path: pathlib.Path) -> None:
    (tmp_path / "config.json").write_text(json.dumps(old))
    with pytest.raises(ValueError, match=r"experiments/convert\.py converts older runs"):
        folder.read_config(tmp_path / "config.json")
    done = scripts.run("convert", str(tmp_path))
    assert done.stdout == f"{tmp_path}: converted\n"
    assert folder.read_config(tmp_path / "config.json") == DEMO
    whole = (tmp_path / "config.json").read_bytes()
    assert scripts.run("convert", str(tmp_path)).stdout == f"{tmp_path}: nothing to do\n"
    assert (tmp_path / "config.json").read_bytes() == whole
    done = scripts.run("convert", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "convert.py: `" in done.words


def test_a_package_file_is_converted_with_its_parameters(
    old: dict[str, Any], tmp_path: pathlib.Path
) -> None:
    path = tmp_path / "demo.npz"
    with np.load(pretrained.FOLDER / "demo.npz") as file:
        arrays = dict(file)
    about = json.loads(arrays.pop("about").item()) | {"config": old}
    np.savez(path, about=json.dumps(about), **arrays)
    with pytest.raises(ValueError, match=r"experiments/convert\.py converts older runs"):
        pretrained.read(path)
    assert scripts.run("convert", str(path), str(path)).stdout.split("\n")[:2] == [
        f"{path}: converted", f"{path}: nothing to do",
    ]  # fmt: skip
    here, there = pretrained.read(path), pretrained.load("demo")
    assert (here.config, here.score, here.provenance) == (
        there.config, there.score, there.provenance,
    )  # fmt: skip
    for ours, theirs in zip(*map(jax.tree.leaves, (here.params, there.params)), strict=True):
        np.testing.assert_array_equal(ours, theirs)


def test_nothing_that_is_kept_is_of_the_first_edition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extensions, "LOADED", {})
    monkeypatch.setattr(presets, "PRESETS", presets.PRESETS.copy())
    runs = 0
    for path in (ROOT / "results").glob("*/config.json"):
        tree = json.loads(path.read_text())
        assert not convert.is_old(tree), path
        if {"preset", "system", "student"} <= set(tree):
            for extension in tree.get("extensions", []):
                extensions.load(ROOT / extension["path"])
            config.from_json(path.read_text())
            runs += 1
    assert runs > 15
    for name in pretrained.names():
        assert pretrained.load(name).config.student.name
