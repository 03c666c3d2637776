"""The Hamiltonian as a function of psi, and its parts."""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Num

from qdistill._checks import refuse, require_finite
from qdistill._refusals import explained
from qdistill.physics.grid import Grid


@explained
def hamiltonian(grid: Grid, v: Num[Array, "..."]) -> Callable[[Array], Array]:
    """Return ``psi -> H psi`` with H = omega(-i grad) + v, in hartree.

    Args:
      grid: The grid of psi, with its dispersion.
      v: The potential, of shape (*n_x), or (n_channel, n_channel, *n_x) between the channels of
        psi, (n_channel, *n_x).

    Raises:
      ValueError: For a potential of another shape or of integers, or that is not finite.

    >>> grid = Grid(8, 2.0)
    >>> h = hamiltonian(grid, jnp.full(8, 3.0))
    >>> h(jnp.ones(8, jnp.complex64)).real
    Array([3., 3., 3., 3., 3., 3., 3., 3.], dtype=float32)
    """
    if not jnp.issubdtype(v.dtype, jnp.inexact):
        refuse("v", "an array of real floating-point numbers", f"of type {v.dtype}")
    if v.shape[-grid.n_dim :] != grid.shape or v.ndim not in (grid.n_dim, grid.n_dim + 2):
        refuse("v", f"of shape {grid.shape}, or between channels", f"of shape {v.shape}")
    require_finite(v=v)

    def act(psi: Array) -> Array:
        if psi.shape[-grid.n_dim :] != grid.shape:
            refuse("psi", f"of shape {grid.shape}, or of channels", f"of shape {psi.shape}")
        if grid.dispersion == "lattice" and v.ndim == psi.ndim == grid.n_dim:
            return hop(grid, 1.0, psi) + (v + rest(grid)) * psi
        return kinetic(grid, 1.0, psi) + apply(v, psi)

    return act


@explained
def apply(local: Num[Array, "..."], psi: Num[Array, "..."]) -> Num[Array, "..."]:
    """Return psi multiplied by a potential, or by a matrix of potentials between channels."""
    space = min(local.ndim, psi.ndim) - (local.ndim > psi.ndim)
    if local.shape[local.ndim - space :] != psi.shape[psi.ndim - space :]:
        refuse("local", f"of the grid of psi, of shape {psi.shape}", f"of shape {local.shape}")
    if local.ndim <= psi.ndim:
        return over_channels(local, psi) * psi
    return jnp.sum(local * psi[None], axis=1)


@explained
def rest(grid: Grid) -> float:
    """Return the diagonal element of the 3-point kinetic energy, in hartree."""
    return sum(1 / (mass * dx**2) for mass, dx in zip(grid.mass, grid.dx, strict=True))


@explained
def hop(grid: Grid, scale: float, u: Num[Array, "..."]) -> Num[Array, "..."]:
    """Apply the off-diagonal part of the 3-point kinetic energy; further axes are batched."""
    hopped = jnp.zeros_like(u)
    for axis, (mass, dx) in enumerate(zip(grid.mass, grid.dx, strict=True)):
        neighbours = jnp.roll(u, 1, axis) + jnp.roll(u, -1, axis)
        hopped -= 0.5 * scale / (mass * dx**2) * neighbours
    return hopped


@explained
def kinetic(grid: Grid, scale: float, psi: Array) -> Array:
    """Apply the kinetic energy by a pair of FFTs over the last axes, those of space."""
    omega = jnp.asarray(scale * grid.kinetic_energy(), psi.real.dtype)
    space = tuple(range(-grid.n_dim, 0))
    return jnp.fft.ifftn(over_channels(omega, psi) * jnp.fft.fftn(psi, axes=space), axes=space)


@explained
def over_channels(field: Array, psi: Array) -> Array:
    """Return a field over space, shaped to multiply a psi that may have channels in front."""
    return field[(None,) * (psi.ndim - field.ndim)]
