"""Spectral examples: eigenstates of small boxes, which the exact frame multiplies by phases.

A box cut out of a potential around one of its edges has a few dozen eigenstates at the energies of
packets. A student's error on them after one frame determines, to first order, its error on every
packet in that box after any number of frames. A rollout gives the error on one packet only.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Float, Int, Key

from qdistill import _distribute as cluster
from qdistill._checks import (
    refuse,
    require_arrays,
    require_at_least,
    require_between,
    require_finite,
    require_no_channels,
    require_positive,
    require_real,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.curriculum import sampling
from qdistill.curriculum.schedules import Difficulty
from qdistill.physics.eigenstates import eigenstates
from qdistill.physics.grid import Grid, Scalar, require_line
from qdistill.system import System


@explained
@dataclasses.dataclass(frozen=True)
class SpectraConfig:
    """Settings of the boxes, and the weights of their eigenstates.

    Attributes:
      n_box: Points of a box.
      n_states: Number of eigenstates of a box, from the lowest.
      floor: Energy in hartree below which states have little weight: a packet that comes from a
        region of zero potential does not contain them.
      ceiling: Energy in hartree above which states have little weight.
      horizon: Number of frames over which errors accumulate in the loss.
    """

    n_box: int = 256
    n_states: int = 64
    floor: float = 0.0
    ceiling: float = 12.0
    horizon: int = 100

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(2, n_box=self.n_box)
        require_at_least(1, n_states=self.n_states, horizon=self.horizon)
        require_finite(floor=self.floor, ceiling=self.ceiling)
        require_positive(**{"ceiling - floor": self.ceiling - self.floor})
        if self.n_states > self.n_box:
            refuse("n_states", f"at most n_box = {self.n_box}", self.n_states)


class Spectra(NamedTuple):
    """The potentials of boxes, with their lowest eigenstates."""

    energies: Float[Array, "n_box n_state"]
    # Real, with sum of squares 1.
    states: Float[Array, "n_box n_state n_x"]
    v: Float[Array, "n_box n_x"]
    lesson: Int[Array, " n_box"]


class SpectraBlock(NamedTuple):
    """The spectra of a block, and the indices that make its batches."""

    spectra: Spectra
    run: Int[Array, "n_block n_batch"]


SpectraMaker: TypeAlias = Callable[
    [Key[Array, ""], Float[Array, " n_lesson"], Difficulty], SpectraBlock
]


@explained
def cut_out(key: Key[Array, ""], v: Float[Array, " n_x"], n_box: int) -> Float[Array, " n_box"]:
    """Return a section of a potential around a random slope, drawn in proportion to steepness.

    Used in a periodic box, it may have a step where its ends meet.

    Raises:
      ValueError: For a box that is longer than the potential.
    """
    require_at_least(1, n_box=n_box)
    require_between(2, len(v), n_box=n_box)
    require_real(v=v)
    require_finite(v=v)
    key_edge, key_shift = jax.random.split(key)
    steepness = jnp.abs(jnp.roll(v, -1) - v)
    # A flat potential has no slope; any section of it will do.
    weights = steepness + 1e-6 * (jnp.max(steepness) + 1)
    edge = jax.random.categorical(key_edge, jnp.log(weights))
    first = edge - jax.random.randint(key_shift, (), 0, n_box - 1)
    return v[(first + jnp.arange(n_box)) % len(v)]


def _smoothed(grid: Grid, v: Float[Array, " n_x"], width: Scalar) -> Float[Array, " n_x"]:
    """A potential convolved with a Gaussian of a standard deviation in bohr, on a periodic box."""
    k = jnp.asarray(grid.wavenumbers()[: grid.shape[0] // 2 + 1], v.dtype)
    return jnp.fft.irfft(jnp.exp(-((width * k) ** 2) / 2) * jnp.fft.rfft(v), len(v))


@explained
def box_of(system: System, config: SpectraConfig) -> System:
    """Return the system in a box of `n_box` points."""
    grid = system.grid
    box = Grid(config.n_box, config.n_box * grid.dx[0], grid.dispersion, mass=grid.mass)
    return dataclasses.replace(system, grid=box)


@explained
def make_block(
    system: System,
    names: tuple[str, ...],
    config: SpectraConfig,
    n_runs: int,
    shape: tuple[int, int],
    mesh: Mesh | None = None,
    softness: float = 0.0,
) -> SpectraMaker:
    """Return the pure function ``(key, weights, difficulty) -> SpectraBlock``, to be jitted.

    Args:
      system: A one-dimensional system; its lessons are sampled in its whole box.
      names: Names of the lessons.
      config: Settings of the boxes.
      n_runs: Number of boxes in a block.
      shape: (n_block, n_batch).
      mesh: Devices that share the boxes.
      softness: Largest width in bohr of a Gaussian that smooths the potential of a box with the
        probability 1/4, so that lessons of vertical edges determine the phases on gentle slopes.

    Raises:
      ValueError: For a grid of more than one dimension, a box that does not fit into it, or a
        system that overrides `local`.
    """
    require_at_least(1, n_runs=n_runs, n_block=shape[0], n_batch=shape[1])
    require_between(0, float("inf"), softness=softness)
    grid = system.grid
    require_line(grid)
    require_no_channels(system)
    if not system.has_plain_potential:
        refuse("system", "one whose potential is its own values", type(system).__name__)
    if config.n_box > grid.shape[0]:
        refuse("n_box", f"at most n_x = {grid.shape[0]}", config.n_box)
    box = box_of(system, config).grid

    def solve(key: Key[Array, ""], weights: Array, difficulty: Difficulty) -> Spectra:
        key_lesson, key_cut = jax.random.split(key)
        lesson, (_, v) = sampling.sample(key_lesson, system, names, weights, difficulty)
        v = cut_out(key_cut, v, config.n_box)
        if softness:
            drawn = jax.random.uniform(jax.random.fold_in(key_cut, 1), (), v.dtype, -3)
            v = _smoothed(box, v, softness * jnp.maximum(drawn, 0))
        return Spectra(*eigenstates(box, v, config.n_states), v, lesson)

    def block(key: Key[Array, ""], weights: Array, difficulty: Difficulty) -> SpectraBlock:
        key_runs, key_places = jax.random.split(key)
        keys = jax.random.split(key_runs, n_runs)
        spectra = cluster.spread(mesh, jax.vmap(solve, (0, None, None)))(keys, weights, difficulty)
        # Every box as often as any other.
        n_drawn = shape[0] * shape[1]
        run = jnp.arange(max(n_drawn, n_runs)) % n_runs
        run = jax.random.permutation(key_places, run)[:n_drawn]
        return SpectraBlock(spectra, run.reshape(shape))

    return block


@explained
def cut_batch(block: SpectraBlock, i: Int[Array, ""] | int) -> Spectra:
    """Return the i-th batch of a block, counted from 0."""
    require_arrays(block=block)
    require_between(0, len(block.run) - 1, i=i)
    return jax.tree.map(lambda leaf: leaf[block.run[i]], block.spectra)
