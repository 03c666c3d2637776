"""The Lie algebra of a set of operators: structure constants, and its name.

The bracket is that of Moyal, so the commutator of two operators is i times it. All structure
constants are real.
"""

import itertools
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from qdistill._checks import (
    refuse,
    require_at_least,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.insight.discovery import weyl
from qdistill.insight.discovery._readable import in_words
from qdistill.insight.discovery.weyl import Exponents, Polynomial

Constants = Float[np.ndarray, "n n n"]

# Relative size below which a number counts as zero.
ZERO = 1e-6


class Structure(NamedTuple):
    """The brackets of a basis: {b_i, b_j} = sum_k constants[i, j, k] b_k.

    Attributes:
      constants: The structure constants.
      residual: The largest part of a bracket outside of the span, relative to the largest bracket;
        0 if the set is closed.
    """

    constants: Constants
    residual: float


@explained
def structure(basis: Sequence[Polynomial]) -> Structure:
    """Return the structure constants of a basis of polynomials, by least squares.

    Raises:
      ValueError: For an empty basis, coefficients that are not finite, and polynomials that are
        linearly dependent.

    >>> made = structure([{(1, 0): 1.0}, {(0, 1): 1.0}, {(0, 0): 1.0}])
    >>> made.constants[0, 1].tolist(), made.residual
    ([0.0, 0.0, 1.0], 0.0)
    """
    require_at_least(1, n=len(basis))
    for i, f in enumerate(basis):
        require_finite(**{f"basis[{i}]": tuple(f.values())})
    n = len(basis)
    pairs = [[weyl.bracket(f, g) for g in basis] for f in basis]
    every = [*basis, *itertools.chain(*pairs)]
    terms = sorted({term for f in every for term in f})
    columns = np.stack([_vector(f, terms) for f in basis], axis=1)
    if np.linalg.matrix_rank(columns, tol=ZERO * np.abs(columns).max()) < n:
        refuse("basis", "linearly independent polynomials", list(basis))
    images = np.array([[_vector(f, terms) for f in row] for row in pairs])
    flat = images.reshape(n * n, -1).T
    found = np.linalg.lstsq(columns, flat, rcond=None)[0]
    outside = np.linalg.norm(flat - columns @ found, axis=0)
    largest = max(np.linalg.norm(flat, axis=0).max(), np.finfo(float).tiny)
    residual = float(outside.max() / largest)
    constants = found.T.reshape(n, n, n)
    return Structure(np.where(np.abs(constants) < 1e-12, 0.0, constants), residual)


@explained
def recognise(constants: Constants, tolerance: float = ZERO) -> str:
    """Return the name of a real Lie algebra, or its invariants.

    Named are abelian algebras, Heisenberg algebras, sl(2,R), su(2), so(4), so(3,1), su(3), e(2),
    e(1,1), the Schroedinger algebra of one axis, the oscillator algebra, and direct sums of one of
    the simple ones with an abelian centre, such as u(2) = su(2) + u(1). Two algebras with the same
    dimension, centre, derived series and Killing form are not distinguished further.

    Args:
      constants: Structure constants, antisymmetric in the first two indices.
      tolerance: Relative size below which a number counts as zero; larger for measured constants.

    >>> heisenberg = structure([{(1, 0): 1.0}, {(0, 1): 1.0}, {(0, 0): 1.0}])
    >>> recognise(heisenberg.constants)
    'h(1), Heisenberg'
    """
    require_finite(constants=constants)
    require_positive(tolerance=tolerance)
    n = len(constants)
    if constants.shape != (n, n, n):
        refuse("constants", "of shape (n, n, n)", f"of shape {constants.shape}")
    size = max(np.abs(constants).max(initial=0.0), np.finfo(float).tiny)
    if np.abs(constants + constants.swapaxes(0, 1)).max(initial=0.0) > tolerance * size:
        refuse("constants", "antisymmetric in the first two indices", constants)
    unit = constants / size
    twice = np.einsum("ijl,lkm->ijkm", unit, unit)
    jacobi = twice + twice.transpose(1, 2, 0, 3) + twice.transpose(2, 0, 1, 3)
    if np.abs(jacobi).max() > 10 * n * tolerance:
        refuse("constants", "those of a Lie algebra", "against the identity of Jacobi")
    derived = _rank(unit.reshape(n * n, n), tolerance)
    centre = n - _rank(unit.reshape(n, n * n), tolerance)
    if derived == 0:
        return f"abelian, of dimension {n}"
    killing = np.einsum("iab,jba->ij", unit, unit)
    values = np.linalg.eigvalsh(killing)
    # Products of constants are of second order in their errors and of the size of n.
    negative, positive = (int(np.sum(sign * values > 10 * tolerance)) for sign in (-1, 1))
    simple = _SIMPLE.get((negative, positive))
    if derived + centre == n and negative + positive == derived and simple:
        return _with_centre(simple, centre)
    if derived == centre == 1 and n % 2 == 1 and not negative and not positive:
        return f"h({n // 2}), Heisenberg"
    rest = (n, derived, centre, negative, positive)
    if rest in _OTHERS:
        return _OTHERS[rest]
    return (
        f"of dimension {n}: derived algebra {derived}, centre {centre}, Killing form with "
        f"{negative} negative and {positive} positive values"
    )


@explained
def list_brackets(
    constants: Constants, names: Sequence[str], smallest: float = 0.02
) -> tuple[str, ...]:
    """Return the brackets that are not zero as text, such as ``"{x, p} = 1"``.

    Args:
      constants: Structure constants.
      names: Names of the basis.
      smallest: Size, relative to the largest constant, below which a number is left out.

    >>> list_brackets(structure([{(2, 0): 0.5}, {(0, 2): 0.5}, {(1, 1): 1.0}]).constants, "VTD")
    ('{V, T} = D', '{V, D} = 2 V', '{T, D} = - 2 T')
    """
    require_finite(constants=constants)
    require_positive(smallest=smallest)
    n = len(names)
    require_shape((n, n, n), constants=constants)
    size = np.abs(constants).max(initial=0.0)
    return tuple(
        f"{{{names[i]}, {names[j]}}} = {in_words(constants[i, j], names, smallest)}"
        for i, j in itertools.combinations(range(n), 2)
        if np.abs(constants[i, j]).max() > smallest * size
    )


# Semisimple algebras by the numbers of negative and positive values of the Killing form.
_SIMPLE = {
    (3, 0): "su(2)",
    (1, 2): "sl(2,R)",
    (6, 0): "so(4)",
    (3, 3): "so(3,1)",
    (8, 0): "su(3)",
    (10, 0): "so(5)",
}
# Others by dimension, derived algebra, centre, and the Killing form.
_OTHERS = {
    (3, 2, 0, 1, 0): "e(2)",
    (3, 2, 0, 0, 1): "e(1,1)",
    (4, 3, 1, 1, 0): "oscillator algebra",
    (6, 6, 1, 1, 2): "Schroedinger algebra of one axis, sl(2,R) with h(1)",
    (6, 6, 0, 3, 0): "e(3)",
}


def _with_centre(simple: str, centre: int) -> str:
    if not centre:
        return simple
    if centre == 1 and simple.startswith("su("):
        return f"{simple.removeprefix('s')} = {simple} + u(1)"
    return f"{simple} + abelian, of dimension {centre}"


def _rank(matrix: np.ndarray, tolerance: float) -> int:
    return int(np.sum(np.linalg.svd(matrix, compute_uv=False) > tolerance))


def _vector(polynomial: Polynomial, terms: list[Exponents]) -> np.ndarray:
    return np.array([polynomial.get(term, 0.0) for term in terms])
