"""The symmetries of the Schroedinger equation that are audited, in a box of any dimension.

Each has a negative control: a similar claim that is false and should be violated.
"""

import functools

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from qdistill._checks import require_at_least
from qdistill._refusals import explained
from qdistill.insight.symmetries.claims import (
    Composition,
    Symmetry,
    Transformation,
    antilinear,
    boost,
    constant,
    energy,
    fractional_translation,
    global_phase,
    inner_products,
    kinetic_energy,
    local_phase,
    local_scaling,
    mean_of,
    mirror,
    scaling,
    superposition,
    time_reversal,
    translation,
)
from qdistill.physics.grid import Grid
from qdistill.system import System

# Shifts as shares of the points of an axis: 37 and 10 of the paper's 1024 points.
FAR, NEAR = 37 / 1024, 10 / 1024
# Momentum of a boost in 1/bohr: 8 quanta of a box of 100 bohr.
BOOST = 2 * np.pi * 8 / 100


@explained
def make_symmetries(grid: Grid) -> dict[str, Symmetry]:
    """Return the symmetries of a box, by name; distances scale with the box.

    Mirrors and translations by whole cells are along every axis, the other directed ones along the
    first. Add symmetries of your own to the result.

    >>> len(make_symmetries(Grid())), len(make_symmetries(Grid((32, 32), (16.0, 16.0))))
    (12, 14)
    """
    return dict(_make(grid))


@functools.lru_cache(maxsize=16)
def _make(grid: Grid) -> dict[str, Symmetry]:
    return {
        "superposition": Symmetry(
            "U(a psi + b phi) = a U psi + b U phi",
            superposition(0.6, 0.8j),
            "conj(phi) evolves as conj(U phi)",
            antilinear(0.6, 0.8j),
            lambda s: superposition(1.0, 1j * s),
        ),
        "scaling": Symmetry(
            "psi -> 0.7 psi",
            scaling(0.7),
            "psi -> |psi| psi at each point",
            local_scaling(),
            lambda s: scaling(jnp.exp(s)),
        ),
        "global phase": Symmetry(
            "psi -> exp(i) psi",
            global_phase(1.0),
            "a phase that differs from place to place",
            local_phase(1.0),
            global_phase,
        ),
        **{f"mirror{_of(axis)}": _mirror(axis) for axis in range(grid.n_dim)},
        **{
            f"translation, whole cells{_of(axis)}": _translation(grid, axis)
            for axis in range(grid.n_dim)
        },
        **_of_directions(grid),
        "inner products": Symmetry(
            "<psi|psi>, <phi|psi>, <phi|phi> are conserved",
            inner_products(),
            "<psi|x|psi>, ... are conserved",
            inner_products(weighted=True),
        ),
        "energy": Symmetry(
            "<psi|H|psi> is conserved",
            mean_of(energy),
            "the kinetic energy is",
            mean_of(kinetic_energy),
        ),
        "composition": Symmetry(
            "U(2n) = U(n) U(n) on psi alone",
            Composition(),
            "U(2n) = U(n - 1) U(n)",
            Composition(n_lost=1),
        ),
    }


def _of_directions(grid: Grid) -> dict[str, Symmetry]:
    """The symmetries along the first axis, and those of time and energy."""
    fraction = round(NEAR * grid.shape[0]) + 0.5
    n_quanta = max(1, round(BOOST * grid.lengths[0] / (2 * np.pi)))
    return {
        "translation, fractions": Symmetry(
            f"x -> x + {fraction} dx, Fourier interpolated",
            fractional_translation(fraction),
            "in psi only",
            fractional_translation(fraction, moves_potential=False),
            fractional_translation,
        ),
        "time reversal": Symmetry(
            "conj(psi) retraces its past",
            time_reversal(),
            "psi retraces its past",
            time_reversal(conjugate=False),
        ),
        "constant in V": Symmetry(
            "V -> V + 1 hartree, psi -> exp(-i t) psi",
            constant(1.0),
            "V -> V + 1 hartree, psi as before",
            constant(1.0, turns_phase=False),
            constant,
        ),
        "Galilean boost": Symmetry(
            f"k -> k + k0 in empty space, k0 = 2 pi {n_quanta} / L",
            boost(n_quanta),
            "without moving the frame",
            boost(n_quanta, moves=False),
        ),
    }


def _letter(axis: int) -> str:
    return "xyz"[axis] if axis < 3 else f"x{axis + 1}"


def _of(axis: int) -> str:
    return f", {_letter(axis)}" if axis else ""


def _mirror(axis: int) -> Symmetry:
    x = _letter(axis)
    return Symmetry(
        f"{x} -> -{x} in psi and V",
        mirror(axis),
        f"{x} -> -{x} in psi only",
        mirror(axis, moves_potential=False),
    )


def _translation(grid: Grid, axis: int) -> Symmetry:
    x, n_cells = _letter(axis), max(1, round(FAR * grid.shape[axis]))
    return Symmetry(
        f"{x} -> {x} + {n_cells} d{x} in psi and V",
        translation(n_cells, axis),
        "in psi only",
        translation(n_cells, axis, moves_potential=False),
    )


@explained
def v_range(
    system: System, v: Num[Array, "n_case *n_x"], symmetries: dict[str, Symmetry]
) -> tuple[float, float]:
    """Return the range in hartree of potentials and their images under symmetries, 0 included.

    >>> v, grid = jnp.array([[0.0, 2.0, 0.0, 0.0]]), Grid(4, 1.0)
    >>> constant = {"c": make_symmetries(grid)["constant in V"]}
    >>> low, high = v_range(System(grid), v, constant)
    >>> round(low, 3), round(high, 3)
    (-0.0, 3.0)
    """
    require_at_least(1, n_case=len(v))
    low, high = 0.0, 0.0
    claims = [claim for each in symmetries.values() for claim in (each.claim, each.control)]
    maps = [claim.potential for claim in claims if isinstance(claim, Transformation)]
    for image in dict.fromkeys([lambda system, v: v, *maps]):
        of_each = jax.vmap(lambda each, image=image: system.local(image(system, each), 0.0, None))
        images = np.asarray(of_each(v))
        low, high = min(low, float(images.min())), max(high, float(images.max()))
    # Slightly wider, because a compiled image may round differently.
    sliver = 1e-5 * max(high - low, 1e-3)
    return low - sliver, high + sliver
