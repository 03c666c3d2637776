"""How a propagator responds to a potential: to a uniform one, and to a small bump."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_at_least, require_between, require_positive
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
    """Plane waves over a uniform potential V, compared with the truth, a shift of V.

    Attributes:
      k: Wavenumbers in 1/bohr.
      v: In hartree, rising, the middle one zero.
      shift: The energy by which V moves omega(k), in hartree.
      coupling: The slope of the shift over V, for each k; the truth is 1.
      coupling_error: Its standard error.
      damping: The largest change of the damping that V makes, in 1 / a.u., for each k.
    """

    k: Momenta
    v: Float[np.ndarray, " n_v"]
    shift: Float[np.ndarray, "n_k n_v"]
    coupling: Momenta
    coupling_error: Momenta
    damping: Momenta


def measure_uniform(
    propagator: Propagator, momenta: Sequence[float], v_max: float, n_v: int = 10
) -> UniformResponse:
    """Measure the phase of a frame against a uniform V, whose slope is -dt, for plane waves.

    The branch of the phase is followed from V = 0 either way. The coupling is the linear
    term of a fit with a quadratic one.

    Args:
      propagator: Of a line.
      momenta: Wavenumbers in 1/bohr; the nearest ones of the box are taken.
      v_max: Largest |V| in hartree.
      n_v: Values on either side of zero, at least 2 and enough that V dt moves by less than
        pi / 2 from one to the next.

    Raises:
      ValueError: For a system that is no plain line, and for too few values.
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
    # A wave that is gone, or that blew up, has no phase.
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
    """The response to a small bump, as a share of the first-order Dyson term.

    The change of psi after a packet has crossed the bump is split by the direction of flight.
    Forward it is the phase that the bump's area turns, backward the reflected wave, made by the
    bump's Fourier component at 2 k. The truth is 1 for both.

    Attributes:
      k: Mean momentum of the packet, in 1/bohr.
      forward, backward: <Dyson|change> / <Dyson|Dyson> among k > 0, and among k < 0.
      error: |change - Dyson| / |Dyson| of the whole, which sees wrong propagation too.
      reflected: Probability of the reflected wave in the Dyson term.
    """

    k: Momenta
    forward: Complex[np.ndarray, " n_k"]
    backward: Complex[np.ndarray, " n_k"]
    error: Momenta
    reflected: Momenta


def measure_bump(
    propagator: Propagator,
    momenta: Sequence[float],
    area: float,
    width: float,
    packet_width: float,
) -> BumpResponse:
    """Measure the response to a Gaussian bump, compared with first-order perturbation theory.

    The bump is in the middle of empty space. The change is half the difference of the forecasts
    with the bump and with it upside down, so that its own error is of third order, some
    (area / speed)^2 of it. The Dyson term -i int U(T - t) V U(t) psi0 dt is the derivative of the
    exact solver along the bump.

    Args:
      propagator: Of a line.
      momenta: Of the packets, in 1/bohr, positive. All reach the bump at the same time, so the
        largest must be at most a few times the smallest.
      area: Integral of the bump, in hartree bohr; small against the speeds.
      width: Of the bump, its standard deviation in bohr, at least the spacing.
      packet_width: S0 of the packets, in bohr.

    Raises:
      ValueError: For a system that is no plain line, and if a packet would not start in the box.
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
    """Return the derivative of psi after n frames of free flight along a potential."""
    span = 2 * float(jnp.max(jnp.abs(bump)))
    solver = solve_exactly(system, (-span, span))

    def term(psi: Array) -> Array:
        def last(v: Array) -> Array:
            return rollout(solver, psi[None], v, n_frames, every=n_frames)[0]

        return jax.jvp(last, (jnp.zeros_like(bump),), (bump,))[1]

    return jax.jit(jax.vmap(term))(psi0)


def crossing_frames(
    system: System,
    momenta: Sequence[float],
    packet_width: float,
    n_given: int,
    extent: float = 0.0,
) -> int:
    """Count the frames in which all packets fly from clear before the middle to clear after it.

    Packets that reach the middle of the box at half time start and end there at a distance that is
    proportional to their speed: 4.6 widths, and half the extent of what is in the middle, for
    the slowest.

    Args:
      system: A line.
      momenta: In 1/bohr.
      packet_width: S0, in bohr.
      n_given: Frames that are given; they are not counted.
      extent: Of what is in the middle, in bohr.

    Raises:
      ValueError: If the fastest would start within 4 widths of the edge of the box.
    """
    grid = system.grid
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


def start_packets(
    system: System, momenta: Sequence[float], packet_width: float, n_frames: int
) -> Complex[Array, "n_k n_x"]:
    """Return packets that are in the middle of the box after half of so many frames."""
    grid = system.grid
    flight = group_velocity(grid, np.asarray(momenta, float)) * system.dt * n_frames / 2
    pairs = zip((grid.middle[0] - flight).tolist(), momenta, strict=True)
    return jnp.stack([packets.gaussian(grid, x0, packet_width, k) for x0, k in pairs])
