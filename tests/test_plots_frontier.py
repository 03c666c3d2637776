"""The figure of work and precision: what a reader needs of it, what it survives."""

import math

import pytest
from figures import assert_apart, assert_labels, draw, xs, ys

from qdistill import plots


def row(kind: str, seconds: float, error: float) -> dict[str, object]:
    return {"kind": kind, "job_seconds": seconds, "rms_error": error}


ROWS = {
    "split, 2": row("split step", 4.0, 1e-3),
    "split, 1": row("split step", 2.0, 1e-2),
    "demo": row("student", 1.0, 5e-3),
    "gru": row("student", 50.0, 5e-1),
}


def test_a_kind_is_a_line_by_cost_and_a_student_has_its_name() -> None:
    figure = plots.plot_frontier(ROWS)
    assert_apart(figure, "demo", "gru")
    line = figure.axes[0].lines[0]
    assert (list(xs(line)), list(ys(line))) == ([2.0, 4.0], [1e-2, 1e-3])
    assert_labels(figure, "split step", "student", "relative error", "seconds")


def test_what_diverges_is_left_out_and_named() -> None:
    figure = draw(plots.plot_frontier(ROWS | {"wild": row("student", 1.0, math.inf)}))
    assert_labels(figure, "not finite, and left out: wild")


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="`contenders` must be of 1 to 8 kinds, but is of 0"):
        plots.plot_frontier({})
