"""Packets that pass Tully's models: their starts, their exact ends, and errors of propagators.

Source of the models: Tully, J. Chem. Phys. 93, 1061 (1990). The mass is 2000, and a packet of a
spread of one bohr begins 10 bohr left of the middle, on the lower adiabatic state.
"""

import dataclasses
import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from qdistill import teacher
from qdistill.insight.harness import recall
from qdistill.physics import channels, crossings, packets
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import Chebyshev

MASS, START, SPREAD = 2000.0, -10.0, 1.0
# Spacing of the box of 60 bohr in which students are taught.
DX = 60.0 / 1024
# Errors are taken at the ends of the segments, each a multiple of the longest frame.
N_SEGMENT, SHORTEST, LONGEST = 8, 10.0, 80.0
# Errors above count as this one.
HIGHEST = 1e3
# Where a packet counts as not having left.
INSIDE = 5.0
# Momenta in 1/bohr.
MOMENTA = np.linspace(5.0, 33.5, 20)


@dataclasses.dataclass(frozen=True)
class Model:
    """A model of Tully.

    Attributes:
      number: 1, 2 or 3.
      apart: Length in bohr of a flat middle, by which the two crossings of model 2 move apart.
    """

    number: int
    apart: float = 0.0

    @property
    def grid(self) -> Grid:
        """The box; twice as long for model 3, behind which packets are up to six times as fast."""
        n_x, origin = (2048, -40.0) if self.number == 3 else (1024, -30.0)
        return Grid(n_x, n_x * DX, "continuum", origin=origin, mass=MASS)

    @property
    def flight(self) -> float:
        """The way in bohr that a free packet flies until the end."""
        return 19.0 if self.number == 3 else 22.0 + self.apart

    def potential(self) -> Float[Array, "2 2 n_x"]:
        """Return the diabatic potential in hartree."""
        x = self.grid.positions(dtype=jnp.float32)
        if not self.apart:
            return crossings.TULLY[self.number](x)
        return crossings.dual(jnp.maximum(jnp.abs(x) - self.apart / 2, 0))


class Passages(NamedTuple):
    """Packets in one potential, with a number of segments' worth of time each.

    Attributes:
      v: The potential.
      psi: The initial states.
      longest: Number of the longest frames in a segment, for each packet.
      states: The adiabatic states.
      x: The positions.
    """

    v: Float[Array, "2 2 n_x"]
    psi: Complex[Array, "n_case 2 n_x"]
    longest: Int[Array, " n_case"]
    states: Float[Array, "2 2 n_x"]
    x: Float[Array, " n_x"]


def passages(model: Model, momenta: Float[np.ndarray, " n_case"] = MOMENTA) -> Passages:
    """Return the packets of a model, on the lower state, by momentum."""
    grid, v = model.grid, model.potential()
    # The state comes first.
    states, start = channels.adiabatic(v).states.swapaxes(0, 1), START - model.apart / 2
    make = functools.partial(packets.gaussian, grid, start, SPREAD, dtype=jnp.float32)
    psi = jnp.stack([make(float(k))[None] * states[0] for k in momenta])
    times = model.flight * MASS / momenta
    longest = np.ceil(times / (N_SEGMENT * LONGEST)).astype(int)
    x = grid.positions(dtype=jnp.float32)
    return Passages(v, psi, jnp.asarray(longest), states, x)


def system_of(model: Model, dt: float, bounds: tuple[float, float] = (-0.25, 0.25)) -> System:
    """Return the system of a model, with frames of a given duration."""
    return System(model.grid, dt, n_channel=2, bounds=bounds)


def exact(model: Model, dt: float = LONGEST, tolerance: float = 1e-6) -> Chebyshev:
    """Return the converged solver, Chebyshev's."""
    return teacher.chebyshev(system_of(model, dt), tolerance)


def given_to(propagator: Any, exact: Chebyshev, of: Passages) -> Complex[Array, "..."]:
    """Return the exact frames that lead to each initial state, as many as a propagator needs."""
    leading = functools.partial(recall, exact, n_given=propagator.n_history)
    return jax.jit(jax.vmap(leading, in_axes=(0, None)))(of.psi, of.v)


@jax.jit
def evolve(
    propagator: Any, psi: Complex[Array, "n_case *n_t 2 n_x"], v: Array, n: Int[Array, " n_case"]
) -> Complex[Array, "n_case n_segment 2 n_x"]:
    """Return the states at the ends of the segments, of n frames each.

    The numbers of frames are traced, so that packets of all speeds share one program. psi is the
    initial states, or the frames that lead to each.
    """
    step = propagator(v)
    psi = psi if psi.ndim == 4 else psi[:, None]

    def segment(carry: tuple[Any, Array], _: None) -> tuple[tuple[Any, Array], Array]:
        state, n = carry
        state = jax.lax.fori_loop(0, n, lambda _, state: step.advance(state), state)
        return (state, n), step.decode(state)

    def one(case: tuple[Array, Array]) -> Array:
        state = step.encode(case[0], jnp.asarray(0))
        return jax.lax.scan(segment, (state, case[1]), None, length=N_SEGMENT)[1]

    return jax.lax.map(one, (psi, n))


@jax.jit
def observe(
    passages: Passages, frames: Complex[Array, "n_case n_segment 2 n_x"]
) -> dict[str, Float[Array, "..."]]:
    """Return adiabatic probabilities left and right of the middle, and the share inside.

    Probabilities are (n_case, n_segment, 2, 2): state, then left or right of x = 0. They are in
    units of the initial norm, and add up to one for what conserves it.
    """
    amplitudes = jnp.einsum("acx,nscx->nsax", passages.states, frames)
    weights = jnp.abs(amplitudes) ** 2
    total = jnp.sum(jnp.abs(passages.psi[:1, None]) ** 2, axis=(-2, -1), keepdims=True)
    right = jnp.where(passages.x > 0, weights, 0).sum(axis=-1)
    sides = jnp.stack([weights.sum(axis=-1) - right, right], axis=-1) / total
    inside = jnp.where(jnp.abs(passages.x) < INSIDE, weights, 0).sum(axis=(-2, -1))
    return {"probabilities": sides, "inside": inside / total[..., 0, 0]}


@jax.jit
def deviation(frames: Array, truth: Array) -> Float[Array, "n_case n_segment"]:
    """Return relative L2 errors at the ends of the segments."""
    axes = (-2, -1)
    norms = jnp.sum(jnp.abs(truth) ** 2, axis=axes)
    return jnp.sqrt(jnp.sum(jnp.abs(frames - truth) ** 2, axis=axes) / norms)


def _finite(values: Array) -> np.ndarray:
    return np.minimum(np.nan_to_num(np.asarray(values), nan=HIGHEST), HIGHEST)


def by_channel(sides: Float[np.ndarray, "n_case 2 2"]) -> dict[str, list[float]]:
    """Return probabilities by direction and adiabatic state, back (R) or through (T)."""
    states, ways = enumerate(("lower", "upper")), ("R", "T")
    return {
        f"{way} {state}": sides[:, i, j].tolist()
        for i, state in states
        for j, way in enumerate(ways)
    }


def compare(
    passages: Passages,
    frames: Array,
    truth: Array,
    kept: slice = slice(None),
    is_in_time: bool = False,
) -> dict[str, Any]:
    """Return errors in time and final probabilities of a propagator.

    What diverged has errors and probabilities of `HIGHEST`.

    Args:
      passages: The packets.
      frames: Its frames.
      truth: The exact ones.
      kept: The segments of which errors are returned.
      is_in_time: Whether to return the population of the upper state in time too, and the errors
        of final probabilities that are scaled to add up to one: for what does not keep the norm.
    """
    own, true = (_finite(observe(passages, each)["probabilities"]) for each in (frames, truth))
    difference, populations = np.abs(own - true), np.abs(own.sum(-1) - true.sum(-1))
    errors = _finite(deviation(frames, truth))
    further = {}
    if is_in_time:
        last = own[:, -1] / np.maximum(own[:, -1].sum(axis=(1, 2), keepdims=True), 1e-12)
        scaled = np.abs(last - true[:, -1]).max(axis=(1, 2))
        further = {"upper in time": own.sum(-1)[..., 1].tolist(), "scaled": scaled.tolist()}
    return {
        **by_channel(own[:, -1]),
        **further,
        "error": errors[:, kept].tolist(),
        "final": errors[:, -1].tolist(),
        "probability": difference[:, -1].max(axis=(1, 2)).tolist(),
        "populations": populations.max(axis=(1, 2)).tolist(),
    }
