"""Export of runs to TensorBoard from their folders, during the training or later."""

import contextlib
import datetime
import pathlib
import time
from collections.abc import Mapping
from typing import Any

from qdistill._refusals import explained
from qdistill.runs import config, story
from qdistill.runs.story import Story


@explained
def to_tensorboard(
    outs: Mapping[str, pathlib.Path],
    folder: pathlib.Path,
    follow: bool = False,
    pause: float = 5.0,
) -> None:
    """Write logs and scores of runs as TensorBoard events, each run into a folder of its name.

    Args:
      outs: Folders of the runs by name.
      folder: Folder of the events, for `tensorboard --logdir FOLDER`.
      follow: Whether to continue while runs train, until all are scored.
      pause: Seconds between two readings of the folders.

    Raises:
      FileExistsError: If there are events of a run already.
      FileNotFoundError: If there is no run in a folder.
      ImportError: Without tensorboardX, with the command that installs it.
    """
    writer_of = _writer()
    stories = {name: story.read(out) for name, out in outs.items()}
    for name in outs:
        if (folder / name).exists() and any((folder / name).iterdir()):
            raise FileExistsError(f"`{folder / name}` is not empty. Choose another folder.")
    with contextlib.ExitStack() as stack:
        writers = {
            name: stack.enter_context(writer_of(str(folder / name), write_to_disk=True))
            for name in outs
        }
        written = {name: _begin(writers[name], run) for name, run in stories.items()}
        while True:
            for name, run in stories.items():
                written[name] = _write(writers[name], run, written[name])
            going = [name for name, run in stories.items() if run.metrics is None]
            if not (follow and going):
                return
            time.sleep(pause)
            stories = {name: story.read(outs[name]) for name in going}


def _begin(writer: Any, run: Story) -> int:
    writer.add_text("config", f"```json\n{config.to_json(run.config)}```", 0, _start(run))
    return 0


def _write(writer: Any, run: Story, after: int) -> int:
    """Write the lines after a step, and the score if there is one; return the last step."""
    start, lessons = _start(run), run.config.curriculum.lessons
    for line, seconds in zip(run.log, run.seconds, strict=True):
        if line["step"] <= after:
            continue
        scalars = {key: value for key, value in line.items() if key not in ("step", "stage")}
        for key in ("lesson_losses", "lesson_weights"):
            values = scalars.pop(key)
            scalars |= {f"{key}/{name}": x for name, x in zip(lessons, values, strict=True)}
        _add(writer, scalars, line["step"], start + seconds)
    if run.metrics is not None:
        scores = run.metrics["benchmark"]
        means = {f"score/{key}": x for key, x in scores.items() if key not in ("cases", "n_frames")}
        _add(writer, means, run.step, start + (run.seconds[-1] if run.log else 0.0))
    writer.flush()
    return run.step


def _add(writer: Any, scalars: Mapping[str, float | None], step: int, when: float) -> None:
    for name, value in scalars.items():
        if value is not None:
            writer.add_scalar(name, value, step, when)


def _start(run: Story) -> float:
    """The start of the run in s since 1970, from its provenance or the date of its config."""
    date = run.provenance[0]["date"] if run.provenance else None
    if date is None:
        return (run.out / "config.json").stat().st_mtime
    return datetime.datetime.fromisoformat(date).timestamp()


def _writer() -> Any:
    try:
        import tensorboardX
    except ImportError as error:
        raise ImportError(
            "TensorBoard's files need tensorboardX, the extra `tensorboard`: "
            "pip install tensorboardX tensorboard"
        ) from error
    return tensorboardX.SummaryWriter
