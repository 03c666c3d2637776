"""Figure of discovered charges: how well each member keeps its best combinations."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE, STONE

ROLES = {"exact": INK, "emulator": BLUE, "null": GREY, "random": ORANGE, "fault": STONE}


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw the changes of all combinations of operators, by system and member.

    A filled dot is a static charge, an open one a combination that is not conserved; of several
    trainings and draws the median, with the range as a line.

    Args:
      found: The results of the study.
    """
    systems = found["systems"]
    names = list(next(iter(systems.values()))[0])
    figure = Figure(
        figsize=(2.1 * len(systems) + 2.5, 0.42 * len(names) + 1.6), layout="constrained"
    )
    panels = figure.subplots(1, len(systems), sharey=True, sharex=True, squeeze=False)[0]
    for ax, (system, draws) in zip(panels, systems.items(), strict=True):
        for row, name in enumerate(names):
            colour = ROLES[found["roles"].get(name, "random")]
            of_all = [each for members in draws for each in members[name] if each["drifts"]]
            if not of_all:
                continue
            n = min(len(each["drifts"]) for each in of_all)
            drifts = np.maximum([each["drifts"][:n] for each in of_all], 1e-7)
            n_static = int(np.median([each["n_static"] for each in of_all]))
            for i, (middle, low, high) in enumerate(
                zip(np.median(drifts, 0), drifts.min(0), drifts.max(0), strict=True)
            ):
                ax.plot([low, high], [row, row], color=colour, lw=1.5)
                face = colour if i < n_static else "white"
                ax.plot(middle, row, "o", mec=colour, mfc=face, ms=7, mew=1.4)
        ax.axvline(found["thresholds"]["largest"], color=INK, lw=0.8, ls=":")
        ax.set(title=system.replace("Poeschl", "Pöschl"), xscale="log")
        ax.grid(color=GRID)
        ax.set_axisbelow(True)
    panels[0].set_yticks(range(len(names)), names)
    panels[0].invert_yaxis()
    figure.supxlabel("change in time of each combination of operators (its spread = 1)")
    return figure
