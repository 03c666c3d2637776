"""The Config tree: everything that affects a result, composed of the modules' own settings."""

import dataclasses
import json
import typing
from typing import Any, TypeVar

from qdistill._checks import refuse, require_at_least, require_one_of
from qdistill.forecast.benchmark import BenchmarkConfig
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.training.stages import TrainingConfig
from qdistill.students import KernelConfig, PropagatorConfig, StudentConfig
from qdistill.teacher.factory import TeacherConfig

Node = TypeVar("Node")


@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run.

    Attributes:
      preset: The name that it goes by.
      seed: The one seed of all randomness, between 0 and 2^32 - 1.
      teacher: The physics and its solver.
      curriculum: What is taught, and when.
      student: Who learns.
      training: How.
      benchmark: How it is scored.

    Raises:
      ValueError: For parts that do not fit together.
    """

    preset: str = "custom"
    seed: int = 0
    teacher: TeacherConfig = dataclasses.field(default_factory=TeacherConfig)
    curriculum: CurriculumConfig = dataclasses.field(default_factory=CurriculumConfig)
    student: StudentConfig = dataclasses.field(default_factory=StudentConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    benchmark: BenchmarkConfig = dataclasses.field(default_factory=BenchmarkConfig)

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(0, seed=self.seed)
        if self.seed >= 2**32:
            refuse("seed", "at most 2^32 - 1", self.seed)
        if self.teacher.n_dim == 1 and self.teacher.length != 100:
            refuse("teacher.length", "100, as the lessons and cases are", self.teacher.length)
        if self.teacher.n_dim > 1:
            for stage in self.training.stages:
                words = {"training.stages.batches.examples": stage.batches.examples}
                require_one_of(("frames",), **words)
        if self.student.is_windowed:
            windows = self.student.windows
            require_at_least(windows.n_window, **{"teacher.n_x": self.teacher.n_x})
            require_at_least(windows.n_history, **{"benchmark.n_given": self.benchmark.n_given})
        if self.curriculum.plan == "staged":
            n_lessons = len(self.curriculum.lessons)
            n_block = max(stage.batches.n_block for stage in self.training.stages)
            n_blocks = self.training.boundaries[-1] / n_block
            if n_blocks < n_lessons:
                # A lesson's weight is looked up where a block begins.
                requirement = f"at least {n_lessons}, the number of staged lessons"
                refuse("n_steps / n_block", requirement, f"{n_blocks:g}")


def to_json(config: Config) -> str:
    """The whole tree as JSON."""
    return json.dumps(dataclasses.asdict(config), indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Config:
    """The tree that `to_json` wrote.

    Raises:
      ValueError: For unknown and missing settings, and values of the wrong type. Only settings that
        are newer than some runs may be missing.

    >>> config = Config(seed=3)
    >>> from_json(to_json(config)) == config
    True
    """
    return _build(Config, json.loads(text), "config")


def _build(kind: Any, value: Any, name: str) -> Any:
    """A value of an annotated type from what JSON made of it."""
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        hints = typing.get_type_hints(kind)
        if not isinstance(value, dict):
            refuse(name, "a table of settings", repr(value))
        for key in [*value, *hints]:
            if key not in hints:
                refuse(f"{name}.{key}", "a setting that exists", "unknown")
            if key not in value and f"{name}.{key}" not in ADDED:
                refuse(f"{name}.{key}", "given", "missing")
        value = {key: value.get(key, ADDED.get(f"{name}.{key}")) for key in hints}
        return kind(**{key: _build(hints[key], value[key], f"{name}.{key}") for key in hints})
    if typing.get_origin(kind) is tuple:
        of = list(typing.get_args(kind))
        if not isinstance(value, list):
            refuse(name, "a list", repr(value))
        of = of[:1] * len(value) if of[-1] is Ellipsis else of
        if len(of) != len(value):
            refuse(name, f"a list of {len(of)}", repr(value))
        items = enumerate(zip(of, value, strict=True))
        return tuple(_build(k, v, f"{name}.{i}") for i, (k, v) in items)
    allowed, words = _LEAVES[str if typing.get_origin(kind) is typing.Literal else kind]
    if type(value) not in allowed:
        refuse(name, words, repr(value))
    return value


# Settings that older runs do not name, and what they were then.
ADDED: dict[str, Any] = {
    "config.teacher.n_dim": 1,
    "config.training.on_divergence": "stop",
    "config.training.diverged": 1000.0,
    "config.training.rollback_rate": 0.5,
    "config.training.max_rollbacks": 10,
    "config.student.unitary.smooth": False,
    "config.student.propagator": json.loads(json.dumps(dataclasses.asdict(PropagatorConfig()))),
    "config.student.kernel": dataclasses.asdict(KernelConfig()),
}

_LEAVES: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
}


def differences(first: Config, second: Config) -> list[str]:
    """The settings in which two configs differ, one line each.

    >>> differences(Config(), Config(seed=3))
    ['seed: 0 is not 3']
    """
    one, other = leaves(first), leaves(second)
    absent = "absent"
    return [
        f"{name}: {one.get(name, absent)} is not {other.get(name, absent)}"
        for name in dict.fromkeys([*one, *other])
        if one.get(name, absent) != other.get(name, absent)
    ]


def leaves(config: Config) -> dict[str, Any]:
    """All settings by their names with dots, as `differences` and the options of scripts have them.

    >>> leaves(Config())["teacher.dt"]
    0.1
    """
    return _leaves(dataclasses.asdict(config))


def _leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(tree, tuple) and tree and isinstance(tree[0], dict):
        tree = dict(enumerate(tree))
    if not isinstance(tree, dict):
        return {prefix.rstrip("."): tree}
    return {
        name: leaf
        for key, node in tree.items()
        for name, leaf in _leaves(node, f"{prefix}{key}.").items()
    }
