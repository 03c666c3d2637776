"""Studies by name, and the smoke test of any."""

import dataclasses

from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.insight.importance.study import Study
from qdistill.runs import presets
from qdistill.runs.config import Config
from qdistill.runs.presets import frames_stage
from qdistill.students import StudentConfig
from qdistill.training.stages import Stage, TrainingConfig


def short_stage(n_steps: int, n_target: int, n_batch: int, peak_rate: float) -> Stage:
    """Few, short runs: their frames cost more than what is learned from them."""
    stage = frames_stage(n_steps, n_target, n_batch, peak_rate, n_runs=16)
    small = dataclasses.replace(stage.batches, n_frames=12 + n_target)
    return dataclasses.replace(stage, batches=small)


def _study(name: str, n_seed: int, n_case: int, *stages: Stage) -> Study:
    config = Config(
        f"importance-{name}",
        curriculum=CurriculumConfig(),
        student=StudentConfig("unitary"),
        training=TrainingConfig(stages),
    )
    return Study(config, n_seed, n_case)


STUDIES: dict[str, tuple[str, Study]] = {
    "quick": (
        "The unitary student from nothing, three seeds, within half an hour.",
        _study(
            "quick",
            3,
            8,
            short_stage(240, 1, 16, 1e-2),
            short_stage(240, 8, 8, 1e-2),
            short_stage(240, 24, 4, 3e-3),
        ),
    ),
    "full": (
        "The same for longer, five seeds: hours.",
        _study(
            "full",
            5,
            24,
            short_stage(300, 1, 64, 1e-2),
            short_stage(300, 8, 32, 1e-2),
            short_stage(600, 24, 16, 3e-3),
        ),
    ),
}


def smoke(study: Study) -> Study:
    """The same study in seconds: a coarse grid, and one block of the first and the last stage."""
    config = presets.smoke(study.config)
    stages = tuple(
        dataclasses.replace(stage, n_steps=stage.batches.n_block)
        for stage in dict.fromkeys((config.training.stages[0], config.training.stages[-1]))
    )
    config = dataclasses.replace(
        config,
        teacher=dataclasses.replace(config.teacher, n_x=128),
        training=dataclasses.replace(config.training, stages=stages),
    )
    return Study(config, min(2, study.n_seed), n_case=1, n_frames=4)
