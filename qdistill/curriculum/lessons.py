"""Lessons, one per physical process.

A lesson samples an experiment, ``(key, grid, difficulty) -> (psi0, v)``, in a box of 100 bohr. The
difficulty runs from 0, narrow ranges around an easy case, to 1, the whole range. Those of two
dimensions are in `planes`.
"""

import functools
import math
from collections.abc import Callable, Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int, Key

from qdistill._checks import (
    is_known,
    refuse,
    require_between,
    require_finite,
    require_one_of,
    require_shape,
)
from qdistill.curriculum import planes
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, Scalar
from qdistill.system import System

Experiment: TypeAlias = tuple[Complex[Array, "*n_x"], Float[Array, "*n_x"]]
Lesson: TypeAlias = Callable[[Key[Array, ""], Grid, Scalar], Experiment]


def free(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Dispersion: one packet in empty space, slow and broad at first, then fast and narrow too."""
    _require_box(grid, difficulty)
    energy = (0.5, _easier(difficulty, 2.0, 10.0))
    psi = _packet(key, grid, width=(_easier(difficulty, 3.0, 1.0), 5.0), energy=energy)
    return psi, jnp.zeros(grid.shape, psi.real.dtype)


def scattering(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Scattering over a barrier: the packet has more energy than the barrier is high."""
    _require_box(grid, difficulty)
    key_energy, key_barrier, key_width, key_flight = jax.random.split(key, 4)
    energy = _uniform(key_energy, 2.0, 10.0)
    height = energy * _uniform(key_barrier, 0.1, _easier(difficulty, 0.4, 0.95))
    return _collision(key_flight, grid, energy, height, _uniform(key_width, 1.0, 15.0))


def tunnelling(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Tunnelling: the barrier is higher than the energy, and thin enough to leak through.

    Its width is 1 to 2 decay lengths 1 / sqrt(2 (V - E)), and at least 3 points, so that on 1024
    points from about half down to 2% of the carrier wave gets through.
    """
    _require_box(grid, difficulty)
    key_energy, key_barrier, key_width, key_flight = jax.random.split(key, 4)
    energy = _uniform(key_energy, 1.0, 6.0)
    height = energy * _uniform(key_barrier, 1.1, _easier(difficulty, 1.4, 2.5))
    decay_length = 1 / jnp.sqrt(2 * (height - energy))
    width = jnp.maximum(decay_length * _uniform(key_width, 1.0, 2.0), 3 * grid.dx[0])
    return _collision(key_flight, grid, energy, height, width)


def interference(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Interference: two packets, or at full difficulty up to four, that overlap in empty space."""
    _require_box(grid, difficulty)
    key_centre, key_packets, key_amplitudes = jax.random.split(key, 3)
    middle = _uniform(key_centre, 0.3, 0.7) * grid.lengths[0]
    sample = jax.vmap(lambda k: _packet(k, grid, (1.5, 5.0), (0.5, 10.0), (middle - 6, middle + 6)))
    pair = sample(jax.random.split(key_packets, 4))
    amplitudes = jax.random.normal(key_amplitudes, (4,), pair.dtype)
    present = jnp.array([1.0, 1.0, difficulty, difficulty], pair.real.dtype)
    psi = packets.superpose(grid, pair, amplitudes * present)
    return psi, jnp.zeros(grid.shape, psi.real.dtype)


def trapping(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Trapping: a packet starts inside a well that is deeper than its kinetic energy."""
    _require_box(grid, difficulty)
    key_depth, key_energy, key_width, key_packet, key_centre = jax.random.split(key, 5)
    depth = _uniform(key_depth, 2.0, _easier(difficulty, 5.0, 12.0))
    energy = depth * _uniform(key_energy, 0.1, 0.8)
    width = _uniform(key_width, 8.0, 24.0)
    centre = _uniform(key_centre, 0.35, 0.65) * grid.lengths[0]
    psi = _packet(key_packet, grid, (1.0, 2.0), (energy, energy), (centre, centre))
    return psi, potentials.well(grid.positions(), depth, width, centre)


def barrier(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """The single rectangular barrier in general: of any height and width, below zero too.

    A superposition of up to four packets anywhere in the box, also over the barrier, flying
    either way. The ranges open with the difficulty: heights from +-2 to (-12, 15).
    """
    _require_box(grid, difficulty)
    key_psi, key_height, key_width, key_centre = jax.random.split(key, 4)
    ranges = packets.PacketRanges((12.0, 88.0), (1.0, 6.0), (0.2, 11.0))
    psi = packets.sample_superposition(key_psi, grid, 4, ranges)
    height = _uniform(key_height, _easier(difficulty, -2, -12), _easier(difficulty, 2, 15))
    width = _uniform(key_width, 0.5, 25.0)
    centre = _uniform(key_centre, 0.3, 0.7) * grid.lengths[0]
    return psi, potentials.barrier(grid.positions(), height, width, centre)


def landscapes(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """Superpositions of up to four packets over a random landscape of any family."""
    _require_box(grid, difficulty)
    key_psi, *keys_v = jax.random.split(key, 3)
    ranges = packets.PacketRanges((12.0, 88.0), (1.0, 6.0), (0.2, 11.0))
    psi = packets.sample_superposition(key_psi, grid, 4, ranges)
    return psi, _easier(difficulty, 0.2, 1.0) * _any_family(keys_v, grid)


def encounters(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Experiment:
    """One packet that flies onto a random landscape of any family, from either side."""
    _require_box(grid, difficulty)
    key_packet, key_side, *keys_v = jax.random.split(key, 4)
    key_centre, key_width, key_energy = jax.random.split(key_packet, 3)
    side = jax.random.rademacher(key_side, (), float)
    centre = grid.lengths[0] * (0.5 - side * _uniform(key_centre, 0.25, 0.4))
    momentum = side * jnp.sqrt(2 * _uniform(key_energy, 1.0, 9.5))
    psi = packets.gaussian(grid, centre, _uniform(key_width, 1.0, 5.0), momentum)
    return psi, _easier(difficulty, 0.2, 1.0) * _any_family(keys_v, grid)


def _any_family(keys: Sequence[Key[Array, ""]], grid: Grid) -> Float[Array, " n_x"]:
    key_family, key_v = keys
    branches = [
        functools.partial(potentials.sample, x=grid.positions(), family=family)
        for family in potentials.FAMILIES
    ]
    index = jax.random.randint(key_family, (), 0, len(branches))
    return jax.lax.switch(index, [lambda k, b=b: b(k) for b in branches], key_v)


def _paper(
    heights: Sequence[float], key: Key[Array, ""], grid: Grid, difficulty: Scalar
) -> Experiment:
    """A run of the paper's curriculum: one packet flying right, one barrier 7 bohr wide at 50."""
    _require_box(grid, difficulty)
    # The difficulty changes nothing: the paper draws from one fixed set.
    key_centre, key_width, key_energy, key_height = jax.random.split(key, 4)
    dtype = grid.positions().dtype
    centre = jax.random.choice(key_centre, jnp.array([10.0, 40.0, 70.0], dtype))
    width = jax.random.choice(key_width, jnp.arange(1.0, 4.5, 0.5, dtype))
    energy = jax.random.choice(key_energy, jnp.arange(1.0, 10.0, dtype=dtype))
    height = jax.random.choice(key_height, jnp.array(heights, dtype))
    psi = packets.gaussian(grid, centre, width, jnp.sqrt(2 * energy))
    return psi, potentials.barrier(grid.positions(), height, 7.0)


LESSONS: dict[str, Lesson] = {
    "free": free,
    "scattering": scattering,
    "tunnelling": tunnelling,
    "interference": interference,
    "trapping": trapping,
    "barrier": barrier,
    "landscapes": landscapes,
    "encounters": encounters,
    **planes.LESSONS,
    "paper-demo": functools.partial(_paper, (2.0, 5.0, 10.0)),
    "paper-full": functools.partial(_paper, tuple(float(height) for height in range(1, 15))),
}


def sample(
    key: Key[Array, ""],
    system: System,
    lessons: tuple[str, ...],
    weights: Float[Array, " n_lesson"],
    difficulty: Scalar,
) -> tuple[Int[Array, ""], Experiment]:
    """Draw a lesson by its weight, and an experiment from it.

    Args:
      key: Random key.
      grid: A line of 100 bohr, or for lessons in two dimensions a square.
      lessons: Names in `LESSONS`.
      weights: Relative, not negative; an array, so that changing it recompiles nothing.
      difficulty: Between 0 and 1.

    Returns:
      The index of the lesson, and its experiment (psi0, v).

    >>> index, (psi, v) = sample(
    ...     jax.random.key(0), Grid(), ("free", "barrier"), jnp.array([0.0, 1.0]), 1.0
    ... )
    >>> int(index), psi.shape, v.shape
    (1, (1024,), (1024,))
    """
    for name in lessons:
        require_one_of(LESSONS, lessons=name)
    require_shape((len(lessons),), weights=weights)
    require_finite(weights=weights)
    require_between(0, math.inf, weights=weights)
    if is_known(weights) and not np.any(np.asarray(weights)):
        refuse("weights", "not all zero", weights)
    require_between(0, 1, difficulty=difficulty)
    key_lesson, key_experiment = jax.random.split(key)
    index = jax.random.categorical(key_lesson, jnp.log(weights))
    branches = [
        lambda k, lesson=LESSONS[name]: lesson(k, system.grid, difficulty) for name in lessons
    ]
    return index, jax.lax.switch(index, branches, key_experiment)


def _require_box(grid: Grid, difficulty: Scalar) -> None:
    if grid.lengths != (100.0,):
        refuse("grid", "one-dimensional and 100 bohr long", grid)
    require_between(0, 1, difficulty=difficulty)


def _collision(
    key: Key[Array, ""], grid: Grid, energy: Scalar, height: Scalar, width: Scalar
) -> Experiment:
    """A packet close before a barrier in the middle of the box, flying towards it."""
    key_width, key_gap, key_side = jax.random.split(key, 3)
    middle = grid.lengths[0] / 2
    s0 = _uniform(key_width, 1.0, 4.0)
    distance = width / 2 + 3 * s0 + _uniform(key_gap, 0.0, 4.0)
    side = jax.random.rademacher(key_side, (), s0.dtype)
    psi = packets.gaussian(grid, middle - side * distance, s0, side * jnp.sqrt(2 * energy))
    return psi, potentials.barrier(grid.positions(), height, width, middle)


def _packet(
    key: Key[Array, ""],
    grid: Grid,
    width: tuple[Scalar, Scalar],
    energy: tuple[Scalar, Scalar],
    centre: tuple[Scalar, Scalar] = (15.0, 85.0),
) -> Complex[Array, " n_x"]:
    return packets.sample_gaussian(key, grid, packets.PacketRanges(centre, width, energy))


def _uniform(key: Key[Array, ""], low: Scalar, high: Scalar) -> Array:
    return jax.random.uniform(key, (), float, low, high)


def _easier(difficulty: Scalar, easy: float, hard: float) -> Scalar:
    return easy + (hard - easy) * difficulty
