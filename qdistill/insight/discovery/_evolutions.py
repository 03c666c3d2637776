"""Evolutions that a user gives as functions, and checks of what they return."""

from collections.abc import Callable
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from qdistill._checks import refuse, require_callable
from qdistill._words import kind_of, of_value

# From given frames of several packets, oldest first, to as many later ones.
Evolve: TypeAlias = Callable[
    [Complex[Array | np.ndarray, "n_packet n_given *n_x"]],
    Complex[np.ndarray, "n_packet n_given *n_x"],
]


def evolved(
    evolve: Evolve, frames: Complex[np.ndarray, "n_packet n_given *n_x"]
) -> Complex[np.ndarray, "n_packet n_given *n_x"]:
    """Return the frames after an evolution.

    Raises:
      ValueError: If it does not return as many complex frames of the same shape.
    """
    require_callable(1, evolve=evolve)
    later = evolve(frames)
    require_like("evolve", "later frames", later, frames.shape)
    return np.asarray(later)


def require_like(name: str, what: str, made: Any, shape: tuple[int, ...]) -> None:
    """Refuse a function that does not return complex numbers of a shape."""
    if kind_of(made) is not jnp.complexfloating or np.shape(made) != shape:
        wanted = f"a function that returns {what}, complex numbers of shape {shape}"
        refuse(name, wanted, f"one that returns {of_value(made)}")
