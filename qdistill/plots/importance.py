"""Figures of the importance of lessons: shares, interactions, and shares by family."""

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.insight.importance import OVERALL, Importance
from qdistill.plots import style
from qdistill.plots.reports import draw
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE, SIGNED

# Mean, lower and upper end of the interval.
Interval: TypeAlias = Float[np.ndarray, "3 n_lesson"]
UNIT = "decades of error"
MARKS = (("o", BLUE, -0.24), ("s", ORANGE, 0.0), ("D", GREY, 0.24))


@explained
@draw.register(Importance)
def draw_importance(report: Importance) -> dict[str, Figure]:
    """Draw shares and interactions on all potentials, and the matrix of lessons and families."""
    last = report.columns.index(OVERALL)
    measures = {
        name: np.stack([each[last] for each in estimate])
        for name, estimate in (
            ("Shapley value", report.shares),
            ("leave one out", report.leave_one_out),
            ("only one", report.only_one),
        )
    }
    return {
        "shares": plot_shares(report.lessons, measures, report.pairs.mean[last]),
        "family_shares": plot_family_shares(report.lessons, report.columns, report.shares.mean),
    }


@explained
@style.styled
def plot_shares(
    lessons: Sequence[str],
    measures: dict[str, Interval],
    pairs: Float[np.ndarray, "n_lesson n_lesson"],
) -> Figure:
    """Draw the shares of lessons by up to three measures with intervals, and their interactions.

    Args:
      lessons: Names of the lessons.
      measures: Mean, lower and upper end for every lesson, by name of the measure.
      pairs: Interactions of the lessons; the diagonal is left empty.
    """
    _require_lessons(lessons)
    n = len(lessons)
    if not 1 <= len(measures) <= len(MARKS):
        refuse("measures", f"1 to {len(MARKS)} measures", f"{len(measures)}")
    for name, interval in measures.items():
        require_shape((3, n), **{f"measures[{name!r}]": interval})
        require_finite(**{f"measures[{name!r}]": interval})
    require_shape((n, n), pairs=pairs)
    figure = Figure(figsize=(10, 1.9 + 0.52 * n), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    rows = np.arange(n)
    for (name, (mean, low, high)), (marker, colour, shift) in zip(
        measures.items(), MARKS, strict=False
    ):
        left.hlines(rows + shift, low, high, color=colour, lw=2)
        left.plot(mean, rows + shift, marker, color=colour, ms=7, label=name)
    left.axvline(0, color=INK, lw=1)
    left.set_yticks(rows, list(lessons))
    left.set(ylim=(n - 0.5, -0.5), xlabel=f"skill that a lesson adds, {UNIT}")
    left.grid(axis="x", color=GRID)
    left.set_axisbelow(True)
    left.tick_params(axis="y", length=0)
    legend: dict[str, Any] = {"columnspacing": 0.9, "handletextpad": 0.1, "fontsize": 11}
    left.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=len(measures), **legend)
    shown = np.where(np.eye(n, dtype=bool), np.nan, pairs)
    # Its rows are those of the left panel.
    image = _draw_matrix(right, [""] * n, lessons, shown)
    right.set_title("what a pair adds beyond its two lessons", pad=8)
    figure.colorbar(image, ax=right, label=UNIT, **style.BAR)
    return figure


@explained
@style.styled
def plot_family_shares(
    lessons: Sequence[str],
    families: Sequence[str],
    shares: Float[np.ndarray, "n_family n_lesson"],
) -> Figure:
    """Draw the share of each lesson for each family of test cases, a row for each family.

    Args:
      lessons: Names of the lessons.
      families: Names of the families.
      shares: Shapley values.
    """
    _require_lessons(lessons)
    if not families:
        refuse("families", "at least one family", families)
    require_shape((len(families), len(lessons)), shares=shares)
    size = (2.6 + 1.3 * len(lessons), 1.4 + 0.36 * len(families))
    figure = Figure(figsize=size, layout="constrained")
    ax = figure.subplots()
    image = _draw_matrix(ax, families, lessons, shares)
    ax.set_title("what a lesson (column) adds to the skill in forecasting (row)", pad=8)
    figure.colorbar(image, ax=ax, label=f"Shapley value, {UNIT}", **style.BAR)
    return figure


def _require_lessons(lessons: Sequence[str]) -> None:
    if len(lessons) < 2:
        refuse("lessons", "at least two lessons", lessons)


def _draw_matrix(ax: Axes, rows: Sequence[str], columns: Sequence[str], values: np.ndarray) -> Any:
    """Draw a matrix, blue below zero and orange above, with the finite numbers in the cells."""
    end = style.limit(np.abs(values))
    image = ax.imshow(np.ma.masked_invalid(values), cmap=SIGNED, clim=(-end, end), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = ax.text(
                column, row, f"{round(value, 2) + 0.0:.2f}", ha="center", va="center", fontsize=10
            )
            text.set_color("white" if abs(value) > 0.55 * end else INK)
    # Names that would overlap are rotated.
    turn: dict[str, Any] = {"rotation": 30, "ha": "right"} if len(columns) > 2 else {}
    ax.set_xticks(range(len(columns)), list(columns), **turn)
    ax.set_yticks(range(len(rows)), list(rows))
    ax.set_xticks(np.arange(len(columns) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(rows) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=2)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    return image
