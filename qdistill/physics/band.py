"""The Hamiltonian on the long waves alone, and what the short ones do to it.

A packet of energy E has hardly a wave beyond |k| = sqrt(2 (E - v)). Between the waves within a band
the Hamiltonian is a small real matrix, and nothing forbids to diagonalise it: one landscape then
costs milliseconds, and any time is as good as any other. Unlike a landscape that is sampled on as
few points, the matrix scatters every wave of the band into every other rightly. The short waves,
into which a sharp edge scatters too, come back by perturbation theory.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_at_least, require_finite, require_real, require_shape
from qdistill.physics.grid import Grid


def to_waves(grid: Grid, n_wave: int, psi: Complex[Array, " n_x"]) -> Complex[Array, " n_band"]:
    """Coefficients of psi in 1, cos(k_1 x), .. cos(k_n x), sin(k_1 x), .. sin(k_n x), normalised.

    The squares of their moduli sum to the probability within the band |k| <= k_n.

    Args:
      grid: A line.
      n_wave: The n of k_n = 2 pi n / length; there are n_band = 2 n + 1 coefficients.
      psi: A state on the grid.

    Raises:
      ValueError: For another grid, or waves that it does not hold.

    >>> grid = Grid(64, 2.0)
    >>> psi = jnp.sin(2 * jnp.pi * grid.positions() / 2.0) + 0j
    >>> abs(to_waves(grid, 2, psi)).round(3)
    Array([0., 0., 0., 1., 0.], dtype=float32)
    """
    require_waves(grid, n_wave)
    require_shape(grid.shape, psi=psi)
    n = np.arange(n_wave + 1)
    shift = np.exp(-2j * np.pi * n / grid.shape[0])
    waves = jnp.fft.fft(psi)
    right = waves[n] * jnp.asarray(shift, waves.dtype)
    left = waves[-n] * jnp.asarray(shift.conj(), waves.dtype)
    weights = jnp.asarray(_norms(grid, n_wave) * grid.dx[0], psi.real.dtype)
    cosines, sines = weights * (right + left) / 2, weights * (right - left) * 0.5j
    return jnp.concatenate([cosines, sines[1:]])


def from_waves(grid: Grid, coefficients: Complex[Array, " n_band"]) -> Complex[Array, " n_x"]:
    """The state on any line of the same length, finer or coarser, that has these coefficients.

    Raises:
      ValueError: For another grid, or one that does not hold the waves.
    """
    n_wave = len(coefficients) // 2
    require_waves(grid, n_wave)
    require_shape((2 * n_wave + 1,), coefficients=coefficients)
    n_x = grid.shape[0]
    n = np.arange(n_wave + 1)
    weights = jnp.asarray(_norms(grid, n_wave) * n_x, coefficients.real.dtype)
    cosines = weights * coefficients[: n_wave + 1] / 2
    sines = weights * jnp.append(0, coefficients[n_wave + 1 :]) / 2
    shift = jnp.asarray(np.exp(2j * np.pi * n / n_x), coefficients.dtype)
    waves = jnp.zeros(n_x, coefficients.dtype)
    waves = waves.at[n].add(shift * (cosines - 1j * sines))
    waves = waves.at[-n].add(jnp.conj(shift) * (cosines + 1j * sines))
    return jnp.fft.ifft(waves)


def kinetic(grid: Grid, n_wave: int) -> Float[np.ndarray, " n_band"]:
    """The kinetic energy of each of the waves, in hartree and float64."""
    require_waves(grid, n_wave)
    omega = grid.kinetic_energy()[: n_wave + 1]
    return np.concatenate([omega, omega[1:]])


def elements(
    v: Float[Array, " n_x"], n_rows: int, n_columns: int
) -> Float[Array, "n_band_rows n_band_columns"]:
    """The matrix of a landscape between the first waves: <m|v|n>, in hartree.

    Args:
      v: The landscape on a line. On another grid with more than n_rows + n_columns points that
        has the same Fourier transform, the matrix is the same.
      n_rows: Highest wave of the rows.
      n_columns: Highest wave of the columns.
    """
    n_x = len(v)
    q = np.arange(n_rows + n_columns + 1)
    transform = jnp.fft.fft(v)[q % n_x] / n_x
    transform = transform * jnp.asarray(np.exp(-2j * np.pi * q / n_x), transform.dtype)
    even, odd = transform.real, -transform.imag
    m, n = np.arange(n_rows + 1)[:, None], np.arange(n_columns + 1)
    together, apart = m + n, abs(m - n)
    sign = jnp.asarray(np.sign(m - n), v.dtype)
    # The constant is the cosine of wave 0, but for its norm.
    rows, columns = (np.where(i == 0, 0.5**0.5, 1) for i in (m, n))
    norms = jnp.asarray(rows * columns, v.dtype)
    cos_cos = norms * (even[apart] + even[together])
    sin_sin = even[apart] - even[together]
    cos_sin = norms * (odd[together] - sign * odd[apart])
    sin_cos = norms * (odd[together] + sign * odd[apart])
    upper = jnp.concatenate([cos_cos, cos_sin[:, 1:]], axis=1)
    lower = jnp.concatenate([sin_cos[1:], sin_sin[1:, 1:]], axis=1)
    return jnp.concatenate([upper, lower])


def differentiate(
    matrix: Float[Array, "*n_band"], axis: int, edge: float = 1.0
) -> Float[Array, "*n_band"]:
    """The matrix with derivatives of the waves in the place of those along an axis.

    Args:
      matrix: Over the waves of a band along that axis.
      axis: Which.
      edge: Derivatives are in units of the wavenumber of this wave.
    """
    first = jnp.moveaxis(matrix, axis, 0)
    n_wave = len(first) // 2
    k = jnp.asarray(np.arange(1, n_wave + 1) / edge, matrix.dtype)
    k = jnp.expand_dims(k, tuple(range(1, matrix.ndim)))
    # The derivative of a cosine is minus a sine, that of a sine a cosine.
    cosines, sines = first[1 : n_wave + 1], first[n_wave + 1 :]
    swapped = jnp.concatenate([jnp.zeros_like(first[:1]), -k * sines, k * cosines])
    return jnp.moveaxis(swapped, 0, axis)


def project(grid: Grid, n_wave: int, v: Float[Array, " n_x"]) -> Float[Array, "n_band n_band"]:
    """The Hamiltonian between the waves of a band: kinetic energy and landscape, nothing else.

    >>> grid = Grid(64, 2.0, "continuum")
    >>> kinetic_of_first = 0.5 * (2 * np.pi / 2.0) ** 2
    >>> expected = np.diag([3, 3 + kinetic_of_first, 3 + kinetic_of_first])
    >>> np.allclose(project(grid, 1, jnp.full(64, 3.0)), expected, atol=1e-5)
    True
    """
    _require_landscape(grid, v)
    t = jnp.asarray(kinetic(grid, n_wave), v.dtype)
    return elements(v, n_wave, n_wave) + jnp.diag(t)


def fold(
    grid: Grid,
    n_wave: int,
    v: Float[Array, " n_x"],
    energy: float = 7.0,
    n_outer: int | None = None,
) -> Float[Array, "n_band n_band"]:
    """The Hamiltonian of a band with the waves beyond it folded in, to second order.

    With P the band, Q the waves beyond, D their kinetic energy above `energy` and X = D^-1 v_QP,
    H = H_PP - v_PQ X - {X^T X, H_PP - v_PQ X - E} / 2, where E is `energy` above the mean of v: the
    effective Hamiltonian of Loewdin and des Cloizeaux. It is symmetric, and a constant in v is
    only that constant.

    Args:
      grid: A line.
      n_wave: Highest wave of the band.
      v: The landscape.
      energy: Kinetic energy in hartree for which it is best, below that of the waves beyond.
      n_outer: Highest wave that is folded in; None takes all that the grid has.

    Raises:
      ValueError: For an energy that waves beyond the band have too.
    """
    _require_landscape(grid, v)
    require_waves(grid, n_wave)
    require_finite(energy=energy)
    n_outer = (grid.shape[0] - 1) // 2 if n_outer is None else n_outer
    require_at_least(n_wave + 1, n_outer=n_outer)
    beyond = np.r_[n_wave + 1 : n_outer + 1, n_outer + n_wave + 1 : 2 * n_outer + 1]
    gap = kinetic(grid, n_outer)[beyond] - energy
    if gap.min() <= 0:
        refuse("energy", f"below {gap.min() + energy:.3g}, of the first wave left out", energy)
    v_qp = elements(v, n_outer, n_wave)[beyond]
    above = jnp.asarray(gap, v.dtype)
    return fold_in(project(grid, n_wave, v), v_qp.T, above, energy + jnp.mean(v))


def fold_in(
    h: Float[Array, "n_band n_band"],
    v_pq: Float[Array, "n_band n_beyond"],
    gap: Float[Array, " n_beyond"],
    energy: Float[Array, ""],
) -> Float[Array, "n_band n_band"]:
    """A Hamiltonian with other waves folded in, to second order: the matrices of `fold`.

    Args:
      h: Between the waves of the band.
      v_pq: The landscape from the band to the waves beyond.
      gap: Kinetic energy of these above that for which the result is best, in hartree.
      energy: The latter above the mean of the landscape, in hartree.
    """
    x = v_pq / gap[None]
    effective = h - x @ v_pq.T
    above = effective - energy * jnp.eye(len(h), dtype=h.dtype)
    overlap = (x @ x.T) @ above / 2
    return effective - overlap - overlap.T


class Spectrum(NamedTuple):
    """A Hamiltonian, diagonalised."""

    energies: Float[Array, " n_band"]
    # In columns, over the waves.
    states: Float[Array, "n_band n_band"]


def evolve(
    spectrum: Spectrum, coefficients: Complex[Array, " n_band"], t: float | Float[Array, ""]
) -> Complex[Array, " n_band"]:
    """The coefficients a time t later, in atomic units: any time costs the same."""
    amplitudes = spectrum.states.T @ coefficients
    return spectrum.states @ (jnp.exp(-1j * spectrum.energies * t) * amplitudes)


def diagonalise(h: Float[Array, "n_band n_band"]) -> Spectrum:
    """The spectrum of a Hamiltonian over waves."""
    return Spectrum(*jnp.linalg.eigh(h))


@functools.partial(jax.custom_jvp, nondiff_argnums=(1,))
def frame(h: Float[Array, "n_band n_band"], dt: float) -> Complex[Array, "n_band n_band"]:
    """exp(-i h dt), by diagonalisation; its derivatives are right where energies agree, too."""
    return _frame(diagonalise(h), dt)


@frame.defjvp
def _frame_jvp(dt: float, primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    # Daleckii and Krein: between two eigenstates, the mean of -i dt exp(-i E dt) over E from one
    # energy to the other.
    energies, states = spectrum = diagonalise(primals[0])
    mean = (energies[:, None] + energies[None]) / 2
    half = (energies[:, None] - energies[None]) / 2
    slope = -1j * dt * jnp.exp(-1j * dt * mean) * jnp.sinc(half * dt / np.pi)
    change = states @ (slope * (states.T @ tangents[0] @ states)) @ states.T
    return _frame(spectrum, dt), change


def _frame(spectrum: Spectrum, dt: float) -> Complex[Array, "n_band n_band"]:
    energies, states = spectrum
    # Two real products take half the time of a complex one.
    even, odd = ((states * f(dt * energies)[None]) @ states.T for f in (jnp.cos, jnp.sin))
    return even - 1j * odd


def _norms(grid: Grid, n_wave: int) -> Float[np.ndarray, " n_cosine"]:
    """What makes 1, cos(k_1 x), ... normalised functions."""
    return np.sqrt(np.where(np.arange(n_wave + 1) == 0, 1, 2) / grid.lengths[0])


def require_waves(grid: Grid, n_wave: int) -> None:
    """Refuse all but lines that hold the waves."""
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional", grid)
    require_at_least(1, n_wave=n_wave)
    if 2 * n_wave >= grid.shape[0]:
        refuse("n_wave", f"at most {(grid.shape[0] - 1) // 2} on this grid", n_wave)


def _require_landscape(grid: Grid, v: Array) -> None:
    require_real(v=v)
    require_shape(grid.shape, v=v)
    require_finite(v=v)
