"""Figures of the study: plans over `mixed`, and errors against the number of distinct runs."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, NullLocator

from experiments.curriculum.syllabus import YOKED
from experiments.curriculum.taught_scores import FRESH, SETS
from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE

TITLES = {
    "smooth": "smooth potentials",
    "sharp": "sharp edges",
    "paper": "the paper's 25 cases",
}
COLOURS = {"smooth": BLUE, "sharp": ORANGE, "paper": INK}
TICKS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.5, 2, 3, 5, 10, 20, 50)


@style.styled
def plot_plans(found: Mapping[str, Any]) -> Figure:
    """Draw the error of each plan and control over that of `mixed`, for each budget and set.

    Args:
      found: The results of the study; of each of the ``"budgets"``, by steps, `compare`.
    """
    budgets = found["budgets"]
    # A little room for the title of each row.
    counts = [len(of["over mixed"]) + 1.5 for of in budgets.values()]
    figure = Figure(figsize=(13, 0.8 + 0.42 * sum(counts)), layout="constrained")
    rows = figure.subplots(
        len(budgets), len(SETS), sharex=True, sharey="row", squeeze=False, height_ratios=counts
    )
    for (budget, of), axes in zip(budgets.items(), rows, strict=True):
        names = list(of["over mixed"])
        for ax, each in zip(axes, SETS, strict=True):
            _draw_ratios(ax, [of["over mixed"][name][each] for name in names], names)
            ax.set_title(f"{TITLES[each]}, {int(budget):,} steps")
        axes[0].set_yticks(range(len(names)), names)
        axes[0].set_ylim(len(names) - 0.5, -0.5)
    for ax in rows[-1]:
        ax.set_xlabel("error / error of mixed")
        _plain_ticks(ax)
    return figure


def _draw_ratios(ax: Axes, ratios: list[Mapping[str, Any]], names: list[str]) -> None:
    """Means over trainings with 95% intervals; filled where a difference is shown."""
    ax.axvline(1, color=INK, lw=1)
    for y, (name, row) in enumerate(zip(names, ratios, strict=True)):
        mean, low, high = (10 ** row[key] for key in ("mean", "low", "high"))
        colour, marker = (GREY, "s") if name in YOKED else (BLUE, "o")
        is_shown = row["verdict"] != "not shown"
        ax.errorbar(
            mean, y, xerr=[[mean - low], [high - mean]], color=colour, lw=1.8, capsize=3, ms=7,
            marker=marker, mfc=colour if is_shown else "white",
        )  # fmt: skip
    ax.set_xscale("log")
    ax.grid(axis="x", color=GRID, lw=0.8)


def _plain_ticks(ax: Axes) -> None:
    ax.xaxis.set_minor_locator(NullLocator())
    low, high = ax.get_xlim()
    ticks = [tick for tick in TICKS if low <= tick <= high]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])


@style.styled
def plot_few(found: Mapping[str, Any], n_fresh: int) -> Figure:
    """Draw the error against the number of distinct runs, with 95% intervals over trainings.

    Args:
      found: Result of `compare_few`.
      n_fresh: Number of runs if each is new.
    """
    figure = Figure(figsize=(8, 5), layout="constrained")
    ax = figure.subplots()
    errors = found["error"]
    x = np.array([n_fresh if name == FRESH else int(name) for name in errors])
    for place, each in enumerate(SETS):
        mean, low, high = (
            10 ** np.array([row[each][key] for row in errors.values()])
            for key in ("mean", "low", "high")
        )
        ax.errorbar(
            x * 1.05 ** (place - 1), mean, (mean - low, high - mean), color=COLOURS[each],
            marker="o", ms=6, lw=1.6, capsize=3, label=TITLES[each],
        )  # fmt: skip
    ax.set(xscale="log", yscale="log", ylabel="relative L2 error, mean over frames")
    ax.set_xlabel("distinct runs of the teacher (the last: every run is new)")
    ax.set_xticks(x, [f"{n}" for n in x])
    ax.xaxis.set_minor_formatter(NullFormatter())
    ax.xaxis.set_minor_locator(NullLocator())
    ax.grid(axis="y", color=GRID, lw=0.8)
    ax.legend()
    return figure
