"""What each training is taught: a schedule, and the order in which runs of the teacher appear."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from qdistill._checks import require_one_of, require_shape
from qdistill.curriculum import CurriculumConfig, make_schedules

# How weights and difficulty are found: from the tables, or from the student's own losses.
MODES = ("constant", "loss-driven", "adaptive")
_MIXED = CurriculumConfig()
# Each plan: its settings, and the order of its runs. Those with another order than as they are
# drawn show the runs of `mixed`, which so is their control: the same examples in random order.
PLANS: dict[str, tuple[CurriculumConfig, str]] = {
    "mixed": (_MIXED, "as drawn"),
    "easy only": (CurriculumConfig(difficulty=(0.0, 0.0)), "as drawn"),
    "easy to hard": (_MIXED, "by hardness"),
    "hard to easy": (_MIXED, "by hardness, reversed"),
    "easy to hard, each stage": (_MIXED, "by hardness, each stage"),
    "hard to easy, each stage": (_MIXED, "by hardness, each stage, reversed"),
    "staged": (_MIXED, "by lesson"),
    "staged, reversed": (_MIXED, "by lesson, reversed"),
    "ramped": (CurriculumConfig(plan="ramped"), "as drawn"),
    "loss-driven": (CurriculumConfig(plan="loss-driven"), "as drawn"),
    "adaptive": (CurriculumConfig(plan="adaptive", difficulty=(0.0, 1.0)), "as drawn"),
}
ORDERS = tuple(dict.fromkeys(order for _, order in PLANS.values()))
# Controls: the schedule of another seed.
YOKED = {"loss-driven, yoked": "loss-driven", "adaptive, yoked": "adaptive"}


class Syllabus(NamedTuple):
    """What one training is taught.

    Attributes:
      weights: Weights of the lessons with which the runs of each block are drawn.
      difficulty: Their difficulty, of each lesson.
      runs: The runs that each block shows. Run i is drawn as in block i // n_runs, from the i-th
        random key.
      mode: Index in `MODES`; with 1 and 2 the student's losses replace both tables.
    """

    weights: Float[Array, "*batch n_blocks n_lesson"]
    difficulty: Float[Array, "*batch n_blocks n_lesson"]
    runs: Int[Array, "*batch n_blocks n_runs"]
    mode: Int[Array, "*batch"]


class Shape(NamedTuple):
    """Numbers of a training: blocks, steps of a block, runs of a block, and equally long stages."""

    n_blocks: int
    n_block: int
    n_runs: int
    n_stages: int = 1


def of_plan(name: str, shape: Shape, rank: Sequence[float] = ()) -> Syllabus:
    """Return the syllabus of a plan.

    Args:
      name: A name in `PLANS`.
      shape: Numbers of the training.
      rank: Hardness or lesson of every run, for plans that sort them.
    """
    require_one_of(PLANS, plan=name)
    config, order = PLANS[name]
    weights_at, difficulty_at = make_schedules(config, shape.n_blocks * shape.n_block)
    steps = shape.n_block * jnp.arange(shape.n_blocks)
    weights = jax.vmap(weights_at)(steps)
    difficulty = jnp.broadcast_to(jax.vmap(difficulty_at)(steps)[:, None], weights.shape)
    mode = MODES.index(config.plan) if config.plan in MODES else 0
    return Syllabus(weights, difficulty, ordered(order, shape, rank), jnp.asarray(mode))


def ordered(order: str, shape: Shape, rank: Sequence[float] = ()) -> Int[Array, "n_blocks n_runs"]:
    """Return all runs of a training, each once, in one of `ORDERS`; they are sorted by a rank.

    A reverse order is that of the blocks. Sorted in each stage, every run is shown in the stage in
    which it is drawn.
    """
    require_one_of(ORDERS, order=order)
    n_parts = shape.n_stages if "each stage" in order else 1
    runs = np.arange(shape.n_blocks * shape.n_runs).reshape(n_parts, -1)
    if order != "as drawn":
        require_shape((runs.size,), rank=rank)
        places = np.argsort(np.asarray(rank).reshape(runs.shape), axis=1, kind="stable")
        runs = np.take_along_axis(runs, places, axis=1)
    of_blocks = runs.reshape(n_parts, -1, shape.n_runs)
    if order.endswith("reversed"):
        of_blocks = of_blocks[:, ::-1]
    return jnp.asarray(of_blocks.reshape(shape.n_blocks, shape.n_runs))


def of_few(n_distinct: int, shape: Shape, seed: int) -> Syllabus:
    """Return the plan ``"mixed"`` on a few runs, which are shown again and again.

    All are shown once, in random order, before any is shown again.
    """
    rng, n_shown = np.random.default_rng((seed, 2)), shape.n_blocks * shape.n_runs
    rounds = [rng.permutation(n_distinct) for _ in range(-(-n_shown // n_distinct))]
    runs = np.concatenate(rounds)[:n_shown].reshape(shape.n_blocks, shape.n_runs)
    return of_plan("mixed", shape)._replace(runs=jnp.asarray(runs))


def yoked(
    shape: Shape, recorded: Mapping[str, Float[np.ndarray, "n_seed n_blocks n_lesson"]], seed: int
) -> Syllabus:
    """Return the syllabus with the recorded schedule of the next seed.

    Args:
      shape: Numbers of the training.
      recorded: ``"weights"`` and ``"difficulty"`` of the trainings of all seeds.
      seed: Index of the training; its schedule is that of the one after it.
    """
    other = (seed + 1) % len(recorded["weights"])
    weights, difficulty = (jnp.asarray(recorded[of][other]) for of in ("weights", "difficulty"))
    return Syllabus(weights, difficulty, ordered("as drawn", shape), jnp.asarray(0))
