"""The response of a propagator to a uniform potential and to a small bump."""

import functools
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_at_least, require_between, require_positive
from qdistill._refusals import explained
from qdistill.forecast import cases
from qdistill.insight.harness import forecast, solve_exactly
from qdistill.insight.probes.waves import (
    Momenta,
    count_given,
    follow,
    least_squares,
    plane_waves,
    require_plain,
    transfer,
)
from qdistill.physics import packets
from qdistill.physics.stationary import group_velocity
from qdistill.system import Propagator, System, rollout


class UniformResponse(NamedTuple):
    """The response to a uniform potential V: shifts of plane-wave energies, exactly V.

    Attributes:
      k: Wavenumbers in 1/bohr.
      v: Potentials in hartree, ascending, the middle one zero.
      shift: Shift of omega(k) by V, in hartree.
      coupling: Slope of the shift over V, for each k; the exact value is 1.
      coupling_error: Standard error of the coupling.
      damping: Largest change of the damping by V, in 1 / a.u., for each k.
    """

    k: Momenta
    v: Float[np.ndarray, " n_v"]
    shift: Float[np.ndarray, "n_k n_v"]
    coupling: Momenta
    coupling_error: Momenta
    damping: Momenta


@explained
def measure_uniform(
    propagator: Propagator, momenta: Sequence[float], v_max: float, n_v: int = 10
) -> UniformResponse:
    """Measure the phase of plane waves after a frame against a uniform V; its slope is -dt.

    The branch of the phase is followed from V = 0 in both directions. The coupling is the linear
    term of a quadratic fit.

    Args:
      propagator: A one-dimensional propagator.
      momenta: Wavenumbers in 1/bohr; the nearest ones of the box are taken.
      v_max: Largest |V| in hartree.
      n_v: Number of values on either side of zero, at least 2, such that V dt changes by less than
        pi / 2 from one to the next.

    Raises:
      ValueError: For a system that is not a plain one-dimensional one, and for too few values.
    """
    system = propagator.system
    require_plain(system)
    grid, dt = system.grid, system.dt
    require_positive(v_max=v_max, dt=dt)
    require_at_least(2, n_v=n_v)
    require_between(-np.pi / grid.dx[0], np.pi / grid.dx[0], momenta=momenta)
    if v_max * dt / n_v >= np.pi / 2:
        refuse("n_v", f"above {v_max * dt / (np.pi / 2):.3g} with this v_max and dt", n_v)
    v = v_max * np.arange(-n_v, n_v + 1) / n_v
    modes = np.round(np.asarray(momenta) * grid.lengths[0] / (2 * np.pi)).astype(int)
    each_wave, each_v = np.repeat(modes, len(v)), np.tile(v, len(modes))
    waves = plane_waves(system, each_wave, each_v, count_given(propagator))
    factor, _ = transfer(propagator, waves)
    factor = factor.reshape(len(modes), len(v))
    # A wave that vanished or is not finite has no phase.
    with np.errstate(divide="ignore", invalid="ignore"):
        turned = factor / factor[:, n_v, None]
        damping = np.max(np.abs(np.log(np.abs(turned))), axis=1) / dt
    phase = -np.angle(turned)
    up = np.stack([follow(row) for row in phase[:, n_v:]])
    down = np.stack([follow(row) for row in phase[:, n_v::-1]])
    shift = np.concatenate([down[:, :0:-1], up], axis=1) / dt
    fits = [_fit_coupling(v, row) for row in shift]
    coupling, error = np.array(fits).T
    return UniformResponse(2 * np.pi * modes / grid.lengths[0], v, shift, coupling, error, damping)


def _fit_coupling(
    v: Float[np.ndarray, " n_v"], shift: Float[np.ndarray, " n_v"]
) -> tuple[float, float]:
    if not np.all(np.isfinite(shift)):
        return np.nan, np.nan
    fit = least_squares(np.stack([v, v**2], axis=1), shift)
    return float(fit.value[0]), float(fit.error[0])


class BumpResponse(NamedTuple):
    """The response to a small bump, relative to the first-order Dyson term.

    The change of psi by the bump, after a packet has crossed it, is split by direction. The forward
    part is a phase proportional to the area of the bump. The backward part is the reflected wave,
    proportional to the bump's Fourier component at 2 k. The exact value is 1 for both.

    Attributes:
      k: Mean momentum of the packet, in 1/bohr.
      forward, backward: <Dyson|change> / <Dyson|Dyson> among k > 0, and among k < 0.
      error: |change - Dyson| / |Dyson| of the whole, which includes errors of propagation.
      reflected: Probability of the reflected wave in the Dyson term.
    """

    k: Momenta
    forward: Complex[np.ndarray, " n_k"]
    backward: Complex[np.ndarray, " n_k"]
    error: Momenta
    reflected: Momenta


@explained
def measure_bump(
    propagator: Propagator,
    momenta: Sequence[float],
    area: float,
    width: float,
    packet_width: float,
) -> BumpResponse:
    """Measure the response to a Gaussian bump, compared with first-order perturbation theory.

    The bump is in the middle of an empty box. The change is half the difference of the forecasts
    with the bump and with its negative. So its relative error is of second order, about
    (area / speed)^2. The Dyson term -i int U(T - t) V U(t) psi0 dt is the derivative of the exact
    solver along the bump.

    Args:
      propagator: A one-dimensional propagator.
      momenta: Mean momenta of the packets, in 1/bohr, positive. All reach the bump at the same
        time, so the largest must be at most a few times the smallest.
      area: Integral of the bump in hartree bohr, small compared with the speeds.
      width: Standard deviation of the bump in bohr, at least the spacing.
      packet_width: Position spread S0 of the packets, in bohr.

    Raises:
      ValueError: For a system that is not a plain one-dimensional one, and if a packet would not
        start in the box.
    """
    system = propagator.system
    require_plain(system)
    grid = system.grid
    require_positive(momenta=momenta, area=area, packet_width=packet_width)
    require_between(grid.dx[0], grid.lengths[0] / 20, width=width)
    n_given = count_given(propagator)
    n_frames = crossing_frames(system, momenta, packet_width, n_given)
    psi0 = start_packets(system, momenta, packet_width, n_given - 1 + n_frames)
    bump = jnp.exp(-((grid.positions() - grid.middle[0]) ** 2) / (2 * width**2))
    bump *= area / (jnp.sum(bump) * grid.cell)

    v = jnp.repeat(jnp.stack([bump, -bump]), len(psi0), axis=0)
    solver = cases.exact(system, v)
    given = cases.simulate(solver, jnp.tile(psi0, (2, 1)), v, n_given, 1).given
    with_bump, upside_down = jnp.split(forecast(propagator, given, v, n_frames)[:, -1], 2)
    dyson = _dyson_term(system, psi0, bump, n_given - 1 + n_frames)
    true = np.fft.fft(np.asarray(dyson, complex), axis=1)
    change = np.fft.fft(np.asarray(with_bump - upside_down, complex) / 2, axis=1)
    directions = (grid.wavenumbers() > 0, grid.wavenumbers() < 0)
    power = [np.sum(np.abs(true[:, way]) ** 2, axis=1) for way in directions]
    with np.errstate(over="ignore", invalid="ignore"):
        gains = [
            np.sum(np.conj(true[:, way]) * change[:, way], axis=1) / p
            for way, p in zip(directions, power, strict=True)
        ]
        error = np.linalg.norm(change - true, axis=1) / np.linalg.norm(true, axis=1)
    reflected = power[1] * grid.cell / grid.shape[0]
    return BumpResponse(np.asarray(momenta, float), gains[0], gains[1], error, reflected)


def _dyson_term(
    system: System, psi0: Complex[Array, "n_k n_x"], bump: Float[Array, " n_x"], n_frames: int
) -> Complex[Array, "n_k n_x"]:
    """The derivative of psi after n frames of free flight with respect to a potential."""
    span = 2 * float(jnp.max(jnp.abs(bump)))
    return _dyson_terms(solve_exactly(system, (-span, span)), psi0, bump, n_frames)


@functools.partial(jax.jit, static_argnums=3)
def _dyson_terms(
    solver: Propagator, psi0: Complex[Array, "n_k n_x"], bump: Float[Array, " n_x"], n_frames: int
) -> Complex[Array, "n_k n_x"]:
    def term(psi: Array) -> Array:
        def last(v: Array) -> Array:
            return rollout(solver, psi[None], v, n_frames, every=n_frames)[0]

        return jax.jvp(last, (jnp.zeros_like(bump),), (bump,))[1]

    return jax.vmap(term)(psi0)


@explained
def crossing_frames(
    system: System,
    momenta: Sequence[float],
    packet_width: float,
    n_given: int,
    extent: float = 0.0,
) -> int:
    """Return the number of frames in which all packets cross the middle of the box completely.

    Packets reach the middle at half time, so they start and end at a distance proportional to their
    speed. For the slowest it is 4.6 widths plus half the extent of the potential.

    Args:
      system: A one-dimensional system.
      momenta: Mean momenta in 1/bohr.
      packet_width: Position spread S0, in bohr.
      n_given: Number of given frames, which are not counted.
      extent: Length of the potential in the middle, in bohr.

    Raises:
      ValueError: If the fastest packet would start within 4 widths of the edge of the box, and for
        frames backwards in time.
    """
    require_positive(dt=system.dt)
    grid, packet_width = system.grid, float(packet_width)
    speeds = group_velocity(grid, np.asarray(momenta, float))
    near = 4.6 * packet_width + extent / 2
    far = near * speeds.max() / speeds.min()
    allowed = grid.lengths[0] / 2 - 4 * packet_width
    if speeds.min() <= 0 or far > allowed:
        ratio = allowed / near
        refuse(
            "momenta",
            f"positive, with speeds within a factor of {ratio:.2g} in this box",
            [round(float(k), 3) for k in momenta],
        )
    return max(1, round(2 * near / speeds.min() / system.dt) - (n_given - 1))


@explained
def start_packets(
    system: System, momenta: Sequence[float], packet_width: float, n_frames: int
) -> Complex[Array, "n_k n_x"]:
    """Return initial packets that reach the middle of the box after n_frames / 2 frames."""
    grid = system.grid
    flight = group_velocity(grid, np.asarray(momenta, float)) * system.dt * n_frames / 2
    pairs = zip((grid.middle[0] - flight).tolist(), momenta, strict=True)
    return jnp.stack([packets.gaussian(grid, x0, packet_width, k) for x0, k in pairs])
