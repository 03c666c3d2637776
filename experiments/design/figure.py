"""Figure of designs made through forecasts."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qdistill._checks import refuse
from qdistill.plots import style
from qdistill.plots.style import COLOURS, GREY, GRID, INK


@style.styled
def plot_through(tasks: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the transmitted shares by the forecasts of each designer, and by the exact solver.

    Args:
      tasks: Results of `study.through` by name of the task.
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
    panels[0].set_ylabel("transmitted share")
    panels[0].plot([], [], color=GREY, lw=6, alpha=0.45, label="target")
    panels[0].plot([], [], "o", color=INK, mfc="white", ms=9, mew=1.6, label="own forecast")
    panels[0].plot([], [], "o", color=INK, ms=5, label="by the exact solver")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure
