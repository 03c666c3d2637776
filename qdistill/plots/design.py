"""Figures of designs: target transmission, and that of plane waves and packets."""

from collections.abc import Mapping

from matplotlib.figure import Figure

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.insight.design import Design
from qdistill.plots import style
from qdistill.plots.style import BLUE, GREY, GRID, INK, ORANGE


@explained
@style.styled
def plot_designs(designs: Mapping[str, Design]) -> Figure:
    """Draw transmission against energy with the target, and the potential below it.

    Args:
      designs: Designs by name, at most four; a column for each.
    """
    if not 1 <= len(designs) <= 4:
        refuse("designs", "of 1 to 4 designs", f"of {len(designs)}")
    figure = Figure(figsize=(10, 5.4), layout="constrained")
    above, below = figure.subplots(2, len(designs), squeeze=False, height_ratios=[5, 3])
    for name, top, low in zip(designs, above, below, strict=True):
        found = designs[name]
        top.plot(found.energy, found.target, color=GREY, lw=6, alpha=0.45, label="target")
        top.plot(found.energy, found.transmission, color=BLUE, lw=1.8, label="plane waves")
        packets = found.verdict
        top.plot(
            packets.energy, packets.expected, "_", color=INK, ms=13, mew=1.5,
            label="averaged over a packet",
        )  # fmt: skip
        top.plot(
            packets.energy,
            packets.transmitted,
            "o",
            color=ORANGE,
            ms=5,
            label="packets, exact solver",
        )
        top.set(title=name, ylim=(-0.04, 1.06), xlabel="energy (hartree)")
        top.grid(axis="y", color=GRID, lw=0.8)
        style.draw_potential(low, found.x, found.v)
        low.set_xlabel("x (bohr)")
    above[0].set_ylabel("transmission")
    below[0].set_ylabel("V (hartree)")
    handles = above[0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside upper center", ncols=4)
    return figure
