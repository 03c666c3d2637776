"""All that can evolve a packet, in one form: solvers with their settings, and students."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from qdistill import resampling, solver
from qdistill.arguments import refuse
from qdistill.generalisation import CAP_PHASES
from qdistill.grid import Grid, Scalar
from qdistill.solver import Propagator, Step
from qdistill.students import Student

# Atomic units of time between two looks at psi; every contender steps as it likes in between.
UNIT = 1.0


class Contender(NamedTuple):
    """A way to evolve a packet.

    Attributes:
      kind: What it is: contenders of a kind differ in their settings.
      advance: ``v -> (state -> state)``, 1 a.u. later; what it needs of a landscape is made once.
      start: ``frames -> state`` from given frames on the fine grid, oldest first.
      psi: ``state -> psi`` on the fine grid.
      is_learned: Whether it is a student.
    """

    kind: str
    advance: Propagator
    start: Callable[[Array], Any] = lambda frames: frames[-1]
    psi: Callable[[Any], Array] = lambda state: state
    is_learned: bool = False


def split_steps(grid: Grid, numbers: Sequence[int]) -> dict[str, Contender]:
    """The plain split step with so many FFT pairs an a.u., where it is no resonance."""
    able = [n for n in numbers if grid.kinetic_energy().max() * UNIT / n < 2 * np.pi]
    return {
        f"split step, {n} pairs": Contender("split step", solver.split_step(grid, UNIT, n))
        for n in able
    }


def clamped(grid: Grid, n_pairs: int, cap: Scalar) -> Contender:
    """The split step with its kinetic energy clamped, which is allowed as few pairs as one likes.

    Args:
      grid: The physics.
      n_pairs: FFT pairs an a.u.
      cap: In hartree.
    """
    return Contender("clamped split step", solver.split_step(grid, UNIT, n_pairs, cap))


def caps(n_pairs: int) -> list[float]:
    """Caps in hartree to choose from."""
    return [phase * n_pairs / UNIT for phase in CAP_PHASES]


def chebyshevs(
    grid: Grid, tolerances: Sequence[float], v_range: tuple[float, float]
) -> dict[str, Contender]:
    """The Chebyshev expansion over 1 a.u. at once."""
    return {
        f"Chebyshev, {tolerance:.0e}": Contender(
            "Chebyshev", solver.chebyshev(grid, UNIT, tolerance, v_range)
        )
        for tolerance in tolerances
    }


def coarse_split_steps(fine: Grid, settings: Sequence[tuple[int, int]]) -> dict[str, Contender]:
    """The split step on fewer points, with the landscape low-passed: (points, pairs an a.u.)."""
    contenders = {}
    for n_x, n_pairs in settings:
        name = f"{n_x} points, {n_pairs} pairs"
        kind = f"fewer points, {n_pairs} pairs"
        contenders[name] = _on_coarse(kind, fine, n_x, _coarse_splitting(n_pairs))
    return contenders


def projected(fine: Grid, sizes: Sequence[int], exact: Propagator) -> dict[str, Contender]:
    """The exact propagator over 1 a.u. between the waves of a coarse grid, as a matrix.

    What leaves these waves within a step is lost, and nothing else is. The matrix costs as many
    packets over 1 a.u. as it has columns, for every landscape anew.
    """

    def make(fine: Grid, coarse: Grid) -> Propagator:
        def advance(v: Array) -> Step:
            evolve = exact(v)

            def column(start: Array) -> Array:
                psi = resampling.to_fine(fine, coarse, start)
                return resampling.to_coarse(fine, coarse, evolve(psi))

            matrix = jax.vmap(column)(jnp.eye(coarse.shape[0], dtype=jnp.complex64))
            return lambda psi: psi @ matrix

        return advance

    return {f"projected, {n_x} points": _on_coarse("projected", fine, n_x, make) for n_x in sizes}


def student(student: Student, params: PyTree, dt: float) -> Contender:
    """A student, as many frames as make 1 a.u.

    Raises:
      ValueError: If they do not fit.
    """
    n_frames = round(UNIT / dt)
    if abs(n_frames * dt - UNIT) > 1e-9:
        refuse("dt", f"a part of {UNIT:g} a.u.", dt)

    def advance(v: Array) -> Step:
        step = student.propagator(params)(v)
        return lambda state: jax.lax.fori_loop(0, n_frames, lambda _, s: step(s), state)

    return Contender("student", advance, student.state, student.psi, is_learned=True)


def _on_coarse(
    kind: str, fine: Grid, n_x: int, make: Callable[[Grid, Grid], Propagator]
) -> Contender:
    coarse = resampling.coarse_grid(fine, n_x)
    return Contender(
        kind,
        make(fine, coarse),
        lambda frames: resampling.to_coarse(fine, coarse, frames[-1]),
        lambda psi: resampling.to_fine(fine, coarse, psi),
    )


def _coarse_splitting(n_pairs: int) -> Callable[[Grid, Grid], Propagator]:
    """Its kinetic energy is that of the fine grid's waves, so that free packets are exact."""

    def make(fine: Grid, coarse: Grid) -> Propagator:
        h, n = UNIT / n_pairs, coarse.shape[0]
        waves = np.rint(np.fft.fftfreq(n) * n).astype(int)
        kinetic = fine.kinetic_energy()[waves % fine.shape[0]]
        drift = jnp.asarray(np.exp(-1j * h * kinetic), jnp.complex64)

        def advance(v: Array) -> Step:
            half_kick = jnp.exp(-0.5j * h * resampling.low_pass(fine, coarse, v))

            def substep(_: Scalar, psi: Array) -> Array:
                return half_kick * jnp.fft.ifft(drift * jnp.fft.fft(half_kick * psi))

            return lambda psi: jax.lax.fori_loop(0, n_pairs, substep, psi)

        return advance

    return make
