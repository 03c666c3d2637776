"""Stationary scattering of plane waves, differentiable with respect to the potential."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Num

from qdistill._checks import require_between, require_finite, require_real
from qdistill._refusals import explained
from qdistill.physics.grid import Grid, Scalar, require_line

# Waves above LARGE are scaled down; STEEPEST is the largest exponent in one step. What a step makes
# of both is within single precision.
LARGE, STEEPEST = 1e12, 40.0


class Scattered(NamedTuple):
    """The scattering amplitudes of a plane wave that comes from the left.

    Attributes:
      through: Amplitude behind the potential, relative to that in empty space.
      back: Amplitude of the reflected wave at the left end of the potential.
    """

    through: Complex[Array, "..."]
    back: Complex[Array, "..."]

    @property
    def transmission(self) -> Float[Array, "..."]:
        """The transmission probability |through|^2."""
        return _square(self.through)

    @property
    def reflection(self) -> Float[Array, "..."]:
        """The reflection probability |back|^2; up to rounding it is 1 - transmission."""
        return _square(self.back)


@explained
def scatter(grid: Grid, v: Float[Array, " n"], energy: Scalar) -> Scattered:
    """Return the scattering amplitudes of a plane wave, by recursion backwards from the exit.

    On the lattice it is psi_(i-1) - psi_i = psi_i - psi_(i+1) + 2 m dx^2 (v_i - E) psi_i, which is
    exact. The recursion carries differences, because psi_i - psi_(i+1) would lose its digits in
    float32. On the continuum v is taken as constant within half a spacing of each point, and psi
    and its derivative are continuous; the result deviates from the grid's own by order (k dx)^2.

    Args:
      grid: A one-dimensional grid, with its spacing, mass and dispersion.
      v: Values in hartree on consecutive points; the potential is zero outside of them.
      energy: Energy in hartree, above zero and below the largest kinetic energy of the grid.

    >>> from qdistill.physics import potentials
    >>> grid = Grid(256, 25.0, "continuum")
    >>> v = potentials.barrier(grid.positions(), height=1.0, width=2.0, centre=12.5)
    >>> print(f"{scatter(grid, v, 2.0).transmission:.3f} {scatter(grid, v, 0.5).transmission:.3f}")
    0.993 0.064
    """
    require_real(v=v)
    require_finite(v=v)
    _require_energy(grid, energy=energy)
    dx, mass = grid.dx[0], grid.mass[0]
    # In the units of a mass of one.
    v, energy = mass * v, mass * energy
    if grid.dispersion == "lattice":
        angle = 2 * jnp.arcsin(jnp.sqrt(energy / 2) * dx)
        here = jnp.exp(0j * angle)
        fall = here - jnp.exp(1j * angle)

        def to_the_left(carry: tuple[Array, ...], height: Array) -> tuple[tuple, None]:
            here, fall, growth = carry
            fall = fall + 2 * dx**2 * (height - energy) * here
            return _bounded(here + fall, fall, growth), None

        start = here, fall, jnp.zeros_like(angle)
        (here, fall, growth), _ = jax.lax.scan(to_the_left, start, v[::-1])
        # here = A + B lies before the potential, here - fall = A exp(i k dx) + B exp(-i k dx).
        incoming = here * (1 - jnp.exp(-1j * angle)) - fall
        returning = here * (jnp.exp(1j * angle) - 1) + fall
        incoming, returning = (a / (2j * jnp.sin(angle)) for a in (incoming, returning))
    else:
        k = jnp.sqrt(2 * energy)
        angle = k * dx
        here, slope = jnp.exp(0j * k), 1j * k

        def across(carry: tuple[Array, ...], height: Array) -> tuple[tuple, None]:
            here, slope, growth = carry
            square = 2 * (energy - height)
            cos, sinc, more = _waves(square * dx**2)
            left = cos * here - dx * sinc * slope, square * dx * sinc * here + cos * slope
            return _bounded(*left, growth + more), None

        start = here, slope, jnp.zeros_like(angle)
        (here, slope, growth), _ = jax.lax.scan(across, start, v[::-1])
        incoming, returning = (here + slope / (1j * k)) / 2, (here - slope / (1j * k)) / 2
    through = jnp.exp(-1j * angle * len(v) - growth) / incoming
    return Scattered(through, returning / incoming)


@explained
def transmissions(
    grid: Grid, v: Float[Array, " n"], energies: Float[np.ndarray | Array, " n_energy"]
) -> Float[Array, " n_energy"]:
    """Return the transmission probability of a potential at many energies.

    Raises:
      ValueError: As `scatter` does.
    """
    _require_energy(grid, energies=energies)
    at = jnp.asarray(energies, v.dtype)
    return jax.vmap(lambda energy: scatter(grid, v, energy).transmission)(at)


@explained
def wavenumber(grid: Grid, energy: Float[np.ndarray, " n_e"]) -> Float[np.ndarray, " n_e"]:
    """Return the wavenumber k in 1/bohr at which the grid's kinetic energy is `energy`, in float64.

    >>> wavenumber(Grid(256, 25.0, "continuum"), np.array([2.0]))
    array([2.])
    """
    require_line(grid)
    require_between(0, float(grid.kinetic_energy().max()), energy=energy)
    root = np.sqrt(2 * grid.mass[0] * energy)
    if grid.dispersion == "continuum":
        return root
    return 2 * np.arcsin(root * grid.dx[0] / 2) / grid.dx[0]


@explained
def omega(grid: Grid, k: Num[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the dispersion at any k in hartree: (1 - cos k dx) / (m dx^2) or k^2 / (2 m).

    >>> omega(Grid(256, 25.0, "continuum", mass=2.0), np.array([2.0]))
    array([1.])
    """
    require_line(grid)
    if grid.dispersion == "continuum":
        return k**2 / (2 * grid.mass[0])
    # The form with sin^2 avoids the cancellation in 1 - cos.
    return 2 * np.sin(k * grid.dx[0] / 2) ** 2 / (grid.mass[0] * grid.dx[0] ** 2)


@explained
def group_velocity(grid: Grid, k: Num[np.ndarray, "..."]) -> Float[np.ndarray, "..."]:
    """Return the group velocity d omega / dk in bohr per a.u.: sin(k dx) / (m dx), or k / m."""
    require_line(grid)
    if grid.dispersion == "continuum":
        return k / grid.mass[0]
    return np.sin(k * grid.dx[0]) / (grid.mass[0] * grid.dx[0])


def _require_energy(grid: Grid, **energy: Any) -> None:
    require_line(grid)
    require_between(1e-6, 0.999 * float(grid.kinetic_energy().max()), **energy)


def _square(z: Array) -> Array:
    """|z|^2, differentiable at zero, where `abs` is not."""
    return z.real**2 + z.imag**2


def _bounded(here: Array, change: Array, growth: Array) -> tuple[Array, Array, Array]:
    """Scale a wave to one where it is large; the growth is the log of all scales.

    Under a high or long barrier it grows beyond all numbers.
    """
    size = jax.lax.stop_gradient(jnp.abs(here) + jnp.abs(change))
    size = jnp.where(size > LARGE, size, 1.0)
    return here / size, change / size, growth + jnp.log(size)


def _waves(square: Array) -> tuple[Array, Array, Array]:
    """cos(a) and sin(a) / a for a^2 = square of either sign, smooth at zero.

    They are divided by the exponential of the third, which is zero but for very negative squares.
    """
    is_small = jnp.abs(square) < 1e-3
    # The inner `where` keeps gradients finite where the square root has none.
    root = jnp.sqrt(jnp.where(is_small, 1.0, jnp.abs(square)))
    moves = square > 0
    less = jnp.minimum(root, STEEPEST)
    cos = jnp.where(moves, jnp.cos(root), jnp.cosh(less))
    sinc = jnp.where(moves, jnp.sin(root), jnp.sinh(less)) / root
    near_cos = 1 - square / 2 + square**2 / 24 - square**3 / 720
    near_sinc = 1 - square / 6 + square**2 / 120 - square**3 / 5040
    cos, sinc = jnp.where(is_small, near_cos, cos), jnp.where(is_small, near_sinc, sinc)
    return cos, sinc, jnp.where(moves, 0.0, root - less)
