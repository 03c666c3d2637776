"""Figures that compare runs: losses and scores."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_between, require_shape
from qdistill._refusals import explained
from qdistill.plots import style
from qdistill.plots.style import COLOURS, FLOOR, GREY, GRID, LINE_STYLES, SLATE, Values

MOST = len(COLOURS)


@explained
@style.styled
def plot_runs(
    logs: Mapping[str, tuple[Values, Values, Values]],
    scores: Mapping[str, float | None],
    baselines: Mapping[str, float],
) -> Figure:
    """Draw the loss of several runs against step and against time, and their scores below.

    All numerical axes are logarithmic. Values that are not finite and positive are left out. Losses
    for different lessons or kinds of examples cannot be compared.

    Args:
      logs: Step, seconds of training and loss at each record, by name of the run; at most twelve. A
        run may have no records yet.
      scores: Infidelities on the held-out test, for the same names; None for runs without scores.
      baselines: Infidelities to compare with, drawn as vertical lines, by their label.
    """
    if not 1 <= len(logs) <= MOST:
        refuse("logs", f"of 1 to {MOST} runs", f"of {len(logs)}")
    if set(scores) != set(logs):
        refuse("scores", f"of the names {sorted(logs)}", sorted(scores))
    require_between(0, 1, baselines=list(baselines.values()))
    figure = Figure(figsize=(10, 5.4 + 0.34 * len(logs)), layout="constrained")
    parts: Any = figure.subfigures(2, 1, height_ratios=[4.4, 1 + 0.34 * len(logs)])
    upper, lower = parts
    left, right = upper.subplots(1, 2, sharey=True)
    for (name, log), colour, ls in zip(logs.items(), COLOURS, LINE_STYLES, strict=False):
        step, seconds, loss = (np.asarray(values, float) for values in log)
        require_shape(step.shape, **{f"logs[{name!r}]": seconds})
        require_shape(step.shape, **{f"logs[{name!r}]": loss})
        curve = np.ma.masked_invalid(np.where(loss > 0, loss, np.nan))
        look: dict[str, Any] = {"color": colour, "lw": 1.6, "marker": "o" * (step.size == 1)}
        left.plot(step, curve, ls=ls, label=name, **look)
        right.plot(seconds, curve, ls=ls, **look)
    left.set(ylabel="loss (as each run was trained)", xlabel="training step")
    right.set(xlabel="training time (s)")
    for ax in (left, right):
        ax.set(xscale="log", yscale="log")
        ax.grid(axis="y", color=GRID, lw=0.8)
    upper.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    _draw_scores(lower.subplots(), {name: scores[name] for name in logs}, baselines)
    return figure


def _draw_scores(
    ax: Axes, scores: Mapping[str, float | None], baselines: Mapping[str, float]
) -> None:
    """Draw a dot for each run, the first on top, and a line for each baseline."""
    places = {name: len(scores) - 1 - i for i, name in enumerate(scores)}
    there = {
        name: max(float(score), FLOOR)
        for name, score in scores.items()
        if score is not None and np.isfinite(score)
    }
    levels = {name: max(float(value), FLOOR) for name, value in baselines.items()}
    drawn = [*there.values(), *levels.values()] or [1.0]
    ax.set(xscale="log", xlim=(0.5 * min(drawn), 2 * max(drawn)), ylim=(-0.6, len(scores) - 0.4))
    ax.set_yticks(list(places.values()), list(places))
    for (name, place), colour in zip(places.items(), COLOURS, strict=False):
        if name in there:
            ax.plot([ax.get_xlim()[0], there[name]], [place, place], color=GRID, lw=2, zorder=1)
            ax.plot(there[name], place, color=colour, marker="o", ms=9, ls="", zorder=3)
        else:
            text = ax.text(0.01, place, "no score", color=GREY, va="center")
            text.set_transform(ax.get_yaxis_transform())
    for level in levels.values():
        ax.axvline(level, color=SLATE, lw=1.2, ls=(0, (1, 1.5)), zorder=1)
    top = ax.get_ylim()[1]
    style.label_top(ax, [(f"{name} {y:.2g}", y, top, SLATE) for name, y in levels.items()], 560)
    ax.set_xlabel("1 $-$ correlation, mean over the held-out runs")
