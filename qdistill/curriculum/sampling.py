"""Sampling from several lessons with probabilities given by their weights."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

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
from qdistill.physics.grid import Scalar
from qdistill.system import LESSONS, Potential, System


def sample(
    key: Key[Array, ""],
    system: System,
    names: tuple[str, ...],
    weights: Float[Array, " n_lesson"],
    difficulty: Scalar,
) -> tuple[Int[Array, ""], tuple[Complex[Array, "..."], Potential]]:
    """Sample a lesson with probability given by its weight, then a state and a potential from it.

    Args:
      key: Random key.
      system: The system; its `sample` draws from a lesson.
      names: Names of lessons; for most systems those in `LESSONS`.
      weights: Relative weights, not negative; an array, so that a change needs no recompilation.
      difficulty: Between 0 and 1.

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
    seen: list[tuple[str, Any]] = []

    def branch(name: str) -> Callable[[Array], tuple[Array, Potential]]:
        def draw(key: Array) -> tuple[Array, Potential]:
            psi, v = _psi_and_v(name, system, system.sample(name, key, difficulty))
            seen.append((name, _layout(v)))
            if seen[-1][1] != seen[0][1]:
                cure = "All lessons of a curriculum must return potentials of one form."
                _refuse_lesson(name, f"v as {seen[0][0]!r} does, {seen[0][1]}", seen[-1][1], cure)
            return psi, v

        return draw

    key_lesson, key_sample = jax.random.split(key)
    index = jax.random.categorical(key_lesson, jnp.log(weights))
    return index, jax.lax.switch(index, [branch(name) for name in names], key_sample)


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


def _psi_and_v(name: str, system: System, drawn: Any) -> tuple[Array, Potential]:
    """The state and the potential that a lesson returned; refused if they do not fit the system."""
    if not isinstance(drawn, tuple) or len(drawn) != 2:
        _refuse_lesson(name, "(psi, v)", _layout(drawn))
    psi, v = drawn
    if np.shape(psi) != system.shape or not jnp.iscomplexobj(psi):
        _refuse_lesson(name, f"psi complex and of shape {system.shape}", _layout(psi))
    if type(system).local is System.local:
        shape = (system.n_channel,) * 2 * bool(system.n_channel) + system.grid.shape
        if not jax.tree_util.all_leaves([v]) or np.shape(v) != shape:
            _refuse_lesson(name, f"v of shape {shape}", _layout(v))
    return psi, v


def _layout(tree: Any) -> Any:
    """The structure, shapes and types of a pytree, as text that can be compared."""
    return jax.tree.map(lambda leaf: f"{jnp.result_type(leaf)}{list(np.shape(leaf))}", tree)


def _refuse_lesson(name: str, wanted: str, given: Any, cure: str = "") -> NoReturn:
    refuse(f"lesson {name!r}", f"one that returns {wanted}", f"one that returns {given}", cure)
