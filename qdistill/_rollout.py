"""Recursive evolution by any step, teacher's or student's."""

from collections.abc import Callable
from typing import TypeVar

import jax
from jaxtyping import PyTree

from qdistill._checks import refuse, require_at_least

State = TypeVar("State")


def rollout(
    step: Callable[[State], State],
    state: State,
    n_frames: int,
    observe: Callable[[State], PyTree] = lambda state: state,
    every: int = 1,
) -> PyTree:
    """Apply a step `n_frames` times and return what is observed of the state on the way.

    The initial state is not part of the result. What `observe` returns is stacked along a new
    first axis; only that is kept, so memory grows with what is asked for.

    Args:
      step: One frame forward, ``state -> state``. The state may be any pytree of arrays.
      state: Where to start.
      n_frames: Number of frames, at least 1.
      observe: Taken of every state that is kept; by default the state itself.
      every: Keep what follows this many frames, and again this many, a divisor of `n_frames`.

    Raises:
      ValueError: For a number of frames that is no multiple of `every`.

    >>> rollout(lambda n: 2 * n, 1, 5)
    Array([ 2,  4,  8, 16, 32], dtype=int32...)
    """
    require_at_least(1, n_frames=n_frames, every=every)
    if n_frames % every:
        refuse("n_frames", f"a multiple of every = {every}", n_frames)

    def advance(state: State, _: None) -> tuple[State, PyTree]:
        state = step(state) if every == 1 else repeat(step, state, every)
        return state, observe(state)

    return jax.lax.scan(advance, state, None, length=n_frames // every)[1]


def repeat(step: Callable[[State], State], state: State, n_frames: int) -> State:
    """The state after a number of frames, and none of those before it.

    >>> repeat(lambda n: 2 * n, 1, 5)
    Array(32, dtype=int32...)
    """
    return jax.lax.fori_loop(0, n_frames, lambda _, state: step(state), state)
