"""The Config tree: everything that affects a result, composed of the modules' own settings."""

import dataclasses
import json
import typing
from typing import Any, TypeVar

from qdistill.arguments import refuse, require_at_least
from qdistill.batches import BatchConfig
from qdistill.benchmark import BenchmarkConfig
from qdistill.curriculum import CurriculumConfig
from qdistill.students import StudentConfig, UnitaryConfig
from qdistill.teacher import TeacherConfig
from qdistill.training import Stage, TrainingConfig
from qdistill.windows import WindowConfig

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
        if self.teacher.length != 100:
            refuse("teacher.length", "100, as the lessons and cases are", self.teacher.length)
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


_GAUGED = StudentConfig("gru", windows=WindowConfig(gauge=True))
_BARRIERS = CurriculumConfig(lessons=("barrier",))


def gauged_stage(n_steps: int) -> Stage:
    """Muon on gauged windows that follow psi, and a loss that counts what is stitched."""
    return Stage(
        n_steps=n_steps,
        batches=BatchConfig(
            n_batch=1024, n_block=200, n_runs=48, n_frames=200, placement="amplitude"
        ),
        relative=True,
        loss_sigma=2.8,
        noise=1e-3,
        optimiser="muon",
        peak_rate=1e-2,
        final_rate=1e-5,
        warm_up=0.03,
        weight_decay=0.0,
    )


def frames_stage(
    n_steps: int,
    n_target: int,
    n_batch: int,
    peak_rate: float,
    power: float = 1.0,
    n_runs: int = 48,
) -> Stage:
    """Adam on whole frames, rolled out over `n_target` of them."""
    return Stage(
        n_steps=n_steps,
        batches=BatchConfig(
            n_batch=n_batch,
            n_block=20,
            n_runs=n_runs,
            n_frames=40 + n_target,
            n_target=n_target,
            whole_frames=True,
        ),
        power=power,
        peak_rate=peak_rate,
        final_rate=peak_rate / 100,
        warm_up=0.05,
        weight_decay=0.0,
    )


_FINE_TUNING = dataclasses.replace(
    frames_stage(3000, 100, 8, 1e-4, power=0.5, n_runs=24), decay="cosine", memory=0.99
)

PRESETS: dict[str, tuple[str, Config]] = {
    "demo": (
        "The unitary student from nothing, in minutes, on single barriers and wells.",
        Config(
            "demo",
            curriculum=_BARRIERS,
            student=StudentConfig("unitary"),
            training=TrainingConfig(
                (
                    frames_stage(300, 1, 64, 1e-2),
                    frames_stage(300, 8, 64, 1e-2),
                    frames_stage(1000, 40, 16, 3e-3),
                ),
                checkpoint_every=100,
            ),
        ),
    ),
    "unitary": (
        "The same for longer, on landscapes of every family too.",
        Config(
            "unitary",
            curriculum=CurriculumConfig(lessons=("barrier", "landscapes")),
            student=StudentConfig("unitary"),
            training=TrainingConfig(
                (
                    frames_stage(300, 1, 64, 1e-2),
                    frames_stage(300, 8, 64, 1e-2),
                    frames_stage(2000, 40, 16, 3e-3),
                    _FINE_TUNING,
                ),
                checkpoint_every=100,
            ),
        ),
    ),
    "informed": (
        "A unitary student that starts as the clamped split step, on landscapes of every family.",
        Config(
            "informed",
            curriculum=CurriculumConfig(lessons=("encounters",)),
            student=StudentConfig(
                "unitary", unitary=UnitaryConfig(start="informed", reach=16, n_units=32)
            ),
            training=TrainingConfig((_FINE_TUNING,), checkpoint_every=1_000),
        ),
    ),
    "gru-demo": (
        "The paper's GRU in minutes: gauged windows, Muon, single barriers and wells.",
        Config(
            "gru-demo",
            curriculum=_BARRIERS,
            student=_GAUGED,
            training=TrainingConfig((gauged_stage(8_000),), checkpoint_every=2_000),
        ),
    ),
    "gru": (
        "The same for longer: 100,000 steps, within an hour on two cores.",
        Config(
            "gru",
            curriculum=_BARRIERS,
            student=_GAUGED,
            training=TrainingConfig((gauged_stage(100_000),), checkpoint_every=5_000),
        ),
    ),
    "gru-wide": (
        "40,000 steps on landscapes of every family too, with random parameters.",
        Config(
            "gru-wide",
            curriculum=CurriculumConfig(lessons=("barrier", "landscapes")),
            student=_GAUGED,
            training=TrainingConfig((gauged_stage(40_000),), checkpoint_every=5_000),
        ),
    ),
    "paper-demo": (
        "The paper's `demo` GRU, as published: 900,000 steps.",
        Config(
            "paper-demo",
            curriculum=CurriculumConfig(lessons=("paper-demo",)),
            student=StudentConfig("gru", windows=WindowConfig(v_scale=10.0)),
            training=TrainingConfig((Stage(n_steps=900_000),)),
        ),
    ),
    "paper-full": (
        "The paper's `full` GRU, as published: 5,290,000 steps.",
        Config(
            "paper-full",
            curriculum=CurriculumConfig(lessons=("paper-full",)),
            training=TrainingConfig((Stage(n_steps=5_290_000),)),
        ),
    ),
}


def smoke_stage(stage: Stage, n_blocks: int = 2) -> Stage:
    """A few small blocks of a stage."""
    small = dataclasses.replace(
        stage.batches,
        n_block=4,
        n_batch=min(stage.batches.n_batch, 16),
        n_runs=2,
        n_target=min(stage.batches.n_target, 3),
        n_frames=8,
    )
    return dataclasses.replace(stage, n_steps=4 * n_blocks, batches=small)


def smoke(config: Config) -> Config:
    """The same run in seconds: the same path through the code, two small blocks a stage.

    There are more where each lesson has a stage of its own.
    """
    n_blocks = max(2, len(config.curriculum.lessons)) if config.curriculum.plan == "staged" else 2
    return dataclasses.replace(
        config,
        training=TrainingConfig(
            tuple(smoke_stage(stage, n_blocks) for stage in config.training.stages),
            checkpoint_every=4,
        ),
        benchmark=dataclasses.replace(config.benchmark, n_frames=12),
    )


def to_json(config: Config) -> str:
    """The whole tree as JSON."""
    return json.dumps(dataclasses.asdict(config), indent=2, allow_nan=False) + "\n"


def from_json(text: str) -> Config:
    """The tree that `to_json` wrote.

    Raises:
      ValueError: For unknown and missing settings, and values of the wrong type.

    >>> config = PRESETS["demo"][1]
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
            if key not in value:
                refuse(f"{name}.{key}", "given", "missing")
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
    one, other = _leaves(dataclasses.asdict(first)), _leaves(dataclasses.asdict(second))
    absent = "absent"
    return [
        f"{name}: {one.get(name, absent)} is not {other.get(name, absent)}"
        for name in dict.fromkeys([*one, *other])
        if one.get(name, absent) != other.get(name, absent)
    ]


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
