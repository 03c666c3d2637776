"""Metrics of a forecast against the exact solution, frame by frame.

A forecast with values that are not finite has a correlation of 0 and an infinite error. If the
exact solution is not finite, the score is NaN. If it is zero, so that nothing is relative to it,
the correlation is 0 and the relative error infinite, whatever the forecast is.
"""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from qdistill._checks import refuse, require_between, require_positive, require_shape
from qdistill._refusals import explained
from qdistill.physics import observables
from qdistill.physics.grid import Grid

Frames = Complex[Array, "n_t *n_x"]
PerFrame = Float[Array, " n_t"]


@explained
@jax.jit
def correlation(forecast: Frames, truth: Frames) -> PerFrame:
    """Return the paper's correlation |<truth|forecast>| / (|truth| |forecast|).

    It does not depend on the norm or the global phase of either.

    >>> psi = jnp.array([[3.0 + 0j, 4.0, 0.0]])
    >>> correlation(2j * psi, psi), correlation(psi * jnp.nan, psi)
    (Array([1.], dtype=float32), Array([0.], dtype=float32))
    """
    return jnp.abs(_overlap(forecast, truth))


@explained
def fidelity(forecast: Frames, truth: Frames) -> PerFrame:
    """Return the fidelity |<truth|forecast>|^2 / (|truth|^2 |forecast|^2)."""
    return correlation(forecast, truth) ** 2


@explained
@jax.jit
def phase_correlation(forecast: Frames, truth: Frames) -> PerFrame:
    """Return Re <truth|forecast> / (|truth| |forecast|), which depends on the global phase."""
    return jnp.real(_overlap(forecast, truth))


@explained
@jax.jit
def mae(forecast: Frames, truth: Frames) -> PerFrame:
    """Return the paper's mean absolute error over points, Re and Im, in bohr^(-d/2).

    >>> mae(jnp.array([[1.0 + 2.0j]]), jnp.array([[0.0j]]))
    Array([1.5], dtype=float32)
    """
    _require_frames(forecast, truth)
    difference = _flat(forecast - truth)
    both = (jnp.abs(difference.real) + jnp.abs(difference.imag)) / 2
    return _or_infinite(jnp.mean(both, axis=-1), truth)


@explained
@jax.jit
def nrmse(forecast: Frames, truth: Frames) -> PerFrame:
    """Return the relative L2 error |forecast - truth| / |truth|; it sees norm and global phase."""
    _require_frames(forecast, truth)
    return _or_infinite(_norm(forecast - truth) / _norm(truth), truth)


@explained
@jax.jit
def norm_drift(forecast: Frames, psi0: Complex[Array, "*n_x"]) -> PerFrame:
    """Return the norm drift | |forecast| / |psi0| - 1 |, relative to the initial state."""
    _require_frames(forecast, forecast)
    require_shape(forecast.shape[1:], psi0=psi0)
    return _or_infinite(jnp.abs(_norm(forecast) / _norm(psi0[None]) - 1), psi0[None])


@explained
def energy_drift(
    grid: Grid,
    v: Inexact[Array, "..."],
    forecast: Frames,
    psi0: Complex[Array, "..."],
) -> PerFrame:
    """Return the energy drift | E(forecast) - E(psi0) | in hartree, with normalised energies.

    It is an error only if the energy is conserved, that is, if V depends neither on t nor on psi.
    """
    start = observables.energy(grid, v, psi0)
    energies = jax.vmap(lambda psi: observables.energy(grid, v, psi))(forecast)
    return _or_infinite(jnp.abs(energies - start), psi0[None])


@explained
def horizon(correlations: PerFrame, dt: float, threshold: float = 0.99) -> Float[Array, ""]:
    """Return the time in a.u. up to which the correlation stays at or above a threshold.

    Raises:
      ValueError: For correlations of several cases; use `jax.vmap`.

    >>> horizon(jnp.array([1.0, 0.995, 0.98, 0.999]), dt=0.1)
    Array(0.2, dtype=float32)
    """
    require_positive(dt=dt)
    require_between(0, 1, threshold=threshold)
    if correlations.ndim != 1:
        cure = "Use jax.vmap for several cases."
        refuse("correlations", "of shape (n_t,)", f"of shape {correlations.shape}", cure)
    time = dt * jnp.sum(jnp.cumprod(correlations >= threshold)).astype(correlations.dtype)
    return jnp.where(jnp.any(jnp.isnan(correlations)), jnp.nan, time)


def _require_frames(forecast: Array, truth: Array) -> None:
    require_shape(truth.shape, forecast=forecast)
    if forecast.ndim < 2:
        refuse("forecast", "of frames, (n_t, *n_x); one is psi[None]", f"of shape {forecast.shape}")


def _flat(frames: Array) -> Array:
    return frames.reshape(frames.shape[0], -1)


def _norm(frames: Array) -> Array:
    return jnp.linalg.norm(_flat(frames), axis=-1)


def _overlap(forecast: Array, truth: Array) -> Array:
    _require_frames(forecast, truth)
    # Scaled by its largest entry first, so that a forecast of norm 1e30 does not overflow.
    size = jnp.max(jnp.abs(_flat(forecast)), axis=-1, keepdims=True)
    scaled = _flat(forecast) / jnp.where(size > 0, size, 1)
    inner = jnp.sum(jnp.conj(_flat(truth)) * scaled, axis=-1)
    overlap = inner / (_norm(truth) * jnp.linalg.norm(scaled, axis=-1))
    return _where_known(jnp.where(jnp.isfinite(overlap), overlap, 0), truth)


def _or_infinite(error: Array, truth: Array) -> Array:
    return _where_known(jnp.where(jnp.isfinite(error), error, jnp.inf), truth)


def _where_known(score: Array, truth: Array) -> Array:
    return jnp.where(jnp.all(jnp.isfinite(_flat(truth)), axis=-1), score, jnp.nan)
