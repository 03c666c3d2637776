"""The folder of a run, with all that is needed to resume, score and use it later.

config.json           the resolved settings
provenance.json       the code and the machine that worked on it
.lock                 held by the process that trains
metrics.jsonl         a line for each block of training
rollbacks.jsonl       a line for each rollback, if the training diverged
checkpoints/          see `checkpoints`
damaged/              checkpoints that could not be read
metrics.json          the scores
evaluation-SEED.json  the scores of `qdistill evaluate`
*.png                 the figures
"""

import dataclasses
import functools
import itertools
import logging
import os
import pathlib
import signal
import sys
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from tqdm import tqdm

from qdistill import _distribute as cluster
from qdistill import teacher
from qdistill._refusals import explained
from qdistill.runs import config, divergence, provenance, records, signals
from qdistill.runs.checkpoints import Checkpoints, find_newest, set_aside
from qdistill.runs.config import Config
from qdistill.runs.divergence import Diverged
from qdistill.runs.lock import LOCK, locked
from qdistill.runs.signals import Stopped
from qdistill.students import Emulator, Student
from qdistill.system import Propagator
from qdistill.training import loop
from qdistill.training.loop import Trainer, TrainState

log = logging.getLogger(__name__)


class Setup(NamedTuple):
    """The teacher, student and trainers of a config."""

    teacher: Propagator
    student: Student
    trainers: list[Trainer]


@explained
def set_up(settings: Config, mesh: Mesh | None = None) -> Setup:
    """Return the teacher, the student and the trainers of a config, for the devices of a mesh.

    Configs that differ only in name and seed share one setup and its compiled programs.

    >>> set_up(Config(seed=1)) is set_up(Config(seed=2))
    True
    """
    # Single and double precision are different programs.
    alike = dataclasses.replace(settings, preset="any", seed=0)
    return _set_up(alike, jnp.result_type(float), mesh)


@functools.lru_cache(maxsize=8)
def _set_up(settings: Config, _precision: np.dtype, mesh: Mesh | None) -> Setup:
    solver = teacher.make(settings.teacher, settings.system)
    student = settings.student.build(settings.system)
    trainers = loop.make_trainers(
        student, solver, settings.curriculum, settings.training, mesh=mesh
    )
    return Setup(solver, student, trainers)


@explained
def make_folder(out: pathlib.Path, cure: str = "Choose another with --out.") -> None:
    """Make a folder for new results.

    Raises:
      FileExistsError: If results would mix with existing files.
    """
    if out.exists() and (not out.is_dir() or not all(map(_is_remnant, out.iterdir()))):
        raise FileExistsError(f"`{out}` exists and is not an empty folder. {cure}")
    out.mkdir(parents=True, exist_ok=True)


def _is_remnant(path: pathlib.Path) -> bool:
    """Whether a file is a remnant of a process that was killed before it wrote its first file."""
    return path.name == LOCK or (path.name.startswith("config.json.") and path.suffix == ".new")


@explained
def open_folder(out: pathlib.Path, settings: Config, resume: bool) -> None:
    """Make the folder of a new run, or check that a folder can be resumed.

    Raises:
      FileExistsError: If a new run would mix with existing files.
      FileNotFoundError: If there is no run to resume.
      ValueError: If the run in the folder has other settings, with a list of them, or damaged
        files.
      OSError: If another process trains there.
    """
    path = out / "config.json"
    cure = "Choose another with --out, or continue that run with --resume."
    if not resume:
        make_folder(out, cure)
    elif not path.exists():
        raise FileNotFoundError(f"There is no run to resume in `{out}`: it has no config.json.")
    with locked(out):
        if not resume:
            # Another process may have started a run there meanwhile.
            make_folder(out, cure)
            records.write(path, config.to_json(settings))
        elif different := config.differences(read_config(path), settings):
            words = "; ".join(different)
            raise ValueError(f"The run in `{out}` has other settings: {words}.")
        provenance.record(out)


@explained
def train(settings: Config, out: pathlib.Path, mesh: Mesh | None = None) -> TrainState:
    """Train in a folder, from its newest sound checkpoint if there is one; return the final state.

    Newer checkpoints that are damaged are reported and moved to `damaged/`.

    Args:
      settings: Config of the run.
      out: Folder of the run, opened by `open_folder`.
      mesh: Devices that share the work.

    Raises:
      FloatingPointError: If the training diverges, or the teacher's frames are not finite. Nothing
        is saved after that. With ``on_divergence="rollback"`` the run is rolled back and continues.
      ValueError: If all checkpoints are damaged.
      OSError: If the folder cannot be written, or another process trains there. Its checkpoints
        are not changed.
      Stopped: After SIGTERM, SIGHUP or Ctrl-C, when all is saved.
    """
    with locked(out):
        return _train(settings, out, mesh)


def _train(settings: Config, out: pathlib.Path, mesh: Mesh | None) -> TrainState:
    plan = settings.training
    n_steps = plan.boundaries[-1]
    planned = set_up(settings, mesh).trainers
    state = _begin(settings, out, planned, mesh)
    # Progress bars in log files are updated less often.
    pause = 0.1 if sys.stderr.isatty() else 10.0
    is_quiet = not cluster.is_main() or "TQDM_DISABLE" in os.environ
    bar = tqdm(total=n_steps, unit="step", leave=False, mininterval=pause, disable=is_quiet)
    with bar, signals.caught() as stop:
        while int(state.step) < n_steps:
            changed, until = divergence.plan_from(plan, out, int(state.step))
            with Checkpoints(out / "checkpoints") as saved:
                try:
                    trainers = planned
                    if changed != plan:
                        now = dataclasses.replace(settings, training=changed)
                        trainers = set_up(now, mesh).trainers
                    for state in _advance(settings, out, trainers, state, saved, stop):  # noqa: B020
                        bar.update(int(state.step) - bar.n)
                        if int(state.step) == until:
                            break
                    continue
                except Diverged as error:
                    newest, diverged = saved.newest_step(), error
            if not divergence.may_roll_back(plan, out):
                kept = "no checkpoint" if newest is None else f"a checkpoint of step {newest}"
                raise FloatingPointError(
                    f"{diverged} There is {kept} in `{out}`; try a smaller `peak_rate`, or "
                    "`--training.on-divergence rollback`."
                ) from diverged
            divergence.record(out, plan, newest or 0, diverged.metrics)
            log.warning(
                "%s Rolled back to step %d; continuing with %g times the learning rate.",
                diverged, newest or 0, plan.rollback_rate,
            )  # fmt: skip
            state = _begin(settings, out, planned, mesh)
            bar.update(int(state.step) - bar.n)
    return state


def _begin(
    settings: Config, out: pathlib.Path, trainers: list[Trainer], mesh: Mesh | None
) -> TrainState:
    """The state from which a run continues; its folder is cleaned up to this step."""
    key = cluster.replicate(mesh, jax.random.key(settings.seed))
    folder = out / "checkpoints"
    state, damaged = find_newest(folder, lambda step: _state_at(trainers, settings, step))
    cluster.wait("checkpoints are read")
    _report(damaged, out, None if state is None else int(state.step))
    if cluster.is_main():
        for path in damaged:
            set_aside(path)
        _report_gap(out, 0 if state is None else int(state.step))
    cluster.wait("damaged checkpoints are set aside")
    state = trainers[0].init(key) if state is None else cluster.replicate(mesh, state)
    if cluster.is_main():
        records.keep_until(out / "metrics.jsonl", int(state.step))
        divergence.keep_until(out, settings.training.boundaries[-1])
    cluster.wait("the log is in order")
    return state


def _report(damaged: list[pathlib.Path], out: pathlib.Path, step: int | None) -> None:
    """Report the damaged checkpoints; raise an error if there is no sound one."""
    names = ", ".join(f"`{path}`" for path in damaged)
    if damaged and step is None:
        raise ValueError(
            f"No checkpoint in `{out}` can be read, all are damaged: {names}. Move them away to "
            "start again with --resume."
        )
    if damaged:
        log.warning("Damaged, and left out: %s. The run is at step %d.", names, step)


def _report_gap(out: pathlib.Path, step: int) -> None:
    """Report lines of the log that are missing: each is written before its checkpoint."""
    last = max((line["step"] for line in read_log(out)), default=0)
    if last < step:
        log.warning(
            "`%s` ends at step %d, before the checkpoint of step %d: the lines between "
            "are lost.", out / "metrics.jsonl", last, step,
        )  # fmt: skip


def _advance(
    settings: Config,
    out: pathlib.Path,
    trainers: list[Trainer],
    state: TrainState,
    saved: Checkpoints,
    stop: Callable[[], int],
) -> Iterator[TrainState]:
    """Train from a state with log and checkpoints, and yield the state after every block."""
    plan = settings.training
    first = {line["stage"]: line["loss"] for line in reversed(read_log(out))}
    for new, metrics in loop.fit(trainers, plan.boundaries, state):
        step, stage, loss = metrics["step"], metrics["stage"], metrics["loss"]
        _append_to_log(out, metrics)
        divergence.check(
            metrics, first.setdefault(stage, loss), plan.diverged, settings.curriculum.lessons
        )
        before, every = step - plan.stages[stage].batches.n_block, plan.checkpoint_every
        stopped = cluster.any_process(stop() != 0)
        if step // every > before // every or step == plan.boundaries[-1] or stopped:
            saved.save(new, loss)
        if stopped:
            number = stop() or signal.SIGTERM
            raise Stopped(
                f"Stopped by {signal.Signals(number).name}: a checkpoint of step {step} is saved "
                f"in `{out}`. The same command with --resume continues from there.",
                number,
            )
        yield new


@explained
def load(out: pathlib.Path) -> Emulator:
    """Return the emulator of a run with its newest parameters; the folder may be read-only.

    It has the run's config and provenance, but no score; see `pretrained.from_run`.

    Raises:
      FileNotFoundError: If there is no run, or no checkpoint.
      ValueError: If the config or all checkpoints are damaged, or of another run. If only newer
        checkpoints are damaged, a warning is logged.
    """
    return restore(out)[0]


@explained
def restore(out: pathlib.Path) -> tuple[Emulator, int]:
    """Return the emulator as by `load`, and the step of its parameters."""
    path = out / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"There is no run in `{out}`: it has no config.json.")
    settings = read_config(path)
    setup = set_up(settings)
    state, damaged = find_newest(
        out / "checkpoints", lambda step: _state_at(setup.trainers, settings, step)
    )
    _report(damaged, out, None if state is None else int(state.step))
    if state is None:
        raise FileNotFoundError(f"The run in `{out}` has no checkpoint.")
    notes = tuple(provenance.read(out))
    emulator = setup.student.bind(state.params, config=settings, provenance=notes)
    return emulator, int(state.step)


@explained
def read_log(out: pathlib.Path) -> list[dict[str, Any]]:
    """Return the lines of `metrics.jsonl`, oldest first; None replaces values that are not finite.

    Raises:
      ValueError: For a line that is not the metrics of a block, and for steps that are not
        ascending, with the number of the line.
    """
    path = out / "metrics.jsonl"
    lines = records.read(path)
    for i, (line, later) in enumerate(itertools.pairwise(lines), 2):
        if line["step"] >= later["step"]:
            raise ValueError(
                f"Line {i} of `{path}` is of step {later['step']}, after one of step "
                f"{line['step']}. Delete it to continue."
            )
    return lines


@explained
def read_config(path: pathlib.Path) -> Config:
    """Return the config in a file.

    Raises:
      ValueError: If the file is damaged, or was changed after it was written, with its path.
    """
    try:
        return config.from_json(path.read_text())
    except ValueError as error:
        raise ValueError(f"`{path}`: {error}") from error


def _state_at(trainers: list[Trainer], settings: Config, step: int) -> TrainState:
    """The structure of a checkpoint's state, with the optimiser of the stage of its step."""
    stage = next((i for i, end in enumerate(settings.training.boundaries) if step <= end), -1)
    return jax.eval_shape(trainers[stage].init, jax.random.key(settings.seed))


def _append_to_log(out: pathlib.Path, metrics: dict[str, Any]) -> None:
    records.append(out / "metrics.jsonl", metrics)
