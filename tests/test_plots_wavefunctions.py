"""Complex psi by phase and brightness: the colours, seen by all eyes, and the maps."""

import functools
from typing import Any

import matplotlib
import numpy as np
import pytest
from figures import assert_labels, draw, texts
from matplotlib.image import AxesImage

from qdistill import plots
from qdistill.plots import colours, style

X, Y, T = np.linspace(-12, 12, 48), np.linspace(-9, 9, 30), np.linspace(0, 2, 6)
WALL = np.where((abs(X[:, None]) < 1) & (abs(abs(Y) - 3) > 1), 30.0, 0.0)
# Machado, Oliveira and Fernandes (2009): linear sRGB as those see it who lack a kind of cone.
DEUTAN = np.array(
    [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ]
)
PROTAN = np.array(
    [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ]
)
EYES = {"all cones": np.eye(3), "no green cones": DEUTAN, "no red cones": PROTAN}


def to_oklab(rgb: Any, seen: np.ndarray = EYES["all cones"]) -> np.ndarray:
    """Where distances are what eyes see, for instance those that lack a kind of cone."""
    rgb = np.asarray(rgb)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    cones = np.clip(linear @ seen.T, 0, 1) @ np.linalg.inv(colours.LINEAR).T
    return np.cbrt(cones) @ np.linalg.inv(colours.CONES).T


def packet(t: float) -> np.ndarray:
    """A free Gaussian packet on the plane, of width 1.5 and momentum 2 along x."""
    x, y, s = X[:, None] + 5, Y[None], 1 + 1j * t / (2 * 1.5**2)
    wave = np.exp(-((x - 2 * t) ** 2 + y**2) / (4 * 1.5**2 * s) + 2j * x - 2j * t)
    return wave / (s * np.sqrt(2 * np.pi) * 1.5)


PSI = np.stack([packet(t) for t in T])


# Colours ------------------------------------------------------------------------------------------


def test_equal_steps_of_phase_look_equally_large() -> None:
    seen = to_oklab(plots.colour_phase(np.exp(1j * np.linspace(0, 2 * np.pi, 65)), 1.0))
    steps = np.linalg.norm(np.diff(seen, axis=0), axis=-1)
    # A little is cut off where the circle touches the edge of what screens show.
    np.testing.assert_allclose(steps, steps.mean(), rtol=0.02)
    np.testing.assert_allclose(seen[0], seen[-1], atol=1e-12)


@pytest.mark.parametrize("seen", EYES.values(), ids=list(EYES))
def test_phases_a_quarter_turn_apart_differ_for_all_eyes(seen: np.ndarray) -> None:
    phase = np.linspace(0, 2 * np.pi, 73)
    points = to_oklab(plots.colour_phase(np.exp(1j * phase), 1.0), seen)
    distance = np.linalg.norm(points[:, None] - points, axis=-1)
    apart = np.abs(np.angle(np.exp(1j * (phase[:, None] - phase)))) >= np.pi / 2 - 1e-9
    # Of 0.2 for all cones. A circle that is not tilted leaves 0.004.
    assert distance[apart].min() > 0.12


def test_lightness_grows_with_the_modulus_and_saturates() -> None:
    modulus = np.linspace(0, 1, 11)
    for turn in np.exp(1j * np.linspace(0, 6, 7)):
        light = to_oklab(plots.colour_phase(2.0 * modulus * turn, 2.0))[:, 0]
        np.testing.assert_allclose(np.diff(light), np.diff(light).mean(), rtol=0.05)
        assert light[0] < 0.15 < 0.55 < light[-1]
    over = plots.colour_phase(np.array([2j, 50j]), 2.0)
    np.testing.assert_array_equal(over[0], over[1])


def test_colours_of_what_is_not_finite_are_grey_and_the_default_scale_is_that_of_almost_all() -> (
    None
):
    psi = np.ones(1000, complex)
    psi[:3] = 1e6, np.nan, np.inf
    found = plots.colour_phase(psi)
    np.testing.assert_array_equal(found[1:3], 0.79)
    np.testing.assert_allclose(
        found[3:], np.broadcast_to(plots.colour_phase(psi[3:], 1.0), (997, 3))
    )
    with pytest.raises(ValueError, match="`scale` must be finite and positive"):
        plots.colour_phase(psi, 0.0)


def test_blue_and_orange_differ_for_all_eyes_and_in_greyscale() -> None:
    rgb = [matplotlib.colors.to_rgb(colour) for colour in (style.BLUE, style.ORANGE)]
    for seen in EYES.values():
        blue, orange = to_oklab(rgb, seen)
        assert np.linalg.norm(blue - orange) > 0.25
        assert orange[0] - blue[0] > 0.15
    # What a signed map has at its ends is dark and in its middle light; they differ in hue.
    low, middle, high = to_oklab(style.SIGNED([0.0, 0.5, 1.0])[:, :3])
    assert middle[0] - max(low[0], high[0]) > 0.4
    for seen in EYES.values():
        low, high = to_oklab(style.SIGNED([0.15, 0.85])[:, :3], seen)
        assert np.linalg.norm(low - high) > 0.2


def test_curves_that_share_a_panel_differ_in_colour_or_in_dashes() -> None:
    assert len(set(map(str, style.LINE_STYLES))) == len(style.LINE_STYLES) == len(style.COLOURS)
    light = to_oklab([matplotlib.colors.to_rgb(colour) for colour in style.COLOURS])[:, 0]
    # All of them are seen on white.
    assert light.max() < 0.8


# Maps ---------------------------------------------------------------------------------------------


def pixels(image: AxesImage) -> np.ndarray:
    return np.asarray(image.get_array())


def test_wavefunction_lies_over_its_potential() -> None:
    v = WALL[:, 15]
    figure = draw(plots.plot_wavefunction(X, T, v, PSI[:, :, 15], "a packet"))
    top, wheel, strip = figure.axes[:3]
    np.testing.assert_allclose(pixels(top.images[0]), plots.colour_phase(PSI[:, :, 15]))
    assert top.images[0].origin == "lower"
    assert top.get_xlim() == strip.get_xlim()
    np.testing.assert_array_equal(strip.lines[0].get_ydata(), v)
    assert wheel.images
    limit = np.percentile(np.abs(PSI[:, :, 15]), 99.5)
    assert_labels(figure, "x (bohr)", "t (a.u.)", "V (hartree)", "phase", "bohr$^{-1/2}$", "packet")
    assert f"{limit:.2g}" in texts(figure)


def test_wavefunction_on_a_plane_has_x_across_and_the_outline_of_its_potential() -> None:
    figure = draw(plots.plot_wavefunction_2d(X, Y, PSI[2], WALL, "t = 0.8 a.u.", scale=0.2))
    ax = figure.axes[0]
    psi, haze = sorted(ax.images, key=lambda image: image.get_zorder())
    np.testing.assert_allclose(pixels(psi), plots.colour_phase(PSI[2].T, 0.2))
    assert psi.origin == haze.origin == "lower"
    left, right, low, high = psi.get_extent()
    assert right - left == pytest.approx(24 * 48 / 47)
    assert high - low == pytest.approx(18 * 30 / 29)
    # Haze lies only where the wall is.
    np.testing.assert_array_equal(pixels(haze)[..., 3] > 0, WALL.T > 0)
    assert len(ax.collections) == 1
    assert_labels(
        figure, "x (bohr)", "y (bohr)", "outline: V =\n15 hartree", "bohr$^{-1}$", "0.8 a"
    )


def test_wavefunction_on_a_free_plane_has_no_outline() -> None:
    figure = draw(plots.plot_wavefunction_2d(X, Y, PSI[2], 0 * WALL))
    assert len(figure.axes[0].images) == 1
    assert "outline" not in texts(figure)


@pytest.mark.usefixtures("without_checker")
def test_bad_input_is_refused_by_words() -> None:
    line = functools.partial(plots.plot_wavefunction, X, T, WALL[:, 0], PSI[:, :, 0])
    plane = functools.partial(plots.plot_wavefunction_2d, X, Y)
    refused = {
        "`psi` must be of shape (6, 48)": lambda: plots.plot_wavefunction(X, T, X, PSI[0]),
        "`scale` must be finite and positive": lambda: line(scale=-1.0),
        "`psi` must be of shape (48, 30)": lambda: plane(PSI[0].T, WALL),
        "`v` must be of shape (48, 30)": lambda: plane(PSI[0], WALL[0]),
        "`v` must be finite": lambda: plane(PSI[0], WALL * np.nan),
        "`y` must be rising": lambda: plots.plot_wavefunction_2d(X, Y[::-1], PSI[0], WALL),
        "`scale` must be finite": lambda: plane(PSI[0], WALL, scale=np.nan),
    }
    for words, call in refused.items():
        with pytest.raises(ValueError) as refusal:  # noqa: PT011 -- the words follow.
            call()
        assert words in str(refusal.value)
