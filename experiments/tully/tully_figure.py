"""Figure of the study: probabilities, errors at equal cost, long frames, and crossings apart."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE

CHANNELS = {
    "T lower": (BLUE, "through, lower"),
    "T upper": (ORANGE, "through, upper"),
    "R lower": (INK, "back, lower"),
    "R upper": (GREY, "back, upper"),
}
SOLVERS = {
    "strang": ("Strang", GREY, "s"),
    "best": ("best splitting of 2 pairs", ORANGE, "^"),
}


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw probabilities of the three models, and errors next to solvers of equal cost.

    Args:
      found: The results of the study.
    """
    figure = Figure(figsize=(12, 7), layout="constrained")
    axes = figure.subplots(2, 3)
    controls = ("placebo-", "untrained-")
    taught = {n: row for n, row in found["students"].items() if not n.startswith(controls)}
    for ax, (model, truth) in zip(axes[0], found["truth"].items(), strict=True):
        _probabilities(ax, model, truth, taught)
    axes[0, 0].set_ylabel("probability at the end")
    _by_momentum(axes[1, 0], found)
    _by_frame(axes[1, 1], found["summary"])
    _apart(axes[1, 2], found["apart"])
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=5)
    return figure


def _probabilities(
    ax: Axes, model: str, truth: Mapping[str, Any], students: Mapping[str, Any]
) -> None:
    k = np.array(truth["momentum"])
    for channel, (colour, label) in CHANNELS.items():
        ax.plot(k, truth[channel], color=colour, lw=1.4, label=label)
        made = [row[model][channel] for row in students.values() if channel in row[model]]
        if made:
            ax.plot(k, made[0], "o", color=colour, ms=4.5, mfc="white", mew=1.2)
    ax.plot([], [], "o", color=INK, ms=4.5, mfc="white", mew=1.2, label="student (lines: exact)")
    ax.set(title=f"Tully's {model}", xlabel="momentum (1/bohr)", ylim=(-0.03, 1.03))
    ax.grid(color=GRID)


def _by_momentum(ax: Axes, found: Mapping[str, Any]) -> None:
    k = np.array(found["truth"]["model 2"]["momentum"])
    rows = [
        row["model 2"]["final"] for n, row in found["students"].items() if "crossing-dt10-" in n
    ]
    for i, row in enumerate(rows):
        ax.plot(k, row, color=BLUE, lw=0.8, alpha=0.7, label="students" if not i else None)
    for name, (label, colour, _) in SOLVERS.items():
        row = found["equal cost"]["10"]["model 2"][name]["final"]
        ax.plot(k, row, color=colour, lw=1.6, ls="--", label=label)
    ax.set(yscale="log", xlabel="momentum (1/bohr)", ylabel="relative L2 error at the end")
    ax.set_ylim(top=3)
    ax.set_title("Model 2, frames of 10 a.u., 2 FFT pairs")
    ax.legend(fontsize=9, loc="upper left")
    ax.grid(color=GRID)


def _by_frame(ax: Axes, summary: Mapping[str, Any]) -> None:
    rows = {n: row for n, row in summary.items() if n.startswith("crossing") and "model 2" in n}
    dt = np.array([20 / row["pairs in 10 a.u."] for row in rows.values()])
    ax.plot(dt, [row["error"]["mean"] for row in rows.values()], "o-", color=BLUE, label="student")
    for name, (label, colour, marker) in SOLVERS.items():
        values = [row[name] for row in rows.values()]
        ax.plot(dt, values, f"{marker}--", color=colour, label=label)
    ax.set(xscale="log", yscale="log", xlabel="frame (a.u.)", title="Model 2, median error")
    ax.set_xticks(dt, [f"{each:g}" for each in dt])
    ax.minorticks_off()
    ax.set_ylim(top=1)
    ax.legend(fontsize=9, loc="upper left")
    ax.grid(color=GRID)


def _apart(ax: Axes, apart: Mapping[str, Any]) -> None:
    for each in list(apart.values())[:1]:
        distance = [row["apart"] for row in each["rows"]]
        for i, k in enumerate(each["momenta"]):
            colour = (BLUE, ORANGE)[i % 2]
            ax.plot(distance, [row["exact"][i] for row in each["rows"]], color=colour)
            made = [row["student"][i] for row in each["rows"]]
            ax.plot(distance, made, "o", color=colour, ms=4.5, mfc="white", label=f"momentum {k:g}")
    ax.set(
        xlabel="moved apart by (bohr)", ylabel="probability, upper state", ylim=(0, 1),
        title="Two crossings, none taught in pairs",
    )  # fmt: skip
    ax.legend(fontsize=9)
    ax.grid(color=GRID)
