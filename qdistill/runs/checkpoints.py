"""Checkpoints of a training state. Only this module uses Orbax."""

import hashlib
import json
import logging
import pathlib
from collections.abc import Callable
from types import TracebackType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import orbax.checkpoint as ocp
from jaxtyping import PyTree
from orbax.checkpoint.checkpoint_managers import preservation_policy

from qdistill import _refusals
from qdistill.runs import records
from qdistill.training.loop import TrainState

# Orbax reports every save at this level, and what cannot be read is reported by `find_newest`.
logging.getLogger("absl").setLevel(logging.CRITICAL)


# In the folder of a checkpoint.
SUMS = pathlib.Path("metrics") / "files.json"


class Checkpoints:
    """The checkpoints of one training, by step: the newest two and the one of least loss are kept.

    Used as a context, so that no save is left incomplete. Saves are atomic: a training that is
    killed in the middle of one finds the one before.

    Args:
      directory: Folder of the checkpoints; it is made if need be.

    Raises:
      OSError: If it cannot be made.
    """

    def __init__(self, directory: pathlib.Path) -> None:  # noqa: D107
        keep = preservation_policy.AnyPreservationPolicy(
            [
                preservation_policy.LatestN(2),
                preservation_policy.BestN(
                    get_metric_fn=lambda metrics: metrics["loss"], n=1, reverse=True
                ),
            ]
        )
        options = ocp.CheckpointManagerOptions(
            preservation_policy=keep,
            best_fn=lambda metrics: metrics["loss"],
            best_mode="min",
            enable_async_checkpointing=False,
        )
        self._manager = ocp.CheckpointManager(directory.resolve(), options=options)

    def __enter__(self) -> "Checkpoints":  # noqa: D105
        return self

    def __exit__(  # noqa: D105
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._manager.close()

    def save(self, state: TrainState, loss: float) -> None:
        """Save a state under its step, unless that is saved already.

        Raises:
          OSError: If it cannot be written, with what is left.
        """
        step = int(state.step)
        if step in self._manager.all_steps():
            return
        metrics = {"loss": loss, "sha256": fingerprint(state, loss)}
        try:
            self._manager.save(step, args=ocp.args.StandardSave(state._asdict()), metrics=metrics)
            folder = pathlib.Path(self._manager.directory) / str(step)
            records.write(folder / SUMS, json.dumps(_sums(folder)))
        except Exception as error:  # Orbax and its stores have many.
            left = steps_in(pathlib.Path(self._manager.directory))
            newest = f"the newest there is that of step {left[-1]}" if left else "there is none yet"
            raise OSError(
                f"The checkpoint of step {step} cannot be written to "
                f"`{self._manager.directory}`; {newest}. {_first_line(error)}"
            ) from error

    def newest_step(self) -> int | None:
        """The step of the newest checkpoint, or None if there is none."""
        return self._manager.latest_step()


class Found(NamedTuple):
    """The checkpoints in a folder.

    Attributes:
      state: Of the newest checkpoint that is sound, bit for bit; None if there is none.
      damaged: The folders of those that are not and stand in its way.
    """

    state: TrainState | None
    damaged: list[pathlib.Path]


def find_newest(directory: pathlib.Path, like: Callable[[int], TrainState]) -> Found:
    """Return the newest sound checkpoint, and the damaged ones. Nothing is written.

    A checkpoint is sound if all of it can be read, and if the SHA-256 of its leaves and its loss is
    the one that was saved with it: a flipped bit may otherwise be restored in silence.

    Args:
      directory: Folder of the checkpoints, which need not exist.
      like: The structure of a state at a step, of arrays or of `jax.eval_shape`.

    Raises:
      ValueError: If a checkpoint is of another precision.
    """
    damaged, state = [], None
    for step in reversed(steps_in(directory)):
        folder = directory.resolve() / str(step)
        if state is None:
            state = _read(folder, like(step))
            is_sound = state is not None
        else:
            is_sound = bool(_read_metrics(folder))
        if not is_sound:
            damaged.append(folder)
    return Found(state, damaged)


def set_aside(folder: pathlib.Path) -> pathlib.Path:
    """Move a damaged checkpoint out of the way, and return where it is now."""
    aside = folder.parent.parent / "damaged" / folder.name
    while aside.exists():
        aside = aside.with_name(aside.name + "-again")
    aside.parent.mkdir(exist_ok=True)
    return folder.rename(aside)


def steps_in(directory: pathlib.Path) -> list[int]:
    """Return the steps of the checkpoints in a folder, rising, without half-written ones."""
    if not directory.is_dir():
        return []
    return sorted(int(path.name) for path in directory.iterdir() if path.name.isdecimal())


def fingerprint(state: TrainState, loss: float) -> str:
    """Return the SHA-256 of all leaves of a state, of their types and shapes, and of a loss."""
    digest = hashlib.sha256(repr(loss).encode())
    for path, leaf in jax.tree.leaves_with_path(state):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def _read(folder: pathlib.Path, like: TrainState) -> TrainState | None:
    """The state of a checkpoint, or None if that is damaged."""
    metrics = _read_metrics(folder)
    if not metrics or not _has_right_files(folder):
        return None
    try:
        with ocp.StandardCheckpointer() as reader:
            saved = reader.metadata(folder / "default").item_metadata.tree
            theirs, ours = _precision(saved["params"]), _precision(like.params)
            if theirs == ours:
                target = jax.tree.map(_here, like._asdict())
                state = TrainState(**reader.restore(folder / "default", target))
    except Exception:  # Orbax and its stores have many.
        return None
    if theirs != ours:
        raise ValueError(
            f"The checkpoint in `{folder}` holds {theirs} parameters, but this process makes "
            f"{ours}: set JAX_ENABLE_X64 as it was when the run began."
        )
    # Older ones have no fingerprint.
    is_sound = metrics.get("sha256", fp := fingerprint(state, metrics["loss"])) == fp
    return state if is_sound else None


def _here(leaf: jax.Array | jax.ShapeDtypeStruct) -> jax.ShapeDtypeStruct:
    """The form of a leaf, on one device here, wherever it was when it was saved."""
    here = jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    return jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=here)


def _sums(folder: pathlib.Path) -> dict[str, str]:
    """The SHA-256 of every file of a checkpoint's arrays."""
    files = sorted(path for path in (folder / "default").rglob("*") if path.is_file())
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
    }


def _has_right_files(folder: pathlib.Path) -> bool:
    """Whether the files are those that were saved, so that Orbax seldom meets a damaged one.

    A process that was killed right after a save may have left no list of them. Then the fingerprint
    of the leaves alone decides.
    """
    try:
        return json.loads((folder / SUMS).read_text()) == _sums(folder)
    except FileNotFoundError:
        return (folder / "default").is_dir()
    except (OSError, ValueError):
        return False


def _read_metrics(folder: pathlib.Path) -> dict:
    """The loss and the fingerprint of a checkpoint; empty if they cannot be read."""
    try:
        metrics = json.loads((folder / "metrics" / "metrics").read_text())
        return metrics if isinstance(metrics["loss"], float) else {}
    except (OSError, ValueError, TypeError, KeyError):
        return {}


def _precision(params: PyTree) -> str:
    return ", ".join(sorted({jnp.dtype(leaf.dtype).name for leaf in jax.tree.leaves(params)}))


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


_refusals.tell(__name__)
