"""Contenders between the waves of a disc, in a square box."""

from collections.abc import Callable, Sequence

import jax.numpy as jnp
from jaxtyping import Array, PyTree

from experiments.frontier import band_contenders, operations
from experiments.frontier.contenders import Contender
from qdistill.physics import plane_band as plane_projection
from qdistill.physics.grid import Grid
from qdistill.students import PropagatorConfig, plane_effective


def disc(grid: Grid, n_wave: int) -> band_contenders.Basis:
    """The waves of a square box within a disc; psi is seen by a product and an FFT."""
    n_band, n_coarse = plane_projection.band(n_wave).shape[1], 2 * n_wave + 2
    coarse = Grid((n_coarse, n_coarse), grid.lengths, grid.dispersion)

    def viewer(states: Array) -> Callable[[Array], Array]:
        return lambda amplitudes: plane_projection.from_waves(
            coarse, n_wave, band_contenders.times(states, amplitudes)
        )

    return band_contenders.Basis(
        n_band,
        lambda psi: plane_projection.to_waves(grid, n_wave, psi),
        lambda waves: plane_projection.from_waves(grid, n_wave, waves),
        viewer,
        (0, operations.product(n_band, n_band, 2) + operations.fft(n_coarse, n_coarse)),
    )


def cut_off(grid: Grid, numbers: Sequence[int]) -> dict[str, Contender]:
    """The Hamiltonian between the waves of a disc alone, by their highest wave along an axis."""

    def contender(n_wave: int) -> Contender:
        basis = disc(grid, n_wave)
        n = 2 * n_wave + 1
        return band_contenders.diagonalised(
            "cut off",
            basis,
            lambda v: plane_projection.project(grid, n_wave, v),
            operations.fft(*grid.shape) + 3 * n**4,
        )

    return {f"cut off, {plane_projection.band(n).shape[1]} waves": contender(n) for n in numbers}


def folded(grid: Grid, numbers: Sequence[int], energy: float = 7.0) -> dict[str, Contender]:
    """The same with all waves beyond folded in to second order."""

    def contender(n_wave: int) -> Contender:
        basis = disc(grid, n_wave)
        n_outer = (grid.shape[0] - 1) // 2
        n_all = (2 * n_outer + 1) ** 2
        elements = 3 * (2 * n_wave + 1) ** 2 * n_all
        return band_contenders.diagonalised(
            "folded",
            basis,
            lambda v: plane_projection.fold(grid, n_wave, v, energy),
            band_contenders.of_fold_in(basis.n_band, n_all) + elements,
        )

    return {f"folded, {plane_projection.band(n).shape[1]} waves": contender(n) for n in numbers}


def effective(
    grid: Grid, form: PropagatorConfig, params: PyTree, name: str
) -> dict[str, Contender]:
    """The learned effective Hamiltonian of a square box, its weights learned there or on lines."""
    _, n_wave = plane_effective.band(form.n_coarse, grid, jnp.zeros(grid.shape))
    basis = disc(grid, n_wave)
    terms = (1 + 5 * len(form.widths)) * operations.fft(*grid.shape)
    terms += 30 * form.n_terms * grid.shape[0] ** 2
    contender = band_contenders.diagonalised(
        "student",
        basis,
        lambda v: plane_effective.hamiltonian(form, grid, params, v),
        terms + (1 + 6 * form.n_fields) * 3 * (2 * n_wave + 1) ** 4,
    )
    return {f"{name}, {basis.n_band} waves": contender._replace(is_learned=True)}
