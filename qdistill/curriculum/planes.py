"""Lessons in two dimensions: free packets, and one wall, slit, rectangle or disc.

As in `lessons`, but in a square box of any size: a student that has learned in a small one runs in
a large one. Two slits, and more than one obstacle, are left for the exam.
"""

from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key

from qdistill._checks import refuse, require_between
from qdistill.physics import packets, scatterers
from qdistill.physics.grid import Grid, Scalar
from qdistill.physics.scatterers import Point

Experiment: TypeAlias = tuple[Complex[Array, "n_x n_y"], Float[Array, "n_x n_y"]]


def plane_free(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Up to three packets that fly anywhere in empty space."""
    require_plane(grid, difficulty)
    psi = _superposition(key, grid, difficulty)
    return psi, jnp.zeros(grid.shape, psi.real.dtype)


def plane_wall(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Up to three packets and a straight wall of any height, thickness and direction."""
    require_plane(grid, difficulty)
    key_psi, key_v, key_thickness = jax.random.split(key, 3)
    height, centre, angle = _place(key_v, grid, 2.0, 2 + 14 * difficulty)
    thickness = _uniform(key_thickness, 0.5, 4.0)
    v = scatterers.wall(*axes(grid), height, thickness, centre, angle)
    return _superposition(key_psi, grid, difficulty), v


def plane_slit(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Up to three packets and a wall with one opening."""
    require_plane(grid, difficulty)
    key_psi, key_v, key_thickness, key_opening = jax.random.split(key, 4)
    height, centre, angle = _place(key_v, grid, 2.0, 2 + 14 * difficulty)
    thickness, opening = _uniform(key_thickness, 0.5, 3.0), _uniform(key_opening, 0.8, 3.0)
    v = scatterers.slit(*axes(grid), height, thickness, opening, centre, angle)
    return _superposition(key_psi, grid, difficulty), v


def plane_shape(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Up to three packets and one rectangle or disc, a hill or a hole."""
    require_plane(grid, difficulty)
    key_psi, key_v, key_kind, key_sides = jax.random.split(key, 4)
    height, centre, angle = _place(key_v, grid, -2 - 8 * difficulty, 2 + 13 * difficulty)
    sides = tuple(jax.random.uniform(key_sides, (2,), float, 1.0, 6.0))
    x, y = axes(grid)
    v = jnp.where(
        jax.random.bernoulli(key_kind),
        scatterers.rectangle(x, y, height, sides, centre, angle),
        scatterers.disc(x, y, height, sides[0] / 2, centre),
    )
    return _superposition(key_psi, grid, difficulty), v


LESSONS: dict[str, Callable[[Key[Array, ""], Grid, Scalar], Experiment]] = {
    "plane-free": plane_free,
    "plane-wall": plane_wall,
    "plane-slit": plane_slit,
    "plane-shape": plane_shape,
}


def require_plane(grid: Grid, difficulty: Scalar = 1.0) -> None:
    """Refuse all but boxes of two dimensions in which a packet has room."""
    if grid.n_dim != 2 or min(grid.lengths) < 8:
        refuse("grid", "two-dimensional and at least 8 bohr along each axis", grid)
    require_between(0, 1, difficulty=difficulty)


def axes(grid: Grid) -> tuple[Float[Array, "n_x 1"], Float[Array, "1 n_y"]]:
    """Positions along both axes, shaped to broadcast."""
    return grid.positions(0), grid.positions(1)


def _superposition(
    key: Key[Array, ""], grid: Grid, difficulty: Scalar, n_packets: int = 3
) -> Complex[Array, "n_x n_y"]:
    key_packets, key_amplitudes = jax.random.split(key)

    def packet(key: Key[Array, ""]) -> Array:
        keys = jax.random.split(key, 5)
        centre = tuple(
            _uniform(k, 0.2, 0.8) * length for k, length in zip(keys, grid.lengths, strict=False)
        )
        speed = jnp.sqrt(2 * _uniform(keys[2], 0.2, 2 + 7 * difficulty))
        angle, width = _uniform(keys[3], 0, 2 * jnp.pi), _uniform(keys[4], 0.7, 2.5)
        momentum = (speed * jnp.cos(angle), speed * jnp.sin(angle))
        return packets.gaussian(grid, centre, (width, width), momentum)

    each = jax.vmap(packet)(jax.random.split(key_packets, n_packets))
    amplitudes = jax.random.normal(key_amplitudes, (n_packets,), each.dtype)
    return packets.superpose(grid, each, amplitudes)


def _place(
    key: Key[Array, ""], grid: Grid, lowest: Scalar, highest: Scalar
) -> tuple[Array, Point, Array]:
    """Height, centre and angle of an obstacle."""
    keys = jax.random.split(key, 4)
    height = _uniform(keys[0], lowest, highest)
    right, up = (
        _uniform(k, 0.3, 0.7) * length for k, length in zip(keys[1:3], grid.lengths, strict=True)
    )
    return height, (right, up), _uniform(keys[3], 0, jnp.pi)


def _uniform(key: Key[Array, ""], low: Scalar, high: Scalar) -> Array:
    return jax.random.uniform(key, (), float, low, high)
