"""The solver that a config names."""

import jax.numpy as jnp
import pytest
from steps import evolve

from qdistill import teacher
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import TeacherConfig, chebyshev, split_step

SYSTEM = System(Grid(64, 10.0))


def test_a_config_builds_both_solvers() -> None:
    configs = TeacherConfig("chebyshev", 1e-5), TeacherConfig("split_step", n_substeps=40)
    solvers = [teacher.make(config, SYSTEM) for config in configs]
    assert solvers == [chebyshev(SYSTEM, 1e-5), split_step(SYSTEM, 40)]
    x = SYSTEM.grid.positions()
    psi, v = jnp.exp(2j * jnp.pi * x / 10), jnp.cos(x)
    one, other = (evolve(solver, v, psi, 1) for solver in solvers)
    # The config's tolerance of 1e-5; Strang's error over one frame at 40 substeps is far below it.
    assert jnp.linalg.norm(one - other) < 1e-5 * jnp.linalg.norm(psi)


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"solver": "euler"}, "`solver` must be one of 'chebyshev', 'split_step', but is 'euler'"),
        ({"n_substeps": 0}, "`n_substeps` must be at least 1, but is 0"),
        ({"tolerance": 0.0}, "`tolerance` must be finite and positive, but is 0.0"),
        ({"tolerance": 1.0}, "`tolerance` must be below 1, but is 1.0"),
    ],
)
def test_senseless_settings_are_refused(settings: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        TeacherConfig(**settings)


def test_a_solver_that_the_grid_does_not_allow_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_substeps` must be at least 4 on this grid"):
        teacher.make(TeacherConfig("split_step", n_substeps=2), System())
