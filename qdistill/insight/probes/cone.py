"""The light cone: the speed at which an impulse spreads in empty space."""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_between, require_positive
from qdistill._refusals import explained
from qdistill.forecast import cases
from qdistill.insight.harness import forecast
from qdistill.insight.probes.waves import count_given, least_squares, require_plain
from qdistill.physics.grid import Grid
from qdistill.physics.stationary import group_velocity
from qdistill.system import Propagator


class LightCone(NamedTuple):
    """An impulse and its front: the distance beyond which a given share of the norm^2 lies.

    Attributes:
      t: Times of the frames, in a.u. after the impulse.
      x: Positions relative to the impulse, in bohr, rising.
      density: |psi|^2 in 1/bohr.
      front: Distance of the front in bohr, at each time.
      expected_front: Distance of the exact front on this grid, in closed form.
      speed: Slope of the front over the last two thirds of the time, in bohr per a.u.
      speed_error: Standard error of the speed.
      expected: Slope of the expected front, likewise.
      limit: Largest group velocity of the waves in the impulse.
    """

    t: Float[np.ndarray, " n_t"]
    x: Float[np.ndarray, " n_x"]
    density: Float[np.ndarray, "n_t n_x"]
    front: Float[np.ndarray, " n_t"]
    expected_front: Float[np.ndarray, " n_t"]
    speed: float
    speed_error: float
    expected: float
    limit: float


@explained
def impulse(grid: Grid, k_band: float) -> Complex[Array, " n_x"]:
    """Return a normalised impulse in the middle of the box, with equal weight of all |k| < k_band.

    In the uppermost fifth of the band the weights fall as cos^2. So the impulse is narrow, about
    1 / k_band, without long tails. For a band up to pi / dx or beyond, such as an
    infinite one, the impulse is a single point.
    """
    if k_band != math.inf:
        require_positive(k_band=k_band)
    wave = np.fft.ifft(_spectrum(grid, np.abs(grid.wavenumbers()), k_band))
    psi = np.roll(wave, _middle(grid.shape[0])) / np.linalg.norm(wave) / math.sqrt(grid.cell)
    real = jnp.zeros(0, float).dtype
    return jnp.asarray(psi, jnp.result_type(real, jnp.complex64))


def _spectrum(grid: Grid, k: Float[np.ndarray, " n_k"], k_band: float) -> Float[np.ndarray, " n_k"]:
    if k_band >= np.pi / grid.dx[0]:
        return np.ones_like(k)
    fade = np.clip((k / k_band - 0.8) / 0.2, 0, 1)
    return np.cos(np.pi / 2 * fade) ** 2


@explained
def measure_light_cone(propagator: Propagator, k_band: float, share: float = 0.01) -> LightCone:
    """Measure the front speed of a band-limited impulse in empty space.

    After long times waves are sorted by speed, x = t d omega / dk, and the front moves at the speed
    that the given share of them exceeds, below the light cone `limit`. The exact front is that of
    the closed form F^-1 exp(-i omega(k) t) F of the impulse. The frames end before a wave at the
    limit reaches the far side of the box.

    Args:
      propagator: A one-dimensional propagator.
      k_band: Largest wavenumber in the impulse, in 1/bohr: the largest in the lessons, or pi / dx
        for all waves of the grid.
      share: Share of the norm^2 beyond the front.

    Raises:
      ValueError: For a system that is not a plain one-dimensional one, and if the impulse crosses
        the box within 12 frames.
    """
    system = propagator.system
    require_plain(system)
    grid, dt, length = system.grid, system.dt, system.grid.lengths[0]
    require_positive(dt=dt)
    require_between(2 * np.pi / length, np.pi / grid.dx[0], k_band=k_band)
    require_between(1e-5, 0.5, share=share)
    k = np.linspace(0, k_band, 1001)
    limit = float(np.max(np.abs(group_velocity(grid, k))))
    n_given = count_given(propagator)
    n_frames = int(0.45 * length / (limit * dt)) - (n_given - 1)
    if n_frames < 12:
        refuse("dt", f"below {0.029 * length / limit:.2g} in this box", dt)
    psi0, empty = impulse(grid, k_band)[None], jnp.zeros((1, *grid.shape))
    solver = cases.exact(system, empty)
    given = cases.simulate(solver, psi0, empty, n_given, 1).given
    frames = forecast(propagator, given, empty, n_frames)[0]
    density = np.abs(np.asarray(frames, complex)) ** 2
    t = dt * np.arange(n_given, n_given + n_frames)
    waves = np.fft.fft(np.asarray(psi0[0], complex))
    free = np.fft.ifft(np.exp(-1j * np.outer(t, grid.kinetic_energy())) * waves, axis=1)
    front, expected_front = (
        np.array([_front(row, share) * grid.dx[0] for row in rows])
        for rows in (density, np.abs(free) ** 2)
    )
    speed, error = _slope(t, front)
    expected, _ = _slope(t, expected_front)
    x = (np.arange(grid.shape[0]) - _middle(grid.shape[0])) * grid.dx[0]
    return LightCone(t, x, density, front, expected_front, speed, error, expected, limit)


def _slope(t: Float[np.ndarray, " n_t"], front: Float[np.ndarray, " n_t"]) -> tuple[float, float]:
    late = t > t[-1] / 3
    if not np.all(np.isfinite(front)):
        return np.nan, np.nan
    fit = least_squares(np.stack([np.ones(late.sum()), t[late]], axis=1), front[late])
    return float(fit.value[1]), float(fit.error[1])


def _middle(n_x: int) -> int:
    """The index of the point of the impulse."""
    return n_x // 2 - 1


def _front(density: Float[np.ndarray, " n_x"], share: float) -> float:
    """The distance from the middle, in points, beyond which a share of the density lies."""
    if not np.all(np.isfinite(density)) or density.sum() == 0:
        return np.nan
    centred = np.roll(density, -_middle(len(density)))
    half = len(density) // 2
    folded = centred[:half].copy()
    folded[1:] += centred[:-half:-1]
    # Each point counts for half a spacing on either side.
    beyond = np.cumsum(folded[::-1])[::-1] / folded.sum()
    return float(np.interp(share, beyond[::-1], np.arange(half)[::-1] - 0.5))
