"""Figures of generalisation: errors against a property, and by families of potentials."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import NullLocator

from qdistill.plots import style
from qdistill.plots.style import BLUE, COLOURS, GREY, GRID, INK, LINE_STYLES, SLATE

LABELS = {
    "momentum": ("momentum of the packet, 1/bohr", (None, 4.7)),
    "width": ("width of the packet, bohr", (1.0, 6.0)),
    "height": ("height of the barrier, hartree", (None, 15.0)),
}
RATIOS = (0.1, 0.2, 0.3, 0.5, 0.7, 1, 1.4, 2, 3, 5, 10, 20)
SMALL = (0.001, 0.002, 0.003, 0.005, 0.01, 0.02)
SOLVERS = {
    "clamped Strang": (INK, "--"),
    "Takahashi-Imada": (SLATE, ":"),
    "Takahashi-Imada, own cap": (INK, "-"),
}


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw errors against each property.

    The ranges of the lessons are shaded. Bands are 95% t intervals over trainings.

    Args:
      found: The results of the study.
    """
    figure = Figure(figsize=(12, 7.6), layout="constrained")
    *axes, corner = figure.subplots(2, 2).ravel()
    for ax, (name, (label, taught)) in zip(axes, LABELS.items(), strict=True):
        _draw_sweep(ax, found, name)
        low, high = (end if end is not None else ax.get_xlim()[0] for end in taught)
        ax.axvspan(low, high, color=GRID, zorder=0, lw=0)
        ax.set(xlabel=label, ylabel="relative L2 error")
    corner.set_axis_off()
    handles, labels = axes[0].get_legend_handles_labels()
    shade = Patch(color=GRID, label="taught")
    corner.legend([*handles, shade], [*labels, "taught"], loc="center", fontsize="large")
    return figure


@style.styled
def plot_families(families: Mapping[str, Any], preset: str, *, only: bool) -> Figure:
    """Draw the ratio of errors of trainings on some families to those of trainings on more.

    Bars are 95% t intervals over trainings.

    Args:
      families: Ratios by the family that was left out or taught alone, as of `left_out.measure`.
      preset: What was trained.
      only: Whether one family alone was taught, in place of all others.
    """
    figure = Figure(figsize=(7, 4.4), layout="constrained")
    ax = figure.subplots()
    words = {"own": f"on the family {'taught' if only else 'left out'}", "others": "on the others"}
    for kind, colour, shift in (("own", BLUE, -0.12), ("others", GREY, 0.12)):
        for i, row in enumerate(families.values()):
            of = row["log10 of the ratio"][kind]
            mean, low, high = (10 ** of.get(key, of["mean"]) for key in ("mean", "low", "high"))
            ax.errorbar(
                mean, i + shift, xerr=[[mean - low], [high - mean]], fmt="o", color=colour,
                capsize=3, label=words[kind] if i == 0 else None,
            )  # fmt: skip
    ax.axvline(1, color=INK, lw=0.8)
    ax.set_yticks(range(len(families)), list(families))
    ax.set(xscale="log", ylabel="taught only" if only else "left out")
    ratio = "error over that of trainings on all" if only else "error without the family / with it"
    ax.set_xlabel(f"{preset}: {ratio}")
    _plain(ax.xaxis, RATIOS, ax.get_xlim())
    ax.invert_yaxis()
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _draw_sweep(ax: Axes, found: Mapping[str, Any], name: str) -> None:
    values = found["beyond"][name]["values"]
    styles = iter(zip(COLOURS, LINE_STYLES, strict=False))
    for label, of in found["over seeds"][name].items():
        if label not in SOLVERS and label not in found["trainings"]:
            continue
        colour, ls = SOLVERS[label] if label in SOLVERS else next(styles)
        n = found["trainings"].get(label, 0)
        words = f"{label}, {n} trainings" if n > 1 else label
        mean, low, high = (
            10 ** np.array([row.get(key, row["mean"]) for row in of["error"]])
            for key in ("mean", "low", "high")
        )
        ax.plot(values, mean, color=colour, ls=ls, lw=1.8, label=words)
        if n > 1:
            ax.fill_between(values, low, high, color=colour, alpha=0.2, lw=0)
    ax.set_yscale("log")
    if ax.get_ylim()[0] > 1e-3 and ax.get_ylim()[1] < 3e-2:
        _plain(ax.yaxis, SMALL, ax.get_ylim())
    if name != "momentum":
        ax.set_xscale("log")
        ax.set_xticks(values, [f"{value:g}" for value in values])
        ax.minorticks_off()
    ax.set_xlim(values[0] * 0.97, values[-1] * 1.03)
    ax.set_axisbelow(True)


def _plain(axis: Axis, ticks: Sequence[float], limits: tuple[float, float]) -> None:
    """Plain numbers on a logarithmic axis of about a decade."""
    axis.set_minor_locator(NullLocator())
    inside = [tick for tick in ticks if limits[0] <= tick <= limits[1]]
    axis.set_ticks(inside, [f"{tick:g}" for tick in inside])
