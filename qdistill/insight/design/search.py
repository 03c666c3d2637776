"""Gradient descent from many starts at once, and the objectives that are minimised."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float

from qdistill._checks import refuse, require_at_least, require_between, require_callable
from qdistill._refusals import explained
from qdistill.insight.design import trials
from qdistill.insight.design.tasks import SearchConfig, TaskConfig
from qdistill.physics.grid import Grid
from qdistill.physics.profiles import ProfileConfig, potential, stretch
from qdistill.physics.stationary import scatter, transmissions
from qdistill.system import System

Objective = Callable[[Array], Array]
# Number of energies at which the transmission of a design is given.
N_FINE = 801


class Found(NamedTuple):
    """The best result of many descents.

    Attributes:
      u: Parameters u_m of the potential.
      loss: Value of the objective at the end of every descent.
    """

    u: Float[Array, " n_knot"]
    loss: Float[np.ndarray, " n_start"]


@explained
def descend(config: SearchConfig, n_knot: int, loss: Objective) -> Found:
    """Minimise a function of the u_m by Adam from random starts, all in one program.

    >>> found = descend(SearchConfig(n_starts=2, n_steps=200), 3, lambda u: jnp.sum((u - 2) ** 2))
    >>> bool(jnp.all(jnp.abs(found.u - 2) < 1e-2))
    True
    """
    require_at_least(1, n_knot=n_knot)
    key = jax.random.key(config.seed)
    starts = jax.random.normal(key, (config.n_starts, n_knot), float)
    starts = config.middle + config.spread * starts
    adam = optax.adam(optax.cosine_decay_schedule(config.rate, config.n_steps))

    def go_down(u: Array) -> tuple[Array, Array]:
        def step(carry: tuple, _: None) -> tuple[tuple, None]:
            u, memory = carry
            update, memory = adam.update(jax.grad(loss)(u), memory)
            return (optax.apply_updates(u, update), memory), None

        (u, _), _ = jax.lax.scan(step, (u, adam.init(u)), None, length=config.n_steps)
        return u, loss(u)

    ends, losses = jax.jit(jax.vmap(go_down))(starts)
    losses = np.asarray(losses, float)
    if np.all(np.isnan(losses)):
        refuse("loss", "a number at the end of one descent at least", "NaN at the end of all")
    return Found(ends[int(np.nanargmin(losses))], losses)


@explained
def stationary_objective(config: SearchConfig, task: TaskConfig, grid: Grid) -> Objective:
    """Return the distance of T(E) and R(E) from the target, plus the roughness of the potential.

    The distance is that of Hellinger, 1 - sqrt(T T*) - sqrt(R R*), averaged over the energies. Near
    T* = 0 it is T / 2, where a square of T would ignore small leaks.
    """
    inside, energies = stretch(task.profile, grid), jnp.asarray(task.energies, float)
    target = jnp.asarray(task.target(task.energies), float)

    def distance(v: Array, energy: Array, target: Array) -> Array:
        found = scatter(grid, v, energy)
        # Square roots have no derivative at zero.
        overlap = jnp.sqrt(found.transmission * target + 1e-12)
        return 1 - overlap - jnp.sqrt(found.reflection * (1 - target) + 1e-12)

    def loss(u: Float[Array, " n_knot"]) -> Float[Array, ""]:
        v = potential(task.profile, grid, u)[inside]
        distances = jax.vmap(distance, (None, 0, 0))(v, energies, target)
        return jnp.mean(distances) + roughness(config, grid, v)

    return loss


@explained
def roughness(config: SearchConfig, grid: Grid, v: Float[Array, " n"]) -> Float[Array, ""]:
    """Return the weighted mean square slope of a potential."""
    return config.roughness * jnp.mean(jnp.diff(v) ** 2) / grid.dx[0] ** 2


@explained
def rollout_objective(
    config: SearchConfig,
    profile: ProfileConfig,
    grid: Grid,
    passing: Callable[[Array], Array],
    shares: tuple[float, ...],
) -> Objective:
    """Return the mean square error of the transmitted shares, plus the roughness of the potential.

    Args:
      config: Settings of the search.
      profile: Bounds and smoothness of the potential.
      grid: The grid of the packets.
      passing: ``v -> shares``, the result of `trials.passing`.
      shares: The target shares.
    """
    require_between(0, 1, shares=shares)
    require_callable(1, passing=passing)
    inside, target = stretch(profile, grid), jnp.asarray(shares, float)

    def loss(u: Float[Array, " n_knot"]) -> Float[Array, ""]:
        v = potential(profile, grid, u)
        passed = passing(v)
        if np.shape(passed) != np.shape(target):
            wanted = f"of the shape that `passing` returns, {np.shape(passed)}"
            refuse("shares", wanted, f"of shape {np.shape(target)}")
        return jnp.mean((passed - target) ** 2) + roughness(config, grid, v[inside])

    return loss


class Design(NamedTuple):
    """A designed potential, its target and its transmission.

    Attributes:
      x, v: Positions in bohr and potential in hartree, where it is not zero.
      energy: A fine grid of energies over the band, in hartree.
      target, transmission: The target transmission, and that of plane waves.
      verdict: Result of packets in the time domain.
      losses: Value of the objective at the end of every descent.
    """

    x: Float[np.ndarray, " n"]
    v: Float[np.ndarray, " n"]
    energy: Float[np.ndarray, " n_e"]
    target: Float[np.ndarray, " n_e"]
    transmission: Float[np.ndarray, " n_e"]
    verdict: trials.Verdict
    losses: Float[np.ndarray, " n_start"]


@explained
def optimise(task: TaskConfig, config: SearchConfig, system: System) -> Design:
    """Find a potential by its stationary transmission, then verify it with packets.

    Args:
      task: The target.
      config: Settings of the descent.
      system: A one-dimensional system.
    """
    grid = system.grid
    loss = stationary_objective(config, task, grid)
    found = descend(config, task.profile.n_knot, loss)
    v, inside = potential(task.profile, grid, found.u), stretch(task.profile, grid)
    energy = np.linspace(*task.band, N_FINE)
    verdict = trials.verify(
        system, v, task.packet_energies.tolist(), task.packet_width, task.profile.extent, task.dwell
    )
    return Design(
        np.asarray(grid.positions(), float)[inside],
        np.asarray(v, float)[inside],
        energy,
        task.target(energy),
        np.asarray(transmissions(grid, v[inside], energy), float),
        verdict,
        found.loss,
    )
