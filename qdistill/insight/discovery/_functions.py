"""Functions of no given form, read from the coefficients of their columns."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from qdistill.insight.discovery import _selection
from qdistill.insight.discovery._generators import Model
from qdistill.insight.discovery._recordings import Recording, places
from qdistill.insight.discovery._terms import COLUMNS, CONSTANT, CROWDING, FREE, UNKNOWN, splines

# Points at which a function is read.
N_POINT = 49
# Units of the argument, and of the function.
UNITS = {
    "x": ("bohr", "hartree"),
    "V": ("hartree", "hartree"),
    "t": ("a.u.", "hartree / bohr"),
    "|psi|^2": ("1 / bohr", "hartree"),
}


class Function(NamedTuple):
    """A function of no given form, where its argument occurs.

    If the kinetic energy has no form, it may hold a constant, and W(x) and f(V) have a mean of zero
    over what occurs.

    Attributes:
      of: Its argument: ``"x"``, ``"V"``, ``"t"`` or ``"|psi|^2"``.
      at: Values of the argument, equally spaced.
      values, low, high: The function there, and its intervals of 95% over a bootstrap of the runs.
    """

    of: str
    at: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]

    def __str__(self) -> str:
        """Return the range of the function, where it is largest, and the widths of intervals."""
        of, unit = UNITS[self.of]
        top = int(np.argmax(np.abs(self.values)))
        width = float(np.median(self.high - self.low)) / 2
        return (
            f"from {self.values.min():.3g} to {self.values.max():.3g} {unit}, within {width:.1g}, "
            f"largest at {self.of} = {self.at[top]:.3g} {of}"
        )


def readings(
    recording: Recording, model: Model
) -> dict[str, tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n n_coefficient"]]]:
    """Return, for each function of a model, where it is read, and its values by coefficients."""
    found = {}
    for name in _selection.units(model):
        if name not in UNKNOWN:
            continue
        kind, ends = UNKNOWN[name], recording.ranges.of(UNKNOWN[name].of)
        at = np.linspace(*recording.seen.of(kind.of), N_POINT)
        if name == CROWDING:
            made = np.stack([at * (at / ends[1]) ** i for i in range(kind.n)])
        elif kind.of == "t":
            # Between frames a force is the straight line that it is in the fit.
            times = recording.dt * np.arange(recording.psi.shape[1])
            hats = np.maximum(1 - np.abs(at - times[:, None]) / abs(recording.dt), 0)
            made = splines(np, ends, kind.n, times) @ hats
        else:
            made = splines(np, ends, kind.n, at)
        if CONSTANT in kind.contains and model.form == FREE:
            made = made - (made @ _weights(recording, kind.of, at))[:, None]
        rows = np.zeros((len(at), len(model.values)))
        rows[:, [model.names.index(each) for each in COLUMNS[name]]] = made.T
        if kind.of == "x":
            at = at + recording.grid.middle[0]
        found[name] = at, rows
    return found


def _weights(recording: Recording, of: str, at: np.ndarray) -> np.ndarray:
    """The shares of the probability near each point."""
    density = np.sum(np.abs(recording.psi) ** 2, axis=1)
    values = recording.v if of == "V" else np.tile(places(recording.grid), (len(density), 1))
    gap = at[1] - at[0]
    edges = np.append(at - gap / 2, at[-1] + gap / 2)
    share = np.histogram(values, edges, weights=density)[0]
    return share / share.sum()
