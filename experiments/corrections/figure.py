"""Figure of the learned corrections next to theory and to the null model."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE, SLATE

ENSEMBLE = "medium"
# Markers by the duration of a frame; colours by the start of the training.
MARKERS = {0.05: "^", 0.1: "o", 0.2: "s"}
COLOURS = {"informed": BLUE, "nothing": ORANGE}
LABELS = {"informed": "from the split step", "nothing": "from scratch"}
# Colours and markers of the ways of a training.
WAYS = ((BLUE, "o"), (style.COLOURS[2], "^"), (ORANGE, "s"), (GREY, "D"), (style.COLOURS[3], "v"))
# Points outside are drawn at the edge, as open markers.
PLANE, RANGE = ((-3.6, 1.4), (-4.2, 2.6)), (-1.6, 3.2)


@style.styled
def plot(found: Mapping[str, Any]) -> Figure:
    """Draw the double commutators of every splitting, and the shifts of energies by pairs.

    Args:
      found: The results of the study.
    """
    figure = Figure(figsize=(11, 5.6), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    rows = [*_packaged(found), *found["trainings"].values()]
    _draw_plane(left, rows)
    _draw_energies(right, rows)
    for start, colour in COLOURS.items():
        left.plot([], [], "o", color=colour, label=LABELS[start])
    for dt, marker in MARKERS.items():
        left.plot([], [], marker, color=GREY, label=f"dt = {dt:g}")
    left.plot([], [], "o", color=GREY, mec=INK, mew=1.5, label="packaged")
    left.plot([], [], "o", color=GREY, mfc="white", label="outside the panel")
    figure.legend(*left.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@style.styled
def plot_ways(ways: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the double commutators of trainings that differ in their steps and seeds.

    Args:
      ways: The trainings of each way, by name; five ways at most.
    """
    figure = Figure(figsize=(7.6, 6.6), layout="constrained")
    ax = figure.subplots()
    _draw_plane(ax, [], named_at=-1.45)
    ax.set_title("")
    for (name, rows), (colour, marker) in zip(ways.items(), WAYS[: len(ways)], strict=True):
        for row in rows.values():
            of = row["ensembles"][ENSEMBLE]
            (x, y), is_outside = _within((of["alpha"], of["beta"]), PLANE)
            face = "white" if is_outside else colour
            ax.plot(x, y, marker, color=colour, ms=7, mfc=face, zorder=4, clip_on=False)
        ax.plot([], [], marker, color=colour, label=name)
    ax.plot([], [], "o", color=GREY, mfc="white", label="outside the panel")
    figure.legend(loc="outside upper center", ncols=2)
    return figure


def _packaged(found: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [
        {**row, "name": name, "start": "informed" if name.startswith("informed") else "nothing"}
        for name, row in found["packaged"].items()
    ]


def _draw_plane(ax: Axes, rows: list[dict[str, Any]], named_at: float = -3.5) -> None:
    """The coefficients alpha and beta, with the line on which energies are of fourth order."""
    low, high = PLANE[0]
    ax.plot([low, high], [low, high], color=GREY, lw=1.2, zorder=0)
    words: dict[str, Any] = {"rotation": 45, "rotation_mode": "anchor", "fontsize": 10}
    ax.text(
        named_at,
        named_at + 0.1,
        "energies of fourth order",
        color=SLATE,
        transform_rotates_text=True,
        **words,
    )
    for name, place, shift, align in (
        ("Strang", (-2, -1), (-8, 6), "right"),
        ("Takahashi-Imada", (-2, -2), (8, -12), "left"),
        ("fourth order", (0, 0), (-8, 10), "right"),
    ):
        ax.plot(*place, "P", color=INK, ms=11, zorder=3)
        ax.annotate(name, place, shift, textcoords="offset points", fontsize=11, ha=align)
    for row in rows:
        of = row["ensembles"][ENSEMBLE]
        _mark(ax, row, (of["alpha"], of["beta"]), PLANE)
    ax.set(xlim=PLANE[0], ylim=PLANE[1], xlabel="coefficient of [T, [T, V]], units of h² / 24")
    ax.set_ylabel("coefficient of [V, [T, V]]")
    ax.set_title("effective Hamiltonian of a frame")
    ax.grid(color=GRID)
    ax.set_axisbelow(True)


def _draw_energies(ax: Axes, rows: list[dict[str, Any]]) -> None:
    """The shifts of energies by the number of pairs."""
    for height, name in ((1, "Strang"), (0, "Takahashi-Imada, fourth order")):
        ax.axhline(height, color=INK, lw=1.2, ls="--", zorder=0)
        ax.annotate(
            name, (3.48, height), (0, 4), textcoords="offset points", ha="right", fontsize=10
        )
    spread: dict[tuple[int, str], int] = {}
    for row in rows:
        n, start = row["n_pairs"], row["start"]
        count = spread.setdefault((n, start), 0)
        spread[n, start] += 1
        side = -0.06 if start == "informed" else 0.06
        at = n + side * (1 + count % 5)
        _mark(ax, row, (at, row["energies"]["invariant"]), ((0.5, 3.5), RANGE))
    ax.set(xlim=(0.5, 3.5), ylim=RANGE, xticks=(1, 2, 3), xlabel="FFT pairs of a frame")
    ax.set_ylabel("shift of energies, units of h² / 24 ⟨(dV/dx)²⟩")
    ax.set_title("bound states of smooth wells")
    ax.grid(axis="y", color=GRID)
    ax.set_axisbelow(True)


def _mark(
    ax: Axes,
    row: Mapping[str, Any],
    place: tuple[float, float],
    limits: tuple[tuple[float, float], tuple[float, float]],
) -> None:
    """Draw one splitting, at the edge of the panel if it lies outside."""
    (x, y), is_outside = _within(place, limits)
    colour = COLOURS[row["start"]]
    edge = INK if "name" in row else colour
    ax.plot(
        x, y, MARKERS[row["dt"]], color=colour, ms=7, mfc="white" if is_outside else colour,
        mec=edge, mew=1.5 if "name" in row else 1.0, alpha=0.9, zorder=4, clip_on=False,
    )  # fmt: skip
    if "name" in row and is_outside:
        value = f"{row['name']} {place[1]:.1f}"
        ax.annotate(value, (x, y), (-8, -4), textcoords="offset points", fontsize=10, ha="right")


def _within(
    place: tuple[float, float], limits: tuple[tuple[float, float], tuple[float, float]]
) -> tuple[tuple[float, float], bool]:
    """The place, or the nearest one in a panel, and whether it is outside."""
    x, y = (
        float(np.clip(value, low + 0.02 * (high - low), high - 0.02 * (high - low)))
        for value, (low, high) in zip(place, limits, strict=True)
    )
    return (x, y), (x, y) != place
