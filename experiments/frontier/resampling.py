"""Resampling between a fine and a coarse grid, exact for the waves of the coarse grid."""

import dataclasses
import functools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import is_known, refuse, require_between, require_finite, require_shape
from qdistill.physics.grid import Grid


def coarse_grid(fine: Grid, n_x: int) -> Grid:
    """Return the grid of the same line, square or cube with fewer points along an axis.

    Raises:
      ValueError: For another box, or as many points or more.

    >>> coarse_grid(Grid(1024, 100.0), 256).shape
    (256,)
    """
    if len({*fine.shape}) != 1 or len({*fine.lengths}) != 1:
        refuse("fine", "a line, square or cube", fine)
    require_between(4, fine.shape[0] - 1, n_x=n_x)
    return dataclasses.replace(fine, shape=(n_x,) * fine.n_dim)


def to_coarse(fine: Grid, coarse: Grid, f: Complex[Array, "*n_x"]) -> Complex[Array, "*n_coarse"]:
    """Return a function on a coarse grid, from its waves with |k| < n pi / length along every axis.

    Other waves are dropped.
    """
    require_shape(fine.shape, f=f)
    require_between(4, fine.shape[0], coarse=coarse.shape[0])
    return _resample(f, fine, coarse, _shared(coarse.shape[0]))


def to_fine(fine: Grid, coarse: Grid, f: Complex[Array, "*n_coarse"]) -> Complex[Array, "*n_x"]:
    """Return a function on a finer grid; `to_coarse` is the inverse."""
    require_shape(coarse.shape, f=f)
    require_between(4, fine.shape[0], coarse=coarse.shape[0])
    return _resample(f, coarse, fine, _shared(coarse.shape[0]))


def low_pass(fine: Grid, coarse: Grid, v: Float[Array, "*n_x"]) -> Float[Array, "*n_coarse"]:
    """Return a potential on a coarse grid, without waves beyond that grid."""
    return to_coarse(fine, coarse, v + 0j).real


def out_of_band(fine: Grid, coarse: Grid, psi: Complex[Array, "*n_x"]) -> Float[Array, ""]:
    """Return the share of the norm of psi, from 0 to 1, in waves beyond a coarse grid.

    >>> fine = Grid(8, 2.0)
    >>> psi = jnp.exp(2j * jnp.pi * 3 * fine.positions() / 2.0)
    >>> out_of_band(fine, coarse_grid(fine, 4), psi).round(3)
    Array(1., dtype=float32)
    """
    require_shape(fine.shape, psi=psi)
    n_fine, n_coarse = fine.shape[0], coarse.shape[0]
    is_kept = np.zeros(n_fine, bool)
    is_kept[_shared(n_coarse) % n_fine] = True
    beyond = ~functools.reduce(np.logical_and.outer, (is_kept,) * fine.n_dim)
    waves = jnp.fft.fftn(psi)
    whole = jnp.linalg.norm(waves)
    return jnp.linalg.norm(waves[beyond]) / jnp.where(whole > 0, whole, 1)


def require_within_band(
    fine: Grid, coarse: Grid, psi: Complex[Array, "*n_x"], tolerance: float = 2e-2
) -> None:
    """Refuse a psi that does not fit into the waves of a coarse grid.

    Args:
      fine: The grid of psi.
      coarse: A grid of the same box with fewer points.
      psi: The state; a traced one is not checked.
      tolerance: Largest share of the norm that may be lost, a lower bound of forecast errors.

    Raises:
      ValueError: For a larger share; the message gives the limits of the coarse grid.
    """
    require_between(0, 1, tolerance=tolerance)
    require_finite(psi=psi)
    share = out_of_band(fine, coarse, psi)
    if is_known(share) and float(share) > tolerance:
        edge = np.pi / coarse.dx[0]
        refuse(
            "psi",
            f"within |k| < {edge:.3g} but for {tolerance:g} of its norm",
            f"beyond with {float(share):.2g} of it",
            "Use a coarse grid with more points.",
        )


def _shared(n: int) -> np.ndarray:
    """The indices of the waves of a grid of n points, without the one at n / 2."""
    return np.arange(-((n - 1) // 2), (n - 1) // 2 + 1)


def _resample(f: Array, old: Grid, new: Grid, kept: np.ndarray) -> Array:
    """The function on other points, from the waves that are kept."""
    if (old.lengths, old.origin) != (new.lengths, new.origin):
        refuse("coarse", f"of the same lengths, {old.lengths}", f"of {new.lengths}")
    if len({*old.shape}) != 1 or len({*new.shape}) != 1:
        refuse("coarse", "a line, square or cube", f"of {new.shape} points")
    n_old, n_new = old.shape[0], new.shape[0]
    # Each wave of the new grid gathers one of the old, or the zero at the end. The first point is
    # one spacing away from the edge of the box, so it differs between grids.
    taken, turn = np.full(n_new, n_old), np.zeros(n_new, complex)
    taken[kept % n_new] = kept % n_old
    turn[kept % n_new] = np.exp(2j * np.pi * kept * (1 / n_new - 1 / n_old)) * n_new / n_old
    waves = jnp.fft.fftn(f)
    factors = jnp.expand_dims(jnp.asarray(turn, waves.dtype), tuple(range(old.n_dim - 1)))
    for axis in range(old.n_dim):
        last = jnp.moveaxis(waves, axis, -1)
        last = jnp.concatenate([last, jnp.zeros_like(last[..., :1])], axis=-1)
        waves = jnp.moveaxis(last[..., taken] * factors, -1, axis)
    return jnp.fft.ifftn(waves)
