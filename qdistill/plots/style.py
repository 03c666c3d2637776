"""The common style of all figures, shared drawing functions, and writing to a file."""

import itertools
import os
from collections.abc import Sequence
from typing import Any, TypeAlias

import jax
import matplotlib
import numpy as np
from jaxtyping import Complex, Float
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.transforms import offset_copy

from qdistill import _files
from qdistill._checks import refuse, require_finite, require_shape
from qdistill._refusals import explained

Values: TypeAlias = np.ndarray | jax.Array
Along: TypeAlias = Float[Values, " n_x"]
Times: TypeAlias = Float[Values, " n_t"]
# A label, x and y of its point, and its colour.
Mark: TypeAlias = tuple[str, float, float, str]
Frames: TypeAlias = Complex[Values, "n_t n_x"]

# Blue is darker than orange, so the two differ in greyscale too.
INK, BLUE, ORANGE, GREY, SAND = "#1b1f24", "#1f5fa8", "#f08a24", "#8a9099", "#dcd6ca"
MISSING, STONE, GRID, SLATE = "#c9c9c9", "#7d7564", "#e4e6ea", "#5b626b"
ON_WHITE = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 2}
FLOOR = 1e-7
BAR: dict[str, Any] = {"aspect": 30, "pad": 0.02}
SIGNED = LinearSegmentedColormap.from_list(
    "signed", ["#08224f", "#1f5fa8", "#7fb0dc", "#fbfaf7", "#f6b26b", "#e0701b", "#8c3606"]
)
# Styles of curves that share a panel; the twelve differ in colour and in line style.
COLOURS = (
    *("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00"),
    *("#5b3a8c", "#1b1f24", "#882255", "#999933", "#7d8590", "#7f4f24"),
)
LINE_STYLES: tuple[Any, ...] = (
    *("-", "--", "-.", ":", (0, (5, 1, 1, 1, 1, 1)), (0, (1, 2)), (0, (8, 3))),
    *((0, (12, 2, 2, 2)), (0, (4, 4)), (0, (12, 3)), (0, (8, 2, 1, 2, 1, 2, 1, 2)), (0, (1, 4))),
)

STYLE: dict[Any, Any] = {
    **dict.fromkeys(("font.size", "figure.labelsize"), 12),
    **dict.fromkeys(("axes.titlesize", "xtick.labelsize", "ytick.labelsize"), 11),
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.labelcolor", "ytick.labelcolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "xtick.color", "ytick.color"), SLATE),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right", "legend.frameon"), False),
}
styled = matplotlib.rc_context(STYLE)


@explained
def save(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a figure as a PNG of 150 dots per inch, and make its folder if it is missing.

    Raises:
      OSError: If it cannot be written; an older file stays as it was.
    """
    with _files.whole(path) as new:
        figure.savefig(new, dpi=150, format="png")


@explained
def axis(name: str, values: Any, is_even: bool = False) -> np.ndarray:
    """Return the points of an axis; refuse others than finite ascending ones.

    Args:
      name: Name of the axis in error messages.
      values: The points.
      is_even: Whether they must be at least two and evenly spaced, as for a map.
    """
    points = np.asarray(values, float)
    if points.ndim != 1 or points.size < 1 + is_even:
        refuse(name, f"a list of {1 + is_even} points or more", f"of shape {points.shape}")
    require_finite(**{name: points})
    spacing = np.diff(points)
    if not np.all(spacing > 0):
        refuse(name, "rising", points)
    if is_even and not np.allclose(spacing, spacing.mean(), rtol=1e-2):
        refuse(name, "evenly spaced", points)
    return points


@explained
def times(t: Any, is_even: bool = False) -> np.ndarray:
    """Return times; refuse others than finite ones that rise or, backwards in time, fall.

    Args:
      t: The times.
      is_even: Whether they must be at least two and evenly spaced, as for a map.
    """
    points = np.asarray(t, float)
    falls = points.ndim == 1 and points.size > 1 and points[-1] < points[0]
    return axis("t", points[::-1], is_even)[::-1] if falls else axis("t", points, is_even)


@explained
def potential(x: Values, v: Values) -> np.ndarray:
    """Return a potential; refuse one of another shape than x, or not finite."""
    require_shape(np.shape(x), v=v)
    require_finite(v=v)
    return np.asarray(v, float)


@explained
def limit(values: np.ndarray) -> float:
    """Return the end of a colour scale: the 99.5th percentile, and never zero."""
    finite = np.ma.compressed(np.ma.masked_invalid(values))
    return max(float(np.percentile(finite, 99.5)) if finite.size else 0.0, 1e-12)


@explained
def draw_map(ax: Axes, x: Any, t: Any, values: Any, cmap: Any, limits: Any) -> AxesImage:
    """Draw a space-time map with time upward."""
    half_x, half_t = (x[1] - x[0]) / 2, (t[1] - t[0]) / 2
    extent = (x[0] - half_x, x[-1] + half_x, t[0] - half_t, t[-1] + half_t)
    ax.spines[:].set_visible(True)
    cmap = matplotlib.colormaps.get_cmap(cmap).with_extremes(bad=MISSING)
    return ax.imshow(values, origin="lower", aspect="auto", extent=extent, cmap=cmap, clim=limits)


@explained
def draw_potential(ax: Axes, x: np.ndarray, v: np.ndarray, every_v: Any = None) -> None:
    """Draw a potential, filled from zero, with limits from it or from all that is finite."""
    ax.fill_between(x, v, color=SAND, lw=0)
    ax.plot(x, v, color=STONE, lw=1)
    levels = np.append(v if every_v is None else every_v, 0)
    levels = levels[np.isfinite(levels)]
    span = np.ptp(levels) or 1.0
    ax.set_ylim(levels.min() - 0.1 * span, levels.max() + 0.15 * span)


@explained
def note(ax: Axes, across: float, up: float, text: str, ha: str = "center") -> None:
    """Draw a note at a position in a panel, on white."""
    ax.text(across, up, text, transform=ax.transAxes, ha=ha, va="center", bbox=ON_WHITE)


@explained
def floored(values: Any) -> np.ma.MaskedArray:
    """Return values for a log axis: not finite ones masked, small ones raised to the floor."""
    values = np.ma.masked_invalid(np.asarray(values, float))
    return np.ma.maximum(values, FLOOR)


@explained
def log_limits(ax: Axes, *drawn: Any) -> None:
    """Set a log y axis around the curves; errors above 10 are cut off if others are small."""
    groups = [there for values in drawn if (there := np.ma.compressed(values)).size]
    low = min((float(there.min()) for there in groups), default=FLOOR)
    highs = [float(there.max()) for there in groups] or [1.0]
    cut = max(10.0, 1e4 * min(highs))
    ax.set(yscale="log", ylim=(0.6 * min(low, cut / 10), 1.7 * min(max(highs), cut)))


@explained
def label_right(ax: Axes, ends: Sequence[Mark]) -> None:
    """Draw the names of lines at the right of a panel, without overlap, with leaders."""
    low, high = ax.get_ylim()
    ends = [(name, x, np.clip(y, low, high), colour) for name, x, y, colour in ends]
    ends = sorted((end for end in ends if np.isfinite(end[2])), key=lambda end: end[2])
    places = [_place(ax, x, y) for _, x, y, _ in ends]
    ups = spread([up for _, up in places], 0.05)
    for (name, x, y, colour), (across, _), up in zip(ends, places, ups, strict=True):
        lead = {"arrowstyle": "-", "color": colour, "lw": 1.2, "relpos": (0, 0.5)}
        # A long leader must not look like data.
        lead |= {"shrinkA": 0, "shrinkB": 0, "ls": "-" if across > 0.97 else ":"}
        ax.annotate(
            name,
            (x, y),
            (1.035, up),
            textcoords="axes fraction",
            va="center",
            annotation_clip=False,
            arrowprops=lead,
        ).set_fontsize(11)


@explained
def label_top(ax: Axes, marks: Sequence[Mark], width: float) -> None:
    """Draw labels above a panel, on poles from their points; the figure grows."""
    across = [float(_place(ax, x, y)[0]) for _, x, y, _ in marks]
    figure: Any = ax.get_figure(root=True)
    # A letter of 11 points is about 6 wide.
    sides, rows = fly(across, [(6.0 * len(name) + 10) / width for name, *_ in marks])
    figure.set_figheight(figure.get_figheight() + 0.24 * (max(rows, default=-1) + 1))
    for (name, x, y, colour), side, row in zip(marks, sides, rows, strict=True):
        lead = {"arrowstyle": "-", "color": colour, "lw": 1, "shrinkA": 0, "shrinkB": 0}
        pole = offset_copy(ax.get_xaxis_transform(), figure, y=12 + 17 * row, units="points")
        ax.annotate("", (x, y), (x, 1), textcoords=pole, arrowprops=lead, annotation_clip=False)
        place = offset_copy(pole, figure, x=3 * side, units="points")
        text = ax.text(x, 1, name, transform=place, ha="left" if side > 0 else "right", va="center")
        text.set(fontsize=11, zorder=5, bbox=ON_WHITE)


@explained
def spread(wanted: Sequence[float], gap: float) -> np.ndarray:
    """Return positions in [0, 1] nearest to ascending wanted ones, at least a gap apart."""
    n = len(wanted)
    gap = min(gap, 1 / max(n, 1))
    free = np.asarray(wanted, float) - gap * np.arange(n)
    # Isotonic regression, in its closed form.
    rising = [
        max(min(free[i : k + 1].mean() for k in range(j, n)) for i in range(j + 1))
        for j in range(n)
    ]
    return np.clip(rising, 0, 1 - gap * (n - 1)) + gap * np.arange(n)


@explained
def fly(across: Sequence[float], lengths: Sequence[float]) -> tuple[Sequence[int], Sequence[int]]:
    """Return the side of its pole and the row of each label, such that none covers another.

    Args:
      across: Positions of the poles, from 0 to 1.
      lengths: Lengths of the labels.
    """
    n = len(across)
    edges = [1 if x + length <= 1 else -1 for x, length in zip(across, lengths, strict=True)]
    # All choices of sides, if they are few.
    choices = itertools.product((1, -1), repeat=n) if n <= 6 else [(1,) * n, edges]
    best: Any = None
    for sides in choices:
        flags = zip(across, sides, lengths, strict=True)
        spans = [tuple(sorted((x, x + side * length))) for x, side, length in flags]
        rows, n_hidden = _rows(across, spans)
        outside = sum(max(0, -low) + max(0, high - 1) for low, high in spans)
        score = (n_hidden, round(outside, 3), max(rows, default=0), -sum(sides))
        if best is None or score < best[0]:
            best = score, sides, rows
    return best[1:]


def _rows(across: Sequence[float], spans: Sequence[Any]) -> tuple[list[int], int]:
    """The lowest rows without overlaps of labels and poles, and the number of overlaps left."""
    rows: dict[int, int] = {}
    n, n_hidden = len(across), 0

    def hides(i: int, j: int) -> bool:
        return spans[i][0] + 1e-9 < across[j] < spans[i][1] - 1e-9

    # A label that would cover a pole is placed after it, above.
    depths = [0] * n
    for _ in range(n):
        depths = [
            max((depths[j] + 1 for j in range(n) if hides(i, j)), default=0) for i in range(n)
        ]
    for i in sorted(range(n), key=lambda i: (depths[i], -across[i])):
        meeting = {
            row
            for j, row in rows.items()
            if spans[i][0] < spans[j][1] and spans[j][0] < spans[i][1]
        }
        free = [row for row in range(n) if row not in meeting]
        clear = [
            row
            for row in free
            if not any(
                (other < row and hides(j, i)) or (other > row and hides(i, j))
                for j, other in rows.items()
            )
        ]
        n_hidden += not clear
        rows[i] = (clear or free)[0]
    return [rows[i] for i in range(n)], n_hidden


def _place(ax: Axes, x: float, y: float) -> np.ndarray:
    """The coordinates of a point in the panel, from 0 to 1."""
    return (ax.transScale + ax.transLimits).transform((x, y))
