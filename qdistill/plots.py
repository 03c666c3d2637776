"""Figures of runs, forecasts, scores and training; the only module that imports matplotlib.

Every function takes plain arrays and returns a `matplotlib.figure.Figure` that no global state
holds. All share one look, made to be read at 800 pixels' width, in greyscale and by colour-blind
eyes. What is not finite in a forecast is left out, and the panel says so. A `ValueError` refuses
empty arrays, shapes that do not match, axes that do not rise (in a map, evenly), and a truth
that is not finite.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import matplotlib
import numpy as np
from jaxtyping import Complex, Float, Num
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from qdistill import metrics
from qdistill.arguments import refuse, require_between, require_finite, require_shape

Values: TypeAlias = np.ndarray | jax.Array
Along: TypeAlias = Float[Values, " n_x"]
Times: TypeAlias = Float[Values, " n_t"]
Map: TypeAlias = Float[Values, "n_t n_x"]
Runs: TypeAlias = Float[Values, "n_case n_t"]
Centres: TypeAlias = Float[Values, " n_window"]
Frames: TypeAlias = Complex[Values, "n_t n_x"]

# Blue is darker than orange, so the two are told apart in greyscale too.
INK, BLUE, ORANGE, GREY, SAND = "#1b1f24", "#1f5fa8", "#f08a24", "#8a9099", "#dcd6ca"
MISSING, STONE, GRID, SLATE = "#c9c9c9", "#7d7564", "#e4e6ea", "#5b626b"
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
FLOOR = 1e-7
BAR: dict[str, Any] = {"aspect": 30, "pad": 0.02}
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#08224f", "#1f5fa8", "#7fb0dc", "#fbfaf7", "#f6b26b", "#e0701b", "#8c3606"]
)
LESSON_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b3a8c")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)))

STYLE: dict[Any, Any] = {
    **dict.fromkeys(("font.size", "figure.labelsize"), 12),
    **dict.fromkeys(("axes.titlesize", "xtick.labelsize", "ytick.labelsize"), 11),
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), SLATE),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
}
styled = matplotlib.rc_context(STYLE)


@styled
def plot_spacetime(
    x: Along, t: Times, v: Along, truth: Frames, forecast: Frames, title: str = ""
) -> Figure:
    """Space-time maps of Re psi, truth beside forecast on one scale, and of |forecast - truth|.

    Time runs upward; under each map lies the landscape, on the same x axis. Colours saturate at
    the 99.5th percentile of |truth|, and for the error at twice that at most.

    Args:
      x, t, v: Positions in bohr, times of the frames in a.u., and landscape in hartree.
      truth, forecast: psi of teacher and student.
      title: Of the whole figure.
    """
    x, t, v = _axis("x", x, True), _axis("t", t, True), _landscape(x, v)
    truth, guess = _pair(truth, forecast, (t.size, x.size))
    error = np.abs(guess - truth)
    limit = _limit(np.abs(truth))
    panels = [
        ("truth, Re $\\psi$", truth.real, SIGNED, (-limit, limit)),
        ("forecast, Re $\\psi$", guess.real, SIGNED, (-limit, limit)),
        ("|forecast $-$ truth|", error, "OrRd", (0.0, min(_limit(error), 2 * limit))),
    ]
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    maps, strips = figure.subplots(2, 3, sharex=True, sharey="row", height_ratios=[5, 1])
    for (name, values, cmap, limits), ax, strip in zip(panels, maps, strips, strict=True):
        image = _draw_map(ax, x, t, values, cmap, limits)
        ax.set_title(name)
        _draw_landscape(strip, x, v)
        strip.set_xlabel("x (bohr)")
    missing = np.ma.getmaskarray(guess).any(axis=1)
    for ax in maps[1:] if missing.any() else []:
        _note(ax, 0.5, 0.88, f"not finite\nfrom t = {t[missing][0]:.3g} a.u.")
    maps[0].set_ylabel("t (a.u.)")
    strips[0].set_ylabel("V (hartree)")
    psi = "Re $\\psi$ (bohr$^{-1/2}$)"
    figure.colorbar(maps[0].images[0], ax=maps[:2], label=psi, extend="both", **BAR)
    figure.colorbar(image, ax=maps[2], label="error (bohr$^{-1/2}$)", extend="max", **BAR)
    figure.suptitle(title)
    return figure


@styled
def plot_snapshots(
    x: Along, v: Along, truth: Frames, forecast: Frames, t: Times, frames: Sequence[int]
) -> Figure:
    """Re psi of truth and forecast over the landscape; each row names frame, time, correlation.

    Args:
      x, v: Positions in bohr, and landscape in hartree.
      truth, forecast: psi of teacher and student.
      t: Times of the frames in a.u.
      frames: Which frames, counted from 1 to n_t; the paper shows (50, 200, 350).
    """
    x, t, v = _axis("x", x), _axis("t", t), _landscape(x, v)
    truth, guess = _pair(truth, forecast, (t.size, x.size))
    if len(frames) == 0:
        refuse("frames", "at least one frame", frames)
    require_between(1, t.size, frames=frames)
    rows = np.asarray(frames) - 1
    pair = (jnp.asarray(psi[rows]) for psi in (guess.filled(np.nan), truth))
    correlations = metrics.correlation(*pair)
    limit = max(1.45 * np.abs(truth[rows].real).max(), 1e-12)
    figure = Figure(figsize=(10, 1.1 + 1.9 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, row, correlation in zip(axes, rows, correlations, strict=True):
        behind = ax.twinx()
        _draw_landscape(behind, x, v)
        behind.set_ylabel("V (hartree)")
        behind.spines["right"].set_visible(True)
        ax.set_zorder(behind.get_zorder() + 1)
        ax.patch.set_visible(False)
        ax.plot(x, truth[row].real, color=BLUE, lw=1.6, label="truth")
        ax.plot(x, guess[row].real, color=ORANGE, lw=1.3, ls=(0, (3, 1.5)), label="forecast")
        _note(ax, 0.01, 0.9, f"frame {row + 1},  t = {t[row]:.3g} a.u.", ha="left")
        _note(ax, 0.99, 0.9, f"correlation {correlation:.5f}", ha="right")
        if np.ma.is_masked(guess[row]):
            _note(ax, 0.5, 0.12, "forecast not finite")
    axes[0].set(ylim=(-limit, limit), xmargin=0)
    axes[-1].set_xlabel("x (bohr)")
    figure.supylabel("Re $\\psi$ (bohr$^{-1/2}$)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def plot_correlations(
    t: Times, correlations: Runs, names: Sequence[str], baselines: Mapping[str, float] | None = None
) -> Figure:
    """Infidelity, 1 - correlation, of every case against time on a log axis; worst case named.

    Values below 1e-7, the rounding of float32, are drawn there.

    Args:
      t: Times of the frames in a.u.
      correlations: Of each case and frame, between 0 and 1.
      names: Of the cases; those that begin with "barrier" are single barriers.
      baselines: Correlations to compare with, drawn as horizontal lines, by their label.
    """
    t = _axis("t", t)
    if len(names) == 0:
        refuse("names", "at least one name", names)
    infidelity = 1 - np.asarray(correlations, float)
    require_shape((len(names), t.size), correlations=infidelity)
    infidelity = np.ma.masked_invalid(np.maximum(infidelity, FLOOR))
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    ax = figure.subplots()
    for curve, name in zip(infidelity, names, strict=True):
        ax.plot(t, curve, color=BLUE if name.startswith("barrier") else ORANGE, lw=0.9, alpha=0.8)
    mean, worst = infidelity.mean(axis=0), int(np.ma.argmax(infidelity.mean(axis=1)))
    ax.plot(t, infidelity[worst], color=INK, lw=1.4, ls=(0, (4, 1.5)))
    ax.plot(t, mean, color=INK, lw=3.2)
    ranked = sorted((baselines or {}).items(), key=lambda item: -item[1])
    require_between(0, 1, baselines=[value for _, value in ranked])
    levels = [max(1 - value, FLOOR) for _, value in ranked]
    for i, (level, (label, value)) in enumerate(zip(levels, ranked, strict=True)):
        ax.axhline(level, color=SLATE, lw=1.2, ls=(0, (1, 1.5)))
        # Side by side, since lines may be close to each other.
        text = ax.text(0.02 + 0.19 * (i % 5), level, f"{label} {value:.4g}", va="center")
        text.set(transform=ax.get_yaxis_transform(), fontsize=11, bbox={**ON_WHITE, "alpha": 1})
    drawn = [*np.ma.compressed(infidelity), *levels] or [FLOOR, 1.0]
    low = max(0.6 * float(np.percentile(drawn, 2)), FLOOR)
    ax.set(yscale="log", xmargin=0, ylim=(low, 1.6 * max(drawn)))
    ax.set(xlabel="t (a.u.)", ylabel="infidelity, 1 $-$ correlation")
    right = ax.secondary_yaxis("right")
    right.yaxis.set_major_formatter(lambda y, _: f"{1 - y:.{max(0, -round(np.log10(y)))}f}")
    right.minorticks_off()
    right.set_ylabel("correlation")
    ax.grid(axis="y", color=GRID, lw=0.8)
    kinds = [
        Line2D([], [], color=BLUE, label="single barriers"),
        Line2D([], [], color=ORANGE, label="other landscapes"),
        Line2D([], [], color=INK, lw=3.2, label=f"mean of {len(names)} cases"),
        Line2D([], [], color=INK, ls=(0, (4, 1.5)), label=f"worst, {names[worst]}"),
    ]
    figure.legend(handles=kinds, loc="outside upper center", ncols=4)
    if np.ma.is_masked(infidelity):
        _note(ax, 0.5, 0.05, "values that are not finite are left out")
    return figure


@styled
def plot_training(
    step: Num[Values, " n_t"],
    loss: Times,
    learning_rate: Times,
    lesson_losses: Float[Values, "n_t n_lesson"] | None = None,
    lesson_names: Sequence[str] = (),
) -> Figure:
    """The loss on a log axis, raw and smoothed, and the learning rate below it.

    Smoothed is the geometric mean over a twentieth of the records.

    Args:
      step: Number of training steps at each record, rising.
      loss: Training loss; relative, or in 1/bohr, as it was trained with.
      learning_rate: Per step.
      lesson_losses, lesson_names: Of each lesson.
    """
    step = _axis("step", step)
    require_shape(step.shape, loss=loss, learning_rate=learning_rate)
    lessons = np.empty((step.size, 0)) if lesson_losses is None else lesson_losses
    require_shape((step.size, len(lesson_names)), lesson_losses=lessons)
    raw, lessons = (np.ma.masked_invalid(np.where(a > 0, a, np.nan)) for a in (loss, lessons))
    figure = Figure(figsize=(10, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    marker = "o" if step.size == 1 else None
    top.plot(step, raw, color=GREY, lw=0.8, alpha=0.55, marker=marker, label="raw loss")
    smooth = _smooth(raw, max(1, step.size // 40))
    top.plot(step, smooth, color=INK, lw=2.6, zorder=3, label="smoothed loss")
    for i, (name, losses) in enumerate(zip(lesson_names, lessons.T, strict=True)):
        top.plot(step, losses, color=LESSON_COLOURS[i % 7], ls=LINE_STYLES[i % 7], label=name)
    top.set(yscale="log", ylabel="loss (mean squared error)")
    top.grid(axis="y", color=GRID, lw=0.8)
    top.legend(loc="upper right", ncols=3 if lesson_names else 2)
    if np.ma.is_masked(raw):
        _note(top, 0.5, 0.08, "not finite in places, left out there")
    bottom.plot(step, learning_rate, color=BLUE, lw=2, marker=marker)
    bottom.fill_between(step, learning_rate, color=BLUE, alpha=0.15, lw=0)
    bottom.set(xlabel="training step", ylabel="learning rate", xmargin=0, ylim=(0, None))
    bottom.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    bottom.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    return figure


@styled
def plot_window_map(
    x: Along, t: Times, density: Map, v: Along, centres_x: Centres, centres_t: Centres
) -> Figure:
    """Where the curriculum's windows lie in one run: a dot for each, over |psi|^2 in space-time.

    Dashed lines mark the edges of the landscape, which lies below.

    Args:
      x, t: Positions in bohr, and times of the frames in a.u.
      density, v: |psi|^2 in 1/bohr, and landscape in hartree.
      centres_x, centres_t: Of the windows' centres, in bohr and a.u.; there may be none.
    """
    x, t, v = _axis("x", x, True), _axis("t", t, True), _landscape(x, v)
    require_shape((t.size, x.size), density=density)
    require_shape(np.shape(centres_x), centres_t=centres_t)
    density = np.ma.masked_invalid(np.asarray(density, float))
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    top, strip = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    image = _draw_map(top, x, t, density, "Blues", (0.0, _limit(density)))
    n_dots = np.size(centres_x)
    top.scatter(
        centres_x,
        centres_t,
        s=np.clip(12_000 / max(n_dots, 1), 3, 30),
        c=ORANGE,
        ec="white",
        lw=0.3,
    )
    # Where the landscape jumps; where it begins and ends, if nowhere.
    jumps = np.flatnonzero(np.abs(np.diff(v)) > 0.1 * np.ptp(v))
    for i in jumps if jumps.size else np.flatnonzero(np.diff((v != 0).astype(int))):
        top.axvline((x[i] + x[i + 1]) / 2, color=INK, lw=1, ls=(0, (4, 3)))
    _draw_landscape(strip, x, v)
    top.set(ylabel="t (a.u.)", title=f"{n_dots} window centres over $|\\psi|^2$")
    strip.set(xlabel="x (bohr)", ylabel="V (hartree)")
    figure.colorbar(image, ax=top, label="$|\\psi|^2$ (1/bohr)", extend="max", **BAR)
    return figure


@styled
def plot_landscapes(
    x: Along, landscapes: Mapping[str, Along], densities: Mapping[str, Along]
) -> Figure:
    """One small panel for each case: the landscape, filled, and the initial |psi|^2 on top.

    Args:
      x: Positions in bohr.
      landscapes: In hartree, by the name of the case.
      densities: |psi|^2 in 1/bohr, for the same names.
    """
    x = _axis("x", x)
    if not landscapes:
        refuse("landscapes", "at least one landscape", landscapes)
    if set(landscapes) != set(densities):
        refuse("densities", f"of the names {sorted(landscapes)}", sorted(densities))
    every_v = np.concatenate([_landscape(x, v) for v in landscapes.values()])
    require_shape(x.shape, **{f"densities[{name!r}]": rho for name, rho in densities.items()})
    require_finite(densities=list(densities.values()))
    highest = max(1e-12, *(float(np.max(rho)) for rho in densities.values()))
    n_columns = min(5, len(landscapes))
    n_rows = -(-len(landscapes) // n_columns)
    figure = Figure(figsize=(10, 1.1 + 1.55 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for ax, name in zip(panels.flat, landscapes, strict=False):
        _draw_landscape(ax, x, np.asarray(landscapes[name], float), every_v)
        low, high = ax.get_ylim()
        packet = ax.twinx()
        packet.set(ylim=(1.1 * highest * low / high, 1.1 * highest), yticks=[])
        packet.fill_between(x, densities[name], color=BLUE, alpha=0.35, lw=0)
        packet.plot(x, densities[name], color=BLUE, lw=1.2)
        ax.set(title=name, xmargin=0)
    for ax in list(panels.flat)[len(landscapes) :]:
        ax.set_visible(False)
    kinds = [
        Patch(fc=SAND, ec=STONE, label="landscape V"),
        Patch(fc="#bccfe5", ec=BLUE, label=f"initial $|\\psi|^2$, at most {highest:.2g} / bohr"),
    ]
    figure.legend(handles=kinds, loc="outside upper center", ncols=2)
    figure.supxlabel("x (bohr)")
    figure.supylabel("V (hartree)")
    return figure


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as a PNG of 150 dots per inch, and make its folder where it is missing."""
    pathlib.Path(path).parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, format="png")


def _axis(name: str, values: Any, is_even: bool = False) -> np.ndarray:
    """Points of an axis, rising; for a map evenly, and at least two."""
    points = np.asarray(values, float)
    if points.ndim != 1 or points.size < 1 + is_even:
        refuse(name, f"a list of {1 + is_even} points or more", f"of shape {points.shape}")
    spacing = np.diff(points)
    if not np.all(spacing > 0):
        refuse(name, "rising", points)
    if is_even and not np.allclose(spacing, spacing.mean(), rtol=1e-2):
        refuse(name, "evenly spaced", points)
    return points


def _landscape(x: Values, v: Values) -> np.ndarray:
    require_shape(np.shape(x), v=v)
    require_finite(v=v)
    return np.asarray(v, float)


def _pair(truth: Any, forecast: Any, shape: tuple[int, int]) -> tuple[np.ndarray, Any]:
    """Truth, and the forecast with what is not finite masked."""
    require_shape(shape, truth=truth, forecast=forecast)
    require_finite(truth=truth)
    forecast = np.ma.masked_invalid(np.asarray(forecast, dtype=np.complex128))
    return np.asarray(truth, dtype=np.complex128), forecast


def _limit(values: np.ndarray) -> float:
    """Where a colour scale ends: the 99.5th percentile, and never zero."""
    finite = np.ma.compressed(np.ma.masked_invalid(values))
    return max(float(np.percentile(finite, 99.5)) if finite.size else 0.0, 1e-12)


def _draw_map(ax: Axes, x: Any, t: Any, values: Any, cmap: Any, limits: Any) -> AxesImage:
    """A space-time map with time upward."""
    half_x, half_t = (x[1] - x[0]) / 2, (t[1] - t[0]) / 2
    extent = (x[0] - half_x, x[-1] + half_x, t[0] - half_t, t[-1] + half_t)
    ax.spines[:].set_visible(True)
    cmap = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=MISSING)
    return ax.imshow(values, origin="lower", aspect="auto", extent=extent, cmap=cmap, clim=limits)


def _draw_landscape(ax: Axes, x: np.ndarray, v: np.ndarray, every_v: Any = None) -> None:
    """The landscape, filled from zero, in the limits of V that it or all landscapes need."""
    ax.fill_between(x, v, color=SAND, lw=0)
    ax.plot(x, v, color=STONE, lw=1)
    levels = np.append(v if every_v is None else every_v, 0)
    span = max(np.ptp(levels), 1e-3)
    ax.set_ylim(levels.min() - 0.1 * span, levels.max() + 0.15 * span)


def _smooth(values: np.ma.MaskedArray, n_half: int) -> np.ma.MaskedArray:
    """The geometric mean over `n_half` neighbours to either side, where there are as many."""
    is_there, i = ~np.ma.getmaskarray(values), np.arange(values.size)
    # No more to the right than to the left, so that the steep start is not flattened.
    left = np.minimum(n_half, i)
    right = np.minimum(left, values.size - 1 - i)
    logs = np.log(np.where(is_there, values.filled(1.0), 1.0))
    sums = (np.concatenate([[0.0], np.cumsum(a)]) for a in (logs, is_there))
    total, count = (a[i + right + 1] - a[i - left] for a in sums)
    return np.ma.masked_where(count == 0, np.exp(total / np.maximum(count, 1)))


def _note(ax: Axes, across: float, up: float, text: str, ha: str = "center") -> None:
    """A note at a place in a panel, on white."""
    ax.text(across, up, text, transform=ax.transAxes, ha=ha, va="center", bbox=ON_WHITE)
