"""Figures of runs, forecasts, scores and training; the only module that imports matplotlib.

Every function takes plain arrays and returns a `matplotlib.figure.Figure` that no global state
holds: a notebook shows it, and `save` writes it. All of them share one look, made to be read
at 800 pixels' width, in greyscale and by colour-blind eyes. Energies are in hartree, lengths in
bohr, times in atomic units. What is not finite in a forecast is left out, and the panel says so.
All of them refuse empty arrays, shapes that do not match and axes that do not rise with a
`ValueError`; a map also needs evenly spaced axes, and a truth must be finite.
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
from matplotlib.ticker import NullFormatter

from qdistill import metrics
from qdistill.arguments import refuse, require_between, require_finite, require_shape

Values: TypeAlias = np.ndarray | jax.Array

# Blue is darker than orange, so the two are told apart in greyscale too.
INK, BLUE, ORANGE, GREY, SAND = "#1b1f24", "#1f5fa8", "#f08a24", "#8a9099", "#dcd6ca"
MISSING, STONE, GRID = "#c9c9c9", "#7d7564", "#e4e6ea"
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
SLATE = "#5b626b"
FLOOR = 1e-7
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#08224f", "#1f5fa8", "#7fb0dc", "#fbfaf7", "#f6b26b", "#e0701b", "#8c3606"]
)
POSITIVE = LinearSegmentedColormap.from_list(
    "positive", ["#fbfaf7", "#f3cf9c", "#e8853a", "#b23b2e", "#5a1446", "#1b0a2a"]
)
DENSITY = LinearSegmentedColormap.from_list(
    "density", ["#fbfaf7", "#c4dbf0", "#6aa0d3", "#1f5fa8", "#0b2a5b"]
)
LESSON_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b3a8c")
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)))

STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "figure.titlesize": 14,
    "figure.labelsize": 12,
    "figure.facecolor": "white",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": SLATE,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": SLATE,
    "ytick.color": SLATE,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "lines.solid_capstyle": "round",
    "image.origin": "lower",
    "image.aspect": "auto",
}
styled = matplotlib.rc_context(STYLE)


@styled
def plot_spacetime(
    x: Float[Values, " n_x"],
    t: Float[Values, " n_t"],
    v: Float[Values, " n_x"],
    truth: Complex[Values, "n_t n_x"],
    forecast: Complex[Values, "n_t n_x"],
    title: str = "",
) -> Figure:
    """Space-time maps of Re psi, truth beside forecast on one scale, and of |forecast - truth|.

    Time runs upward; under each map lies the landscape, on the same x axis. Colours saturate at
    the 99.5th percentile of |truth|, and for the error at twice that at most.

    Args:
      x: Positions in bohr, evenly spaced.
      t: Times of the frames in a.u., evenly spaced.
      v: Landscape in hartree.
      truth: psi of the teacher, finite.
      forecast: psi of the student.
      title: Of the whole figure.
    """
    x, t, v = _axis("x", x, True), _axis("t", t, True), _landscape(x, v)
    truth, forecast = _pair(truth, forecast, (t.size, x.size))
    error = np.abs(forecast - truth)
    limit = _limit(np.abs(truth))
    error_limit = min(_limit(error), 2 * limit)
    panels = [
        ("truth, Re $\\psi$", truth.real, SIGNED, -limit, limit),
        ("forecast, Re $\\psi$", forecast.real, SIGNED, -limit, limit),
        ("|forecast $-$ truth|", error, POSITIVE, 0.0, error_limit),
    ]
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    maps, strips = figure.subplots(
        2, 3, sharex=True, sharey="row", gridspec_kw={"height_ratios": [5, 1]}
    )
    for (name, values, cmap, low, high), ax, strip in zip(panels, maps, strips, strict=True):
        image = _draw_map(ax, x, t, values, cmap, low, high)
        ax.set_title(name)
        _draw_landscape(strip, x, v)
        strip.set_xlabel("x (bohr)")
    for ax in maps[1:]:
        _note_missing(ax, forecast, t)
    maps[0].set_ylabel("t (a.u.)")
    strips[0].set_ylabel("V (hartree)")
    unit = "(bohr$^{-1/2}$)"
    _add_colour_bar(figure, maps[0].images[0], list(maps[:2]), f"Re $\\psi$ {unit}")
    _add_colour_bar(figure, image, [maps[2]], f"error {unit}")
    figure.suptitle(title)
    return figure


@styled
def plot_snapshots(
    x: Float[Values, " n_x"],
    v: Float[Values, " n_x"],
    truth: Complex[Values, "n_t n_x"],
    forecast: Complex[Values, "n_t n_x"],
    t: Float[Values, " n_t"],
    frames: Sequence[int],
) -> Figure:
    """Re psi of truth and forecast over the landscape, one row for each of some frames.

    Each row names its frame, time, and correlation.

    Args:
      x: Positions in bohr.
      v: Landscape in hartree.
      truth: psi of the teacher, finite.
      forecast: psi of the student.
      t: Times of the frames in a.u.
      frames: Which frames, counted from 1 to n_t; the paper shows (50, 200, 350).
    """
    x, t, v = _axis("x", x), _axis("t", t), _landscape(x, v)
    truth, forecast = _pair(truth, forecast, (t.size, x.size))
    if len(frames) == 0:
        refuse("frames", "at least one frame", frames)
    require_between(1, t.size, frames=frames)
    rows = np.asarray(frames) - 1
    with np.errstate(over="ignore"):
        correlations = metrics.correlation(
            jnp.asarray(forecast[rows].filled(np.nan)), jnp.asarray(truth[rows])
        )
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
        ax.plot(x, forecast[row].real, color=ORANGE, lw=1.3, ls=(0, (3, 1.5)), label="forecast")
        _note(ax, 0.01, 0.9, f"frame {row + 1},  t = {t[row]:.3g} a.u.", ha="left")
        _note(ax, 0.99, 0.9, f"correlation {correlation:.5f}", ha="right")
        _note_missing(ax, forecast[row])
    axes[0].set(ylim=(-limit, limit), xlim=_span(x))
    axes[-1].set_xlabel("x (bohr)")
    figure.supylabel("Re $\\psi$ (bohr$^{-1/2}$)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@styled
def plot_correlations(
    t: Float[Values, " n_t"],
    correlations: Float[Values, "n_case n_t"],
    names: Sequence[str],
    baselines: Mapping[str, float] | None = None,
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
    infidelity = 1 - _array(correlations)
    require_shape((len(names), t.size), correlations=infidelity)
    infidelity = np.ma.masked_invalid(np.maximum(infidelity, FLOOR))
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    ax = figure.subplots()
    for curve, name in zip(infidelity, names, strict=True):
        is_single = name.startswith("barrier")
        ax.plot(t, curve, color=BLUE if is_single else ORANGE, lw=0.9, alpha=0.75)
    mean, worst = infidelity.mean(axis=0), int(np.ma.argmax(infidelity.mean(axis=1)))
    ax.plot(t, infidelity[worst], color=INK, lw=1.4, ls=(0, (4, 1.5)))
    ax.plot(t, mean, color=INK, lw=3.2)
    levels = _draw_baselines(ax, baselines or {})
    drawn = [*np.ma.compressed(infidelity), *levels]
    ax.set(yscale="log", xlim=_span(t), ylim=(_low(drawn), 1.6 * max(drawn, default=1.0)))
    ax.set(xlabel="t (a.u.)", ylabel="infidelity, 1 $-$ correlation")
    right = ax.secondary_yaxis("right")
    right.yaxis.set_major_formatter(lambda y, _: f"{1 - y:.{max(0, -round(np.log10(y)))}f}")
    right.yaxis.set_minor_formatter(NullFormatter())
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
    loss: Float[Values, " n_t"],
    learning_rate: Float[Values, " n_t"],
    lesson_losses: Float[Values, "n_t n_lesson"] | None = None,
    lesson_names: Sequence[str] = (),
) -> Figure:
    """The loss on a log axis, raw and smoothed, and the learning rate below it.

    Smoothed is the geometric mean over a twentieth of the records.

    Args:
      step: Number of training steps at each record, rising.
      loss: Training loss; relative, or in 1/bohr, as it was trained with.
      learning_rate: Per step.
      lesson_losses: Loss of each lesson, drawn as it is.
      lesson_names: Of the lessons.
    """
    step = _axis("step", step)
    require_shape(step.shape, loss=loss, learning_rate=learning_rate)
    lessons = np.empty((step.size, 0)) if lesson_losses is None else _array(lesson_losses)
    require_shape((step.size, len(lesson_names)), lesson_losses=lessons)
    raw = _log_values(loss)
    figure = Figure(figsize=(10, 6), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [3, 1]})
    marker = "o" if step.size == 1 else None
    top.plot(step, raw, color=GREY, lw=0.8, alpha=0.55, marker=marker, label="raw loss")
    smooth = _smooth(raw, max(1, step.size // 40))
    top.plot(step, smooth, color=INK, lw=2.6, zorder=3, label="smoothed loss")
    for i, (name, losses) in enumerate(zip(lesson_names, lessons.T, strict=True)):
        style = {"color": LESSON_COLOURS[i % 7], "ls": LINE_STYLES[i % 7]}
        top.plot(step, _log_values(losses), lw=1.4, label=name, **style)
    top.set(yscale="log", ylabel="loss (mean squared error)")
    top.grid(axis="y", color=GRID, lw=0.8)
    top.legend(loc="upper right", ncols=3 if lesson_names else 2)
    if np.ma.is_masked(raw):
        _note(top, 0.5, 0.08, "not finite in places, left out there")
    bottom.plot(step, np.ma.masked_invalid(_array(learning_rate)), color=BLUE, lw=2, marker=marker)
    bottom.fill_between(step, _array(learning_rate), color=BLUE, alpha=0.15, lw=0)
    bottom.set(xlabel="training step", ylabel="learning rate", xlim=_span(step))
    bottom.set_ylim(bottom=0)
    bottom.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    bottom.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    return figure


@styled
def plot_window_map(
    x: Float[Values, " n_x"],
    t: Float[Values, " n_t"],
    density: Float[Values, "n_t n_x"],
    v: Float[Values, " n_x"],
    centres_x: Float[Values, " n_window"],
    centres_t: Float[Values, " n_window"],
) -> Figure:
    """Where the curriculum's windows lie in one run: a dot for each, over |psi|^2 in space-time.

    Dashed lines mark the edges of the landscape; below it, how many windows lie where.

    Args:
      x: Positions in bohr, evenly spaced.
      t: Times of the frames in a.u., evenly spaced.
      density: |psi|^2 in 1/bohr.
      v: Landscape in hartree.
      centres_x: Positions of the windows' centres in bohr; there may be none.
      centres_t: Their times in a.u.
    """
    x, t, v = _axis("x", x, True), _axis("t", t, True), _landscape(x, v)
    require_shape((t.size, x.size), density=density)
    require_shape(np.shape(centres_x), centres_t=centres_t)
    density = np.ma.masked_invalid(_array(density))
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    top, strip = figure.subplots(2, 1, sharex=True, gridspec_kw={"height_ratios": [4, 1]})
    image = _draw_map(top, x, t, density, DENSITY, 0.0, _limit(density))
    n_dots = np.size(centres_x)
    size = np.clip(12_000 / max(n_dots, 1), 3, 30)
    top.scatter(centres_x, centres_t, s=size, c=ORANGE, ec="white", lw=0.3)
    for edge in _edges(x, v):
        top.axvline(edge, color=INK, lw=1, ls=(0, (4, 3)))
    _draw_landscape(strip, x, v)
    counts = strip.twinx()
    bins = np.linspace(x[0], x[-1], 51)
    counts.hist(centres_x, bins=bins, histtype="step", color=ORANGE, lw=1.5)
    counts.spines["right"].set_visible(True)
    counts.set_ylabel(f"windows\nper {bins[1] - bins[0]:.2g} bohr")
    top.set(ylabel="t (a.u.)", xlim=_span(x), ylim=_span(t))
    top.set_title(f"{n_dots} window centres over $|\\psi|^2$")
    strip.set(xlabel="x (bohr)", ylabel="V (hartree)")
    _add_colour_bar(figure, image, [top], "$|\\psi|^2$ (1/bohr)")
    return figure


@styled
def plot_landscapes(
    x: Float[Values, " n_x"],
    landscapes: Mapping[str, Float[Values, " n_x"]],
    densities: Mapping[str, Float[Values, " n_x"]],
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
        rho = _array(densities[name])
        _draw_landscape(ax, x, _array(landscapes[name]), every_v)
        low, high = ax.get_ylim()
        packet = ax.twinx()
        # Both zeros lie at one height.
        packet.set(ylim=(1.1 * highest * low / high, 1.1 * highest), yticks=[])
        packet.fill_between(x, rho, color=BLUE, alpha=0.35, lw=0)
        packet.plot(x, rho, color=BLUE, lw=1.2)
        ax.set_title(name, fontsize=11)
        ax.set_xlim(_span(x))
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
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, format="png")


def _array(values: Any) -> np.ndarray:
    """Real values in float64."""
    return np.asarray(values, dtype=np.float64)


def _axis(name: str, values: Any, is_even: bool = False) -> np.ndarray:
    """Points of an axis, rising; for a map evenly, and at least two."""
    points = _array(values)
    if points.ndim != 1 or points.size < 1 + is_even:
        refuse(name, f"a list of {1 + is_even} points or more", f"of shape {points.shape}")
    spacing = np.diff(points)
    if not np.all(spacing > 0):
        refuse(name, "rising", points)
    if is_even and not np.allclose(spacing, spacing.mean(), rtol=1e-2):
        refuse(name, "evenly spaced", points)
    return points


def _span(points: np.ndarray) -> tuple[float, float]:
    """From the first point to the last; about a single one."""
    if points.size == 1:
        return points[0] - 0.5, points[0] + 0.5
    return points[0], points[-1]


def _landscape(x: Values, v: Values) -> np.ndarray:
    require_shape(np.shape(x), v=v)
    require_finite(v=v)
    return _array(v)


def _pair(
    truth: Any, forecast: Any, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ma.MaskedArray]:
    """Truth, and the forecast with what is not finite masked."""
    require_shape(shape, truth=truth, forecast=forecast)
    require_finite(truth=truth)
    forecast = np.ma.masked_invalid(np.asarray(forecast, dtype=np.complex128))
    return np.asarray(truth, dtype=np.complex128), forecast


def _limit(values: np.ndarray) -> float:
    """Where a colour scale ends: the 99.5th percentile, and never zero."""
    finite = np.ma.compressed(np.ma.masked_invalid(values))
    return max(float(np.percentile(finite, 99.5)) if finite.size else 0.0, 1e-12)


def _draw_map(
    ax: Axes,
    x: np.ndarray,
    t: np.ndarray,
    values: np.ndarray,
    cmap: LinearSegmentedColormap,
    low: float,
    high: float,
) -> AxesImage:
    """A space-time map with time upward."""
    half_x, half_t = (x[1] - x[0]) / 2, (t[1] - t[0]) / 2
    extent = (x[0] - half_x, x[-1] + half_x, t[0] - half_t, t[-1] + half_t)
    image = ax.imshow(
        values, extent=extent, cmap=cmap.with_extremes(bad=MISSING), vmin=low, vmax=high
    )
    for spine in ax.spines.values():
        spine.set_visible(True)
    return image


def _add_colour_bar(figure: Figure, image: AxesImage, axes: list[Axes], label: str) -> None:
    """A colour bar that says by its ends whether values lie outside its scale."""
    values: np.ndarray = np.ma.compressed(np.ma.asarray(image.get_array()))
    low, high = image.get_clim()
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = ends.get((bool(np.any(values < low)), bool(np.any(values > high))), "neither")
    bar = figure.colorbar(image, ax=axes, label=label, extend=extend, aspect=30, pad=0.02)
    bar.outline.set_visible(False)


def _draw_landscape(
    ax: Axes, x: np.ndarray, v: np.ndarray, every_v: np.ndarray | None = None
) -> None:
    """The landscape, filled from zero, in the limits of V that it or all landscapes need."""
    ax.fill_between(x, v, color=SAND, lw=0)
    ax.plot(x, v, color=STONE, lw=1)
    levels = np.append(v if every_v is None else every_v, 0)
    span = max(np.ptp(levels), 1e-3)
    ax.set_ylim(levels.min() - 0.1 * span, levels.max() + 0.15 * span)


def _draw_baselines(ax: Axes, baselines: Mapping[str, float]) -> list[float]:
    """Correlations as lines with labels, side by side; where they lie as infidelities."""
    require_between(0, 1, baselines=list(baselines.values()))
    ranked = sorted(baselines.items(), key=lambda item: -item[1])
    for i, (label, value) in enumerate(ranked):
        level = max(1 - value, FLOOR)
        ax.axhline(level, color=SLATE, lw=1.2, ls=(0, (1, 1.5)))
        text = ax.text(0.02 + 0.19 * (i % 5), level, f"{label} {value:.4g}", va="center")
        text.set(transform=ax.get_yaxis_transform(), fontsize=11, bbox={**ON_WHITE, "alpha": 1})
    return [max(1 - value, FLOOR) for value in baselines.values()]


def _low(values: Sequence[float]) -> float:
    """The lower end of a log axis: below nearly all values, not below the first frames' dip."""
    return max(0.6 * float(np.percentile(values, 2)), FLOOR) if values else FLOOR


def _log_values(values: Any) -> np.ma.MaskedArray:
    """Values of a log axis: those that are not finite, or not above zero, are masked."""
    array = _array(values)
    return np.ma.masked_where(~(np.isfinite(array) & (array > 0)), array)


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


def _edges(x: np.ndarray, v: np.ndarray) -> np.ndarray:
    """Where the landscape jumps by a tenth of its range; where it begins and ends if nowhere."""
    jumps = np.flatnonzero(np.abs(np.diff(v)) > 0.1 * np.ptp(v))
    if jumps.size == 0:
        jumps = np.flatnonzero(np.diff((v != 0).astype(int)))
    return (x[jumps] + x[jumps + 1]) / 2


def _note_missing(ax: Axes, forecast: np.ma.MaskedArray, t: np.ndarray | None = None) -> None:
    """Say in a panel what of a forecast is not finite, and in a map from when on."""
    missing = np.ma.getmaskarray(forecast)
    if missing.any() and t is None:
        _note(ax, 0.5, 0.12, "forecast not finite")
    elif missing.any() and t is not None:
        first = t[missing.any(axis=1)][0]
        _note(ax, 0.5, 0.88, f"not finite\nfrom t = {first:.3g} a.u.")


def _note(ax: Axes, across: float, up: float, text: str, ha: str = "center") -> None:
    """A note at a place in a panel, on white."""
    ax.text(across, up, text, transform=ax.transAxes, ha=ha, va="center", bbox=ON_WHITE)
