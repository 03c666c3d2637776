"""Detection of diverging trainings, and rollbacks to a smaller learning rate."""

import dataclasses
import math
import pathlib
from typing import Any

from qdistill._checks import require_record
from qdistill._refusals import explained
from qdistill.runs import records
from qdistill.training.stages import TrainingConfig

FILE = "rollbacks.jsonl"
KEYS: records.Keys = {"step": int, "stage": int, "rate_factor": int | float}


class Diverged(FloatingPointError):
    """The error for a block whose loss or parameters are not finite, or whose loss is too large.

    Attributes:
      metrics: Metrics of the block.
    """

    def __init__(self, message: str, metrics: dict[str, Any]) -> None:  # noqa: D107
        super().__init__(message)
        self.metrics = metrics


@explained
def check(
    metrics: dict[str, Any], first_loss: float, limit: float, lessons: tuple[str, ...]
) -> None:
    """Raise `Diverged` for a block that has diverged.

    Args:
      metrics: Metrics of the block, from `training.loop.fit`.
      first_loss: Loss of the first block of its stage.
      limit: Largest allowed ratio of the loss to `first_loss`.
      lessons: Names of the lessons.

    Raises:
      Diverged: With the worst step of the block and its worst lesson.

    >>> block = {"loss": float("nan"), "worst_step": 7, "worst_lesson": 0, "is_finite": False}
    >>> check(block | {"learning_rate": 0.1}, 1.0, 1000.0, ("free",))
    Traceback (most recent call last):
    qdistill.runs.divergence.Diverged: The loss is nan at step 7, in lesson `free`, ... rate 0.1.
    """
    numbers = {"loss": float, "learning_rate": float, "worst_step": int, "worst_lesson": int}
    require_record(numbers | {"is_finite": bool}, metrics=metrics)
    loss = metrics["loss"]
    if not math.isfinite(loss):
        what = f"The loss is {loss}"
    elif not metrics["is_finite"]:
        what = f"The loss is {loss:.2g}, but the parameters are not finite,"
    elif loss > limit * first_loss > 0:
        what = f"The loss is {loss:.2g}, more than {limit:g} times that of its stage's first block,"
    else:
        return
    raise Diverged(
        f"{what} at step {metrics['worst_step']}, in lesson `{lessons[metrics['worst_lesson']]}`, "
        f"with learning rate {metrics['learning_rate']:.2g}.",
        metrics,
    )


@explained
def record(out: pathlib.Path, plan: TrainingConfig, to_step: int, metrics: dict[str, Any]) -> None:
    """Record in the run's folder a rollback to a step with a smaller learning rate."""
    form = dict.fromkeys(("stage", "worst_step", "worst_lesson"), int) | {"loss": float}
    require_record(form, metrics=metrics)
    line = {name: metrics[name] for name in form}
    records.append(out / FILE, {"step": to_step, "rate_factor": plan.rollback_rate} | line)


@explained
def read(out: pathlib.Path) -> list[dict[str, Any]]:
    """Return the rollbacks of a run, oldest first.

    Raises:
      ValueError: For a line that is none, with its number.
    """
    return records.read(out / FILE, KEYS)


@explained
def keep_until(out: pathlib.Path, step: int) -> None:
    """Drop the rollbacks to later steps than this one, and a line cut short."""
    records.keep_until(out / FILE, step, KEYS)


@explained
def plan_from(plan: TrainingConfig, out: pathlib.Path, step: int) -> tuple[TrainingConfig, int]:
    """Return the training plan from a step on, with the rollbacks recorded in the run's folder.

    Each rollback lowers the learning rates of its stage, from the step of the checkpoint on.

    Returns:
      The plan, and the step up to which it is valid.
    """
    rollbacks = read(out)
    stages = list(plan.stages)
    for line in rollbacks:
        if line["step"] <= step:
            stage, factor = stages[line["stage"]], line["rate_factor"]
            stages[line["stage"]] = dataclasses.replace(
                stage, peak_rate=factor * stage.peak_rate, final_rate=factor * stage.final_rate
            )
    later = [line["step"] for line in rollbacks if line["step"] > step]
    until = min([*later, plan.boundaries[-1]])
    return dataclasses.replace(plan, stages=tuple(stages)), until


@explained
def may_roll_back(plan: TrainingConfig, out: pathlib.Path) -> bool:
    """Return whether the plan allows one more rollback."""
    return plan.on_divergence == "rollback" and len(read(out)) < plan.max_rollbacks
