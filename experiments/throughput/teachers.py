"""The timed solvers of this package, with settings, compiled for a batch on devices."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from experiments.throughput.devices import on_each, split
from experiments.throughput.problem import Problem
from qdistill import teacher
from qdistill._distribute import mesh_of
from qdistill.system import Potential, Propagator, Step, System, Wrapped, rollout


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A solver with its settings.

    Attributes:
      make: ``system -> propagator``.
      n_jump: Number of frames in one step; None for all of them.
      is_double: Whether it runs in complex128.
      is_dense: Whether all packets are in one potential, whose setup is not timed.
      n_chunk: Number of packets that are evolved together on a CPU, whose cache is small; None for
        all.
    """

    make: Callable[[System], Propagator]
    n_jump: int | None = 1
    is_double: bool = False
    is_dense: bool = False
    n_chunk: int | None = None


def _chebyshev(tolerance: float) -> Callable[[System], Propagator]:
    return lambda system: teacher.chebyshev(system, tolerance)


def _split_step(
    n_substeps: int, kinetic_cap: float | None = None
) -> Callable[[System], Propagator]:
    return lambda system: teacher.split_step(system, n_substeps, kinetic_cap)


def _dense(system: System) -> Propagator:
    return teacher.dense(teacher.chebyshev(system, 1e-6))


TEACHERS: dict[str, Teacher] = {
    "chebyshev, 1e-5": Teacher(_chebyshev(1e-5)),
    "chebyshev, 1e-5, 16 at a time": Teacher(_chebyshev(1e-5), n_chunk=16),
    "chebyshev, 1e-6": Teacher(_chebyshev(1e-6)),
    "chebyshev, 1e-6, 16 at a time": Teacher(_chebyshev(1e-6), n_chunk=16),
    "chebyshev, 1e-5, one frame in five": Teacher(_chebyshev(1e-5), n_jump=5, n_chunk=16),
    "chebyshev, 1e-10, complex128": Teacher(_chebyshev(1e-10), is_double=True),
    "split step, 10 substeps": Teacher(_split_step(10), n_chunk=16),
    "split step, 20 substeps": Teacher(_split_step(20), n_chunk=16),
    "clamped, 3 substeps": Teacher(_split_step(3, 60.0), n_chunk=16),
    "clamped, 4 substeps": Teacher(_split_step(4, 75.0), n_chunk=16),
    "clamped, 7 substeps": Teacher(_split_step(7, 110.0), n_chunk=16),
    "dense, one potential": Teacher(_dense, is_dense=True),
    "dense, one potential, all frames at once": Teacher(_dense, n_jump=None, is_dense=True),
}


def prepare(problem: Problem, solver: Teacher, n_devices: int | None = None) -> Callable[[], Array]:
    """Return a compiled run of all packets, on some or all devices; it returns the last states.

    They stay on the devices. The potential of a dense solver is the first of the problem.
    """
    real, complex_ = ("f8", "c16") if solver.is_double else ("f4", "c8")
    n_jump = problem.n_frames if solver.n_jump is None else solver.n_jump
    n_steps = problem.n_frames // n_jump
    long = dataclasses.replace(problem.system, dt=problem.system.dt * n_jump)
    propagator = solver.make(long)
    row: Mesh = mesh_of(n_devices)

    def evolve(v: Array, psi: Array) -> Array:
        return rollout(propagator, psi[None], v, n_steps, every=n_steps)[0]

    def in_chunks(v: Array, psi: Array) -> Array:
        return jax.lax.map(lambda each: evolve(*each), (v, psi), batch_size=solver.n_chunk)

    with jax.enable_x64(solver.is_double):
        v, psi = jnp.asarray(problem.v, real), jnp.asarray(problem.psi, complex_)
        if solver.is_dense:
            propagator = Prepared(propagator, propagator(v[0]))
        is_whole = solver.n_chunk is None or jax.default_backend() != "cpu"
        mapped = jax.vmap(evolve) if is_whole else in_chunks
        v, psi = split(row, (v, psi))
        compiled = jax.jit(on_each(row, mapped)).lower(v, psi).compile()

    def run() -> Array:
        with jax.enable_x64(solver.is_double):
            return jax.block_until_ready(compiled(v, psi))

    return run


@dataclasses.dataclass(frozen=True)
class Prepared(Wrapped):
    """A propagator with a prepared step of one potential.

    Attributes:
      step: The step; it ignores the potential of a call.
    """

    step: Step

    def __call__(self, v: Potential) -> Step:
        """Return the prepared step."""
        return self.step
