"""The ladder of students, from no physics to all of it, each trained for the same time."""

import dataclasses
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import jax
import numpy as np
from jaxtyping import PyTree

from qdistill import benchmark, config, generalisation, runs, students, training
from qdistill.arguments import require_positive
from qdistill.batches import BatchConfig
from qdistill.config import Config
from qdistill.curriculum import CurriculumConfig
from qdistill.students import StudentConfig
from qdistill.training import Stage, TrainingConfig
from qdistill.windows import WindowConfig


class Rung(NamedTuple):
    """A student of the ladder.

    Attributes:
      properties: What is built into it, or how it was trained.
      student: Its form.
      stages: Its training; `n_steps` are shares of the time, not steps.
    """

    properties: tuple[str, ...]
    student: StudentConfig
    stages: tuple[tuple[float, Stage], ...]


def _window_student(name: str) -> StudentConfig:
    return StudentConfig(name, windows=WindowConfig(gauge=True))


_WINDOWS = ((1.0, config.gauged_stage(200)),)


def _one_frame(rate: float) -> tuple[tuple[float, Stage], ...]:
    return ((1.0, config.frames_stage(20, 1, 64, rate)),)


def _unrolled(rate: float, n_batch: int = 64) -> tuple[tuple[float, Stage], ...]:
    return (
        (0.25, config.frames_stage(20, 1, n_batch, rate)),
        (0.25, config.frames_stage(20, 8, n_batch, rate)),
        (0.5, config.frames_stage(20, 40, n_batch // 4, 0.3 * rate)),
    )


RUNGS: dict[str, Rung] = {
    "linear": Rung(("local",), _window_student("linear"), _WINDOWS),
    "conv": Rung(("local",), _window_student("conv"), _WINDOWS),
    "dense": Rung(("local",), _window_student("dense"), _WINDOWS),
    "lstm": Rung(("local",), _window_student("lstm"), _WINDOWS),
    "gru": Rung(("local",), _window_student("gru"), _WINDOWS),
    "fno": Rung((), StudentConfig("fno"), _one_frame(3e-3)),
    "fno, unrolled": Rung(("unrolled",), StudentConfig("fno"), _unrolled(3e-3, 32)),
    "local": Rung(("local", "linear"), StudentConfig("local"), _one_frame(1e-2)),
    "local, unrolled": Rung(
        ("local", "linear", "unrolled"), StudentConfig("local"), _unrolled(1e-2)
    ),
    "unitary": Rung(("linear", "unitary"), StudentConfig("unitary"), _one_frame(1e-2)),
    "unitary, unrolled": Rung(
        ("linear", "unitary", "unrolled"), StudentConfig("unitary"), _unrolled(1e-2)
    ),
}


def settings_of(name: str, seed: int, n_steps: list[int]) -> Config:
    """The config of a rung, on the lesson of single barriers and wells."""
    rung = RUNGS[name]
    stages = tuple(
        dataclasses.replace(stage, n_steps=n)
        for n, (_, stage) in zip(n_steps, rung.stages, strict=True)
    )
    return Config(
        name,
        seed,
        curriculum=CurriculumConfig(lessons=("barrier",)),
        student=rung.student,
        training=TrainingConfig(stages),
    )


def steps_within(name: str, seconds: float) -> list[int]:
    """Steps of each stage of a rung that fill `seconds` of training, measured; at least a block."""
    require_positive(seconds=seconds)
    rung = RUNGS[name]
    counts = []
    for i, (share, stage) in enumerate(rung.stages):
        n_block = stage.batches.n_block
        settings = settings_of(name, 0, [s.batches.n_block for _, s in rung.stages])
        trial = dataclasses.replace(settings, training=TrainingConfig((stages_for(settings, i),)))
        per_block = min(_block_seconds(trial))
        counts.append(max(1, round(share * seconds / per_block)) * n_block)
    return counts


def stages_for(settings: Config, i: int) -> Stage:
    stage = settings.training.stages[i]
    return dataclasses.replace(stage, n_steps=3 * stage.batches.n_block)


def _block_seconds(settings: Config) -> Iterator[float]:
    setup = runs.set_up(settings)
    state = setup.trainers[0].init(jax.random.key(settings.seed))
    for _, log in training.fit(setup.trainers, settings.training.boundaries, state):
        yield log["teacher_seconds"] + log["student_seconds"]
