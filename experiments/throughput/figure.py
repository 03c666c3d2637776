"""Figures of the speed of solvers, and of the scaling of their cost."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_positive
from qdistill.plots import style
from qdistill.plots.style import BLUE, COLOURS, GREY, GRID, INK, ORANGE

# Packet-frames per second, relative error, whether the solver is of this package.
Row = tuple[float, float, bool]


@style.styled
def plot_throughput(physics: Mapping[str, Mapping[str, Row]]) -> Figure:
    """Draw packet-frames per second of every solver with its error; a panel for each dispersion.

    Args:
      physics: For each dispersion and solver: speed, error, and whether it is of this package.
    """
    if not physics or not all(physics.values()):
        refuse("physics", "solvers in every panel", physics)
    counts = [len(rows) for rows in physics.values()]
    figure = Figure(figsize=(10, 1.6 + 0.31 * sum(counts)), layout="constrained")
    panels = figure.subplots(len(counts), 1, sharex=True, height_ratios=counts, squeeze=False)
    for ax, (name, rows) in zip(panels[:, 0], physics.items(), strict=True):
        require_positive(**{f"speed of {each}": row[0] for each, row in rows.items()})
        order = sorted(rows.items(), key=lambda item: -item[1][0])
        for i, (_, (speed, error, is_ours)) in enumerate(order):
            colour = BLUE if is_ours else ORANGE
            ax.plot([speed], [i], "o" if is_ours else "s", color=colour, ms=8)
            words = f"{error:.0e}" if np.isfinite(error) else "diverges"
            ax.annotate(
                words, (speed, i), (11, 0), textcoords="offset points", va="center", fontsize=11
            )
        ax.set_yticks(range(len(order)), [each for each, _ in order])
        ax.set(xscale="log", ylim=(len(order) - 0.5, -0.6))
        ax.set_title(f"{name}: speed, and relative error next to it", loc="left")
        ax.grid(axis="x", color=GRID)
        ax.set_axisbelow(True)
        ax.tick_params(axis="y", length=0)
    low, high = panels[0, 0].get_xlim()
    panels[0, 0].set_xlim(low, 2.5 * high)
    ax.set_xlabel("packet-frames per second (circles: this package; squares: others)")
    return figure


@style.styled
def plot_scaling(
    sweeps: Mapping[str, Mapping[str, tuple[Sequence[float], Sequence[float]]]],
) -> Figure:
    """Draw seconds against sizes, a panel for each kind of size, a line for each solver; log axes.

    A grey line of slope one passes through the first solver's last point.

    Args:
      sweeps: For each kind of size, for each solver the sizes and the seconds.
    """
    if not sweeps or not all(sweeps.values()):
        refuse("sweeps", "a solver in every panel", sweeps)
    figure = Figure(figsize=(10, 3.9), layout="constrained")
    panels = figure.subplots(1, len(sweeps), sharey=True, squeeze=False)[0]
    for ax, (what, lines) in zip(panels, sweeps.items(), strict=True):
        for i, (name, (sizes, seconds)) in enumerate(lines.items()):
            require_positive(**{f"seconds of {name}": seconds})
            ax.plot(sizes, seconds, "os^D"[i % 4] + "-", color=COLOURS[i], label=name)
            if i == 0:
                line = np.asarray(sizes, float) * seconds[-1] / sizes[-1]
                ax.plot(sizes, line, color=GREY, lw=1, ls=":", label="in proportion", zorder=0)
                ticks: Any = list(sizes)
        ax.set(xscale="log", yscale="log", xlabel=what)
        ax.set_xticks(ticks, [f"{size:g}" for size in ticks], color=INK)
        ax.minorticks_off()
        ax.grid(color=GRID)
    panels[0].set_ylabel("seconds")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=3, fontsize=11)
    return figure


def draw(found: Mapping[str, Any]) -> dict[str, Figure]:
    """Draw the figures of a study: speeds and errors, and seconds against sizes."""
    keys = ("packet_frames_per_second", "rms_relative_error", "is_ours")
    rows: Any = {
        physics: {name: tuple(row[key] for key in keys) for name, row in each.items()}
        for physics, each in found["solvers"].items()
    }
    sweeps = {
        what.removeprefix("n_").replace("x", "points"): {
            f"{physics}: {each['teacher']}": (each[what]["sizes"], each[what]["seconds"])
            for physics, each in found["scaling"].items()
        }
        for what in ("n_packets", "n_x", "n_frames")
    }
    return {"throughput": plot_throughput(rows), "scaling": plot_scaling(sweeps)}
