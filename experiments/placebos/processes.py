"""Lessons that differ in their process only, each with a placebo without it.

All packets have the same ranges of width, energy and position: a packet flies towards a place at a
distance of some widths. At this place a process begins in the lesson, and nothing in its placebo:
the potential is zero, or the second packet is missing. With one random key a lesson and its
placebo have the same packet.
"""

import functools
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key

from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, Scalar
from qdistill.system import LESSONS, lesson

# Ranges: width of packets and gaps in units of the box length, energy in hartree.
WIDTH, GAP, ENERGY = (0.01, 0.02), (0.0, 0.02), (2.0, 6.0)
# Thickness of barriers in units of the box length.
THICKNESS = (0.006, 0.015)
PLACEBO = ", placebo"
# The second scattering lesson is the same lesson under another name: their shares must agree.
PROCESSES = ("scattering", "tunnelling", "trapping", "interference", "scattering, twin")


def register() -> tuple[str, ...]:
    """Register the lessons, and return their names: those of all processes, then the placebos."""
    names = []
    for is_placebo in (False, True):
        for process in PROCESSES:
            names.append(f"matched {process}{PLACEBO if is_placebo else ''}")
            if names[-1] not in LESSONS:
                kind = process.removesuffix(", twin")
                lesson(names[-1])(functools.partial(sample, kind, is_placebo))
    return tuple(names)


def sample(
    process: str, is_placebo: bool, key: Key[Array, ""], grid: Grid, difficulty: Scalar
) -> tuple[Complex[Array, " n_x"], Float[Array, " n_x"]]:
    """Sample a packet that flies towards a process, or towards nothing."""
    del difficulty
    key_place, key_first, key_second, key_v = jax.random.split(key, 4)
    edge = grid.origin[0] + grid.lengths[0] * _uniform(key_place, (0.35, 0.65))
    key_side, key_first = jax.random.split(key_first)
    side = jax.random.rademacher(key_side, (), edge.dtype)
    psi, (width, gap, energy) = _packet(key_first, grid, edge, side)
    if process == "interference":
        other, _ = _packet(key_second, grid, edge, -side)
        if not is_placebo:
            psi = packets.superpose(grid, jnp.stack([psi, other]), jnp.ones(2, psi.dtype))
        return psi, jnp.zeros(grid.shape, psi.real.dtype)
    v = _OBSTACLES[process](key_v, grid, edge, side, energy, 3 * width + gap)
    return psi, jnp.zeros_like(v) if is_placebo else v


def _packet(
    key: Key[Array, ""], grid: Grid, edge: Scalar, side: Scalar
) -> tuple[Complex[Array, " n_x"], tuple[Scalar, Scalar, Scalar]]:
    """A packet that flies towards the edge from one side, with its width, gap and energy."""
    keys, length = jax.random.split(key, 3), grid.lengths[0]
    width, gap = (length * _uniform(k, r) for k, r in zip(keys[:2], (WIDTH, GAP), strict=True))
    energy = _uniform(keys[2], ENERGY)
    momentum = side * packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, edge - side * (3 * width + gap), width, momentum)
    return psi, (width, gap, energy)


def _barrier(
    heights: tuple[float, float],
    key: Key[Array, ""],
    grid: Grid,
    edge: Scalar,
    side: Scalar,
    energy: Scalar,
    distance: Scalar,
) -> Float[Array, " n_x"]:
    """A thin barrier behind the edge, with a height in units of the packet's energy."""
    del distance
    key_height, key_thickness = jax.random.split(key)
    thickness = grid.lengths[0] * _uniform(key_thickness, THICKNESS)
    height = energy * _uniform(key_height, heights)
    return potentials.barrier(grid.positions(), height, thickness, edge + side * thickness / 2)


def _well(
    key: Key[Array, ""], grid: Grid, edge: Scalar, side: Scalar, energy: Scalar, distance: Scalar
) -> Float[Array, " n_x"]:
    """A well that ends at the edge, deeper than the packet's energy, around the packet."""
    key_depth, key_room = jax.random.split(key)
    # Behind the packet there is as much room as in front of it, or more.
    width = 2 * distance + grid.lengths[0] * _uniform(key_room, GAP)
    depth = energy * _uniform(key_depth, (1.2, 2.0))
    return potentials.well(grid.positions(), depth, width, edge - side * width / 2)


_OBSTACLES: dict[str, Callable[..., Float[Array, " n_x"]]] = {
    "scattering": functools.partial(_barrier, (0.3, 0.9)),
    "tunnelling": functools.partial(_barrier, (1.1, 1.7)),
    "trapping": _well,
}


def _uniform(key: Key[Array, ""], ends: tuple[float, float]) -> Float[Array, ""]:
    return jax.random.uniform(key, (), float, *ends)
