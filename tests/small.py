"""A small run of everything, for the tests that need a whole training."""

import dataclasses

from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.runs.config import Config
from qdistill.students import UnitaryConfig, WindowConfig, WindowedConfig
from qdistill.training.batches import BatchConfig
from qdistill.training.stages import Stage, TrainingConfig

WINDOWS = Stage(
    n_steps=16,
    batches=BatchConfig(n_batch=8, n_block=4, n_runs=2, n_frames=8, placement="amplitude"),
    relative=True,
    loss_sigma=4.0,
    noise=1e-3,
)
FRAMES = dataclasses.replace(
    WINDOWS,
    n_steps=4,
    batches=BatchConfig(n_batch=2, n_block=2, n_runs=2, n_frames=8, n_target=2, examples="frames"),
    relative=False,
    loss_sigma=0.0,
    peak_rate=1e-4,
)
CONFIG = Config(
    "small",
    curriculum=CurriculumConfig(lessons=("free", "barrier"), plan="loss-driven"),
    student=WindowedConfig("gru", n_units=8, windows=WindowConfig(gauge=True)),
    training=TrainingConfig((WINDOWS, FRAMES), checkpoint_every=4),
    benchmark=BenchmarkConfig(n_frames=3),
)
UNITARY = Config(
    "small-unitary",
    curriculum=CurriculumConfig(lessons=("barrier",)),
    student=UnitaryConfig(),
    training=TrainingConfig((FRAMES,), checkpoint_every=4),
    benchmark=BenchmarkConfig(n_frames=3),
)
