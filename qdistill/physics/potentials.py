"""Potential energies by name, each a pure function of positions and parameters.

Lengths are in bohr, energies in hartree and angles in radians. A negative height turns a shape
upside down. Shapes are zero outside their width (`harmonic` excepted) and are not wrapped around
the edge of the box.

Those along one axis take its positions x; those of a plane take x and y, and may be turned.
`families` draws the parameters at random.
"""

from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from qdistill._checks import (
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_real,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Scalar

Positions: TypeAlias = Float[Array, "*n_x"]
Along: TypeAlias = Float[Array, "*#n_x"]
Heights: TypeAlias = tuple[Scalar, ...] | Float[Array, " n"]
Point: TypeAlias = tuple[Scalar, Scalar]


@explained
def barrier(x: Positions, height: Scalar, width: Scalar, centre: Scalar) -> Float[Array, "*n_x"]:
    """The paper's rectangular barrier: height where |x - centre| < width / 2 (strict), else 0.

    >>> barrier(jnp.array([44.0, 46.5, 50.0]), height=5.0, width=7.0, centre=50.0)
    Array([0., 0., 5.], dtype=float32)
    """
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    return jnp.where(jnp.abs(x - centre) < width / 2, height, jnp.zeros_like(x))


@explained
def well(x: Positions, depth: Scalar, width: Scalar, centre: Scalar) -> Float[Array, "*n_x"]:
    """A rectangular well below zero: -depth where |x - centre| < width / 2, else 0."""
    require_positive(depth=depth)
    return barrier(x, -depth, width, centre)


@explained
def double(
    x: Positions, heights: Heights, width: Scalar, gap: Scalar, centre: Scalar
) -> Float[Array, "*n_x"]:
    """Two barriers of equal width, separated by a gap.

    >>> double(jnp.array([46.0, 50.0, 54.0]), heights=(2.0, 3.0), width=4.0, gap=4.0, centre=50.0)
    Array([2., 0., 3.], dtype=float32)
    """
    require_finite(centre=centre)
    require_positive(gap=gap, width=width)
    offset = (gap + width) / 2
    _require_heights(2, heights)
    left, right = heights
    return barrier(x, left, width, centre - offset) + barrier(x, right, width, centre + offset)


@explained
def triple(
    x: Positions,
    heights: Heights,
    width: Scalar,
    gap: Scalar,
    centre: Scalar,
) -> Float[Array, "*n_x"]:
    """Three barriers of equal width, separated by equal gaps."""
    require_finite(centre=centre)
    require_positive(gap=gap, width=width)
    _require_heights(3, heights)
    outer = double(x, (heights[0], heights[2]), width, 2 * gap + width, centre)
    return outer + barrier(x, heights[1], width, centre)


@explained
def steps(x: Positions, heights: Heights, width: Scalar, centre: Scalar) -> Float[Array, "*n_x"]:
    """A staircase: adjacent treads of equal width and given heights.

    >>> steps(jnp.array([45.5, 49.0, 53.0, 61.0]), heights=(2.0, 4.0), width=10.0, centre=50.0)
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


@explained
def triangle(
    x: Positions, height: Scalar, width: Scalar, centre: Scalar, skew: Scalar = 0.0
) -> Float[Array, "*n_x"]:
    """A triangular hill whose peak lies at centre + skew * width / 2, with skew in [-1, 1].

    >>> triangle(jnp.array([45.0, 47.5, 50.0]), height=4.0, width=10.0, centre=50.0)
    Array([0., 2., 4.], dtype=float32)
    """
    return trapezoid(x, height, width, 0.0, centre, skew)


@explained
def trapezoid(
    x: Positions,
    height: Scalar,
    width: Scalar,
    top: Scalar,
    centre: Scalar,
    skew: Scalar = 0.0,
) -> Float[Array, "*n_x"]:
    """A hill with straight flanks, `width` wide at its foot and `top` * `width` wide at its top.

    `top` lies between 0 and 1, and `skew` between -1 and 1: at 1 the right flank is vertical.

    >>> trapezoid(jnp.array([45.5, 47.0, 50.0]), height=4.0, width=10.0, top=0.6, centre=50.0)
    Array([1., 4., 4.], dtype=float32)
    """
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    require_between(0, 1, top=top)
    require_between(-1, 1, skew=skew)
    # A vertical flank is replaced by one of negligible width, which avoids 0 / 0.
    flank = jnp.maximum((1 - top) * width / 2, 1e-6 * width)
    left, right = jnp.maximum((1 + skew) * flank, 1e-6), jnp.maximum((1 - skew) * flank, 1e-6)
    rise = (x - centre + width / 2) / left
    fall = (centre + width / 2 - x) / right
    return height * jnp.clip(jnp.minimum(rise, fall), 0, 1)


@explained
def half_circle(
    x: Positions, height: Scalar, width: Scalar, centre: Scalar
) -> Float[Array, "*n_x"]:
    """An elliptic arch, height * sqrt(1 - (2 (x - centre) / width)^2) inside, else 0."""
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    inside = 1 - (2 * (x - centre) / width) ** 2
    # The inner `where` keeps the gradient finite where the square root has none.
    return jnp.where(inside > 0, height * jnp.sqrt(jnp.where(inside > 0, inside, 1)), 0)


@explained
def quadratic(x: Positions, height: Scalar, width: Scalar, centre: Scalar) -> Float[Array, "*n_x"]:
    """A parabolic hill, height * (1 - (2 (x - centre) / width)^2) inside, else 0."""
    _require_positions(x)
    require_finite(height=height, centre=centre)
    require_positive(width=width)
    return height * jnp.maximum(1 - (2 * (x - centre) / width) ** 2, 0)


@explained
def harmonic(x: Positions, omega: Scalar, centre: Scalar) -> Float[Array, "*n_x"]:
    """A harmonic trap omega^2 (x - centre)^2 / 2 over the whole axis."""
    _require_positions(x)
    require_positive(omega=omega)
    require_finite(centre=centre)
    return 0.5 * omega**2 * (x - centre) ** 2


@explained
def random(
    x: Positions,
    amplitudes: Heights,
    phases: Heights,
    height: Scalar,
    width: Scalar,
    centre: Scalar,
) -> Float[Array, "*n_x"]:
    """A smooth potential between 0 and `height`, made of sine waves.

    It is height sin^2(pi u) sigmoid(sum_m amplitudes[m] sin((m + 1) pi u + phases[m])), where u
    runs from 0 to 1 over the width. Random arguments give a random potential.
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


@explained
def wall(
    x: Along, y: Along, height: Scalar, thickness: Scalar, centre: Point, angle: Scalar = 0.0
) -> Float[Array, "*n_x"]:
    """A straight wall through the centre; at angle 0 it lies across the x axis.

    >>> x, y = jnp.array([[4.0], [5.0]]), jnp.array([[4.0, 5.0]])
    >>> wall(x, y, 3.0, thickness=1.0, centre=(5.0, 5.0))
    Array([[0., 0.],
           [3., 3.]], dtype=float32)
    """
    across, _ = turned(x, y, centre, angle)
    return barrier(across, height, thickness, 0.0)


@explained
def slit(
    x: Along,
    y: Along,
    height: Scalar,
    thickness: Scalar,
    opening: Scalar,
    centre: Point,
    angle: Scalar = 0.0,
) -> Float[Array, "*n_x"]:
    """A straight wall with one opening at its centre."""
    require_positive(opening=opening)
    _, along = turned(x, y, centre, angle)
    return jnp.where(jnp.abs(along) < opening / 2, 0, wall(x, y, height, thickness, centre, angle))


@explained
def double_slit(
    x: Along,
    y: Along,
    height: Scalar,
    thickness: Scalar,
    separation: Scalar,
    opening: Scalar,
    centre: Point,
    angle: Scalar = 0.0,
) -> Float[Array, "*n_x"]:
    """A straight wall with two openings, whose centres are `separation` apart.

    >>> x, y = jnp.array([[5.0]]), jnp.array([[3.0, 4.0, 5.0, 6.0]])
    >>> double_slit(x, y, 9.0, thickness=1.0, separation=2.0, opening=0.5, centre=(5.0, 5.0))
    Array([[9., 0., 9., 0.]], dtype=float32)
    """
    require_positive(separation=separation, opening=opening)
    require_positive(spacing=separation - opening)
    _, along = turned(x, y, centre, angle)
    is_open = jnp.abs(jnp.abs(along) - separation / 2) < opening / 2
    return jnp.where(is_open, 0, wall(x, y, height, thickness, centre, angle))


@explained
def rectangle(
    x: Along, y: Along, height: Scalar, sides: Point, centre: Point, angle: Scalar = 0.0
) -> Float[Array, "*n_x"]:
    """A rectangle with the given sides; at angle 0 the first lies along the x axis.

    >>> x, y = jnp.array([[4.0], [5.0]]), jnp.array([[4.0, 5.0]])
    >>> rectangle(x, y, -2.0, sides=(1.0, 9.0), centre=(5.0, 5.0))
    Array([[ 0.,  0.],
           [-2., -2.]], dtype=float32)
    """
    _require_pair(sides=sides)
    require_positive(sides=sides)
    _, along = turned(x, y, centre, angle)
    inside = jnp.abs(along) < sides[1] / 2
    return jnp.where(inside, wall(x, y, height, sides[0], centre, angle), 0)


@explained
def disc(x: Along, y: Along, height: Scalar, radius: Scalar, centre: Point) -> Float[Array, "*n_x"]:
    """A disc: height where the distance from the centre is below the radius, else 0.

    >>> disc(jnp.array([[4.0]]), jnp.array([[4.0, 5.0]]), 2.0, radius=1.2, centre=(5.0, 5.0))
    Array([[0., 2.]], dtype=float32)
    """
    require_finite(height=height)
    require_positive(radius=radius)
    across, along = turned(x, y, centre, 0.0)
    return jnp.where(across**2 + along**2 < radius**2, height, jnp.zeros_like(across))


@explained
def turned(
    x: Along, y: Along, centre: Point, angle: Scalar
) -> tuple[Float[Array, "*n_x"], Float[Array, "*n_x"]]:
    """Return positions relative to a centre, along two axes that are rotated by an angle."""
    require_real(x=x, y=y)
    _require_pair(centre=centre)
    require_finite(x=x, y=y, centre=centre, angle=angle)
    dx, dy = jnp.broadcast_arrays(x - centre[0], y - centre[1])
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * dx + sin * dy, cos * dy - sin * dx


def _require_positions(x: Positions) -> None:
    require_real(positions=x)
    require_finite(positions=x)


def _require_heights(n_height: int, heights: Heights) -> None:
    if len(heights) != n_height:
        refuse("heights", f"{n_height} heights", heights)


def _require_pair(**values: Point) -> None:
    for name, value in values.items():
        if len(value) != 2:
            refuse(name, "one value for each of 2 axes", value)
