"""Figures of channels: what a reader needs of them, what they refuse, and the study's smoke run."""

import json
import pathlib

import numpy as np
import pytest
import scripts
from figures import assert_labels, draw, texts, xs, ys

from qdistill import plots

X, T = np.linspace(-10, 10, 41), np.array([0.0, 50.0])
CURVES = np.stack([np.tanh(X) - 1, 1 - np.tanh(X)])
DENSITIES = np.exp(-((X - 3) ** 2)) * np.array([[1.0, 0.0], [0.3, 0.7]])[..., None]
K = np.linspace(5, 20, 16)
SYSTEM = plots.Outcomes(
    K, {"through": K / 20, "back": 1 - K / 20}, {"through": (K[:2], K[:2] / 20)}
)


def test_the_packet_stands_on_its_curve() -> None:
    figure = draw(plots.plot_channels(X, T, CURVES, DENSITIES, "a crossing"))
    assert len(figure.axes) == 2
    for ax, density in zip(figure.axes, DENSITIES, strict=True):
        lines = [ys(line) for line in ax.lines]
        for i in range(2):
            above = lines[2 * i] - CURVES[i]
            # All densities have one scale.
            expected = density[i] * above_of(figure)
            np.testing.assert_allclose(above * DENSITIES.max(), expected, atol=1e-12)
            np.testing.assert_allclose(lines[2 * i + 1], CURVES[i])
    assert_labels(figure, "x (bohr)", "adiabatic energy (hartree)", "t = 50 a.u.", "channel 1")


def above_of(figure: plots.Figure) -> float:
    line = figure.axes[0].lines[0]
    return float(np.max(ys(line) - CURVES[0]))


def test_populations_and_probabilities_are_drawn_as_given() -> None:
    exact = np.stack([1 - T / 100, T / 100], axis=1)
    figure = draw(plots.plot_populations(T, {"exact": exact, "student": exact + 0.01}, "it"))
    (ax,) = figure.axes
    for line, values in zip(ax.lines, [*exact.T, *(exact.T + 0.01)], strict=True):
        np.testing.assert_allclose(ys(line), values)
    assert_labels(figure, "t (a.u.)", "population", "exact, channel 0", "student, channel 1")

    figure = draw(plots.plot_probabilities({"first": SYSTEM, "second": SYSTEM}))
    for ax in figure.axes:
        np.testing.assert_allclose(ys(ax.lines[1]), 1 - K / 20)
        np.testing.assert_allclose(xs(ax.lines[2]), K[:2])
        assert ax.lines[2].get_color() == ax.lines[0].get_color()
    assert_labels(figure, "momentum (1/bohr)", "probability", "first", "second")
    assert texts(figure).count("through") == 1


@pytest.mark.usefixtures("without_checker")
def test_what_cannot_be_drawn_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`densities` must be of shape \(2, 2, 41\)"):
        plots.plot_channels(X, T, CURVES, DENSITIES[:1])
    with pytest.raises(ValueError, match="`t` must be between 1 and 4 of them, but is 5"):
        plots.plot_channels(X, np.arange(5.0), CURVES, np.ones((5, 2, 41)))
    with pytest.raises(ValueError, match="must be of shape"):
        plots.plot_populations(T, {"it": np.ones((3, 2))})
    lost = SYSTEM._replace(points={"elsewhere": (K[:2], K[:2])})
    with pytest.raises(ValueError, match="`points` must be points of through, back, but is 'else"):
        plots.plot_probabilities({"it": lost})
    with pytest.raises(ValueError, match="`systems` must be between 1 and 4 of them, but is 0"):
        plots.plot_probabilities({})


def test_smoke_run_of_the_study(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("channels", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    errors = {name: row["relative_error"] for name, row in found["solvers"].items()}
    assert errors["chin, 8 substeps"] < 1e-7
    assert errors["chebyshev, 1e-12"] < 1e-11
    assert found["probabilities"]["one crossing"]["k"][0] == 4.0
    assert {each.name for each in out.glob("*.png")} == {
        "packet.png", "populations.png", "probabilities.png",
    }  # fmt: skip
