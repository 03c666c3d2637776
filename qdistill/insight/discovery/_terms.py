"""The terms of a generator, and the dispersions that have a name."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

CONSTANT, DENSITY, NONLOCAL, COUPLING = "1", "|psi|^2", "V p^2", "V"
# Operators that are a function of x, from x, V and its slope. Losses are imaginary.
LOCAL: dict[str, Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]] = {
    COUPLING: lambda x, v, slope: v,
    "V^2": lambda x, v, slope: v**2,
    "dV/dx": lambda x, v, slope: slope,
    "(dV/dx)^2": lambda x, v, slope: slope**2,
    "x": lambda x, v, slope: x,
    "-i": lambda x, v, slope: -1j * np.ones_like(v),
    "-i |V|": lambda x, v, slope: -1j * np.abs(v),
}
# Functions of the wave number that are part of no dispersion below, but for the constant of FREE.
OF_K: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    CONSTANT: np.ones_like,
    "p": lambda k: k,
    "p^3": lambda k: k**3,
}
TERMS = (*LOCAL, *OF_K, DENSITY, NONLOCAL)
# Degree of the polynomial of |k| that stands for any dispersion.
DEGREE = 8


class Form(NamedTuple):
    """A dispersion by name: T(k) from its parameters, the wave numbers, the spacing, and k_max.

    Attributes:
      energies: ``(values, k, dx, largest) -> T``; `largest` is the largest wave number that occurs.
      start: Values of the parameters to begin with.
      names: Names of the parameters.
    """

    energies: Callable[[Array, Array, float, float], Array]
    start: tuple[float, ...]
    names: tuple[str, ...]


def _relativistic(inverse: Any, square: Any, k: Any) -> Any:
    # sqrt(k^2 c^2 + m^2 c^4) - m c^2 with 1 / m and 1 / c^2, without a difference of large numbers.
    root = jnp.sqrt(jnp.maximum(1 + square * (inverse * k) ** 2, 0.01))
    return inverse * k**2 / (1 + root)


def _polynomial(values: Array, k: Any, largest: float) -> Any:
    u = jnp.clip(2 * jnp.abs(k) / largest - 1, -1, 1)
    return sum(value * jnp.cos(i * jnp.arccos(u)) for i, value in enumerate(values))


FREE, USUAL, LATTICE = "any function of |k|", "k^2/2", "lattice"
FORMS: dict[str, Form] = {
    USUAL: Form(lambda a, k, dx, top: k**2 / 2, (), ()),
    LATTICE: Form(lambda a, k, dx, top: (1 - jnp.cos(k * dx)) / dx**2, (), ()),
    "k^2/2m": Form(lambda a, k, dx, top: a[0] * k**2 / 2, (1.0,), ("1/m",)),
    "lattice, mass": Form(
        lambda a, k, dx, top: a[0] * (1 - jnp.cos(k * dx)) / dx**2, (1.0,), ("1/m",)
    ),
    "k^2/2 + b k^4": Form(lambda a, k, dx, top: k**2 / 2 + a[0] * k**4, (0.0,), ("b",)),
    "relativistic": Form(lambda a, k, dx, top: _relativistic(1.0, a[0], k), (0.0,), ("1/c^2",)),
    "k^2/2m + b k^4": Form(
        lambda a, k, dx, top: a[0] * k**2 / 2 + a[1] * k**4, (1.0, 0.0), ("1/m", "b")
    ),
    "relativistic, mass": Form(
        lambda a, k, dx, top: _relativistic(a[0], a[1], k), (1.0, 0.0), ("1/m", "1/c^2")
    ),
    FREE: Form(
        lambda a, k, dx, top: k**2 / 2 + _polynomial(a, k, top),
        (0.0,) * (DEGREE + 1),
        tuple(f"a{i}" for i in range(DEGREE + 1)),
    ),
}
