"""Trajectories of pairs of packets, forecast and exact, and their images under maps."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from qdistill._checks import require_shape
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.symmetries.claims import Frames, Pair, Transformation, V
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import Chebyshev


class Trajectories(NamedTuple):
    """The given, forecast and exact frames of a pair of packets in one potential."""

    v: V
    own: Pair
    exact: Pair


@explained
def run(
    propagator: Propagator,
    given: Complex[Array, "2 n_given *n_x"],
    v: V,
    truth: Complex[Array, "2 n_frames *n_x"],
) -> Trajectories:
    """Forecast a pair of packets, and return the forecast with the exact frames.

    Args:
      propagator: The propagator.
      given: Given frames, oldest first, at least as many as it needs.
      v: Potential.
      truth: Exact frames that follow.
    """
    require_shape((2, truth.shape[1], *propagator.system.shape), truth=truth)
    own = forecast_pair(propagator, given, v, truth.shape[1])
    given = given[:, given.shape[1] - propagator.n_history :]
    return Trajectories(v, *(jnp.concatenate([given, later], axis=1) for later in (own, truth)))


@explained
def forecast_pair(
    propagator: Propagator, given: Complex[Array, "2 n_given *n_x"], v: V, n_frames: int
) -> Pair:
    """Return the forecast frames of both packets.

    The exact frames are made by this function too, so forecasts by the exact solver equal them bit
    for bit.
    """
    given = given[:, given.shape[1] - propagator.n_history :]
    return jnp.stack([forecast(propagator, each, v, n_frames) for each in given])


# The compiled function is shared by all seeds of a student.


@explained
@functools.partial(jax.jit, static_argnums=3)
def forecast(
    propagator: Propagator, given: Complex[Array, "n_given *n_x"], v: V, n_frames: int
) -> Frames:
    """Return the forecast frames."""
    return rollout(propagator, given, v, n_frames)


@explained
@functools.partial(jax.jit, static_argnums=3)
def recall(exact: Chebyshev, psi: Array, v: V, n_given: int) -> Frames:
    """Return the exact frames that lead to psi; see `harness.recall`."""
    return harness.recall(exact, psi, v, n_given)


class Images(NamedTuple):
    """The images of a potential and of both trajectories, cut after the newest given frame."""

    v: V
    own: tuple[Frames, Frames]
    exact: tuple[Frames, Frames]


@explained
def transform(system: System, n_history: int, g: Transformation, ran: Trajectories) -> Images:
    """Return the images of a potential and its trajectories under a map.

    Args:
      system: The system.
      n_history: Number of given frames, at the beginning of the trajectories.
      g: The map.
      ran: The trajectories.
    """
    times = system.dt * (np.arange(ran.own.shape[1]) + 1 - n_history)

    def image(pair: Pair) -> tuple[Array, Array]:
        frames = g.frames(system, times, pair)
        return frames[:n_history], frames[n_history:]

    return Images(g.potential(system, ran.v), image(ran.own), image(ran.exact))
