"""The teachers that are timed: solvers with their settings, compiled for a batch on devices."""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array

from experiments.throughput.problem import Problem
from qdistill import _devices as devices
from qdistill._rollout import repeat
from qdistill.physics.grid import Grid
from qdistill.teacher import solvers as solver
from qdistill.teacher.factory import TeacherConfig
from qdistill.teacher.solvers import Propagator

V_RANGE = TeacherConfig().v_range


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A solver with its settings.

    Attributes:
      make: ``(grid, dt) -> propagator``.
      n_jump: Frames that one step takes; None for all of them.
      is_double: In complex128.
      is_dense: All packets are in one landscape, and what can be known of it is not timed.
      n_chunk: Packets that are evolved to the end before the next; None for all at once.
    """

    make: Callable[[Grid, float], Propagator]
    n_jump: int | None = 1
    is_double: bool = False
    is_dense: bool = False
    n_chunk: int | None = None


def _chebyshev(tolerance: float) -> Callable[[Grid, float], Propagator]:
    return lambda grid, dt: solver.chebyshev(grid, dt, tolerance, V_RANGE)


def _split_step(
    n_substeps: int, kinetic_cap: float | None = None
) -> Callable[[Grid, float], Propagator]:
    return lambda grid, dt: solver.split_step(grid, dt, n_substeps, kinetic_cap)


def _dense(grid: Grid, dt: float) -> Propagator:
    return solver.dense(grid, solver.chebyshev(grid, dt, 1e-6, V_RANGE))


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
    "dense, one landscape": Teacher(_dense, is_dense=True),
    "dense, one landscape, all frames at once": Teacher(_dense, n_jump=None, is_dense=True),
}


def prepare(
    problem: Problem, teacher: Teacher, n_devices: int | None = None
) -> Callable[[], np.ndarray]:
    """The compiled run of all packets on some devices, or all: it returns the last states.

    A dense teacher's landscape is the first of the problem.
    """
    real, complex_ = ("f8", "c16") if teacher.is_double else ("f4", "c8")
    n_jump = problem.n_frames if teacher.n_jump is None else teacher.n_jump
    n_steps = problem.n_frames // n_jump
    propagator = teacher.make(problem.grid, problem.dt * n_jump)
    row: Mesh = devices.mesh(n_devices)

    def evolve(v: Array, psi: Array) -> Array:
        return repeat(propagator(v), psi, n_steps)

    def in_chunks(v: Array, psi: Array) -> Array:
        return jax.lax.map(lambda each: evolve(*each), (v, psi), batch_size=teacher.n_chunk)

    with jax.enable_x64(teacher.is_double):
        v, psi = jnp.asarray(problem.v, real), jnp.asarray(problem.psi, complex_)
        mapped = jax.vmap(evolve) if teacher.n_chunk is None else in_chunks
        if teacher.is_dense:
            step = propagator(v[0])
            mapped = jax.vmap(lambda v, psi: repeat(step, psi, n_steps))
        v, psi = devices.split(row, (v, psi))
        compiled = jax.jit(devices.on_each(row, mapped)).lower(v, psi).compile()

    def run() -> np.ndarray:
        with jax.enable_x64(teacher.is_double):
            return np.asarray(compiled(v, psi))

    return run
