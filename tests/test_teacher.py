import jax.numpy as jnp
import pytest

from qdistill.teacher import factory as teacher
from qdistill.teacher.factory import TeacherConfig


def test_teacher_config_builds_both_solvers() -> None:
    grid, chebyshev = teacher.make(TeacherConfig(n_x=64, length=10.0))
    _, split_step = teacher.make(
        TeacherConfig(n_x=64, length=10.0, solver="split_step", n_substeps=40)
    )
    psi = jnp.exp(2j * jnp.pi * grid.positions() / 10)
    v = jnp.cos(grid.positions())
    # The config's tolerance of 1e-5; Strang's error over one frame at 40 substeps is far below it.
    difference = chebyshev(v)(psi) - split_step(v)(psi)
    assert jnp.linalg.norm(difference) < 1e-5 * jnp.linalg.norm(psi)
    with pytest.raises(ValueError, match="`n_substeps` must be at least 4 on this grid"):
        TeacherConfig(solver="split_step", n_substeps=2)
