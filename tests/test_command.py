"""The command `qdistill`: its usage, refusals in words, files of one's own, and its folders."""

import json
import pathlib
from typing import Any

import pytest
import small

import qdistill as qd
from qdistill.__main__ import main
from qdistill.runs import distillation, extensions, folder, pretrained

OWN = """
import dataclasses
import jax
import jax.numpy as jnp
from qdistill.physics import packets
from qdistill.students import UnitaryConfig
from qdistill.runs import presets
from qdistill.system import System, lesson


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


system = Tilted(presets.PRESETS["demo"][1].system.grid, tilt=0.2)
"""


def run(*words: str) -> int:
    """The exit status; a message that leaves with status 1 is raised as `SystemExit`."""
    try:
        main(words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0


def test_usage_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == 0
    usage = capsys.readouterr().out
    for command in ("distill", "evaluate", "forecast", "story", "export"):
        assert f"\n  {command} " in usage
    assert run() == 2
    assert run("nonsense") == 2
    assert "usage: qdistill COMMAND" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "nowhere"), "There is no run in `nowhere`"),
        (("story", "nowhere"), "There is no run in `nowhere`"),
        (("story",), "Name the folder of a run"),
        (("forecast", "nobody"), "no run in `nobody`, and no student of that name"),
        (("distill", "demo", "--load", "no.py"), "There is no file `no.py` to load"),
        (("distill", "demo", "--load"), "`--load` needs a Python file"),
    ],
)
def test_refusals_name_the_command(
    words: tuple[str, ...], message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message) as leaving:
        main(words)
    assert str(leaving.value).startswith("qdistill: ")
    assert not list(tmp_path.iterdir())


def files(out: pathlib.Path) -> set[str]:
    """All but the arrays of checkpoints, whose files have the names of their content."""
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    return {name for name in names if "/default/" not in name}


def test_training_from_python_leaves_the_folder_of_the_command(tmp_path: pathlib.Path) -> None:
    main(["distill", "demo", "--smoke", "--out", str(tmp_path / "command")])
    from qdistill.runs import presets

    config = presets.smoke(presets.PRESETS["demo"][1])
    emulator = qd.distill(config, tmp_path / "python")
    here, there = tmp_path / "python", tmp_path / "command"
    assert files(here) == files(there)
    assert (here / "config.json").read_text() == (there / "config.json").read_text()
    scores = [json.loads((out / "metrics.json").read_text())["benchmark"] for out in (here, there)]
    assert scores[0] == scores[1]
    assert emulator.score is not None
    assert emulator.score["mean_infidelity"] == scores[0]["mean_infidelity"]
    again = pretrained.from_run(there)
    assert again.score == {**emulator.score, "training_seconds": again.score["training_seconds"]}


def test_metrics_have_the_keys_that_other_tools_read(tmp_path: pathlib.Path) -> None:
    distillation.distill(small.UNITARY, tmp_path / "run", draw=False)
    metrics = json.loads((tmp_path / "run" / "metrics.json").read_text())
    of_run = "student preset n_parameters training_seconds training_steps teacher_share benchmark"
    assert set(of_run.split()) <= set(metrics)
    means = "mean_correlation mean_final_correlation mean_infidelity mean_mae mean_nrmse"
    others = "n_frames worst_correlation max_norm_drift cases"
    assert set(f"{means} {others}".split()) <= set(metrics["benchmark"])
    case = next(iter(metrics["benchmark"]["cases"].values()))
    assert set(case) == {
        "correlation", "final_correlation", "mae", "nrmse", "norm_drift", "energy_drift",
    }  # fmt: skip


@pytest.fixture
def own(tmp_path: pathlib.Path) -> Any:
    path = tmp_path / "own.py"
    path.write_text(OWN)
    yield path
    extensions.LOADED.clear()
    qd.system.LESSONS.pop("own-bumps", None)
    qd.system.SYSTEMS.pop("Tilted", None)


def test_a_file_of_ones_own_is_loaded_and_noted(own: pathlib.Path, tmp_path: pathlib.Path) -> None:
    out = tmp_path / "run"
    options = ("--load", str(own), "--curriculum.lessons", "own-bumps", "--out", str(out))
    main(["distill", "demo", "--smoke", *options])
    (noted,) = json.loads((out / "config.json").read_text())["extensions"]
    assert noted == {"path": str(own), "sha256": extensions.LOADED[str(own)].sha256}
    assert folder.load(out).config.curriculum.lessons == ("own-bumps",)
    extensions.LOADED.clear()
    with pytest.raises(ValueError, match=f"give `--load {own}`"):
        folder.load(out)
    own.write_text(OWN + "\n# Changed since.\n")
    extensions.load(own)
    with pytest.raises(ValueError, match="as it was then, which is not loaded"):
        folder.load(out)


def test_a_system_of_ones_own_is_a_node_of_the_config(own: pathlib.Path) -> None:
    import dataclasses

    from qdistill.runs.config import from_json, to_json

    extensions.load(own)
    tilted = qd.system.SYSTEMS["Tilted"]
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
