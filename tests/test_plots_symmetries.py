"""The figure of symmetries: what a reader needs of it, what it survives."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from figures import assert_labels, draw, texts
from matplotlib.text import Text

from qdistill import plots
from qdistill.insight.harness import Report
from qdistill.insight.symmetries import SymmetryReport

FORMULAS = {"mirror": "x -> -x in psi", "phase": "psi -> exp(i pi / 2) psi", "boost": "k -> k + 1"}
CELLS = [(1e-7, None, "holds"), (3e-3, 0.5, "partly kept"), (1.0, 0.71, "as accurate")]


def columns(n: int) -> dict[str, Any]:
    return {f"student {i},\nother": list(CELLS) for i in range(n)}


def test_symmetries_have_rows_and_columns_of_violations_and_words() -> None:
    figure = draw(plots.plot_symmetries(FORMULAS, columns(2), 1e-6))
    shown: np.ma.MaskedArray = np.ma.asarray(figure.axes[0].images[0].get_array())
    np.testing.assert_allclose(shown, np.array([[1e-6, 1e-6], [3e-3, 3e-3], [1, 1]]))
    assert_labels(figure, *FORMULAS, "x → -x in ψ", "exp(i π / 2)", "student 1,\nother")
    assert_labels(figure, "1e-7", "3e-3   $\\rho$ 0.50", "holds", "as accurate", "violation")


def test_symmetries_are_lighter_the_better_they_hold_and_can_be_read() -> None:
    figure = draw(plots.plot_symmetries(FORMULAS, columns(1), 1e-6))
    image = figure.axes[0].images[0]
    luminances = [
        float(np.dot(image.to_rgba(value)[:3], (0.2126, 0.7152, 0.0722)))
        for value in np.geomspace(1e-6, 1, 9)
    ]
    assert np.all(np.diff(luminances) < 0)
    colours = {
        text.get_text(): text.get_color() for text in figure.findobj(Text) if isinstance(text, Text)
    }
    assert colours["as accurate"] == "white"
    assert colours["holds"] != "white"


@pytest.mark.parametrize("n_column", [1, 4, 8])
def test_words_stay_in_their_cells(n_column: int) -> None:
    widest = [(3e-3, 0.71, "unlike the teacher")] * 3
    figure = draw(plots.plot_symmetries(FORMULAS, dict.fromkeys(columns(n_column), widest)))
    ax = figure.axes[0]
    cell = ax.get_window_extent().width / n_column
    for text in ax.texts:
        box = text.get_window_extent()
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        if text.get_text().startswith(("unlike", "3e-3")):
            assert box.width < cell


def test_symmetries_survive_what_is_not_finite() -> None:
    cells = [(np.inf, None, "diverges"), (np.nan, None, "diverges"), (0.0, None, "holds")]
    figure = draw(plots.plot_symmetries(FORMULAS, {"lost": cells}))
    shown: np.ma.MaskedArray = np.ma.asarray(figure.axes[0].images[0].get_array())
    assert np.ma.getmaskarray(shown).ravel().tolist() == [True, True, False]
    assert "diverges" in texts(figure)


def report(n_student: int) -> SymmetryReport:
    """Of the exact solver, students and a null model."""

    def row(value: float, rho: float, verdict: str) -> dict[str, Any]:
        violation, ratio = (
            {"median": number, "low": number, "high": number} for number in (value, rho)
        )
        return {
            "verdict": verdict, "violation": violation, "rho": ratio,
            "control_violation": {"median": 1.0}, "control_fires": True,
        }  # fmt: skip

    rows = {"mirror": row(1e-7, 0.9, "holds"), "phase": row(1e-3, 0.5, "partly kept")}
    names = ["exact solver", *(f"student {i}" for i in range(n_student)), "clamped"]
    numbers = {
        "formulas": {name: FORMULAS[name] for name in rows},
        "rounding": 1e-6,
        "roles": dict.fromkeys(names, "emulator") | {"clamped": "null"},
        "findings": {name: {"barriers": rows, "other potentials": rows} for name in names},
    }
    return SymmetryReport(numbers, "")


def test_a_report_is_drawn_with_its_null_models_next_to_its_students() -> None:
    (figure,) = plots.draw(report(2)).values()
    draw(figure)
    assert_labels(figure, "student 1,\nbarriers", "clamped\n(null model),\nother\npotentials")
    assert_labels(figure, "exact solver", "negative\ncontrol", "fires", "broken")
    # Rho where it decides the verdict.
    assert texts(figure).count("$\\rho$ 0.50") == 6
    assert "$\\rho$ 0.90" not in texts(figure)
    assert list(plots.draw(report(3))) == ["symmetries", "symmetries-2"]


def test_what_has_no_figure_is_refused() -> None:
    with pytest.raises(ValueError, match="`report` must be of an analysis that has a figure"):
        plots.draw(Report({}, ""))


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    refused: dict[str, Callable[[], Any]] = {
        "`formulas` must be at least one symmetry": lambda: plots.plot_symmetries({}, columns(1)),
        "`columns` must be 1 to 8 columns, but is 0": lambda: plots.plot_symmetries(FORMULAS, {}),
        "`columns` must be 1 to 8 columns, but is 9": lambda: plots.plot_symmetries(
            FORMULAS, columns(9)
        ),
        "`columns['a']` must be of shape (3,), but is of shape (1,)": lambda: plots.plot_symmetries(
            FORMULAS, {"a": CELLS[:1]}
        ),
        "`columns` must be between 0 and inf": lambda: plots.plot_symmetries(
            FORMULAS, {"a": [(-1.0, None, "holds")] * 3}
        ),
        "`rounding` must be between 0 and 0.99": lambda: plots.plot_symmetries(
            FORMULAS, columns(1), 1.0
        ),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
