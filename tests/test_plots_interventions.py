"""The figures of interventions: what a reader needs of them, what they survive."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from figures import assert_labels, draw, xs

from qdistill import plots
from qdistill.insight.interventions import InterventionReport

NAN = float("nan")


def interval(value: float) -> dict[str, float]:
    return {"median": value, "low": 0.8 * value, "high": 1.2 * value}


def intervention(effect: float, *families: str) -> dict[str, Any]:
    exact = {"effect": interval(effect), "moved": interval(effect / 2)}
    said = {"exact solver": 1e-7, "blind solver": 1.0, "demo": 0.01, "gru": 0.4}
    findings = {
        who: {
            "taught": {"effect_error": interval(value)},
            "other": {"effect_error": interval(NAN if who == "gru" else 2 * value)},
        }
        for who, value in said.items()
    }
    return {"exact": {name: exact for name in ("all", *families)}, "findings": findings}


EFFECTS = {
    "nothing": intervention(0.0, "barrier"),
    "no potential": intervention(1.3, "barrier", "steps"),
    "phase flipped": intervention(1.4, "barrier", "free"),
}


def subject(n_history: int, n_offset: int = 5) -> dict[str, Any]:
    names = [*(f"t - {n}" for n in range(n_history)), "all frames alike", "newest with its past"]
    psi = np.ones((len(names), n_offset)).tolist()
    return {"frames": names, "rms": {"Re psi": psi, "Im psi": psi, "v": [[0.1] * n_offset]}}


SENSITIVITY: dict[str, Any] = {
    "offset_points": [-2, -1, 0, 1, 2],
    "points": {"exact solver": subject(1), "gru": subject(4)},
}


def test_effects_stand_by_process_and_family() -> None:
    figure = draw(plots.plot_interventions(EFFECTS))
    left, right = figure.axes
    values: np.ma.MaskedArray = np.ma.asarray(left.images[0].get_array())
    # Free space first, the probability moved last; what has no effect is left out.
    np.testing.assert_allclose(values.filled(NAN), [[NAN, 1.3, 1.3, 0.65], [1.4, 1.4, NAN, 0.7]])
    assert_labels(figure, "free", "steps", "moved", "phase flipped", "demo", "gru", "1.30")
    demo = next(line for line in right.lines if line.get_label() == "demo")
    np.testing.assert_allclose(xs(demo), 0.01)
    # Rounding is drawn at the edge.
    assert min(np.min(xs(line)) for line in right.lines[:1]) > right.get_xlim()[0]


def test_maps_have_a_row_for_each_frame_that_is_asked() -> None:
    figure = draw(plots.plot_sensitivity(SENSITIVITY))
    heights = [len(np.asarray(ax.images[0].get_array())) for ax in figure.axes if ax.images]
    assert heights[:6] == [1, 6, 1, 6, 1, 1]
    scales = {ax.images[0].get_clim() for ax in figure.axes[:6]}
    assert len(scales) == 1
    assert_labels(figure, "exact solver", "gru", "newest with its past", "offset of the input")


def test_a_report_is_drawn_by_its_class() -> None:
    roles = {"exact solver": "exact", "blind solver": "negative", "gru": "emulator", "demo": "null"}
    numbers = {"roles": roles, "interventions": EFFECTS, "sensitivity": SENSITIVITY}
    figures = plots.draw(InterventionReport(numbers, ""))
    assert list(figures) == ["interventions", "sensitivity"]
    assert_labels(draw(figures["interventions"]), "demo (null model)", "phase flipped")


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    crowd = {**SENSITIVITY, "points": {str(i): subject(1) for i in range(7)}}
    nothing = {"nothing": EFFECTS["nothing"]}
    seven = intervention(1.0, "barrier")
    for name in ("fifth", "sixth", "seventh"):
        seven["findings"][name] = seven["findings"]["demo"]
    refused: dict[str, Callable[[], Any]] = {
        "`interventions` must be at least one": lambda: plots.plot_interventions(nothing),
        "`interventions` must be of 1 to 6": lambda: plots.plot_interventions({"a": seven}),
        "`sensitivity` must be of 1 to 6": lambda: plots.plot_sensitivity(crowd),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
