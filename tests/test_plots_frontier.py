"""The figure of work and precision: what a reader needs of it, what it survives."""

import json
import math
import pathlib

import numpy as np
import pytest
from figures import assert_apart, assert_labels, draw, xs, ys
from matplotlib.text import Text

from experiments.frontier import labels
from experiments.frontier.figure import plot_frontier

RESULTS = pathlib.Path(__file__).parents[1] / "results"


def row(kind: str, seconds: float, error: float) -> dict[str, object]:
    return {"kind": kind, "job_seconds": seconds, "rms_error": error}


ROWS = {
    "split, 2": row("split step", 4.0, 1e-3),
    "split, 1": row("split step", 2.0, 1e-2),
    "demo": row("student", 1.0, 5e-3),
    "gru": row("student", 50.0, 5e-1),
}


def test_a_kind_is_a_line_by_cost_and_a_student_has_its_name() -> None:
    figure = plot_frontier(ROWS)
    assert_apart(figure, "demo", "gru")
    line = figure.axes[0].lines[0]
    assert (list(xs(line)), list(ys(line))) == ([2.0, 4.0], [1e-2, 1e-3])
    assert_labels(figure, "split step", "student", "relative error", "seconds")


def test_students_of_several_sizes_are_joined_and_named_once() -> None:
    sizes = {f"few, {n} points": row("student", n / 100, 1 / n) for n in (100, 200)}
    figure = draw(plot_frontier(ROWS | sizes))
    ax = figure.axes[0]
    assert {text.get_text() for text in ax.texts} >= {"few", "demo", "gru"}
    assert sorted(map(len, map(xs, ax.lines))) == [0, 1, 1, 2, 2]


@pytest.mark.parametrize("run", ["work_precision", "coarse"])
def test_names_of_students_lie_apart_from_each_other_and_from_marks(run: str) -> None:
    found = json.loads((RESULTS / run / "metrics.json").read_text())["contenders"]
    everyone = [name for name, each in found.items() if each["kind"] == "student"]
    stems = [name.rsplit(", ", 1)[0] for name in everyone]
    students = sorted(
        {s if stems.count(s) > 1 else n for s, n in zip(stems, everyone, strict=True)}
    )
    figure = plot_frontier(found)
    assert_apart(figure, *students)
    ax = figure.axes[0]
    names = [text for text in ax.texts if text.get_text() in students]
    assert len(names) == len(students)
    marks = np.concatenate([ax.transData.transform(line.get_xydata()) for line in ax.lines])
    for name in names:
        box = Text.get_window_extent(name)
        inside = (marks > box.min) & (marks < box.max)
        assert not inside.all(axis=1).any(), name.get_text()


def test_names_of_close_points_are_led_to_them() -> None:
    points = np.array([[300.0, 200.0], [302.0, 200.0], [300.0, 203.0], [40.0, 40.0]])
    boxes = labels.arrange(points, [60.0] * 4, (points, points), (650.0, 360.0))
    for i, box in enumerate(boxes):
        assert (box[0] >= 0).all()
        assert (box[1] <= (650, 360)).all()
        for other in boxes[:i]:
            assert not ((box[0] < other[1]) & (other[0] < box[1])).all()
    gaps = [np.linalg.norm(p - np.clip(p, *box)) for p, box in zip(points, boxes, strict=True)]
    assert min(gaps[:3]) > labels.NEAR > gaps[3]


def test_what_diverges_is_left_out_and_named() -> None:
    figure = draw(plot_frontier(ROWS | {"wild": row("student", 1.0, math.inf)}))
    assert_labels(figure, "not finite, and left out: wild")


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="`contenders` must be of 1 to 8 kinds, but is of 0"):
        plot_frontier({})
