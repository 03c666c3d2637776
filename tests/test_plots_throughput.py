"""The figures of speed: all solvers are named, faster ones stand above."""

import numpy as np
import pytest
from figures import assert_labels, draw, xs, ys

from experiments.throughput.figure import plot_scaling, plot_throughput

ROWS = {"slow": (10.0, 1e-2, False), "fast": (1e5, 3e-5, True), "broken": (50.0, np.inf, False)}


def test_solvers_stand_by_speed_with_their_errors() -> None:
    figure = draw(plot_throughput({"lattice": ROWS, "continuum": {"fast": ROWS["fast"]}}))
    top = figure.axes[0]
    assert [text.get_text() for text in top.get_yticklabels()] == ["fast", "broken", "slow"]
    assert [xs(line)[0] for line in top.lines] == [1e5, 50.0, 10.0]
    assert_labels(figure, "fast", "slow", "3e-05", "diverges")


def test_costs_are_lines_over_sizes() -> None:
    sweeps = {
        "packets": {"lattice": ([1, 2, 4], [0.1, 0.2, 0.5])},
        "points": {"lattice": ([8, 16], [0.1, 0.3])},
    }
    figure = draw(plot_scaling(sweeps))
    np.testing.assert_allclose(ys(figure.axes[0].lines[0]), [0.1, 0.2, 0.5])
    # In proportion, through the last point.
    np.testing.assert_allclose(ys(figure.axes[0].lines[1]), [0.125, 0.25, 0.5])
    assert_labels(figure, "packets", "points", "lattice", "seconds")


@pytest.mark.usefixtures("without_checker")
def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="`speed of x` must be finite and positive"):
        plot_throughput({"lattice": {"x": (0.0, 1.0, True)}})
    with pytest.raises(ValueError, match="`physics` must be solvers in every panel"):
        plot_throughput({"lattice": {}})
    with pytest.raises(ValueError, match="`sweeps` must be a solver in every panel"):
        plot_scaling({})
