"""Sampling from several lessons with probabilities given by their weights."""

import math
from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int, Key

from qdistill._checks import (
    is_known,
    refuse,
    require_between,
    require_finite,
    require_one_of,
    require_shape,
)
from qdistill._doors import layout, require_sample
from qdistill._refusals import explained
from qdistill.curriculum.schedules import Difficulty
from qdistill.system import LESSONS, Potential, System


@explained
def sample(
    key: Key[Array, ""],
    system: System,
    names: tuple[str, ...],
    weights: Float[Array, " n_lesson"],
    difficulty: Difficulty,
) -> tuple[Int[Array, ""], tuple[Complex[Array, "..."], Potential]]:
    """Sample a lesson with probability given by its weight, then a state and a potential from it.

    Args:
      key: Random key.
      system: The system; its `sample` draws from a lesson.
      names: Names of lessons; for most systems those in `LESSONS`.
      weights: Relative weights, not negative; an array, so that a change needs no recompilation.
      difficulty: Between 0 and 1, of all lessons or one for each.

    Returns:
      The index of the lesson, and its (psi, v).

    Raises:
      ValueError: For an unknown name; for weights that are negative, all zero or of another number
        than the lessons; for a lesson that does not return (psi, v) in the shape of the system.

    >>> index, (psi, v) = sample(
    ...     jax.random.key(0), System(), ("free", "barrier"), jnp.array([0.0, 1.0]), 1.0
    ... )
    >>> int(index), psi.shape, v.shape
    (1, (1024,), (1024,))
    """
    require_lessons(system, names)
    require_shape((len(names),), weights=weights)
    require_finite(weights=weights)
    require_between(0, math.inf, weights=weights)
    if is_known(weights) and not np.any(np.asarray(weights)):
        refuse("weights", "not all zero", weights)
    require_between(0, 1, difficulty=difficulty)
    if np.ndim(difficulty):
        require_shape((len(names),), difficulty=difficulty)
    seen: list[tuple[str, str]] = []

    def branch(i: int, name: str) -> Callable[[Array], tuple[Array, Potential]]:
        own = jnp.asarray(difficulty)[i] if np.ndim(difficulty) else difficulty

        def draw(key: Array) -> tuple[Array, Potential]:
            psi, v = require_sample(system, name, system.sample(name, key, own))
            seen.append((name, layout(v)))
            if seen[-1][1] != seen[0][1]:
                wanted = f"one that returns v as {seen[0][0]!r} does, {seen[0][1]}"
                cure = "All lessons of a curriculum share one form of potential."
                refuse(f"lesson {name!r}", wanted, f"one that returns {seen[-1][1]}", cure)
            return psi, v

        return draw

    key_lesson, key_sample = jax.random.split(key)
    index = jax.random.categorical(key_lesson, jnp.log(weights))
    branches = [branch(i, name) for i, name in enumerate(names)]
    return index, jax.lax.switch(index, branches, key_sample)


@explained
def require_lessons(system: System, names: Sequence[str]) -> None:
    """Refuse names that are not lessons of a system.

    A system that overrides `sample` refuses unknown names itself.

    >>> require_lessons(System(), ("free", "diving"))
    Traceback (most recent call last):
    ValueError: Argument `lessons` must be one of 'free', ...
    """
    if type(system).sample is System.sample:
        for name in names:
            require_one_of(LESSONS, lessons=name)
