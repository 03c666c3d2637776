"""Figures of the probes: emulators compared with the exact solver and with closed forms."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_finite, require_positive, require_shape
from qdistill._refusals import explained
from qdistill.insight.probes import (
    BumpResponse,
    Learning,
    LightCone,
    ProbeReport,
    Resonances,
    Scattering,
    UniformResponse,
    WaveResponse,
)
from qdistill.physics.grid import Dispersion
from qdistill.physics.stationary import omega
from qdistill.plots import style
from qdistill.plots.reports import draw
from qdistill.plots.style import BAR, COLOURS, GRID, INK, LINE_STYLES, ORANGE, SLATE, Values

# Colours of closed forms, and of the region beyond the lessons.
KNOWN, UNTAUGHT = "#b9c0c9", "#eceef1"
MARKERS = ("o", "s", "^", "D", "v", "P")
MOST = len(MARKERS)
# Density in 1/bohr below which a map of a light cone is white.
FAINTEST = 1e-6
# Energies and rates in a.u. that the rounding of one frame in float32 makes.
ROUNDING = 1e-6


@explained
@draw.register(ProbeReport)
def draw_probes(report: ProbeReport) -> dict[str, Figure]:
    """Draw all figures of the probes, by name, for at most four propagators."""
    found, grid, taught = report.found, report.system.grid, report.config.k_taught
    k = next(iter(found.values())).dispersion.k
    kinds: list[Dispersion] = ["lattice", "continuum"]
    kinds.sort(key=lambda kind: kind != grid.dispersion)
    known: dict[str, np.ndarray] = {
        kind: omega(dataclasses.replace(grid, dispersion=kind), k) for kind in kinds
    }

    def column(name: str) -> dict[str, Any]:
        return {propagator: getattr(each, name) for propagator, each in found.items()}

    return {
        "dispersion": plot_waves(column("dispersion"), known, taught, grid.mass[0]),
        "response": plot_response(column("uniform"), column("bump")),
        "light_cone": plot_light_cones(column("light_cone")),
        "transmission": plot_transmission(column("scattering"), column("resonances")),
    }


@explained
@draw.register(Learning)
def draw_learning(report: Learning) -> dict[str, Figure]:
    """Draw the errors of all processes during a training."""
    return {"order": plot_order(report)}


@explained
@style.styled
def plot_waves(
    waves: Mapping[str, WaveResponse],
    known: Mapping[str, Float[Values, " n_k"]],
    taught: float,
    mass: float = 1.0,
) -> Figure:
    """Draw the dispersion relations of several propagators, their errors and damping.

    Above: omega - k^2 / 2m, which is zero on the continuum. Below: the error relative to the first
    known dispersion, and the damping or growth of the waves. Values below 1e-6, the rounding of a
    frame in float32, are drawn at 1e-6.

    Args:
      waves: Responses by name of the propagator, all at the same k; at most six.
      known: Known dispersions omega at these k in hartree, by name; the teacher's is first.
      taught: Largest k in 1/bohr in the lessons.
      mass: Mass m of the particle, in electron masses.
    """
    _require_few("waves", waves)
    require_positive(taught=taught, mass=mass)
    k = style.axis("k", next(iter(waves.values())).k)
    closed = {f"known[{name!r}]": values for name, values in known.items()}
    require_shape(k.shape, **closed)
    require_finite(**closed)
    if not known:
        refuse("known", "at least one dispersion", known)
    figure = Figure(figsize=(10, 7), layout="constrained")
    panels = figure.subplot_mosaic([["above", "above"], ["error", "damping"]], height_ratios=[3, 2])
    truth, free = np.asarray(next(iter(known.values())), float), k**2 / (2 * mass)
    for (name, values), ls in zip(known.items(), ("-", (0, (6, 3)), ":"), strict=False):
        panels["above"].plot(k, values - free, color=KNOWN, lw=6, ls=ls, label=name)
    for i, (name, each) in enumerate(waves.items()):
        require_shape(k.shape, **{f"waves[{name!r}]": each.omega})
        look = _look(i)
        panels["above"].plot(k, each.omega - free, label=name, **look)
        panels["error"].plot(k, _raised(each.omega - truth), **look)
        panels["damping"].plot(k, _raised(each.damping), **look)
    inside = k <= 1.25 * taught
    # All of it is zero where the continuum alone is known.
    depth = max(1e-3, *(np.ptp((values - free)[inside]) for values in known.values()))
    panels["above"].set(ylim=(-1.15 * depth, 0.25 * depth))
    panels["above"].set_ylabel("$\\omega - k^2/2m$ (hartree)")
    panels["error"].set_ylabel(f"|$\\omega$ $-$ {next(iter(known))}|\n(hartree)")
    panels["damping"].set_ylabel("|damping|\n(1 / a.u.)")
    for name, ax in panels.items():
        ax.set(xlabel="k (1/bohr)", xlim=(0, k[-1]))
        ax.grid(axis="y", color=GRID, lw=0.8)
        if name != "above":
            _log_from_rounding(ax)
        if taught < k[-1]:
            ax.axvspan(taught, k[-1], color=UNTAUGHT, lw=0, zorder=0)
    if taught < k[-1]:
        style.note(panels["above"], (taught / k[-1] + 1) / 2, 0.92, "rare in lessons")
    handles = panels["above"].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=5)
    return figure


@explained
@style.styled
def plot_response(
    uniform: Mapping[str, UniformResponse], bump: Mapping[str, BumpResponse]
) -> Figure:
    """Draw the response to a uniform potential and to a small bump.

    Left: the error of the energy shift of plane waves by a uniform V, the largest over their
    momenta; values below 1e-6 are drawn at 1e-6. Right: the response to a bump relative to the
    Dyson term, for the phase of the forward wave and for the reflected wave.

    Args:
      uniform, bump: Responses by name of the propagator, the same names, at most six.
    """
    _require_few("uniform", uniform)
    if set(uniform) != set(bump):
        refuse("bump", f"of the names {sorted(uniform)}", sorted(bump))
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    right.axhline(1, color=KNOWN, lw=6, zorder=0)
    for i, (name, each) in enumerate(uniform.items()):
        look = _look(i)
        # The shift at V = 0 is zero.
        error = np.where(each.v == 0, np.nan, np.max(np.abs(each.shift - each.v[None]), axis=0))
        (line,) = left.plot(each.v, _raised(error), marker=MARKERS[i], ms=4, **look)
        strength = np.mean(each.coupling)
        line.set_label(f"{name}: response {strength:.4f}")
        marks = {"color": look["color"], "marker": MARKERS[i], "ms": 8}
        k = bump[name].k
        right.plot(k, np.abs(bump[name].forward), ls="-", **marks)
        right.plot(k, np.abs(bump[name].backward), ls=":", mfc="white", **marks)
    left.set_xlabel("uniform V (hartree)")
    _log_from_rounding(left)
    left.set_ylabel("|shift of $\\omega$ $-$ V| (hartree)")
    right.set(xlabel="k of the packet (1/bohr)", ylabel="response to a bump / first order")
    low, high = right.get_ylim()
    right.set_ylim(min(low, 0.95), max(min(high, 3.0), 1.05))
    right.set_title("filled: forward phase; open: reflected wave")
    left.set_title("error of the shift, of the worst wave")
    for ax in (left, right):
        ax.grid(axis="y", color=GRID, lw=0.8)
    handles = left.get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=3)
    return figure


@explained
@style.styled
def plot_light_cones(cones: Mapping[str, LightCone]) -> Figure:
    """Draw the spread of an impulse: |psi|^2 in space-time, and its front with the light cone.

    Dashed lines show the largest group velocity of the waves in the impulse.

    Args:
      cones: Light cones by name of the propagator, at most four.
    """
    if not 1 <= len(cones) <= 4:
        refuse("cones", "of 1 to 4 propagators", f"of {len(cones)}")
    figure = Figure(figsize=(10, 7), layout="constrained")
    places = figure.add_gridspec(2, len(cones), height_ratios=[3, 2])
    axes = [figure.add_subplot(places[0, 0])]
    axes += [figure.add_subplot(places[0, i], sharey=axes[0]) for i in range(1, len(cones))]
    ax = figure.add_subplot(places[1, :])
    first = next(iter(cones.values()))
    edge: dict[str, Any] = {"color": ORANGE, "ls": (0, (4, 3)), "lw": 1.5}
    ax.plot(first.t, first.limit * first.t, label="largest group velocity", **edge)
    ax.plot(first.t, first.expected_front, color=KNOWN, lw=6, label="front, closed form")
    for i, ((name, cone), panel) in enumerate(zip(cones.items(), axes, strict=True)):
        shown = np.log10(np.maximum(np.nan_to_num(cone.density, nan=0.0), FAINTEST))
        image = style.draw_map(panel, cone.x, cone.t, shown, "Blues", (np.log10(FAINTEST), 0.0))
        for side in (-1, 1):
            panel.plot(side * cone.limit * cone.t, cone.t, **edge)
        panel.set(title=name, xlabel="x (bohr)", xlim=(cone.x[0], cone.x[-1]))
        panel.tick_params(labelleft=i == 0)
        speed = f"{name}: {cone.speed:.2f} bohr per a.u."
        ax.plot(cone.t, cone.front, label=speed, **_look(i))
    axes[0].set_ylabel("t (a.u.)")
    figure.colorbar(image, ax=axes, label="log$_{10}$ of $|\\psi|^2$ bohr", extend="both", **BAR)
    ax.set(xlabel="t (a.u.)", ylabel="distance of the front (bohr)", xmargin=0, ylim=(0, None))
    ax.grid(axis="y", color=GRID, lw=0.8)
    ax.legend(loc="upper left", ncols=2)
    return figure


@explained
@style.styled
def plot_transmission(
    scattering: Mapping[str, Scattering], resonances: Mapping[str, Resonances]
) -> Figure:
    """Draw transmission against energy, through one barrier and through two, with errors below.

    Args:
      scattering: Scattering of packets at a barrier, by name of the propagator; at most six.
      resonances: Resonances of two barriers, for the same names.
    """
    _require_few("scattering", scattering)
    if set(scattering) != set(resonances):
        refuse("resonances", f"of the names {sorted(scattering)}", sorted(resonances))
    figure = Figure(figsize=(10, 6.4), layout="constrained")
    (one, two), below = figure.subplots(2, 2, sharex="col", height_ratios=[3, 2])
    single, double = next(iter(scattering.values())), next(iter(resonances.values()))
    one.plot(single.energy, single.expected, color=KNOWN, lw=6, label="analytic")
    two.plot(double.energy, double.expected, color=KNOWN, lw=6)
    two.plot(double.energy, double.sharp, color=SLATE, lw=1, ls=":", label="after infinite time")
    for i, name in enumerate(scattering):
        each, wave, look = scattering[name], resonances[name], _look(i)
        marks = {"color": look["color"], "marker": MARKERS[i], "ls": "", "mfc": "none", "mew": 1.5}
        one.plot(each.energy, each.transmitted, ms=8 - i, label=name, **marks)
        two.plot(wave.energy, wave.transmission, **look)
        error = np.abs(each.transmitted - each.expected)
        below[0].plot(each.energy, style.floored(error), ms=5, **marks | {"ls": look["ls"]})
        below[1].plot(wave.energy, style.floored(np.abs(wave.transmission - wave.expected)), **look)
    for peak in double.expected_peaks:
        two.axvline(peak, color=GRID, lw=1, zorder=0)
    one.set(title="packets on a barrier", ylabel="transmission", ylim=(-0.03, 1.25))
    two.set(title="resonances of two barriers", ylim=(-0.03, 1.25))
    two.legend(loc="upper left")
    for ax in below:
        ax.set_xlabel("energy (hartree)")
        style.log_limits(ax, *(np.ma.asarray(line.get_ydata()) for line in ax.lines))
    below[0].set_ylabel("|error|")
    for ax in (one, two, *below):
        ax.grid(axis="y", color=GRID, lw=0.8)
    figure.legend(*one.get_legend_handles_labels(), loc="outside upper center", ncols=4)
    return figure


@explained
@style.styled
def plot_order(learning: Learning) -> Figure:
    """Draw the forecast error of each process against the training step.

    A dot marks the step from which on the error stays below a multiple of its last value.
    """
    step = style.axis("step", learning.step)
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    ax = figure.subplots()
    curves = style.floored(learning.error)
    style.log_limits(ax, curves)
    ends = []
    rows = zip(learning.processes, curves.T, learning.learned, strict=True)
    for i, (name, curve, learned) in enumerate(rows):
        ax.plot(step, curve, color=COLOURS[i % 12], ls=LINE_STYLES[i % 12], lw=2)
        at = int(np.searchsorted(step, learned))
        ax.plot(step[at], curve[at], color=COLOURS[i % 12], marker="o", ms=9, mec="white", zorder=4)
        ends.append((f"{name}, {learned:,}", step[-1], curve[-1], COLOURS[i % 12]))
    ax.set(xlabel="training step", ylabel="|forecast $-$ truth| / |truth|", xlim=(0, step[-1] or 1))
    ax.xaxis.set_major_formatter(lambda n, _: f"{n:,.0f}")
    ax.grid(axis="y", color=GRID, lw=0.8)
    style.label_right(ax, ends)
    ax.set_title(
        f"dots, and numbers: the step from which an error stays within {learning.factor:g} times "
        "its last value"
    )
    return figure


def _look(i: int) -> dict[str, Any]:
    """The style of the curve of a propagator; the first, the exact solver, is broad and below."""
    if i == 0:
        return {"color": INK, "ls": "-", "lw": 3.0, "alpha": 0.55}
    return {"color": COLOURS[i - 1], "ls": LINE_STYLES[i], "lw": 1.8}


def _log_from_rounding(ax: Axes) -> None:
    """Set a log y axis from the rounding of a frame up to the largest value, and at least 1e-2."""
    curves: list[np.ndarray] = [np.ma.compressed(line.get_ydata()) for line in ax.lines]
    top = max((float(values.max()) for values in curves if values.size), default=0.0)
    ax.set(yscale="log", ylim=(ROUNDING / 2, max(1e-2, 2 * top)))


def _raised(error: np.ndarray) -> np.ndarray:
    return np.ma.maximum(style.floored(np.abs(error)), ROUNDING)


def _require_few(name: str, propagators: Mapping[str, Any]) -> None:
    if not 1 <= len(propagators) <= MOST:
        refuse(name, f"of 1 to {MOST} propagators", f"of {len(propagators)}")
