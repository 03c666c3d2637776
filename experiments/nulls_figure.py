"""Figure of one symmetry of emulators, next to all null models."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from qdistill.insight.harness import EXACT
from qdistill.plots import style
from qdistill.plots.style import COLOURS, GRID, SLATE

# Its image is no exact one, so that propagators differ in it.
SYMMETRY = "translation, fractions"


@style.styled
def plot(numbers: Mapping[str, Any]) -> Figure:
    """Draw rho of emulators and of null models with 95% intervals, a panel for each kind of case.

    Args:
      numbers: Those of an audit of symmetries.
    """
    findings, roles = numbers["findings"], numbers["roles"]
    names = sorted((name for name in findings if name != EXACT), key=lambda n: roles[n] == "null")
    kinds = list(findings[names[0]])
    figure = Figure(figsize=(3.3 * len(kinds) + 1, 0.3 * len(names) + 1.7), layout="constrained")
    for ax, kind in zip(
        figure.subplots(1, len(kinds), sharex=True, sharey=True), kinds, strict=True
    ):
        matched = set()
        for i, name in enumerate(names):
            row = findings[name][kind][SYMMETRY]
            # It is not known where rounding alone violates the symmetry.
            low, rho, high = np.array([row["rho"][k] for k in ("low", "median", "high")], float)
            is_null = roles[name] == "null"
            matched |= set((row.get("evidence") or {}).get("nulls", ()))
            colour = SLATE if is_null else COLOURS[i % len(COLOURS)]
            face = colour if not is_null or name in matched else "white"
            ends = [[rho - low], [high - rho]]
            ax.errorbar(rho, i, xerr=ends, fmt="o", color=colour, mfc=face, ms=6, lw=1.3)
            if not is_null:
                ax.axvline(rho, color=colour, lw=1, ls=":", zorder=0)
        ax.set(title=kind.replace(", ", ",\n"), xlabel="rho")
        ax.grid(axis="x", color=GRID)
        ax.set_axisbelow(True)
    figure.axes[0].set_yticks(range(len(names)), names)
    figure.axes[0].invert_yaxis()
    figure.axes[0].set_xlim(left=0)
    figure.axes[0].plot([], [], "o", color=SLATE, label="null model of matched error")
    figure.axes[0].plot([], [], "o", color=SLATE, mfc="white", label="of another error")
    figure.legend(loc="outside upper center", ncols=2)
    return figure
