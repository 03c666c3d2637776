"""Results in a folder of their own, as scripts, commands and notebooks write them."""

import dataclasses
import json
import pathlib
import shlex
import sys

import numpy as np
import pytest
from matplotlib.figure import Figure

from qdistill.insight import flight
from qdistill.insight.harness import Report
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.runs import extensions, provenance, results
from qdistill.runs.results import Results
from qdistill.system import System
from qdistill.teacher import split_step


def read(path: pathlib.Path) -> dict:
    return json.loads(path.read_text(), parse_constant=pytest.fail)


@pytest.fixture(autouse=True)
def no_extensions(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other tests of this process may have loaded files."""
    monkeypatch.setattr(extensions, "LOADED", {})


def test_numbers_settings_and_origin_are_strict_json(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "deep" / "out"
    numbers = {"error": np.inf, "pairs": [(1.0, np.nan)], "of": {"it": (2, None)}}
    done = results.record(out, {"seed": 1, "cap": np.nan}, lambda: Results(numbers, "done"))
    assert done.report == "done"
    assert read(out / "metrics.json") == {
        "error": None, "pairs": [[1.0, None]], "of": {"it": [2, None]},
    }  # fmt: skip
    # Innermost lists and records are on one line.
    text = (out / "metrics.json").read_text()
    assert '"pairs": [\n    [1.0, null]\n  ],\n  "of": {\n    "it": [2, null]\n  }\n}' in text
    settings = read(out / "config.json")
    assert (settings["seed"], settings["cap"]) == (1, None)
    assert shlex.split(settings["command"]) == sys.argv
    assert settings["provenance"]["environment"] == provenance.environment()
    assert settings["extensions"] == []


def test_files_of_ones_own_are_part_of_the_origin(tmp_path: pathlib.Path) -> None:
    (tmp_path / "mine.py").write_text("")
    try:
        mine = extensions.load(tmp_path / "mine.py")
        assert results.origin()["extensions"] == [dataclasses.asdict(mine)]
    finally:
        extensions.LOADED.clear()
        sys.modules.pop("qdistill_mine", None)


def test_a_report_becomes_numbers_a_table_and_its_figures(tmp_path: pathlib.Path) -> None:
    system = System(Grid(128, 40.0, "continuum"), dt=0.2)
    v = potentials.barrier(system.grid.positions(), 3.0, 2.0, 20.0)
    psi = packets.gaussian(system.grid, 10.0, 2.0, 2.0)
    found = flight.evaluate(split_step(system, 8), v, psi, 4)
    done = results.record(tmp_path / "flight", {}, lambda: results.of_report(found))
    assert done.report == str(found) == found.table
    assert read(tmp_path / "flight" / "metrics.json") == json.loads(json.dumps(found.numbers))
    assert {path.suffix for path in (tmp_path / "flight").iterdir()} == {".json", ".png"}


def test_a_report_without_a_figure_is_refused_in_words() -> None:
    with pytest.raises(ValueError, match="`report` must be of an analysis that has a figure"):
        results.of_report(Report({}, "no figure"))


def test_what_stops_leaves_no_empty_folder(tmp_path: pathlib.Path) -> None:
    def stop() -> Results:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        results.record(tmp_path / "out", {}, stop)
    assert not (tmp_path / "out").exists()


def test_a_report_whose_numbers_cannot_be_written_is_shown(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"

    def work() -> Results:
        (out / "metrics.json").mkdir()
        return Results({"n": 1}, "one is counted")

    with pytest.raises(OSError, match=r"metrics\.json` cannot be written"):
        results.record(out, {}, work)
    assert "one is counted" in capsys.readouterr().out


def test_numbers_are_kept_where_a_figure_cannot_be_drawn(tmp_path: pathlib.Path) -> None:
    class Broken(Figure):
        def savefig(self, *args, **kwargs) -> None:
            raise OSError("no space left")

    broken = Results({"n": 1}, "", {"figure": Broken()})
    with pytest.raises(OSError, match="no space left"):
        results.record(tmp_path / "out", {}, lambda: broken)
    assert read(tmp_path / "out" / "metrics.json") == {"n": 1}
