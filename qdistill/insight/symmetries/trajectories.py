"""Trajectories of a pair of packets, forecast and exact, and their images under a map."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex

from qdistill.insight import harness
from qdistill.insight.symmetries.claims import Frames, Pair, Transformation, V
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import Chebyshev


class Trajectories(NamedTuple):
    """Given frames and what follows, of a pair of packets in one potential."""

    v: V
    own: Pair
    exact: Pair


def run(
    propagator: Propagator,
    given: Complex[Array, "2 n_given *n_x"],
    v: V,
    truth: Complex[Array, "2 n_frames *n_x"],
) -> Trajectories:
    """Forecast a pair of packets, and put the truth next to the forecast.

    Args:
      propagator: What is asked.
      given: Frames, oldest first, at least as many as it needs.
      v: The potential.
      truth: The frames that follow.
    """
    own = forecast_pair(propagator, given, v, truth.shape[1])
    given = given[:, given.shape[1] - propagator.n_history :]
    return Trajectories(v, *(jnp.concatenate([given, later], axis=1) for later in (own, truth)))


def forecast_pair(
    propagator: Propagator, given: Complex[Array, "2 n_given *n_x"], v: V, n_frames: int
) -> Pair:
    """The frames that follow the given ones of both packets.

    The truth is made by it too, so that forecasts of the exact solver are the truth to the bit.
    """
    given = given[:, given.shape[1] - propagator.n_history :]
    return jnp.stack([forecast(propagator, each, v, n_frames) for each in given])


# What is compiled is kept: all seeds of a student share it.


@functools.partial(jax.jit, static_argnums=3)
def forecast(
    propagator: Propagator, given: Complex[Array, "n_given *n_x"], v: V, n_frames: int
) -> Frames:
    """The frames that follow given ones."""
    return rollout(propagator, given, v, n_frames)


@functools.partial(jax.jit, static_argnums=3)
def recall(exact: Chebyshev, psi: Array, v: V, n_given: int) -> Frames:
    """The frames that lead to psi, by the exact solver; see `harness.recall`."""
    return harness.recall(exact, psi, v, n_given)


class Images(NamedTuple):
    """The image of a potential, and of both trajectories, cut after the newest given frame."""

    v: V
    own: tuple[Frames, Frames]
    exact: tuple[Frames, Frames]


def transform(system: System, n_history: int, g: Transformation, ran: Trajectories) -> Images:
    """Map a potential and its trajectories.

    Args:
      system: What is solved.
      n_history: Given frames, at the beginning of the trajectories.
      g: The map.
      ran: What is mapped.
    """
    times = system.dt * (np.arange(ran.own.shape[1]) + 1 - n_history)

    def image(pair: Pair) -> tuple[Array, Array]:
        frames = g.frames(system, times, pair)
        return frames[:n_history], frames[n_history:]

    return Images(g.potential(system, ran.v), image(ran.own), image(ran.exact))
