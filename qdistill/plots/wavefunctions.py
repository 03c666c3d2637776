"""Figures of wave functions by phase and brightness, in one and two dimensions."""

from typing import Any

import numpy as np
from jaxtyping import Complex, Float
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import AxesImage

from qdistill._checks import require_positive, require_shape
from qdistill._refusals import explained
from qdistill.plots import style
from qdistill.plots.colours import colour_phase, draw_wheel
from qdistill.plots.style import SAND, Along, Frames, Times, Values

LINE, PLANE = "bohr$^{-1/2}$", "bohr$^{-1}$"


@explained
@style.styled
def plot_wavefunction(
    x: Along, t: Times, v: Along, psi: Frames, title: str = "", scale: float | None = None
) -> Figure:
    """Draw a space-time map of psi, hue by phase and brightness by modulus, over its potential.

    Time runs upward; the potential is below the map, on the same x axis. Values that are not finite
    are grey.

    Args:
      x, t, v: Positions in bohr, times of the frames in a.u., and potential in hartree.
      psi: Wave function of every frame.
      title: Title of the figure.
      scale: Modulus of full brightness in bohr^(-1/2); by default the 99.5th percentile.
    """
    x, t, v = style.axis("x", x, True), style.times(t, True), style.potential(x, v)
    require_shape((t.size, x.size), psi=psi)
    psi = np.asarray(psi)
    scale = find_scale(psi, scale)
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    panels = figure.subplots(2, 2, height_ratios=[5, 1], width_ratios=[4.4, 1], sharex="col")
    (ax, side), (strip, corner) = panels
    style.draw_map(ax, x, t, colour_phase(psi, scale), None, None)
    ax.set(ylabel="t (a.u.)", title=title)
    style.draw_potential(strip, x, v)
    strip.set(xlabel="x (bohr)", ylabel="V (hartree)")
    corner.set_axis_off()
    draw_wheel(side, scale, LINE)
    return figure


@explained
@style.styled
def plot_wavefunction_2d(
    x: Along,
    y: Float[Values, " n_y"],
    psi: Complex[Values, "n_x n_y"],
    v: Float[Values, "n_x n_y"],
    title: str = "",
    scale: float | None = None,
) -> Figure:
    """Draw a map of psi in a plane, hue by phase and brightness by modulus, under its potential.

    The potential is drawn over the map, more opaque for larger |V|, with an outline at half its
    largest value. Values of psi that are not finite are grey.

    Args:
      x, y: Positions in bohr.
      psi: Wave function, with its first axis along x.
      v: Potential in hartree.
      title: Title of the panel, for instance the time.
      scale: Modulus of full brightness in 1/bohr; by default the 99.5th percentile.
    """
    x, y = style.axis("x", x, True), style.axis("y", y, True)
    require_shape((x.size, y.size), psi=psi, v=v)
    v = style.potential(v, v)
    psi = np.asarray(psi)
    scale = find_scale(psi, scale)
    figure, ax = plane(x, y, v, scale)
    draw_plane(ax, x, y, psi, scale)
    ax.set_title(title)
    return figure


@explained
def find_scale(psi: np.ndarray, scale: float | None) -> float:
    """Return the modulus of full brightness: the given one, or the 99.5th percentile."""
    if scale is None:
        return style.limit(np.abs(psi))
    require_positive(scale=scale)
    return float(scale)


@explained
def plane(x: np.ndarray, y: np.ndarray, v: np.ndarray, scale: float) -> tuple[Figure, Axes]:
    """Return a figure with a potential in a plane and the colour wheel, and the panel for psi."""
    # The height follows the aspect ratio of the box, within limits.
    height = np.clip(0.9 + 7.3 * np.ptp(y) / np.ptp(x), 3.6, 8.2)
    figure = Figure(figsize=(10, height), layout="constrained")
    ax, side = figure.subplots(1, 2, width_ratios=[4.6, 1])
    draw_wheel(side, scale, PLANE)
    side.set_anchor("NW")
    ax.set_anchor("NE")
    ax.set(xlabel="x (bohr)", ylabel="y (bohr)", aspect="equal")
    ax.spines[:].set_visible(True)
    highest = np.abs(v).max()
    if highest > 0:
        haze = np.empty((y.size, x.size, 4))
        haze[..., :3] = to_rgb(SAND)
        haze[..., 3] = 0.75 * np.abs(v.T) / highest
        ax.imshow(haze, origin="lower", extent=extent(x, y), zorder=2)
        half = float(v.flat[np.abs(v).argmax()]) / 2
        ax.contour(x, y, v.T, levels=[half], colors=["white"], linewidths=1.2, zorder=3)
        side.text(0, -2.75, f"outline: V =\n{half:.3g} hartree", ha="center", va="top", fontsize=11)
    return figure, ax


@explained
def draw_plane(ax: Axes, x: np.ndarray, y: np.ndarray, psi: np.ndarray, scale: float) -> AxesImage:
    """Draw psi in a plane, below the other artists of its panel."""
    colours: Any = colour_phase(psi.T, scale)
    return ax.imshow(colours, origin="lower", extent=extent(x, y), zorder=1)


@explained
def extent(x: np.ndarray, y: np.ndarray) -> tuple[float, float, float, float]:
    """Return the outer edges of the first and last cells along both axes, for an image."""
    half_x, half_y = (x[1] - x[0]) / 2, (y[1] - y[0]) / 2
    return (
        float(x[0] - half_x), float(x[-1] + half_x), float(y[0] - half_y), float(y[-1] + half_y),
    )  # fmt: skip
