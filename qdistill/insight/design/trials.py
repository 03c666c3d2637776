"""Verification in the time domain: transmission of packets through a potential."""

import dataclasses
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill import teacher
from qdistill._checks import refuse, require_between, require_finite, require_positive
from qdistill._refusals import explained
from qdistill.physics import packets
from qdistill.physics.grid import require_line
from qdistill.physics.observables import transmission_reflection
from qdistill.physics.stationary import group_velocity, omega, transmissions, wavenumber
from qdistill.system import Potential, Propagator, Step, System, Wrapped, rollout

# Half-length of a packet in units of its width; 6e-5 of the probability lie beyond.
CLEAR = 4.0
# Largest number of points of the box; with more a flight takes minutes.
MOST_POINTS = 2**17


class Trial(NamedTuple):
    """The packets of a trial, which all meet the middle of a box at the same time.

    Attributes:
      system: The system of the packets.
      psi: Initial packets.
      duration: Duration of the flight, in a.u.
      left, right: Left and right end of the potential, in bohr.
    """

    system: System
    psi: Complex[Array, "n_packet n_x"]
    duration: float
    left: float
    right: float


@explained
def prepare(
    system: System, energies: Sequence[float], width: float, extent: float, dwell: float = 0.0
) -> Trial:
    """Return packets of given mean energies, in the smallest box that contains their flight.

    The box has the spacing of the system's grid and a multiple of its length. The slowest packet
    starts and ends outside the potential; the fastest does not wrap around the box.

    Args:
      system: A one-dimensional system.
      energies: Mean energies of the packets, in hartree.
      width: Position spread S0 of the packets, in bohr.
      extent: Length of the potential in the middle of the box, in bohr.
      dwell: Additional time in a.u. for waves that stay inside the potential.

    Raises:
      ValueError: For a flight that needs a box of more than 131,072 points.

    >>> from qdistill.physics.grid import Grid
    >>> trial = prepare(System(Grid(1024, 100.0)), [3.0, 4.0], width=5.0, extent=8.0)
    >>> trial.psi.shape, trial.system.grid.lengths, round(trial.duration)
    ((2, 2048), (200.0,), 21)
    """
    grid = system.grid
    require_line(grid)
    require_positive(energies=energies, width=width, extent=extent)
    require_finite(dwell=dwell)
    require_between(0, math.inf, dwell=dwell)
    width, extent, dwell = float(width), float(extent), float(dwell)
    momenta = wavenumber(grid, np.asarray(energies, float))
    speeds = group_velocity(grid, momenta)
    # Bounds on the speeds of most of a packet.
    spread = CLEAR / (2 * width)
    ends = np.array([max(momenta.min() - spread / 2, 0.1), momenta.max() + spread])
    slowest, fastest = group_velocity(grid, ends).tolist()
    before = (CLEAR * width + extent / 2) / float(speeds.min())
    after = (CLEAR * width + extent / 2) / slowest + dwell
    reach = fastest * max(before, after) + CLEAR * width
    n_boxes = math.ceil(2 * reach / grid.lengths[0])
    # The middle of an odd number of points is that of an odd number of boxes.
    n_boxes += grid.shape[0] % 2 and (n_boxes + 1) % 2
    if n_boxes * grid.shape[0] > MOST_POINTS:
        wanted = f"of a flight in a box of at most {MOST_POINTS:,} points"
        refuse("width, extent, dwell", wanted, f"of one in {n_boxes * grid.shape[0]:,}")
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


@explained
def embed(v: Float[Array, " n_x"], n_x: int) -> Float[Array, " n_room"]:
    """Return a potential in the middle of a box of more points, padded with zeros."""
    more = n_x - len(v)
    if more < 0 or more % 2:
        refuse("n_x", f"{len(v)}, or more by an even number", n_x)
    return jnp.pad(v, more // 2)


class Verdict(NamedTuple):
    """The transmitted and reflected shares of packets.

    Attributes:
      energy: Mean energies of the packets, in hartree.
      transmitted, reflected: Probabilities in the time domain, by the exact solver.
      expected: The stationary transmission, averaged over the spectrum of each packet.
    """

    energy: Float[np.ndarray, " n_packet"]
    transmitted: Float[np.ndarray, " n_packet"]
    reflected: Float[np.ndarray, " n_packet"]
    expected: Float[np.ndarray, " n_packet"]


@explained
def verify(
    system: System,
    v: Float[Array, " n_x"],
    energies: Sequence[float],
    width: float,
    extent: float,
    dwell: float = 0.0,
) -> Verdict:
    """Return the transmitted and reflected shares of packets, by the exact solver.

    Args:
      system: The system of the potential.
      v: Potential in hartree, zero outside the extent in the middle of the box.
      energies, width, extent, dwell: See `prepare`.
    """
    trial = prepare(system, energies, width, extent, dwell)
    room = trial.system
    wide = embed(v, room.grid.shape[0])
    n_steps = math.ceil(trial.duration)
    # Long steps of about one a.u. suffice, with bounds from the potential.
    long = dataclasses.replace(room, dt=trial.duration / n_steps, bounds=None)
    exact = teacher.chebyshev(long)

    def fly(psi: Array) -> Array:
        return rollout(exact, psi[None], wide, n_steps, every=n_steps)[0]

    last = jax.jit(jax.vmap(fly))(trial.psi)
    sides = jax.vmap(lambda psi: transmission_reflection(room.grid, psi, trial.left, trial.right))
    through, back = (np.asarray(side, float) for side in sides(last))
    return Verdict(np.asarray(energies, float), through, back, averages(trial, v))


@explained
def averages(trial: Trial, v: Float[Array, " n_x"]) -> Float[np.ndarray, " n_packet"]:
    """Return the stationary transmission, averaged over the spectrum of each packet."""
    grid = trial.system.grid
    k = grid.wavenumbers()
    weights = np.abs(np.fft.fft(np.asarray(trial.psi, complex), axis=1)) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    # Waves that fly left, are too slow to arrive, or have negligible weight are left out.
    counts = (k > 0.05) & (weights.max(axis=0) > 1e-9)
    inside = np.flatnonzero(np.asarray(v))
    core = v[inside[0] : inside[-1] + 1] if inside.size else v[:1]
    passes = transmissions(grid, core, omega(grid, k[counts]))
    return weights[:, counts] @ np.asarray(passes, float)


@explained
def passing(
    propagator: Propagator, trial: Trial, n_frames: int
) -> Callable[[Float[Array, " n_x"]], Float[Array, " n_packet"]]:
    """Return the function ``v -> shares``, the transmission of each packet by any propagator.

    It is differentiable: frames are recomputed in the backward pass (`jax.checkpoint`), so only
    states are stored. Given frames beyond the first are solved without the potential, which the
    packets have not reached yet.

    Args:
      propagator: A propagator on the trial's box, such as ``emulator.on(trial.system.grid)``.
      trial: The packets; v is on the trial's grid.
      n_frames: Number of frames to forecast.

    Raises:
      ValueError: For a propagator of another box.
    """
    grid = trial.system.grid
    if propagator.system.grid != grid:
        cure = "Use `emulator.on(trial.system.grid)`."
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
    """A propagator whose frames are recomputed in the backward pass of a gradient."""

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential."""
        step = self.of(v)
        return step._replace(advance=jax.checkpoint(step.advance))
