"""Figures of forecasts and exact solutions: maps, snapshots, and the infidelity of every case."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from qdistill._checks import refuse, require_between, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.forecast import metrics
from qdistill.insight.flight import FlightReport
from qdistill.plots import style
from qdistill.plots.reports import draw
from qdistill.plots.style import (
    BAR,
    BLUE,
    FLOOR,
    GRID,
    INK,
    ON_WHITE,
    ORANGE,
    SIGNED,
    SLATE,
    Along,
    Frames,
    Times,
    Values,
)


@explained
@draw.register(FlightReport)
def draw_flight(report: FlightReport) -> dict[str, Figure]:
    """Draw the frames of the solver, those of the forecast, and their difference.

    A single frame has no such maps.
    """
    if len(report.t) == 1:
        return {}
    figure = plot_spacetime(report.x, report.t, report.v, report.truth, report.frames)
    return {"spacetime": figure}


@explained
@style.styled
def plot_spacetime(
    x: Along, t: Times, v: Along, truth: Frames, forecast: Frames, title: str = ""
) -> Figure:
    """Draw space-time maps of Re psi, truth and forecast on one scale, and of |forecast - truth|.

    Time runs upward; the potential is below each map, on the same x axis. Colours saturate at the
    99.5th percentile of |truth|, and for the error at most at twice that.

    Args:
      x, t, v: Positions in bohr, times of the frames in a.u., and potential in hartree.
      truth, forecast: psi of the solver and of the emulator.
      title: Title of the figure.
    """
    x, t, v = style.axis("x", x, True), style.times(t, True), style.potential(x, v)
    truth, guess = _pair(truth, forecast, (t.size, x.size))
    error = np.abs(guess - truth)
    limit = style.limit(np.abs(truth))
    panels = [
        ("truth, Re $\\psi$", truth.real, SIGNED, (-limit, limit)),
        ("forecast, Re $\\psi$", guess.real, SIGNED, (-limit, limit)),
        ("|forecast $-$ truth|", error, "OrRd", (0.0, min(style.limit(error), 2 * limit))),
    ]
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    maps, strips = figure.subplots(2, 3, sharex=True, sharey="row", height_ratios=[5, 1])
    for (name, values, cmap, limits), ax, strip in zip(panels, maps, strips, strict=True):
        image = style.draw_map(ax, x, t, values, cmap, limits)
        ax.set_title(name)
        style.draw_potential(strip, x, v)
        strip.set_xlabel("x (bohr)")
    missing = np.ma.getmaskarray(guess).any(axis=1)
    for ax in maps[1:] if missing.any() else []:
        style.note(ax, 0.5, 0.88, f"not finite\nfrom t = {t[missing][0]:.3g} a.u.")
    maps[0].set_ylabel("t (a.u.)")
    strips[0].set_ylabel("V (hartree)")
    psi = "Re $\\psi$ (bohr$^{-1/2}$)"
    figure.colorbar(maps[0].images[0], ax=maps[:2], label=psi, extend="both", **BAR)
    figure.colorbar(image, ax=maps[2], label="error (bohr$^{-1/2}$)", extend="max", **BAR)
    figure.suptitle(title)
    return figure


@explained
@style.styled
def plot_snapshots(
    x: Along, v: Along, truth: Frames, forecast: Frames, t: Times, frames: Sequence[int]
) -> Figure:
    """Draw Re psi of truth and forecast over the potential, a row for each of some frames.

    Each row has the number of the frame, the time and the correlation.

    Args:
      x, v: Positions in bohr, and potential in hartree.
      truth, forecast: psi of the solver and of the emulator.
      t: Times of the frames in a.u.
      frames: Frames to draw, counted from 1 to n_t; the paper shows (50, 200, 350).
    """
    x, t, v = style.axis("x", x), style.times(t), style.potential(x, v)
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
        style.draw_potential(behind, x, v)
        behind.set_ylabel("V (hartree)")
        behind.spines["right"].set_visible(True)
        ax.set_zorder(behind.get_zorder() + 1)
        ax.patch.set_visible(False)
        ax.plot(x, truth[row].real, color=BLUE, lw=1.6, label="truth")
        ax.plot(x, guess[row].real, color=ORANGE, lw=1.3, ls=(0, (3, 1.5)), label="forecast")
        style.note(ax, 0.01, 0.9, f"frame {row + 1},  t = {t[row]:.3g} a.u.", ha="left")
        style.note(ax, 0.99, 0.9, f"correlation {correlation:.5f}", ha="right")
        if np.ma.is_masked(guess[row]):
            style.note(ax, 0.5, 0.12, "forecast not finite")
    axes[0].set(ylim=(-limit, limit), xmargin=0)
    axes[-1].set_xlabel("x (bohr)")
    figure.supylabel("Re $\\psi$ (bohr$^{-1/2}$)")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return figure


@explained
@style.styled
def plot_correlations(
    t: Times,
    correlations: Float[Values, "n_case n_t"],
    names: Sequence[str],
    baselines: Mapping[str, float] | None = None,
) -> Figure:
    """Draw 1 - correlation of every case against time on a log axis, and name the worst case.

    Values below 1e-7, the rounding of float32, are drawn at 1e-7.

    Args:
      t: Times of the frames in a.u.
      correlations: Correlation of each case and frame, between 0 and 1.
      names: Names of the cases; names that begin with "barrier" are single barriers.
      baselines: Correlations to compare with, drawn as horizontal lines, by their label.
    """
    t = style.times(t)
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
        # Labels are next to each other, since the lines may be close.
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
        Line2D([], [], color=ORANGE, label="other potentials"),
        Line2D([], [], color=INK, lw=3.2, label=f"mean of {len(names)} cases"),
        Line2D([], [], color=INK, ls=(0, (4, 1.5)), label=f"worst, {names[worst]}"),
    ]
    figure.legend(handles=kinds, loc="outside upper center", ncols=4)
    if np.ma.is_masked(infidelity):
        style.note(ax, 0.5, 0.05, "values that are not finite are left out")
    return figure


def _pair(truth: Any, forecast: Any, shape: tuple[int, int]) -> tuple[np.ndarray, Any]:
    """The truth, and the forecast with values that are not finite masked."""
    require_shape(shape, truth=truth, forecast=forecast)
    require_finite(truth=truth)
    forecast = np.ma.masked_invalid(np.asarray(forecast, dtype=np.complex128))
    return np.asarray(truth, dtype=np.complex128), forecast
