"""The Hamiltonian on the long waves of a square box, and what the short ones do to it.

As in `projection`, in two dimensions: the waves are products of those of a line, within a disc
|k| <= k_n, so that no direction is singled out.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from qdistill._checks import refuse, require_at_least, require_finite, require_real, require_shape
from qdistill.physics import band as projection
from qdistill.physics.grid import Grid


def band(n_wave: int) -> Int[np.ndarray, "2 n_band"]:
    """Which waves of the two axes make each wave of a disc, in the order of `projection.to_waves`.

    Args:
      n_wave: The n of the edge, k_n = 2 pi n / length.

    >>> band(1)  # 1, cos y, sin y, cos x, sin x
    array([[0, 0, 0, 1, 2],
           [0, 1, 2, 0, 0]])
    """
    require_at_least(1, n_wave=n_wave)
    squares = _numbers(n_wave) ** 2
    return np.stack(np.nonzero(squares[:, None] + squares <= n_wave**2))


def to_waves(grid: Grid, n_wave: int, psi: Complex[Array, "n_x n_y"]) -> Complex[Array, " n_band"]:
    """Coefficients of psi in the waves of the disc; their squares sum to its probability there.

    Raises:
      ValueError: For a box that is no square, or waves that it does not hold.
    """
    line = _line(grid, n_wave)
    require_shape(grid.shape, psi=psi)
    along = functools.partial(projection.to_waves, line, n_wave)
    both = jax.vmap(along, 1, 1)(jax.vmap(along)(psi))
    return both[tuple(band(n_wave))]


def from_waves(
    grid: Grid, n_wave: int, coefficients: Complex[Array, " n_band"]
) -> Complex[Array, "n_x n_y"]:
    """The state on any square box of the same length, finer or coarser, of these coefficients."""
    line, kept = _line(grid, n_wave), band(n_wave)
    require_shape((kept.shape[1],), coefficients=coefficients)
    n = 2 * n_wave + 1
    both = jnp.zeros((n, n), coefficients.dtype).at[tuple(kept)].set(coefficients)
    along = functools.partial(projection.from_waves, line)
    return jax.vmap(along, 1, 1)(jax.vmap(along)(both))


def kinetic(grid: Grid, n_wave: int) -> Float[np.ndarray, " n_band"]:
    """The kinetic energy of each of the waves, in hartree and float64."""
    each = projection.kinetic(_line(grid, n_wave), n_wave)
    x, y = band(n_wave)
    return each[x] + each[y]


def products(
    v: Float[Array, "n_x n_y"], n_rows: int, n_columns: int
) -> Float[Array, "n_rows n_columns n_rows n_columns"]:
    """The matrix of a landscape between products of waves of the axes, in hartree.

    The axes are the rows and the columns of x, then those of y.

    Args:
      v: The landscape.
      n_rows: Highest wave of the rows along an axis.
      n_columns: Highest wave of the columns along an axis.
    """
    along = functools.partial(projection.elements, n_rows=n_rows, n_columns=n_columns)
    return jax.vmap(jax.vmap(along, 1, 2), 2, 3)(jax.vmap(along)(v))


def choose(
    matrix: Float[Array, "n_rows n_columns n_rows n_columns"],
    rows: Int[np.ndarray, "2 n_row"],
    columns: Int[np.ndarray, "2 n_column"],
) -> Float[Array, "n_row n_column"]:
    """The elements of `products` between chosen waves, each named by those of x and y."""
    x, y = rows[:, :, None]
    return matrix[x, columns[0], y, columns[1]]


def project(grid: Grid, n_wave: int, v: Float[Array, "n_x n_y"]) -> Float[Array, "n_band n_band"]:
    """The Hamiltonian between the waves of a disc: kinetic energy and landscape, nothing else."""
    _require_landscape(grid, v)
    kept = band(n_wave)
    t = jnp.asarray(kinetic(grid, n_wave), v.dtype)
    return choose(products(v, n_wave, n_wave), kept, kept) + jnp.diag(t)


def fold(
    grid: Grid, n_wave: int, v: Float[Array, "n_x n_y"], energy: float = 7.0
) -> Float[Array, "n_band n_band"]:
    """The Hamiltonian of a disc with all waves beyond it folded in: `projection.fold`.

    Args:
      grid: A square box.
      n_wave: Edge of the disc.
      v: The landscape.
      energy: Kinetic energy in hartree for which it is best, below that of the waves beyond.

    Raises:
      ValueError: For an energy that waves beyond the disc have too.
    """
    _require_landscape(grid, v)
    require_finite(energy=energy)
    h = project(grid, n_wave, v)
    n_outer = (grid.shape[0] - 1) // 2
    squares = _numbers(n_outer) ** 2
    beyond = np.stack(np.nonzero(squares[:, None] + squares > n_wave**2))
    omega = projection.kinetic(_line(grid, n_outer), n_outer)
    gap = omega[beyond[0]] + omega[beyond[1]] - energy
    if not gap.size:
        refuse("n_wave", "so low that waves are left to be folded in", n_wave)
    if gap.min() <= 0:
        refuse("energy", f"below {gap.min() + energy:.3g}, of the first wave left out", energy)
    return projection.fold_in(
        h,
        choose(products(v, n_wave, n_outer), band(n_wave), beyond),
        jnp.asarray(gap, v.dtype),
        energy + jnp.mean(v),
    )


def _numbers(n_wave: int) -> Int[np.ndarray, " n_wave"]:
    """The number of each wave of a line: 0, 1 .. n for cosines, 1 .. n for sines."""
    return np.r_[: n_wave + 1, 1 : n_wave + 1]


def require_square(grid: Grid) -> None:
    """Refuse all but square boxes with as many points along both axes."""
    if grid.n_dim != 2 or len({*grid.shape}) != 1 or len({*grid.lengths}) != 1:
        refuse("grid", "a square box", grid)


def _line(grid: Grid, n_wave: int) -> Grid:
    """An axis of a square box."""
    require_square(grid)
    line = Grid(grid.shape[0], grid.lengths[0], grid.dispersion)
    projection.require_waves(line, n_wave)
    return line


def _require_landscape(grid: Grid, v: Array) -> None:
    require_real(v=v)
    require_shape(grid.shape, v=v)
    require_finite(v=v)
