"""Figure of functions that are on no list, as read from blind files, next to the hidden ones."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from experiments.discovery import hidden
from qdistill.plots import style
from qdistill.plots.style import BLUE, GRID, INK

# Of each kind the function that stands for it, its argument, and their labels.
SHOWN = {
    "potential": ("W(x)", "x (bohr)", "hidden potential W (hartree)"),
    hidden.MIRROR: ("W(x)", "x (bohr)", "W with a hidden mirror (hartree)"),
    "local absorber": ("-i w(x)", "x (bohr)", "losses in one place w (hartree)"),
    "drive": ("F(t) x", "t (a.u.)", "drive F (hartree / bohr)"),
    "shape": ("f(V)", "V (hartree)", "another function of V, f (hartree)"),
    "quintic": ("g(|psi|^2)", "|ψ|² (1 / bohr)", "nonlinear term g (hartree)"),
}


@style.styled
def plot(files: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Draw, for each kind, the function of the first file in which it was found, or None.

    Args:
      files: The rows of the study.
    """
    chosen = {
        kind: next(
            (row for row in files if kind in row["found"] and kind in row["functions"]), None
        )
        for kind in SHOWN
    }
    rows = {kind: row for kind, row in chosen.items() if row is not None}
    if not rows:
        return None
    figure = Figure(figsize=(12, 3.2 * -(-len(rows) // 3)), layout="constrained")
    panels = figure.subplots(-(-len(rows) // 3), min(3, len(rows)), squeeze=False).ravel()
    for ax, (kind, row) in zip(panels, rows.items(), strict=False):
        _panel(ax, kind, row)
    for ax in panels[len(rows) :]:
        ax.remove()
    panels[0].legend(loc="best")
    return figure


def _panel(ax: Axes, kind: str, row: Mapping[str, Any]) -> None:
    name, argument, label = SHOWN[kind]
    found = {key: np.array(each) for key, each in row["law"]["functions"][name].items()}
    at = found["at"]
    truth = hidden.Hidden(row["hidden"], row["noise"])
    fine = np.linspace(at[0], at[-1], 400)
    true = hidden.truths(row["seed"], truth, fine, fine, fine, fine)[kind]
    ax.plot(fine, true, color=INK, lw=1.2, label="hidden")
    ax.fill_between(at, found["low"], found["high"], color=BLUE, alpha=0.25, lw=0)
    ax.plot(at, found["values"], "o", color=BLUE, ms=3.5, label="found, 95%")
    if kind == hidden.MIRROR:
        for place in row["mirrors"]["law"]:
            ax.axvline(place, color=BLUE, ls="--", lw=1)
            ax.text(place, 0.97, f" mirror at {place:.3f}", transform=ax.get_xaxis_transform(),
                    va="top", color=BLUE, fontsize=9)  # fmt: skip
    ax.set(xlabel=argument, title=label)
    ax.grid(color=GRID)
    ax.set_axisbelow(True)
