"""The config tree of a run: all settings that affect a result."""

import dataclasses
import hashlib
import json
import math
import types
import typing
from typing import Any, TypeVar

from qdistill import teacher
from qdistill._checks import (
    refuse,
    require_at_least,
    require_one_of,
    require_seed,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.curriculum import CurriculumConfig, require_lessons
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.runs import extensions
from qdistill.runs.extensions import Extension
from qdistill.students import FORMS, StudentConfig, WindowedConfig
from qdistill.system import SYSTEMS, System
from qdistill.teacher import TeacherConfig
from qdistill.training.stages import TrainingConfig

Node = TypeVar("Node")
CURE = "experiments/convert.py converts older runs."
NEWER = "Perhaps a newer version of qdistill has written it."
# Nodes that may be one of several classes, identified by a name.
NAMED: dict[type, dict[str, Any]] = {System: SYSTEMS, StudentConfig: FORMS}


@explained
@dataclasses.dataclass(frozen=True)
class Config:
    """All settings of a run.

    Attributes:
      preset: Name of the config.
      seed: The seed of all randomness, between 0 and 2^32 - 1.
      system: The system that is simulated and learned.
      teacher: Settings of the solver that makes the examples.
      curriculum: Lessons and their schedules.
      student: The form of the student.
      training: The stages of the training.
      benchmark: Settings of the held-out test.
      extensions: Files of your own that define a system, student or lesson.

    Raises:
      ValueError: For settings that contradict each other.
    """

    preset: str = "custom"
    seed: int = 0
    system: System = dataclasses.field(default_factory=lambda: System(bounds=(-16.0, 16.0)))
    teacher: TeacherConfig = dataclasses.field(default_factory=TeacherConfig)
    curriculum: CurriculumConfig = dataclasses.field(default_factory=CurriculumConfig)
    student: StudentConfig = dataclasses.field(default_factory=WindowedConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    benchmark: BenchmarkConfig = dataclasses.field(default_factory=BenchmarkConfig)
    extensions: tuple[Extension, ...] = ()

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_seed(seed=self.seed)
        teacher.make(self.teacher, self.system)
        require_lessons(self.system, self.curriculum.lessons)
        student = self.student.build(self.system)
        require_at_least(student.n_history, **{"benchmark.n_given": self.benchmark.n_given})
        is_plane = self.system.grid.n_dim > 1
        if is_plane or self.system.n_channel:
            allowed = ("frames",) if is_plane else ("frames", "windows")
            for stage in self.training.stages:
                words = {"training.stages.batches.examples": stage.batches.examples}
                require_one_of(allowed, **words)
        if self.curriculum.plan == "staged":
            n_lessons = len(self.curriculum.lessons)
            n_block = max(stage.batches.n_block for stage in self.training.stages)
            n_blocks = self.training.boundaries[-1] / n_block
            if n_blocks < n_lessons:
                # The weights of lessons are evaluated at the beginning of a block.
                requirement = f"at least {n_lessons}, the number of staged lessons"
                refuse("n_steps / n_block", requirement, f"{n_blocks:g}")


@explained
def to_tree(node: Any) -> Any:
    """Return a config as dicts, lists and values, with the names of systems and students."""
    if dataclasses.is_dataclass(node) and not isinstance(node, type):
        fields = {f.name: to_tree(getattr(node, f.name)) for f in dataclasses.fields(node)}
        if isinstance(node, System):
            return {"name": type(node).__name__, **fields}
        return {"name": node.name, **fields} if isinstance(node, StudentConfig) else fields
    return [to_tree(item) for item in node] if isinstance(node, tuple) else node


@explained
def to_json(config: Config) -> str:
    """Return the config tree as JSON, with its checksum."""
    tree = to_tree(config)
    return json.dumps(tree | {"sha256": _sum(tree)}, indent=2, allow_nan=False) + "\n"


@explained
def from_json(text: str) -> Config:
    """Return the config tree that `to_json` wrote.

    Raises:
      ValueError: For unknown and missing settings, values of the wrong type, settings that were
        changed since, and an extension file that was not loaded.

    >>> config = Config(seed=3)
    >>> from_json(to_json(config)) == config
    True
    >>> from_json(to_json(config).replace('"dt": 0.1', '"dt": 0.3'))
    Traceback (most recent call last):
    ValueError: Argument `config.sha256` must be the checksum of these settings, ...
    """
    try:
        tree = json.loads(text)
    except RecursionError:
        refuse("config", "a table of settings", "nested without end")
    except json.JSONDecodeError as error:
        refuse("text", "JSON", f"not, {error}")
    noted = tree.pop("sha256", None) if isinstance(tree, dict) else None
    config = from_tree(tree)
    if noted is None:
        refuse("config.sha256", "given", "missing", CURE)
    if noted != (own := _sum(tree)):
        cure = "They were changed after the run had begun: begin a new run with new settings."
        refuse("config.sha256", f"the checksum of these settings, {own}", repr(noted), cure)
    return config


@explained
def from_tree(tree: Any) -> Config:
    """Return a config from dicts, lists and values of the form of `to_tree`.

    Raises:
      ValueError: For the errors of `from_json`, except for a wrong checksum.
    """
    if isinstance(tree, dict):
        extensions.require_loaded(tree.get("extensions", []))
    return _build(Config, tree, "config")


@explained
def checksum(config: Config) -> str:
    """Return the SHA-256 of all settings; equal configs have equal checksums.

    >>> checksum(Config(seed=1)) == checksum(Config(seed=2))
    False
    """
    return _sum(to_tree(config))


def _sum(tree: Any) -> str:
    return hashlib.sha256(json.dumps(_same(tree), sort_keys=True).encode()).hexdigest()


def _same(tree: Any) -> Any:
    """The tree with one form for equal numbers, such as 1 and 1.0."""
    if isinstance(tree, dict):
        return {key: _same(node) for key, node in tree.items()}
    if isinstance(tree, list):
        return [_same(node) for node in tree]
    return int(tree) if isinstance(tree, float) and tree.is_integer() else tree


def _build(kind: Any, value: Any, name: str) -> Any:
    """A value of an annotated type from its JSON form."""
    if typing.get_origin(kind) in (types.UnionType, typing.Union):
        inner = next(k for k in typing.get_args(kind) if k is not types.NoneType)
        return None if value is None else _build(inner, value, name)
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        if not isinstance(value, dict):
            refuse(name, "a table of settings", repr(value))
        if issubclass(kind, tuple(NAMED)):
            kind, value = _named(kind, value, name)
        hints = typing.get_type_hints(kind)
        hints = {field.name: hints[field.name] for field in dataclasses.fields(kind)}
        for key in [*value, *hints]:
            if key not in hints:
                refuse(f"{name}.{key}", "a setting that exists", "unknown", NEWER)
            if key not in value:
                refuse(f"{name}.{key}", "given", "missing", CURE)
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
    kind = str if typing.get_origin(kind) is typing.Literal else kind
    if kind not in _LEAVES:
        refuse(name, "of a type that a config may have: numbers, text, tuples, tables", kind)
    allowed, words = _LEAVES[kind]
    if type(value) not in allowed:
        refuse(name, words, repr(value))
    if isinstance(value, float) and not math.isfinite(value):
        refuse(name, "finite", value)
    return value


def _named(kind: type, value: dict[str, Any], name: str) -> tuple[type, dict[str, Any]]:
    """The class of a system or student, from its name, and its settings."""
    known = next(known for base, known in NAMED.items() if issubclass(kind, base))
    if "name" not in value:
        refuse(f"{name}.name", "given", "missing", CURE)
    choices = {key: each for key, each in known.items() if issubclass(each, kind)}
    require_one_of(choices, **{f"{name}.name": value["name"]})
    kind = choices[value["name"]]
    if "name" not in {field.name for field in dataclasses.fields(kind)}:
        value = {key: item for key, item in value.items() if key != "name"}
    return kind, value


_LEAVES: dict[type, tuple[tuple[type, ...], str]] = {
    bool: ((bool,), "true or false"),
    int: ((int,), "an integer"),
    float: ((int, float), "a number"),
    str: ((str,), "a string"),
}


@explained
def differences(first: Config, second: Config) -> list[str]:
    """Return the settings in which two configs differ, a line for each.

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


@explained
def leaves(config: Config) -> dict[str, Any]:
    """Return all settings by dotted names, as in command-line options.

    >>> leaves(Config())["system.dt"]
    0.1
    """
    return _leaves(to_tree(config))


def _leaves(tree: Any, prefix: str = "") -> dict[str, Any]:
    if isinstance(tree, list):
        tree = dict(enumerate(tree)) if tree and isinstance(tree[0], dict) else tuple(tree)
    if not isinstance(tree, dict):
        return {prefix.rstrip("."): tree}
    return {
        name: leaf
        for key, node in tree.items()
        for name, leaf in _leaves(node, f"{prefix}{key}.").items()
    }
