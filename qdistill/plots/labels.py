"""Names beside points in a crowded panel."""

import itertools
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from qdistill.plots.style import SLATE, Mark

# In typographic points: a letter's width and a line's height at size 11, half a mark's width, and
# how far from its point a name may stand, and how far without a lead.
LETTER, HEIGHT, MARK, DISTANCES = 6.2, 13.0, 5.0, (12.0, 24.0, 36.0, 50.0, 70.0)
NEAR = 14.0
ANGLES = np.radians([0, 180, 30, -30, 150, -150, 60, -60, 120, -120, 90, -90])


def label_near(
    ax: Axes,
    marks: Sequence[Mark],
    lines: Sequence[Float[np.ndarray, "_ 2"]],
    size: tuple[float, float],
) -> None:
    """Names near their points, where they hide as little as may be, each led to its point.

    Args:
      ax: A panel with the limits that it keeps.
      marks: The names, and x, y and colour of the points.
      lines: x and y of all that is drawn, in straight lines from point to point.
      size: Of the panel in typographic points, roughly.
    """
    points = _places(ax, np.array([(x, y) for _, x, y, _ in marks]), size)
    corners = [_places(ax, line, size) for line in lines if line.size]
    crowd = (
        np.concatenate([*corners, points]),
        np.concatenate([_between(line) for line in corners] + [points]),
    )
    widths = [LETTER * len(name) for name, *_ in marks]
    boxes = arrange(points, widths, crowd, size)
    for (name, x, y, colour), point, box in zip(marks, points, boxes, strict=True):
        middle = box.mean(axis=0) - point
        lead = {"arrowstyle": "-", "color": SLATE, "lw": 0.8, "shrinkA": 0, "shrinkB": 7}
        ax.annotate(
            name,
            (x, y),
            (float(middle[0]), float(middle[1])),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=11,
            color=colour,
            zorder=4,
            arrowprops=lead if _gap(box, point) > NEAR else None,
            path_effects=[withStroke(linewidth=3, foreground="white")],
        )


def arrange(
    points: np.ndarray,
    widths: Sequence[float],
    crowd: tuple[np.ndarray, np.ndarray],
    size: tuple[float, float],
) -> list[np.ndarray]:
    """Lower left and upper right corner of each name; of some orders of placing them the best.

    Args:
      points: Whose names they are.
      widths: Of the names.
      crowd: Marks, all points included; and points on lines, which matter less.
      size: Of the panel.
    """
    n = len(points)
    rng = np.random.default_rng(0)
    orders = [range(n), range(n)[::-1], *(rng.permutation(n) for _ in range(4))]
    best: tuple[float, dict[int, np.ndarray]] = (np.inf, {})
    choices = [_boxes(point, width) for point, width in zip(points, widths, strict=True)]
    alone = [
        [_cost(box, point, points, crowd, size) for box in boxes]
        for boxes, point in zip(choices, points, strict=True)
    ]
    for order in orders:
        total, taken = 0.0, dict[int, np.ndarray]()
        for i in order:
            costs = [
                cost + sum(_meet(box, points[i], taken[j], points[j]) for j in taken)
                for box, cost in zip(choices[i], alone[i], strict=True)
            ]
            total += min(costs)
            taken[i] = choices[i][int(np.argmin(costs))]
        best = min(best, (total, taken), key=lambda found: found[0])
    return [best[1][i] for i in range(n)]


def _places(ax: Axes, points: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Points in a panel, in typographic points from its lower left corner."""
    return (ax.transScale + ax.transLimits).transform(points) * size


def _between(corners: np.ndarray) -> np.ndarray:
    """Points that lie close along a line."""
    pieces = [
        np.linspace(a, b, 2 + int(np.hypot(*(b - a)) / 4)) for a, b in itertools.pairwise(corners)
    ]
    return np.concatenate([corners, *pieces])


def _boxes(point: np.ndarray, width: float) -> list[np.ndarray]:
    """Where a name may stand around its point."""
    half = np.array([width, HEIGHT]) / 2
    middles = [
        point + np.array([np.cos(angle), np.sin(angle)]) * (far + half)
        for far, angle in itertools.product(DISTANCES, ANGLES)
    ]
    return [np.array([middle - half, middle + half]) for middle in middles]


def _cost(
    box: np.ndarray,
    point: np.ndarray,
    points: np.ndarray,
    crowd: tuple[np.ndarray, np.ndarray],
    size: tuple[float, float],
) -> float:
    """How bad a place is, whatever the places of the other names."""
    outside = np.maximum(0, [-box[0], box[1] - size]).sum()
    others = points[np.any(points != point, axis=1)]
    is_through = (np.linalg.norm(others[:, None] - _lead(box, point), axis=-1) < 9).any()
    # A name that stands apart from its point is led to it, and then clear.
    near = _gap(box, point)
    is_unclear = near <= NEAR and any(_gap(box, to) < near + 4 for to in others)
    hidden = 60 * _hidden(box, crowd[0]) + 8 * _hidden(box, crowd[1])
    return float(100 * outside + 300 * is_through + 200 * is_unclear + hidden + near)


def _meet(box: np.ndarray, point: np.ndarray, other: np.ndarray, its_point: np.ndarray) -> float:
    """The cost of two names, or of what leads them to their points, upon each other."""
    return 500.0 * (
        bool(np.all(box[0] < other[1]) and np.all(other[0] < box[1]))
        or _hidden(other, _lead(box, point)) > 0
        or _hidden(box, _lead(other, its_point)) > 0
    )


def _lead(box: np.ndarray, point: np.ndarray) -> np.ndarray:
    """Points on the way from a point to the edge of its name."""
    end = np.clip(point, box[0], box[1])
    return point + np.linspace(0, 1, 12)[:, None] * (end - point)


def _hidden(box: np.ndarray, points: np.ndarray) -> int:
    """How many marks at these points a name touches."""
    return int(np.all((points > box[0] - MARK) & (points < box[1] + MARK), axis=1).sum())


def _gap(box: np.ndarray, point: np.ndarray) -> float:
    """From the edge of a name to a point."""
    return float(np.linalg.norm(point - np.clip(point, box[0], box[1])))
