"""Checkpoints of a training state. All use of orbax stands here."""

import logging
import pathlib
from types import TracebackType

import jax
import jax.numpy as jnp
import orbax.checkpoint as ocp
from jaxtyping import PyTree
from orbax.checkpoint.checkpoint_managers import preservation_policy

from qdistill.training import TrainState

# Orbax reports every save at this level.
logging.getLogger("absl").setLevel(logging.ERROR)


class Checkpoints:
    """The checkpoints of one training, by step: the newest two and the one of least loss are kept.

    Used as a context, so that no save is left half done. Saves are atomic: a training that is
    killed in the middle of one finds the one before.

    Args:
      directory: Folder of the checkpoints; it is made if need be.
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
        """Save a state under its step, unless that is saved already."""
        step = int(state.step)
        if step not in self._manager.all_steps():
            self._manager.save(
                step, args=ocp.args.StandardSave(state._asdict()), metrics={"loss": loss}
            )

    def newest_step(self) -> int | None:
        """The step of the newest checkpoint, or None if there is none."""
        return self._manager.latest_step()

    def restore(self, like: TrainState) -> TrainState:
        """The newest checkpoint, bit for bit.

        Args:
          like: A state of the same structure, of arrays or of `jax.eval_shape`.

        Raises:
          FileNotFoundError: If there is none.
          ValueError: If it is damaged, or of another precision.
        """
        step = self.newest_step()
        if step is None:
            raise FileNotFoundError(f"There is no checkpoint in {self._manager.directory}.")
        target = jax.tree.map(ocp.utils.to_shape_dtype_struct, like._asdict())
        folder = pathlib.Path(self._manager.directory) / str(step)
        try:
            with ocp.StandardCheckpointer() as reader:
                saved = reader.metadata(folder / "default").item_metadata.tree
            restored = self._manager.restore(step, args=ocp.args.StandardRestore(target))
        except Exception as error:  # Orbax and its stores have many.
            raise ValueError(
                f"The checkpoint in `{folder}` cannot be read: it is damaged, or of another "
                "student. Delete this folder to go on from an older one."
            ) from error
        _require_same_precision(saved["params"], like.params)
        return TrainState(**restored)


def _require_same_precision(saved: PyTree, params: PyTree) -> None:
    """Refuse to turn single precision into double, or back, in silence."""
    theirs, ours = (
        ", ".join(sorted({jnp.dtype(leaf.dtype).name for leaf in jax.tree.leaves(tree)}))
        for tree in (saved, params)
    )
    if theirs != ours:
        raise ValueError(
            f"The checkpoint holds {theirs} parameters, but this process makes {ours}: "
            "set JAX_ENABLE_X64 as it was when the run began."
        )
