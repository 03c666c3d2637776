"""The figure of work and precision: what a reader needs of it, what it survives."""

import json
import math
import pathlib

import pytest
from figures import assert_apart, assert_labels, draw, xs, ys

from experiments.frontier.figure import LABELS, plot_frontier
from qdistill.plots.style import INK

RESULTS = pathlib.Path(__file__).parents[1] / "results"


def row(kind: str, seconds: float, error: float) -> dict[str, object]:
    return {"kind": kind, "job_seconds": seconds, "rms_error": error}


ROWS = {
    "split, 2": row("split step", 4.0, 1e-3),
    "split, 1": row("split step", 2.0, 1e-2),
    "demo": row("student", 1.0, 5e-3),
    "gru": row("student", 50.0, 5e-1),
}


def test_a_kind_is_a_line_in_order_and_a_student_has_its_name() -> None:
    figure = plot_frontier(ROWS)
    assert_apart(figure, "demo", "gru")
    line = figure.axes[0].lines[0]
    assert (list(xs(line)), list(ys(line))) == ([4.0, 2.0], [1e-3, 1e-2])
    assert_labels(figure, "split step", "student", "relative L2 error", "seconds")


def test_students_of_several_sizes_are_joined_and_named_once() -> None:
    sizes = {f"few, {n} points": row("student", n / 100, 1 / n) for n in (100, 200)}
    figure = draw(plot_frontier(ROWS | sizes))
    names = {str(line.get_label()): len(xs(line)) for line in figure.axes[0].lines}
    assert names == {"split step": 2, "demo": 1, "gru": 1, "few": 2}


@pytest.mark.parametrize("run", ["work_precision", "coarse"])
def test_everyone_is_in_the_legend_with_a_mark_of_its_own(run: str) -> None:
    found = json.loads((RESULTS / run / "metrics.json").read_text())["contenders"]
    figure = plot_frontier(found)
    lines = figure.axes[0].lines
    names = [str(line.get_label()) for line in lines]
    everyone = [name for name, each in found.items() if each["kind"] == "student"]
    stems = [name.rsplit(", ", 1)[0] for name in everyone]
    students = {s if stems.count(s) > 1 else n for s, n in zip(stems, everyone, strict=True)}
    kinds = {each["kind"] for each in found.values()} - {"student"}
    assert set(names) == students | {LABELS.get(kind, kind) for kind in kinds}
    assert_apart(figure, *names)
    looks = [(line.get_color(), line.get_marker()) for line in lines]
    assert len(set(looks)) == len(looks)
    assert {n for n, (colour, _) in zip(names, looks, strict=True) if colour == INK} == students


def test_what_diverges_is_left_out_and_named() -> None:
    figure = draw(plot_frontier(ROWS | {"wild": row("student", 1.0, math.inf)}))
    assert_labels(figure, "not finite, and left out: wild")


def test_nothing_to_draw_is_refused() -> None:
    with pytest.raises(ValueError, match="`contenders` must be of 1 to 12 kinds, but is of 0"):
        plot_frontier({})
