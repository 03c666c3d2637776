"""All that can evolve a packet, in one form: solvers with their settings, and students."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from qdistill import projection, resampling, solver
from qdistill.arguments import refuse
from qdistill.generalisation import CAP_PHASES
from qdistill.grid import Grid, Scalar
from qdistill.solver import Propagator, Step
from qdistill.students import PropagatorConfig, Student, propagator

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


def long_waves(
    grid: Grid, sizes: Sequence[int], hamiltonian: Callable[[int, Array], Array], kind: str
) -> dict[str, Contender]:
    """An effective Hamiltonian on the waves that so many points hold, diagonalised.

    Args:
      grid: Where psi and the landscape are given.
      sizes: Points of the coarse grids.
      hamiltonian: ``(points, v) -> `` its matrix between the waves of the band.
      kind: What it is called.
    """

    def contender(n_x: int) -> Contender:
        n_wave = (n_x - 1) // 2

        def advance(v: Array) -> Step:
            frame = projection.frame(hamiltonian(n_x, v), UNIT)
            return lambda waves: frame @ waves

        return Contender(
            kind,
            advance,
            lambda frames: projection.to_waves(grid, n_wave, frames[-1]),
            lambda waves: projection.from_waves(grid, waves),
        )

    return {f"{kind}, {n_x} points": contender(n_x) for n_x in sizes}


def cut_off(grid: Grid, sizes: Sequence[int]) -> dict[str, Contender]:
    """The Hamiltonian between long waves alone; nothing is folded in, and nothing learned."""
    return long_waves(
        grid, sizes, lambda n_x, v: projection.project(grid, (n_x - 1) // 2, v), "cut off"
    )


def folded(grid: Grid, sizes: Sequence[int], energy: float = 7.0) -> dict[str, Contender]:
    """The Hamiltonian of long waves with the short ones folded in to second order."""
    return long_waves(
        grid, sizes, lambda n_x, v: projection.fold(grid, (n_x - 1) // 2, v, energy), "folded"
    )


def effective(
    grid: Grid, form: PropagatorConfig, params: PyTree, name: str
) -> dict[str, Contender]:
    """The learned effective Hamiltonian, whose state are its waves: psi is made where looked at."""

    def hamiltonian(n_x: int, v: Array) -> Array:
        return propagator.hamiltonian(form, grid, params, v)

    return {
        key: each._replace(kind="student", is_learned=True)
        for key, each in long_waves(grid, (form.n_coarse,), hamiltonian, name).items()
    }


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
