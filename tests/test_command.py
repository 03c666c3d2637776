"""The command `qdistill`: its usage, refusals in words, exit status, and folders."""

import dataclasses
import io
import json
import os
import pathlib
import shlex
import subprocess
import sys
from typing import Any

import pytest
import scripts

import qdistill as qd
from qdistill.__main__ import main
from qdistill.curriculum import CurriculumConfig
from qdistill.runs import distillation, presets, pretrained, process, report, signals, story


def run(*words: str) -> int:
    """The exit status; a message that leaves with status 1 is raised as `SystemExit`."""
    try:
        main(words)
    except SystemExit as leaving:
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0


def test_usage_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("--help") == run("-h") == 0
    usage = capsys.readouterr().out
    for command in ("distill", "evaluate", "forecast", "story", "export"):
        assert f"\n  {command} " in usage
    assert run() == 2
    assert run("nonsense") == 2
    written = capsys.readouterr()
    assert "usage: qdistill COMMAND" in written.err
    assert not written.out
    assert run("--version") == 0
    assert capsys.readouterr().out.split() == ["qdistill", qd.__version__]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("evaluate", "nowhere"), "There is no run in `nowhere`"),
        (("story", "nowhere"), "There is no run in `nowhere`"),
        (("story",), "Name the folder of a run"),
        (("forecast", "nobody"), "no run in `nobody`, and no emulator of that name"),
        (("distill", "demo", "--load", "no.py"), "There is no file `no.py` to load"),
        (("distill", "demo", "--load"), "`--load` needs a Python file"),
        (("forecast", "demo", "--potential", "sin("), "formula"),
        (
            ("forecast", "tully", "--potential", "0*x", "--out", "it"),
            "`system` must be without channels",
        ),
        (("export", "tully", "--out", "a.npz"), "`system` must be without channels"),
        (("export", "demo", "--out", "a.txt"), "`path.suffix` must be one of"),
        (("export", "demo", "--out", "a.npz", "--cases", "moon"), "`cases` must be one of"),
        (("export", "demo", "--out", "a.npz", "--every", "0"), "`every` must be at least 1"),
        (("export", "demo", "--out", "a.npz", "--frames", "0"), "`n_frames` must be at least 1"),
        (
            ("export", "demo", "--out", "a.npz", "--frames", "3"),
            "`every` must be at most n_frames = 3, but is 4",
        ),
    ],
)
def test_refusals_name_the_command(
    words: tuple[str, ...], message: str, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=message) as leaving:
        main(words)
    assert str(leaving.value).startswith("qdistill: ")
    # On a loaded machine any program may compile for so long that it is kept.
    assert {path.name for path in tmp_path.iterdir()} <= {".cache"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["demo", "--system.lenght", "50"], "Unrecognized options"),
        (["demo", "--system.grid.lengths", "-50"], "`lengths` must be finite and positive"),
        (["demo", "--system.grid.shape", "1"], "`shape` must be at least 2, but is 1"),
        (
            ["demo", "--teacher.solver", "split_step", "--teacher.n-substeps", "2"],
            "`n_substeps` must be at least 4 on this grid",
        ),
        (["gru-demo", "--student.name", "oracle"], "`name` must be one of 'linear', 'dense', 'con"),
        (["demo", "--curriculum.lessons", "diving"], "`lessons` must be one of "),
        (["demo", "--system.grid.dispersion", "relativistic"], "invalid choice"),
        (["oracle"], "qdistill distill: Argument `preset` must be one of 'demo', "),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    words: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: pathlib.Path,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as leaving:
        main(["distill", *words])
    assert leaving.value.code
    told = f"{capsys.readouterr().err} {leaving.value.code}".replace("│", " ")
    assert message in " ".join(told.split())
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--system.grid.lengths", "-50"],
            "`lengths` must be finite and positive, but is (-50.0,).",
        ),
        (["--system.bounds", "1"], "`--system.bounds` must be {None}|{FLOAT FLOAT}, but is '1'."),
        (["--student.n_units=x"], "`--student.n-units` must be INT, but is 'x'."),
        (
            ["--curriculum.difficulty", "a", "b", "--seed", "1"],
            "`--curriculum.difficulty` must be FLOAT FLOAT, but is 'a' 'b'.",
        ),
    ],
)
def test_no_inner_name_of_the_parser_is_shown(
    words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("distill", "demo", *words) == 2
    told = capsys.readouterr().err
    assert told == f"qdistill distill: Argument {sentence} See qdistill distill --help.\n"


def test_other_bad_words_are_told_without_a_frame(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("distill", "demo", "--student.name", "gru") == 2
    told = capsys.readouterr().err
    assert told.startswith("qdistill distill: Unrecognized or misplaced options:")
    assert "in qdistill distill gru --help" in told
    assert not set("│╭╰─") & set(told)
    assert run("evaluate") == 2
    assert "qdistill evaluate: Missing from qdistill evaluate" in capsys.readouterr().err


def in_shell(command: str, tmp_path: pathlib.Path) -> tuple[str, str]:
    """Stdout and stderr of a shell in an empty folder, with `q` for the command."""
    q = f'q() {{ {shlex.quote(sys.executable)} -m qdistill "$@"; }}\n'
    done = subprocess.run(["bash", "-c", q + command], cwd=tmp_path, capture_output=True, text=True)
    return done.stdout, done.stderr


def test_closed_streams_and_readers_that_leave_end_a_command_in_silence(
    tmp_path: pathlib.Path,
) -> None:
    demo = shlex.quote(str(pathlib.Path(qd.__file__).parents[1] / "results" / "demo"))
    command = f"""
        q nonsense 2>&-; echo $?
        q story {demo} >&- 2>&-; echo $?
        q story {demo} | true; echo ${{PIPESTATUS[0]}}
        q story {demo} > /dev/full; echo $?
    """
    out, err = in_shell(command, tmp_path)
    assert out.split() == ["2", "0", "141", "1"]
    assert err == "qdistill: [Errno 28] No space left on device\n"


def test_a_terminal_without_bars_shows_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    told = story._bars([1.0, 1e-3])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(io.BytesIO(), "utf-8"))
    assert story._printable(told) == told
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, "ascii"))
    assert story._printable(told) == "81"
    with process.running("it"):
        print("ψ of 10 bohr")
    assert written.getvalue() == b"? of 10 bohr\n"


def test_a_stream_that_is_closed_is_nobody_elses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", None)
    with process.running("it"):
        print("to nobody", file=sys.stderr)
        print("to nobody")
    for stream in (sys.stdout, sys.stderr):
        assert stream.name == os.devnull
        stream.close()


def files(out: pathlib.Path) -> set[str]:
    """All but the arrays of checkpoints, whose files have the names of their content."""
    names = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    return {name for name in names if "/default/" not in name}


def test_training_from_python_leaves_the_folder_of_the_command(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, there = tmp_path / "python", tmp_path / "command"
    # The preset with one stage, on simpler potentials.
    words = ["distill", "informed-1", "--smoke", "--seed", "3", "--out", str(there)]
    words += ["--curriculum.lessons", "barrier"]
    main(words)
    told = capsys.readouterr().out
    assert "paper's full-gru" in told
    assert "Learned kinetic energy" in told
    config = dataclasses.replace(
        presets.smoke(presets.PRESETS["informed-1"][1]),
        seed=3,
        curriculum=CurriculumConfig(("barrier",)),
    )
    drawn = []
    monkeypatch.setattr(report, "draw", lambda out, *of: drawn.append(out))
    emulator = qd.distill(config, here)
    assert drawn == [here]
    figures = {path.name for path in there.glob("*.png")}
    assert files(here) == files(there) - figures
    assert {name.removesuffix(".png") for name in figures} == {
        "correlations", "potentials", "training", "dispersion", "spacetime-steps",
        "spacetime-half-circle", "snapshots-steps", "snapshots-half-circle",
    }  # fmt: skip
    assert (here / "config.json").read_text() == (there / "config.json").read_text()
    assert json.loads((there / "config.json").read_text())["seed"] == 3
    metrics, mine = (distillation.read_metrics(out) for out in (there, here))
    assert metrics["preset"] == "informed-1"
    assert metrics["benchmark"]["n_frames"] == 12
    assert metrics["benchmark"] == mine["benchmark"]
    assert emulator.score is not None
    assert emulator.score["mean_infidelity"] == metrics["benchmark"]["mean_infidelity"]
    again = pretrained.from_run(there)
    assert again.score is not None
    assert again.score == {**emulator.score, "training_seconds": metrics["training_seconds"]}
    with pytest.raises(SystemExit, match=r"is not an empty folder\. Choose another with --out"):
        main(words)
    # Nothing is left to train: scores and figures are made anew.
    main([*words, "--resume"])
    assert drawn == [here, there]
    assert distillation.read_metrics(there)["benchmark"] == metrics["benchmark"]


def test_scripts_of_the_first_edition_are_the_command(tmp_path: pathlib.Path) -> None:
    """`distill.py` and `distill.py --evaluate`, with the options in any order."""
    for name in ("story", "export", "forecast"):
        assert "qdistill" in scripts.run(name, "--help").stdout
    done = scripts.run("distill", "--seed", "1", "--evaluate", str(tmp_path / "nothing"))
    assert done.returncode == 1
    assert "There is no run in" in done.words
    done = scripts.run("distill", "oracle")
    assert done.returncode == 2
    assert "`preset` must be one of 'demo', " in done.words


MODULE = """
import runpy, sys
for words in (["--help"], ["nonsense"], ["story", "nowhere"]):
    sys.argv = ["qdistill", *words]
    try:
        runpy.run_module("qdistill", run_name="__main__")
        print("left with 0")
    except SystemExit as leaving:
        print("left with", leaving.code)
"""


def test_the_command_runs_as_a_module(tmp_path: pathlib.Path) -> None:
    """In a process of its own, in an empty folder."""
    words = [sys.executable, "-c", MODULE]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    statuses = [line for line in done.stdout.splitlines() if line.startswith("left with")]
    assert statuses[:2] == ["left with 0", "left with 2"]
    assert statuses[2].startswith("left with qdistill: There is no run in `nowhere`")
    assert "usage: qdistill" in done.stdout
    assert "usage: qdistill" in done.stderr


@pytest.mark.parametrize(
    ("error", "status"),
    [(signals.Stopped("Stopped by SIGTERM.", 15), 143), (KeyboardInterrupt(), 130)],
)
def test_a_stopped_command_leaves_with_the_status_of_its_signal(
    error: BaseException,
    status: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def stop(*args: Any) -> None:
        raise error

    monkeypatch.setattr(story, "tell_all", stop)
    assert run("story", "it") == status
    assert str(error) in capsys.readouterr().err


def test_a_packet_is_forecast_on_a_potential_of_ones_own(
    tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "flight"
    words = ["forecast", "demo", "--potential", "4*exp(-(x-50)**2/8)", "--frames", "3"]
    main([*words, "--out", str(out)])
    settings = json.loads((out / "config.json").read_text())
    assert settings["potential"] == "4*exp(-(x-50)**2/8)"
    assert settings["frames"] == 3
    metrics = json.loads((out / "metrics.json").read_text())
    assert abs(metrics["potential_hartree"]["highest"] - 4) < 1e-3
    assert (out / "spacetime.png").stat().st_size > 10_000
    assert capsys.readouterr().out.strip()
