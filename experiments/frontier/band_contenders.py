"""Contenders between the waves of a band: a Hamiltonian diagonalised, or a frame as a matrix."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments.frontier import contenders, operations, resampling
from experiments.frontier.contenders import Contender, Evolution
from experiments.frontier.operations import Operations
from qdistill.physics import band as projection
from qdistill.physics.grid import Grid
from qdistill.students import KernelConfig, PropagatorConfig, count_parameters
from qdistill.students import effective as learned
from qdistill.students import kernel as learned_kernel

# Points that hold the waves of an exact propagator, at least, and in units of those that it is
# projected to: as few as cost no accuracy.
N_EXACT, EXACT_REACH = 320, 1.25
# Highest wave that is folded in, in units of the band's: what is closest for bands of any size. A
# series that ends with its second order overshoots, so that more is worse.
FOLD_REACH = 2.3


class Basis(NamedTuple):
    """The waves of a band.

    Attributes:
      n_band: How many.
      coefficients: ``psi -> waves``, from the fine grid.
      psi: ``waves -> psi`` on the fine grid.
      viewer: ``states -> (amplitudes -> psi)`` of eigenstates on points that hold the waves.
      operations: What the viewer takes for a landscape and for a look.
    """

    n_band: int
    coefficients: Callable[[Array], Array]
    psi: Callable[[Array], Array]
    viewer: Callable[[Array], Callable[[Array], Array]]
    operations: tuple[float, float]


def line_basis(grid: Grid, n_coarse: int) -> Basis:
    """The waves of a line that so many points hold; psi is seen there by one real product."""
    n_wave = (n_coarse - 1) // 2
    n_band = 2 * n_wave + 1
    on_points = waves_on_points(resampling.coarse_grid(grid, n_coarse), n_wave)

    def viewer(states: Array) -> Callable[[Array], Array]:
        seen = on_points @ states
        return lambda amplitudes: times(seen, amplitudes)

    return Basis(
        n_band,
        lambda psi: projection.to_waves(grid, n_wave, psi),
        lambda waves: projection.from_waves(grid, waves),
        viewer,
        (operations.product(n_coarse, n_band, n_band), operations.product(n_coarse, n_band, 2)),
    )


def diagonalised(
    kind: str, basis: Basis, hamiltonian: Callable[[Array], Array], cost: float
) -> Contender:
    """An effective Hamiltonian between the waves of a band, diagonalised.

    Its states are the amplitudes of eigenstates, of which time changes the phases alone; psi is
    made where it is looked at.

    Args:
      kind: What it is called.
      basis: The waves.
      hamiltonian: Its matrix between them, of a landscape.
      cost: Operations that the matrix takes.
    """

    def evolution(v: Array) -> Evolution:
        energies, states = projection.diagonalise(hamiltonian(v))
        phases = jnp.exp(-1j * energies * contenders.UNIT)
        return Evolution(
            lambda frames: times(states.T, basis.coefficients(frames[-1])),
            lambda amplitudes: phases * amplitudes,
            basis.viewer(states),
            lambda amplitudes: basis.psi(times(states, amplitudes)),
        )

    once, look = basis.operations
    once += cost + operations.diagonalisation(basis.n_band)
    return Contender(kind, evolution, Operations(once, 6 * basis.n_band, look))


def cut_off(grid: Grid, sizes: Sequence[int]) -> dict[str, Contender]:
    """The Hamiltonian between long waves alone; nothing is folded in, and nothing learned."""

    def contender(n_coarse: int) -> Contender:
        basis = line_basis(grid, n_coarse)
        return diagonalised(
            "cut off",
            basis,
            lambda v: projection.project(grid, basis.n_band // 2, v),
            _elements(grid, basis.n_band, basis.n_band),
        )

    return {f"cut off, {n} points": contender(n) for n in sizes}


def folded(grid: Grid, sizes: Sequence[int], energy: float = 7.0) -> dict[str, Contender]:
    """The Hamiltonian of long waves with the short ones folded in to second order."""

    def contender(n_coarse: int) -> Contender:
        basis = line_basis(grid, n_coarse)
        n_wave = basis.n_band // 2
        outer = min(round(FOLD_REACH * n_wave), (grid.shape[0] - 1) // 2)
        return diagonalised(
            "folded",
            basis,
            lambda v: projection.fold(grid, n_wave, v, energy, outer),
            _of_fold(grid, basis.n_band, 2 * outer + 1),
        )

    return {f"folded, {n} points": contender(n) for n in sizes}


def effective(
    grid: Grid, form: PropagatorConfig, params: PyTree, name: str
) -> dict[str, Contender]:
    """The learned effective Hamiltonian."""
    basis = line_basis(grid, form.n_coarse)
    n_x, n_band = grid.shape[0], basis.n_band
    terms = (1 + 2 * len(form.widths)) * operations.fft(n_x) + 3 * n_x * form.n_terms
    contender = diagonalised(
        "student",
        basis,
        lambda v: learned.hamiltonian(form, grid, params, v),
        terms + (1 + form.n_fields) * _elements(grid, n_band, n_band),
    )
    return {f"{name}, {form.n_coarse} points": contender._replace(is_learned=True)}


def framed(
    kind: str,
    grid: Grid,
    n_coarse: int,
    frame: Callable[[Array], tuple[Array, Array]],
    cost: float,
) -> Contender:
    """A frame of 1 a.u. as one matrix, on points that hold the waves of a band.

    Args:
      kind: What it is called.
      grid: Where psi and the landscape are given.
      n_coarse: Points.
      frame: Real and imaginary part of the matrix between the waves, of a landscape.
      cost: Operations that they take.
    """
    coarse, n_wave = resampling.coarse_grid(grid, n_coarse), (n_coarse - 1) // 2
    on_points = waves_on_points(coarse, n_wave)

    def evolution(v: Array) -> Evolution:
        re, im = (on_points @ part @ on_points.T * coarse.dx[0] for part in frame(v))
        matrix = re + 1j * im
        return Evolution(
            lambda frames: resampling.to_coarse(grid, coarse, frames[-1]),
            lambda psi: matrix @ psi,
            contenders.as_is,
            lambda psi: resampling.to_fine(grid, coarse, psi),
        )

    cost += 2 * operations.product(n_coarse, 2 * n_wave + 1, 2 * n_coarse)
    return Contender(kind, evolution, Operations(cost, 8 * n_coarse**2))


def kernel(grid: Grid, form: KernelConfig, params: PyTree, name: str) -> dict[str, Contender]:
    """The learned kernel of a frame of 1 a.u."""
    n_band = 2 * ((form.n_coarse - 1) // 2) + 1

    def frame(v: Array) -> tuple[Array, Array]:
        matrix = learned_kernel.matrix(form, grid, params, v, contenders.UNIT)
        return matrix.real, matrix.imag

    n_products = 5 + 2 * form.n_doublings
    cost = n_products * operations.product(n_band, n_band, n_band)
    cost += 2 * grid.shape[0] * count_parameters(params) + 2 * _elements(grid, n_band, n_band)
    contender = framed("student", grid, form.n_coarse, frame, cost)
    return {f"{name}, {form.n_coarse} points": contender._replace(is_learned=True)}


def projected(grid: Grid, sizes: Sequence[int]) -> dict[str, Contender]:
    """The propagator over 1 a.u. between the waves of a coarse grid.

    What leaves these waves within a step is lost, and nothing else is. The propagator is that of
    more waves, with those beyond folded in, diagonalised.
    """

    def contender(n_coarse: int) -> Contender:
        n_wave = (n_coarse - 1) // 2
        n_exact = max(N_EXACT, round(EXACT_REACH * n_coarse))
        # Something has to be left to be folded in.
        outer = min((n_exact - 1) // 2, (grid.shape[0] - 3) // 2)
        kept = np.r_[: n_wave + 1, outer + 1 : outer + n_wave + 1]

        def frame(v: Array) -> tuple[Array, Array]:
            energies, states = projection.diagonalise(projection.fold(grid, outer, v))
            rows, phases = states[kept], energies * contenders.UNIT
            return (
                (rows * jnp.cos(phases)[None]) @ rows.T,
                -(rows * jnp.sin(phases)[None]) @ rows.T,
            )

        n_exact = 2 * outer + 1
        cost = _of_fold(grid, n_exact, grid.shape[0]) + operations.diagonalisation(n_exact)
        cost += operations.product(len(kept), n_exact, 2 * len(kept))
        return framed("projected", grid, n_coarse, frame, cost)

    return {f"projected, {n} points": contender(n) for n in sizes}


def waves_on_points(coarse: Grid, n_wave: int) -> Float[Array, "n_coarse n_band"]:
    """The waves of a band, as columns, on the points of a line."""
    each = jnp.eye(2 * n_wave + 1, dtype=complex)
    return jax.vmap(lambda waves: projection.from_waves(coarse, waves))(each).real.T


def times(matrix: Array, state: Array) -> Array:
    """A real matrix times a complex vector: half the work of a complex product."""
    parts = matrix @ jnp.stack([state.real, state.imag], axis=-1)
    return parts[..., 0] + 1j * parts[..., 1]


def _elements(grid: Grid, n_rows: int, n_columns: int) -> float:
    return operations.fft(*grid.shape) + 3 * n_rows * n_columns


def _of_fold(grid: Grid, n_band: int, n_outer: int) -> float:
    return of_fold_in(n_band, n_outer) + _elements(grid, n_band, n_outer)


def of_fold_in(n_band: int, n_outer: int) -> float:
    """Of the products of `projection.fold_in`."""
    twice = 2 * operations.product(n_band, n_outer - n_band, n_band)
    return twice + operations.product(n_band, n_band, n_band)
