"""Checkpoints of a training state. This is the only module that uses Orbax."""

import contextlib
import functools
import hashlib
import json
import logging
import os
import pathlib
import sys
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jaxtyping import PyTree
from orbax.checkpoint.checkpoint_managers import preservation_policy

from qdistill import _distribute as cluster
from qdistill._refusals import explained
from qdistill.runs import config, records
from qdistill.training.loop import TrainState

# Files in the folder of a checkpoint: loss and identity, and the checksums of all other files.
METRICS, SUMS = (pathlib.Path("metrics") / name for name in ("metrics", "files.json"))


@explained
class Checkpoints:
    """The checkpoints of one training: the newest two are kept.

    Use it as a context manager, so that all saves are completed. Saves are atomic: after a kill
    during a save the previous checkpoint is complete.

    Args:
      directory: Folder of the checkpoints, in the folder of their run; it is made if missing.

    Raises:
      OSError: If the folder cannot be made.
    """

    def __init__(self, directory: pathlib.Path) -> None:  # noqa: D107
        options = ocp.CheckpointManagerOptions(
            preservation_policy=preservation_policy.LatestN(2),
            # Without such a function Orbax writes no metrics.
            best_fn=lambda metrics: metrics["loss"],
            enable_async_checkpointing=False,
        )
        self._run = _run_of(directory)
        with _quiet():
            self._manager = ocp.CheckpointManager(directory.resolve(), options=options)

    def __enter__(self) -> "Checkpoints":  # noqa: D105
        return self

    def __exit__(  # noqa: D105
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with _quiet():
            self._manager.close()

    def save(self, state: TrainState, loss: float) -> None:
        """Save a state under its step, unless this step is saved already.

        Raises:
          OSError: If it cannot be written; the message names the newest checkpoint.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        sha256 = fingerprint(state, loss)
        metrics = {"loss": loss, "step": step, "run": self._run, "sha256": sha256}
        show = sys.unraisablehook
        sys.unraisablehook = functools.partial(_show_others, show)
        try:
            with _quiet():
                args = ocp.args.StandardSave(state._asdict())
                self._manager.save(step, args=args, metrics=metrics)
            folder = pathlib.Path(self._manager.directory) / str(step)
            if cluster.is_main():
                records.write(folder / SUMS, json.dumps(sums(folder)))
        except Exception as error:  # Orbax and its storage layers raise many types of errors.
            left = steps_in(pathlib.Path(self._manager.directory))
            newest = f"the newest there is that of step {left[-1]}" if left else "there is none yet"
            raise OSError(
                f"The checkpoint of step {step} cannot be written to "
                f"`{self._manager.directory}`; {newest}. {_first_line(error)}"
            ) from error
        # After an error this is left, for writes that fail later.
        sys.unraisablehook = show

    def newest_step(self) -> int | None:
        """Return the step of the newest checkpoint, or None if there is none."""
        return self._manager.latest_step()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what Orbax reports of every save; `find_newest` reports unreadable checkpoints."""
    absl = logging.getLogger("absl")
    level = absl.level
    absl.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        absl.setLevel(level)


def _show_others(
    show: Callable[["sys.UnraisableHookArgs"], Any], event: "sys.UnraisableHookArgs"
) -> None:
    """Do not report writes that fail after their save has failed.

    On a full disk several writes fail at once. Each is reported to the event loop of the save,
    which the first failure has closed; `Checkpoints.save` has raised the error already.
    """
    is_late = isinstance(event.exc_value, RuntimeError) and event.object is None
    if not (is_late and str(event.exc_value) == "Event loop is closed"):
        show(event)


class Found(NamedTuple):
    """The result of a search for the newest sound checkpoint.

    Attributes:
      state: State of the newest sound checkpoint, bit for bit; None if there is none.
      damaged: Folders of newer checkpoints that are damaged.
    """

    state: TrainState | None
    damaged: list[pathlib.Path]


@explained
def find_newest(directory: pathlib.Path, like: Callable[[int], TrainState]) -> Found:
    """Return the newest sound checkpoint, and the damaged ones. Nothing is written.

    A checkpoint is sound if it can be read, and if the SHA-256 of its leaves and its loss equals
    the saved one: otherwise a flipped bit could be restored unnoticed. It belongs to this run if it
    has the checksum of the `config.json` next to the folder, and its own step.

    Args:
      directory: Folder of the checkpoints, in the folder of their run. It need not exist.
      like: Function from a step to the structure of a state, of arrays or of `jax.eval_shape`.

    Raises:
      ValueError: If a checkpoint belongs to another run or step, or has another precision.
      OSError: If there is no permission to read one.
    """
    damaged, state = [], None
    run = _run_of(directory)
    for step in reversed(steps_in(directory)):
        folder = directory.resolve() / str(step)
        try:
            metrics = _read_metrics(folder)
            is_sound = bool(metrics) and (state is not None or _has_right_files(folder))
        except OSError as error:
            raise OSError(
                f"The checkpoint in `{folder}` cannot be read: {error.strerror or error}. It may "
                "be sound, and is left where it is."
            ) from error
        if is_sound:
            _require_own(folder, metrics, run)
            if state is None:
                state = _read(folder, metrics, like(step))
                is_sound = state is not None
        if not is_sound:
            damaged.append(folder)
    return Found(state, damaged)


@explained
def set_aside(folder: pathlib.Path) -> pathlib.Path:
    """Move a damaged checkpoint to `damaged/`, and return its new path."""
    aside = folder.parent.parent / "damaged" / folder.name
    while aside.exists():
        aside = aside.with_name(aside.name + "-again")
    aside.parent.mkdir(exist_ok=True)
    return folder.rename(aside)


@explained
def steps_in(directory: pathlib.Path) -> list[int]:
    """Return the steps of the complete checkpoints in a folder, ascending."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())


@explained
def fingerprint(state: TrainState, loss: float) -> str:
    """Return the SHA-256 of all leaves of a state, of their types and shapes, and of a loss."""
    return records.fingerprint(state, repr(loss))


def _run_of(directory: pathlib.Path) -> str:
    """The checksum in the config of the run to which checkpoints belong; empty if there is none."""
    with contextlib.suppress(FileNotFoundError, NotADirectoryError, ValueError):
        tree = json.loads((directory.parent / "config.json").read_text())
        return str(tree.get("sha256", "")) if isinstance(tree, dict) else ""
    return ""


def _require_own(folder: pathlib.Path, metrics: dict[str, Any], run: str) -> None:
    """Refuse a checkpoint of another run, and one whose folder was renamed."""
    if "run" not in metrics:
        raise ValueError(
            f"The checkpoint in `{folder}` does not say of which run it is. {config.CURE}"
        )
    if metrics["run"] != run:
        raise ValueError(
            f"The checkpoint in `{folder}` is of a run with other settings. Move it away."
        )
    if metrics.get("step") != int(folder.name):
        raise ValueError(
            f"The checkpoint in `{folder}` is that of step {metrics.get('step')}: its folder was "
            "renamed or copied. Move it away."
        )


def _read(folder: pathlib.Path, metrics: dict[str, Any], like: TrainState) -> TrainState | None:
    """The state of a checkpoint, or None if it is damaged.

    Raises:
      ValueError: If it has another precision, or if it cannot be restored although its files have
        the saved checksums.
    """
    try:
        with _quiet(), ocp.StandardCheckpointer() as reader:
            saved = reader.metadata(folder / "default").item_metadata.tree
            theirs, ours = _precision(saved["params"]), _precision(like.params)
            if theirs == ours:
                target = jax.tree.map(_here, like._asdict())
                state = TrainState(**reader.restore(folder / "default", target))
    except Exception as error:  # Orbax and its storage layers raise many types of errors.
        if not (folder / SUMS).exists():
            return None
        raise ValueError(
            f"The checkpoint in `{folder}` is not damaged, but this code cannot restore it: the "
            "student or the optimiser has other parameters now, or memory is short."
        ) from error
    if theirs != ours:
        raise ValueError(
            f"The checkpoint in `{folder}` holds {theirs} parameters, but this process makes "
            f"{ours}: set JAX_ENABLE_X64 as it was when the run began."
        )
    # Older checkpoints have no fingerprint.
    is_sound = metrics.get("sha256", fp := fingerprint(state, metrics["loss"])) == fp
    return state if is_sound and int(state.step) == metrics["step"] else None


def _here(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """The structure of a leaf on one local device, wherever it was saved."""
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here)


@explained
def sums(folder: pathlib.Path) -> dict[str, str]:
    """Return the SHA-256 of a checkpoint's metrics and of every file of its arrays.

    Raises:
      OSError: If there is no permission to read one.
    """

    def stop(error: OSError) -> None:
        raise error

    walk = os.walk(folder / "default", onerror=stop)
    files = [pathlib.Path(place, name) for place, _, names in walk for name in names]
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted([folder / METRICS, *files])
    }


# Errors that damage causes. Other errors of the file system are not evidence of damage.
_DAMAGE = (
    *(FileNotFoundError, NotADirectoryError, IsADirectoryError),
    *(ValueError, TypeError, KeyError, RecursionError),
)


def _has_right_files(folder: pathlib.Path) -> bool:
    """Whether the files have the saved checksums.

    A process that was killed right after a save may have left no list of checksums. Then only the
    fingerprint of the leaves is checked.
    """
    try:
        found = sums(folder)
        if not (folder / SUMS).exists():
            return True
        noted = json.loads((folder / SUMS).read_text())
        # The list of an older run lacks the metrics.
        return {str(METRICS): found[str(METRICS)]} | noted == found
    except _DAMAGE:
        return False


def _read_metrics(folder: pathlib.Path) -> dict[str, Any]:
    """The loss, fingerprint and identity of a checkpoint; empty if they are damaged."""
    try:
        metrics = json.loads((folder / METRICS).read_text())
        return metrics if isinstance(metrics["loss"], float) else {}
    except _DAMAGE:
        return {}


def _precision(params: PyTree) -> str:
    return ", ".join(sorted({jnp.dtype(leaf.dtype).name for leaf in jax.tree.leaves(params)}))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
