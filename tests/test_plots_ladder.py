"""The ladder of students and how they learn: what a reader needs of it, what it survives."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np
import pytest
from figures import assert_apart, assert_labels, draw, texts, xs, ys
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from experiments.ladder.figure import plot_ladder, plot_learning
from qdistill.plots import style

BASELINES = {"demo": 0.0237, "full": 0.0041, "simple": 0.825, "teacher": 2e-5, "float32": 1e-6}
RUNGS: dict[str, tuple[Sequence[str], np.ndarray]] = {
    "GRU": ((), np.array([0.1, 0.3, 0.2])),
    "linear": (("linear",), np.array([np.nan, 0.05, 0.01, 0.02])),
    "ours": (("linear", "unitary"), np.array([1e-9])),
}
SECONDS = {"slow": np.arange(10.0, 101, 10), "fast": np.arange(3.0, 31, 3)}
LEARNED = {"slow": 10 / SECONDS["slow"] ** 2, "fast": 0.9 / SECONDS["fast"] ** 3}


def along(ax: Axes) -> np.ndarray:
    return np.concatenate([np.asarray(dots.get_offsets()) for dots in ax.collections])


# Ladder -------------------------------------------------------------------------------------------


def test_ladder_has_a_row_for_each_student_from_the_bottom_up() -> None:
    figure = draw(plot_ladder(RUNGS, {"demo": 0.0237}))
    left, right = figure.axes
    assert right.get_xscale() == "log"
    assert [label.get_text() for label in left.get_yticklabels()] == list(RUNGS)
    assert left.get_ylim() == right.get_ylim()
    assert right.get_ylim()[0] < 0 < 2 < right.get_ylim()[1]
    dots = along(right)
    np.testing.assert_allclose(np.sort(dots[dots[:, 1] == 0, 0]), [0.1, 0.2, 0.3])
    np.testing.assert_allclose(np.sort(dots[dots[:, 1] == 1, 0]), [0.01, 0.02, 0.05])
    np.testing.assert_allclose(dots[dots[:, 1] == 2, 0], [1e-7])
    ticks = [line for line in right.lines if line.get_marker() == "|"]
    np.testing.assert_allclose([xs(tick)[0] for tick in ticks], [0.2, 0.02, 1e-7])
    assert_labels(figure, "infidelity, mean over 25 runs of 400 frames", "demo 0.024")
    assert "1 of 4 not finite" in texts(figure)
    assert texts(figure).count("not finite") == 1


def test_ladder_fills_a_circle_for_each_property() -> None:
    left = plot_ladder(RUNGS, {}).axes[0]
    assert [label.get_text() for label in left.get_xticklabels()] == ["linear", "unitary"]
    filled = {
        tuple(np.asarray(dots.get_offsets())[0]): to_hex(np.asarray(dots.get_facecolor())[0])
        != "#ffffff"
        for dots in left.collections
    }
    # Column and row.
    assert [place for place, is_filled in sorted(filled.items()) if is_filled] == [
        (0, 1),
        (0, 2),
        (1, 2),
    ]
    assert len(filled) == 6


@pytest.mark.parametrize(
    "baselines",
    [BASELINES, {f"paper's number {i}": 0.1 * 1.1**i for i in range(7)}, {"a": 0.0, "b": 1.0}],
    ids=["apart", "close", "edges"],
)
def test_ladder_labels_every_baseline_at_the_top(baselines: Mapping[str, float]) -> None:
    figure = draw(plot_ladder(RUNGS, baselines))
    assert_apart(figure, *(f"{name} " for name in baselines))
    right = figure.axes[1]
    dotted = [xs(line)[0] for line in right.lines if line.get_marker() != "|"]
    np.testing.assert_allclose(dotted, np.maximum(list(baselines.values()), 1e-7))
    top = right.get_window_extent().y1
    flags = [text for text in right.texts if text.get_text().startswith(tuple(baselines))]
    assert len(flags) == len(baselines)
    assert all(flag.get_window_extent().y0 > top for flag in flags)


def test_flags_hide_neither_each_other_nor_a_pole() -> None:
    rng = np.random.default_rng(0)
    for n in (1, 2, 5, 8, 12):
        across, lengths = rng.uniform(0, 1, n), rng.uniform(0.1, 0.4, n)
        sides, rows = style.fly(across.tolist(), lengths.tolist())
        assert len(sides) == len(rows) == n
        ends = across + np.asarray(sides) * lengths
        lows, highs = np.minimum(across, ends), np.maximum(across, ends)
        for i in range(n):
            for j in range(n):
                if i != j and rows[i] == rows[j]:
                    assert highs[i] <= lows[j] or highs[j] <= lows[i]
                assert not (rows[i] < rows[j] and lows[i] < across[j] < highs[i])


def test_ladder_survives_students_without_seeds_or_properties() -> None:
    lost = {"lost": ((), np.full(2, np.nan))}
    assert "2 of 2 not finite" in texts(draw(plot_ladder(lost, {})))
    draw(plot_ladder(lost, BASELINES))
    draw(plot_ladder({"one": (["linear"], np.ones(1))}, {}))


# Learning -----------------------------------------------------------------------------------------


def test_learning_draws_every_student_and_baseline() -> None:
    figure = draw(plot_learning(SECONDS, LEARNED, {"demo": 0.0237, "full": 0.0041}))
    ax = figure.axes[0]
    assert (ax.get_xscale(), ax.get_yscale()) == ("linear", "log")
    for line, name in zip(ax.lines, LEARNED, strict=False):
        np.testing.assert_allclose(xs(line), SECONDS[name])
        np.testing.assert_allclose(ys(line), LEARNED[name])
    np.testing.assert_allclose([ys(line)[0] for line in ax.lines[2:4]], [0.0237, 0.0041])
    assert_labels(figure, "training time (s)", "infidelity on the benchmark", *LEARNED)
    assert_labels(figure, "demo 0.024", "full 0.0041")
    assert ax.get_xlim()[0] == 0


def test_learning_says_when_a_student_passes_the_first_baseline() -> None:
    figure = plot_learning(SECONDS, LEARNED, {"demo": 0.0237, "full": 0.0041})
    dots = {xs(line)[0]: ys(line)[0] for line in figure.axes[0].lines if line.get_marker() == "o"}
    # 10 / 20**2 lies above the baseline, 10 / 30**2 below it; 0.9 / 3**3 above, 0.9 / 6**3 below.
    assert dots == {30.0: 10 / 30**2, 6.0: 0.9 / 6**3}
    assert_labels(figure, "passes demo after 30 s", "passes demo after 6 s")
    assert texts(figure).count("passes") == 2
    never = plot_learning(SECONDS, LEARNED, {"rounding": 1e-6, "full": 0.0041})
    assert "passes" not in texts(never)
    assert "passes" not in texts(draw(plot_learning(SECONDS, LEARNED, {})))


def test_learning_keeps_its_labels_apart() -> None:
    seconds = {f"student {i}": 4.0 + 7 * i + np.arange(40.0) for i in range(12)}
    errors = {name: 3 / x**2 for name, x in seconds.items()}
    baselines = {f"paper's {i}": 0.01 * 1.02**i for i in range(5)}
    figure = plot_learning(seconds, errors, baselines)
    assert_apart(figure, *seconds, *baselines, "passes")
    assert texts(figure).count("passes") == 12


def test_learning_survives_students_that_blow_up() -> None:
    errors = {name: values.copy() for name, values in LEARNED.items()}
    errors["slow"][2:4] = np.nan
    figure = draw(plot_learning(SECONDS, errors, {"demo": 0.0237}))
    assert_labels(figure, "left out", "passes demo after 50 s")
    assert "left out" not in texts(plot_learning(SECONDS, LEARNED, {"demo": 0.0237}))
    draw(plot_learning(SECONDS, {name: x * np.nan for name, x in LEARNED.items()}, {}))
    draw(plot_learning({"a": np.zeros(1)}, {"a": np.ones(1)}, {"demo": 0.0237}))


# Input and output ---------------------------------------------------------------------------------


def test_jax_arrays_draw_the_same() -> None:
    rungs_of_jax = {name: (has, jax.numpy.asarray(x)) for name, (has, x) in RUNGS.items()}
    rows = [along(plot_ladder(rungs, {}).axes[1]) for rungs in (RUNGS, rungs_of_jax)]
    np.testing.assert_allclose(rows[0], rows[1], rtol=1e-6)
    seconds, learned = (
        {name: jax.numpy.asarray(x) for name, x in given.items()} for given in (SECONDS, LEARNED)
    )
    figures = [plot_learning(s, e, {}) for s, e in ((SECONDS, LEARNED), (seconds, learned))]
    assert texts(draw(figures[0])) == texts(draw(figures[1]))


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    late = np.linspace(0.1, 20, 50)
    refused: dict[str, Any] = {
        "`rungs` must be at least one student": lambda: plot_ladder({}, {}),
        "`rungs['a']` must be of shape (n_seed,)": lambda: plot_ladder({"a": ((), np.ones(0))}, {}),
        "`baselines` must be between 0 and 1": lambda: plot_ladder(RUNGS, {"paper": 99.6}),
        "`baselines` must be between 0 and 1, but is [-1.0]": lambda: plot_learning(
            SECONDS, LEARNED, {"paper": -1.0}
        ),
        "`seconds` must be of the names ['fast', 'slow']": lambda: plot_learning(
            {"fast": late}, LEARNED, {}
        ),
        "`seconds['slow']` must be rising": lambda: plot_learning(
            SECONDS | {"slow": late[::-1]}, LEARNED, {}
        ),
        "`seconds['slow']` must be between 0 and inf": lambda: plot_learning(
            SECONDS | {"slow": SECONDS["slow"] - 50}, LEARNED, {}
        ),
        "`errors['slow']` must be of shape (50,)": lambda: plot_learning(
            SECONDS | {"slow": late}, LEARNED, {}
        ),
        "`errors` must be of 1 to 12 students": lambda: plot_learning({}, {}, {}),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
