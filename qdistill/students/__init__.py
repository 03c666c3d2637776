"""Students: Flax networks, one file per idea, and the one form in which all of them are used."""

import dataclasses
from collections.abc import Callable

import jax
from jaxtyping import PyTree

from qdistill._checks import require_at_least, require_one_of, require_positive
from qdistill.physics.grid import Grid
from qdistill.students import (
    effective,
    fno,
    kernel,
    local,
    plane_effective,
    propagator,
    unitary,
    windowed,
)
from qdistill.students.base import Student, from_propagator
from qdistill.students.effective import PropagatorConfig
from qdistill.students.feedforward import Conv, Dense, Linear
from qdistill.students.fno import FNOConfig
from qdistill.students.gru import GRU
from qdistill.students.kernel import KernelConfig
from qdistill.students.local import LocalConfig
from qdistill.students.lstm import LSTM
from qdistill.students.unitary import UnitaryConfig
from qdistill.students.windows import WindowConfig

__all__ = [
    "STUDENTS",
    "FNOConfig",
    "KernelConfig",
    "LocalConfig",
    "PropagatorConfig",
    "Student",
    "StudentConfig",
    "UnitaryConfig",
    "count_parameters",
    "effective",
    "from_propagator",
    "kernel",
    "make",
    "plane_effective",
    "propagator",
    "unitary",
]


@dataclasses.dataclass(frozen=True)
class StudentConfig:
    """Which student, and how large.

    Attributes:
      name: A name in `STUDENTS`.
      n_units: Width of its layers, if it is made of windows.
      windows: What it sees, if it is made of windows.
      unitary, local, fno, propagator, kernel: The forms of the students of these names.
    """

    name: str = "gru"
    n_units: int = 69
    windows: WindowConfig = dataclasses.field(default_factory=WindowConfig)
    unitary: UnitaryConfig = dataclasses.field(default_factory=UnitaryConfig)
    local: LocalConfig = dataclasses.field(default_factory=LocalConfig)
    fno: FNOConfig = dataclasses.field(default_factory=FNOConfig)
    propagator: PropagatorConfig = dataclasses.field(default_factory=PropagatorConfig)
    kernel: KernelConfig = dataclasses.field(default_factory=KernelConfig)

    def __post_init__(self) -> None:  # noqa: D105
        require_one_of(STUDENTS, name=self.name)
        require_at_least(1, n_units=self.n_units)

    @property
    def is_windowed(self) -> bool:
        """Whether it is made of windows."""
        return self.name in ("linear", "dense", "conv", "lstm", "gru")


STUDENTS: dict[str, Callable[[StudentConfig, Grid, float], Student]] = {
    "linear": lambda config, *_: windowed.make(Linear(), config.windows),
    "dense": lambda config, *_: windowed.make(Dense(config.n_units), config.windows),
    "conv": lambda config, *_: windowed.make(Conv(config.n_units), config.windows),
    "lstm": lambda config, *_: windowed.make(LSTM(config.n_units), config.windows),
    "gru": lambda config, *_: windowed.make(GRU(config.n_units), config.windows),
    "fno": lambda config, grid, _: fno.make(config.fno, grid),
    "local": lambda config, grid, dt: local.make(config.local, grid, dt),
    "unitary": lambda config, grid, dt: unitary.make(config.unitary, grid, dt),
    "propagator": lambda config, grid, dt: propagator.make(config.propagator, grid, dt),
    "kernel": lambda config, grid, dt: kernel.make(config.kernel, grid, dt),
}


def make(config: StudentConfig, grid: Grid, dt: float) -> Student:
    """The student that a config names.

    Args:
      config: Its name and form.
      grid: Where it learns.
      dt: Duration of a frame, in atomic units.

    >>> student = make(StudentConfig("gru"), Grid(), dt=0.1)
    >>> count_parameters(student.init(jax.random.key(0)))
    36892
    """
    require_positive(dt=dt)
    return STUDENTS[config.name](config, grid, dt)


def count_parameters(params: PyTree) -> int:
    """How many numbers the parameters hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
