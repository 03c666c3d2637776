"""Samplers of held-out tests in two dimensions: double slits, and sums of discs."""

from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Key

from qdistill._checks import require_at_least
from qdistill.curriculum.lessons import Sample, require_plane
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid

Range: TypeAlias = tuple[float, float]


def sample_double_slit(
    key: Key[Array, ""],
    grid: Grid,
    start: float,
    wall: float,
    aside: float = 2.0,
    widths: Sequence[Range] = ((1.5, 3.0), (2.5, 5.0)),
) -> Sample:
    """Sample a packet that flies onto a wall with two slits, at an angle of up to 0.2 radians.

    Args:
      key: Random key.
      grid: A two-dimensional grid.
      start: Initial position of the packet along the first axis, in bohr.
      wall: Position of the wall along the first axis, in bohr.
      aside: Largest distance of the packet from the middle of the second axis, in bohr.
      widths: Lowest and highest width of the packet along each axis; one pair for a round packet.
    """
    require_plane(grid)
    ranges = (
        (8.0, 15.0), (0.75, 2.0), (3.0, 6.0), (1.0, 2.0), (-aside, aside), (2.2, 4.0), (-0.2, 0.2),
        *widths,
    )  # fmt: skip
    keys = jax.random.split(key, len(ranges))
    height, thickness, separation, slit, up, speed, angle, *drawn = (
        jax.random.uniform(k, (), float, *ends) for k, ends in zip(keys, ranges, strict=True)
    )
    middle = grid.middle[1]
    width = (drawn[0], drawn[-1])
    momentum = (speed * jnp.cos(angle), speed * jnp.sin(angle))
    psi = packets.gaussian(grid, (start, middle + up), width, momentum)
    x, y = grid.positions(0), grid.positions(1)
    return psi, potentials.double_slit(x, y, height, thickness, separation, slit, (wall, middle))


def sample_discs(
    key_places: Key[Array, ""],
    key_sizes: Key[Array, ""],
    grid: Grid,
    n_discs: int,
    low: Sequence[float],
    high: Sequence[float],
) -> Float[Array, "n_x n_y"]:
    """Sample a potential that is a sum of discs.

    Args:
      key_places, key_sizes: Random keys.
      grid: A two-dimensional grid.
      n_discs: Number of discs, of radii from 0.5 to 2 bohr and heights from -6 to 9 hartree.
      low, high: Opposite corners of the rectangle of the centres, in bohr.
    """
    require_plane(grid)
    require_at_least(1, n_discs=n_discs)
    corner, sides = jnp.array([low], float), jnp.array([high], float) - jnp.array([low], float)
    places = corner + sides * jax.random.uniform(key_places, (n_discs, 2), float)
    least, spread = jnp.array([[0.5, -6.0]], float), jnp.array([[1.5, 15.0]], float)
    sizes = least + spread * jax.random.uniform(key_sizes, (n_discs, 2), float)
    x, y = grid.positions(0), grid.positions(1)
    v = jnp.zeros(grid.shape)
    for (right, up), (radius, height) in zip(places, sizes, strict=True):
        v = v + potentials.disc(x, y, height, radius, (right, up))
    # Overlapping discs must not exceed the range of the lessons.
    return jnp.clip(v, -10.0, 15.0)
