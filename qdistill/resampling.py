"""From a fine grid to a coarse one and back, exact for what the coarse grid can hold."""

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill.arguments import refuse, require_between, require_shape
from qdistill.grid import Grid


def coarse_grid(fine: Grid, n_x: int) -> Grid:
    """The grid of the same box with fewer points.

    Raises:
      ValueError: For a grid of more than one dimension, or as many points or more.

    >>> coarse_grid(Grid(1024, 100.0), 256).shape
    (256,)
    """
    if fine.n_dim != 1:
        refuse("fine", "one-dimensional", fine)
    require_between(4, fine.shape[0] - 1, n_x=n_x)
    return Grid(n_x, fine.lengths, fine.dispersion)


def to_coarse(fine: Grid, coarse: Grid, f: Complex[Array, " n_x"]) -> Complex[Array, " n_coarse"]:
    """The waves of a function that a coarse grid holds, |k| < n pi / length; others are dropped."""
    require_shape(fine.shape, f=f)
    n = coarse.shape[0]
    kept = _shared(n)
    waves = jnp.fft.fft(f)[kept % len(f)] * _shift(fine, coarse)
    spectrum = jnp.zeros(n, waves.dtype).at[kept % n].set(waves)
    return jnp.fft.ifft(spectrum) * (n / len(f))


def to_fine(fine: Grid, coarse: Grid, f: Complex[Array, " n_coarse"]) -> Complex[Array, " n_x"]:
    """The function of these waves on a finer grid; undone by `to_coarse`."""
    require_shape(coarse.shape, f=f)
    n = fine.shape[0]
    kept = _shared(len(f))
    waves = jnp.fft.fft(f)[kept % len(f)] * _shift(fine, coarse).conj()
    spectrum = jnp.zeros(n, waves.dtype).at[kept % n].set(waves)
    return jnp.fft.ifft(spectrum) * (n / len(f))


def low_pass(fine: Grid, coarse: Grid, v: Float[Array, " n_x"]) -> Float[Array, " n_coarse"]:
    """A landscape without the waves that a coarse grid does not hold, on that grid."""
    return to_coarse(fine, coarse, v + 0j).real


def _shared(n: int) -> np.ndarray:
    """Numbers of the waves of a grid of n points, without the one at n / 2."""
    return np.arange(-((n - 1) // 2), (n - 1) // 2 + 1)


def _shift(fine: Grid, coarse: Grid) -> np.ndarray:
    """Points begin at dx, not at zero, and dx is another on another grid."""
    k = 2 * np.pi * _shared(coarse.shape[0]) / coarse.lengths[0]
    return np.exp(1j * k * (coarse.dx[0] - fine.dx[0])).astype(np.complex64)
