"""Landscapes in two dimensions: walls, slits, rectangles and discs with sharp edges.

Lengths are in bohr, energies in hartree and angles in radians. A negative height turns any of them
upside down. `potentials.double_slit` is the landscape of the exam.
"""

from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, Float

from qdistill._checks import refuse, require_finite, require_positive, require_real
from qdistill.physics import potentials
from qdistill.physics.grid import Scalar

Along: TypeAlias = Float[Array, "*#n_x"]
Point: TypeAlias = tuple[Scalar, Scalar]


def wall(
    x: Along, y: Along, height: Scalar, thickness: Scalar, centre: Point, angle: Scalar = 0.0
) -> Float[Array, "*n_x"]:
    """A straight wall through the centre; at angle 0 it stands across the x axis.

    >>> x, y = jnp.array([[4.0], [5.0]]), jnp.array([[4.0, 5.0]])
    >>> wall(x, y, 3.0, thickness=1.0, centre=(5.0, 5.0))
    Array([[0., 0.],
           [3., 3.]], dtype=float32)
    """
    across, _ = turned(x, y, centre, angle)
    return potentials.barrier(across, height, thickness, 0.0)


def slit(
    x: Along,
    y: Along,
    height: Scalar,
    thickness: Scalar,
    opening: Scalar,
    centre: Point,
    angle: Scalar = 0.0,
) -> Float[Array, "*n_x"]:
    """A straight wall with one opening, around the centre."""
    require_positive(opening=opening)
    _, along = turned(x, y, centre, angle)
    return jnp.where(jnp.abs(along) < opening / 2, 0, wall(x, y, height, thickness, centre, angle))


def rectangle(
    x: Along, y: Along, height: Scalar, sides: Point, centre: Point, angle: Scalar = 0.0
) -> Float[Array, "*n_x"]:
    """A block with the given sides; at angle 0 the first lies along the x axis.

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


def disc(x: Along, y: Along, height: Scalar, radius: Scalar, centre: Point) -> Float[Array, "*n_x"]:
    """A disc: height where the distance from the centre is below the radius, else 0.

    >>> disc(jnp.array([[4.0]]), jnp.array([[4.0, 5.0]]), 2.0, radius=1.2, centre=(5.0, 5.0))
    Array([[0., 2.]], dtype=float32)
    """
    require_finite(height=height)
    require_positive(radius=radius)
    across, along = turned(x, y, centre, 0.0)
    return jnp.where(across**2 + along**2 < radius**2, height, jnp.zeros_like(across))


def turned(
    x: Along, y: Along, centre: Point, angle: Scalar
) -> tuple[Float[Array, "*n_x"], Float[Array, "*n_x"]]:
    """Positions relative to a centre, along two axes that are turned by an angle."""
    require_real(x=x, y=y)
    _require_pair(centre=centre)
    require_finite(x=x, y=y, centre=centre, angle=angle)
    dx, dy = jnp.broadcast_arrays(x - centre[0], y - centre[1])
    cos, sin = jnp.cos(angle), jnp.sin(angle)
    return cos * dx + sin * dy, cos * dy - sin * dx


def _require_pair(**values: Point) -> None:
    for name, value in values.items():
        if len(value) != 2:
            refuse(name, "one value for each of 2 axes", value)
