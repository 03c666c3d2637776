"""The teacher of a run, made from its config."""

import dataclasses
from typing import Literal, TypeAlias, get_args

from qdistill._checks import (
    refuse,
    require_at_least,
    require_one_of,
    require_positive,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.system import Propagator, System
from qdistill.teacher.expansion import chebyshev
from qdistill.teacher.split_steps import split_step

Solver: TypeAlias = Literal["chebyshev", "split_step"]


@explained
@dataclasses.dataclass(frozen=True)
class TeacherConfig:
    """Settings of the solver that makes the examples.

    Attributes:
      solver: ``"chebyshev"`` or ``"split_step"``.
      tolerance: Truncation error per frame of the Chebyshev solver.
      n_substeps: Substeps per frame of the split-step solver.
    """

    solver: Solver = "chebyshev"
    tolerance: float = 1e-5
    n_substeps: int = 10

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(1, n_substeps=self.n_substeps)
        require_one_of(get_args(Solver), solver=self.solver)
        require_positive(tolerance=self.tolerance)
        if self.tolerance >= 1:
            refuse("tolerance", "below 1", self.tolerance)


@explained
def make(config: TeacherConfig, system: System) -> Propagator:
    """Return the solver that a config names, for a system.

    >>> from qdistill.physics.grid import Grid
    >>> make(TeacherConfig("split_step", n_substeps=4), System(Grid(64, 10.0))).n_substeps
    4
    """
    if config.solver == "split_step":
        return split_step(system, config.n_substeps)
    return chebyshev(system, config.tolerance)
