"""Figure of what each process teaches."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill.plots import style
from qdistill.plots.style import COLOURS, GRID, INK

ERRORS = ("smooth potentials", "sharp potentials")


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw the share of each process in the skill and in the symmetries, with 95% t intervals.

    Args:
      found: The results of the study.
    """
    budgets = found["budgets"]
    figure = Figure(figsize=(14, 3.8 * len(budgets) + 1.0), layout="constrained")
    rows = figure.subplots(len(budgets), 2, squeeze=False, width_ratios=(1.15, 1))
    for (left, right), (name, budget) in zip(rows, budgets.items(), strict=True):
        tests = [test for test in budget if test.startswith("test of ")]
        _bars(left, budget, [*ERRORS, *tests], found["processes"])
        left.set_ylabel(f"{name}: share of the skill\n(decades of error)")
        kept = [test for test in budget if test.startswith("symmetry: ")]
        _bars(right, budget, kept, found["processes"])
        right.set_ylabel("share of the symmetry\n(decades of violation)")
    figure.legend(*rows[0][0].get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


@style.styled
def plot_constants(found: Mapping[str, Any]) -> Figure:
    """Draw errors of forecasts against a constant in V, with the least and most of all seeds.

    Args:
      found: The results of the study of constants.
    """
    tests = found["errors"][found["kinds"][0]]
    figure = Figure(figsize=(11, 4.0), layout="constrained")
    axes = figure.subplots(1, len(tests), sharey=True)
    for ax, (test, rows) in zip(axes, tests.items(), strict=True):
        for i, (taught, row) in enumerate(rows.items()):
            middle, low, high = (np.array([x[k] for x in row]) for k in ("median", "low", "high"))
            at = np.array(found["steps"]) + 0.03 * (i - 1)
            ax.errorbar(
                at, middle, (middle - low, high - middle), color=COLOURS[i], marker="os^"[i],
                label=f"taught {taught}", capsize=3, lw=1.5,
            )  # fmt: skip
        ends = (
            ("0", "1/2", "floor\nat zero") if test == "trapping" else ("0", "1/2", "top\nat zero")
        )
        ax.set_xticks(found["steps"], ends)
        ax.set(title=test, yscale="log", xlim=(-0.15, 1.15))
        ax.grid(axis="y", color=GRID)
        ax.set_axisbelow(True)
    axes[0].set_ylabel("relative L2 error")
    figure.supxlabel("constant in V, in units of depth or height: wells raised, others lowered")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


def _bars(ax: Axes, budget: Mapping[str, Any], tests: list[str], processes: list[str]) -> None:
    """Draw one group of bars for each test."""
    width = 0.8 / len(processes)
    for i, process in enumerate(processes):
        rows = [budget[test]["share"][process] for test in tests]
        mean = np.array([row["mean"] for row in rows])
        low, high = (np.array([row.get(k, row["mean"]) for row in rows]) for k in ("low", "high"))
        at = np.arange(len(tests)) + width * (i - (len(processes) - 1) / 2)
        ax.bar(at, mean, width, color=COLOURS[i % len(COLOURS)], label=process)
        ax.errorbar(at, mean, (mean - low, high - mean), color=INK, lw=1, ls="")
    labels = [test.split(": ")[-1].replace("test of ", "cases of\n") for test in tests]
    labels = [label if "\n" in label else label.replace(" ", "\n", 1) for label in labels]
    ax.set_xticks(range(len(tests)), labels, fontsize=10)
    ax.axhline(0, color=INK, lw=0.8)
    ax.grid(axis="y", color=GRID)
    ax.set_axisbelow(True)
