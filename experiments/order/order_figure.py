"""Figure of the order of learning: errors of all trainings, and traits at equal errors."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE

MODELS = {
    "student": ("students", BLUE, "o"),
    "disturbed": ("null: exact step, disturbed", GREY, "s"),
    "displaced": ("null: trained student, displaced", ORANGE, "^"),
}
PLAIN = (0.05, 0.1, 0.2, 0.5, 1, 2, 4)
TRAITS = {
    "mass error": "error of the mass",
    "k^4 term error": "error of the k⁴ term",
    "rho of translation, fractions": "rho, translation by fractions",
    "rho of energy": "rho, energy",
    "share of free": "free flight: error / all",
    "share of interference": "interference: error / all",
    "share of trapping": "trapping: error / all",
}


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw the errors during the trainings, and each trait at equal errors with 95% intervals.

    Args:
      found: The results of the study.
    """
    figure = Figure(figsize=(12, 6.4), layout="constrained")
    first, *others = figure.subplots(2, 4).ravel()
    levels = [float(level) for level in found["levels"]]
    _draw_trainings(first, found, levels)
    for ax, (name, title) in zip(others, TRAITS.items(), strict=True):
        for place, (model, (label, colour, marker)) in enumerate(MODELS.items()):
            rows = [of[name][model] for of in found["levels"].values()]
            mean, low, high = (
                10 ** np.array([row.get(key, row["mean"]) for row in rows])
                for key in ("mean", "low", "high")
            )
            x = np.array(levels) * 1.07 ** (place - 1)
            ax.errorbar(
                x, mean, (mean - low, high - mean), color=colour, marker=marker, ms=6, lw=1.4,
                capsize=3, label=label,
            )  # fmt: skip
        ax.set(xscale="log", yscale="log", title=title, xticks=levels)
        ax.set_xticks(levels, [f"{level:g}" for level in levels])
        ax.xaxis.set_minor_locator(NullLocator())
        if not name.endswith("error") and name != "rho of translation, fractions":
            # Less than a decade: plain numbers.
            ends = ax.get_ylim()
            ax.set_yticks(PLAIN, [f"{tick:g}" for tick in PLAIN])
            ax.yaxis.set_minor_locator(NullLocator())
            ax.set_ylim(*ends)
        ax.invert_xaxis()
        ax.grid(color=GRID)
        ax.set_axisbelow(True)
    for ax in others[3:]:
        ax.set_xlabel("relative L2 error of all cases")
    figure.legend(*others[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _draw_trainings(ax: Axes, found: Mapping[str, Any], levels: list[float]) -> None:
    for of in found["seeds"]:
        ax.plot(of["errors"]["step"], of["errors"]["nrmse"], color=BLUE, lw=0.8, alpha=0.7)
    for level in levels:
        ax.axhline(level, color=INK, lw=0.8, ls=":")
    ax.set(yscale="log", xlabel="training step", title="relative L2 error, each seed")
    ax.grid(color=GRID)
