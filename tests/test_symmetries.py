"""The script of symmetries, on a run that has hardly been trained."""

import dataclasses
import json
import pathlib
import runpy
import sys

import jax
import pytest
import small

from qdistill.insight import symmetries as symmetry
from qdistill.runs import config
from qdistill.runs import folder as runs
from qdistill.runs.checkpoints import Checkpoints

ROOT = pathlib.Path(__file__).parents[1]


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr(sys, "argv", ["symmetries.py", *arguments])
    runpy.run_path(str(ROOT / "experiments" / "symmetries.py"), run_name="__main__")


def untrained(folder: pathlib.Path, settings: config.Config) -> str:
    """The folder of a run that has only just begun."""
    runs.open_folder(folder, settings, resume=False)
    state = runs.set_up(settings).trainers[0].init(jax.random.key(settings.seed))
    with Checkpoints(folder / "checkpoints") as saved:
        saved.save(state, 1.0)
    return str(folder)


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Two seeds of a unitary student."""
    root = tmp_path_factory.mktemp("runs")
    return [
        untrained(root / f"seed-{seed}", dataclasses.replace(small.UNITARY, seed=seed))
        for seed in (0, 1)
    ]


def test_smoke_run_writes_findings_and_a_figure(
    folders: list[str],
    tmp_path: pathlib.Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    run_script(monkeypatch, *folders, "--smoke", "--out", str(out), "--seed", "5")
    found = json.loads((out / "metrics.json").read_text())
    assert json.loads((out / "config.json").read_text())["runs"] == folders
    assert (out / "symmetries.png").stat().st_size > 10_000
    assert found["seed"] == 5
    # Runs that differ in their seed only are one student.
    assert list(found["findings"]) == ["exact solver", "seed-0"]
    for kinds in found["findings"].values():
        assert list(kinds) == ["barriers", "other landscapes"]
        for rows in kinds.values():
            assert list(rows) == list(symmetry.SYMMETRIES)
    solver = found["findings"]["exact solver"]["other landscapes"]
    student = found["findings"]["seed-0"]["other landscapes"]
    # Built in, so that training does not matter.
    for name in (
        "superposition", "scaling", "global phase", "mirror", "translation, whole cells",
        "time reversal", "constant in V", "inner products", "composition",
    ):  # fmt: skip
        assert solver[name]["verdict"] == "holds", name
        assert student[name]["verdict"] == "holds", name
    assert solver["Galilean boost"]["verdict"] == "as the teacher"
    assert all(row["control_fires"] for name, row in solver.items())
    assert "rho (95%)" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="is not an empty folder"):
        run_script(monkeypatch, folders[0], "--smoke", "--out", str(out))


def test_bad_options_are_refused_in_a_sentence(
    folders: list[str], tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    continuum = dataclasses.replace(small.UNITARY.teacher, dispersion="continuum")
    other = untrained(tmp_path / "other", dataclasses.replace(small.UNITARY, teacher=continuum))
    for arguments, message in (
        ([], "`runs` must be at least one folder"),
        (["nowhere"], "There is no run in `nowhere`"),
        ([folders[0], other], "`runs` must be of the physics of"),
        ([folders[0], "--cases", "1"], "`cases` must be at least 2, but is 1"),
        ([folders[0], "--frames", "1"], "`frames` must be at least 2, but is 1"),
    ):
        out = tmp_path / "out"
        with pytest.raises(SystemExit) as caught:
            run_script(monkeypatch, *arguments, "--out", str(out))
        assert str(caught.value).startswith("symmetries.py: ")
        assert message in str(caught.value)
        assert not out.exists()
