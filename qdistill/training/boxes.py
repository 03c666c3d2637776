"""Examples for whole operators: the eigenstates of small boxes, which one frame turns by a phase.

A box cut out of a landscape around one of its edges has a few dozen eigenstates at the energies of
packets. A student's error on these after a single frame tells, to first order, its error on every
packet in that box after any number of frames, where a rollout tells that of one packet.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Complex, Float, Int, Key

from qdistill import _distribute as cluster
from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_positive,
    require_real,
    require_shape,
)
from qdistill.curriculum import lessons
from qdistill.physics.grid import Grid, Scalar


@dataclasses.dataclass(frozen=True)
class SpectraConfig:
    """The boxes, and which of their eigenstates count.

    Attributes:
      n_box: Points of a box.
      n_states: Eigenstates of a box, from the lowest.
      floor: Energy in hartree below which states hardly count: a packet that comes from where the
        landscape is zero has none of them.
      ceiling: Energy in hartree above which states hardly count.
      horizon: Frames over which errors are to add up.
    """

    n_box: int = 256
    n_states: int = 64
    floor: float = 0.0
    ceiling: float = 12.0
    horizon: int = 100

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(2, n_box=self.n_box)
        require_at_least(1, n_states=self.n_states, horizon=self.horizon)
        require_finite(floor=self.floor, ceiling=self.ceiling)
        require_positive(**{"ceiling - floor": self.ceiling - self.floor})
        if self.n_states > self.n_box:
            refuse("n_states", f"at most n_box = {self.n_box}", self.n_states)


class Spectra(NamedTuple):
    """Boxes, and their eigenstates from the lowest."""

    energies: Float[Array, "n_box n_state"]
    # Real, and of unit length: the sum of their squares is 1.
    states: Float[Array, "n_box n_state n_x"]
    v: Float[Array, "n_box n_x"]
    lesson: Int[Array, " n_box"]


class SpectraBlock(NamedTuple):
    """Spectra, and which of them make the following batches."""

    spectra: Spectra
    run: Int[Array, "n_block n_batch"]


SpectraMaker: TypeAlias = Callable[
    [Key[Array, ""], Float[Array, " n_lesson"], Scalar], SpectraBlock
]


def eigenstates(
    grid: Grid, v: Float[Array, "*n_x"], n_states: int
) -> tuple[Float[Array, " n_state"], Float[Array, "n_state *n_x"]]:
    """The lowest energies in hartree, and their states, by exact diagonalisation.

    Args:
      grid: A line, or a box of few points.
      v: The landscape on it, finite real numbers.
      n_states: How many.

    Raises:
      ValueError: For another landscape, or more states than points.

    >>> energies, states = eigenstates(Grid(64, 10.0, "continuum"), jnp.zeros(64), 3)
    >>> (energies[1:] * 2 * (10 / (2 * jnp.pi)) ** 2).round(3), states.shape
    (Array([1., 1.], dtype=float32), (3, 64))
    """
    require_real(v=v)
    require_finite(v=v)
    require_shape(grid.shape, v=v)
    require_at_least(1, n_states=n_states)
    require_between(1, v.size, n_states=n_states)
    kinetic = jnp.asarray(_kinetic_matrix(grid), v.dtype)
    _, vectors = jnp.linalg.eigh(kinetic + jnp.diag(v.ravel()))
    states = vectors[:, :n_states].T
    # The quotient is right to second order in the rounding of the states.
    energies = jnp.sum(states * (states @ kinetic + v.ravel()[None] * states), axis=1)
    return energies / jnp.sum(states**2, axis=1), states.reshape(n_states, *grid.shape)


def evolution(
    grid: Grid, v: Float[Array, "*n_x"]
) -> Callable[[Complex[Array, "*n_x"], Scalar], Complex[Array, "*n_x"]]:
    """The function ``(psi, t) -> psi`` after any time t in atomic units, in the eigenbasis of H.

    One diagonalisation per landscape, then two products with n_x^2 numbers a state. In float32 an
    energy E is right to some 1e-7 of the largest, which turns the phase by that times t.

    Args:
      grid: A line, or a box of few points.
      v: The landscape on it, in hartree.

    >>> grid = Grid(64, 10.0)
    >>> evolve = evolution(grid, jnp.zeros(64))
    >>> jnp.abs(evolve(jnp.ones(64, jnp.complex64), 100.0)).round(3)[:3]
    Array([1., 1., 1.], dtype=float32)
    """
    energies, states = eigenstates(grid, v, v.size)
    states = states.reshape(v.size, v.size)
    # Of unit length to rounding only, which would count twice.
    states = states / jnp.linalg.norm(states, axis=1, keepdims=True)

    def evolve(psi: Complex[Array, "*n_x"], t: Scalar) -> Complex[Array, "*n_x"]:
        require_shape(grid.shape, psi=psi)
        return ((jnp.exp(-1j * t * energies) * (states @ psi.ravel())) @ states).reshape(grid.shape)

    return evolve


def _kinetic_matrix(grid: Grid) -> Float[np.ndarray, "n_x n_x"]:
    row = np.fft.ifftn(grid.kinetic_energy()).real
    points = np.indices(grid.shape).reshape(grid.n_dim, -1)
    steps = (i[:, None] - i for i in points)
    return row[tuple(step % n_x for step, n_x in zip(steps, grid.shape, strict=True))]


def cut_out(key: Key[Array, ""], v: Float[Array, " n_x"], n_box: int) -> Float[Array, " n_box"]:
    """A stretch of a landscape around one of its slopes, drawn in proportion to the steepness.

    As the ground of a periodic box it may have a step where its ends meet.

    Raises:
      ValueError: For a box that is longer than the landscape.
    """
    require_at_least(1, n_box=n_box)
    require_between(2, len(v), n_box=n_box)
    require_real(v=v)
    require_finite(v=v)
    key_edge, key_shift = jax.random.split(key)
    steepness = jnp.abs(jnp.roll(v, -1) - v)
    # A flat landscape has no slope, and any stretch of it will do.
    weights = steepness + 1e-6 * (jnp.max(steepness) + 1)
    edge = jax.random.categorical(key_edge, jnp.log(weights))
    first = edge - jax.random.randint(key_shift, (), 0, n_box - 1)
    return v[(first + jnp.arange(n_box)) % len(v)]


def make_block(
    grid: Grid,
    names: tuple[str, ...],
    config: SpectraConfig,
    n_runs: int,
    shape: tuple[int, int],
    mesh: Mesh | None = None,
) -> SpectraMaker:
    """The function ``(key, weights, difficulty) -> SpectraBlock``; pure, jitted by the caller.

    Args:
      grid: One-dimensional; it gives the physics, and the box in which lessons are sampled.
      names: The lessons.
      config: The boxes.
      n_runs: Boxes in a block.
      shape: (n_block, n_batch).
      mesh: Devices that diagonalise, each its share of the boxes.

    Raises:
      ValueError: For a grid of more than one dimension, or a box that does not fit into it.
    """
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional", grid)
    if config.n_box > grid.shape[0]:
        refuse("n_box", f"at most n_x = {grid.shape[0]}", config.n_box)
    box = Grid(config.n_box, config.n_box * grid.dx[0], grid.dispersion)

    def solve(key: Key[Array, ""], weights: Array, difficulty: Scalar) -> Spectra:
        key_lesson, key_cut = jax.random.split(key)
        lesson, (_, v) = lessons.sample(key_lesson, grid, names, weights, difficulty)
        v = cut_out(key_cut, v, config.n_box)
        return Spectra(*eigenstates(box, v, config.n_states), v, lesson)

    def block(key: Key[Array, ""], weights: Array, difficulty: Scalar) -> SpectraBlock:
        key_runs, key_places = jax.random.split(key)
        keys = jax.random.split(key_runs, n_runs)
        spectra = cluster.spread(mesh, jax.vmap(solve, (0, None, None)))(keys, weights, difficulty)
        return SpectraBlock(spectra, jax.random.randint(key_places, shape, 0, n_runs))

    return block


def cut_batch(block: SpectraBlock, i: Int[Array, ""] | int) -> Spectra:
    """The i-th batch of a block, counted from 0."""
    require_between(0, len(block.run) - 1, i=i)
    return jax.tree.map(lambda leaf: leaf[block.run[i]], block.spectra)
