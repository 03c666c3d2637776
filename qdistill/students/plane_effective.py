"""The learned effective Hamiltonian between the long waves of a square box.

What learns on lines is the same 24 numbers: a product of two slopes becomes the tensor of two
gradients, that of two curvatures the product of two matrices of second derivatives. Of a landscape
that varies along one direction only, both are what they are on a line. The trace of the sum stands
as a potential, the tensor between two derivatives, as a mass that depends on the direction.
"""

import functools
import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from qdistill._checks import refuse
from qdistill.physics import band as projection
from qdistill.physics import plane_band as plane_projection
from qdistill.physics.grid import Grid
from qdistill.students.base import require_line
from qdistill.students.effective import PropagatorConfig, Waves
from qdistill.students.phases import V_SCALE


def waves(
    config: PropagatorConfig, grid: Grid, params: PyTree, v: Float[Array, "n_x n_y"]
) -> Waves:
    """What a step is made of."""
    box, n_wave = band(config.n_coarse, grid, v)
    return Waves(
        functools.partial(plane_projection.to_waves, box, n_wave),
        functools.partial(plane_projection.from_waves, box, n_wave),
        hamiltonian(config, grid, params, v),
    )


def hamiltonian(
    config: PropagatorConfig, grid: Grid, params: PyTree, v: Float[Array, "n_x n_y"]
) -> Float[Array, "n_band n_band"]:
    """The learned effective Hamiltonian between the waves of the disc; real and symmetric."""
    box, n_wave = band(config.n_coarse, grid, v)
    learned = jnp.tensordot(jnp.asarray(params["weights"], v.dtype), terms(config, grid, v), 1)
    total = plane_projection.products(v, n_wave, n_wave)
    for power, field in enumerate(learned):
        total = total + _products(config, grid, field, power)
    kept = plane_projection.band(n_wave)
    t = jnp.asarray(plane_projection.kinetic(box, n_wave), v.dtype)
    return plane_projection.choose(total, kept, kept) + jnp.diag(t)


def terms(
    config: PropagatorConfig, grid: Grid, v: Float[Array, "n_x n_y"]
) -> Float[Array, "n_term 3 n_x n_y"]:
    """Symmetric tensors (xx, xy, yy): `effective.terms` in two dimensions, in its order."""
    box, _ = band(config.n_coarse, grid, v)
    k = box.wavenumbers(0), box.wavenumbers(1)
    transform = jnp.fft.fftn(v / V_SCALE)

    def derivatives(width: float) -> tuple[np.ndarray, np.ndarray]:
        gradient = np.stack(np.broadcast_arrays(*(1j * width * each for each in k)))
        smooth = np.exp(-(width**2) * (k[0] ** 2 + k[1] ** 2) / 2)
        return gradient * smooth, gradient[:, None] * gradient * smooth

    def on_points(filters: list[np.ndarray]) -> Array:
        stacked = jnp.asarray(np.stack(filters), transform.dtype)
        # Widths first, then one or two axes of a derivative.
        waves = stacked * jnp.expand_dims(transform, tuple(range(stacked.ndim - 2)))
        return jnp.fft.ifftn(waves, axes=(-2, -1)).real

    slopes, curvatures = map(
        on_points, map(list, zip(*map(derivatives, config.widths), strict=True))
    )
    pairs = itertools.combinations_with_replacement(range(len(config.widths)), 2)
    first, second = map(np.array, zip(*pairs, strict=True))
    squares = jnp.concatenate(
        [
            jnp.einsum("pixy,pjxy->pijxy", slopes[first], slopes[second]),
            jnp.einsum("pikxy,pkjxy->pijxy", curvatures[first], curvatures[second]),
        ]
    )
    symmetric = (squares + squares.swapaxes(1, 2)) / 2
    return jnp.stack([symmetric[:, 0, 0], symmetric[:, 0, 1], symmetric[:, 1, 1]], axis=1)


def between_derivatives(
    config: PropagatorConfig, grid: Grid, tensor: Float[Array, "3 n_x n_y"], power: int
) -> Float[Array, "n_band n_band"]:
    """The trace of a symmetric tensor as a potential, or D^T tensor D, in the disc."""
    _, n_wave = band(config.n_coarse, grid, tensor[0])
    kept = plane_projection.band(n_wave)
    return plane_projection.choose(_products(config, grid, tensor, power), kept, kept)


def _products(
    config: PropagatorConfig, grid: Grid, tensor: Float[Array, "3 n_x n_y"], power: int
) -> Float[Array, "n_rows n_columns n_rows n_columns"]:
    box, n_wave = band(config.n_coarse, grid, tensor[0])
    if power == 0:
        return plane_projection.products(tensor[0] + tensor[2], n_wave, n_wave)
    edge = config.n_coarse * box.lengths[0] / grid.lengths[0] / 2
    xx, xy, yy = (plane_projection.products(part, n_wave, n_wave) for part in tensor)

    def differentiate(products: Array, row: int, column: int) -> Array:
        # Axes: rows and columns of x, then those of y.
        return projection.differentiate(projection.differentiate(products, row, edge), column, edge)

    return (
        differentiate(xx, 0, 1)
        + differentiate(xy, 0, 3)
        + differentiate(xy, 2, 1)
        + differentiate(yy, 2, 3)
    )


def band(n_coarse: int, grid: Grid, v: Float[Array, "n_x n_y"]) -> tuple[Grid, int]:
    """The box in which a landscape lives, and the edge of the disc there."""
    require_line(v, 2)
    lengths = tuple(n * dx for n, dx in zip(v.shape, grid.dx, strict=True))
    # The edge itself is not in the band.
    n_wave = (n_coarse * len(v) - 1) // (2 * grid.shape[0])
    return Grid(v.shape, lengths, grid.dispersion), n_wave


def require_plane(config: PropagatorConfig, grid: Grid) -> None:
    """Refuse boxes that are no squares, and more fields than a potential and a mass."""
    plane_projection.require_square(grid)
    if config.n_fields > 2:
        refuse("n_fields", "at most 2 in two dimensions", config.n_fields)
