"""Figures of channels: adiabatic curves with the packet on them, populations, probabilities."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from qdistill._checks import refuse, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.plots import style
from qdistill.plots.style import COLOURS, GRID, LINE_STYLES, SLATE, Along, Times, Values

MOST = 4
# Height of the largest density, in units of the span of the energies.
TALL = 0.45


class Outcomes(NamedTuple):
    """Probabilities of one system against the momentum of the packet.

    Attributes:
      k: Momenta in 1/bohr, ascending.
      curves: Probabilities at these momenta by outcome, such as "reflected, lower".
      points: Other values by outcome, each as momenta and probabilities; drawn as points of the
        colour of that curve.
    """

    k: Float[Values, " n_k"]
    curves: Mapping[str, Float[Values, " n_k"]]
    points: Mapping[str, tuple[Float[Values, " n_p"], Float[Values, " n_p"]]]


@explained
@style.styled
def plot_channels(
    x: Along,
    t: Times,
    energies: Float[Values, "n n_x"],
    densities: Float[Values, "n_t n n_x"],
    title: str = "",
) -> Figure:
    """Draw the adiabatic curves, and at each time the densities of a packet upon them.

    Args:
      x: Positions in bohr.
      t: Times in a.u., one for each panel; at most four.
      energies: Adiabatic energies in hartree.
      densities: |psi|^2 in 1/bohr of each adiabatic channel at these times. All have one scale.
      title: Title of the figure.
    """
    x, t = style.axis("x", x), style.times(t)
    energies = np.asarray(energies, float)
    _require_few("t", t.size)
    _require_few("energies", len(energies))
    require_shape((len(energies), x.size), energies=energies)
    require_shape((t.size, *energies.shape), densities=densities)
    require_finite(energies=energies)
    known = np.ma.masked_invalid(np.asarray(densities, float))
    span = float(np.ptp(energies)) or 1.0
    scale = TALL * span / style.limit(known.max(axis=-1))
    figure = Figure(figsize=(10, 4), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, t.size, sharex=True, sharey=True))
    for ax, time, frame in zip(panels, t, known, strict=True):
        for i, (curve, density) in enumerate(zip(energies, frame, strict=True)):
            colour = COLOURS[i]
            ax.fill_between(x, curve, curve + scale * density, color=colour, alpha=0.35, lw=0)
            ax.plot(x, curve + scale * density, color=colour, lw=0.8)
            ax.plot(x, curve, color=colour, lw=2, label=f"channel {i}")
        ax.set(xlabel="x (bohr)", xlim=(x[0], x[-1]))
        ax.set_title(f"t = {time:g} a.u.")
    panels[0].set_ylabel("adiabatic energy (hartree)")
    panels[0].set_ylim(energies.min() - 0.1 * span, energies.max() + (TALL + 0.1) * span)
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=MOST)
    figure.suptitle(title)
    return figure


@explained
@style.styled
def plot_populations(
    t: Times, populations: Mapping[str, Float[Values, "n_t n"]], title: str = ""
) -> Figure:
    """Draw the populations of the channels in time, of several propagators.

    Args:
      t: Times in a.u.
      populations: Populations by name of the propagator. The first is the known one, drawn broad
        and pale; at most four.
      title: Title of the panel.
    """
    t = style.times(t)
    _require_few("populations", len(populations))
    n = np.shape(next(iter(populations.values())))[-1:]
    figure = Figure(figsize=(10, 4), layout="constrained")
    ax = figure.subplots()
    for i, (name, values) in enumerate(populations.items()):
        require_shape((t.size, *n), **{f"populations[{name!r}]": values})
        for channel, curve in enumerate(np.ma.masked_invalid(np.asarray(values, float)).T):
            look: dict[str, Any] = {"color": COLOURS[channel % len(COLOURS)]}
            look |= {"lw": 7, "alpha": 0.3} if not i else {"lw": 2, "ls": LINE_STYLES[i - 1]}
            ax.plot(t, curve, label=f"{name}, channel {channel}", **look)
    ax.set(xlabel="t (a.u.)", ylabel="population", ylim=(-0.03, 1.03), xlim=(t[0], t[-1]))
    ax.set_title(title)
    ax.grid(axis="y", color=GRID, lw=0.8)
    figure.legend(loc="outside lower center", ncols=max(1, min(4, len(populations))))
    return figure


@explained
@style.styled
def plot_probabilities(systems: Mapping[str, Outcomes]) -> Figure:
    """Draw probabilities of transmission and reflection against momentum, a panel for each system.

    Args:
      systems: Curves and points by name of the system, at most four, of at most four outcomes.
    """
    _require_few("systems", len(systems))
    names = list(dict.fromkeys(name for each in systems.values() for name in each.curves))
    _require_few("curves", len(names))
    figure = Figure(figsize=(10, 4.2), layout="constrained")
    panels = np.atleast_1d(figure.subplots(1, len(systems), sharey=True))
    for ax, (system, found) in zip(panels, systems.items(), strict=True):
        _draw_outcomes(ax, found, names)
        ax.set_title(system)
    panels[0].set_ylabel("probability")
    handles = {
        label: handle
        for ax in panels
        for handle, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=len(handles))
    return figure


def _draw_outcomes(ax: Axes, found: Outcomes, names: list[str]) -> None:
    k = style.axis("k", found.k)
    for name, curve in found.curves.items():
        require_shape(k.shape, **{f"curves[{name!r}]": curve})
        i = names.index(name)
        ax.plot(k, curve, color=COLOURS[i], ls=LINE_STYLES[i], lw=1.8, label=name)
    for name, (at, values) in found.points.items():
        if name not in names:
            refuse("points", f"points of {', '.join(names)}", repr(name))
        require_shape(np.shape(at), **{f"points[{name!r}]": values})
        colour = COLOURS[names.index(name)]
        ax.plot(at, values, "o", color=colour, mec=SLATE, ms=7, zorder=4)
    ax.set(xlabel="momentum (1/bohr)", xlim=(k[0], k[-1]), ylim=(-0.03, 1.03))
    ax.grid(axis="y", color=GRID, lw=0.8)


def _require_few(name: str, n: int) -> None:
    if not 1 <= n <= MOST:
        refuse(name, f"between 1 and {MOST} of them", n)
