"""Normal equations of recorded runs, and fits by Gauss and Newton's method.

All that is kept of the residuals of a model and of their derivatives are the normal equations of
each run, from which nested models, held-out errors and bootstraps follow without a propagation.
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Array, Float

from qdistill.insight.discovery._terms import FUNCTION_OF, POWERS

# Substeps of one frame, each of six pairs of FFTs, are doubled up to the most, until the relative
# error of the method is below the accuracy.
MOST_SUBSTEPS, ACCURACY = 16, 3e-6
# Passes of Gauss-Newton, and the relative change of the error at which they end.
N_PASS, ENDED = 8, 1e-3
# Of the mean square of a function's splines, added to each: what hardly occurs hardly changes.
RIDGE = 1e-5
Numbers: TypeAlias = Array | np.ndarray


class Normal(NamedTuple):
    """The normal equations of each run, about a model, for its columns and further ones.

    Attributes:
      names: Names of the columns.
      squares, image, rest: A^T A, A^T r and r^T r for the residuals r and their derivatives A, in
        units of the squared norm of the frames.
    """

    names: tuple[str, ...]
    squares: Float[np.ndarray, "n_run n n"]
    image: Float[np.ndarray, "n_run n"]
    rest: Float[np.ndarray, " n_run"]


def normal(rest: Numbers, columns: Numbers, ahead: Numbers) -> tuple[np.ndarray, np.ndarray, float]:
    """Return the normal equations of one run, in double precision whatever the frames are."""
    residual, derivatives, wanted = (np.asarray(each, complex) for each in (rest, columns, ahead))
    flat, size = derivatives.reshape(len(derivatives), -1), np.linalg.norm(wanted) ** 2
    squares = (flat.conj() @ flat.T).real / size
    image = (flat.conj() @ residual.ravel()).real / size
    return squares, image, float(np.linalg.norm(residual) ** 2 / size)


def solve(normal: Normal, names: Sequence[str], runs: Any = None) -> Float[np.ndarray, " n"]:
    """Return the changes of some coefficients that fit some runs best; of the others 0."""
    kept = [normal.names.index(name) for name in names]
    runs = slice(None) if runs is None else runs
    squares = normal.squares[runs].sum(axis=0)[np.ix_(kept, kept)]
    found = np.zeros(len(normal.names))
    if kept:
        # Powers have different sizes, and occur together.
        of = np.array([name if name in POWERS else FUNCTION_OF.get(name, name) for name in names])
        means = {each: np.diag(squares)[of == each].mean() for each in dict.fromkeys(of)}
        size = np.sqrt(np.maximum([means[each] for each in of], np.finfo(float).tiny))
        ridge = RIDGE * (of != np.array(names))
        image = normal.image[runs].sum(axis=0)[kept] / size
        scaled = squares / np.outer(size, size) + np.diag(ridge)
        found[kept] = np.linalg.lstsq(scaled, image, rcond=1e-10)[0] / size
    return found


def errors(normal: Normal, changes: Any, runs: Any = None) -> Float[np.ndarray, " n_run"]:
    """Return the mean squared error of each run after a change of the coefficients."""
    runs = slice(None) if runs is None else runs
    squares, image, rest = normal.squares[runs], normal.image[runs], normal.rest[runs]
    found = rest - 2 * image @ changes + np.einsum("rij,i,j->r", squares, changes, changes)
    return np.maximum(found, 0.0)


def descend(
    normal_at: Callable[[np.ndarray], Normal],
    free: Callable[[Normal, np.ndarray], Sequence[str]],
    start: Float[np.ndarray, " n"],
) -> Float[np.ndarray, " n"]:
    """Return the values with the least error, by Gauss and Newton's method.

    Args:
      normal_at: From values to the normal equations about them.
      free: From both to the names of the values that are changed.
      start: Values to begin with.
    """
    best, at, before, step = start, start, np.inf, 1.0
    changes = np.zeros(len(start))
    for _ in range(N_PASS if len(start) else 0):
        normal = normal_at(at)
        error = float(normal.rest.mean())
        if error < before:
            gained = 1 - error / before
            best, before, step = at, error, 1.0
            if gained < ENDED:
                break
            changes = solve(normal, free(normal, at))
            if error - errors(normal, changes).mean() < ENDED * error:
                break
        else:
            # The last change was too long.
            step /= 4
        at = best + step * changes
    return best


def refine(ahead: Callable[[int], np.ndarray], accuracy: float) -> tuple[int, float]:
    """Return a number of substeps that is enough, and the squared error with it.

    Args:
      ahead: From a number of substeps to some frames.
      accuracy: The relative error that is enough.
    """
    n, short = 1, ahead(1)
    while True:
        long, short = short, ahead(2 * n)
        error = float(np.sum(np.abs(short - long) ** 2) / np.sum(np.abs(short) ** 2))
        if error < accuracy**2 or n >= MOST_SUBSTEPS:
            return n, error
        n *= 2
