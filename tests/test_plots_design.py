"""The figures of designs: what is drawn is what was found, and all of it is named."""

import numpy as np
import pytest
from figures import assert_labels, draw, xs, ys

from experiments.design.figure import plot_through
from qdistill.insight.design import Design, Verdict
from qdistill.plots import plot_designs

E = np.linspace(3, 5, 21)
SOME = np.array([3.5, 4.0, 4.5])
VERDICT = Verdict(SOME, SOME / 10, 1 - SOME / 10, SOME / 10 + 0.01)
FOUND = Design(
    np.linspace(45, 55, 30), np.linspace(0, 2, 30), E, 0 * E + 0.5, E / 10, VERDICT, np.zeros(2)
)
ROW = {"believed": [0.5, 0.5], "exact": [0.4, 0.55]}
TASK = {"energy_hartree": [3.0, 4.0], "asked": [0.6, 0.6], "designers": {"demo": ROW, "gru": ROW}}


def test_designs_stand_beside_what_was_asked() -> None:
    figure = draw(plot_designs({"splitter": FOUND, "mirror": FOUND}))
    top = figure.axes[0]
    target, curve, expected, packets = top.lines
    np.testing.assert_array_equal(ys(target), FOUND.target)
    np.testing.assert_array_equal(ys(curve), FOUND.transmission)
    np.testing.assert_array_equal(xs(packets), VERDICT.energy)
    np.testing.assert_array_equal(ys(packets), VERDICT.transmitted)
    np.testing.assert_array_equal(ys(expected), VERDICT.expected)
    assert_labels(
        figure, "splitter", "mirror", "energy (hartree)", "transmission", "x (bohr)", "V (hartree)",
        "target", "packets", "plane waves",
    )  # fmt: skip


def test_what_was_believed_stands_beside_what_is() -> None:
    figure = draw(plot_through({"splitter": TASK, "filter": TASK}))
    lines = figure.axes[0].lines
    drawn = [ys(line).tolist() for line in lines]
    assert drawn.count(ROW["believed"]) == 2
    assert drawn.count(ROW["exact"]) == 2
    assert_labels(
        figure, "demo", "gru", "target", "own forecast", "by the exact solver", "transmitted share"
    )


@pytest.mark.usefixtures("without_checker")
def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match="`designs` must be of 1 to 4 designs, but is of 0"):
        plot_designs({})
    with pytest.raises(ValueError, match="`tasks` must be at least one task"):
        plot_through({})
