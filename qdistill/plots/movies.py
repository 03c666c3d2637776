"""Animations of forecasts and exact solutions, and of wave functions, over their potential."""

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.path import Path as Outline

from qdistill._checks import refuse, require_between, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.plots import film, style, wavefunctions
from qdistill.plots.colours import colour_disc, colour_phase
from qdistill.plots.style import GRID, INK, ORANGE, Along, Frames, Times, Values


@explained
@style.styled
def animate_forecast(
    x: Along,
    t: Times,
    v: Along | Float[Values, "n n_x"],
    truth: Frames | Complex[Values, "n_t n n_x"],
    forecast: Frames | Complex[Values, "n_t n n_x"],
    path: film.Path,
    n_given: int = 0,
    title: str = "",
    seconds: float = 10.0,
) -> None:
    """Write an animation of truth and forecast over the potential, and of the error.

    The height is |psi|, the colour its phase. The outline of the truth is dotted behind the
    forecast. The error |forecast - truth| has its own panel and scale. If a forecast is not finite,
    its panel says so. Of several channels, each has a panel, the first one lowest.

    Args:
      x, t: Positions in bohr, and times of the frames in a.u.
      v: Potential in hartree; of channels, the energy of each, such as the adiabatic ones.
      truth, forecast: psi of the solver and of the emulator; of channels, over those of `v`.
      path: Path of a .gif, or of a .mp4 if ffmpeg is installed (the extra `video`).
      n_given: Number of given frames at the beginning, which are marked.
      title: Title of the figure.
      seconds: Duration.

    Raises:
      FileNotFoundError: For an MP4 without ffmpeg.
    """
    path = film.require_film(path, seconds)
    x, t = style.axis("x", x, True), style.times(t)
    require_between(0, t.size, n_given=n_given)
    curves, true, guess = _by_channel(x, t, v, truth, forecast)
    error = np.sqrt(np.sum(np.abs(guess - true) ** 2, axis=1))
    n, top = len(curves), 1.2 * max(float(np.abs(true).max()), 1e-12)
    figure = Figure(figsize=(10, 3.3 + 2.2 * n), layout="constrained")
    *panels, bottom = figure.subplots(2 * n + 1, 1, sharex=True, height_ratios=[3] * 2 * n + [1.4])
    # From below: the channels of the forecast, then those of the truth.
    frames = np.concatenate([guess, true], axis=1)
    filled = [_fill(ax, x, curves[i % n], top, curves) for i, ax in enumerate(reversed(panels))]
    of_guess = panels[: n - 1 : -1]
    dotted = [ax.plot(x, 0 * x, color=INK, lw=1, ls=(0, (1, 1.5)))[0] for ax in of_guess]
    _phase_bar(panels[0])
    area = _error_area(bottom, x, error, top)
    words = [_say(ax, 0.01, "") for ax in (panels[0], panels[n])]
    words.append(_say(bottom, 0.99, "", "right"))
    for i, ax in enumerate(reversed(panels) if np.ndim(v) > 1 else ()):
        _say(ax, 0.6, f"channel {i % n}")
    figure.suptitle(title)

    def update(i: int) -> None:
        for (_, set_line), psi in zip(filled, frames[i], strict=True):
            set_line(psi)
        for line, psi in zip(dotted, true[i], strict=True):
            line.set_ydata(np.abs(psi))
        area.set_data(x, 0 * x, np.where(np.isfinite(error[i]), error[i], 0))
        size = np.linalg.norm(error[i]) / max(float(np.linalg.norm(true[i])), 1e-12)
        words[0].set_text(f"exact solver, t = {t[i]:.1f} a.u.")
        words[1].set_text(_whose(i, n_given, t.size, bool(np.isfinite(size))))
        words[2].set_text(f"relative error {size:.1e}" if i >= n_given else "")

    artists = [*dotted, *(each for drawn, _ in filled for each in drawn), area, *words]
    film.shoot(figure, (artists, update), t.size, path, seconds)


@explained
@style.styled
def animate_wavefunction(
    x: Along,
    t: Times,
    v: Along,
    psi: Frames,
    path: film.Path,
    title: str = "",
    seconds: float = 10.0,
) -> None:
    """Write an animation of psi over its potential: the height is |psi|, the colour its phase.

    Args:
      x, t, v: Positions in bohr, times of the frames in a.u., and potential in hartree.
      psi: Wave function of every frame, finite.
      path: Path of a .gif, or of a .mp4 if ffmpeg is installed.
      title: Title of the figure.
      seconds: Duration.

    Raises:
      FileNotFoundError: For an MP4 without ffmpeg.
    """
    path = film.require_film(path, seconds)
    x, t, v = style.axis("x", x, True), style.times(t), style.potential(x, v)
    require_shape((t.size, x.size), psi=psi)
    require_finite(psi=psi)
    psi = np.asarray(psi)
    figure = Figure(figsize=(10, 4), layout="constrained")
    ax = figure.subplots()
    artists, set_line = _fill(ax, x, v, 1.2 * max(float(np.abs(psi).max()), 1e-12), v)
    ax.set_xlabel("x (bohr)")
    _phase_bar(ax)
    time = _say(ax, 0.01, "")
    figure.suptitle(title)

    def update(i: int) -> None:
        set_line(psi[i])
        time.set_text(f"t = {t[i]:.1f} a.u.")

    film.shoot(figure, ([*artists, time], update), t.size, path, seconds)


@explained
@style.styled
def animate_wavefunction_2d(
    x: Along,
    y: Float[Values, " n_y"],
    t: Times,
    psi: Complex[Values, "n_t n_x n_y"],
    v: Float[Values, "n_x n_y"],
    path: film.Path,
    title: str = "",
    seconds: float = 10.0,
    scale: float | None = None,
) -> None:
    """Write an animation of psi in a plane, drawn as by `plot_wavefunction_2d`.

    Args:
      x, y: Positions in bohr.
      t: Times of the frames in a.u.
      psi: Wave function of every frame; its first axis of space is along x.
      v: Potential in hartree.
      path: Path of a .gif, or of a .mp4 if ffmpeg is installed.
      title: Text before the time.
      seconds: Duration.
      scale: Modulus of full brightness in 1/bohr; by default the 99.5th percentile in the median
        frame.

    Raises:
      FileNotFoundError: For an MP4 without ffmpeg.
    """
    path = film.require_film(path, seconds)
    x, y, t = style.axis("x", x, True), style.axis("y", y, True), style.times(t)
    require_shape((t.size, x.size, y.size), psi=psi)
    require_shape((x.size, y.size), v=v)
    psi, v = np.asarray(psi), style.potential(v, v)
    if scale is None:
        scale = float(np.median([style.limit(np.abs(frame)) for frame in psi]))
    scale = wavefunctions.find_scale(psi, scale)
    figure, ax = wavefunctions.plane(x, y, v, scale)
    above = [*ax.images, *ax.collections, *ax.spines.values()]
    image = wavefunctions.draw_plane(ax, x, y, psi[0], scale)
    ax.set_title(" ")
    time = ax.title

    def update(i: int) -> None:
        image.set_data(colour_phase(psi[i].T, scale))
        time.set_text(f"{title}   t = {t[i]:.1f} a.u.".strip())

    film.shoot(figure, ([image, *above, time], update), t.size, path, seconds, colour_disc())


def _by_channel(
    x: np.ndarray, t: np.ndarray, v: Values, truth: Values, forecast: Values
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The potentials (n, n_x) and frames (n_t, n, n_x) of n channels; one without channels."""
    several = np.shape(v)[:-1]
    if len(several) > 1 or 0 in several:
        refuse("v", "of shape (n_x,), or (n_channel, n_x)", f"of shape {np.shape(v)}")
    require_shape((*several, x.size), v=v)
    require_shape((t.size, *several, x.size), truth=truth, forecast=forecast)
    require_finite(v=v, truth=truth)
    one, n = (t.size, -1, x.size), (-1, x.size)
    return np.reshape(np.asarray(v, float), n), np.reshape(truth, one), np.reshape(forecast, one)


def _error_area(ax: Axes, x: np.ndarray, error: np.ndarray, top: float) -> Any:
    """The moving area of the error, in a panel on a scale of its own."""
    highest = np.clip(np.max(error, initial=0, where=np.isfinite(error)), 1e-12, top)
    ax.set(xlabel="x (bohr)", ylabel="error\n(bohr$^{-1/2}$)", ylim=(0, 1.5 * highest))
    ax.grid(axis="y", color=GRID, lw=0.8)
    _say(ax, 0.01, "|forecast $-$ truth|")
    return ax.fill_between(x, 0 * x, color=ORANGE, lw=0)


def _fill(
    ax: Axes, x: np.ndarray, v: np.ndarray, top: float, every_v: np.ndarray
) -> tuple[list, Callable]:
    """The moving artists of a panel with |psi|, filled by phase, and what moves them.

    The scale of the potential holds all potentials of the figure.
    """
    behind = ax.twinx()
    style.draw_potential(behind, x, v)
    low, high = min(every_v.min(), 0), max(every_v.max(), 0)
    span = max(high - low, 1e-3)
    # The zeros of both axes agree if V is not negative; there is space for text above.
    behind.set_ylim(low - 0.05 * span * (low < 0), high + 0.25 * span)
    behind.set_ylabel("V (hartree)")
    behind.spines["right"].set_visible(True)
    ax.set_zorder(behind.get_zorder() + 1)
    ax.patch.set_visible(False)
    half = (x[1] - x[0]) / 2
    ends = (float(x[0] - half), float(x[-1] + half))
    blank: Any = np.ones((1, x.size, 3))
    image = ax.imshow(blank, extent=(*ends, 0, top), aspect="auto", interpolation="nearest")
    (line,) = ax.plot(x, 0 * x, color=INK, lw=1)
    ax.set(xlim=ends, ylim=(0, top), ylabel=r"$|\psi|$ (bohr$^{-1/2}$)")

    def set_line(psi: np.ndarray) -> None:
        height = np.where(np.isfinite(psi), np.abs(psi), 0)
        image.set_data(colour_phase(np.exp(1j * np.angle(np.where(height > 0, psi, 1)))[None], 1.0))
        corners = [(x[0], 0), *zip(x, height, strict=True), (x[-1], 0)]
        image.set_clip_path(Outline(corners), ax.transData)
        line.set_ydata(height)

    return [image, line], set_line


def _phase_bar(ax: Axes) -> None:
    """Draw the legend of the colours in the upper right corner of a panel."""
    bar = ax.inset_axes((0.8, 0.8, 0.18, 0.07))
    phase = np.linspace(-np.pi, np.pi, 181)
    colours: Any = colour_phase(np.exp(1j * phase)[None], 1.0)
    bar.imshow(colours, extent=(-1, 1, 0, 1), aspect="auto")
    bar.set_yticks([])
    bar.set_xticks([-1, 0, 1], [r"$-\pi$", "0", r"$\pi$"])
    bar.tick_params(length=0, pad=2)
    bar.spines[:].set_visible(False)
    bar.set_title("phase of $\\psi$", pad=3)


def _say(ax: Axes, across: float, text: str, ha: str = "left") -> Any:
    """A text at the top of a panel."""
    return ax.text(across, 0.95, text, transform=ax.transAxes, ha=ha, va="top")


def _whose(i: int, n_given: int, n_t: int, is_finite: bool) -> str:
    """The text that tells whether a frame is given or forecast."""
    if i < n_given:
        return "given to the student"
    words = f"forecast from its own forecasts, frame {i - n_given + 1} of {n_t - n_given}"
    return words if is_finite else f"{words}: not finite"
