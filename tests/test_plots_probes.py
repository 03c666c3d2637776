"""Figures of the probes: what a reader needs of them, and what they survive."""

from typing import Any

import numpy as np
import pytest
from figures import assert_labels, draw, texts, xs, ys

from qdistill import plots
from qdistill.insight import probes
from qdistill.physics.grid import Grid
from qdistill.system import System

K = np.linspace(0, 12, 121)
LATTICE = (1 - np.cos(K / 4)) * 16
KNOWN = {"lattice": LATTICE, "continuum": K**2 / 2}
T = np.linspace(0.1, 6, 60)
X = np.linspace(-20, 20, 101)
E = np.linspace(1, 8, 71)
NAMES = ("exact solver", "demo", "a third")


def wave(error: float = 0.0) -> probes.WaveResponse:
    return probes.WaveResponse(K, LATTICE + error * K, 0 * K + error, 0 * K, 0 * K)


def uniform(coupling: float = 1.0) -> probes.UniformResponse:
    v, k = np.linspace(-10.0, 10.0, 21), np.array([1.0, 5.0])
    shift = coupling * np.tile(v, (2, 1))
    return probes.UniformResponse(k, v, shift, np.full(2, coupling), 0 * k, 0 * k)


def bump(gain: float = 1.0) -> probes.BumpResponse:
    k = np.array([2.0, 3.0, 4.0])
    return probes.BumpResponse(k, gain * np.exp(0.1j * k), gain**2 + 0j * k, 0 * k, 0 * k)


def cone(speed: float = 6.0) -> probes.LightCone:
    density = np.exp(-((X[None] / speed / T[:, None]) ** 4))
    return probes.LightCone(T, X, density, speed * T, 6.0 * T, speed, 0.01, 6.0, 7.0)


def scattering(error: float = 0.0) -> probes.Scattering:
    passed = 1 / (1 + np.exp(5 - E))
    return probes.Scattering(E, passed + error, 1 - passed, passed)


def resonances(error: float = 0.0) -> probes.Resonances:
    passed = 0.5 + 0.4 * np.sin(3 * E)
    peaks = np.array([2.6, 4.7])
    return probes.Resonances(E, passed + error, passed, passed**2, peaks, peaks, 0.2)


def learning() -> probes.Learning:
    step = np.arange(0, 500, 100)
    error = np.stack([10.0 ** (-step / 100), 2.0 ** (-step / 100)], axis=1)
    learned, reached = np.array([300, 100]), np.array([100, -1])
    return probes.Learning({}, "", step, error, ("free", "trapping"), learned, reached, 10.0, 0.1)


def each(make: Any, values: tuple[float, ...]) -> dict[str, Any]:
    return dict(zip(NAMES, map(make, values), strict=False))


def test_waves_stand_over_both_kinds_of_physics() -> None:
    figure = draw(plots.plot_waves(each(wave, (0.0, 1e-3)), KNOWN, 8.0))
    above, error, damping = figure.axes
    np.testing.assert_allclose(ys(above.lines[1]), 0)
    np.testing.assert_allclose(ys(above.lines[3]), LATTICE + 1e-3 * K - K**2 / 2)
    # Rounding is not shown as if it were an error.
    np.testing.assert_allclose(ys(error.lines[0]), 1e-6)
    np.testing.assert_allclose(ys(damping.lines[1]), 1e-3)
    assert error.get_yscale() == damping.get_yscale() == "log"
    assert_labels(
        figure,
        "k (1/bohr)",
        "(hartree)",
        "|damping|\n(1 / a.u.)",
        "rare in lessons",
        *KNOWN,
        "demo",
    )


def test_response_names_how_strongly_each_feels_a_potential() -> None:
    figure = draw(plots.plot_response(each(uniform, (1.0, 0.97)), each(bump, (1.0, 0.97))))
    left, right = figure.axes
    assert_labels(figure, "demo: response 0.9700", "uniform V (hartree)", "first order")
    worst = ys(left.lines[1])
    np.testing.assert_allclose(worst[0], 0.3, rtol=1e-6)
    assert np.ma.getmaskarray(worst)[10]
    forward, backward = right.lines[3], right.lines[4]
    np.testing.assert_allclose(ys(forward), 0.97)
    np.testing.assert_allclose(ys(backward), 0.97**2)
    assert forward.get_linestyle() != backward.get_linestyle()


@pytest.mark.parametrize("n", [1, 2, 3])
def test_light_cones_show_the_limit_on_every_map(n: int) -> None:
    figure = draw(plots.plot_light_cones(each(cone, (6.0, 3.0, 6.5)[:n])))
    maps, fronts = figure.axes[:n], figure.axes[n]
    for panel in maps:
        right = panel.lines[1]
        np.testing.assert_allclose(xs(right) / ys(right), 7.0)
    np.testing.assert_allclose(ys(fronts.lines[0]), 7.0 * T)
    assert_labels(figure, "exact solver: 6.00 bohr per a.u.", "t (a.u.)", "x (bohr)", "front")


def test_transmission_shows_both_curves_and_their_errors() -> None:
    figure = draw(
        plots.plot_transmission(each(scattering, (0.0, 1e-2)), each(resonances, (0.0, 1e-3)))
    )
    one, two, *below = figure.axes
    np.testing.assert_allclose(ys(one.lines[2]) - ys(one.lines[0]), 1e-2)
    np.testing.assert_allclose(ys(below[0].lines[1]), 1e-2)
    np.testing.assert_allclose(ys(below[1].lines[1]), 1e-3)
    assert len(two.lines) == 2 + 2 + 2
    assert_labels(figure, "energy (hartree)", "transmission", "analytic", "demo", "|error|")


def test_phases_add_up_on_the_figure() -> None:
    x, v = np.linspace(30, 40, 50), np.where(np.arange(50) > 25, 5.0, 0.0)
    kicks = np.stack([v / 4, v / 2, v / 4])
    figure = draw(plots.plot_phases(x, v, kicks, K, np.stack([LATTICE / 2] * 2), LATTICE, 8.0))
    left, right = figure.axes
    total = next(line for line in left.lines if line.get_label() == "sum")
    np.testing.assert_allclose(ys(total), v)
    assert_labels(figure, "x (bohr)", "k (1/bohr)", "kick 3", "drift 2", "exact")
    assert len(right.lines) == 4
    # What is not finite is left out.
    kicks[1, 3] = np.nan
    left, _ = plots.plot_phases(x, v, kicks, K, LATTICE[None], LATTICE, 8.0).axes
    assert left.get_ylim() == pytest.approx((-0.5, 5.75))


def test_order_marks_the_steps_at_which_each_was_learned() -> None:
    figure = draw(plots.plot_order(learning()))
    (ax,) = figure.axes
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [int(np.ravel(xs(dot))[0]) for dot in dots] == [300, 100]
    assert_labels(figure, "free, 300", "trapping, 100", "training step", "within 10 times")
    assert ax.get_yscale() == "log"


def test_reports_find_their_figures() -> None:
    each = probes.Probes(wave(), None, uniform(), bump(), cone(), scattering(), resonances())
    found = dict.fromkeys(NAMES[:2], each)
    report = probes.ProbeReport({}, "", found, System(Grid(1024)), probes.ProbeConfig())
    figures = plots.draw(report)
    assert set(figures) == {"dispersion", "response", "light_cone", "transmission"}
    known = ys(figures["dispersion"].axes[0].lines[0])
    # The physics that was taught comes first.
    np.testing.assert_allclose(known, -(K**4) * (100 / 1024) ** 2 / 24, atol=1e-2 * K[-1] ** 2)
    assert set(plots.draw(learning())) == {"order"}


def test_what_is_not_finite_is_left_out() -> None:
    nan = np.nan
    lost = wave()._replace(omega=np.where(K > 5, nan, LATTICE), damping=np.full(121, -np.inf))
    draw(plots.plot_waves({"exact": wave(), "lost": lost}, KNOWN, 8.0))
    draw(plots.plot_response({"lost": uniform(nan)}, {"lost": bump(nan)}))
    gone = cone()._replace(density=np.full((60, 101), nan), front=np.full(60, nan), speed=nan)
    draw(plots.plot_light_cones({"gone": gone}))
    figure = plots.plot_transmission({"gone": scattering(nan)}, {"gone": resonances(nan)})
    draw(figure)
    assert "gone" in texts(figure)


def test_too_many_or_different_names_are_refused() -> None:
    many = {str(i): wave() for i in range(7)}
    with pytest.raises(ValueError, match="`waves` must be of 1 to 6 propagators, but is of 7"):
        plots.plot_waves(many, KNOWN, 8.0)
    with pytest.raises(ValueError, match="`known` must be at least one dispersion"):
        plots.plot_waves({"a": wave()}, {}, 8.0)
    with pytest.raises(ValueError, match=r"`bump` must be of the names \['a'\]"):
        plots.plot_response({"a": uniform()}, {"b": bump()})
    with pytest.raises(ValueError, match=r"`resonances` must be of the names \['a'\]"):
        plots.plot_transmission({"a": scattering()}, {"b": resonances()})
    with pytest.raises(ValueError, match="`cones` must be of 1 to 4"):
        plots.plot_light_cones({str(i): cone() for i in range(5)})
