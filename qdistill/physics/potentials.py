"""Landscapes: potential energies by name, each a pure function of positions and parameters.

Lengths are in bohr and energies in hartree. Landscapes are zero outside their width
(`harmonic` excepted) and are not wrapped around the edge of the box. A negative height
turns any of them upside down.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key

from qdistill._checks import (
    refuse,
    require_between,
    require_finite,
    require_one_of,
    require_positive,
    require_real,
)
from qdistill.physics.grid import Scalar

Positions: TypeAlias = Float[Array, "*n_x"]
Heights: TypeAlias = tuple[Scalar, ...] | Float[Array, " n"]


def barrier(
    x: Positions, height: Scalar, width: Scalar, centre: Scalar = 50.0
) -> Float[Array, "*n_x"]:
    """A rectangular barrier: height where |x - centre| < width / 2 (strict), else 0. The paper's.

    >>> barrier(jnp.array([44.0, 46.5, 50.0]), height=5.0, width=7.0)
    Array([0., 0., 5.], dtype=float32)
    """
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    return jnp.where(jnp.abs(x - centre) < width / 2, height, jnp.zeros_like(x))


def well(x: Positions, depth: Scalar, width: Scalar, centre: Scalar = 50.0) -> Float[Array, "*n_x"]:
    """A rectangular well below zero: -depth where |x - centre| < width / 2, else 0."""
    require_positive(depth=depth)
    return barrier(x, -depth, width, centre)


def double(
    x: Positions, heights: Heights, width: Scalar, gap: Scalar, centre: Scalar = 50.0
) -> Float[Array, "*n_x"]:
    """Two barriers of one width, a gap apart.

    >>> double(jnp.array([46.0, 50.0, 54.0]), heights=(2.0, 3.0), width=4.0, gap=4.0)
    Array([2., 0., 3.], dtype=float32)
    """
    require_finite(centre=centre)
    require_positive(gap=gap, width=width)
    offset = (gap + width) / 2
    _require_heights(2, heights)
    left, right = heights
    return barrier(x, left, width, centre - offset) + barrier(x, right, width, centre + offset)


def triple(
    x: Positions,
    heights: Heights,
    width: Scalar,
    gap: Scalar,
    centre: Scalar = 50.0,
) -> Float[Array, "*n_x"]:
    """Three barriers of one width, with equal gaps between them."""
    require_finite(centre=centre)
    require_positive(gap=gap, width=width)
    _require_heights(3, heights)
    outer = double(x, (heights[0], heights[2]), width, 2 * gap + width, centre)
    return outer + barrier(x, heights[1], width, centre)


def steps(
    x: Positions, heights: Heights, width: Scalar, centre: Scalar = 50.0
) -> Float[Array, "*n_x"]:
    """A staircase: n_step treads of equal width and given heights, side by side.

    >>> steps(jnp.array([45.5, 49.0, 53.0, 61.0]), heights=(2.0, 4.0), width=10.0)
    Array([2., 2., 4., 0.], dtype=float32)
    """
    _require_positions(x)
    require_finite(heights=heights, centre=centre)
    require_positive(width=width)
    if len(heights) == 0:
        refuse("heights", "at least one height", heights)
    position = (x - centre) / width + 0.5
    index = jnp.floor(position * len(heights)).astype(int)
    treads = jnp.asarray(heights, x.dtype)[jnp.clip(index, 0, len(heights) - 1)]
    return jnp.where((position > 0) & (position < 1), treads, 0)


def triangle(
    x: Positions, height: Scalar, width: Scalar, centre: Scalar = 50.0, skew: Scalar = 0.0
) -> Float[Array, "*n_x"]:
    """A triangular hill whose peak lies at centre + skew * width / 2, with skew in [-1, 1].

    >>> triangle(jnp.array([45.0, 47.5, 50.0]), height=4.0, width=10.0)
    Array([0., 2., 4.], dtype=float32)
    """
    return trapezoid(x, height, width, 0.0, centre, skew)


def trapezoid(
    x: Positions,
    height: Scalar,
    width: Scalar,
    top: Scalar,
    centre: Scalar = 50.0,
    skew: Scalar = 0.0,
) -> Float[Array, "*n_x"]:
    """A hill with straight flanks, `width` wide at its foot and `top` * `width` at its top.

    `top` lies between 0 and 1, and `skew` between -1 and 1: at 1 the right flank is upright.

    >>> trapezoid(jnp.array([45.5, 47.0, 50.0]), height=4.0, width=10.0, top=0.6)
    Array([1., 4., 4.], dtype=float32)
    """
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    require_between(0, 1, top=top)
    require_between(-1, 1, skew=skew)
    # An upright flank is one of negligible width.
    flank = jnp.maximum((1 - top) * width / 2, 1e-6 * width)
    left, right = jnp.maximum((1 + skew) * flank, 1e-6), jnp.maximum((1 - skew) * flank, 1e-6)
    rise = (x - centre + width / 2) / left
    fall = (centre + width / 2 - x) / right
    return height * jnp.clip(jnp.minimum(rise, fall), 0, 1)


def half_circle(
    x: Positions, height: Scalar, width: Scalar, centre: Scalar = 50.0
) -> Float[Array, "*n_x"]:
    """An elliptic arch, height * sqrt(1 - (2 (x - centre) / width)^2) inside, else 0."""
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    inside = 1 - (2 * (x - centre) / width) ** 2
    # The inner where keeps the gradient finite where the root has none.
    return jnp.where(inside > 0, height * jnp.sqrt(jnp.where(inside > 0, inside, 1)), 0)


def quadratic(
    x: Positions, height: Scalar, width: Scalar, centre: Scalar = 50.0
) -> Float[Array, "*n_x"]:
    """A parabolic hill, height * (1 - (2 (x - centre) / width)^2) inside, else 0."""
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    return height * jnp.maximum(1 - (2 * (x - centre) / width) ** 2, 0)


def harmonic(x: Positions, omega: Scalar, centre: Scalar = 50.0) -> Float[Array, "*n_x"]:
    """A harmonic trap omega^2 (x - centre)^2 / 2 over the whole axis."""
    _require_positions(x)
    require_positive(omega=omega)
    require_finite(centre=centre)
    return 0.5 * omega**2 * (x - centre) ** 2


def random(
    x: Positions,
    amplitudes: Heights,
    phases: Heights,
    height: Scalar,
    width: Scalar,
    centre: Scalar = 50.0,
) -> Float[Array, "*n_x"]:
    """A smooth landscape between 0 and `height` made of random waves, for random arguments.

    sum_m amplitudes[m] sin((m + 1) pi u + phases[m]), with u running from 0 to 1 over the
    width, is squashed to (0, 1) by a sigmoid and multiplied by height * sin^2(pi u).
    """
    _require_positions(x)
    require_finite(amplitudes=amplitudes, phases=phases, height=height, centre=centre)
    require_positive(width=width)
    if len(phases) != len(amplitudes):
        refuse("phases", f"{len(amplitudes)} phases, one for each amplitude", phases)
    u = (x - centre) / width + 0.5
    waves = jnp.zeros_like(x)
    for m, (amplitude, phase) in enumerate(zip(amplitudes, phases, strict=True)):
        waves += amplitude * jnp.sin((m + 1) * jnp.pi * u + phase)
    envelope = jnp.sin(jnp.pi * u) ** 2
    return jnp.where((u > 0) & (u < 1), height * jax.nn.sigmoid(waves) * envelope, 0)


def double_slit(
    x: Float[Array, "*#n_x"],
    y: Float[Array, "*#n_x"],
    height: Scalar,
    thickness: Scalar,
    separation: Scalar,
    slit: Scalar,
    centre: tuple[Scalar, Scalar],
) -> Float[Array, "*n_x"]:
    """A wall in two dimensions, `thickness` along x, with two slits of width `slit` along y.

    The slits' middles are `separation` apart, on either side of the centre.

    >>> x, y = jnp.array([[5.0]]), jnp.array([[3.0, 4.0, 5.0, 6.0]])
    >>> double_slit(x, y, 9.0, thickness=1.0, separation=2.0, slit=0.5, centre=(5.0, 5.0))
    Array([[9., 0., 9., 0.]], dtype=float32)
    """
    if len(centre) != 2:
        refuse("centre", "one value for each of 2 axes", centre)
    _require_positions(x)
    _require_positions(y)
    require_finite(centre=centre)
    require_positive(separation=separation, slit=slit)
    require_positive(spacing=separation - slit)
    wall = barrier(x, height, thickness, centre[0])
    in_slit = jnp.abs(jnp.abs(y - centre[1]) - separation / 2) < slit / 2
    return jnp.where(in_slit, 0, wall)


def _require_positions(x: Positions) -> None:
    require_real(positions=x)
    require_finite(positions=x)


def _require_heights(n_height: int, heights: Heights) -> None:
    if len(heights) != n_height:
        refuse("heights", f"{n_height} heights", heights)


class Family(NamedTuple):
    """A kind of landscape and the intervals from which its parameters are drawn uniformly.

    Attributes:
      landscape: The function of positions and parameters.
      ranges: By parameter, lowest and highest value; a list of both where it is a list.
    """

    landscape: Callable[..., Array]
    ranges: dict[str, tuple[Any, Any]]


_MIDDLE = (45.0, 55.0)

FAMILIES: dict[str, Family] = {
    "barrier": Family(barrier, {"height": (1, 14), "width": (2, 24), "centre": _MIDDLE}),
    "double": Family(
        double,
        {"heights": ([1] * 2, [14] * 2), "width": (1, 8), "gap": (1, 10), "centre": _MIDDLE},
    ),
    "triple": Family(
        triple,
        {"heights": ([1] * 3, [14] * 3), "width": (1, 6), "gap": (1, 6), "centre": _MIDDLE},
    ),
    "half-circle": Family(half_circle, {"height": (1, 14), "width": (4, 30), "centre": _MIDDLE}),
    "quadratic": Family(quadratic, {"height": (1, 14), "width": (4, 40), "centre": _MIDDLE}),
    "random": Family(
        random,
        {
            "amplitudes": ([-2.5] * 12, [2.5] * 12),
            "phases": ([0] * 12, [2 * math.pi] * 12),
            "height": (2, 14),
            "width": (15, 45),
            "centre": _MIDDLE,
        },
    ),
    "steps": Family(steps, {"heights": ([0] * 5, [12] * 5), "width": (10, 30), "centre": _MIDDLE}),
    "trapezoid": Family(
        trapezoid,
        {
            "height": (1, 14),
            "width": (6, 30),
            "top": (0.1, 0.8),
            "centre": _MIDDLE,
            "skew": (-0.9, 0.9),
        },
    ),
    "triangle": Family(
        triangle, {"height": (1, 14), "width": (4, 30), "centre": _MIDDLE, "skew": (-0.9, 0.9)}
    ),
    "well": Family(well, {"depth": (1, 10), "width": (2, 24), "centre": _MIDDLE}),
}


def sample(key: Key[Array, ""], x: Positions, family: str) -> Float[Array, "*n_x"]:
    """A random landscape of a named family, in the middle of a box of length 100.

    Raises:
      ValueError: For a name that is not in `FAMILIES`.

    >>> sample(jax.random.key(0), jnp.linspace(1.0, 100.0, 64), "triangle").shape
    (64,)
    """
    require_one_of(FAMILIES, family=family)
    _require_positions(x)
    landscape, ranges = FAMILIES[family]
    keys = jax.random.split(key, len(ranges))
    parameters = {
        name: jax.random.uniform(k, np.shape(low), x.dtype, np.asarray(low), np.asarray(high))
        for k, (name, (low, high)) in zip(keys, ranges.items(), strict=True)
    }
    return landscape(x, **parameters)
