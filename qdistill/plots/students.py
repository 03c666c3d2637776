"""Figures of students: learned dispersion, and errors against time."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from qdistill._checks import (
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.plots import style
from qdistill.plots.style import (
    BLUE,
    COLOURS,
    FLOOR,
    GRID,
    INK,
    LINE_STYLES,
    ORANGE,
    SLATE,
    Times,
    Values,
)

LEFT_OUT = "values that are not finite are left out"
MOST = len(COLOURS)
# Style of known curves: thin, so that the learned one is visible beneath.
KNOWN_COLOURS = (INK, ORANGE, "#009e73", "#5b3a8c")


@explained
@style.styled
def plot_dispersion(
    k: Float[Values, " n_k"],
    learned: Float[Values, " n_k"],
    known: Mapping[str, Float[Values, " n_k"]],
    taught: float,
) -> Figure:
    """Draw the learned dispersion omega(k) of a student with known ones, and its error below.

    The panels end at 1.6 times `taught`, or at the last k; the region beyond `taught` is shaded.
    Errors below 1e-7, the rounding of float32, are drawn at 1e-7.

    Args:
      k: Wavenumbers in 1/bohr, not negative, ascending.
      learned: Dispersion of the student in hartree.
      known: Known dispersions in hartree, by name; the first is the teacher's, and the error is
        relative to it.
      taught: Largest k in 1/bohr in the lessons.
    """
    k = style.axis("k", k)
    require_between(0, np.inf, k=k)
    if not known:
        refuse("known", "at least one dispersion", known)
    require_shape(k.shape, learned=learned, **{f"known[{n!r}]": w for n, w in known.items()})
    require_finite(**{f"known[{name!r}]": omega for name, omega in known.items()})
    require_positive(taught=taught)
    end = min(k[-1], 1.6 * taught)
    if k[0] >= end:
        refuse("k", "of points between 0 and `taught`", k)
    learned = np.ma.masked_invalid(np.asarray(learned, float))
    first, truth = next((name, np.asarray(omega, float)) for name, omega in known.items())
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    top, bottom = figure.subplots(2, 1, sharex=True, height_ratios=[3, 2])
    top.plot(k, learned, color=BLUE, lw=5, alpha=0.55, solid_capstyle="butt", label="learned")
    for i, (name, omega) in enumerate(known.items()):
        colour, ls = KNOWN_COLOURS[i % len(KNOWN_COLOURS)], LINE_STYLES[i % MOST]
        top.plot(k, omega, color=colour, ls=ls, lw=1.6, label=name)
    # Beyond the lessons the learned curve is arbitrary and does not set the limits of the panel.
    here, inside = k <= end, k <= min(taught, end)
    span = max(np.ptp(truth[here]), 1e-12)
    low, high = truth[here].min(), truth[here].max()
    shown = np.clip(np.ma.compressed(learned[inside]), low - span, high + span)
    low, high = min(low, *shown, low), max(high, *shown, high)
    top.set(xlim=(0, end), ylim=(low - 0.1 * (high - low), high + 0.25 * (high - low)))
    top.set_ylabel("$\\omega$ (hartree)")
    error = np.ma.maximum(np.ma.abs(learned - truth), FLOOR)
    bottom.plot(k, error, color=BLUE, lw=1.8)
    bottom.set(xlabel="k (1/bohr)", ylabel=f"|learned $-$ {first}|\n(hartree)")
    style.log_limits(bottom, error[here])
    for ax in (top, bottom):
        ax.grid(axis="y", color=GRID, lw=0.8)
        if taught < end:
            ax.axvspan(taught, end, color="#eceef1", lw=0, zorder=0)
            ax.axvline(taught, color=SLATE, lw=1, ls=(0, (4, 3)))
    if taught < end:
        style.note(top, (taught / end + 1) / 2, 0.06, "rare in lessons")
    if np.ma.is_masked(learned):
        bottom.set_title(LEFT_OUT)
    figure.legend(*top.get_legend_handles_labels(), loc="outside upper center", ncols=5)
    return figure


@explained
@style.styled
def plot_errors(
    t: Times, errors: Mapping[str, Float[Values, "_ n_t"]], ylabel: str = "error"
) -> Figure:
    """Draw error against time on a log axis: the median over seeds of each student, and its range.

    Values below 1e-7, the rounding of float32, are drawn at 1e-7. Values that are not finite are
    left out; a cross marks the last finite value of a student.

    Args:
      t: Times of the frames in a.u.
      errors: Errors of every seed and frame, by name of the student; at most twelve students.
      ylabel: Name of the error, with its unit.
    """
    t = style.times(t)
    _require_some("errors", errors)
    curves = {name: style.floored(values) for name, values in errors.items()}
    for name, seeds in curves.items():
        if seeds.ndim != 2 or not seeds.shape[0]:
            refuse(f"errors[{name!r}]", "of shape (n_seed, n_t)", f"of shape {seeds.shape}")
        require_shape((seeds.shape[0], t.size), **{f"errors[{name!r}]": seeds})
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    ax = figure.subplots()
    style.log_limits(ax, *curves.values())
    ends = []
    for (name, seeds), colour, ls in zip(curves.items(), COLOURS, LINE_STYLES, strict=False):
        median = np.ma.median(seeds, axis=0)
        if len(seeds) > 1:
            band = seeds.min(axis=0), seeds.max(axis=0)
            ax.fill_between(t, *band, color=colour, alpha=0.16, lw=0)
        ax.plot(t, median, color=colour, ls=ls, lw=2, marker="o" if t.size == 1 else None)
        shown = np.flatnonzero(median.filled(np.inf) <= ax.get_ylim()[1])
        last = shown[-1] if shown.size else 0
        if shown.size and last < t.size - 1 and np.ma.is_masked(median[last + 1]):
            ax.plot(t[last], median[last], color=colour, marker="x", ms=8, mew=2)
        end = (t[last], median[last]) if shown.size else (t[-1], ax.get_ylim()[1])
        ends.append((name if median.count() else f"{name} (not finite)", *end, colour))
    ax.set(xlabel="t (a.u.)", ylabel=ylabel, xmargin=0 if t.size > 1 else 0.05)
    ax.grid(axis="y", color=GRID, lw=0.8)
    style.label_right(ax, ends)
    several = any(len(seeds) > 1 for seeds in curves.values())
    words = ["median over seeds, and band from best to worst"] if several else []
    words += [LEFT_OUT] if any(np.ma.is_masked(seeds) for seeds in curves.values()) else []
    ax.set_title("; ".join(words))
    return figure


def _require_some(name: str, students: Mapping[str, Any]) -> None:
    if not 1 <= len(students) <= MOST:
        refuse(name, f"of 1 to {MOST} students", f"of {len(students)}")
