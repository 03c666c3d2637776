"""What a local network does at sharp edges, read as filters of V and of (V')^2."""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from experiments.corrections.splittings import Potentials, Splitting, square_of_slope
from qdistill.physics.grid import Grid

# Points of the box with a barrier whose response is read; the barrier has 97 of them.
N_BOX, BARRIER = 256, slice(64, 161)
# Waves that a barrier hardly contains, relative to the strongest one, are interpolated.
FAINTEST = 1e-3
# Waves of (V')^2 at which second-order amplitudes are compared, relative to the strongest one, and
# the strength of V for second derivatives by differences.
STRONG, WEAK = 0.2, 1e-2
# Frames at which amplitudes are compared, as those on which `demo` is trained.
FRAMES = np.arange(5, 41, 5)


class Filters(NamedTuple):
    """Kicks c_j(q) V_q + (h^2 / 24) w_j(q) ((V')^2)_q / m, by the wave number q of the potential.

    Attributes:
      q: Wave numbers in 1/bohr, ascending.
      shares: The shares c_j of V among the kicks.
      gradients: The coefficients w_j of (V')^2.
    """

    q: Float[np.ndarray, " n_q"]
    shares: Float[np.ndarray, "n_a n_q"]
    gradients: Float[np.ndarray, "n_a n_q"]

    def at(self, q: Float[np.ndarray, " n_k"]) -> "Filters":
        """Return the filters interpolated at other wave numbers; both directions are equal."""

        def interpolate(rows: np.ndarray) -> np.ndarray:
            return np.stack([np.interp(np.abs(q), self.q, row) for row in rows])

        return Filters(q, interpolate(self.shares), interpolate(self.gradients))


def make_box(splitting: Splitting) -> Grid:
    """Return the periodic box of the barrier."""
    grid = splitting.system.grid
    return Grid(N_BOX, N_BOX * grid.dx[0], grid.dispersion, mass=grid.mass)


def make_barrier(height: float = 1.0) -> Float[np.ndarray, " n_x"]:
    """Return a barrier in this box, of a height in hartree."""
    v = np.zeros(N_BOX)
    v[BARRIER] = height
    return v


def read(splitting: Splitting, height: float) -> Filters:
    """Return the filters with which a splitting responds to rectangular barriers.

    The half difference of the responses to a barrier and to a well is odd in V and divided by V_q.
    Their half sum is even and divided by ((V')^2)_q.

    Args:
      splitting: The splitting.
      height: Height of the barrier and depth of the well in hartree.
    """
    box = make_box(splitting)
    v = np.stack([make_barrier(height), make_barrier(-height)])
    up, down = splitting.local(box, v)
    q = np.abs(box.wavenumbers()[: N_BOX // 2 + 1])
    shares = splitting.shares[:, None] + _ratio((up - down) / 2, v[0])
    gradients = _ratio((up + down) / 2, splitting.unit * square_of_slope(box, v[:1])[0])
    return Filters(q, shares, gradients)


def _ratio(
    response: Float[np.ndarray, "n_a n_x"], cause: Float[np.ndarray, " n_x"]
) -> Float[np.ndarray, "n_a n_q"]:
    """Quotients of two Fourier series, interpolated where the lower one nearly vanishes."""
    below, above = np.fft.rfft(cause), np.fft.rfft(response)
    is_known = np.abs(below) > FAINTEST * np.abs(below).max()
    every = np.arange(len(below))
    found = (above[:, is_known] / below[is_known]).real
    return np.stack([np.interp(every, every[is_known], row) for row in found])


def filtered(splitting: Splitting, filters: Filters, with_gradients: bool = True) -> Splitting:
    """Return a splitting whose local phases are the filters'.

    Args:
      splitting: The splitting, whose kinetic phases are kept.
      filters: The filters.
      with_gradients: Whether to keep those of (V')^2.
    """

    def local(grid: Grid, v: Potentials) -> Float[np.ndarray, "n_v n_a n_x"]:
        of = filters.at(np.asarray(grid.wavenumbers(), float))
        waves = (of.shares - splitting.shares[:, None]) * np.fft.fft(v)[:, None]
        if with_gradients:
            waves += splitting.unit * of.gradients * np.fft.fft(square_of_slope(grid, v))[:, None]
        return np.fft.ifft(waves).real

    return dataclasses.replace(splitting, local=local)


def perturbation_theory(splitting: Splitting, largest: float = 5.0, every: int = 4) -> Filters:
    """Return the shares that first-order perturbation theory prefers for given kinetic phases.

    In first order in V a wave k becomes k + q with an amplitude proportional to V_q. That of the
    splitting after n frames is linear in the shares c_j(q), and that of Schroedinger's equation is
    known. The shares of each q minimise the mean square of the difference, over n and over all k up
    to the largest momentum of the lessons. Nothing is fitted to a student but the kinetic phases.

    Args:
      splitting: A splitting that is a palindrome.
      largest: Largest |k| of the packets, in 1/bohr.
      every: Take every `every`-th wave number of the grid as q.
    """
    system = splitting.system
    k = np.asarray(system.grid.wavenumbers(), float)
    kinetic = np.asarray(system.grid.kinetic_energy(), float) * system.dt
    drifts = splitting.drifts(system.grid)
    start = np.flatnonzero((np.abs(k) > 0.2) & (np.abs(k) <= largest))
    steps = np.arange(every, len(k) // 2 + 1, every)
    found = []
    for step in steps:
        end = (start + step) % len(k)
        made = _amplitudes(drifts[:, start].sum(axis=0), drifts[:, end].sum(axis=0))
        kicks = _palindrome(_kick_factors(drifts[:, start], drifts[:, end]))
        design = np.stack([(made * factor).ravel() for factor in kicks], axis=1)
        # The integral over a frame is a limit of many weak kicks.
        truth = _integrals(kinetic[start], kinetic[end]).ravel()
        a, b = (np.concatenate([each.real, each.imag]) for each in (design, truth))
        found.append(np.linalg.lstsq(a, b, rcond=None)[0])
    n_a = len(splitting.shares)
    half = np.array(found).T
    shares = np.stack([half[min(j, n_a - 1 - j)] for j in range(n_a)])
    return Filters(np.abs(k[steps]), shares, np.zeros_like(shares))


def second_order(
    splitting: Splitting,
    shares: Filters,
    v: Float[np.ndarray, " n_x"],
    largest: float = 5.0,
) -> Filters:
    """Return the filter of (V')^2 that second-order perturbation theory prefers on a potential.

    In second order in V a wave k becomes k + q with an amplitude that is a sum over pairs of waves
    of V. Where the splitting has filters of V only, its amplitude differs from the exact one. A
    correction w(q) ((V')^2)_q adds an amplitude of the same order. The w(q) minimise the mean
    square of what is left, over frames and over all k up to the largest momentum of the lessons.
    The correction acts in the kick in the middle, or in the two there; the sum over kicks hardly
    depends on this. Nothing is fitted to a student but the kinetic phases.

    Args:
      splitting: A splitting that is a palindrome.
      shares: Its filters of V, such as those of `perturbation_theory`.
      v: A potential in hartree, in the box of `make_box`; only its form matters.
      largest: Largest |k| of the packets, in 1/bohr.

    Returns:
      The filters of V and of (V')^2 at the waves that (V')^2 has.
    """
    box, dt = make_box(splitting), splitting.system.dt
    k = np.asarray(box.wavenumbers(), float)
    plain = filtered(splitting, shares, with_gradients=False)
    left = _second(lambda v: _exact(box, v, dt), v) - _second(lambda v: plain.matrix(box, v), v)
    drifts = plain.drifts(box)
    cause = -2j * dt * splitting.unit * np.fft.fft(square_of_slope(box, v[None])[0]) / N_BOX
    half = np.abs(cause[: N_BOX // 2])
    steps = np.flatnonzero(half > STRONG * half.max())
    start = np.flatnonzero((np.abs(k) > 0.2) & (np.abs(k) <= largest))
    n_a = len(splitting.shares)
    middle = [j for j in range(n_a) if abs(2 * j - (n_a - 1)) < 2]
    gradients = np.zeros((n_a, len(steps)))
    for i, step in enumerate(steps):
        end = (start + step) % N_BOX
        made = _amplitudes(drifts[:, start].sum(axis=0), drifts[:, end].sum(axis=0))
        factor = _palindrome(_kick_factors(drifts[:, start], drifts[:, end]))[-1]
        a, b = (cause[step] * made * factor).ravel(), left[:, end, start].ravel()
        gradients[middle, i] = (a.conj() @ b).real / (a.conj() @ a).real
    q = np.abs(k[steps])
    return Filters(q, shares.at(q).shares, gradients)


def _exact(box: Grid, v: Float[np.ndarray, " n_x"], dt: float) -> Complex[np.ndarray, "n_x n_x"]:
    """The exact frame as a matrix between points."""
    waves = np.fft.fft(np.eye(len(v)), axis=0) / len(v) ** 0.5
    kinetic = waves.conj().T @ (np.asarray(box.kinetic_energy(), float)[:, None] * waves)
    energies, states = np.linalg.eigh(kinetic + np.diag(v))
    return (states * np.exp(-1j * dt * energies)) @ states.conj().T


def _second(
    frame: Callable[[np.ndarray], np.ndarray], v: Float[np.ndarray, " n_x"]
) -> Complex[np.ndarray, "n_t n_k n_k"]:
    """The second derivative, by the strength of V, of all `FRAMES` as matrices between waves."""
    waves = np.fft.fft(np.eye(len(v)), axis=0) / len(v) ** 0.5
    up, none, down = (waves @ frame(each * v) @ waves.conj().T for each in (WEAK, 0, -WEAK))
    power = np.linalg.matrix_power
    found = [power(up, n) + power(down, n) - 2 * power(none, n) for n in FRAMES]
    return np.array(found) / WEAK**2


def _kick_factors(
    before: Float[np.ndarray, "n_b n_k"], after: Float[np.ndarray, "n_b n_k"]
) -> Complex[np.ndarray, "n_a n_k"]:
    """The phases of all drifts of a frame in which kick j changes the wave."""
    n_b = len(before)
    phases = [before[:j].sum(axis=0) + after[j:].sum(axis=0) for j in range(n_b + 1)]
    return np.exp(-1j * np.array(phases))


def _palindrome(factors: Complex[np.ndarray, "n_a n_k"]) -> Complex[np.ndarray, "n_free n_k"]:
    """The sums over kicks of equal shares."""
    n_a = len(factors)
    return np.stack(
        [factors[j] + (factors[n_a - 1 - j] if 2 * j < n_a - 1 else 0) for j in range(-(-n_a // 2))]
    )


def _amplitudes(
    before: Float[np.ndarray, " n_k"], after: Float[np.ndarray, " n_k"]
) -> Complex[np.ndarray, "n_t n_k"]:
    """Sums over the frames in which the wave may change, for all `FRAMES`: geometric series."""
    n, half = FRAMES[:, None], (after - before) / 2
    is_small = np.abs(np.sin(half)) < 1e-6
    # In resonance all frames have the same phase.
    sums = np.sin(n * half) / np.where(is_small, 1.0, np.sin(half))
    sums = np.where(is_small, n * np.cos(n * half) / np.cos(half), sums)
    return sums * np.exp(-0.5j * (n - 1) * (before + after))


def _integrals(
    before: Float[np.ndarray, " n_k"], after: Float[np.ndarray, " n_k"]
) -> Complex[np.ndarray, "n_t n_k"]:
    """The integral of the exact amplitude over time, in frames, for all `FRAMES`."""
    n, half = FRAMES[:, None], (after - before) / 2
    return n * np.exp(-1j * n * (before + after) / 2) * np.sinc(n * half / np.pi)
