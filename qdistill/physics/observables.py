"""Observables of a state: probabilities, energy, position, momentum, current."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from qdistill._checks import (
    is_known,
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Grid, Scalar, inner_product
from qdistill.physics.hamiltonian import hamiltonian


@explained
def probability(grid: Grid, psi: Complex[Array, "*n_x"]) -> Float[Array, ""]:
    """Return the total probability <psi|psi> over all channels, which the evolution conserves."""
    return inner_product(grid, psi, psi).real


@explained
def energy(grid: Grid, v: Inexact[Array, "..."], psi: Complex[Array, "..."]) -> Float[Array, ""]:
    """Return the mean energy <psi|H|psi> / <psi|psi> in hartree, with the grid's dispersion.

    Psi is (*n_x), or (n_channel, *n_x) if v is a matrix between channels. Only the real part of a
    complex potential, such as an absorber, counts.
    """
    h = hamiltonian(grid, v)
    require_shape((*v.shape[: -grid.n_dim - 1], *grid.shape), psi=psi)
    _require_some(psi)
    return jnp.vdot(psi, h(psi)).real / jnp.vdot(psi, psi).real


@explained
def position(grid: Grid, psi: Complex[Array, "*n_x"], axis: int = 0) -> Float[Array, ""]:
    """Return the mean position in bohr; it has no meaning once psi reaches the edges of the box."""
    require_shape(grid.shape, psi=psi)
    _require_some(psi)
    return _mean_position(grid, psi, axis)


@functools.partial(jax.jit, static_argnames=("grid", "axis"))
def _mean_position(grid: Grid, psi: Complex[Array, "*n_x"], axis: int) -> Float[Array, ""]:
    density = jnp.abs(psi) ** 2
    x = grid.positions(axis, density.dtype)
    return jnp.sum(x * density) / jnp.sum(density)


@explained
def momentum(grid: Grid, psi: Complex[Array, "*n_x"], axis: int = 0) -> Float[Array, ""]:
    """Return the mean wavenumber k in 1/bohr; k generates translations.

    The wave of two points, on grids of even size, has no direction and counts as 0.

    >>> grid = Grid(64, 10.0)
    >>> psi = jnp.exp(2j * jnp.pi * 3 * grid.positions() / 10.0)
    >>> round(float(momentum(grid, psi)), 4), round(2 * 3.14159265 * 3 / 10, 4)
    (1.885, 1.885)
    """
    require_shape(grid.shape, psi=psi)
    _require_some(psi)
    return _mean_wavenumber(grid, psi, axis)


@functools.partial(jax.jit, static_argnames=("grid", "axis"))
def _mean_wavenumber(grid: Grid, psi: Complex[Array, "*n_x"], axis: int) -> Float[Array, ""]:
    density = jnp.abs(jnp.fft.fftn(psi)) ** 2
    k = jnp.asarray(grid.odd_wavenumbers(axis), density.dtype)
    return jnp.sum(k * density) / jnp.sum(density)


@explained
@functools.partial(jax.jit, static_argnames=("grid", "axis"))
def current(grid: Grid, psi: Complex[Array, "*n_x"], axis: int = 0) -> Float[Array, "*n_x"]:
    """Return the probability current along an axis, which satisfies d|psi|^2/dt + div j = 0.

    On the lattice j_i = Im(conj(psi_i) psi_{i+1}) / (m dx) is the flow through the bond from
    point i to i + 1, and the balance (j_i - j_{i-1}) / dx is exact; on the continuum
    j = Im(conj(psi) dpsi/dx) / m is taken at the points, with the spectral derivative.
    """
    grid.require_axis(axis)
    require_shape(grid.shape, psi=psi)
    if grid.dispersion == "lattice":
        return jnp.imag(jnp.conj(psi) * jnp.roll(psi, -1, axis)) / (grid.mass[axis] * grid.dx[axis])
    k = jnp.asarray(grid.odd_wavenumbers(axis), psi.real.dtype)
    gradient = jnp.fft.ifftn(1j * k * jnp.fft.fftn(psi))
    return jnp.imag(jnp.conj(psi) * gradient) / grid.mass[axis]


@explained
def transmission_reflection(
    grid: Grid, psi: Complex[Array, "*n_x"], left: Scalar, right: Scalar, axis: int = 0
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the probabilities beyond `right` and before `left`, for a packet from the left.

    Args:
      grid: The grid of psi.
      psi: The state, after it has left the scatterer and before it wraps around the box.
      left: Left end of the scatterer, in bohr.
      right: Right end of the scatterer, in bohr.
      axis: The axis of flight.

    Returns:
      Transmitted and reflected probability; the rest lies between `left` and `right`.

    Raises:
      ValueError: For a state that has not reached the scatterer or has wrapped around the box: the
        part on one side flies towards the scatterer. Only the mean momentum of each side is
        checked. Traced values are not checked.
    """
    transmitted, reflected = sides(grid, psi, left, right, axis)
    if is_known((psi, left, right)):
        x = np.asarray(grid.positions(axis))
        _require_flying_apart(grid, psi, x > right, "beyond `right`", 1, axis)
        _require_flying_apart(grid, psi, x < left, "before `left`", -1, axis)
    return transmitted, reflected


@explained
def sides(
    grid: Grid, psi: Complex[Array, "*n_x"], left: Scalar, right: Scalar, axis: int = 0
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the probabilities beyond `right` and before `left`, for any state."""
    grid.require_axis(axis)
    lowest = grid.origin[axis]
    require_between(lowest, lowest + grid.lengths[axis], left=left, right=right)
    if is_known((left, right)) and left > right:
        refuse("left", f"at most right = {right}", left)
    require_shape(grid.shape, psi=psi)
    require_finite(psi=psi)
    density = jnp.abs(psi) ** 2 * grid.cell
    x = grid.positions(axis, density.dtype)
    beyond = jnp.sum(jnp.where(x > right, density, 0))
    before = jnp.sum(jnp.where(x < left, density, 0))
    return beyond, before


@explained
def spectrum(
    correlation: Complex[Array, " n_t"], dt: Scalar, energies: Float[Array, " n_e"]
) -> Float[Array, " n_e"]:
    """Return the spectrum of a state at given energies, from its autocorrelation in time.

    It is S(E) = Re sum_n w_n C(t_n) exp(i E t_n), with C(t) = <psi(0)|psi(t)> and weights w_n with
    the sum 1: half a Gaussian in t of the spread T / 6, where T is the last time. An eigenstate
    with the share p = |<phi|psi>|^2 gives a peak of height p and spread 6 / T at its energy.

    Args:
      correlation: C at t = 0, dt, 2 dt, ..., which `inner_product` gives of each frame.
      dt: Time between frames in a.u., below pi over the largest distance of energies.
      energies: Energies in hartree.

    >>> t = jnp.arange(200.0)
    >>> there, away = spectrum(0.3 * jnp.exp(-0.5j * t), 1.0, jnp.array([0.5, 0.8]))
    >>> print(f"{there:.3f} {abs(away):.3f}")
    0.300 0.000
    """
    require_finite(correlation=correlation, energies=energies)
    require_positive(dt=dt)
    if len(correlation) < 2:
        refuse("correlation", "of two times or more", f"of shape {correlation.shape}")
    n = np.arange(len(correlation))
    weights = np.exp(-((6 * n / n[-1]) ** 2) / 2)
    # The same again before t = 0.
    weights[0] /= 2
    share = jnp.asarray(weights / weights.sum(), correlation.real.dtype)
    t = jnp.asarray(n, energies.dtype) * dt
    return jnp.real(jnp.exp(1j * energies[:, None] * t[None]) @ (share * correlation))


# A side is not checked below this probability, or below this ratio of mean momentum to its spread.
_FEW, _SLOW = 0.01, 0.5


def _require_flying_apart(
    grid: Grid, psi: Array, is_there: np.ndarray, side: str, direction: int, axis: int
) -> None:
    """Refuse a state whose part on one side flies back to the scatterer."""
    density = np.abs(np.fft.fftn(np.where(is_there, np.asarray(psi), 0))) ** 2
    if np.sum(density) < _FEW * density.size * np.sum(np.abs(np.asarray(psi)) ** 2):
        return
    k = grid.odd_wavenumbers(axis)
    mean, square = (np.sum(power * density) / np.sum(density) for power in (k, k**2))
    if direction * mean < -_SLOW * np.sqrt(square):
        refuse(
            "psi",
            "taken after a packet from the left has left the scatterer, and before it comes "
            "around the periodic box",
            f"flying towards the scatterer {side}, with a mean momentum of {mean:.3g}",
            "Use an earlier or later frame, or a longer box.",
        )


def _require_some(psi: Array) -> None:
    """Refuse a known state that is zero everywhere: it has no mean of anything."""
    if is_known(psi) and not np.any(np.asarray(psi)):
        refuse("psi", "different from zero somewhere", "zero everywhere")
