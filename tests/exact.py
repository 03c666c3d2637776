"""Closed-form solutions, in float64 and without a line of `qdistill`'s numerics.

Hartree atomic units; x is in bohr and relative to whatever the docstring says.
"""

from typing import Any

import numpy as np
import scipy.special
from numpy.typing import ArrayLike, NDArray

from qdistill.physics.grid import Grid

Real = NDArray[np.floating[Any]]
Complex = NDArray[np.complexfloating[Any, Any]]


def omega(grid: Grid, k: ArrayLike, axis: int = 0) -> Real:
    """The energy of the plane wave exp(i k x) on the grid."""
    k, mass = np.asarray(k, dtype=float), grid.mass[axis]
    if grid.dispersion == "continuum":
        return k**2 / (2 * mass)
    dx = grid.lengths[axis] / grid.shape[axis]
    return 2 * np.sin(k * dx / 2) ** 2 / (mass * dx**2)


def gaussian(
    x: Real, x0: float, s0: float, k0: float, t: float = 0.0, mass: float = 1.0
) -> Complex:
    """The free Gaussian packet on the infinite continuum, t after it was made at x0."""
    # A mass slows the clock of a free particle down.
    t = t / mass
    spread = 1 + 0.5j * t / s0**2
    envelope = np.exp(-((x - x0 - k0 * t) ** 2) / (4 * s0**2 * spread))
    carrier = np.exp(1j * k0 * (x - x0) - 0.5j * k0**2 * t)
    return envelope * carrier / np.sqrt(spread * np.sqrt(2 * np.pi) * s0)


def gaussian_spectrum(k: Real, s0: float, k0: float) -> Real:
    """Its probability density over the wavenumber, which it keeps while it is free."""
    return s0 * np.sqrt(2 / np.pi) * np.exp(-2 * (s0 * (k - k0)) ** 2)


def free_on_lattice(psi: Complex, dx: float, t: float, mass: float = 1.0) -> Complex:
    """Free evolution on the infinite lattice: each point radiates Bessel functions.

    exp(-i t (1 - cos(k dx)) / (m dx^2)) = exp(-i z) sum_n i^n J_n(z) exp(i n k dx) with
    z = t / (m dx^2).
    """
    z = t / (mass * dx**2)
    n = np.arange(-len(psi), len(psi) + 1)
    kernel = np.exp(-1j * z) * 1j ** (n % 4) * scipy.special.jv(n, z)
    return np.convolve(psi, kernel)[len(psi) : 2 * len(psi)]


def coherent(x: Real, frequency: float, x0: float, k0: float, t: float) -> Complex:
    """The coherent state of a harmonic trap, x measured from its middle, phase included."""
    cos, sin = np.cos(frequency * t), np.sin(frequency * t)
    mean_x, mean_k = x0 * cos + k0 / frequency * sin, k0 * cos - frequency * x0 * sin
    exponent = -frequency * (x - mean_x) ** 2 / 2 + 1j * mean_k * (x - mean_x / 2)
    return (frequency / np.pi) ** 0.25 * np.exp(exponent - 0.5j * frequency * t)


def hamiltonian(grid: Grid, v: Real) -> Real:
    """The dense Hamiltonian of a one-dimensional periodic grid."""
    n_x, dx = grid.shape[0], grid.lengths[0] / grid.shape[0]
    hops = np.zeros(n_x)
    if grid.dispersion == "lattice":
        hops[[0, 1, -1]] = np.array([2, -1, -1]) / (2 * grid.mass[0] * dx**2)
    else:
        m = np.arange(n_x) - n_x // 2
        angles = 2 * np.pi * np.outer(np.arange(n_x), m) / n_x
        hops = np.cos(angles) @ (2 * np.pi * m / grid.lengths[0]) ** 2 / (2 * grid.mass[0] * n_x)
    return hops[np.subtract.outer(np.arange(n_x), np.arange(n_x)) % n_x] + np.diag(v)


def propagate(grid: Grid, v: Real, psi: Complex, t: float) -> Complex:
    """Psi at time t, of one state or of the columns of many, by dense diagonalisation."""
    energies, states = np.linalg.eigh(hamiltonian(grid, v))
    return (states * np.exp(-1j * energies * t)) @ (states.T @ psi)


def barrier_transmission(k: Real, height: float, width: float) -> Real:
    """Transmission of a plane wave through a rectangular barrier or well of the continuum."""
    inside = np.sqrt(k**2 - 2 * height + 0j)
    # sin(i a) = i sinh(a) turns the formula for E > V into the one for tunnelling.
    return 1 / (1 + (height * np.sin(inside * width) / (k * inside)) ** 2).real


def barrier_transmission_on_lattice(k: Real, height: float, n_points: int, dx: float) -> Real:
    """The same through n_points equal points of a lattice.

    One point scatters with r / t = height dx^2 / (i sin(k dx)), and n equal ones with
    sin(n q dx) / sin(q dx) times that, q being the wavenumber among them.
    """
    inside = np.arccos(np.cos(k * dx) + height * dx**2 + 0j)
    many = np.sin(n_points * inside) / np.sin(inside)
    return 1 / (1 + (height * dx**2 * many / np.sin(k * dx)) ** 2).real
