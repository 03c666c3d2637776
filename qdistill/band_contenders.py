"""Contenders between the waves of a band: a Hamiltonian diagonalised, or a frame as a matrix."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from qdistill import contenders, operations, projection
from qdistill.contenders import Contender, Evolution
from qdistill.grid import Grid
from qdistill.operations import Operations
from qdistill.students import PropagatorConfig
from qdistill.students import effective as learned

# Points that hold the waves that are folded in, and those of an exact propagator.
N_OUTER = 512


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
    on_points = waves_on_points(grid, n_coarse, n_wave)

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
    """The Hamiltonian of long waves with those up to `N_OUTER` points folded in to second order.

    With all shorter ones it takes longer and is less close: a series that is cut off after its
    second order overshoots.
    """
    outer = (min(N_OUTER, grid.shape[0]) - 1) // 2

    def contender(n_coarse: int) -> Contender:
        basis = line_basis(grid, n_coarse)
        return diagonalised(
            "folded",
            basis,
            lambda v: projection.fold(grid, basis.n_band // 2, v, energy, outer),
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


def projected(grid: Grid, sizes: Sequence[int]) -> dict[str, Contender]:
    """The propagator over 1 a.u. between the waves of a coarse grid, as a matrix.

    What leaves these waves within a step is lost, and nothing else is. The propagator is that of
    the waves of `N_OUTER` points, with those beyond folded in.
    """
    outer = (min(N_OUTER, grid.shape[0]) - 1) // 2
    outer -= 2 * outer + 2 >= grid.shape[0]  # Something has to be left to be folded in.
    n_outer = 2 * outer + 1

    def contender(n_coarse: int) -> Contender:
        n_wave = (n_coarse - 1) // 2
        kept = np.r_[: n_wave + 1, outer + 1 : outer + n_wave + 1]
        n_band = len(kept)

        def evolution(v: Array) -> Evolution:
            energies, states = projection.diagonalise(projection.fold(grid, outer, v))
            rows, phases = states[kept], energies * contenders.UNIT
            even, odd = ((rows * f(phases)[None]) @ rows.T for f in (jnp.cos, jnp.sin))
            frame = even - 1j * odd
            return Evolution(
                lambda frames: projection.to_waves(grid, n_wave, frames[-1]),
                lambda waves: frame @ waves,
                lambda waves: projection.from_waves(Grid(n_coarse, grid.lengths), waves),
                lambda waves: projection.from_waves(grid, waves),
            )

        once = _of_fold(grid, n_outer, grid.shape[0]) + operations.diagonalisation(n_outer)
        once += operations.product(n_band, n_outer, 2 * n_band)
        return Contender(
            "projected", evolution, Operations(once, 8 * n_band**2, operations.fft(n_coarse))
        )

    return {f"projected, {n} points": contender(n) for n in sizes}


def waves_on_points(grid: Grid, n_coarse: int, n_wave: int) -> Float[Array, "n_coarse n_band"]:
    """The waves of a band, as columns, on the points of a coarse grid."""
    x = np.arange(1, n_coarse + 1) * grid.lengths[0] / n_coarse
    angles = 2 * np.pi * np.arange(n_wave + 1) * x[:, None] / grid.lengths[0]
    norms = np.sqrt(np.where(np.arange(n_wave + 1) == 0, 1, 2) / grid.lengths[0])
    columns = np.concatenate([norms * np.cos(angles), (norms * np.sin(angles))[:, 1:]], axis=1)
    return jnp.asarray(columns, float)


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
