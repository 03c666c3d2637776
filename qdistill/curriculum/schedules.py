"""Schedules of lesson weights and difficulty.

A schedule is a function of the step, as in optax. Its values may be vectors, for instance the
weights of all lessons.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_one_of,
    require_positive,
    require_settings,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Scalar

Schedule: TypeAlias = Callable[[Scalar], Array]
# The difficulty of all lessons, or of each.
Difficulty: TypeAlias = Scalar | Float[Array, " n_lesson"]
Plan: TypeAlias = Literal["constant", "staged", "ramped", "mixed", "loss-driven", "adaptive"]


@explained
@dataclasses.dataclass(frozen=True)
class CurriculumConfig:
    """The lessons of a training, and the schedules of their weights and difficulty.

    Attributes:
      lessons: Names of lessons; `require_lessons` checks them once the system is known.
      weights: Relative weights, one for each lesson; empty for equal weights.
      plan: ``"constant"``: these weights throughout. ``"staged"``: one lesson after the other.
        ``"ramped"``: from the first lesson alone to these weights. ``"mixed"``: from staged to
        these weights. ``"loss-driven"``: lessons with larger losses get larger weights.
        ``"adaptive"``: lessons whose loss changes faster get larger weights, and each lesson gets
        harder as its own loss falls; see `adaptive`.
      difficulty: Difficulty at the start and at the end, between 0 and 1; for ``"adaptive"`` that
        of a lesson without competence, and with full competence.
      ramp: Share of the training over which ramps go from start to end.
    """

    lessons: tuple[str, ...] = ("free", "scattering", "tunnelling", "interference", "trapping")
    weights: tuple[float, ...] = ()
    plan: Plan = "constant"
    difficulty: tuple[float, float] = (1.0, 1.0)
    ramp: float = 0.5

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        if not all(self.lessons):
            refuse("lessons", "names", self.lessons)
        if self.weights:
            require_shape((len(self.lessons),), weights=self.weights)
            require_between(0, math.inf, weights=self.weights)
            require_positive(weights=sum(self.weights))
        require_one_of(get_args(Plan), plan=self.plan)
        require_between(0, 1, difficulty=self.difficulty)
        require_positive(ramp=self.ramp)
        require_between(0, 1, ramp=self.ramp)


def _require_real(**values: Any) -> None:
    """Refuse what is not made of finite real numbers."""
    require_finite(**values)
    require_between(-math.inf, math.inf, **values)


@explained
def constant(value: Scalar | Sequence[float] | Float[Array, " n_value"]) -> Schedule:
    """Return a schedule with the same value at every step.

    >>> constant([0.5, 0.5])(100)
    Array([0.5, 0.5], dtype=float32)
    """
    _require_real(value=value)
    return lambda step: jnp.asarray(value, float)


@explained
def staged(values: Sequence[Scalar | Sequence[float]], boundaries: Sequence[int]) -> Schedule:
    """Return a schedule with values[i] for boundaries[i-1] <= step < boundaries[i].

    Raises:
      ValueError: Unless there is one boundary fewer than values, in increasing order.

    >>> schedule = staged([[1, 0], [0, 1]], boundaries=[100])
    >>> schedule(99), schedule(100)
    (Array([1., 0.], dtype=float32), Array([0., 1.], dtype=float32))
    """
    _require_real(values=values)
    for boundary in boundaries:
        require_at_least(1, boundaries=boundary)
    if len(boundaries) != len(values) - 1:
        refuse("boundaries", f"{len(values) - 1} steps for {len(values)} values", boundaries)
    if list(boundaries) != sorted(set(boundaries)):
        refuse("boundaries", "increasing", boundaries)
    table = jnp.asarray(values, float)
    edges = jnp.asarray(boundaries, int)
    return lambda step: table[jnp.searchsorted(edges, step, side="right")]


@explained
def ramped(
    start: Scalar | Sequence[float], end: Scalar | Sequence[float], n_steps: int, begin: int = 0
) -> Schedule:
    """Return a schedule that changes linearly from `start` to `end`.

    Its value is `start` until step `begin`, and `end` from step `begin` + `n_steps`.

    >>> schedule = ramped(0.0, 1.0, n_steps=10, begin=5)
    >>> float(schedule(0)), float(schedule(10)), float(schedule(99))
    (0.0, 0.5, 1.0)
    """
    _require_real(start=start, end=end)
    require_at_least(1, n_steps=n_steps)
    require_at_least(0, begin=begin)
    require_shape(np.shape(start), end=end)
    first, last = jnp.asarray(start, float), jnp.asarray(end, float)
    return lambda step: first + (last - first) * jnp.clip((step - begin) / n_steps, 0, 1)


@explained
def mixed(first: Schedule, second: Schedule, share: Schedule) -> Schedule:
    """Return the schedule (1 - share) * first + share * second; `share` is a schedule, too.

    >>> float(mixed(constant(0.0), constant(4.0), ramped(0.0, 1.0, 10))(5))
    2.0
    """
    for name, schedule in {"first": first, "second": second, "share": share}.items():
        if not callable(schedule):
            refuse(name, "a schedule, a function of the step", repr(schedule))
    return lambda step: (1 - share(step)) * first(step) + share(step) * second(step)


@explained
def make_schedules(config: CurriculumConfig, n_steps: int) -> tuple[Schedule, Schedule]:
    """Return the schedules of the lesson weights and the difficulty for a training of `n_steps`.

    For the plans ``"loss-driven"`` and ``"adaptive"`` the weights also depend on the losses; the
    first schedule gives the weights by which those of the losses are multiplied. For
    ``"adaptive"`` the difficulty depends on the losses alone.

    Raises:
      ValueError: For fewer steps than lessons that come one by one.

    >>> weights, difficulty = make_schedules(CurriculumConfig(plan="staged"), n_steps=100)
    >>> weights(25), float(difficulty(25))
    (Array([0., 1., 0., 0., 0.], dtype=float32), 1.0)
    """
    require_at_least(1, n_steps=n_steps)
    n_lesson = len(config.lessons)
    if config.plan in ("staged", "mixed") and n_steps < n_lesson:
        refuse("n_steps", f"at least {n_lesson}, the number of lessons one by one", n_steps)
    n_ramp = max(1, round(config.ramp * n_steps))
    target = np.asarray(config.weights or [1.0] * n_lesson)
    final = constant((target / target.sum()).tolist())
    single = np.eye(n_lesson).tolist()
    boundaries = [round(i * n_steps / n_lesson) for i in range(1, n_lesson)]
    if config.plan == "staged":
        weights = staged(single, boundaries)
    elif config.plan == "ramped":
        weights = mixed(constant(single[0]), final, ramped(0.0, 1.0, n_ramp))
    elif config.plan == "mixed":
        weights = mixed(staged(single, boundaries), final, ramped(0.0, 1.0, n_ramp))
    else:
        weights = final
    return weights, ramped(*config.difficulty, n_ramp)


class LossDriven(NamedTuple):
    """Pure functions of a curriculum that depends on the student's losses.

    Attributes:
      init: ``() -> state``: running mean losses of each lesson, NaN before its first example.
      update: ``(state, losses) -> state``: from the loss of each lesson in one batch, NaN for
        lessons that did not occur.
      weights: ``state -> weights`` of the lessons, which sum to 1.
      competence: ``state -> competence`` of the student in each lesson, from 0 to 1.
    """

    init: Callable[[], Float[Array, "... n_lesson"]]
    update: Callable[[Array, Array], Float[Array, "... n_lesson"]]
    weights: Callable[[Array], Float[Array, " n_lesson"]]
    competence: Callable[[Array], Float[Array, " n_lesson"]]


@explained
def loss_driven(
    n_lesson: int, power: float = 0.5, floor: float = 0.2, memory: float = 0.99
) -> LossDriven:
    """Return a curriculum with weights proportional to (running mean loss) ** power, and a floor.

    Its state is the running mean. The competence is 1 throughout.

    Args:
      n_lesson: Number of lessons.
      power: 0 gives equal weights; 1 gives weights proportional to the loss.
      floor: Share of the weight that is spread evenly, in [0, 1].
      memory: Weight of the past in the running mean, in [0, 1).

    >>> driven = loss_driven(2, power=1.0, floor=0.0)
    >>> driven.weights(driven.update(driven.init(), jnp.array([1.0, 3.0])))
    Array([0.25, 0.75], dtype=float32)
    """
    require_at_least(1, n_lesson=n_lesson)
    require_shape((), power=power, floor=floor, memory=memory)
    require_between(0, 1, floor=floor, memory=memory)
    if memory == 1:
        refuse("memory", "below 1", memory)
    require_finite(power=power)

    def weights(state: Array) -> Array:
        # With a power of 0 even NaN would give 1.
        return _shares(jnp.where(jnp.isnan(state), jnp.nan, state**power), floor)

    return LossDriven(
        lambda: jnp.full(n_lesson, jnp.nan, float),
        lambda state, losses: _remember(memory, state, losses),
        weights,
        lambda state: jnp.ones_like(state),
    )


@explained
def adaptive(
    n_lesson: int,
    goal: float = 1e-4,
    floor: float = 0.2,
    memories: tuple[float, float] = (0.9, 0.99),
) -> LossDriven:
    """Return a curriculum in which weights and difficulty follow the student's own losses.

    Its state, of shape (2, n_lesson), holds two running means of each lesson's loss, one with a
    short and one with a long memory. A lesson's weight is proportional to its progress, the size of
    the logarithm of their ratio, so a lesson that is being forgotten counts as well. Its competence
    is the part of the way from a loss of 1 to the goal, on a logarithmic scale, by the short one.

    Starting with easy examples is due to Bengio et al. (2009). Weights by the progress of learning:
    Graves et al. (2017, arXiv:1704.03003); by the absolute slope of each task's learning curve:
    Matiisen et al. (2017, arXiv:1707.00183). Examples up to the difficulty for which a student is
    competent: Platanios et al. (2019, arXiv:1903.09848), where competence is a function of the
    step; here it is measured.

    Args:
      n_lesson: Number of lessons.
      goal: Loss at which the competence is full, between 0 and 1. Losses of whole frames are
        squared relative errors, so 1e-4 is an error of 1%.
      floor: Share of the weight that is spread evenly, in [0, 1].
      memories: Weights of the past in the two running means, in [0, 1), the smaller first.

    >>> driven = adaptive(2, goal=1e-4, floor=0.0, memories=(0.0, 0.5))
    >>> state = driven.update(driven.init(), jnp.array([1.0, 1.0]))
    >>> state = driven.update(state, jnp.array([1.0, 0.01]))
    >>> driven.weights(state).round(2), driven.competence(state).round(2)
    (Array([0., 1.], dtype=float32), Array([0. , 0.5], dtype=float32))
    """
    require_at_least(1, n_lesson=n_lesson)
    require_shape((), goal=goal, floor=floor)
    require_shape((2,), memories=memories)
    require_positive(goal=goal)
    require_between(0, 1, goal=goal, floor=floor, memories=memories)
    for name, value in {"goal": goal, "memories": max(memories)}.items():
        if value == 1:
            refuse(name, "below 1", value)
    if memories[0] >= memories[1]:
        refuse("memories", "a shorter and a longer one", memories)

    def weights(state: Array) -> Array:
        short, long = jnp.log(jnp.maximum(state, jnp.finfo(state.dtype).tiny))
        # A little for all, so that lessons without any progress have equal weights.
        return _shares(jnp.abs(short - long) + 1e-3, floor)

    def competence(state: Array) -> Array:
        share = jnp.log(jnp.maximum(state[0], jnp.finfo(state.dtype).tiny)) / math.log(goal)
        return jnp.where(jnp.isnan(share), 0.0, jnp.clip(share, 0, 1))

    def update(state: Array, losses: Array) -> Array:
        return jnp.stack([
            _remember(memory, mean, losses) for memory, mean in zip(memories, state, strict=True)
        ])  # fmt: skip

    return LossDriven(lambda: jnp.full((2, n_lesson), jnp.nan, float), update, weights, competence)


def _remember(memory: float, mean: Array, losses: Array) -> Array:
    """The running mean after new losses; NaN stands for none."""
    blended = memory * mean + (1 - memory) * losses
    seen = jnp.where(jnp.isnan(mean), losses, blended)
    return jnp.where(jnp.isnan(losses), mean, seen)


def _shares(pull: Array, floor: float) -> Array:
    """Weights in proportion to pulls, with a floor."""
    # NaN, a lesson without examples so far, counts like the one with the largest pull.
    worst = jnp.where(jnp.all(jnp.isnan(pull)), 1.0, jnp.nanmax(jnp.nan_to_num(pull)))
    pull = jnp.where(jnp.isnan(pull), worst, pull)
    total = jnp.sum(pull)
    # No pull at all, or an infinite one, tells nothing.
    is_told = (total > 0) & jnp.isfinite(total)
    share = jnp.where(is_told, pull, 1.0) / jnp.where(is_told, total, len(pull))
    return floor / len(pull) + (1 - floor) * share
