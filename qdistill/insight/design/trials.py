"""Trials in the time domain: packets are sent at a potential, and what passes is counted."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill import teacher
from qdistill._checks import refuse, require_positive
from qdistill.physics import packets
from qdistill.physics.grid import require_line
from qdistill.physics.observables import transmission_reflection
from qdistill.physics.stationary import group_velocity, omega, transmissions, wavenumber
from qdistill.system import Potential, Propagator, Step, System, Wrapped, rollout

# Widths of a packet from its middle to where it is taken to end: 6e-5 of it are beyond.
CLEAR = 4.0


class Trial(NamedTuple):
    """Packets that all meet the middle of a box at the same time.

    Attributes:
      system: Where they fly.
      psi: The packets as they start.
      duration: Of the flight, in a.u.
      left, right: Where the potential begins and ends, in bohr.
    """

    system: System
    psi: Complex[Array, "n_packet n_x"]
    duration: float
    left: float
    right: float


def prepare(
    system: System, energies: Sequence[float], width: float, extent: float, dwell: float = 0.0
) -> Trial:
    """Prepare packets of given mean energies, in the smallest box that holds their flight.

    The box has the spacing of the system's grid, and its length times a whole number. The slowest
    packet starts clear of the potential and ends clear of it; the fastest never comes around the
    box.

    Args:
      system: One-dimensional.
      energies: In hartree.
      width: Position spread S0 of the packets, in bohr.
      extent: Of the potential, in the middle of the box, in bohr.
      dwell: Time that is added for what stays inside, in a.u.

    >>> from qdistill.physics.grid import Grid
    >>> trial = prepare(System(Grid(1024, 100.0)), [3.0, 4.0], width=5.0, extent=8.0)
    >>> trial.psi.shape, trial.system.grid.lengths, round(trial.duration)
    ((2, 2048), (200.0,), 21)
    """
    grid = system.grid
    require_line(grid)
    require_positive(energies=energies, width=width, extent=extent)
    momenta = wavenumber(grid, np.asarray(energies, float))
    speeds = group_velocity(grid, momenta)
    # Most of a packet is no slower and no faster than these.
    spread = CLEAR / (2 * width)
    ends = np.array([max(momenta.min() - spread / 2, 0.1), momenta.max() + spread])
    slowest, fastest = group_velocity(grid, ends).tolist()
    before = (CLEAR * width + extent / 2) / float(speeds.min())
    after = (CLEAR * width + extent / 2) / slowest + dwell
    reach = fastest * max(before, after) + CLEAR * width
    n_boxes = math.ceil(2 * reach / grid.lengths[0])
    room = dataclasses.replace(
        grid, shape=(n_boxes * grid.shape[0],), lengths=(n_boxes * grid.lengths[0],)
    )
    middle = room.middle[0]
    psi = [
        packets.gaussian(room, middle - speed * before, width, k)
        for k, speed in zip(momenta.tolist(), speeds.tolist(), strict=True)
    ]
    edges = middle - extent / 2, middle + extent / 2
    return Trial(dataclasses.replace(system, grid=room), jnp.stack(psi), before + after, *edges)


def embed(v: Float[Array, " n_x"], n_x: int) -> Float[Array, " n_room"]:
    """Put a potential in the middle of a box of more points, zero around it."""
    more = n_x - len(v)
    if more < 0 or more % 2:
        refuse("n_x", f"{len(v)}, or more by an even number", n_x)
    return jnp.pad(v, more // 2)


class Verdict(NamedTuple):
    """The shares of packets that pass and return.

    Attributes:
      energy: Their mean energies, in hartree.
      transmitted, reflected: Probabilities in the time domain, by the exact solver.
      expected: The stationary transmission, averaged over the spectrum of each packet.
    """

    energy: Float[np.ndarray, " n_packet"]
    transmitted: Float[np.ndarray, " n_packet"]
    reflected: Float[np.ndarray, " n_packet"]
    expected: Float[np.ndarray, " n_packet"]


def verify(
    system: System,
    v: Float[Array, " n_x"],
    energies: Sequence[float],
    width: float,
    extent: float,
    dwell: float = 0.0,
) -> Verdict:
    """Send packets at a potential by the exact solver, and count what passes.

    Args:
      system: Where the potential lives.
      v: In hartree, zero outside the extent in the middle of the box.
      energies, width, extent, dwell: As in `prepare`.
    """
    trial = prepare(system, energies, width, extent, dwell)
    room = trial.system
    wide = embed(v, room.grid.shape[0])
    n_steps = math.ceil(trial.duration)
    # Each step takes about one a.u., and the bounds are those of the potential.
    long = dataclasses.replace(room, dt=trial.duration / n_steps, bounds=None)
    exact = teacher.chebyshev(long)

    def fly(psi: Array) -> Array:
        return rollout(exact, psi[None], wide, n_steps, every=n_steps)[0]

    last = jax.jit(jax.vmap(fly))(trial.psi)
    sides = jax.vmap(lambda psi: transmission_reflection(room.grid, psi, trial.left, trial.right))
    through, back = (np.asarray(side, float) for side in sides(last))
    return Verdict(np.asarray(energies, float), through, back, averages(trial, v))


def averages(trial: Trial, v: Float[Array, " n_x"]) -> Float[np.ndarray, " n_packet"]:
    """Average the stationary transmission of a potential over the spectra of packets."""
    grid = trial.system.grid
    k = grid.wavenumbers()
    weights = np.abs(np.fft.fft(np.asarray(trial.psi, complex), axis=1)) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    # Left out are waves that fly to the left, that are too slow to arrive, or of no weight.
    counts = (k > 0.05) & (weights.max(axis=0) > 1e-9)
    inside = np.flatnonzero(np.asarray(v))
    core = v[inside[0] : inside[-1] + 1] if inside.size else v[:1]
    passes = transmissions(grid, core, omega(grid, k[counts]))
    return weights[:, counts] @ np.asarray(passes, float)


def passing(
    propagator: Propagator, trial: Trial, n_frames: int
) -> Callable[[Float[Array, " n_x"]], Float[Array, " n_packet"]]:
    """Return ``v -> shares``, the probability that each packet passes, by any propagator.

    It can be differentiated: each frame is computed again on the way back (`jax.checkpoint`), so
    that only states are kept. Given frames beyond the first are solved without the potential,
    which the packets have not met.

    Args:
      propagator: Of the trial's box, such as ``emulator.on(trial.system.grid)``.
      trial: The packets; v is of the trial's grid.
      n_frames: How many are forecast.

    Raises:
      ValueError: For a propagator of another box.
    """
    grid = trial.system.grid
    if propagator.system.grid != grid:
        cure = "Take `emulator.on(trial.system.grid)`."
        refuse("propagator", f"one of {grid}", propagator.system.grid, cure)
    remade = _Remade(propagator)
    given = _given(propagator, trial.psi)

    def shares(v: Float[Array, " n_x"]) -> Float[Array, " n_packet"]:
        def share(given: Complex[Array, "n_history n_x"]) -> Float[Array, ""]:
            psi = rollout(remade, given, v, n_frames, every=n_frames)[0]
            return transmission_reflection(grid, psi, trial.left, trial.right)[0]

        return jax.vmap(share)(given)

    return shares


def _given(propagator: Propagator, psi: Array) -> Complex[Array, "n_packet n_history n_x"]:
    """The packets, and as many frames of free flight as the propagator needs."""
    if propagator.n_history == 1:
        return psi[:, None]
    free = teacher.chebyshev(dataclasses.replace(propagator.system, bounds=(0.0, 0.0)))
    flat = jnp.zeros(propagator.system.grid.shape, float)
    later = jax.vmap(lambda psi: rollout(free, psi[None], flat, propagator.n_history - 1))(psi)
    return jnp.concatenate([psi[:, None], later], axis=1)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class _Remade(Wrapped):
    """A propagator whose frames are computed again on the way back of a gradient."""

    def __call__(self, v: Potential) -> Step:
        """The step of one potential."""
        step = self.of(v)
        return step._replace(advance=jax.checkpoint(step.advance))
