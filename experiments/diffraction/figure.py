"""Figure of a double slit: truth, forecast, their difference, and the fringes."""

import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Complex, Float
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from experiments.diffraction import fringes
from experiments.diffraction.fringes import FringesConfig
from qdistill import plots
from qdistill._checks import require_between, require_finite, require_shape
from qdistill.forecast import metrics
from qdistill.insight.probes.scattering import find_peaks
from qdistill.plots import style, wavefunctions
from qdistill.plots.colours import draw_wheel
from qdistill.plots.style import BLUE, GRID, INK, ORANGE, SLATE, Along, Values
from qdistill.system import Propagator, rollout


@style.styled
def plot_diffraction(
    x: Along,
    y: Float[Values, " n_y"],
    v: Float[Values, "n_x n_y"],
    truth: Complex[Values, "n_x n_y"],
    forecast: Complex[Values, "n_x n_y"],
    screen: float,
    arrivals: tuple[Float[Values, " n_y"], Float[Values, " n_y"]],
    orders: Sequence[float] | Float[Values, " n_order"],
    title: str = "",
) -> Figure:
    """Draw truth and forecast with one scale of brightness, their difference, and the arrivals.

    The walls are white in the maps, and the screen is a dotted line there.

    Args:
      x, y: Positions in bohr; y from the middle.
      v: Potential in hartree.
      truth, forecast: psi at one time.
      screen: Position of the screen along x, in bohr.
      arrivals: Arrived probability per bohr of truth and forecast, in 1/bohr.
      orders: Theoretical positions of the bright fringes, in bohr.
      title: Title of the figure, for instance the time.
    """
    x, y = style.axis("x", x, True), style.axis("y", y, True)
    require_shape((x.size, y.size), truth=truth, forecast=forecast, v=v)
    require_finite(truth=truth, arrivals=arrivals[0], orders=orders)
    require_between(x[0], x[-1], screen=screen)
    for profile in arrivals:
        require_shape((y.size,), arrivals=profile)
    v, truth, forecast = style.potential(v, v), np.asarray(truth), np.asarray(forecast)
    error = np.ma.masked_invalid(np.abs(forecast - truth))
    scale = 0.7 * style.limit(np.abs(truth))
    figure = Figure(figsize=(10, 6), layout="constrained")
    upper, lower = list(np.asarray(figure.subfigures(2, 1, height_ratios=[1.2, 1])))
    maps = upper.subplots(1, 3, sharey=True)
    for ax, psi, name in zip(maps, (truth, forecast), ("solver", "student"), strict=False):
        wavefunctions.draw_plane(ax, x, y, psi, scale)
        ax.set_title(name)
    where = wavefunctions.extent(x, y)
    image = maps[2].imshow(error.T, origin="lower", extent=where, cmap="OrRd", vmin=0)
    maps[2].set_title("|student $-$ solver|")
    bar = upper.colorbar(image, cax=maps[2].inset_axes((1.03, 0, 0.04, 1)), label="bohr$^{-1}$")
    bar.formatter.set_powerlimits((-2, 2))
    for ax, colour in zip(maps, ("white", "white", INK), strict=True):
        if np.ptp(v) > 0:
            ax.contour(x, y, v.T, levels=[(v.min() + v.max()) / 2], colors=[colour], linewidths=1)
        ax.axvline(screen, color=colour, lw=1, ls=(0, (1, 1.5)))
        ax.set(xlabel="x (bohr)", aspect="equal")
        ax.spines[:].set_visible(True)
    maps[0].set_ylabel("y (bohr)")
    ax, side = lower.subplots(1, 2, width_ratios=[4.8, 1])
    draw_wheel(side, scale, wavefunctions.PLANE)
    for place in np.asarray(orders, float):
        if y[0] < place < y[-1]:
            ax.axvline(place, color=SLATE, lw=1.2, ls=(0, (1, 1.5)))
    true, guess = (100 * np.ma.masked_invalid(np.asarray(each, float)) for each in arrivals)
    ax.plot(y, true, color=BLUE, lw=2)
    ax.plot(y, guess, color=ORANGE, lw=1.6, ls=(0, (3, 1.5)))
    ax.set(xmargin=0, xlabel=f"y on the screen at x = {screen:.3g} (bohr)")
    ax.set_ylabel("arrived (% bohr$^{-1}$)")
    ax.grid(axis="y", color=GRID, lw=0.8)
    words = [
        Line2D([], [], color=BLUE, lw=2, label="solver"),
        Line2D([], [], color=ORANGE, lw=1.6, ls=(0, (3, 1.5)), label="student"),
        Line2D([], [], color=SLATE, ls=(0, (1, 1.5)), label="d sin $\\theta$ = n $\\lambda$"),
    ]
    ax.legend(handles=words, loc="upper right")
    figure.suptitle(title)
    return figure


def picture(
    config: FringesConfig, solver: Propagator, student: Propagator, film: pathlib.Path
) -> tuple[Figure, dict[str, Any]]:
    """Draw and animate one double slit by the solver and by a student, and measure the fringes.

    Args:
      config: Settings of the double slit.
      solver: The solver that is taken as the truth.
      student: An emulator of the same system.
      film: Path of the animation, a GIF.
    """
    grid, dt = solver.system.grid, solver.system.dt
    psi, v = fringes.make(config, grid)
    truth, forecast = (
        jax.jit(lambda psi, v, each=each: rollout(each, psi[None], v, config.n_frames))(psi, v)
        for each in (solver, student)
    )
    seen, forecast_seen = (
        np.asarray(fringes.arrivals(grid, dt, frames, config.screen))
        for frames in (truth, forecast)
    )
    x, y = (np.asarray(grid.positions(axis)).ravel() for axis in (0, 1))
    across, look = y - grid.middle[1], config.look - 1
    theory = fringes.orders(config)
    figure = plot_diffraction(
        x, across, v, truth[look], forecast[look], config.screen, (seen, forecast_seen), theory,
        f"t = {dt * config.look:.3g} a.u.",
    )  # fmt: skip
    times = dt * np.arange(1, config.n_frames + 1)
    some = slice(config.n_frames % 3, None, 3), slice(None, None, 2), slice(None, None, 2)
    plots.animate_wavefunction_2d(
        x[::2], across[::2], times[some[0]], forecast[some], v[::2, ::2], film, "student",
        seconds=5.0,
    )  # fmt: skip
    error = metrics.nrmse(forecast, truth)
    return figure, {
        "nrmse_at_look": float(error[look]),
        "nrmse_at_end": float(error[-1]),
        "fringes_of_theory_bohr": theory.tolist(),
        "fringes_of_solver_bohr": find_peaks(across, seen).tolist(),
        "fringes_of_student_bohr": find_peaks(across, forecast_seen).tolist(),
        "arrivals_error": float(np.linalg.norm(forecast_seen - seen) / np.linalg.norm(seen)),
    }
