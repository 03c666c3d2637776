"""Systems in a plane, as polynomials: from these come V, the true charges, and planted faults."""

import dataclasses
import itertools
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill.insight import discovery
from qdistill.insight.discovery.weyl import Exponents, Polynomial
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Step, Wrapped
from qdistill.teacher import Chebyshev

# Coefficients of x^a y^b, in hartree and bohr.
Potential2: TypeAlias = Mapping[tuple[int, int], float]

# Where faults are planted, potentials are cut off here, in hartree. Cut off lower, a spring along x
# leaves packets a plateau on which V does not depend on y either.
CEILING = 60.0
# Part of a bracket outside of the charges, relative to the largest one, with which they still count
# as closed; and size of a bracket, relative to both charges, that counts as zero.
CLOSED = 0.02
# Singular values of exact brackets below this share of the largest one are zero.
ZERO = 1e-9


class Plane(NamedTuple):
    """A system in a plane.

    Attributes:
      potential: V as a polynomial of x and y, from the middle of the box.
      place, speed, width: Ranges of the packets along each axis.
      degree: Degree of the dictionary.
    """

    potential: Potential2
    place: tuple[float, float] = (-2.0, 2.0)
    speed: tuple[float, float] = (-1.2, 1.2)
    width: tuple[float, float] = (0.7, 1.1)
    degree: int = 3


def _oscillator(x: float, y: float) -> dict[tuple[int, int], float]:
    """The potential of two frequencies, in radians per a.u."""
    return {(2, 0): x**2 / 2, (0, 2): y**2 / 2}


SYSTEMS = {
    "free plane": Plane({}, speed=(-0.6, 0.6), width=(1.8, 2.3), degree=2),
    "isotropic oscillator": Plane(_oscillator(0.7, 0.7)),
    "2:1 oscillator": Plane(_oscillator(0.9, 0.45)),
    "1:sqrt(2) oscillator": Plane(_oscillator(0.6, 0.6 * 2**0.5)),
    # Its saddles are 11 hartree high and 5 bohr away.
    "Henon-Heiles": Plane(
        _oscillator(1.6, 1.6) | {(2, 1): 0.5, (0, 3): -0.5 / 3},
        (-1.5, 1.5),
        (-2.5, 2.5),
        (0.5, 0.8),
    ),
}


class Fault(NamedTuple):
    """A planted fault: what moves packets differs from what the dictionary knows.

    Attributes:
      mass: Mass along each axis; that of the dictionary is 1.
      added: Terms of V that the dictionary does not have.
    """

    mass: tuple[float, float] = (1.0, 1.0)
    added: Potential2 = {}  # noqa: RUF012 -- a mapping that nothing changes.


FAULTS = {
    "lighter along y": Fault(mass=(1.0, 0.7)),
    "a force along x": Fault(added={(1, 0): 0.1}),
    "stiffer along x": Fault(added={(4, 0): 0.05}),
}


def hamiltonian(potential: Potential2, fault: Fault | None = None) -> dict[Exponents, float]:
    """Return H = p^2 / 2m + V as a polynomial of x, y, px and py."""
    fault = fault or Fault()
    first, second = fault.mass
    found: dict[Exponents, float] = {(0, 0, 2, 0): 0.5 / first, (0, 0, 0, 2): 0.5 / second}
    for terms in (potential, fault.added):
        for (a, b), value in terms.items():
            found[a, b, 0, 0] = found.get((a, b, 0, 0), 0.0) + value
    return found


def algebra(found: discovery.Charges, potential: Potential2) -> dict[str, Any]:
    """Return the algebra of static charges that were found: its name, if the set is closed.

    Args:
      found: The charges, of polynomials, T and V.
      potential: V as a polynomial, which the dictionary has under its name.
    """
    degree = max(of.degree for of in SYSTEMS.values())
    symbols: dict[str, Polynomial] = {
        discovery.name_of(term): {term: 1.0} for term in discovery.monomials(2, degree)
    }
    symbols["T"] = hamiltonian({})
    symbols["V"] = {(*powers, 0, 0): value for powers, value in potential.items()}
    basis = []
    for row in discovery.reduce(found.vectors[: found.n_static], found.scales()):
        total: dict[Exponents, float] = {}
        for share, name in zip(row, found.names, strict=True):
            for term, value in symbols[name].items():
                total[term] = total.get(term, 0.0) + float(share) * value
        basis.append(total)
    pairs = itertools.combinations(basis, 2)
    if all(_size(discovery.bracket(f, g)) < CLOSED * _size(f) * _size(g) for f, g in pairs):
        abelian = f"abelian, of dimension {len(basis)}" if basis else None
        return {"residual": 0.0, "name": abelian, "brackets": []}
    made = discovery.structure(basis)
    if made.residual > CLOSED:
        return {"residual": made.residual, "name": None, "brackets": []}
    names = [f"Q{i + 1}" for i in range(len(basis))]
    return {
        "residual": made.residual,
        "name": discovery.recognise(made.constants, CLOSED),
        "brackets": discovery.list_brackets(made.constants, names, CLOSED),
    }


def _size(polynomial: Polynomial) -> float:
    return float(np.linalg.norm(list(polynomial.values())))


def count(h: Polynomial, degree: int) -> tuple[int, int]:
    """Return the numbers of static charges, besides 1, and of the largest closed set, with it.

    Both are exact, by the Moyal bracket with H on all polynomials up to a degree: its null space,
    and the largest subspace that it maps onto itself. T and V must be of this degree at most.

    >>> count({(0, 2): 0.5}, 2), count({(0, 2): 0.5, (4, 0): 1.0}, 4)
    ((2, 6), (1, 2))
    """
    of = discovery.monomials(len(next(iter(h))) // 2, degree)
    images = [discovery.bracket({term: 1.0}, h) for term in of]
    terms = sorted({*of, *(term for image in images for term in image)})
    maps = np.array([[image.get(term, 0.0) for image in images] for term in terms])
    same = np.array([[float(term == each) for each in of] for term in terms])
    size = np.linalg.norm(maps, 2)
    n_static = len(of) - np.linalg.matrix_rank(maps, tol=ZERO * size) - 1
    space = np.eye(len(of))
    while space.shape[1]:
        inside, image = np.linalg.qr(same @ space)[0], maps @ space
        _, sizes, turn = np.linalg.svd(image - inside @ (inside.T @ image))
        n_outside = int(np.sum(sizes > ZERO * size))
        if not n_outside:
            break
        space = space @ turn[n_outside:].T
    return int(n_static), space.shape[1]


def on_grid(
    grid: Grid, potential: Potential2, scale: float, ceiling: float
) -> Float[Array, "n_x n_y"]:
    """Return V on a grid, times a scale, up to a ceiling.

    Terms that are not quadratic are switched off near the edges of the periodic box, those that are
    linear further out: each along its own axes, so that it stays a function of these.
    """
    axes = [np.asarray(grid.positions(i), np.float64) - grid.middle[i] for i in range(grid.n_dim)]
    total = np.zeros(grid.shape)
    for powers, value in potential.items():
        term = np.full(grid.shape, value)
        for x, power, length in zip(axes, powers, grid.lengths, strict=True):
            reach = (0.85 if sum(powers) == 1 else 0.55) * length / 2
            off = np.exp(-((x / reach) ** 16)) if power and sum(powers) != 2 else 1.0
            term = term * x**power * off
        total = total + term
    return jnp.asarray(np.minimum(scale * total, ceiling), float)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Misled(Wrapped):
    """A propagator to whose potential something is added.

    Attributes:
      added: The addition, in hartree.
      ceiling: Largest value of the sum, in hartree.
    """

    added: Float[Array, "*n_x"]
    ceiling: float = dataclasses.field(metadata={"static": True})

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential."""
        return self.of(jnp.minimum(v + self.added, self.ceiling))


def plant(fault: Fault, exact: Chebyshev) -> Misled:
    """Return the exact solver with a fault."""
    grid = dataclasses.replace(exact.system.grid, mass=fault.mass)
    low, _ = exact.system.bounds or (0.0, 0.0)
    system = dataclasses.replace(exact.system, grid=grid, bounds=(low, CEILING + 2))
    added = on_grid(grid, fault.added, 1.0, CEILING)
    return Misled(dataclasses.replace(exact, system=system), added, CEILING)
