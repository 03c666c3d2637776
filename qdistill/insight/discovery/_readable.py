"""Combinations of operators as a reader wants them: few terms, round coefficients, text."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from qdistill._checks import refuse, require_finite, require_positive, require_shape
from qdistill._refusals import explained


@explained
def reduce(
    vectors: Float[np.ndarray, "n n_operator"], scales: Float[np.ndarray, " n_operator"]
) -> Float[np.ndarray, "n n_operator"]:
    """Return a readable basis of the same space: reduced rows, each with a leading 1.

    Args:
      vectors: Coefficients of a basis.
      scales: Sizes of the operators; pivots are the largest terms.
    """
    require_finite(vectors=vectors, scales=scales)
    require_shape(vectors.shape[1:], scales=scales)
    require_positive(scales=scales)
    scales = np.asarray(scales)
    rows = np.array(vectors, float) / scales
    pivots: list[int] = []
    for i in range(len(rows)):
        sizes = np.abs(rows[i:])
        if not sizes.any():
            refuse("vectors", "linearly independent", vectors)
        # The first column that is nearly as large as the largest one.
        column = int(np.flatnonzero(sizes.max(axis=0) > 0.5 * sizes.max())[0])
        row = i + int(np.argmax(sizes[:, column]))
        rows[[i, row]] = rows[[row, i]]
        rows[i] /= rows[i, column]
        others = np.arange(len(rows)) != i
        rows[others] -= rows[others, column][:, None] * rows[i][None]
        pivots.append(column)
    rows = rows * scales
    return rows / np.array([row[column] for row, column in zip(rows, pivots, strict=True)])[:, None]


@explained
def in_words(
    row: Float[np.ndarray, " n_operator"], names: Sequence[str], smallest: float = 0.02
) -> str:
    """Return a combination as text, without terms that are small next to the largest.

    >>> in_words(np.array([1.0, 0.001, -0.5]), ["T", "x", "V"])
    'T - 0.5 V'
    """
    require_shape((len(names),), row=row)
    parts = []
    for value, name in zip(row, names, strict=True):
        if abs(value) < smallest * np.abs(row).max():
            continue
        size = "" if round(abs(value), 4) == 1 else f"{abs(value):.4g} "
        parts.append(f"{'-' if value < 0 else '+'} {size}{name}")
    return " ".join(parts).removeprefix("+ ")
