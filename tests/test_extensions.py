"""Files of one's own: loaded, noted in a run, and asked for when the run is read."""

import dataclasses
import json
import pathlib
import pickle
import shlex
import sys
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
import pytest
import small

import qdistill as qd
from qdistill.__main__ import load_extensions, main, parse
from qdistill.runs import extensions, folder, presets, pretrained, story
from qdistill.runs.config import from_json, to_json
from qdistill.students import FORMS

OWN = """
from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp

from qdistill.physics import packets
from qdistill.runs import presets
from qdistill.students import Student, StudentConfig
from qdistill.system import Step, System, lesson


@dataclasses.dataclass(frozen=True)
class Tilted(System):
    tilt: float = 0.1

    def local(self, v, t, psi):
        return v + self.tilt * jnp.sin(2 * jnp.pi * self.grid.positions(dtype=v.dtype) / 40)


@lesson("own-bumps")
def bumps(key, grid, difficulty):
    x = grid.positions()
    height = difficulty * jax.random.uniform(key)
    return packets.gaussian(grid, 10.0, 2.0, 2.0), height * jnp.exp(-((x - 20.0) ** 2))


@dataclasses.dataclass(frozen=True)
class TurnerConfig(StudentConfig, name="turner"):
    start: float = 0.5

    def build(self, system: System) -> Turner:
        return Turner(self, system)


@dataclasses.dataclass(frozen=True)
class Turner(Student):
    def init(self, key):
        return {"rate": jnp.float32(self.form.start)}

    def step(self, params, v):
        turn = jnp.exp(-1j * params["rate"] * self.system.local(v, 0.0, None))
        return Step(lambda frames, n: frames[-1], lambda psi: turn * psi, lambda psi: psi)


demo = presets.smoke(presets.PRESETS["demo"][1])
(stage, *_) = demo.training.stages
presets.PRESETS["turner"] = "A student of one number on a tilted line.", dataclasses.replace(
    demo,
    preset="turner",
    system=Tilted(demo.system.grid, bounds=(-16.0, 16.0), tilt=0.2),
    curriculum=dataclasses.replace(demo.curriculum, lessons=("own-bumps",)),
    student=TurnerConfig(),
    training=dataclasses.replace(demo.training, stages=(stage,)),
)
"""


@pytest.fixture(autouse=True)
def no_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process may have loaded files."""
    monkeypatch.setattr(extensions, "LOADED", {})


@pytest.fixture
def own(tmp_path: pathlib.Path) -> Iterator[pathlib.Path]:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    yield path
    extensions.LOADED.clear()
    sys.modules.pop("qdistill_own", None)
    for registry, name in (
        (qd.system.LESSONS, "own-bumps"), (qd.system.SYSTEMS, "Tilted"), (FORMS, "turner"),
        (presets.PRESETS, "turner"),
    ):  # fmt: skip
        registry.pop(name, None)


def test_a_file_of_ones_own_is_loaded_and_noted(own: pathlib.Path, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "run"
    main(["distill", "turner", "--load", str(own), "--seed", "5", "--out", str(out)])
    (noted,) = json.loads((out / "config.json").read_text())["extensions"]
    assert noted == {"path": str(own), "sha256": extensions.LOADED[str(own)].sha256}
    emulator = pretrained.find(str(out))
    assert emulator.config.curriculum.lessons == ("own-bumps",)
    assert list(json.loads((out / "metrics.json").read_text())["benchmark"]["cases"]) == [
        f"own-bumps-{i}" for i in (1, 2, 3, 4)
    ]
    # A run of Python notes what its process has loaded.
    plain = dataclasses.replace(emulator.config, extensions=())
    again = qd.distill(plain, tmp_path / "again", draw=False)
    assert again.config == emulator.config
    command = story.begin(emulator.config, out)
    assert command == f"qdistill distill turner --seed 5 --load {own} --out {out}"
    words = load_extensions(shlex.split(command)[2:])
    assert parse("distill", words).__self__.config.seed == 5  # type: ignore[attr-defined]
    extensions.LOADED.clear()
    with pytest.raises(ValueError, match=f"give `--load {own}`"):
        folder.load(out)
    own.write_text(OWN + "\n# Changed since.\n")
    extensions.load(own)
    with pytest.raises(ValueError, match="as it was then, which is not loaded"):
        folder.load(out)


def test_a_package_file_asks_for_what_its_emulator_is_made_of(
    own: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    extensions.load(own)
    config = dataclasses.replace(
        presets.PRESETS["turner"][1], extensions=tuple(extensions.LOADED.values())
    )
    student = config.student.build(config.system)
    score = {"mean_infidelity": 0.1}
    emulator = student.bind(jax.jit(student.init)(jax.random.key(0)), config=config, score=score)
    pretrained.write(tmp_path / "turner.npz", emulator)
    same = pretrained.read(tmp_path / "turner.npz")
    assert same.config == config
    np.testing.assert_array_equal(same.params["rate"], emulator.params["rate"])
    pickled = pickle.loads(pickle.dumps(emulator))
    assert pickled.student == student
    assert pickled.config == config
    extensions.LOADED.clear()
    with pytest.raises(ValueError, match=rf"turner\.npz` cannot be read .* give `--load {own}`"):
        pretrained.read(tmp_path / "turner.npz")


def test_a_file_is_executed_once_and_again_when_it_has_changed(tmp_path: pathlib.Path) -> None:
    path, log = tmp_path / "counted.py", tmp_path / "log"
    text = f"with open({str(log)!r}, 'a') as file:\n    file.write(__name__ + ' ')\n"
    path.write_text(text)
    try:
        first = extensions.load(path)
        assert extensions.load(str(path)) == first
        assert log.read_text() == "qdistill_counted "
        path.write_text(text + "1 / 0\n")
        with pytest.raises(ZeroDivisionError):
            extensions.load(path)
        # What failed does not count as loaded.
        assert {str(path): first} == extensions.LOADED
        path.write_text(text + "a = 1\n")
        assert extensions.load(path) != first
        assert log.read_text() == "qdistill_counted " * 3
        with pytest.raises(FileNotFoundError, match=r"There is no file `.*none\.py` to load"):
            extensions.load(tmp_path / "none.py")
    finally:
        extensions.LOADED.clear()
        sys.modules.pop("qdistill_counted", None)


def test_another_file_of_the_same_name_is_refused(tmp_path: pathlib.Path) -> None:
    paths = [tmp_path / name / "same.py" for name in ("a", "b", "copy")]
    for path, text in zip(paths, ("a = 1\n", "a = 2\n", "a = 1\n"), strict=True):
        path.parent.mkdir()
        path.write_text(text)
    first, other, copy = paths
    try:
        extensions.load(first)
        words = f"`path` must be of another name than the loaded file `{first}`, but is .*Rename"
        with pytest.raises(ValueError, match=words):
            extensions.load(other)
        assert sys.modules["qdistill_same"].a == 1
        extensions.load(copy)
        assert list(extensions.LOADED) == [str(first), str(copy)]
    finally:
        extensions.LOADED.clear()
        sys.modules.pop("qdistill_same", None)


def test_a_file_that_fails_leaves_no_module(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "failing.py"
    path.write_text("1 / 0\n")
    with pytest.raises(ZeroDivisionError):
        extensions.load(path)
    assert "qdistill_failing" not in sys.modules


def test_options_that_load_stand_anywhere(own: pathlib.Path) -> None:
    for words in ([f"--load={own}", "story", "a"], ["story", "a", "--load", str(own)]):
        assert load_extensions(words) == ["story", "a"]
    with pytest.raises(ValueError, match="`--load` needs a Python file"):
        load_extensions(["story", "--load"])


def test_a_system_of_ones_own_is_a_node_of_the_config(own: pathlib.Path) -> None:
    extensions.load(own)
    tilted: Any = qd.system.SYSTEMS["Tilted"]
    config = dataclasses.replace(
        small.UNITARY, system=tilted(small.UNITARY.system.grid, bounds=(-16.0, 16.0), tilt=0.3)
    )
    tree = json.loads(to_json(config))
    assert tree["system"]["name"] == "Tilted"
    assert tree["system"]["tilt"] == 0.3
    assert from_json(to_json(config)) == config
    tree["system"]["name"] = "Unknown"
    with pytest.raises(ValueError, match=r"`config.system.name` must be one of .*'Tilted'"):
        from_json(json.dumps(tree))
