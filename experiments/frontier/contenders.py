"""All that can evolve a packet, in one form: solvers with their settings, and students."""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from experiments.frontier import operations, resampling
from experiments.frontier.operations import Operations
from qdistill._checks import refuse
from qdistill.forecast.baselines import CAP_PHASES
from qdistill.physics.grid import Grid, Scalar
from qdistill.students import Student
from qdistill.teacher import expansion
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator, Step

# Atomic units of time between two looks at psi; every contender steps as it likes in between.
UNIT = 1.0


class Evolution(NamedTuple):
    """How packets move on one landscape, whose part in the work is done.

    Attributes:
      start: ``frames -> state`` from given frames on the fine grid, oldest first.
      step: ``state -> state``, 1 a.u. later.
      look: ``state -> psi`` on points of the contender's own.
      psi: ``state -> psi`` on the fine grid.
    """

    start: Callable[[Array], Any]
    step: Step
    look: Callable[[Any], Array]
    psi: Callable[[Any], Array]


class Contender(NamedTuple):
    """A way to evolve a packet.

    Attributes:
      kind: What it is: contenders of a kind differ in their settings.
      evolution: ``v -> Evolution``; what it needs of a landscape is made once.
      operations: What it asks of a machine, where that is known.
      is_learned: Whether it is a student.
    """

    kind: str
    evolution: Callable[[Array], Evolution]
    operations: Operations | None = None
    is_learned: bool = False


def on_fine(kind: str, advance: Propagator, operations: Operations | None = None) -> Contender:
    """A contender whose state is psi on the fine grid."""
    return Contender(
        kind, lambda v: Evolution(lambda frames: frames[-1], advance(v), as_is, as_is), operations
    )


def split_steps(grid: Grid, numbers: Sequence[int]) -> dict[str, Contender]:
    """The plain split step with so many FFT pairs an a.u., where it is no resonance."""
    able = [n for n in numbers if grid.kinetic_energy().max() * UNIT / n < 2 * np.pi]
    return {
        f"split step, {n} pairs": on_fine(
            "split step", solver.split_step(grid, UNIT, n), _of_split_step(n, grid)
        )
        for n in able
    }


def clamped(grid: Grid, n_pairs: int, cap: Scalar) -> Contender:
    """The split step with its kinetic energy clamped, which is allowed as few pairs as one likes.

    Args:
      grid: The physics.
      n_pairs: FFT pairs an a.u.
      cap: In hartree.
    """
    steps = solver.split_step(grid, UNIT, n_pairs, cap)
    return on_fine("clamped split step", steps, _of_split_step(n_pairs, grid))


def caps(n_pairs: int) -> list[float]:
    """Caps in hartree to choose from."""
    return [phase * n_pairs / UNIT for phase in CAP_PHASES]


def chebyshevs(
    grid: Grid, tolerances: Sequence[float], v_range: tuple[float, float]
) -> dict[str, Contender]:
    """The Chebyshev expansion over 1 a.u. at once."""
    radius = (grid.kinetic_energy().max() + v_range[1] - v_range[0]) / 2
    # Of a term: the kinetic energy, the landscape and the recurrence.
    n_x = math.prod(grid.shape)
    kinetic = 8 * n_x if grid.dispersion == "lattice" else 2 * operations.fft(*grid.shape) + 2 * n_x
    found = {}
    for tolerance in tolerances:
        n_terms = len(expansion.coefficients(radius * UNIT, tolerance))
        found[f"Chebyshev, {tolerance:.0e}"] = on_fine(
            "Chebyshev",
            solver.chebyshev(grid, UNIT, tolerance, v_range),
            Operations(0, n_terms * (kinetic + 8 * n_x)),
        )
    return found


def coarse_clamped(fine: Grid, n_coarse: int, n_pairs: int, cap: Scalar) -> Contender:
    """The clamped split step on fewer points, with the landscape low-passed.

    Its kinetic energy is that of the fine grid's waves, so that free packets below the cap are
    exact.

    Args:
      fine: The physics.
      n_coarse: Points.
      n_pairs: FFT pairs an a.u.
      cap: In hartree.
    """
    coarse, h = resampling.coarse_grid(fine, n_coarse), UNIT / n_pairs
    waves = np.rint(np.fft.fftfreq(n_coarse) * n_coarse).astype(int)
    among = np.ix_(*(waves % fine.shape[0],) * fine.n_dim)
    kinetic = jnp.minimum(fine.kinetic_energy()[among], cap)
    drift = jnp.exp(-1j * h * kinetic).astype(jnp.complex64)

    def evolution(v: Array) -> Evolution:
        low = resampling.low_pass(fine, coarse, v)
        half_kick, kick = jnp.exp(-0.5j * h * low), jnp.exp(-1j * h * low)

        def substep(_: Scalar, psi: Array) -> Array:
            return kick * jnp.fft.ifftn(drift * jnp.fft.fftn(psi))

        def step(psi: Array) -> Array:
            psi = jax.lax.fori_loop(0, n_pairs, substep, half_kick * psi)
            return half_kick.conj() * psi

        return Evolution(
            lambda frames: resampling.to_coarse(fine, coarse, frames[-1]),
            step,
            as_is,
            lambda psi: resampling.to_fine(fine, coarse, psi),
        )

    return Contender(f"{n_coarse} points, clamped", evolution, _of_split_step(n_pairs, coarse))


def student(student: Student, params: PyTree, dt: float) -> Contender:
    """A student, as many frames as make 1 a.u.

    Raises:
      ValueError: If they do not fit.
    """
    n_frames = round(UNIT / dt)
    if abs(n_frames * dt - UNIT) > 1e-9:
        refuse("dt", f"a part of {UNIT:g} a.u.", dt)

    def evolution(v: Array) -> Evolution:
        step = student.propagator(params)(v)
        return Evolution(
            student.state,
            lambda state: jax.lax.fori_loop(0, n_frames, lambda _, s: step(s), state),
            student.psi,
            student.psi,
        )

    return Contender("student", evolution, is_learned=True)


def _of_split_step(n_pairs: int, grid: Grid) -> Operations:
    return Operations(0, operations.split_step(n_pairs, *grid.shape))


def as_is(state: Any) -> Any:
    """Where a state is psi already."""
    return state
