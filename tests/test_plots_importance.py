"""The figures of importance: what a reader needs of them, what they survive."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from figures import assert_labels, draw, xs

from qdistill import plots
from qdistill.insight import importance

LESSONS = ["free", "trapping", "tunnelling"]
INTERVAL = np.array([[0.5, 0.2, -0.1], [0.4, 0.1, -0.2], [0.6, 0.3, 0.0]])
PAIRS = np.array([[0.0, 0.3, -0.001], [0.3, 0.0, -0.25], [-0.001, -0.25, 0.0]])


def test_shares_show_every_measure_and_pair() -> None:
    figure = draw(plots.plot_shares(LESSONS, {"Shapley value": INTERVAL, "only one": PAIRS}, PAIRS))
    np.testing.assert_allclose(xs(figure.axes[0].lines[0]), INTERVAL[0])
    assert_labels(figure, *LESSONS, "Shapley value", "only one", "0.30", "-0.25", "0.00")
    assert "-0.00" not in [text.get_text() for text in figure.axes[1].texts]
    # A lesson makes no pair with itself.
    assert len(figure.axes[1].texts) == 6


def test_family_shares_have_a_row_for_each_family() -> None:
    families = ["lesson: free", "well"]
    figure = draw(plots.plot_family_shares(LESSONS, families, INTERVAL[:2]))
    shown: np.ma.MaskedArray = np.ma.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(shown, INTERVAL[:2])
    assert_labels(figure, *LESSONS, *families, "Shapley value, decades of error")


def test_figures_survive_values_that_are_all_zero() -> None:
    zero = np.zeros((3, 3))
    draw(plots.plot_shares(LESSONS, {"Shapley value": zero}, zero))
    draw(plots.plot_family_shares(LESSONS, LESSONS, zero))


def test_a_report_finds_its_figures() -> None:
    errors = np.random.default_rng(0).uniform(0.01, 1.0, size=(2, 8, 3, 4))
    report = importance.analyse(importance.Errors(tuple(LESSONS), ("a", "b", "c"), errors, errors))
    figures = plots.draw(report)
    assert set(figures) == {"shares", "family_shares"}
    assert_labels(figures["shares"], "Shapley value", "leave one out", "only one")
    assert_labels(figures["family_shares"], "lesson: free", "all potentials")
    np.testing.assert_allclose(
        xs(figures["shares"].axes[0].lines[0]), report.shares.mean[-1], atol=1e-12
    )


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    measures = {"a": INTERVAL}
    refused: dict[str, Callable[[], Any]] = {
        "`lessons` must be at least two": lambda: plots.plot_shares(["a"], measures, PAIRS),
        "`measures` must be 1 to 3 measures": lambda: plots.plot_shares(LESSONS, {}, PAIRS),
        "`measures['a']` must be finite": lambda: plots.plot_shares(
            LESSONS, {"a": INTERVAL * np.nan}, PAIRS
        ),
        "`pairs` must be of shape (3, 3)": lambda: plots.plot_shares(LESSONS, measures, PAIRS[0]),
        "`families` must be at least one": lambda: plots.plot_family_shares(LESSONS, [], PAIRS),
        "`shares` must be of shape (1, 3)": lambda: plots.plot_family_shares(LESSONS, ["a"], PAIRS),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
