"""Figures of a training: loss, windows, potentials."""

from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float, Num
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from qdistill._checks import refuse, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.plots import style
from qdistill.plots.style import (
    BAR,
    BLUE,
    COLOURS,
    GREY,
    GRID,
    INK,
    LINE_STYLES,
    ORANGE,
    SAND,
    STONE,
    Along,
    Times,
    Values,
)


@explained
@style.styled
def plot_training(
    step: Num[Values, " n_t"],
    loss: Times,
    learning_rate: Times,
    lesson_losses: Float[Values, "n_t n_lesson"] | None = None,
    lesson_names: Sequence[str] = (),
) -> Figure:
    """Draw the loss on a log axis, raw and smoothed, and the learning rate below it.

    The smoothed loss is the geometric mean over a twentieth of the records.

    Args:
      step: Number of training steps at each record, ascending.
      loss: Training loss, relative or in 1/bohr, as in the training.
      learning_rate: Learning rate at each record.
      lesson_losses, lesson_names: Losses and names of the lessons.
    """
    step = style.axis("step", step)
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
        top.plot(step, losses, color=COLOURS[i % 12], ls=LINE_STYLES[i % 12], label=name)
    top.set(yscale="log", ylabel="loss (mean squared error)")
    top.grid(axis="y", color=GRID, lw=0.8)
    top.legend(loc="upper right", ncols=3 if lesson_names else 2)
    if np.ma.is_masked(raw):
        style.note(top, 0.5, 0.08, "values that are not finite are left out")
    bottom.plot(step, learning_rate, color=BLUE, lw=2, marker=marker)
    bottom.fill_between(step, learning_rate, color=BLUE, alpha=0.15, lw=0)
    bottom.set(xlabel="training step", ylabel="learning rate", xmargin=0, ylim=(0, None))
    bottom.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    bottom.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
    return figure


@explained
@style.styled
def plot_window_map(
    x: Along,
    t: Times,
    density: Float[Values, "n_t n_x"],
    v: Along,
    centres_x: Float[Values, " n_window"],
    centres_t: Float[Values, " n_window"],
) -> Figure:
    """Draw the centres of the windows in one run, over |psi|^2 in space-time.

    Dashed lines mark the edges of the potential, which is shown below.

    Args:
      x, t: Positions in bohr, and times of the frames in a.u.
      density, v: |psi|^2 in 1/bohr, and potential in hartree.
      centres_x, centres_t: Positions and times of the centres, in bohr and a.u.; may be empty.
    """
    x, t, v = style.axis("x", x, True), style.times(t, True), style.potential(x, v)
    require_shape((t.size, x.size), density=density)
    require_shape(np.shape(centres_x), centres_t=centres_t)
    density = np.ma.masked_invalid(np.asarray(density, float))
    figure = Figure(figsize=(10, 6.2), layout="constrained")
    top, strip = figure.subplots(2, 1, sharex=True, height_ratios=[4, 1])
    image = style.draw_map(top, x, t, density, "Blues", (0.0, style.limit(density)))
    n_dots = np.size(centres_x)
    top.scatter(
        centres_x,
        centres_t,
        s=np.clip(12_000 / max(n_dots, 1), 3, 30),
        c=ORANGE,
        ec="white",
        lw=0.3,
    )
    # The jumps of the potential; if there are none, its two ends.
    jumps = np.flatnonzero(np.abs(np.diff(v)) > 0.1 * np.ptp(v))
    for i in jumps if jumps.size else np.flatnonzero(np.diff((v != 0).astype(int))):
        top.axvline((x[i] + x[i + 1]) / 2, color=INK, lw=1, ls=(0, (4, 3)))
    style.draw_potential(strip, x, v)
    top.set(ylabel="t (a.u.)", title=f"{n_dots} window centres over $|\\psi|^2$")
    strip.set(xlabel="x (bohr)", ylabel="V (hartree)")
    figure.colorbar(image, ax=top, label="$|\\psi|^2$ (1/bohr)", extend="max", **BAR)
    return figure


@explained
@style.styled
def plot_potentials(
    x: Along, potentials: Mapping[str, Along], densities: Mapping[str, Along]
) -> Figure:
    """Draw a small panel for each case: the potential, filled, and the initial |psi|^2 over it.

    Args:
      x: Positions in bohr.
      potentials: Potentials in hartree, by name of the case.
      densities: |psi|^2 in 1/bohr, for the same names.
    """
    x = style.axis("x", x)
    if not potentials:
        refuse("potentials", "at least one potential", potentials)
    if set(potentials) != set(densities):
        refuse("densities", f"of the names {sorted(potentials)}", sorted(densities))
    every_v = np.concatenate([style.potential(x, v) for v in potentials.values()])
    require_shape(x.shape, **{f"densities[{name!r}]": rho for name, rho in densities.items()})
    require_finite(densities=list(densities.values()))
    highest = max(1e-12, *(float(np.max(rho)) for rho in densities.values()))
    n_columns = min(5, len(potentials))
    n_rows = -(-len(potentials) // n_columns)
    figure = Figure(figsize=(10, 1.1 + 1.55 * n_rows), layout="constrained")
    panels = figure.subplots(n_rows, n_columns, sharex=True, sharey=True, squeeze=False)
    for ax, name in zip(panels.flat, potentials, strict=False):
        style.draw_potential(ax, x, np.asarray(potentials[name], float), every_v)
        low, high = ax.get_ylim()
        packet = ax.twinx()
        packet.set(ylim=(1.1 * highest * low / high, 1.1 * highest), yticks=[])
        packet.fill_between(x, densities[name], color=BLUE, alpha=0.35, lw=0)
        packet.plot(x, densities[name], color=BLUE, lw=1.2)
        ax.set(title=name, xmargin=0)
    for ax in list(panels.flat)[len(potentials) :]:
        ax.set_visible(False)
    kinds = [
        Patch(fc=SAND, ec=STONE, label="potential V"),
        Patch(fc="#bccfe5", ec=BLUE, label=f"initial $|\\psi|^2$, at most {highest:.2g} / bohr"),
    ]
    figure.legend(handles=kinds, loc="outside upper center", ncols=2)
    figure.supxlabel("x (bohr)")
    figure.supylabel("V (hartree)")
    return figure


def _smooth(values: np.ma.MaskedArray, n_half: int) -> np.ma.MaskedArray:
    """The geometric mean over up to `n_half` neighbours on either side."""
    is_there, i = ~np.ma.getmaskarray(values), np.arange(values.size)
    # Symmetric ranges, so that the steep start is not flattened.
    left = np.minimum(n_half, i)
    right = np.minimum(left, values.size - 1 - i)
    logs = np.log(np.where(is_there, values.filled(1.0), 1.0))
    sums = (np.concatenate([[0.0], np.cumsum(a)]) for a in (logs, is_there))
    total, count = (a[i + right + 1] - a[i - left] for a in sums)
    return np.ma.masked_where(count == 0, np.exp(total / np.maximum(count, 1)))
