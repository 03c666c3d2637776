"""Work and precision: error against cost, of solvers and students."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from experiments.frontier.labels import label_near
from qdistill._checks import refuse
from qdistill.plots import style
from qdistill.plots.style import COLOURS, GRID, INK

MARKERS = "osD^vPXh"
# Of the panel, in typographic points.
PANEL = (650.0, 360.0)
SOLVER_COLOURS = [colour for colour in COLOURS if colour != INK]


@style.styled
def plot_frontier(contenders: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Error against the cost of the job: a line for each kind of solver, a name for each student.

    Students of one name but for what stands after its last comma are joined, and named once.

    Args:
      contenders: By name `kind` (``"student"`` for students), `rms_error` and `job_seconds`.
    """
    n_kinds = len({row["kind"] for row in contenders.values()} - {"student"})
    if not contenders or n_kinds > len(MARKERS):
        refuse("contenders", f"of 1 to {len(MARKERS)} kinds", f"of {n_kinds}")
    kinds: dict[str, list[tuple[str, float, float]]] = {}
    left_out = []
    for name, row in contenders.items():
        point = (name, row["job_seconds"], row["rms_error"])
        if np.all(np.isfinite(point[1:])) and min(point[1:]) > 0:
            kinds.setdefault(row["kind"], []).append(point)
        else:
            left_out.append(name)
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    ax = figure.subplots()
    solvers = [kind for kind in kinds if kind != "student"]
    for kind, colour, marker in zip(solvers, SOLVER_COLOURS, MARKERS, strict=False):
        _, seconds, errors = zip(*sorted(kinds[kind], key=lambda point: point[1]), strict=True)
        ax.plot(seconds, errors, marker + "-", color=colour, ms=6, lw=1.3, label=kind)
    students = sorted(kinds.get("student", []), key=lambda point: point[2])
    stems: dict[str, list[tuple[str, float, float]]] = {}
    for student in students:
        stems.setdefault(student[0].rsplit(", ", 1)[0], []).append(student)
    labels = []
    for stem, sizes in stems.items():
        names, x, y = zip(*sizes, strict=True)
        ax.plot(x, y, "*-", color=INK, mec="white", mew=0.6, ms=16, lw=0.8, zorder=3)
        labels.append((stem if len(sizes) > 1 else names[0], x[-1], y[-1], INK))
    ax.set(xscale="log", yscale="log", xlabel="seconds for a new landscape and all its packets")
    ax.set_ylabel("relative error of psi at the end, rms")
    ax.grid(color=GRID, lw=0.8)
    ax.set_axisbelow(True)
    if "student" in kinds:
        ax.plot([], [], "*", color=INK, mec="white", ms=14, label="student")
    if left_out:
        ax.set_title("not finite, and left out: " + ", ".join(left_out))
    ax.autoscale_view()
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())
    if labels:
        drawn = [np.asarray(line.get_xydata()) for line in ax.lines]
        label_near(ax, labels, drawn, PANEL)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure
