"""Figures of runs, forecasts, scores and training; the only module that imports matplotlib.

Every function takes plain arrays and returns a `matplotlib.figure.Figure` that no global state
holds: a notebook shows it, and `save` writes it. All of them share one look, made to be read
at 800 pixels' width, in greyscale and by colour-blind eyes. Energies are in hartree, lengths in
bohr, times in atomic units. What is not finite in a forecast is left out, and the panel says so.
"""

import os
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import jax
import matplotlib
import numpy as np
from jaxtyping import Complex, Float, Num
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from qdistill import metrics
from qdistill.arguments import refuse, require_between, require_finite, require_shape

Values: TypeAlias = np.ndarray | jax.Array

# Blue is darker than orange, so the two are told apart in greyscale too.
INK, BLUE, ORANGE, GREY, SAND = "#1b1f24", "#1f5fa8", "#f08a24", "#8a9099", "#dcd6ca"
MISSING = "#c9c9c9"
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#08224f", "#1f5fa8", "#7fb0dc", "#fbfaf7", "#f6b26b", "#e0701b", "#8c3606"]
)
POSITIVE = LinearSegmentedColormap.from_list(
    "positive", ["#fbfaf7", "#f3cf9c", "#e8853a", "#b23b2e", "#5a1446", "#1b0a2a"]
)
DENSITY = LinearSegmentedColormap.from_list(
    "density", ["#fbfaf7", "#c4dbf0", "#6aa0d3", "#1f5fa8", "#0b2a5b"]
)
LINE_STYLES = ("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3)))

STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 12,
    "axes.titlesize": 12,
    "axes.labelsize": 12,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "legend.fontsize": 11,
    "legend.frameon": False,
    "figure.titlesize": 14,
    "figure.facecolor": "white",
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#5b626b",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": "#5b626b",
    "ytick.color": "#5b626b",
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
    the 99.9th percentile of |truth|, and for the error at twice that at most.

    Args:
      x: Positions in bohr, evenly spaced.
      t: Times of the frames in a.u., evenly spaced.
      v: Landscape in hartree.
      truth: psi of the teacher, finite.
      forecast: psi of the student.
      title: Of the whole figure.

    Raises:
      ValueError: For shapes that do not match, axes that are not evenly spaced, or a truth that
        is not finite.
    """
    x, t, v = _axis("x", x), _axis("t", t), _landscape(x, v)
    truth, forecast, is_finite = _pair(truth, forecast, (t.size, x.size))
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
        _note_missing(ax, is_finite, t)
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
      x: Positions in bohr, evenly spaced.
      v: Landscape in hartree.
      truth: psi of the teacher, finite.
      forecast: psi of the student.
      t: Times of the frames in a.u., evenly spaced.
      frames: Indices of frames, between 0 and n_t - 1; for instance (50, 200, 350).

    Raises:
      ValueError: For shapes that do not match, no frame, or a frame that is not there.
    """
    x, t, v = _axis("x", x), _axis("t", t), _landscape(x, v)
    truth, forecast, is_finite = _pair(truth, forecast, (t.size, x.size))
    if len(frames) == 0:
        refuse("frames", "at least one frame", frames)
    require_between(0, t.size - 1, frames=frames)
    rows = np.asarray(frames)
    with np.errstate(over="ignore"):
        correlations = metrics.correlation(
            jax.numpy.asarray(np.where(is_finite, forecast, np.nan)[rows]),
            jax.numpy.asarray(truth[rows]),
        )
    limit = 1.45 * np.abs(truth[rows].real).max()
    figure = Figure(figsize=(10, 1.1 + 1.9 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), 1, sharex=True, sharey=True, squeeze=False)[:, 0]
    for ax, row, correlation in zip(axes, rows, correlations, strict=True):
        behind = ax.twinx()
        _draw_landscape(behind, x, v)
        behind.spines["right"].set_visible(True)
        ax.set_zorder(behind.get_zorder() + 1)
        ax.patch.set_visible(False)
        ax.plot(x, truth[row].real, color=BLUE, lw=1.6, label="truth")
        ax.plot(x, forecast[row].real, color=ORANGE, lw=1.3, ls=(0, (3, 1.5)), label="forecast")
        at = {"transform": ax.transAxes, "va": "top"}
        ax.text(0.01, 0.97, f"frame {row},  t = {t[row]:.3g} a.u.", ha="left", **at)
        ax.text(0.99, 0.97, f"correlation {correlation:.4f}", ha="right", **at)
        _note_missing(ax, is_finite[row])
    axes[0].set_ylim(-limit, limit)
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

    Raises:
      ValueError: For shapes that do not match, or no case.
    """
    t = _axis("t", t)
    if len(names) == 0:
        refuse("names", "at least one name", names)
    infidelity = 1 - _array(correlations)
    require_shape((len(names), t.size), correlations=infidelity)
    infidelity = np.ma.masked_invalid(np.maximum(infidelity, FLOOR))
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    ax = figure.subplots()
    for curve, name in zip(infidelity, names, strict=True):
        kind = "single barrier" if name.startswith("barrier") else "other landscape"
        style = {"color": BLUE, "ls": "-"} if kind == "single barrier" else {"color": ORANGE}
        ax.plot(t, curve, lw=0.9, alpha=0.75, label=kind, **style)
    ax.plot(t, infidelity.mean(axis=0), color=INK, lw=2.8, label=f"mean of {len(names)}")
    worst = int(np.argmax(infidelity.mean(axis=1)))
    ax.plot(t, infidelity[worst], color=INK, lw=1.2, ls=(0, (4, 1.5)), label=names[worst])
    ax.set(
        yscale="log", xlim=(t[0], t[-1]), xlabel="t (a.u.)", ylabel="infidelity, 1 $-$ correlation"
    )
    ax.grid(axis="y", color="#e4e6ea", lw=0.8)
    return figure


FLOOR = 1e-7


def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as a PNG of 150 dots per inch, and make its folder where it is missing."""
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=150, format="png")


def _array(values: Any) -> np.ndarray:
    """Real values in float64."""
    return np.asarray(values, dtype=np.float64)


def _axis(name: str, values: Any) -> np.ndarray:
    """Points of an axis: at least two, rising."""
    points = _array(values)
    if points.ndim != 1 or points.size < 2:
        refuse(name, "a list of at least 2 points", f"of shape {points.shape}")
    if not np.all(np.diff(points) > 0):
        refuse(name, "finite and rising", points)
    return points


def _landscape(x: np.ndarray, v: Any) -> np.ndarray:
    require_shape(x.shape, v=v)
    require_finite(v=v)
    return _array(v)


def _pair(
    truth: Any, forecast: Any, shape: tuple[int, int]
) -> tuple[np.ndarray, np.ma.MaskedArray, np.ndarray]:
    """Truth, the forecast with what is not finite masked, and where it is finite."""
    require_shape(shape, truth=truth, forecast=forecast)
    require_finite(truth=truth)
    forecast = np.asarray(forecast, dtype=np.complex128)
    is_finite = np.isfinite(forecast)
    masked = np.ma.masked_array(np.where(is_finite, forecast, 0), ~is_finite)
    return np.asarray(truth, dtype=np.complex128), masked, is_finite


def _limit(values: np.ndarray) -> float:
    """Where a colour scale ends: the 99.9th percentile, and never zero."""
    finite = np.ma.compressed(np.ma.masked_invalid(values))
    return max(float(np.percentile(finite, 99.9)) if finite.size else 0.0, 1e-12)


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
    values, (low, high) = image.get_array(), image.get_clim()
    assert values is not None
    ends = {(True, True): "both", (True, False): "min", (False, True): "max"}
    extend = ends.get((bool(values.min() < low), bool(values.max() > high)), "neither")
    bar = figure.colorbar(image, ax=axes, label=label, extend=extend, aspect=30, pad=0.02)
    bar.outline.set_visible(False)


def _draw_landscape(ax: Axes, x: np.ndarray, v: np.ndarray) -> None:
    """The landscape, filled from zero, with its own limits of V."""
    ax.fill_between(x, v, color=SAND, lw=0)
    ax.plot(x, v, color="#7d7564", lw=1)
    span = max(np.ptp(np.append(v, 0)), 1e-3)
    ax.set_ylim(min(v.min(), 0) - 0.1 * span, max(v.max(), 0) + 0.15 * span)


def _note_missing(ax: Axes, is_finite: np.ndarray, t: np.ndarray | None = None) -> None:
    """Say in a panel what of a forecast is not finite."""
    if is_finite.all():
        return
    text = "not finite"
    if t is not None:
        text += f" from t = {t[~is_finite.all(axis=1)][0]:.3g}"
    ax.text(0.5, 0.5, text, transform=ax.transAxes, ha="center", va="center")
