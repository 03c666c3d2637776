"""Students: Flax networks, one file per idea, and the one form in which all of them are used."""

import dataclasses
from collections.abc import Callable

import jax
from jaxtyping import PyTree

from qdistill.arguments import require_at_least, require_one_of
from qdistill.students import windowed
from qdistill.students.gru import GRU
from qdistill.students.student import Student
from qdistill.windows import WindowConfig

__all__ = ["STUDENTS", "Student", "StudentConfig", "count_parameters", "make"]


@dataclasses.dataclass(frozen=True)
class StudentConfig:
    """Which student, and how large.

    Attributes:
      name: A name in `STUDENTS`.
      n_units: Width of its layers.
      windows: What it sees, if it is made of windows.
    """

    name: str = "gru"
    n_units: int = 69
    windows: WindowConfig = dataclasses.field(default_factory=WindowConfig)

    def __post_init__(self) -> None:  # noqa: D105
        require_one_of(STUDENTS, name=self.name)
        require_at_least(1, n_units=self.n_units)


STUDENTS: dict[str, Callable[[StudentConfig], Student]] = {
    "gru": lambda config: windowed.make(GRU(config.n_units), config.windows),
}


def make(config: StudentConfig) -> Student:
    """The student that a config names.

    >>> student = make(StudentConfig("gru"))
    >>> count_parameters(student.init(jax.random.key(0)))
    36892
    """
    return STUDENTS[config.name](config)


def count_parameters(params: PyTree) -> int:
    """How many numbers the parameters hold."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))
