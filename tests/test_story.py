"""The story of runs: what it says is what stands in their folders."""

import dataclasses
import json
import pathlib
import shlex
import struct
import sys
import time
from typing import Any

import numpy as np
import pytest
import scripts
import small
from figures import assert_apart, assert_labels, draw, xs, ys
from tensorboardX.proto.event_pb2 import Event

from qdistill import plots
from qdistill.__main__ import parse
from qdistill.runs import folder, presets, records, story
from qdistill.runs.config import Config
from qdistill.runs.extensions import Extension
from qdistill.runs.tensorboard import to_tensorboard
from qdistill.students import WindowedConfig

ROOT = pathlib.Path(__file__).parents[1]
N_STEPS = small.CONFIG.training.boundaries[-1]


def line(step: int, loss: float | None = 0.5) -> dict[str, Any]:
    """As a block of `small.CONFIG` writes it."""
    return {
        "step": step,
        "stage": int(step > 16),
        "difficulty": 1.0,
        "learning_rate": 1e-3,
        "lesson_losses": [0.1, 0.2],
        "lesson_weights": [0.4, 0.6],
        "loss": loss,
        "compile_seconds": 3.0,
        "teacher_seconds": 0.5,
        "student_seconds": 1.5,
    }


def begun(out: pathlib.Path, n_lines: int, settings: Config = small.CONFIG) -> pathlib.Path:
    """The folder of a run after some blocks, each of half the loss of the one before."""
    folder.open_folder(out, settings, resume=False)
    for i, step in enumerate(settings.training.block_ends[:n_lines]):
        records.append(out / "metrics.jsonl", line(step, 0.5**i))
    return out


def finish(out: pathlib.Path) -> pathlib.Path:
    """The same with a score, that of another run."""
    metrics = json.loads((ROOT / "results" / "gru" / "metrics.json").read_text())
    records.write_json(out / "metrics.json", metrics | {"training_steps": N_STEPS})
    return out


@pytest.fixture
def going(tmp_path: pathlib.Path) -> pathlib.Path:
    return begun(tmp_path / "going", 5)


@pytest.fixture
def finished(tmp_path: pathlib.Path) -> pathlib.Path:
    return finish(begun(tmp_path / "finished", 6))


def test_the_story_of_a_run_that_trains(going: pathlib.Path) -> None:
    told = story.tell(story.read(going))
    assert f"preset small, seed 0, at step 18 of {N_STEPS}" in told
    assert "gru, 1,390 parameters" in told
    assert "free, barrier, loss-driven" in told
    rows = [" ".join(row.split()) for row in told.splitlines()]
    assert "1 16 windows 8 1 adam 1e-03 1.0e+00 1.2e-01 8" in rows
    assert "2 4 frames 2 2 adam 1e-04 6.2e-02 6.2e-02 2" in rows
    assert "loss   █▇▅▃▁ (log scale)" in told
    assert "0.0 min are left" in told
    assert "qdistill distill ... --out" in told
    assert "--resume" in told
    assert "qdistill evaluate" not in told
    assert "paper's" not in told
    (note,) = story.read(going).provenance
    assert note["date"] in told


def test_the_story_of_a_finished_run(finished: pathlib.Path) -> None:
    told = story.tell(story.read(finished))
    assert "finished and scored" in told
    assert "paper's full-gru" in told
    assert "this run (gru)" in told
    assert f"qdistill evaluate {finished}" in told
    assert "--resume" not in told
    assert "min are left" not in told


def test_a_run_that_has_hardly_begun_has_a_story_too(tmp_path: pathlib.Path) -> None:
    told = story.tell(story.read(begun(tmp_path / "new", 0)))
    assert "at step 0 of" in told
    assert "loss   " not in told
    # Its first line is being written.
    (tmp_path / "new" / "metrics.jsonl").write_text('{"step": 4, "lo')
    assert story.tell(story.read(tmp_path / "new")) == told.replace(
        "config.json, provenance", "config.json, metrics.jsonl, provenance"
    )


def test_losses_that_are_not_finite_are_marked() -> None:
    assert story._bars([1.0, None, 1e-3, 0.0]) == "█!▁!"
    assert story._bars([None]) == "not finite"
    assert story._bars([2.0]) == "▁"
    assert len(story._bars([1.0] * 1000)) == 60


def test_what_is_damaged_is_named(finished: pathlib.Path) -> None:
    with pytest.raises(FileNotFoundError, match="There is no run in"):
        story.read(finished / "nothing")
    for name in ("metrics.json", "config.json"):
        (finished / name).write_text('{"preset": ')
        with pytest.raises(ValueError, match=rf"`.*{name}`: "):
            story.read(finished)


def read_back(command: str) -> Config:
    words = shlex.split(command)
    assert words[:2] == ["qdistill", "distill"]
    assert words[-2:] == ["--out", "runs/mine"]
    return parse("distill", words[2:]).__self__.config  # type: ignore[attr-defined]


def test_the_command_of_a_run_gives_its_settings() -> None:
    """As the command reads it."""
    out, replace = pathlib.Path("runs/mine"), dataclasses.replace
    preset = presets.PRESETS["informed-2"][1]
    stage = replace(preset.training.stages[0], n_steps=40, relative=False, peak_rate=1.5e-3)
    grid = replace(preset.system.grid, lengths=(80.0,), origin=(-40.0,))
    settings = replace(
        preset,
        seed=3,
        system=replace(preset.system, grid=grid, bounds=(-1.5, 16.0)),
        curriculum=replace(preset.curriculum, plan="ramped", difficulty=(0.5, 1.0)),
        student=replace(preset.student, smooth=True),
        training=replace(preset.training, stages=(stage,)),
    )
    assert read_back(story.begin(settings, out)) == settings
    free = replace(
        settings,
        system=replace(settings.system, bounds=None),
        teacher=replace(settings.teacher, solver="split_step"),
    )
    assert read_back(story.begin(free, out)) == free
    gru = presets.PRESETS["gru-demo"][1]
    assert isinstance(gru.student, WindowedConfig)
    windows = replace(gru.student.windows, gauge=False)
    other = replace(gru, student=replace(gru.student, name="lstm", windows=windows))
    assert read_back(story.begin(other, out)) == other
    smoke = story.begin(presets.smoke(preset), out)
    assert smoke == "qdistill distill informed-2 --smoke --out runs/mine"
    # Another number of stages is no option.
    longer = replace(settings, training=replace(preset.training, stages=(stage, stage)))
    assert story.begin(longer, out).endswith("informed-2 ... --out runs/mine")


def test_commands_are_quoted_as_a_shell_reads_them(tmp_path: pathlib.Path) -> None:
    run = finish(begun(tmp_path / "my runs" / "it's done", 6))
    told = story.tell(story.read(run))
    commands = [shlex.split(line) for line in told.splitlines() if line.startswith("  qdistill ")]
    assert [words[2] for words in commands] == [str(run)] * 3
    assert commands[1][3:] == ["--out", "it's done.nc"]
    settings = dataclasses.replace(
        presets.PRESETS["demo"][1], extensions=(Extension("my files/own.py", "0"),)
    )
    words = shlex.split(story.begin(settings, run))
    assert words[2:] == ["demo", "--load", "my files/own.py", "--out", str(run)]


@pytest.mark.parametrize(
    ("keep", "state"),
    [
        ([0, 1, 2, 3], "at step 16 of 20, but scored at step 20"),
        ([0, 2, 3, 4, 5], "at step 20 of 20, scored at step 20, but blocks are missing"),
        ([], "scored at step 20, without its log"),
    ],
)
def test_a_truncated_log_is_no_finished_run(
    keep: list[int], state: str, finished: pathlib.Path
) -> None:
    path = finished / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[i] for i in keep))
    told = story.tell(story.read(finished))
    assert state in told
    assert "finished and scored" not in told


@pytest.mark.parametrize("key", records.BLOCK)
def test_a_line_of_the_log_without_a_key_is_named(key: str, finished: pathlib.Path) -> None:
    path = finished / "metrics.jsonl"
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    for damage in ("missing", "wrong"):
        wrong = {name: value for name, value in lines[2].items() if name != key}
        wrong |= {key: "7"} if damage == "wrong" else {}
        damaged = [*lines[:2], wrong, *lines[3:]]
        path.write_text("".join(json.dumps(line) + "\n" for line in damaged))
        with pytest.raises(ValueError, match=rf"Line 3 of `.*metrics\.jsonl` is not .*`{key}`"):
            story.read(finished)


def test_steps_that_do_not_rise_are_named(finished: pathlib.Path) -> None:
    """As two processes left them that trained in one folder."""
    path = finished / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([*lines[:3], lines[2], *lines[3:]]))
    with pytest.raises(ValueError, match=r"Line 4 of .* is of step 12, after one of step 12"):
        story.read(finished)


def test_runs_are_told_apart_by_their_folders() -> None:
    a, b, c = (pathlib.Path(path) for path in ("x/1/demo", "x/2/demo", "x/2/gru"))
    assert list(story.labels([a, c])) == ["demo", "gru"]
    assert list(story.labels([a, b, c])) == ["1/demo", "2/demo", "2/gru"]
    with pytest.raises(ValueError, match="`runs` must be different folders"):
        story.labels([a, a])


def test_the_current_folder_has_a_story(
    going: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
) -> None:
    monkeypatch.chdir(going)
    here, above = pathlib.Path("."), pathlib.Path("..")
    assert story.labels([here]) == {going.name: here}
    assert story.labels([above]) == {going.parent.name: above}
    story.tell_all([here])
    assert "at step 18" in capsys.readouterr().out


def test_several_runs_are_compared(
    going: pathlib.Path, finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    out = tmp_path / "out"
    done = scripts.run("story", str(going), str(finished), "--out", str(out))
    assert done.returncode == 0, done.stderr
    table = {words[0]: words[1:] for words in map(str.split, done.stdout.splitlines()) if words}
    assert table["going"] == ["gru", "18", "10", "6.2e-02"]
    assert table["finished"][:5] == ["gru", "20", "12", "3.1e-02", "5.5e-03"]
    assert "paper full-gru" in done.stdout
    rows = json.loads((out / "metrics.json").read_text(), parse_constant=pytest.fail)["runs"]
    settings = json.loads((out / "config.json").read_text())
    assert settings["runs"] == [str(going), str(finished)]
    assert "commit" in settings["provenance"]
    assert [row["mean_infidelity"] for row in rows] == [None, 0.005493501657247543]
    assert (out / "comparison.png").stat().st_size > 10_000
    again = scripts.run("story", str(going), str(finished), "--out", str(out))
    assert "is not an empty folder" in again.words


def test_the_script_tells_one_run_and_refuses_none(going: pathlib.Path) -> None:
    assert "at step 18" in scripts.run("story", str(going)).stdout
    assert "There is no run in" in scripts.run("story", str(going / "nothing")).words
    assert "Name the folder of a run" in scripts.run("story").words


def test_the_figure_draws_losses_by_step_and_time_and_scores() -> None:
    step, seconds = np.array([10, 20, 30]), np.array([1.0, 2.0, 4.0])
    logs = {
        "one": (step, seconds, np.array([1.0, np.nan, 0.1])),
        "none yet": (step[:0], seconds[:0], seconds[:0]),
        "short": (step[:1], seconds[:1], seconds[:1]),
    }
    scores = {"one": 1e-3, "none yet": None, "short": 2e-9}
    figure = draw(plots.plot_runs(logs, scores, {"paper's": 4e-3, "paper's other": 7e-2}))
    left, right, below = figure.axes
    np.testing.assert_array_equal(xs(left.lines[0]), step)
    np.testing.assert_array_equal(xs(right.lines[0]), seconds)
    assert list(np.ma.getmaskarray(ys(left.lines[0]))) == [False, True, False]
    dots = [line for line in below.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([xs(dot)[0] for dot in dots], [1e-3, 1e-7])
    assert_labels(figure, "training step", "training time (s)", "no score", "none yet", "short")
    assert_apart(figure, "paper's 0.004", "paper's other 0.07")
    for bad in ({}, {str(i): logs["one"] for i in range(13)}):
        with pytest.raises(ValueError, match="`logs` must be of 1 to 12 runs"):
            plots.plot_runs(bad, {}, {})
    with pytest.raises(ValueError, match="`scores` must be of the names"):
        plots.plot_runs(logs, {"one": 1.0}, {})
    with pytest.raises(ValueError, match=r"`logs\['one'\]` must be of shape"):
        plots.plot_runs({"one": (step, seconds[:2], seconds)}, {"one": 1.0}, {})


def events(folder: pathlib.Path) -> dict[str, list[tuple[int, float, float]]]:
    """Step, value and time of every scalar, as the files of TensorBoard hold them."""
    found: dict[str, list[tuple[int, float, float]]] = {}
    (path,) = folder.iterdir()
    data = path.read_bytes()
    while data:
        (n,) = struct.unpack("<Q", data[:8])
        event = Event.FromString(data[12 : 12 + n])
        for value in event.summary.value:
            place = found.setdefault(value.tag, [])
            place.append((event.step, value.simple_value, event.wall_time))
        data = data[12 + n + 4 :]
    return found


def test_tensorboard_holds_the_log_and_the_score(
    finished: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    board = tmp_path / "board"
    done = scripts.run("story", str(finished), "--tensorboard", str(board))
    assert done.returncode == 0, done.stderr
    found = events(board / "finished")
    log = records.read(finished / "metrics.jsonl")
    assert [entry[:2] for entry in found["loss"]] == [(row["step"], row["loss"]) for row in log]
    np.testing.assert_allclose([entry[1] for entry in found["lesson_weights/barrier"]], 0.6)
    times = np.array([entry[2] for entry in found["loss"]])
    np.testing.assert_allclose(np.diff(times), 2.0, atol=1e-3)
    assert abs(times[0] - time.time()) < 600
    ((step, error, _),) = found["score/mean_infidelity"]
    assert step == N_STEPS
    np.testing.assert_allclose(error, 0.0054935, rtol=1e-5)
    again = scripts.run("story", str(finished), "--tensorboard", str(board))
    assert "is not empty. Choose another folder" in again.words


def test_tensorboard_follows_a_run_until_it_is_scored(
    going: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def go_on(seconds: float) -> None:
        assert seconds == 5.0
        records.append(going / "metrics.jsonl", line(20, None))
        finish(going)

    monkeypatch.setattr(time, "sleep", go_on)
    to_tensorboard({"it": going}, tmp_path / "board", follow=True)
    found = events(tmp_path / "board" / "it")
    assert [step for step, *_ in found["learning_rate"]] == [4, 8, 12, 16, 18, 20]
    # What is not finite has no place there.
    assert [step for step, *_ in found["loss"]] == [4, 8, 12, 16, 18]
    assert len(found["score/mean_nrmse"]) == 1


def test_without_tensorboardx_the_command_that_installs_it_is_named(
    going: pathlib.Path, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    with pytest.raises(ImportError, match="pip install tensorboardX"):
        to_tensorboard({"it": going}, tmp_path)


def test_a_plane_is_offered_only_what_it_can(tmp_path: pathlib.Path) -> None:
    settings = presets.PRESETS["plane"][1]
    mine = dataclasses.replace(settings, extensions=(Extension("my file.py", "0"),))
    log = [{"step": settings.training.boundaries[-1]}]
    told = story._next(story.Story(tmp_path, mine, log, {"any": 1}, []))
    assert len(told) == 2
    assert "--load 'my file.py'" in told[1]
    assert told[1].endswith("--emulator-file")
