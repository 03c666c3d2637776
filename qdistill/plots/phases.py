"""Figure of the phases of a learned splitting, as potential and kinetic energy."""

import numpy as np
from jaxtyping import Float
from matplotlib.figure import Figure

from qdistill._checks import require_at_least, require_positive, require_shape
from qdistill._refusals import explained
from qdistill.plots import style
from qdistill.plots.probes import KNOWN, UNTAUGHT
from qdistill.plots.style import COLOURS, GRID, INK, LINE_STYLES, Along, Values


@explained
@style.styled
def plot_phases(
    x: Along,
    v: Along,
    kicks: Float[Values, "n_a n_x"],
    k: Float[Values, " n_k"],
    drifts: Float[Values, "n_b n_k"],
    known: Float[Values, " n_k"],
    taught: float,
) -> Figure:
    """Draw the learned phases of a splitting student, as potential and kinetic energies.

    Left: the potential of each kick, their sum, and V. Right: the kinetic energy of each drift,
    their sum, and the exact one.

    Args:
      x, v: Positions in bohr, ascending, and potential in hartree, of the region to draw.
      kicks: a_j(x) / dt in hartree.
      k: Wavenumbers in 1/bohr, ascending from 0.
      drifts: b_j(k) / dt in hartree.
      known: Exact omega(k) in hartree.
      taught: Largest k in 1/bohr in the lessons.
    """
    x, v, k = style.axis("x", x), style.potential(x, v), style.axis("k", k)
    require_positive(taught=taught)
    require_at_least(1, n_kick=len(kicks), n_drift=len(drifts))
    require_shape((len(kicks), x.size), kicks=kicks)
    require_shape((len(drifts), k.size), drifts=drifts)
    require_shape(k.shape, known=known)
    figure = Figure(figsize=(10, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    style.draw_potential(left, x, v, np.concatenate([np.ravel(kicks), np.sum(kicks, axis=0)]))
    left.plot(x, np.sum(kicks, axis=0), color=INK, marker="o", ms=4, lw=1.5, label="sum")
    right.plot(k, known, color=KNOWN, lw=6, label="exact")
    right.plot(k, np.sum(drifts, axis=0), color=INK, lw=1.5, label="sum")
    for ax, along, rows, name in ((left, x, kicks, "kick"), (right, k, drifts, "drift")):
        # Equal phases of a palindrome are drawn once.
        widths = np.linspace(4, 1.5, len(rows)) if len(rows) > 1 else [1.5]
        for i, (row, width) in enumerate(zip(rows, widths, strict=True)):
            look = {"color": COLOURS[i % 12], "ls": LINE_STYLES[i % 12], "lw": width}
            ax.plot(along, row, label=f"{name} {i + 1}", **look)
        ax.grid(axis="y", color=GRID, lw=0.8)
        ax.legend(loc="upper left")
    left.set(xlabel="x (bohr)", ylabel="$a_j(x)$ / dt (hartree)", xmargin=0)
    left.set_title("potential of the kicks, over V")
    right.set(xlabel="k (1/bohr)", ylabel="$b_j(k)$ / dt (hartree)", xlim=(0, k[-1]))
    right.set_title("kinetic energy")
    if taught < k[-1]:
        right.axvspan(taught, k[-1], color=UNTAUGHT, lw=0, zorder=0)
        style.note(right, (taught / k[-1] + 1) / 2, 0.05, "rare in lessons")
    return figure
