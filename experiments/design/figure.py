"""Figures of designs: what was asked, what plane waves and packets do, what was forecast."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qdistill._checks import refuse
from qdistill.insight.design import Design
from qdistill.plots import style
from qdistill.plots.style import BLUE, COLOURS, GREY, GRID, INK, ORANGE


@style.styled
def plot_designs(designs: Mapping[str, Design]) -> Figure:
    """Draw transmission against energy, with what was asked; below it the potential.

    Args:
      designs: By name, four at most; a column for each.
    """
    if not 1 <= len(designs) <= 4:
        refuse("designs", "of 1 to 4 designs", f"of {len(designs)}")
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    above, below = figure.subplots(2, len(designs), squeeze=False, height_ratios=[5, 3])
    for name, top, low in zip(designs, above, below, strict=True):
        found = designs[name]
        top.plot(found.energy, found.target, color=GREY, lw=6, alpha=0.45, label="asked")
        top.plot(found.energy, found.transmission, color=BLUE, lw=1.8, label="plane waves")
        packets = found.verdict
        top.plot(
            packets.energy, packets.expected, "_", color=INK, ms=13, mew=1.5,
            label="averaged over a packet",
        )  # fmt: skip
        top.plot(
            packets.energy,
            packets.transmitted,
            "o",
            color=ORANGE,
            ms=5,
            label="packets, exact solver",
        )
        top.set(title=name, ylim=(-0.04, 1.06), xlabel="energy (hartree)")
        top.grid(axis="y", color=GRID, lw=0.8)
        style.draw_landscape(low, found.x, found.v)
        low.set_xlabel("x (bohr)")
    above[0].set_ylabel("transmission")
    below[0].set_ylabel("V (hartree)")
    handles = above[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4)
    return figure


@style.styled
def plot_through(tasks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the shares that each designer forecasts to pass, and those by the exact solver.

    Args:
      tasks: By name, as `study.through` returns them.
    """
    if not tasks:
        refuse("tasks", "at least one task", tasks)
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = figure.subplots(1, len(tasks), sharey=True, squeeze=False)[0]
    for ax, (name, task) in zip(panels, tasks.items(), strict=True):
        energy, designers = np.asarray(task["energy_hartree"], float), task["designers"]
        step = np.diff(energy).min() if energy.size > 1 else 1.0
        for e, share in zip(energy, task["asked"], strict=True):
            ax.plot(
                e + np.array([-0.42, 0.42]) * step, [share, share], color=GREY, lw=6, alpha=0.45
            )
        for i, (who, row) in enumerate(designers.items()):
            at = energy + step * 0.64 * ((i + 0.5) / len(designers) - 0.5)
            colour = COLOURS[i % len(COLOURS)]
            ax.vlines(at, row["believed"], row["exact"], color=colour, lw=1.5)
            ax.plot(at, row["believed"], "o", color=colour, mfc="white", ms=9, mew=1.6)
            ax.plot(at, row["exact"], "o", color=colour, ms=5, label=who)
        ax.set(title=name, xlabel="energy of the packet (hartree)", xticks=energy)
        ax.grid(axis="y", color=GRID, lw=0.8)
    panels[0].set_ylabel("share that passes")
    panels[0].plot([], [], color=GREY, lw=6, alpha=0.45, label="asked")
    panels[0].plot([], [], "o", color=INK, mfc="white", ms=9, mew=1.6, label="believed")
    panels[0].plot([], [], "o", color=INK, ms=5, label="by the exact solver")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
