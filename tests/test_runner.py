"""The runner of scripts: its folder, its notes, and how it leaves."""

import dataclasses
import json
import pathlib
from collections.abc import Callable
from typing import Any

import pytest

import qdistill
from experiments import emulators, runner
from qdistill.physics.grid import Grid
from qdistill.plots import Figure
from qdistill.runs import extensions
from qdistill.runs.signals import Stopped
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Args:
    """Options of a script."""

    out: pathlib.Path = pathlib.Path("runs/nothing")
    """Folder."""
    n: int = 100
    """How many."""
    system: System = dataclasses.field(default_factory=lambda: System(Grid(64, 10.0)))
    """What is simulated."""
    smoke: bool = False
    """Seconds."""


def fewer(args: Args) -> Args:
    return dataclasses.replace(args, n=2)


def count(args: Args) -> runner.Results:
    metrics = {"n": args.n, "ratio": float("nan")}
    return runner.Results(metrics, f"{args.n} counted", {"empty": Figure(figsize=(1, 1))})


@pytest.fixture
def leave(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Run a script; what it leaves with, a status or a message, and None for success."""

    def run(work: Callable[[Args], runner.Results], *options: str, smoke: Any = fewer) -> Any:
        monkeypatch.setattr("sys.argv", ["experiments/count.py", *options])
        try:
            runner.main(work, Args, smoke)
        except SystemExit as leaving:
            return leaving.code
        return None

    return run


def test_a_script_leaves_settings_notes_numbers_and_figures(
    leave: Callable[..., Any], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "deep" / "out"
    assert leave(count, "--out", str(out), "--system.dt", "0.5") is None
    assert capsys.readouterr().out == "100 counted\n"
    assert json.loads((out / "metrics.json").read_text()) == {"n": 100, "ratio": None}
    assert (out / "empty.png").read_bytes()[:4] == b"\x89PNG"
    config = json.loads((out / "config.json").read_text())
    assert config["n"] == 100
    assert config["out"] == str(out)
    assert config["system"]["name"] == "System"
    assert config["system"]["dt"] == 0.5
    assert config["system"]["grid"]["shape"] == [64]
    assert config["command"] == f"experiments/count.py --out {out} --system.dt 0.5"
    assert {"commit", "is_modified", "date", "environment"} == set(config["provenance"])
    assert config["extensions"] == []
    assert {path.name for path in out.iterdir()} == {"config.json", "metrics.json", "empty.png"}


def test_smoke_is_resolved_before_it_is_noted(
    leave: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    assert leave(count, "--smoke", "--out", str(tmp_path)) is None
    assert json.loads((tmp_path / "config.json").read_text())["n"] == 2
    assert json.loads((tmp_path / "metrics.json").read_text())["n"] == 2


def test_a_folder_with_something_in_it_is_refused(
    leave: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    message = leave(count, "--out", str(tmp_path))
    assert message.startswith("experiments/count.py: ")
    assert message.endswith("is not an empty folder. Choose another with --out.")
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("error", [ValueError, OSError, FloatingPointError, ImportError])
def test_refusals_are_one_line_and_leave_no_folder(
    error: type[Exception], leave: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    def refuse(args: Args) -> runner.Results:
        raise error("Argument `n` must be even, but is 100.")

    out = tmp_path / "out"
    message = leave(refuse, "--out", str(out))
    assert message == "experiments/count.py: Argument `n` must be even, but is 100."
    assert not out.exists()
    # A folder that was there stays, as it was.
    assert leave(refuse, "--out", str(tmp_path)) == message
    assert not list(tmp_path.iterdir())


def test_what_a_script_has_written_itself_is_kept(
    leave: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    def write(args: Args) -> runner.Results:
        (args.out / "half.txt").write_text("half")
        raise ValueError("too late")

    assert leave(write, "--out", str(tmp_path / "out")).endswith("too late")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"config.json", "half.txt"}


def test_a_bug_is_not_taken_for_a_refusal(
    leave: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    def bug(args: Args) -> runner.Results:
        raise KeyError("n")

    with pytest.raises(KeyError):
        leave(bug, "--out", str(tmp_path / "out"))


def test_signals_have_their_status(
    leave: Callable[..., Any], tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(args: Args) -> runner.Results:
        raise Stopped("Stopped by SIGTERM: a checkpoint is saved.", 15)

    def interrupt(args: Args) -> runner.Results:
        raise KeyboardInterrupt

    assert leave(stop, "--out", str(tmp_path / "out")) == 143
    assert "experiments/count.py: Stopped by SIGTERM" in capsys.readouterr().err
    assert leave(interrupt, "--out", str(tmp_path / "out")) == 130


def test_presets_are_chosen_by_name(
    tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    choices = {"few": ("A few.", Args(n=3)), "many": ("Many.", Args(n=10**6))}
    out = str(tmp_path / "out")
    monkeypatch.setattr("sys.argv", ["experiments/count.py", "few", "--out", out])
    runner.main(count, choices)
    assert "3 counted" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["experiments/count.py", "none"])
    with pytest.raises(SystemExit):
        runner.main(count, choices)
    assert "experiments/count.py" in capsys.readouterr().err


def test_a_file_of_ones_own_is_loaded_first_and_noted(
    leave: Callable[..., Any], tmp_path: pathlib.Path
) -> None:
    own, out = tmp_path / "own.py", tmp_path / "out"
    own.write_text("import qdistill\nqdistill.loaded_by_a_script = 3\n")
    try:
        assert leave(count, "--load", str(own), "--out", str(out)) is None
        (noted,) = json.loads((out / "config.json").read_text())["extensions"]
        assert noted == dataclasses.asdict(extensions.LOADED[str(own)])
        assert qdistill.loaded_by_a_script == 3
    finally:
        extensions.LOADED.clear()
    message = leave(count, "--load", str(tmp_path / "none.py"), "--out", str(out))
    assert message.startswith("experiments/count.py: There is no file")


def test_emulators_are_found_by_packaged_names_and_refused_in_words() -> None:
    assert list(emulators.load(["demo", "informed-2"])) == ["demo", "informed-2"]
    assert [len(each) for each in emulators.load_ensembles(["demo", "unitary"]).values()] == [1, 1]
    nulls = emulators.make_nulls(System(), (2, 3), tuple(emulators.NULLS))
    assert list(nulls) == [
        "clamped-2", "clamped-3", "takahashi-imada-2", "takahashi-imada-3", "fourth-order-2",
    ]  # fmt: skip
    for places, most, message in (
        ([], None, "`runs` must be at least one emulator, of different names"),
        (["demo", "demo"], None, "of different names"),
        (["demo", "unitary", "gru"], 2, "1 to 2 emulators, of different names"),
        (
            ["demo", "propagator"],
            None,
            "of the system of `demo`, but is of another in `propagator`",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            emulators.load(places, most)
    with pytest.raises(FileNotFoundError, match="There is no run in `nowhere`"):
        emulators.load(["nowhere"])
