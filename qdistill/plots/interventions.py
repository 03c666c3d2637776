"""Figures of the effects of interventions, and maps of derivatives."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, LogNorm
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_finite, require_one_of, require_record
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.interventions import InterventionReport
from qdistill.plots import style
from qdistill.plots.reports import draw
from qdistill.plots.style import BLUE, GREY, GRID, INK, MISSING, ORANGE, STONE

SCALE = LinearSegmentedColormap.from_list(
    "effect", ["#fbfaf7", "#fdd9ac", "#f79a4d", "#d1521d", "#6b1f07"]
).with_extremes(bad="#efeee9")
STRENGTH = LinearSegmentedColormap.from_list(
    "strength", ["#fbfaf7", "#cfe0f0", "#7fb0dc", "#1f5fa8", "#08224f"]
).with_extremes(bad=MISSING)
# Markers of controls, then of emulators and null models; filled for families in the lessons.
MARKS = (("D", GREY), ("v", INK), ("o", BLUE), ("s", ORANGE), ("^", "#009e73"), ("P", STONE))
# Errors below this are rounding.
LOWEST = 3e-6


@explained
@style.styled
def plot_interventions(interventions: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw the exact effect of each intervention, and its relative error by each member.

    Left: medians of the exact effect on psi and of the moved probability, by potential. Right: the
    relative error of the effect with its 95% interval, filled for families of potentials in the
    lessons, open for others.

    Args:
      interventions: From an `InterventionReport` of at most six members, controls included;
        interventions without an effect are left out.
    """
    middle = {"median": float}
    interval = {"effect_error": dict.fromkeys(("median", "low", "high"), float)}
    exact = {str: {"effect": middle, "moved": middle}}
    form = {str: {"exact": exact, "findings": {str: {str: object}}}}
    require_record(form, interventions=interventions)
    for name, each in interventions.items():
        place = f"interventions[{name!r}]"
        require_record({"all": dict}, **{f"{place}['exact']": each["exact"]})
        for who, groups in each["findings"].items():
            drawn = {group: interval for group in ("taught", "other") if group in groups}
            require_record(drawn, **{f"{place}['findings'][{who!r}]": groups})
    shown = {
        name: each
        for name, each in interventions.items()
        if each["exact"]["all"]["effect"]["median"] > 0
    }
    if not shown:
        refuse("interventions", "at least one with an effect", list(interventions))
    subjects = list(next(iter(shown.values()))["findings"])
    if not 1 <= len(subjects) <= len(MARKS):
        refuse("interventions", f"of 1 to {len(MARKS)} members", len(subjects))
    for name, each in shown.items():
        alike = dict.fromkeys(subjects, dict)
        require_record(alike, **{f"interventions[{name!r}]['findings']": each["findings"]})
    families = list(dict.fromkeys(f for each in shown.values() for f in each["exact"]))[1:]
    families.sort(key=lambda family: family != "free")
    figure = Figure(figsize=(11, 2.9 + 0.45 * len(shown)), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.5, 1))
    _draw_effects(left, shown, families)
    _draw_errors(right, shown, subjects)
    return figure


def _draw_effects(ax: Axes, shown: Mapping[str, Any], families: list[str]) -> None:
    columns = [*((family, "effect") for family in families), ("all", "moved")]
    empty = {"effect": {"median": np.nan}, "moved": {"median": np.nan}}
    values = np.array(
        [
            [each["exact"].get(family, empty)[field]["median"] for family, field in columns]
            for each in shown.values()
        ],
        float,
    )
    ax.imshow(np.ma.masked_invalid(values), cmap=SCALE, clim=(0, 1.6), aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value):
            text = ax.text(column, row, f"{value:.2f}", ha="center", va="center", fontsize=9)
            text.set_color("white" if value > 0.9 else INK)
    names = [*families, "moved"]
    ax.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.set_yticks(range(len(shown)), list(shown))
    ax.set_xticks(np.arange(len(names) - 1) + 0.5, minor=True)
    ax.set_yticks(np.arange(len(shown) - 1) + 0.5, minor=True)
    ax.grid(which="minor", color="white", lw=2)
    ax.axvline(len(names) - 1.5, color=INK, lw=1)
    ax.tick_params(which="both", length=0)
    ax.spines[:].set_visible(False)
    ax.set_title(
        "exact effect |\u03c8' \u2212 \u03c8| / |\u03c8| by potential; probability moved", pad=8
    )


def _draw_errors(ax: Axes, shown: Mapping[str, Any], subjects: list[str]) -> None:
    rows = np.arange(len(shown))
    step, largest = 0.8 / len(subjects), 1.0
    for i, (who, (marker, colour)) in enumerate(zip(subjects, MARKS, strict=False)):
        for group, filling, shift in (("taught", colour, -0.2), ("other", "white", 0.2)):
            at = rows + step * (i - (len(subjects) - 1) / 2 + shift)
            mine = [each["findings"][who].get(group) for each in shown.values()]
            middle, low, high = (
                style.floored([m["effect_error"][end] if m else np.nan for m in mine])
                for end in ("median", "low", "high")
            )
            middle, low, high = (np.ma.maximum(end, LOWEST) for end in (middle, low, high))
            largest = max([largest, *np.ma.compressed(high)])
            ax.hlines(at, low, high, color=colour, lw=1.5)
            label = who if group == "taught" else None
            ax.plot(middle, at, marker, color=colour, mfc=filling, ms=5.5, label=label)
    ax.axvline(1, color=INK, lw=1, ls="--")
    ax.set(xscale="log", ylim=(len(rows) - 0.5, -0.5), xlim=(LOWEST / 2, 10 * largest))
    ax.set_yticks(rows, [""] * len(rows))
    ax.set_yticks(rows[:-1] + 0.5, minor=True)
    ax.grid(which="minor", axis="y", color=GRID)
    ax.grid(axis="x", color=GRID)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", which="both", length=0)
    words = "relative error of the effect (1: ignored)"
    ax.set_xlabel(f"{words}\nfilled: families in lessons, open: others")
    columns: dict[str, Any] = {"ncols": 2, "columnspacing": 0.9, "handletextpad": 0.1}
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), fontsize=11, **columns)


@explained
@style.styled
def plot_sensitivity(sensitivity: Mapping[str, Any], kind: str = "points") -> Figure:
    """Draw derivatives of the next frame by frame, channel and offset, a column for each member.

    Args:
      sensitivity: From an `InterventionReport` of at most six members.
      kind: ``"points"`` for changes at points, ``"waves"`` for band-limited changes.
    """
    require_one_of(("points", "waves"), kind=kind)
    form = {"offset_points": [float], kind: {str: {"frames": [str], "rms": {str: [[float]]}}}}
    require_record(form, sensitivity=sensitivity)
    subjects = sensitivity[kind]
    if not 1 <= len(subjects) <= len(MARKS):
        refuse("sensitivity", f"of 1 to {len(MARKS)} members", len(subjects))
    offset = np.asarray(sensitivity["offset_points"], float)
    require_finite(**{"sensitivity['offset_points']": offset})
    if not offset.size:
        refuse("sensitivity['offset_points']", "not empty", sensitivity["offset_points"])
    channels = list(next(iter(subjects.values()))["rms"])
    drawn = {who: {c: np.asarray(v) for c, v in s["rms"].items()} for who, s in subjects.items()}
    largest = max(style.limit(v) for maps in drawn.values() for v in maps.values())
    scale = LogNorm(1e-3 * largest, largest, clip=True)
    n_row = max(len(maps[channels[0]]) for maps in drawn.values())
    figure = Figure(figsize=(11, 1.6 + 0.62 * n_row), layout="constrained")
    axes = figure.subplots(
        len(channels),
        len(subjects),
        squeeze=False,
        height_ratios=[n_row if c != "v" else 1.4 for c in channels],
    )
    image: Any = None
    for column, (who, subject) in zip(axes.T, subjects.items(), strict=True):
        for ax, channel in zip(column, channels, strict=True):
            values = drawn[who][channel]
            # A single frame is its own sum and has no past.
            is_single = len(subject["frames"]) == 3 or channel == "v"
            values = values[:1] if is_single else values
            extent = (offset[0] - 0.5, offset[-1] + 0.5, len(values) - 0.5, -0.5)
            image = ax.imshow(values, cmap=STRENGTH, norm=scale, aspect="auto", extent=extent)
            names = ["V"] if channel == "v" else subject["frames"]
            ax.set_yticks(range(len(values)), names[: len(values)])
            ax.tick_params(labelbottom=ax is column[-1])
            ax.spines[:].set_visible(True)
        column[0].set_title(who)
        is_narrow = len(subjects) > 3
        column[-1].set_xlabel("offset, points" if is_narrow else "offset of the input, points")
    for ax, channel in zip(axes[:, 0], channels, strict=True):
        if channel != "v":
            ax.set_ylabel(channel.replace("psi", "\u03c8"))
    figure.colorbar(image, ax=axes, label="sensitivity, in units of rms", **style.BAR)
    return figure


@explained
@draw.register(InterventionReport)
def draw_interventions(report: InterventionReport) -> dict[str, Figure]:
    """Draw the effects of interventions and the derivatives; null models are labelled."""
    numbers, roles = report.numbers, report.numbers["roles"]
    nulls = {who: harness.in_words(role, who) for who, role in roles.items() if role == "null"}

    def rename(by_member: Mapping[str, Any]) -> dict[str, Any]:
        return {nulls.get(who, who): each for who, each in by_member.items()}

    interventions = {
        name: {**each, "findings": rename(each["findings"])}
        for name, each in numbers["interventions"].items()
    }
    return {
        "interventions": plot_interventions(interventions),
        "sensitivity": plot_sensitivity(numbers["sensitivity"]),
    }
