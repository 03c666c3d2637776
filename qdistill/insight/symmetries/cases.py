"""Pairs of packets that meet a landscape: of the kind that is taught, and of kinds that are not."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from qdistill._checks import require_at_least
from qdistill._rollout import rollout
from qdistill.curriculum import lessons
from qdistill.forecast import baselines as generalisation
from qdistill.physics import observables
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import Grid
from qdistill.teacher import solvers as solver

TAUGHT = ("barrier", "well")
# Packets begin their frames on average here, in bohr, shortly before landscapes in the middle.
MEETING = 40.0
# The slowest of `generalisation.PACKETS` take 14 a.u. to get there.
LONGEST_FLIGHT = 16.0


class Cases(NamedTuple):
    """Given frames of a pair of packets in each case, oldest first, and the landscape of each."""

    given: Complex[Array, "n_case 2 n_given n_x"]
    v: Float[Array, "n_case n_x"]


def sample_cases(
    key: Key[Array, ""], grid: Grid, dt: float, n_case: int, n_given: int, tolerance: float = 1e-7
) -> dict[str, Cases]:
    """Cases by kind: ``"barriers"`` and ``"other landscapes"``.

    Barriers are those of the lesson `barrier`: single barriers and wells, superpositions of up to
    four packets anywhere. The others are of `generalisation.sample_cases`, without its single
    barriers and wells; each packet has flown until it meets the landscape.

    Args:
      key: Random key.
      grid: One-dimensional, of 100 bohr.
      dt: Duration of a frame, in atomic units.
      n_case: How many of either kind, at least 2.
      n_given: Frames that are given in each.
      tolerance: Of the exact solver that makes the frames, per frame.

    Raises:
      ValueError: For fewer than 2 cases, no given frame, or another grid.
    """
    require_at_least(2, n_case=n_case)
    require_at_least(1, n_given=n_given)
    key_barriers, key_others = jax.random.split(key)
    psi, v = _barriers(key_barriers, grid, n_case)
    given = _simulate(grid, dt, psi, v, n_given, tolerance)
    barriers = Cases(given, v)
    n_family = len(FAMILIES) - len(TAUGHT)
    psi, v = _others(jax.random.split(key_others, -(-n_case // n_family)), grid)
    psi, v = psi[:n_case], v[:n_case]
    # The partner is the next packet, at first onto another landscape.
    psi = jnp.stack([psi, jnp.roll(psi, 1, axis=0)], axis=1)
    n_flight = round(LONGEST_FLIGHT / dt)
    flights = _simulate(grid, dt, psi, v, n_flight + n_given, tolerance)
    given = jax.vmap(jax.vmap(functools.partial(_meeting, grid, dt, n_given)))(flights)
    return {"barriers": barriers, "other landscapes": Cases(given, v)}


@functools.partial(jax.jit, static_argnums=(1, 2))
def _barriers(key: Key[Array, ""], grid: Grid, n_case: int) -> tuple[Array, Array]:
    """Packets (n_case, 2, n_x) and landscapes."""

    def sample(key: Key[Array, ""]) -> tuple[Array, Array]:
        first, second = jax.random.split(key)
        psi, v = lessons.barrier(first, grid, 1.0)
        return jnp.stack([psi, lessons.barrier(second, grid, 1.0)[0]]), v

    return jax.vmap(sample)(jax.random.split(key, n_case))


@functools.partial(jax.jit, static_argnums=1)
def _others(keys: Key[Array, " n_key"], grid: Grid) -> tuple[Array, Array]:
    """A packet and landscape of each family that is not taught, for each key."""
    families = list(FAMILIES)
    kept = np.array([i for i, name in enumerate(families) if name not in TAUGHT])

    def one_of_each(key: Key[Array, ""]) -> tuple[Array, Array]:
        _, psi, v = generalisation.sample_cases(key, grid, len(families))
        return psi[kept], v[kept]

    psi, v = jax.vmap(one_of_each)(keys)
    return psi.reshape(-1, *grid.shape), v.reshape(-1, *grid.shape)


def _simulate(
    grid: Grid, dt: float, psi: Array, v: Array, n_frames: int, tolerance: float
) -> Complex[Array, "n_case 2 n_frames n_x"]:
    """All frames, the first among them."""
    v_range = (min(0.0, float(v.min())), max(0.0, float(v.max())))
    exact = solver.chebyshev(grid, dt, tolerance, v_range)

    def fly(psi: Array, v: Array) -> Array:
        if n_frames == 1:
            return psi[None]
        return jnp.concatenate([psi[None], rollout(exact(v), psi, n_frames - 1)])

    return jax.jit(jax.vmap(jax.vmap(fly, (0, None))))(psi, v)


def _meeting(grid: Grid, dt: float, n_given: int, flight: Array) -> Array:
    """The frames in which a packet arrives at the meeting point, had it flown freely."""
    psi = flight[0]
    time = (MEETING - observables.position(grid, psi)) / observables.momentum(grid, psi)
    first = jnp.clip(jnp.round(time / dt), 0, len(flight) - n_given).astype(int)
    return jax.lax.dynamic_slice_in_dim(flight, first, n_given)
