"""Stationary scattering of plane waves, differentiable with respect to the potential."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, Num

from qdistill._checks import (
    is_known,
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_hermitian,
    require_positive,
    require_real,
)
from qdistill._refusals import explained
from qdistill.physics import _coupled
from qdistill.physics._coupled import waves
from qdistill.physics.grid import Grid, Scalar, require_line

# Waves above it are scaled down; what a step makes of them is within single precision.
LARGE = 1e12
SEVERAL = "`transmissions` takes many."


class Scattered(NamedTuple):
    """The scattering amplitudes of a plane wave that comes from the left.

    Attributes:
      through: Amplitude behind the potential, relative to that in empty space. Between channels it
        is (n_channel, n_channel), to and from adiabatic channels at the ends of the grid, for waves
        of one unit of current and up to signs; closed channels have 0.
      back: Amplitude of the reflected wave over that of the incoming one: on the lattice at the
        point before the first one, on the continuum at the left end of the potential, half a
        spacing before the first point.
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
def scatter(
    grid: Grid, v: Float[Array, " n"] | Inexact[Array, "c c n"], energy: Scalar
) -> Scattered:
    """Return the scattering amplitudes of a plane wave, by recursion backwards from the exit.

    On the lattice it is psi_(i-1) - psi_i = psi_i - psi_(i+1) + 2 m dx^2 (v_i - E) psi_i, which is
    exact. The recursion carries differences, because psi_i - psi_(i+1) would lose its digits in
    float32. On the continuum v is taken as constant within half a spacing of each point, and psi
    and its derivative are continuous; the result deviates from the grid's own by order (k dx)^2.

    Between channels it is solved by invariant embedding, which is stable for closed channels and
    thick barriers; the same holds of its accuracy. Derivatives with respect to v are finite where
    no two channels have one energy.

    Args:
      grid: A one-dimensional grid, with its spacing, mass and dispersion.
      v: Values in hartree on consecutive points; the potential is zero outside of them. Or
        Hermitian matrices of channels, which keep their first and last value outside.
      energy: Energy in hartree, above zero, or above the lowest channel on the left, by less than
        the largest kinetic energy of the grid.

    >>> from qdistill.physics import potentials
    >>> grid = Grid(256, 25.0, "continuum")
    >>> v = potentials.barrier(grid.positions(), height=1.0, width=2.0, centre=12.5)
    >>> print(f"{scatter(grid, v, 2.0).transmission:.3f} {scatter(grid, v, 0.5).transmission:.3f}")
    0.993 0.064
    """
    _require_energy(grid, v, energy=energy)
    if v.ndim == 3:
        if jnp.ndim(energy):
            refuse(
                "energy", "one number between channels", f"of shape {jnp.shape(energy)}", SEVERAL
            )
        return Scattered(*_coupled.scatter(grid, v, energy))
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
            cos, sinc, more = waves(square * dx**2)
            left = cos * here - dx * sinc * slope, square * dx * sinc * here + cos * slope
            return _bounded(*left, growth + more), None

        start = here, slope, jnp.zeros_like(angle)
        (here, slope, growth), _ = jax.lax.scan(across, start, v[::-1])
        incoming, returning = (here + slope / (1j * k)) / 2, (here - slope / (1j * k)) / 2
    through = jnp.exp(-1j * angle * len(v) - growth) / incoming
    return Scattered(through, returning / incoming)


@explained
def transmissions(
    grid: Grid,
    v: Float[Array, " n"] | Inexact[Array, "c c n"],
    energies: Float[np.ndarray | Array, " n_energy"],
) -> Float[Array, "n_energy *channels"]:
    """Return the transmission probability of a potential at many energies.

    Between channels it is (n_energy, n_channel, n_channel), to and from adiabatic channels.

    Raises:
      ValueError: As `scatter` does.
    """
    _require_energy(grid, v, energies=energies)
    at = jnp.asarray(energies, v.real.dtype)
    return jax.vmap(lambda energy: scatter(grid, v, energy).transmission)(at)


@explained
def average(
    grid: Grid,
    v: Inexact[Array, "c c n"],
    width: float,
    momentum: float,
    channel: int = 0,
    n_momentum: int = 400,
) -> tuple[Float[Array, " c"], Float[Array, " c"]]:
    """Return the probabilities with which a packet from the left ends in each adiabatic channel.

    They are the stationary ones, averaged over the momenta of the packet.

    Args:
      grid: A one-dimensional grid, with its spacing, mass and dispersion.
      v: Hermitian matrices of channels in hartree, which keep their first and last value outside.
      width: Position spread S0 of the packet, in bohr: its momenta have the spread 1 / (2 S0).
      momentum: Its mean momentum in 1/bohr, at least 5 spreads of momentum.
      channel: The adiabatic channel in which it comes.
      n_momentum: Number of momenta, at least 11, evenly spaced over 5 spreads to each
        side.

    Returns:
      The probabilities of transmission and of reflection, by channel.

    >>> from qdistill.physics import crossings
    >>> grid = Grid(1024, 40.0, "continuum", origin=-20.0, mass=2000.0)
    >>> through, back = average(grid, crossings.single(grid.positions()), 1.0, 20.0, n_momentum=50)
    >>> print(f"{through[0]:.3f} {through[1]:.3f}")
    0.507 0.493
    """
    require_positive(width=width, momentum=momentum)
    # Momenta less than a spread apart; the sum over a Gaussian then converges fast.
    require_at_least(11, n_momentum=n_momentum)
    _require_line_of(grid, v)
    if v.ndim != 3:
        refuse("v", "of shape (n_channel, n_channel, n)", f"of shape {v.shape}")
    if channel not in range(v.shape[0]):
        refuse("channel", f"between 0 and {v.shape[0] - 1}", channel)
    if is_known(width):
        require_between(2.5 / width, float(np.pi / grid.dx[0]) - 2.5 / width, momentum=momentum)
    u = np.linspace(-5, 5, n_momentum)
    weights = np.exp(-(u**2) / 2)
    kinetic = omega(grid, momentum + u / (2 * width))
    bottom = jnp.linalg.eigvalsh(v[..., 0])[channel]
    energies = bottom + jnp.asarray(kinetic, bottom.dtype)
    _require_energy(grid, v, **{"energies of the packet": energies})

    def probabilities(energy: Array) -> tuple[Array, Array]:
        found = scatter(grid, v, energy)
        return found.transmission[:, channel], found.reflection[:, channel]

    through, back = jax.vmap(probabilities)(energies)
    share = jnp.asarray(weights / weights.sum(), bottom.dtype)
    return share @ through, share @ back


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


def _require_energy(grid: Grid, v: Array, **energy: Any) -> None:
    _require_line_of(grid, v)
    bottom = 0.0
    if v.ndim == 3 and is_known(v):
        bottom = float(np.linalg.eigvalsh(np.asarray(v)[..., 0])[0])
    if v.ndim < 3 or is_known(v):
        highest = 0.999 * float(grid.kinetic_energy().max())
        require_between(bottom + 1e-6, bottom + highest, **energy)


def _require_line_of(grid: Grid, v: Array) -> None:
    """Refuse what is no potential on consecutive points of a line, or between channels there."""
    require_line(grid)
    if v.ndim == 1:
        require_real(v=v)
    elif v.ndim != 3 or v.shape[0] != v.shape[1]:
        refuse("v", "of shape (n,), or (n_channel, n_channel, n)", f"of shape {v.shape}")
    require_finite(v=v)
    if v.ndim == 3:
        require_hermitian(v=v)


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
