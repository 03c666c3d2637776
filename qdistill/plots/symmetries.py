"""Which symmetries hold: a matrix of violations, in colours and words."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import matplotlib
import numpy as np
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from qdistill.arguments import refuse, require_between, require_shape
from qdistill.plots import style
from qdistill.plots.style import BAR, FLOOR, GREY, INK, MISSING

# The violation and a word on it.
Cell: TypeAlias = tuple[float, str]


@style.styled
def plot_symmetries(formulas: Mapping[str, str], columns: Mapping[str, Sequence[Cell]]) -> Figure:
    """A row for each symmetry, a column for each who was asked; light where the symmetry holds.

    The colour is the violation on a log scale from 1e-7, the rounding of float32, to 1. What is
    not finite is grey.

    Args:
      formulas: What each symmetry claims, by its name.
      columns: Violation (relative, so without unit) and verdict of every symmetry, by the
        title of the column, at most 8; a title may have several lines.
    """
    if not formulas:
        refuse("formulas", "at least one symmetry", formulas)
    if not 1 <= len(columns) <= 8:
        refuse("columns", "1 to 8 columns", f"{len(columns)}")
    for title, cells in columns.items():
        require_shape((len(formulas),), **{f"columns[{title!r}]": [word for _, word in cells]})
    values = np.array([[value for value, _ in cells] for cells in columns.values()], float).T
    require_between(0, np.inf, columns=values[np.isfinite(values)])
    n_row, n_column = values.shape
    figure = Figure(figsize=(10, 1.3 + 0.56 * n_row), layout="constrained")
    ax = figure.subplots()
    cmap = matplotlib.colormaps["OrRd"].with_extremes(bad=MISSING)
    scale = LogNorm(FLOOR, 1, clip=True)
    shown = np.ma.masked_invalid(values)
    image = ax.imshow(np.ma.maximum(shown, FLOOR), cmap=cmap, norm=scale, aspect="auto")
    for column, cells in enumerate(columns.values()):
        for row, (value, word) in enumerate(cells):
            is_dark = np.isfinite(value) and scale(max(value, FLOOR)) > 0.6
            colour = "white" if is_dark else INK
            number = f"{value:.0e}".replace("e-0", "e-").replace("e+00", "") if value else "0"
            ax.text(column, row - 0.2, number, color=colour, ha="center", va="center", fontsize=11)
            size = 10 if n_column <= 5 else 8
            ax.text(column, row + 0.2, word, color=colour, ha="center", va="center", fontsize=size)
    ax.set_xticks(range(n_column), list(columns), fontsize=11 if n_column <= 5 else 9)
    ax.set_yticks(range(n_row), [""] * n_row)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    for row, (name, formula) in enumerate(formulas.items()):
        place = {"xycoords": ("axes fraction", "data"), "textcoords": "offset points"}
        ax.annotate(name, (0, row), (-8, 6), ha="right", va="center", fontsize=12, **place)
        ax.annotate(
            formula, (0, row), (-8, -8), ha="right", va="center", fontsize=9, color=GREY, **place
        )
    ax.set_xticks(np.arange(n_column - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(n_row - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=2)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, label="violation, relative to |psi|", extend="min", **BAR)
    return figure
