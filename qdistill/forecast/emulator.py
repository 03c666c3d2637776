"""A trained student, used in one line as any teacher is."""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, PyTree

from qdistill import students
from qdistill._checks import (
    require_at_least,
    require_between,
    require_finite,
    require_real,
    require_shape,
)
from qdistill._rollout import rollout
from qdistill.physics.grid import Grid
from qdistill.runs.config import Config
from qdistill.students import Student, StudentConfig
from qdistill.teacher import factory as teacher
from qdistill.teacher.factory import TeacherConfig
from qdistill.teacher.solvers import Step


class Pretrained(NamedTuple):
    """A trained student.

    Attributes:
      config: All settings of its run.
      grid: Where it forecasts.
      student: What it is.
      params: What it learned.
      score: Its cost, and its means on the paper's test, as in `metrics.json`; None if it has none.
      provenance: Who worked on the run, oldest first, see `provenance.now`.
    """

    config: Config
    grid: Grid
    student: Student
    params: PyTree
    score: dict[str, Any] | None
    provenance: list[dict[str, Any]]

    @property
    def commit(self) -> str | None:
        """Of the code that ended its training; None if that is not known."""
        return self.provenance[-1]["commit"] if self.provenance else None

    def propagator(self, v: Float[Array, "*n_x"]) -> Step:
        """Its step of `config.teacher.dt` in a landscape, used as a teacher's is.

        The state is psi, or the last `student.n_history` frames, oldest first.

        Args:
          v: Landscape in hartree.

        Raises:
          ValueError: For what is no landscape on `grid`.

        >>> from qdistill.runs.pretrained import load
        >>> student = load("unitary")
        >>> step = student.propagator(jnp.zeros(1024))
        >>> step(jnp.ones(1024, jnp.complex64)).shape
        (1024,)
        """
        _require_landscape(self.grid, v)
        return self.student.propagator(self.params)(v)

    def forecast(
        self, psi: Complex[Array, "*n_t_x"], v: Float[Array, "*n_x"], n_frames: int
    ) -> Complex[Array, "n_frames *n_x"]:
        """The frames that follow psi, or that follow several given frames.

        A student that needs more than one frame, and is given psi alone, takes its first ones
        from the run's own solver; they are the first of the result.

        Args:
          psi: One frame, or several, oldest first; in bohr^(-1/2).
          v: Landscape in hartree.
          n_frames: How many.

        Raises:
          ValueError: For frames or a landscape of another shape than `grid`'s, too few frames, and
            a landscape outside `config.teacher.v_range` where the solver is needed.

        >>> from qdistill.runs.pretrained import load
        >>> load("unitary").forecast(jnp.ones(1024, jnp.complex64), jnp.zeros(1024), 5).shape
        (5, 1024)
        """
        _require_landscape(self.grid, v)
        is_alone = psi.ndim == len(self.grid.shape)
        frames = psi[None] if is_alone else psi
        require_shape((len(frames), *self.grid.shape), psi=frames)
        n_solved = self.student.n_history - 1 if is_alone else 0
        require_at_least(1 + n_solved, n_frames=n_frames)
        if n_solved:
            require_between(*self.config.teacher.v_range, v=v)
        return _forecast(
            self.config.student, self.config.teacher, n_solved, n_frames, self.params, frames, v
        )


# What is compiled serves every student of one form.
@functools.partial(jax.jit, static_argnums=(0, 1, 2, 3))
def _forecast(
    form: StudentConfig,
    physics: TeacherConfig,
    n_solved: int,
    n_frames: int,
    params: PyTree,
    frames: Complex[Array, "n_t *n_x"],
    v: Float[Array, "*n_x"],
) -> Complex[Array, "n_frames *n_x"]:
    grid, solve = teacher.make(physics)
    student = students.make(form, grid, physics.dt)
    solved = rollout(solve(v), frames[-1], n_solved) if n_solved else frames[:0]
    state = student.state(jnp.concatenate([frames, solved]))
    step = student.propagator(params)(v)
    return jnp.concatenate([solved, rollout(step, state, n_frames - n_solved, student.psi)])


def _require_landscape(grid: Grid, v: Array) -> None:
    require_shape(grid.shape, v=v)
    require_real(v=v)
    require_finite(v=v)
