"""Transmission and reflection as functions of energy, and resonances of a double barrier."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from qdistill._checks import (
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.forecast import cases
from qdistill.insight.harness import forecast
from qdistill.insight.probes.response import crossing_frames, start_packets
from qdistill.insight.probes.waves import count_given, require_plain
from qdistill.physics import packets
from qdistill.physics.grid import Grid, require_line
from qdistill.physics.observables import transmission_reflection
from qdistill.physics.stationary import group_velocity, omega
from qdistill.system import Propagator


@explained
def transmission(
    grid: Grid, v: Float[Array, " n_x"], k: Inexact[np.ndarray, " n_k"]
) -> Complex[np.ndarray, " n_k"]:
    """Return the amplitude of a plane wave behind a potential, relative to empty space.

    Its squared modulus is the transmission probability. It is computed by transfer matrices,
    backwards from the outgoing wave. On the lattice
    psi_(i-1) = 2 (cos k dx + m dx^2 v_i) psi_i - psi_(i+1), which is exact for the grid. On the
    continuum v is taken as constant within half a spacing of each point, and psi and its derivative
    are continuous; the result deviates from the grid's own by order (k dx)^2.

    Args:
      grid: A one-dimensional grid.
      v: Potential in hartree, zero at both ends of the box.
      k: Wavenumbers in 1/bohr, with a real part between 0 and pi / dx, exclusive. Complex ones have
        complex energies; they describe waves that grow exponentially from the past.

    >>> from qdistill.physics import potentials
    >>> grid = Grid(256, 25.0, "continuum")
    >>> v = potentials.barrier(grid.positions(), height=1.0, width=2.0, centre=12.5)
    >>> (abs(transmission(grid, v, np.array([1.0, 2.0]))) ** 2).round(2)
    array([0.06, 0.99])
    """
    require_line(grid)
    require_shape(grid.shape, v=v)
    require_finite(v=v)
    values, dx, mass = np.asarray(v, float), grid.dx[0], grid.mass[0]
    if values[0] != 0 or values[-1] != 0:
        refuse("v", "zero at both ends of the box", (values[0], values[-1]))
    if not np.all((k.real > 0) & (k.real < np.pi / dx)):
        refuse("k", f"above 0 and below pi / dx = {np.pi / dx:.4g}", k)
    inside = np.flatnonzero(values)
    heights = values[inside[0] : inside[-1] + 1][::-1] if inside.size else values[:0]
    # Both values grow within a barrier; their size is kept apart, as a logarithm.
    growth = np.zeros_like(k, float)
    if grid.dispersion == "lattice":
        here, beyond = np.ones_like(k, complex), np.exp(1j * k * dx)
        for height in heights:
            here, beyond = 2 * (np.cos(k * dx) + mass * dx**2 * height) * here - beyond, here
            here, beyond, growth = _scaled(here, beyond, growth)
        incoming = (beyond - np.exp(-1j * k * dx) * here) / (2j * np.sin(k * dx))
    else:
        here, slope = np.ones_like(k, complex), 1j * k
        for height in heights:
            q = np.sqrt(k**2 - 2 * mass * height + 0j)
            cos, sinc = np.cos(q * dx), dx * np.sinc(q * dx / np.pi)
            here, slope = cos * here - sinc * slope, q**2 * sinc * here + cos * slope
            here, slope, growth = _scaled(here, slope, growth)
        incoming = (here + slope / (1j * k)) / 2
    return np.exp(-1j * k * dx * len(heights) - growth) / incoming


def _scaled(
    first: np.ndarray, second: np.ndarray, growth: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A pair of values over the larger one, whose logarithm is added to the growth."""
    size = np.maximum(abs(first), abs(second))
    return first / size, second / size, growth + np.log(size)


class Scattering(NamedTuple):
    """The transmission and reflection of packets at a potential.

    Attributes:
      energy: Kinetic energy on the grid at the mean momentum, in hartree.
      transmitted, reflected: Final probabilities; their sum is 1 if the norm is conserved.
      expected: Analytic transmission, averaged over the momenta of each packet.
    """

    energy: Float[np.ndarray, " n_k"]
    transmitted: Float[np.ndarray, " n_k"]
    reflected: Float[np.ndarray, " n_k"]
    expected: Float[np.ndarray, " n_k"]


@explained
def measure_scattering(
    propagator: Propagator,
    v: Float[Array, " n_x"],
    momenta: Sequence[float],
    packet_width: float,
) -> Scattering:
    """Measure transmission and reflection of broad packets, compared with the analytic curve.

    Args:
      propagator: A one-dimensional propagator.
      v: Potential in hartree, zero outside the middle of the box.
      momenta: Mean momenta of the packets, in 1/bohr, positive.
      packet_width: Position spread S0 in bohr; the momentum spread is 1 / (2 S0).

    Raises:
      ValueError: For a system that is not a plain one-dimensional one, if a packet would not start
        in the box, and if v is not zero outside its middle.
    """
    system = propagator.system
    require_plain(system)
    require_positive(momenta=momenta, packet_width=packet_width)
    grid, middle = system.grid, system.grid.middle[0]
    left, right = _extent(grid, v)
    extent = 2 * max(middle - left, right - middle, 0.0)
    n_given = count_given(propagator)
    n_frames = crossing_frames(system, momenta, packet_width, n_given, extent)
    psi0 = start_packets(system, momenta, packet_width, n_given - 1 + n_frames)
    each_v = jnp.tile(v, (len(psi0), 1))
    solver = cases.exact(system, each_v)
    given = cases.simulate(solver, psi0, each_v, n_given, 1).given
    last = forecast(propagator, given, each_v, n_frames)[:, -1]
    sides = jax.vmap(lambda psi: transmission_reflection(grid, psi, left, right))(last)
    transmitted, reflected = (np.asarray(side, float) for side in sides)
    k = grid.wavenumbers()
    rightward = (k > 0) & (k < np.pi / grid.dx[0])
    weights = np.abs(np.fft.fft(np.asarray(psi0, complex), axis=1)) ** 2
    passed = weights[:, rightward] @ np.abs(transmission(grid, v, k[rightward])) ** 2
    return Scattering(
        omega(grid, np.asarray(momenta, float)),
        transmitted,
        reflected,
        passed / weights.sum(axis=1),
    )


def _extent(grid: Grid, v: Float[Array, " n_x"]) -> tuple[float, float]:
    """The left and right end of a potential, in bohr."""
    require_shape(grid.shape, v=v)
    inside = np.flatnonzero(np.asarray(v))
    if not inside.size:
        refuse("v", "not zero everywhere", "flat")
    shares = (inside[0] + 0.5) / grid.shape[0], (inside[-1] + 1.5) / grid.shape[0]
    left, right = (grid.origin[0] + float(share) * grid.lengths[0] for share in shares)
    if shares[0] < 0.3 or shares[1] > 0.7:
        refuse("v", "zero outside the middle two fifths of the box", f"from {left:g} to {right:g}")
    return left, right


class Resonances(NamedTuple):
    """The transmission through a potential, resolved in energy, and its peaks.

    Attributes:
      energy: Energies in hartree, ascending.
      transmission: |psi / psi in empty space|^2 behind the potential, at energy + i rate.
      expected: The same by transfer matrices.
      sharp: Transmission at real energies by transfer matrices, the limit of infinite time.
      peaks, expected_peaks: Energies of the peaks of `transmission` and `expected`, in hartree.
      rate: Broadening of the peaks on either side, in hartree.
    """

    energy: Float[np.ndarray, " n_e"]
    transmission: Float[np.ndarray, " n_e"]
    expected: Float[np.ndarray, " n_e"]
    sharp: Float[np.ndarray, " n_e"]
    peaks: Float[np.ndarray, " _"]
    expected_peaks: Float[np.ndarray, " _"]
    rate: float


@explained
def measure_resonances(
    propagator: Propagator, v: Float[Array, " n_x"], momentum: float, packet_width: float
) -> Resonances:
    """Measure the transmission resolved in energy, with one short packet of all energies.

    Behind the potential psi(t) is recorded and summed as psi(t) exp(i E t - rate t), with and
    without the potential. The ratio is the transmission amplitude at the complex energy E + i rate.
    The frames end at a time t before waves return around the box. With rate = 5 / t later
    contributions would have a weight below exp(-5). The transfer matrices use the same rate.

    Args:
      propagator: A one-dimensional propagator.
      v: Potential in hartree, zero outside the middle of the box.
      momentum: Mean momentum of the packet, in 1/bohr.
      packet_width: Position spread S0 in bohr; the energies are those of momenta within 2 spreads
        1 / (2 S0) of the mean.

    Raises:
      ValueError: For a system that is not a plain one-dimensional one, if v is not zero outside the
        middle of the box, and for a packet that contains waves at rest or would not start in the
        box.
    """
    system = propagator.system
    require_plain(system)
    require_positive(packet_width=packet_width, dt=system.dt)
    grid, dt = system.grid, system.dt
    # In double precision, whatever they are given as: the frames are counted by them.
    momentum, packet_width = float(momentum), float(packet_width)
    left, right = _extent(grid, v)
    spread = 1 / (2 * packet_width)
    require_positive(slowest_momentum=momentum - 2 * spread)
    require_between(0, np.pi / grid.dx[0], fastest_momentum=momentum + 3.5 * spread)
    behind = int(np.ceil((right - grid.origin[0]) / grid.dx[0])) + 5
    start = left - 6 * packet_width - 1
    top_speed = group_velocity(grid, np.linspace(0, momentum + 3.5 * spread, 99)).max()
    duration = (grid.lengths[0] - (right - start)) / float(top_speed)
    n_given = count_given(propagator)
    n_frames = int(duration / dt) - n_given
    if start < grid.origin[0]:
        wanted = f"at most {packet_width + (start - grid.origin[0]) / 6:.3g}, to start in this box"
        refuse("packet_width", wanted, packet_width)
    if n_frames < 1:
        refuse("dt", f"at most {duration / (n_given + 1):.3g}, to fit into the flight", dt)
    psi0 = jnp.tile(packets.gaussian(grid, start, packet_width, momentum), (2, 1))
    both_v = jnp.stack([jnp.asarray(v), jnp.zeros_like(v)])
    given = cases.simulate(cases.exact(system, both_v), psi0, both_v, n_given, 1).given
    frames = forecast(propagator, given, both_v, n_frames)
    record = np.asarray(jnp.concatenate([given, frames], axis=1)[:, :, behind], complex)

    k = np.linspace(momentum - 2 * spread, momentum + 2 * spread, 600)
    energy, rate = omega(grid, k), 5 / duration
    t = dt * np.arange(record.shape[1])
    # A diverged forecast gives a transmission that is not finite.
    with np.errstate(all="ignore"):
        with_v, without = record @ np.exp(np.outer(t, 1j * energy - rate))
        measured = np.abs(with_v / without) ** 2
    at_rate = np.abs(transmission(grid, v, _wavenumber(grid, energy + 1j * rate))) ** 2
    sharp = np.abs(transmission(grid, v, k)) ** 2
    is_finite = np.all(np.isfinite(measured))
    peaks = find_peaks(energy, measured) if is_finite else np.zeros(0)
    expected_peaks = find_peaks(energy, at_rate)
    return Resonances(energy, measured, at_rate, sharp, peaks, expected_peaks, rate)


def _wavenumber(grid: Grid, energy: Complex[np.ndarray, " n"]) -> Complex[np.ndarray, " n"]:
    """The k of an energy with a positive imaginary part: a wave that decays to the right."""
    mass, dx = grid.mass[0], grid.dx[0]
    if grid.dispersion == "continuum":
        return np.sqrt(2 * mass * energy)
    return 2 * np.arcsin(np.sqrt(mass * energy / 2) * dx) / dx


@explained
def find_peaks(
    x: Float[np.ndarray, " n"], y: Float[np.ndarray, " n"], prominence: float = 0.05
) -> Float[np.ndarray, " _"]:
    """Return the positions of peaks, from parabolas through each maximum and its neighbours.

    Args:
      x: Positions, evenly spaced around each peak.
      y: The curve.
      prominence: Least fall of the curve on either side of a peak before it rises above the peak,
        as a share of its maximum, from 0 to 1.

    Raises:
      ValueError: For a curve that is not finite, and another prominence.

    >>> find_peaks(np.arange(5.0), np.array([0.0, 1.0, 1.0, 0.0, 0.0]))
    array([1.5])
    """
    require_finite(x=x, y=y)
    require_between(0, 1, prominence=prominence)
    peaks = []
    for i in range(1, len(x) - 1):
        if not y[i - 1] < y[i] >= y[i + 1]:
            continue
        # Lowest values before the curve rises above the peak, or ends.
        higher = np.flatnonzero(y > y[i])
        before = np.max(higher[higher < i], initial=-1) + 1
        after = np.min(higher[higher > i], initial=len(x))
        base = max(y[before:i].min(), y[i:after].min())
        if y[i] - base >= prominence * y.max():
            a, b, _ = np.polyfit(x[i - 1 : i + 2] - x[i], y[i - 1 : i + 2] - y[i], 2)
            peaks.append(x[i] - b / (2 * a))
    return np.array(peaks)
