"""The speed of a training, and the teacher's share of it."""

import functools
from collections.abc import Callable
from typing import Any

import jax

from experiments.timing import interleave
from qdistill.runs import folder
from qdistill.runs.config import Config


def measure_training(settings: Config, n_repeats: int) -> dict[str, Any]:
    """Return the seconds of teacher and student per training step, by stage and in total.

    Args:
      settings: Config of the run; nothing is written.
      n_repeats: Number of timed blocks of every stage, after a first one that is not timed.
    """
    setup = folder.set_up(settings)
    stages, taught, learned = [], 0.0, 0.0
    state = jax.jit(setup.trainers[0].init)(jax.random.key(settings.seed))
    for stage, trainer in zip(settings.training.stages, setup.trainers, strict=True):
        state = trainer.init(jax.random.key(settings.seed))._replace(params=state.params)
        block = trainer.make_block(state)
        _finish(trainer.train_block, state, block)
        halves = {
            "teacher": functools.partial(_finish, trainer.make_block, state),
            "student": functools.partial(_finish, trainer.train_block, state, block),
        }
        seconds = interleave(halves, n_repeats)
        n_block = stage.batches.n_block
        teacher, student = (seconds[who] / n_block for who in ("teacher", "student"))
        stages.append(
            {
                "n_steps": stage.n_steps,
                "examples": stage.batches.examples,
                "teacher_seconds_per_step": teacher,
                "student_seconds_per_step": student,
                "steps_per_second": 1 / (teacher + student),
                "examples_per_second": stage.batches.n_batch / (teacher + student),
                "teacher_share": teacher / (teacher + student),
            }
        )
        taught += stage.n_steps * teacher
        learned += stage.n_steps * student
    return {"stages": stages, "teacher_share": taught / (taught + learned)}


def _finish(function: Callable, *args: Any) -> None:
    jax.block_until_ready(function(*args))
