"""Figure of an audit of symmetries: a matrix of violations, rho and verdicts."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_between, require_positive, require_shape
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.symmetries import SymmetryReport
from qdistill.plots import style
from qdistill.plots.reports import draw
from qdistill.plots.style import BAR, FLOOR, INK, MISSING, SLATE

# Violation, rho if it has a meaning, and verdict.
Cell: TypeAlias = tuple[float, float | None, str]
# White to dark red, also in greyscale.
SCALE = LinearSegmentedColormap.from_list(
    "violation", ["#fbfaf7", "#fdd9ac", "#f79a4d", "#d1521d", "#6b1f07"]
).with_extremes(bad=MISSING)
MOST_COLUMNS = 8
SIGNS = {"psi": "\u03c8", "phi": "\u03c6", " pi ": " \u03c0 ", "->": "\u2192"}


@explained
@style.styled
def plot_symmetries(
    formulas: Mapping[str, str],
    columns: Mapping[str, Sequence[Cell]],
    rounding: float = FLOOR,
) -> Figure:
    """Draw the violations of symmetries, a row for each symmetry and a column for each propagator.

    The colour is the violation on a log scale from the rounding (white) to 1. Values that are not
    finite are grey.

    Args:
      formulas: The claim of each symmetry, by name; psi, phi, pi and arrows become signs.
      columns: Relative violation, rho and verdict of every symmetry, by title of the column, at
        most 8; a title may have several lines.
      rounding: Violation by rounding, below 1.
    """
    if not formulas:
        refuse("formulas", "at least one symmetry", formulas)
    if not 1 <= len(columns) <= MOST_COLUMNS:
        refuse("columns", f"1 to {MOST_COLUMNS} columns", f"{len(columns)}")
    for title, cells in columns.items():
        require_shape((len(formulas),), **{f"columns[{title!r}]": [cell[0] for cell in cells]})
    require_positive(rounding=rounding)
    require_between(0, 0.99, rounding=rounding)
    values = np.array([[value for value, *_ in cells] for cells in columns.values()], float).T
    require_between(0, np.inf, columns=values[np.isfinite(values)])
    n_row, n_column = values.shape
    figure = Figure(figsize=(10, 1.3 + 0.56 * n_row), layout="constrained")
    ax = figure.subplots()
    scale = LogNorm(rounding, 1, clip=True)
    shown = np.ma.masked_invalid(values)
    image = ax.imshow(np.ma.maximum(shown, rounding), cmap=SCALE, norm=scale, aspect="auto")
    for column, cells in enumerate(columns.values()):
        for row, (value, rho, word) in enumerate(cells):
            is_dark = np.isfinite(value) and scale(max(value, rounding)) > 0.66
            first = _number(value) + ("" if rho is None else f"   $\\rho$ {rho:.2f}")
            # A letter is about 0.6 of its size wide, all cells together 410 points.
            size = min(10.5, 410 / n_column / (0.6 * max(len(word), 13)))
            for up, line in ((-0.2, first), (0.2, word)):
                text = ax.text(column, row + up, line, ha="center", va="center", fontsize=size)
                text.set_color("white" if is_dark else INK)
    ax.set_xticks(range(n_column), list(columns), fontsize=11 if n_column <= 5 else 9)
    ax.set_yticks(range(n_row), [""] * n_row)
    ax.tick_params(length=0, top=True, labeltop=True, bottom=False, labelbottom=False)
    place = ax.get_yaxis_transform()
    for row, (name, formula) in enumerate(formulas.items()):
        ax.text(-0.012, row - 0.17, name, transform=place, ha="right", va="center")
        text = ax.text(-0.012, row + 0.2, _signs(formula), transform=place, ha="right", va="center")
        text.set(fontsize=9.5, color=SLATE)
    ax.set_xticks(np.arange(n_column - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(n_row - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=2)
    ax.tick_params(which="minor", length=0)
    ax.spines[:].set_visible(False)
    figure.colorbar(image, ax=ax, label="violation, relative to $|\\psi|$", extend="min", **BAR)
    return figure


@explained
@draw.register(SymmetryReport)
def draw_symmetries(report: SymmetryReport) -> dict[str, Figure]:
    """Draw the violations by the exact solver, by every member and of the negative controls.

    Each figure has as many members, with all their kinds of cases, as fit into it.
    """
    numbers = report.numbers
    exact, *members = numbers["findings"].items()
    # The rows of each symmetry, over the kinds of cases.
    rows = list(zip(*(kind.values() for kind in exact[1].values()), strict=True))
    cells = {
        f"{_title(numbers['roles'][name], name)},\n{kind.replace(' ', chr(10))}": [
            _of_member(row) for row in summary.values()
        ]
        for name, kinds in members
        for kind, summary in kinds.items()
    }
    titles, n_kind = list(cells), len(exact[1])
    room = max(1, (MOST_COLUMNS - 2) // n_kind) * n_kind if n_kind <= MOST_COLUMNS - 2 else 1
    figures = {}
    for page, start in enumerate(range(0, len(titles), room), 1):
        columns = {
            exact[0]: [_of_exact_solver(each) for each in rows],
            **{title: cells[title] for title in titles[start : start + room]},
            "negative\ncontrol": [_of_control(each) for each in rows],
        }
        name = "symmetries" + f"-{page}" * (page > 1)
        figures[name] = plot_symmetries(numbers["formulas"], columns, numbers["rounding"])
    return figures


def _title(role: str, name: str) -> str:
    return harness.in_words(role, name).replace(" (", "\n(")


def _of_exact_solver(rows: tuple[Mapping[str, Any], ...]) -> Cell:
    """The largest violation by the exact solver."""
    holds = all(row["verdict"] == "holds" for row in rows)
    largest = max(row["violation"]["median"] for row in rows)
    return largest, None, "holds" if holds else "broken"


def _of_member(row: Mapping[str, Any]) -> Cell:
    """The cell of a member: rho if it decides the verdict, and what the evidence says."""
    rho = row["rho"]["median"] if row["verdict"] in harness.BY_RATIO else None
    tested = row.get("evidence", {}).get("verdict")
    # What could not be tested is kept, and no more is said.
    is_tested = tested in ("learned", "as a null model")
    return row["violation"]["median"], rho, tested if is_tested else row["verdict"]


def _of_control(rows: tuple[Mapping[str, Any], ...]) -> Cell:
    """The smallest violation of the negative controls by the exact solver."""
    fires = all(row["control_fires"] for row in rows)
    least = min(row["control_violation"]["median"] for row in rows)
    return least, None, "fires" if fires else "silent"


def _number(value: float) -> str:
    """A number such as 3e-5 as text; 1 and 0 are unchanged."""
    return f"{value:.0e}".replace("e-0", "e-").replace("e+00", "") if value else "0"


def _signs(formula: str) -> str:
    for word, sign in SIGNS.items():
        formula = formula.replace(word, sign)
    return formula
