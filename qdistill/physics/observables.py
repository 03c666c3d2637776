"""Observables of a state: probabilities, energy, position, momentum, current."""

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Inexact

from qdistill._checks import is_known, refuse, require_between, require_shape
from qdistill.physics.grid import Grid, Scalar, inner_product
from qdistill.physics.hamiltonian import hamiltonian


def probability(grid: Grid, psi: Complex[Array, "*n_x"]) -> Float[Array, ""]:
    """Return the total probability <psi|psi>, which the exact evolution conserves."""
    return inner_product(grid, psi, psi).real


def energy(grid: Grid, v: Inexact[Array, "..."], psi: Complex[Array, "..."]) -> Float[Array, ""]:
    """Return the mean energy <psi|H|psi> / <psi|psi> in hartree, with the grid's dispersion.

    Psi is (*n_x), or (n_channel, *n_x) if v is a matrix between channels. Only the real part of a
    complex potential, such as an absorber, counts.
    """
    h = hamiltonian(grid, v)
    require_shape((*v.shape[: -grid.n_dim - 1], *grid.shape), psi=psi)
    return jnp.vdot(psi, h(psi)).real / jnp.vdot(psi, psi).real


def position(grid: Grid, psi: Complex[Array, "*n_x"], axis: int = 0) -> Float[Array, ""]:
    """Return the mean position in bohr; it has no meaning once psi reaches the edges of the box."""
    require_shape(grid.shape, psi=psi)
    density = jnp.abs(psi) ** 2
    x = grid.positions(axis, density.dtype)
    return jnp.sum(x * density) / jnp.sum(density)


def momentum(grid: Grid, psi: Complex[Array, "*n_x"], axis: int = 0) -> Float[Array, ""]:
    """Return the mean wavenumber k in 1/bohr; k generates translations.

    >>> grid = Grid(64, 10.0)
    >>> psi = jnp.exp(2j * jnp.pi * 3 * grid.positions() / 10.0)
    >>> round(float(momentum(grid, psi)), 4), round(2 * 3.14159265 * 3 / 10, 4)
    (1.885, 1.885)
    """
    require_shape(grid.shape, psi=psi)
    density = jnp.abs(jnp.fft.fftn(psi)) ** 2
    k = jnp.asarray(grid.wavenumbers(axis), density.dtype)
    return jnp.sum(k * density) / jnp.sum(density)


def current(grid: Grid, psi: Complex[Array, "*n_x"], axis: int = 0) -> Float[Array, "*n_x"]:
    """Return the probability current along an axis, which satisfies d|psi|^2/dt + div j = 0.

    On the lattice j_i = Im(conj(psi_i) psi_{i+1}) / dx is the flow through the bond from
    point i to i + 1, and the balance (j_i - j_{i-1}) / dx is exact; on the continuum
    j = Im(conj(psi) dpsi/dx) is taken at the points, with the spectral derivative.
    """
    grid.require_axis(axis)
    require_shape(grid.shape, psi=psi)
    if grid.dispersion == "lattice":
        return jnp.imag(jnp.conj(psi) * jnp.roll(psi, -1, axis)) / grid.dx[axis]
    k = jnp.asarray(grid.wavenumbers(axis), psi.real.dtype)
    gradient = jnp.fft.ifftn(1j * k * jnp.fft.fftn(psi))
    return jnp.imag(jnp.conj(psi) * gradient)


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
    """
    grid.require_axis(axis)
    lowest = grid.origin[axis]
    require_between(lowest, lowest + grid.lengths[axis], left=left, right=right)
    if is_known((left, right)) and left > right:
        refuse("left", f"at most right = {right}", left)
    require_shape(grid.shape, psi=psi)
    density = jnp.abs(psi) ** 2 * grid.cell
    x = grid.positions(axis, density.dtype)
    transmitted = jnp.sum(jnp.where(x > right, density, 0))
    reflected = jnp.sum(jnp.where(x < left, density, 0))
    return transmitted, reflected
