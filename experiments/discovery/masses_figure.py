"""Figure of masses and strengths read from forecasts, one point for each training."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qdistill.plots import style
from qdistill.plots.style import COLOURS, GREY, GRID, INK

WORDS = {"masses": "mass,\n{}", "strengths": "strength\nof {}"}


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw masses over the true ones, and strengths of V, of every member.

    Args:
      found: The results of the study, in a plane or across channels.
    """
    members = {who: [row for row in rows if "masses" in row] for who, rows in found["laws"].items()}
    members = {who: rows for who, rows in members.items() if rows}
    figure = Figure(figsize=(10, 4.8), layout="constrained")
    ax = figure.subplots()
    first = next(iter(members.values()))[0]
    names = [(kind, name) for kind in WORDS for name in first[kind]]
    width, emulators = 0.8 / len(members), 0
    for i, (who, rows) in enumerate(members.items()):
        is_emulator = found["roles"].get(who) == "emulator"
        colour = COLOURS[emulators % len(COLOURS)] if is_emulator else GREY
        colour = INK if who == "exact solver" else colour
        emulators += is_emulator
        for j, (kind, name) in enumerate(names):
            values = [row[kind][name] for row in rows]
            at = j - 0.4 + width * (i + 0.5) + 0.15 * width * np.linspace(-1, 1, len(values))
            label = f"{who} ({len(rows)} trainings)" if len(rows) > 1 else who
            marker, filled = ("o", colour) if is_emulator else ("s", "white")
            ax.plot(
                at, values, ls="", marker=marker, ms=7, color=colour, mfc=filled, alpha=0.8,
                label=None if j else label,
            )  # fmt: skip
    ax.axhline(1, color=INK, lw=1)
    ax.set_xticks(range(len(names)), [WORDS[kind].format(name) for kind, name in names])
    ax.set_ylabel("read from forecasts / true")
    ax.grid(axis="y", color=GRID, lw=0.8)
    figure.legend(loc="outside upper center", ncols=2)
    return figure
