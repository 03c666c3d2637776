"""Conserved quantities and closed sets of operators, found from trajectories alone.

A dictionary of operators O_i is given, and frames of several packets in one potential. The numbers
q_i = <phi|O_i|psi>, for pairs of packets or for expectation values only, change in time. A static
charge is a combination c with sum_i c_i (q_i(t) - q_i(0)) = 0. It is found as the smallest singular
values of these changes, in units of the spread of the same combination over packets and times. So
neither a constant nor a combination that vanishes for all packets counts.

A closed set is a subspace of the dictionary that one step of the evolution maps onto itself. With
X and Y the numbers before and after the step, it is the largest subspace V with Y V in the range of
X V. On it the evolution has a matrix; its eigenvalues are the frequencies of the operators. The
identity is in every closed set. An operator whose charge depends on time explicitly, such as
x - p t, belongs to a closed set but is not a static charge.

Related: neural and numerical searches for conservation laws (Liu and Tegmark, 2021), and dynamic
mode decomposition with residuals (Colbrook and Townsend, 2024).
"""

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_callable,
    require_complex,
    require_finite,
    require_positive,
)
from qdistill._doors import require_potential
from qdistill._refusals import explained
from qdistill.insight.discovery import weyl
from qdistill.insight.discovery._evolutions import require_like
from qdistill.insight.discovery._readable import in_words, reduce
from qdistill.insight.discovery.weyl import Exponents
from qdistill.physics.hamiltonian import apply, kinetic
from qdistill.system import Potential, System

Operator: TypeAlias = Callable[[Complex[Array, "..."]], Complex[Array, "..."]]
Numbers: TypeAlias = Complex[np.ndarray, "n_operator n_t n_pair"]

KINETIC, POTENTIAL, IDENTITY = "T", "V", "1"
# An operator within this share of its spread from the span of others is dropped, such as p^2 / 2 on
# a lattice next to T.
DEPENDENT = 0.02
# An operator whose spread is within this share of the largest one is dropped: it is not seen.
NEGLIGIBLE = 1e-6
# Largest change of a charge, in units of its spread, and its smallest distance to the next one.
LARGEST, GAP = 0.05, 5.0
# Largest residual of an operator that counts as mapped into a closed set.
RESIDUAL = 0.02


class Charges(NamedTuple):
    """Combinations of operators, the best conserved first.

    Attributes:
      names: Names of the operators.
      drifts: Root mean square change of each combination, in units of its spread, ascending.
      vectors: Coefficients of the combinations, one row each.
      dropped: Operators that are combinations of others on these packets, or not seen by them.
      n_static: Number of static charges, apart from the identity; see `count`.
    """

    names: tuple[str, ...]
    drifts: Float[np.ndarray, " n_operator"]
    vectors: Float[np.ndarray, "n_operator n_operator"]
    dropped: tuple[str, ...]
    n_static: int

    def __str__(self) -> str:
        """Return the static charges as text, one a line."""
        rows = reduce(self.vectors[: self.n_static], self.scales())
        return "\n".join(in_words(row, self.names) for row in rows)

    def scales(self) -> Float[np.ndarray, " n_operator"]:
        """Return the size of each operator, such that terms of a combination can be compared."""
        return 1 / np.maximum(np.abs(self.vectors).max(axis=0), np.finfo(float).tiny)


class Closure(NamedTuple):
    """The largest closed set of operators, and its evolution.

    Attributes:
      names: Names of the operators.
      dimension: Number of operators in the closed set, the identity included.
      basis: Coefficients of a basis, (dimension, n_operator).
      frequencies: Angular frequencies of the set in radians per a.u., from its eigenvalues.
      residuals: Largest residual among the operators kept, and smallest among those left out.
    """

    names: tuple[str, ...]
    dimension: int
    basis: Float[np.ndarray, "n n_operator"]
    frequencies: Complex[np.ndarray, " n"]
    residuals: tuple[float, float]


@explained
def make_dictionary(
    system: System, v: Potential, degree: int, more: Mapping[str, Operator] | None = None
) -> dict[str, Operator]:
    """Return operators by name: polynomials up to a degree, T, V, and further ones.

    With channels each polynomial comes alone and times a basis of the Hermitian matrices: the
    population `P0` of channel 0 and so on, the last one left out, and between channels 0 and 1 the
    real and the imaginary part of the coherence, `Re01` and `Im01`.

    Args:
      system: The system; its T is the kinetic energy of the grid.
      v: Its potential, of which V is the local part.
      degree: Largest degree of the Weyl-ordered polynomials of x and p; see `weyl.operate`.
      more: Further Hermitian operators, functions of psi, such as mirrors and exchanges of axes, of
        `make_reflections`.

    Raises:
      ValueError: For a potential that is not of the system, and a name that is used twice.
    """
    require_potential(system, v)
    grid, local = system.grid, system.local(v, 0.0, None)

    def polynomial(exponents: Exponents, matrix: np.ndarray | None) -> Operator:
        def alone(psi: Array) -> Array:
            return weyl.operate(grid, exponents, psi)

        def on_channels(psi: Array) -> Array:
            mixed = psi if matrix is None else jnp.tensordot(jnp.asarray(matrix, psi.dtype), psi, 1)
            return jax.vmap(alone)(mixed)

        return on_channels if system.n_channel else alone

    # Of operators that are combinations of each other the first are kept: T and V before p^2.
    found: dict[str, Operator] = {
        IDENTITY: lambda psi: psi,
        KINETIC: lambda psi: kinetic(grid, 1.0, psi),
        POTENTIAL: lambda psi: apply(local, psi),
    }
    matrices: dict[str, np.ndarray | None] = {"": None, **_between(system.n_channel)}
    for term, (name, matrix) in itertools.product(
        weyl.monomials(grid.n_dim, degree), matrices.items()
    ):
        words = [weyl.name_of(term)] * any(term) + [name] * bool(name)
        if words:
            found[" ".join(words)] = polynomial(term, matrix)
    for name, operator in (more or {}).items():
        if name in found:
            refuse("more", "names that are not in the dictionary yet", repr(name))
        require_callable(1, **{f"more[{name!r}]": operator})
        found[name] = operator
    return found


def _between(n_channel: int) -> dict[str, Complex[np.ndarray, "c c"]]:
    """A basis of the Hermitian matrices of channels without the identity, by name."""
    unit = np.eye(max(n_channel, 1), dtype=complex)
    found = {f"P{i}": np.outer(unit[i], unit[i]) for i in range(n_channel - 1)}
    for i, j in itertools.combinations(range(n_channel), 2):
        hop = np.outer(unit[i], unit[j])
        found |= {f"Re{i}{j}": hop + hop.T, f"Im{i}{j}": 1j * (hop.T - hop)}
    return found


@explained
def measure(
    dictionary: Mapping[str, Operator],
    frames: Complex[Array | np.ndarray, "n_t n_packet *n_x"],
    cell: float,
    pairs: bool = True,
) -> Numbers:
    """Return <phi|O|psi> of every operator at every time.

    Args:
      dictionary: Hermitian operators by name.
      frames: Frames of all packets, in one potential.
      cell: Volume of a cell of the grid, in bohr^d.
      pairs: Whether phi and psi are all pairs of packets, which takes a linear evolution, or each
        packet with itself.

    Raises:
      ValueError: For frames that are not finite, and an operator that returns another shape.
    """
    require_complex("n_t n_packet *n_x", frames=frames)
    require_positive(cell=cell)
    require_finite(frames=frames)
    n_t, n_packet = frames.shape[:2]
    flat, every = np.asarray(frames).reshape(n_t, n_packet, -1), jnp.concatenate(list(frames))
    found = []
    for name, operator in dictionary.items():
        one = jax.eval_shape(operator, every[0])
        require_like(f"dictionary[{name!r}]", "psi", one, every[0].shape)
        # Not jitted: every dictionary would be compiled anew.
        image = np.asarray(jax.vmap(operator)(every)).reshape(n_t, n_packet, -1)
        if pairs:
            numbers = np.einsum("tmx,tnx->tmn", flat.conj(), image, optimize=True)
        else:
            numbers = np.sum(flat.conj() * image, axis=-1)
        found.append(numbers.reshape(n_t, -1) * cell)
    return np.stack(found)


@explained
def find_charges(names: Sequence[str], numbers: Numbers) -> Charges:
    """Return the combinations of operators, ordered by their change over time.

    Take packets of different energies, and times long enough that what is not conserved changes by
    much more than `LARGEST` of its spread: slower ones may count as charges.

    Args:
      names: Names of the operators; one of them is the identity, ``"1"``.
      numbers: The result of `measure`, at two or more times.

    Raises:
      ValueError: Without the identity, with fewer numbers than operators, with one time only, or
        for packets that do not differ.
    """
    _require_enough(names, numbers)
    first = list(names).index(IDENTITY)
    spread, change = _real(_without(numbers[first], numbers)), _real(numbers - numbers[:, :1])
    sizes = np.linalg.norm(spread, axis=0)
    unseen = np.flatnonzero(sizes <= NEGLIGIBLE * sizes.max()).tolist()
    kept, dropped = _independent(spread, [first, *unseen])
    if not kept:
        refuse("numbers", "of packets that differ", "the same for all packets and times")
    basis = np.linalg.qr(spread[:, kept] / sizes[kept])[1]
    ratio = np.linalg.solve(basis.T, (change[:, kept] / sizes[kept]).T).T
    _, drifts, vectors = np.linalg.svd(ratio, full_matrices=False)
    vectors = np.linalg.solve(basis, vectors[::-1].T).T / sizes[kept]
    drifts = drifts[::-1]
    left = tuple(names[i] for i in dropped if i != first)
    mine = tuple(names[i] for i in kept)
    return Charges(mine, drifts, vectors, left, count(drifts))


@explained
def count(drifts: Float[np.ndarray, " n"], largest: float = LARGEST, gap: float = GAP) -> int:
    """Return how many changes are small, and well separated from the next one.

    If no combination changes by more than `largest`, nothing has moved, and none counts.

    Args:
      drifts: Changes in ascending order.
      largest: Largest change that counts.
      gap: Smallest ratio of the next change to the last one that counts.

    >>> count(np.array([1e-5, 2e-4, 0.1])), count(np.array([0.01, 0.02, 0.06])), count(np.array([]))
    (2, 0, 0)
    """
    require_positive(largest=largest, gap=gap)
    require_between(0, np.inf, drifts=drifts)
    if drifts.size and drifts[-1] < largest:
        return 0
    after = np.append(drifts[1:], np.inf)
    fits = (drifts < largest) & (after > gap * drifts)
    return int(np.flatnonzero(fits)[-1]) + 1 if fits.any() else 0


@explained
def find_closure(
    names: Sequence[str], numbers: Numbers, lag: float, residual: float = RESIDUAL
) -> Closure:
    """Return the largest subspace of the dictionary that the evolution maps onto itself.

    It is sought among the eigenvectors of the evolution, fitted by least squares, whose residual is
    small: those of a closed set have none, while leaving out operators one by one adds noise to it.
    The residual is that of one lag, so take a lag over which operators change by much: over
    a short one every set is nearly closed.

    Args:
      names: Names of the operators; one of them is the identity.
      numbers: The result of `measure`, at equidistant times.
      lag: Time between two of them, in a.u.
      residual: Largest part of an evolved operator, relative to the operator, that may lie outside.
    """
    _require_enough(names, numbers)
    require_positive(lag=lag, residual=residual)
    before, after = _real(numbers[:, :-1]), _real(numbers[:, 1:])
    kept, _ = _independent(before, [])
    basis = np.linalg.qr(before[:, kept])[1]
    old, new = (np.linalg.solve(basis.T, each[:, kept].T).T for each in (before, after))
    space, best = _eigenspace(old, new, residual)
    worst = 0.0
    while space.shape[1]:
        inside = old @ space
        outside = new @ space - inside @ (inside.T @ new @ space)
        _, sizes, turn = np.linalg.svd(outside, full_matrices=False)
        if (sizes <= residual).all():
            worst = float(sizes[0])
            break
        best = min(best, float(sizes[sizes > residual].min()))
        space = space @ turn[sizes <= residual].T
    step = space.T @ old.T @ new @ space
    values = np.linalg.eigvals(step) if space.shape[1] else np.zeros(0, complex)
    every = np.zeros((space.shape[1], len(names)))
    every[:, kept] = np.linalg.solve(basis, space).T
    order = np.argsort(np.angle(values))
    frequencies = -1j * np.log(values[order].astype(complex)) / lag
    return Closure(tuple(names), space.shape[1], every, frequencies, (worst, best))


def _eigenspace(
    old: np.ndarray, new: np.ndarray, residual: float
) -> tuple[Float[np.ndarray, "n m"], float]:
    """The span of eigenvectors with small residuals, and the smallest residual of the others.

    Eigenvectors of a Jordan block are nearly parallel, and span it nevertheless: noise has split
    them.
    """
    evolve = old.T @ new
    _, vectors = np.linalg.eig(evolve)
    outside = np.linalg.norm((new - old @ evolve) @ vectors, axis=0)
    is_small = outside <= residual
    chosen = vectors[:, is_small]
    left, sizes, _ = np.linalg.svd(np.concatenate([chosen.real, chosen.imag], axis=1))
    n = min(chosen.shape[1], int(np.sum(sizes > np.finfo(float).eps * len(left))))
    return left[:, :n], float(outside[~is_small].min(initial=np.inf))


def _require_enough(names: Sequence[str], numbers: Numbers) -> None:
    require_finite(numbers=numbers)
    if len(names) != len(numbers) or IDENTITY not in names:
        refuse("names", f"of {len(numbers)} operators, among them the identity", list(names))
    require_at_least(2, n_t=numbers.shape[1])
    if numbers[0].size < len(names):
        refuse("numbers", f"at least {len(names)} numbers of each operator", numbers[0].size)


def _real(numbers: Numbers) -> Float[np.ndarray, "n n_operator"]:
    """Real and imaginary parts below each other, one column for each operator."""
    rows = numbers.reshape(len(numbers), -1).T
    return np.concatenate([rows.real, rows.imag]).astype(float)


def _without(one: np.ndarray, numbers: Numbers) -> Numbers:
    """The numbers without the multiple of the identity that is closest to them."""
    share = np.einsum("tp,otp->o", one.conj(), numbers) / np.sum(np.abs(one) ** 2)
    return numbers - share[:, None, None] * one[None]


def _independent(columns: np.ndarray, without: list[int]) -> tuple[list[int], list[int]]:
    """The columns that are not combinations of earlier ones, and the others."""
    kept: list[int] = []
    dropped: list[int] = []
    basis = np.zeros((len(columns), 0))
    for i in range(columns.shape[1]):
        column = columns[:, i]
        size = np.linalg.norm(column)
        rest = column - basis @ (basis.T @ column)
        rest = rest - basis @ (basis.T @ rest)
        if i in without or np.linalg.norm(rest) <= DEPENDENT * size:
            dropped.append(i)
            continue
        kept.append(i)
        basis = np.concatenate([basis, (rest / np.linalg.norm(rest))[:, None]], axis=1)
    return kept, dropped
