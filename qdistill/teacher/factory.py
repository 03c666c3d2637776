"""The teacher of a run: the physics, and the solver that solves it."""

import dataclasses
from typing import Literal, TypeAlias, get_args

from qdistill._checks import require_at_least, require_one_of
from qdistill.physics.grid import Dispersion, Grid
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator

Solver: TypeAlias = Literal["chebyshev", "split_step"]


@dataclasses.dataclass(frozen=True)
class TeacherConfig:
    """The physics that is taught, and the solver that teaches it.

    Attributes:
      n_dim: Dimensions of space: a line, or a square box.
      n_x: Points of the box along an axis.
      length: Length of the box along an axis, in bohr.
      dispersion: ``"lattice"``, the paper's physics, or ``"continuum"``.
      dt: Duration of a frame, in atomic units.
      solver: ``"chebyshev"`` or ``"split_step"``.
      tolerance: Truncation error per frame of the Chebyshev solver.
      v_range: Lowest and highest value that a landscape of the curriculum may have, in hartree.
      n_substeps: Substeps per frame of the split-step solver.
    """

    n_dim: int = 1
    n_x: int = 1024
    length: float = 100.0
    dispersion: Dispersion = "lattice"
    dt: float = 0.1
    solver: Solver = "chebyshev"
    tolerance: float = 1e-5
    v_range: tuple[float, float] = (-16.0, 16.0)
    n_substeps: int = 10

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, n_dim=self.n_dim, n_substeps=self.n_substeps)
        require_one_of(get_args(Solver), solver=self.solver)
        make(self)


def make(config: TeacherConfig) -> tuple[Grid, Propagator]:
    """The grid and the teacher that a config names.

    >>> import jax.numpy as jnp
    >>> grid, teacher = make(TeacherConfig(n_x=64, length=10.0))
    >>> teacher(jnp.zeros(64))(jnp.ones(64, jnp.complex64)).shape
    (64,)
    """
    n_dim = config.n_dim
    grid = Grid((config.n_x,) * n_dim, (config.length,) * n_dim, config.dispersion)
    if config.solver == "split_step":
        return grid, solver.split_step(grid, config.dt, config.n_substeps)
    return grid, solver.chebyshev(grid, config.dt, config.tolerance, config.v_range)
