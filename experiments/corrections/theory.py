"""The effective Hamiltonian of a splitting to second order, and energies that test it."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from experiments.corrections.splittings import Shares, Splitting
from qdistill._checks import refuse
from qdistill.physics.grid import Grid


class Commutators(NamedTuple):
    """The coefficients of H_eff = T + V + dt^2 (alpha [T, [T, V]] + beta [V, [T, V]]) + O(dt^4).

    Both depend on the basis: exp(X) H_eff exp(-X) with X = lambda dt^2 [T, V] subtracts lambda from
    either. Their difference does not, and is the shift of the energies in units of
    dt^2 <[V, [T, V]]>.
    """

    alpha: float
    beta: float

    @property
    def invariant(self) -> float:
        """The shift of energies, beta - alpha."""
        return self.beta - self.alpha


def commutators(kicks: Shares, drifts: Shares, gradients: float = 0.0) -> Commutators:
    """Return the double commutators of exp(-i dt c_n V) exp(-i dt d_n T) ... exp(-i dt c_0 V).

    The product is built from its middle: with A = -i dt a V or -i dt a T on both sides,
    log(exp(A/2) exp(Z) exp(A/2)) = Z + A - [A, [A, Z]] / 24 - [Z, [A, Z]] / 12 + ..., the symmetric
    Baker-Campbell-Hausdorff formula.

    Args:
      kicks: The c_j, a palindrome with the sum 1.
      drifts: The d_j, a palindrome with the sum 1.
      gradients: Sum of the coefficients of [V, [T, V]] in all kicks, in units of dt^2.

    Raises:
      ValueError: For shares that are no palindrome, do not match, or do not sum to 1.

    >>> strang = commutators((0.5, 0.5), (1.0,))
    >>> print(f"{12 * strang.alpha:.6f} {24 * strang.beta:.6f} {24 * strang.invariant:.6f}")
    -1.000000 -1.000000 1.000000
    """
    if len(kicks) != len(drifts) + 1:
        refuse("kicks", f"{len(drifts) + 1} numbers, one more than drifts", kicks)
    for name, shares in (("kicks", kicks), ("drifts", drifts)):
        if not np.allclose(shares, shares[::-1], rtol=0, atol=1e-6):
            refuse(name, "the same from either end", shares)
        if not np.isclose(np.sum(shares), 1, rtol=0, atol=1e-6):
            refuse(name, "shares with the sum 1", shares)
    # Z / (-i dt) = v V + t T; p and q are the coefficients of [T, [T, V]] and [V, [T, V]] in
    # units of (-i dt)^3.
    factors = [each for pair in zip(kicks, drifts, strict=False) for each in pair]
    factors.append(kicks[-1])
    middle = len(factors) // 2
    is_kick = middle % 2 == 0
    v, t = (factors[middle], 0.0) if is_kick else (0.0, factors[middle])
    p = q = 0.0
    for a in (2 * share for share in factors[middle + 1 :]):
        is_kick = not is_kick
        if is_kick:
            p, q = p + a * t**2 / 12, q + a**2 * t / 24 + a * t * v / 12
            v += a
        else:
            p, q = p - a**2 * v / 24 - a * v * t / 12, q - a * v**2 / 12
            t += a
    return Commutators(-p, -q + gradients)


class Levels(NamedTuple):
    """The lowest energies of a splitting in a well, next to the exact ones, in hartree.

    Attributes:
      shift: Energy of the one-frame operator, less the exact energy and the mean error of the
        splitting's kinetic energy in the exact state.
      of_kinetic: This mean error.
      commutator: <[V, [T, V]]> of the exact states.
    """

    shift: Float[np.ndarray, " n_state"]
    of_kinetic: Float[np.ndarray, " n_state"]
    commutator: Float[np.ndarray, " n_state"]


def levels(splitting: Splitting, grid: Grid, v: Float[np.ndarray, " n_x"], top: float) -> Levels:
    """Return the energies of all states below `top`, by exact diagonalisation.

    Args:
      splitting: The splitting.
      grid: A grid of few points, of the splitting's spacing.
      v: A smooth well in hartree.
      top: Largest energy in hartree. The energies must span less than 2 pi / dt.
    """
    kinetic = _matrix_of(grid.kinetic_energy())
    exact, states = np.linalg.eigh(kinetic + np.diag(v))
    below = exact < top
    exact, states = exact[below], states[:, below]
    turns, vectors = np.linalg.eig(splitting.matrix(grid, v))
    # To each exact state belongs the eigenvector with the largest overlap.
    mine = np.argmax(np.abs(states.T @ vectors), axis=1)
    dt = splitting.system.dt
    error = -np.angle(turns[mine] * np.exp(1j * dt * exact)) / dt
    learned = splitting.drifts(grid).sum(axis=0) / dt - grid.kinetic_energy()
    waves = np.abs(np.fft.fft(states, axis=0)) ** 2 / grid.shape[0]
    of_kinetic = learned @ waves
    bracket = 2 * v[:, None] * (kinetic @ (v[:, None] * states))
    bracket -= v[:, None] ** 2 * (kinetic @ states) + kinetic @ (v[:, None] ** 2 * states)
    return Levels(error - of_kinetic, of_kinetic, np.sum(states * bracket, axis=0))


def measured_invariant(found: Sequence[Levels], with_kinetic: bool = False) -> float:
    """Return the shift of energies in units of <[V, [T, V]]>, by least squares over all states.

    Args:
      found: The levels of one or more wells.
      with_kinetic: Whether to count the errors of the kinetic energy too.
    """
    shift = np.concatenate([each.shift + with_kinetic * each.of_kinetic for each in found])
    commutator = np.concatenate([each.commutator for each in found])
    return float(shift @ commutator / (commutator @ commutator))


def _matrix_of(omega: Float[np.ndarray, " n_x"]) -> Float[np.ndarray, "n_x n_x"]:
    """The circulant matrix with given eigenvalues of plane waves."""
    row, n = np.fft.ifft(omega).real, len(omega)
    return row[(np.arange(n)[:, None] - np.arange(n)[None]) % n]
