"""Figure of error against cost of solvers and students."""

import itertools
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

from qdistill._checks import refuse
from qdistill.plots import style
from qdistill.plots.style import COLOURS, GRID, INK

MARKERS, STUDENT_MARKERS = "osD^v<>hpPXd", "*PXd^sv<>hpD"
# Kinds of solvers in the words of readers.
LABELS = {
    "cut off": "plane-wave truncation",
    "filters of theory": "filters of perturbation theory",
    "folded": "Löwdin-folded",
    "projected": "projected exact propagator",
}
SOLVER_COLOURS = [colour for colour in COLOURS if colour != INK]


@style.styled
def plot_frontier(contenders: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw error against the cost of the job: a line for each kind of solver, black for students.

    A line joins settings in their order. Students whose names agree up to the last comma share a
    line and a name.

    Args:
      contenders: For each name `kind` (``"student"`` for students), `rms_error` and `job_seconds`.

    Raises:
      ValueError: For nothing to draw, or more kinds of solvers than markers.
    """
    n_kinds = len({row["kind"] for row in contenders.values()} - {"student"})
    if not contenders or n_kinds > len(MARKERS):
        refuse("contenders", f"of 1 to {len(MARKERS)} kinds", f"of {n_kinds}")
    solvers: dict[str, dict[str, tuple[float, float]]] = {}
    students: dict[str, dict[str, tuple[float, float]]] = {}
    left_out = []
    for name, row in contenders.items():
        point = (row["job_seconds"], row["rms_error"])
        if not np.all(np.isfinite(point)) or min(point) <= 0:
            left_out.append(name)
        elif row["kind"] == "student":
            students.setdefault(name.rsplit(", ", 1)[0], {})[name] = point
        else:
            solvers.setdefault(row["kind"], {})[name] = point
    figure = Figure(figsize=(11, 6), layout="constrained")
    ax = figure.subplots()
    for (kind, points), colour, marker in zip(
        solvers.items(), itertools.cycle(SOLVER_COLOURS), MARKERS, strict=False
    ):
        _draw(ax, LABELS.get(kind, kind), points, marker + "-", color=colour, ms=6, lw=1.3)
    for (stem, points), marker in zip(
        students.items(), itertools.cycle(STUDENT_MARKERS), strict=False
    ):
        name = stem if len(points) > 1 else next(iter(points))
        look: dict[str, Any] = {"color": INK, "mec": "white", "mew": 0.6, "lw": 0.8, "zorder": 3}
        _draw(ax, name, points, marker + "-", ms=15 if marker == "*" else 11, **look)
    ax.set(xscale="log", yscale="log", xlabel="seconds for a new potential and all its packets")
    ax.set_ylabel("relative L2 error of psi at the end, rms")
    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(StrMethodFormatter("{x:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.grid(color=GRID, lw=0.8)
    ax.set_axisbelow(True)
    if left_out:
        ax.set_title("not finite, and left out: " + ", ".join(left_out))
    figure.legend(loc="outside right upper", title="students in black", alignment="left")
    return figure


def _draw(
    ax: Axes, name: str, points: Mapping[str, tuple[float, float]], mark: str, **look: Any
) -> None:
    """Draw one line, in the order of its points."""
    seconds, errors = zip(*points.values(), strict=True)
    ax.plot(seconds, errors, mark, label=name, **look)
