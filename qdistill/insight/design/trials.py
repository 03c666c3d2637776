"""Trials in the time domain: packets are sent at a landscape, and what passes is counted."""

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_positive
from qdistill._rollout import repeat
from qdistill.insight.probes.waves import group_velocity, omega
from qdistill.physics import packets
from qdistill.physics.grid import Grid, require_line
from qdistill.physics.observables import transmission_reflection
from qdistill.physics.stationary import transmissions, wavenumber
from qdistill.students import Student
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator

# Widths of a packet from its middle to where it is taken to end: 6e-5 of it are beyond.
CLEAR = 4.0


class Trial(NamedTuple):
    """Packets that all meet the middle of a box at the same time.

    Attributes:
      grid: Where they fly.
      psi: The packets as they start.
      duration: Of the flight, in a.u.
      left, right: Where the landscape begins and ends, in bohr.
    """

    grid: Grid
    psi: Complex[Array, "n_packet n_x"]
    duration: float
    left: float
    right: float


def prepare(
    grid: Grid, energies: Sequence[float], width: float, extent: float, dwell: float = 0.0
) -> Trial:
    """Packets of given mean energies, and how long they fly, in the smallest box that holds them.

    The box has the spacing of the grid, and its length times a whole number. The slowest packet
    starts clear of the landscape and ends clear of it; the fastest never comes around the box.

    Args:
      grid: One-dimensional.
      energies: In hartree.
      width: Position spread S0 of the packets, in bohr.
      extent: Of the landscape, in the middle of the box, in bohr.
      dwell: Time that is added for what stays inside, in a.u.

    >>> trial = prepare(Grid(1024, 100.0), [3.0, 4.0], width=5.0, extent=8.0)
    >>> trial.psi.shape, trial.grid.lengths, round(trial.duration)
    ((2, 2048), (200.0,), 21)
    """
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
    room = Grid(n_boxes * grid.shape[0], n_boxes * grid.lengths[0], grid.dispersion)
    middle = room.lengths[0] / 2
    psi = [
        packets.gaussian(room, middle - speed * before, width, k)
        for k, speed in zip(momenta.tolist(), speeds.tolist(), strict=True)
    ]
    edges = middle - extent / 2, middle + extent / 2
    return Trial(room, jnp.stack(psi), before + after, *edges)


def embed(v: Float[Array, " n_x"], n_x: int) -> Float[Array, " n_room"]:
    """A landscape in the middle of a box of more points, zero around it."""
    more = n_x - len(v)
    if more < 0 or more % 2:
        refuse("n_x", f"{len(v)}, or more by an even number", n_x)
    return jnp.pad(v, more // 2)


class Verdict(NamedTuple):
    """What became of packets.

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
    grid: Grid,
    v: Float[Array, " n_x"],
    energies: Sequence[float],
    width: float,
    extent: float,
    dwell: float = 0.0,
) -> Verdict:
    """Send packets at a landscape by the exact solver, and count what passes.

    Args:
      grid: Where the landscape lives.
      v: In hartree, zero outside the extent in the middle of the box.
      energies, width, extent, dwell: As in `prepare`.
    """
    trial = prepare(grid, energies, width, extent, dwell)
    wide = embed(v, trial.grid.shape[0])
    n_steps = math.ceil(trial.duration)
    step = solver.chebyshev(trial.grid, trial.duration / n_steps)(wide)
    last = jax.jit(jax.vmap(lambda psi: repeat(step, psi, n_steps)))(trial.psi)
    sides = jax.vmap(lambda p: transmission_reflection(trial.grid, p, trial.left, trial.right))
    through, back = (np.asarray(side, float) for side in sides(last))
    return Verdict(np.asarray(energies, float), through, back, averages(trial, v))


def averages(trial: Trial, v: Float[Array, " n_x"]) -> Float[np.ndarray, " n_packet"]:
    """The stationary transmission of a landscape, averaged over the spectra of packets."""
    k = trial.grid.wavenumbers()
    weights = np.abs(np.fft.fft(np.asarray(trial.psi, complex), axis=1)) ** 2
    weights /= weights.sum(axis=1, keepdims=True)
    # Waves that fly to the left, or hardly fly, or are not there, do not pass.
    counts = (k > 0.05) & (weights.max(axis=0) > 1e-9)
    inside = np.flatnonzero(np.asarray(v))
    core = v[inside[0] : inside[-1] + 1] if inside.size else v[:1]
    passes = transmissions(trial.grid, core, omega(trial.grid, k[counts]))
    return weights[:, counts] @ np.asarray(passes, float)


def passing(
    student: Student, propagator: Propagator, trial: Trial, dt: float, n_frames: int
) -> Callable[[Float[Array, " n_x"]], Float[Array, " n_packet"]]:
    """From a landscape to the probability that each packet passes, forecast by any propagator.

    It can be differentiated: each frame is computed again on the way back (`jax.checkpoint`), so
    that only states are kept. What a student needs to be given is solved without the landscape,
    which the packets have not met.

    Args:
      student: The form of the propagator.
      propagator: The student's, or the solver.
      trial: The packets; v is of the trial's grid.
      dt: Duration of a frame, in a.u.
      n_frames: How many are forecast.
    """
    grid = trial.grid
    free = solver.chebyshev(grid, dt, v_range=(0.0, 0.0))(jnp.zeros(grid.shape, float))
    given = [trial.psi]
    for _ in range(student.n_history - 1):
        given.append(jax.vmap(free)(given[-1]))
    history = jnp.stack(given, axis=1)

    def shares(v: Float[Array, " n_x"]) -> Float[Array, " n_packet"]:
        step = propagator(v)

        def advance(state: Array, _: None) -> tuple[Array, None]:
            return step(state), None

        def share(given: Complex[Array, "n_history n_x"]) -> Float[Array, ""]:
            state, _ = jax.lax.scan(
                jax.checkpoint(advance), student.state(given), None, length=n_frames
            )
            psi = student.psi(state)
            return transmission_reflection(grid, psi, trial.left, trial.right)[0]

        return jax.vmap(share)(history)

    return shares
