"""Figures of students compared: what a reader needs of them, and what they survive."""

import functools
from typing import Any

import jax
import numpy as np
import pytest
from figures import assert_apart, assert_labels, draw, texts, xs, ys
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from qdistill import plots

K = np.linspace(0, 8, 161)
CONTINUUM, LATTICE = K**2 / 2, (1 - np.cos(K / 4)) * 16
KNOWN = {"lattice": LATTICE, "continuum": CONTINUUM}
T = np.linspace(0.1, 20, 50)


def students(n: int, n_seed: int = 3) -> dict[str, np.ndarray]:
    """Errors that grow as power laws; the students lie close to each other."""
    spread = np.linspace(0.8, 1.25, n_seed)[:, None]
    return {f"student {i}": 1e-3 * 1.03**i * spread * (T / 20) ** 2 for i in range(n)}


# Dispersion ---------------------------------------------------------------------------------------


def test_dispersion_draws_the_learned_over_the_known_and_the_error_below() -> None:
    learned = LATTICE + 1e-3 * np.sin(K)
    figure = draw(plots.plot_dispersion(K, learned, KNOWN, 4.0))
    top, bottom = figure.axes
    for line, omega in zip(top.lines, (learned, LATTICE, CONTINUUM), strict=False):
        np.testing.assert_allclose(ys(line), omega)
    widths = [line.get_linewidth() for line in top.lines[:3]]
    assert widths[0] > 2 * widths[1] == 2 * widths[2]
    assert len({str(line.get_linestyle()) for line in top.lines[1:3]}) == 2
    assert bottom.get_yscale() == "log"
    error = np.maximum(np.abs(learned - LATTICE), 1e-7)
    np.testing.assert_allclose(ys(bottom.lines[0]), error, rtol=1e-9)
    assert_labels(figure, "k (1/bohr)", "(hartree)", "learned $-$ lattice", *KNOWN, "learned")


def test_dispersion_ends_soon_after_what_was_taught_and_shades_the_rest() -> None:
    figure = draw(plots.plot_dispersion(K, LATTICE, KNOWN, 4.0))
    assert figure.axes[0].get_xlim() == figure.axes[1].get_xlim() == (0, 6.4)
    for ax in figure.axes:
        shade = ax.patches[0].get_window_extent()
        to_pixels = ax.transData.transform
        low = ax.get_ylim()[0]
        np.testing.assert_allclose(shade.x0, to_pixels((4.0, low))[0])
        np.testing.assert_allclose(shade.x1, to_pixels((6.4, low))[0])
    assert "rare in lessons" in texts(figure)
    everything = plots.plot_dispersion(K, LATTICE, KNOWN, 9.0)
    assert everything.axes[0].get_xlim() == (0, 8)
    assert "rare in lessons" not in texts(everything)


def test_dispersion_shows_the_physics_even_if_the_student_goes_elsewhere() -> None:
    far = LATTICE + 1e6 * np.where(K > 4, K - 4, 0)
    wild = LATTICE + 1e6 * np.sin(K)
    for learned in (LATTICE, far, wild):
        low, high = plots.plot_dispersion(K, learned, KNOWN, 4.0).axes[0].get_ylim()
        assert low < 0
        assert LATTICE[K <= 6.4].max() < high < 3 * LATTICE[K <= 6.4].max()


def test_dispersion_leaves_out_what_is_not_finite() -> None:
    learned = LATTICE.copy()
    learned[10:20] = np.nan
    figure = draw(plots.plot_dispersion(K, learned, KNOWN, 4.0))
    assert np.ma.getmaskarray(ys(figure.axes[1].lines[0]))[10:20].all()
    assert "left out" in texts(figure)
    assert "left out" not in texts(plots.plot_dispersion(K, LATTICE, KNOWN, 4.0))
    draw(plots.plot_dispersion(K, learned * np.nan, KNOWN, 4.0))


# Errors -------------------------------------------------------------------------------------------


def test_errors_draw_the_median_and_the_range_of_the_seeds() -> None:
    several, one = students(2, 5), students(1, 1)
    figure = draw(plots.plot_errors(T, several | {"alone": one["student 0"]}, "infidelity"))
    ax = figure.axes[0]
    assert ax.get_yscale() == "log"
    for line, values in zip(ax.lines[:2], several.values(), strict=True):
        np.testing.assert_allclose(ys(line), np.maximum(np.median(values, axis=0), 1e-7))
    # A single seed has no band.
    assert len(ax.collections) == 2
    corners = ax.collections[0].get_paths()[0].vertices
    for edge in (several["student 0"].min(axis=0), several["student 0"].max(axis=0)):
        for point in zip(T, np.maximum(edge, 1e-7), strict=True):
            assert np.isclose(corners, point).all(axis=1).any()
    assert_labels(figure, "t (a.u.)", "infidelity", "student 1", "alone", "median over seeds")
    assert "seeds" not in texts(plots.plot_errors(T, one))


def test_errors_tell_twelve_students_apart() -> None:
    figure = plots.plot_errors(T, students(12))
    lines = figure.axes[0].lines
    assert len({to_hex(line.get_color()) for line in lines}) == 12
    assert len({str(line.__dict__["_dash_pattern"]) for line in lines}) == 12
    assert_apart(figure, *students(12))


def test_errors_are_labelled_at_the_height_of_their_lines() -> None:
    errors = {name: np.full((1, T.size), level) for name, level in (("a", 1e-5), ("b", 1e-2))}
    figure = draw(plots.plot_errors(T, errors))
    ax = figure.axes[0]
    for label in ax.texts:
        box = Text.get_window_extent(label)
        level = errors[label.get_text()][0, 0]
        assert box.y0 < ax.transData.transform((T[-1], level))[1] < box.y1


def test_errors_survive_seeds_that_blow_up() -> None:
    errors = students(3) | {"lost": np.full((2, T.size), np.nan)}
    errors["student 0"][1, 20:] = np.inf
    errors["student 1"][:, 30:] = np.nan
    errors["student 2"][:, 40:] = 1e30
    figure = draw(plots.plot_errors(T, errors))
    ax = figure.axes[0]
    assert ax.get_ylim()[1] < 100
    np.testing.assert_allclose(
        ys(ax.lines[0])[20:], np.median(errors["student 0"][[0, 2], 20:], axis=0)
    )
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert [xs(line)[0] for line in crosses] == [T[29]]
    assert_labels(figure, "left out", "lost (not finite)")
    assert_apart(figure, *errors)
    draw(plots.plot_errors(T[:1], {"one": np.ones((1, 1))}))
    draw(plots.plot_errors(T, {"perfect": np.zeros((2, T.size))}))


# Input and output ---------------------------------------------------------------------------------


def test_jax_arrays_draw_the_same() -> None:
    def every_figure(to: Any) -> list[Figure]:
        known = {name: to(omega) for name, omega in KNOWN.items()}
        errors = {name: to(values) for name, values in students(3).items()}
        return [
            plots.plot_dispersion(to(K), to(LATTICE + 1e-3), known, 4.0),
            plots.plot_errors(to(T), errors),
        ]

    for ours, theirs in zip(every_figure(jax.numpy.asarray), every_figure(np.asarray), strict=True):
        assert texts(draw(ours)) == texts(draw(theirs))
        for a, b in zip(ours.axes[0].lines, theirs.axes[0].lines, strict=True):
            np.testing.assert_allclose(ys(a), ys(b), rtol=1e-5, atol=1e-5)


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    one = {"a": np.ones((1, T.size))}
    dispersion = functools.partial(plots.plot_dispersion, K, LATTICE)
    refused: dict[str, Any] = {
        "`k` must be rising": lambda: plots.plot_dispersion(K[::-1], LATTICE, KNOWN, 4.0),
        "`k` must be between 0 and inf": lambda: plots.plot_dispersion(K - 1, LATTICE, KNOWN, 4.0),
        "`k` must be of points between 0 and `taught`": lambda: plots.plot_dispersion(
            K + 10, LATTICE, KNOWN, 4.0
        ),
        "`learned` must be of shape (161,)": lambda: plots.plot_dispersion(
            K, LATTICE[1:], KNOWN, 4.0
        ),
        "`known` must be at least one dispersion": lambda: dispersion({}, 4.0),
        "`known['a']` must be of shape (161,)": lambda: dispersion({"a": T}, 4.0),
        "`known['a']` must be finite": lambda: dispersion({"a": K * np.nan}, 4.0),
        "`taught` must be finite and positive": lambda: dispersion(KNOWN, 0.0),
        "`t` must be rising": lambda: plots.plot_errors(np.abs(T - T[5]), one),
        "`errors` must be of 1 to 12 students, but is of 0": lambda: plots.plot_errors(T, {}),
        "`errors` must be of 1 to 12 students, but is of 13": lambda: plots.plot_errors(
            T, students(13)
        ),
        "`errors['a']` must be of shape (n_seed, n_t)": lambda: plots.plot_errors(T, {"a": T}),
        "`errors['a']` must be of shape (1, 49)": lambda: plots.plot_errors(T[1:], one),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
