"""Figures of the ladder: scores at equal training time, and learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.ladder.ladder import RUNGS, Climbed
from qdistill import plots
from qdistill._checks import refuse, require_between, require_shape
from qdistill.forecast import paper
from qdistill.plots import style
from qdistill.plots.students import LEFT_OUT, MOST
from qdistill.plots.style import (
    BLUE,
    COLOURS,
    FLOOR,
    GREY,
    GRID,
    INK,
    LINE_STYLES,
    SLATE,
    Times,
    Values,
)


@style.styled
def plot_ladder(
    rungs: Mapping[str, tuple[Sequence[str], Float[Values, " _"]]], baselines: Mapping[str, float]
) -> Figure:
    """Draw the ladder of students: their properties, and the scores of their seeds on a log axis.

    Each student has a row, the first at the bottom, with a filled circle for each property, a dot
    for each seed, and a thick tick at the median. Values below 1e-7 are drawn at 1e-7.

    Args:
      rungs: Properties, and infidelities of the seeds, by name of the student.
      baselines: Infidelities to compare with, drawn as vertical lines, by their label.
    """
    if not rungs:
        refuse("rungs", "at least one student", rungs)
    require_between(0, 1, baselines=list(baselines.values()))
    seeds = {name: style.floored(values) for name, (_, values) in rungs.items()}
    for name, values in seeds.items():
        if values.ndim != 1 or not values.size:
            refuse(f"rungs[{name!r}]", "of shape (n_seed,)", f"of shape {values.shape}")
    columns = list(dict.fromkeys(word for has, _ in rungs.values() for word in has))
    levels = {name: max(float(value), FLOOR) for name, value in baselines.items()}
    figure = Figure(figsize=(10, 2 + 0.42 * len(rungs)), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[0.065 * len(columns) + 1e-3, 1])
    _draw_properties(left, [has for has, _ in rungs.values()], columns)
    left.set_yticks(range(len(rungs)), list(rungs))
    left.set_ylim(-0.6, len(rungs) - 0.4)
    drawn = np.array([*(x for v in seeds.values() for x in np.ma.compressed(v)), *levels.values()])
    low, high = (drawn.min(), drawn.max()) if drawn.size else (FLOOR, 1.0)
    right.set(xscale="log", xlim=(0.5 * low, 2 * high))
    words = "a dot for each seed, a tick at their median"
    right.set_xlabel(f"infidelity, mean over 25 runs of 400 frames\n({words})")
    right.grid(axis="both", color=GRID, lw=0.8)
    right.tick_params(axis="y", length=0)
    right.set_axisbelow(True)
    for row, values in enumerate(seeds.values()):
        there = np.ma.compressed(values)
        right.scatter(
            there, np.full(there.size, row), s=55, c=BLUE, alpha=0.85, ec="white", lw=0.6, zorder=3
        )
        middle = np.sqrt(low * high)
        if there.size:
            middle = np.median(there)
            (tick,) = right.plot(middle, row, color=INK, marker="|", ms=19, mew=3.5, ls="")
            tick.set_zorder(4 if there.size > 1 else 2)
        if there.size < values.size:
            # Text is placed away from the dots.
            across, ha = (0.99, "right") if middle < np.sqrt(low * high) else (0.01, "left")
            words = f"{values.size - there.size} of {values.size} not finite"
            text = right.text(across, row, words, ha=ha, va="center", bbox=style.ON_WHITE)
            text.set(transform=right.get_yaxis_transform(), fontsize=11)
    for level in levels.values():
        right.axvline(level, color=SLATE, lw=1.2, ls=(0, (1, 1.5)), zorder=1)
    top = right.get_ylim()[1]
    style.label_top(right, [(f"{name} {y:.2g}", y, top, SLATE) for name, y in levels.items()], 400)
    return figure


@style.styled
def plot_learning(
    seconds: Mapping[str, Float[Values, " _"]],
    errors: Mapping[str, Float[Values, " _"]],
    baselines: Mapping[str, float],
) -> Figure:
    """Draw infidelity on the paper's test against seconds of training.

    A dot marks the first record of a student below the first baseline. Values below 1e-7, the
    rounding of float32, are drawn at 1e-7.

    Args:
      seconds: Seconds of training at each record, by name of the student; at most twelve.
      errors: Infidelities at these records, for the same names.
      baselines: Infidelities to compare with, drawn as horizontal lines, by their label.
    """
    if not 1 <= len(errors) <= MOST:
        refuse("errors", f"of 1 to {MOST} students", f"of {len(errors)}")
    if set(seconds) != set(errors):
        refuse("seconds", f"of the names {sorted(errors)}", sorted(seconds))
    require_between(0, 1, baselines=list(baselines.values()))
    times = {name: style.axis(f"seconds[{name!r}]", seconds[name]) for name in errors}
    for name, values in errors.items():
        require_between(0, np.inf, **{f"seconds[{name!r}]": times[name]})
        require_shape(times[name].shape, **{f"errors[{name!r}]": values})
    curves = {name: style.floored(values) for name, values in errors.items()}
    levels = {name: max(float(value), FLOOR) for name, value in baselines.items()}
    first = next(iter(levels), "")
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    ax = figure.subplots()
    passes = []
    for (name, curve), colour, ls in zip(curves.items(), COLOURS, LINE_STYLES, strict=False):
        x, marker = times[name], "o" if curve.size == 1 else None
        ax.plot(x, curve, color=colour, ls=ls, lw=2, marker=marker, label=name)
        below = np.flatnonzero((curve < levels.get(first, 0)).filled(False))
        if below.size:
            when, level = x[below[0]], curve[below[0]]
            after = f"{when:,.0f}" if when >= 10 else f"{when:.2g}"
            passes.append((f"passes {first} after {after} s", when, level, colour))
    for level in levels.values():
        ax.axhline(level, color=SLATE, lw=1.2, ls=(0, (1, 1.5)), zorder=1)
    longest = max(x[-1] for x in times.values())
    left_out = any(np.ma.is_masked(curve) for curve in curves.values())
    ax.set_xlabel("training time (s)" + left_out * f"; {LEFT_OUT}")
    ax.set(ylabel="infidelity on the benchmark", xlim=(0, 1.02 * longest or 1))
    style.log_limits(ax, *curves.values(), np.array(list(levels.values())))
    ax.grid(axis="y", color=GRID, lw=0.8)
    end = ax.get_xlim()[1]
    style.label_right(ax, [(f"{name} {y:.2g}", end, y, SLATE) for name, y in levels.items()])
    for _, x, y, colour in passes:
        ax.plot(x, y, color=colour, marker="o", ms=9, mec="white", ls="", zorder=4)
    style.label_top(ax, passes, 500)
    figure.legend(*ax.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


def _draw_properties(ax: Axes, rows: Sequence[Sequence[str]], columns: Sequence[str]) -> None:
    """Draw a matrix of circles, filled if the student of a row has the property of a column."""
    for i, has in enumerate(rows):
        for j, column in enumerate(columns):
            face, edge = (INK, INK) if column in has else ("white", GREY)
            ax.scatter(j, i, s=85, c=face, ec=edge, lw=1.2)
    ax.set_xlim(-0.6, max(len(columns), 1) - 0.4)
    ax.set_xticks(range(len(columns)), columns, rotation=45, ha="left", rotation_mode="anchor")
    ax.tick_params(length=0, top=False, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)


def draw(
    t: Times, climbed: Mapping[str, Sequence[Climbed]], solvers: Mapping[str, Mapping[str, Any]]
) -> dict[str, Figure]:
    """Draw the ladder, and the error of every student against time.

    Args:
      t: Times of the frames, in a.u.
      climbed: Scores of every seed, by name of the student.
      solvers: Scores of the baselines, by name.
    """
    known = {"paper's full GRU": 1 - paper.published_means("full-gru")["correlation"]}
    known |= {name: row["mean_infidelity"] for name, row in solvers.items()}
    rungs = {
        name: (RUNGS[name].properties, np.array([s.scores["mean_infidelity"] for s in seeds]))
        for name, seeds in climbed.items()
    }
    errors = {name: np.stack([each.nrmse for each in seeds]) for name, seeds in climbed.items()}
    return {
        "ladder": plot_ladder(rungs, known),
        "errors": plots.plot_errors(t, errors, "relative L2 error, mean of 25 cases"),
    }
