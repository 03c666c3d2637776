"""Families of one-dimensional potentials: shapes with random parameters, for any box length."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import Array, Float, Key

from qdistill._checks import require_one_of
from qdistill._refusals import explained
from qdistill.physics import potentials
from qdistill.physics.grid import Grid, require_line


class Family(NamedTuple):
    """A shape and the intervals from which its parameters are drawn uniformly.

    Attributes:
      potential: Function of positions and parameters, ``(x, **parameters) -> v``.
      ranges: Lowest and highest value of each parameter, by name; a list of such pairs for a
        parameter that is a list. `width`, `gap` and `centre` are in units of the box length, the
        centre from the lower edge of the box; heights and depths are in hartree.
    """

    potential: Callable[..., Array]
    ranges: dict[str, tuple[Any, Any]]


_LENGTHS = ("width", "gap", "centre")
_MIDDLE = (0.45, 0.55)

FAMILIES: dict[str, Family] = {
    "barrier": Family(
        potentials.barrier, {"height": (1, 14), "width": (0.02, 0.24), "centre": _MIDDLE}
    ),
    "double": Family(
        potentials.double,
        {
            "heights": ([1] * 2, [14] * 2),
            "width": (0.01, 0.08),
            "gap": (0.01, 0.1),
            "centre": _MIDDLE,
        },
    ),
    "triple": Family(
        potentials.triple,
        {
            "heights": ([1] * 3, [14] * 3),
            "width": (0.01, 0.06),
            "gap": (0.01, 0.06),
            "centre": _MIDDLE,
        },
    ),
    "half-circle": Family(
        potentials.half_circle, {"height": (1, 14), "width": (0.04, 0.3), "centre": _MIDDLE}
    ),
    "quadratic": Family(
        potentials.quadratic, {"height": (1, 14), "width": (0.04, 0.4), "centre": _MIDDLE}
    ),
    "random": Family(
        potentials.random,
        {
            "amplitudes": ([-2.5] * 12, [2.5] * 12),
            "phases": ([0] * 12, [2 * math.pi] * 12),
            "height": (2, 14),
            "width": (0.15, 0.45),
            "centre": _MIDDLE,
        },
    ),
    "steps": Family(
        potentials.steps, {"heights": ([0] * 5, [12] * 5), "width": (0.1, 0.3), "centre": _MIDDLE}
    ),
    "trapezoid": Family(
        potentials.trapezoid,
        {
            "height": (1, 14),
            "width": (0.06, 0.3),
            "top": (0.1, 0.8),
            "centre": _MIDDLE,
            "skew": (-0.9, 0.9),
        },
    ),
    "triangle": Family(
        potentials.triangle,
        {"height": (1, 14), "width": (0.04, 0.3), "centre": _MIDDLE, "skew": (-0.9, 0.9)},
    ),
    "well": Family(potentials.well, {"depth": (1, 10), "width": (0.02, 0.24), "centre": _MIDDLE}),
}

SHARP = ("barrier", "double", "triple", "steps", "well")
"""The families whose potentials jump; those of the others are continuous."""


@explained
def sample_parameters(key: Key[Array, ""], grid: Grid, family: str) -> dict[str, Array]:
    """Return random parameters of a named family for a box, by name, in bohr and hartree.

    Raises:
      ValueError: For a name that is not in `FAMILIES`, or a grid of several dimensions.

    >>> sorted(sample_parameters(jax.random.key(0), Grid(64, 40.0), "barrier"))
    ['centre', 'height', 'width']
    """
    require_one_of(FAMILIES, family=family)
    require_line(grid)
    ranges = FAMILIES[family].ranges
    parameters = {}
    for k, (name, ends) in zip(jax.random.split(key, len(ranges)), ranges.items(), strict=True):
        low, high = (np.asarray(end) for end in ends)
        if name in _LENGTHS:
            low, high = low * grid.lengths[0], high * grid.lengths[0]
        if name == "centre":
            low, high = low + grid.origin[0], high + grid.origin[0]
        parameters[name] = jax.random.uniform(k, low.shape, float, low, high)
    return parameters


@explained
def sample(key: Key[Array, ""], grid: Grid, family: str) -> Float[Array, " n_x"]:
    """Return a random potential of a named family around the middle of the box, in hartree.

    Args:
      key: Random key.
      grid: One-dimensional, of any length and origin.
      family: A name in `FAMILIES`.

    Raises:
      ValueError: For a name that is not in `FAMILIES`, or a grid of several dimensions.

    >>> sample(jax.random.key(0), Grid(64, 40.0, origin=-20.0), "triangle").shape
    (64,)
    """
    parameters = sample_parameters(key, grid, family)
    return FAMILIES[family].potential(grid.positions(), **parameters)
