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
            arrowprops=lead if _gaps(box[None], point)[0] > NEAR else None,
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
    choices = [_boxes(point, width) for point, width in zip(points, widths, strict=True)]
    leads = [_leads(boxes, point) for boxes, point in zip(choices, points, strict=True)]
    alone = [_costs(choices[i], leads[i], i, points, crowd, size) for i in range(n)]
    best: tuple[float, dict[int, int]] = (np.inf, {})
    for order in orders:
        total, taken = 0.0, dict[int, int]()
        for i in order:
            costs = alone[i] + sum(
                500 * _meet(choices[i], leads[i], choices[j][place], leads[j][place])
                for j, place in taken.items()
            )
            taken[i] = int(np.argmin(costs))
            total += costs[taken[i]]
        best = min(best, (total, taken), key=lambda found: found[0])
    return [choices[i][best[1][i]] for i in range(n)]


def _places(ax: Axes, points: np.ndarray, size: tuple[float, float]) -> np.ndarray:
    """Points in a panel, in typographic points from its lower left corner."""
    return (ax.transScale + ax.transLimits).transform(points) * size


def _between(corners: np.ndarray) -> np.ndarray:
    """Points that lie close along a line."""
    pieces = [
        np.linspace(a, b, 2 + int(np.hypot(*(b - a)) / 4)) for a, b in itertools.pairwise(corners)
    ]
    return np.concatenate([corners, *pieces])


def _boxes(point: np.ndarray, width: float) -> np.ndarray:
    """Lower left and upper right corners of all places for a name around its point."""
    half = np.array([width, HEIGHT]) / 2
    ways = np.column_stack([np.cos(ANGLES), np.sin(ANGLES)])
    middles = point + np.concatenate([ways * (far + half) for far in DISTANCES])
    return np.stack([middles - half, middles + half], axis=1)


def _leads(boxes: np.ndarray, point: np.ndarray) -> np.ndarray:
    """For each box, points on the way from its point to its edge."""
    ends = np.clip(point, boxes[:, 0], boxes[:, 1])
    return point + np.linspace(0, 1, 12)[:, None] * (ends - point)[:, None]


def _costs(
    boxes: np.ndarray,
    leads: np.ndarray,
    i: int,
    points: np.ndarray,
    crowd: tuple[np.ndarray, np.ndarray],
    size: tuple[float, float],
) -> np.ndarray:
    """How bad each place for the name of a point is, whatever the places of the other names."""
    outside = np.maximum(0, -boxes[:, 0]) + np.maximum(0, boxes[:, 1] - size)
    cost = _gaps(boxes, points[i]) + 100 * outside.sum(axis=1)
    for weight, marks in zip((60, 8), crowd, strict=True):
        cost += weight * _inside(marks, boxes[:, None]).sum(axis=1)
    for other in points[np.any(points != points[i], axis=1)]:
        cost += 300 * (np.linalg.norm(leads - other, axis=-1) < 9).any(axis=1)
        # A name that stands apart from its point is led to it, and then clear.
        near = _gaps(boxes, points[i])
        cost += 200 * ((near <= NEAR) & (_gaps(boxes, other) < near + 4))
    return cost


def _meet(
    boxes: np.ndarray, leads: np.ndarray, other: np.ndarray, its_lead: np.ndarray
) -> np.ndarray:
    """Which of the boxes, or what leads to them, touch another name or what leads to it."""
    upon = np.all((boxes[:, 0] < other[1]) & (other[0] < boxes[:, 1]), axis=1)
    return upon | _inside(leads, other).any(axis=1) | _inside(its_lead, boxes[:, None]).any(axis=1)


def _inside(points: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Whether marks at these points touch a box."""
    above, below = points > boxes[..., 0, :] - MARK, points < boxes[..., 1, :] + MARK
    return np.all(above & below, axis=-1)


def _gaps(boxes: np.ndarray, point: np.ndarray) -> np.ndarray:
    """From the edges of boxes to a point."""
    return np.linalg.norm(point - np.clip(point, boxes[..., 0, :], boxes[..., 1, :]), axis=-1)
