"""Plane waves: the dispersion relation of a propagator, and a fit of it with errors."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float, Int

from qdistill._checks import (
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.insight.harness import forecast
from qdistill.physics.grid import require_line
from qdistill.physics.stationary import group_velocity, omega
from qdistill.system import Propagator, System

Momenta = Float[np.ndarray, " n_k"]


@explained
def require_plain(system: System) -> None:
    """Refuse a system that is not one-dimensional with one static real potential."""
    require_line(system.grid)
    if type(system) is not System or system.n_channel:
        wanted = "a plain System, without channels"
        refuse("system", wanted, f"{type(system).__name__} with n_channel = {system.n_channel}")


@explained
def count_given(propagator: Propagator) -> int:
    """Return the number of exact frames given to a propagator, that of the held-out test."""
    return max(BenchmarkConfig().n_given, propagator.n_history)


@explained
def plane_waves(
    system: System, modes: Int[np.ndarray, " n"], v: Float[np.ndarray, " n"], n_given: int
) -> Cases:
    """Return plane waves exp(i k x) / sqrt(L), each over a uniform potential, in closed form.

    Every wave has norm 1, and one frame follows the given ones.

    Args:
      system: A one-dimensional system.
      modes: Wavenumbers in units of 2 pi / L.
      v: Potential of each wave, in hartree.
      n_given: Number of given frames.
    """
    require_plain(system)
    grid = system.grid
    n_x, length = grid.shape[0], grid.lengths[0]
    # The phase is reduced modulo 2 pi in integers: k x has a rounding error of 1e-4 in float32.
    turns = np.outer(modes, np.arange(1, n_x + 1)) % n_x / n_x
    waves = np.exp(2j * np.pi * turns) / np.sqrt(length)
    energies = omega(grid, 2 * np.pi * modes / length) + v
    phases = np.exp(-1j * system.dt * np.outer(energies, np.arange(n_given + 1)))
    real = jnp.zeros(0, float).dtype
    frames = jnp.asarray(waves[:, None] * phases[:, :, None], jnp.result_type(real, jnp.complex64))
    uniform = jnp.asarray(np.broadcast_to(v[:, None], (len(v), n_x)), real)
    return Cases(frames[:, :n_given], uniform, frames[:, n_given:])


@explained
def transfer(
    propagator: Propagator, waves: Cases
) -> tuple[Complex[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Return the factor of each wave in one frame, and the share of the norm in other waves."""
    frames = forecast(propagator, waves.given, waves.v, 1)[:, 0]
    start, end = (np.asarray(array, complex) for array in (waves.given[:, -1], frames))
    factor = np.sum(np.conj(start) * end, axis=1) / np.sum(np.abs(start) ** 2, axis=1)
    rest = np.linalg.norm(end - factor[:, None] * start, axis=1)
    with np.errstate(invalid="ignore", divide="ignore"):
        return factor, rest / np.linalg.norm(end, axis=1)


class WaveResponse(NamedTuple):
    """The response of a propagator to plane waves of both directions after one frame.

    A frame maps exp(i k x) to exp(-i omega dt - damping dt) exp(i k x) plus other waves.

    Attributes:
      k: Wavenumbers in 1/bohr, ascending from 0.
      omega: Frequency in hartree, mean of both directions; NaN beyond the k where its branch is
        lost.
      damping: Damping in 1 / a.u., likewise; negative for waves that grow.
      asymmetry: Half the difference of omega between the directions, in hartree.
      leakage: Share of the norm in other waves, the larger of both directions.
    """

    k: Momenta
    omega: Momenta
    damping: Momenta
    asymmetry: Momenta
    leakage: Momenta


@explained
def measure_dispersion(propagator: Propagator, k_max: float) -> WaveResponse:
    """Measure the dispersion relation of a propagator, from one frame of each plane wave.

    The phase of a wave is known modulo 2 pi, so omega is known modulo 2 pi / dt. It is taken
    between -pi / dt and pi / dt at k = 0, and followed upwards in |k|. Where it changes by more
    than pi / 2 between neighbouring waves, the branch is lost, and omega is NaN from there on.

    Args:
      propagator: A one-dimensional propagator; past frames that it needs are exact.
      k_max: Largest wavenumber in 1/bohr, at most pi / dx.

    Raises:
      ValueError: For a system that is not a plain one-dimensional one, and for a box so short or a
        frame so long that the exact phase changes by pi / 2 between neighbouring waves.
    """
    system = propagator.system
    require_plain(system)
    require_positive(dt=system.dt)
    grid, dt = system.grid, system.dt
    spacing = 2 * np.pi / grid.lengths[0]
    require_between(spacing, np.pi / grid.dx[0], k_max=k_max)
    n = int(k_max / spacing + 1e-9)
    fastest = np.max(np.abs(group_velocity(grid, spacing * np.arange(n + 1))))
    if fastest * spacing * dt >= np.pi / 2:
        refuse("dt", f"below {np.pi / 2 / (fastest * spacing):.3g} in this box", dt)
    modes = np.concatenate([np.arange(n + 1), -np.arange(n + 1)])
    waves = plane_waves(system, modes, np.zeros(len(modes)), count_given(propagator))
    factor, leakage = transfer(propagator, waves)
    phase = np.stack([follow(row) for row in -np.angle(factor.reshape(2, -1))])
    with np.errstate(divide="ignore"):
        damping = -np.log(np.abs(factor.reshape(2, -1))) / dt
    return WaveResponse(
        spacing * np.arange(n + 1),
        phase.mean(axis=0) / dt,
        damping.mean(axis=0),
        (phase[0] - phase[1]) / (2 * dt),
        leakage.reshape(2, -1).max(axis=0),
    )


@explained
def follow(phase: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """Return a phase on the branch of its first value; NaN from a step above pi / 2 on.

    >>> follow(np.array([3.0, -3.0, -2.5, 0.0]))
    array([3.        , 3.28318531, 3.78318531,        nan])
    """
    steps = np.diff(phase)
    steps = steps - 2 * np.pi * np.round(steps / (2 * np.pi))
    known = np.cumprod(np.abs(steps) <= np.pi / 2).astype(bool)
    return np.append(phase[:1], np.where(known, phase[0] + np.cumsum(steps), np.nan))


class Series(NamedTuple):
    """The coefficients of omega = offset + k^2 / (2 mass) + quartic k^4 + ..., in atomic units."""

    offset: float
    mass: float
    quartic: float


class SeriesFit(NamedTuple):
    """A fit of a dispersion relation: values, standard errors, rms residual in hartree."""

    value: Series
    error: Series
    residual: float


@explained
def fit_dispersion(k: Momenta, omega: Momenta, k_max: float) -> SeriesFit:
    """Fit the effective mass and the quartic term of a dispersion relation, over |k| <= k_max.

    The model omega = offset + k^2 / (2 m) + q k^4 + s k^6 is fitted by least squares with equal
    weights. The lattice has q = -dx^2 / (24 m), the continuum q = 0. The errors include the scatter
    and correlation of the residuals, and the change by the next term, k^8.

    Args:
      k: Wavenumbers in 1/bohr, not negative.
      omega: Frequencies in hartree.
      k_max: Largest wavenumber of the fit, such as the largest in the lessons.

    Raises:
      ValueError: For fewer than 10 waves up to k_max, or an omega there that is not finite.
    """
    require_positive(k_max=k_max)
    require_shape(np.shape(k), omega=omega)
    taught = k <= k_max
    if np.sum(taught) < 10:
        refuse("k", f"of at least 10 waves up to k_max = {k_max:g}", f"of {np.sum(taught)}")
    require_finite(omega=omega[taught])
    u = (k[taught] / k_max) ** 2
    fit = least_squares(np.stack([u**i for i in range(4)], axis=1), omega[taught])
    longer = least_squares(np.stack([u**i for i in range(5)], axis=1), omega[taught])
    error = np.hypot(fit.error, longer.value[:4] - fit.value)
    # If the slope is zero, the mass is infinite.
    with np.errstate(divide="ignore", invalid="ignore"):
        mass = k_max**2 / (2 * fit.value[1])
        mass_error = abs(mass * error[1] / fit.value[1])
    value = Series(float(fit.value[0]), float(mass), float(fit.value[2] / k_max**4))
    errors = Series(float(error[0]), float(mass_error), float(error[2] / k_max**4))
    return SeriesFit(value, errors, fit.residual)


class Fit(NamedTuple):
    """A fit of a linear model: coefficients, standard errors and rms residual."""

    value: Float[np.ndarray, " n_term"]
    error: Float[np.ndarray, " n_term"]
    residual: float


@explained
def least_squares(terms: Float[np.ndarray, "n n_term"], y: Float[np.ndarray, " n"]) -> Fit:
    """Fit y = terms @ value, with errors from the scatter of the residuals.

    Neighbouring residuals of a smooth curve are correlated. So the errors are those for independent
    residuals, times the square root of the correlation length in points.
    """
    scale = np.linalg.norm(terms, axis=0)
    value, *_ = np.linalg.lstsq(terms / scale, y, rcond=None)
    residual = y - terms / scale @ value
    freedom = max(1, len(y) - terms.shape[1])
    variance = residual @ residual / freedom * correlation_length(residual)
    covariance = np.linalg.inv((terms / scale).T @ (terms / scale)) * variance
    rms = float(np.sqrt(np.mean(residual**2)))
    return Fit(value / scale, np.sqrt(np.diag(covariance)) / scale, rms)


@explained
def correlation_length(residual: Float[np.ndarray, " n"]) -> float:
    """Return the correlation length, 1 + 2 times the sum of the positive first autocorrelations.

    >>> correlation_length(np.array([1.0, -1.0, 1.0, -1.0]))
    1.0
    """
    power = residual @ residual
    if power == 0:
        return 1.0
    correlations = np.correlate(residual, residual, "full")[len(residual) :] / power
    positive = np.cumprod(correlations > 0)
    return float(1 + 2 * np.sum(positive * correlations))
