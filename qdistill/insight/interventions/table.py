"""The interventions: changes of a state and its potential that remove one process.

An intervention acts at one moment. A propagator that needs past frames is given the exact frames
that lead to the new state in the new potential, because frames of the old state would contradict
it. Lengths scale with the box; numbers are for a box of 100 bohr.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from qdistill._refusals import explained
from qdistill.physics.grid import Grid

Psi: TypeAlias = Complex[Array, " n_x"]
V: TypeAlias = Float[Array, " n_x"]

# Length of the smooth transition of a cut, in units of the box.
CUT = 0.005
# Wavenumber in 1/bohr above which waves come from sharp edges and not from packets.
FAST = 6.0
# Heights of closed barriers in hartree: within the heights of the lessons, and beyond them.
CLOSED, WALL = 15.0, 30.0


class Moment(NamedTuple):
    """The state and the potential at the moment of an intervention.

    Attributes:
      psi: The state.
      v: Potential in hartree.
      span: Left and right end of the potential, in bohr.
      energy: Kinetic energy of the carrier wave before the encounter, in hartree.
    """

    psi: Psi
    v: V
    span: Float[Array, "2"]
    energy: Float[Array, ""]


@explained
def keep_psi(grid: Grid, moment: Moment, psi: Psi) -> Psi:
    """Return the state unchanged."""
    return psi


@explained
def keep_v(grid: Grid, moment: Moment) -> V:
    """Return the potential unchanged."""
    return moment.v


class Intervention(NamedTuple):
    """An intervention, which removes one process.

    Attributes:
      removes: The removed process, as text.
      scene: Kind of the scene, a name in `scenes.SCENES`.
      when: Moment in the scene: ``"start"``, ``"contact"`` or ``"later"``.
      on_psi: ``(grid, moment, psi) -> psi``, linear in psi.
      on_v: ``(grid, moment) -> v``, the potential from the moment on.
    """

    removes: str
    scene: str
    when: str
    on_psi: Callable[[Grid, Moment, Psi], Psi] = keep_psi
    on_v: Callable[[Grid, Moment], V] = keep_v


@explained
def parts(grid: Grid, span: Float[Array, "2"]) -> Float[Array, "3 n_x"]:
    """Return smooth masks of the regions left of a span, in it, and right of it; they sum to 1.

    >>> left, inside, right = parts(Grid(100, 100.0), jnp.array([40.0, 60.0]))
    >>> [round(float(part[49]), 3) for part in (left, inside, right)]
    [0.0, 1.0, 0.0]
    """
    x, cut = grid.positions(dtype=span.dtype), CUT * grid.lengths[0]
    left = (1 + jnp.tanh((span[0] - x) / cut)) / 2
    right = (1 + jnp.tanh((x - span[1]) / cut)) / 2
    return jnp.stack([left, 1 - left - right, right])


@explained
def without(part: int) -> Callable[[Grid, Moment, Psi], Psi]:
    """Return a function that deletes psi left of the span (0), in it (1) or right of it (2)."""
    return lambda grid, moment, psi: psi * (1 - parts(grid, moment.span)[part])


@explained
def flip(grid: Grid, moment: Moment, psi: Psi) -> Psi:
    """Return the state with the sign changed on one side of the span's middle."""
    x = grid.positions(dtype=moment.span.dtype)
    return psi * jnp.tanh((x - jnp.mean(moment.span)) / (CUT * grid.lengths[0]))


@explained
def slow(grid: Grid, moment: Moment, psi: Psi) -> Psi:
    """Return the state without waves beyond `FAST`, with a smooth cutoff."""
    k = jnp.asarray(jnp.abs(grid.wavenumbers()), psi.real.dtype)
    kept = jax.nn.sigmoid((FAST - k) / 0.1)
    return jnp.fft.ifft(kept * jnp.fft.fft(psi))


@explained
def empty(grid: Grid, moment: Moment) -> V:
    """Return the zero potential."""
    return jnp.zeros_like(moment.v)


@explained
def closed(height: float) -> Callable[[Grid, Moment], V]:
    """Return the function that raises the potential to a height wherever it exceeds the energy."""
    return lambda grid, moment: jnp.where(moment.v > moment.energy, height, moment.v)


INTERVENTIONS: dict[str, Intervention] = {
    "nothing": Intervention("nothing: the control", "encounter", "contact"),
    "no potential": Intervention("scattering as a whole", "encounter", "start", on_v=empty),
    "potential gone": Intervention("all after the contact", "encounter", "contact", on_v=empty),
    "no reflected part": Intervention("reflection", "encounter", "later", without(0)),
    "no transmitted part": Intervention("transmission", "encounter", "later", without(2)),
    "phase flipped": Intervention("interference as it was", "meeting", "start", flip),
    "no trapped part": Intervention("trapping", "cavity", "later", without(1)),
    "barrier closed": Intervention("tunnelling", "tunnel", "start", on_v=closed(CLOSED)),
    "wall": Intervention("tunnelling, by a wall", "tunnel", "start", on_v=closed(WALL)),
    "no fast waves": Intervention("what sharp edges make", "edges", "contact", slow),
}
