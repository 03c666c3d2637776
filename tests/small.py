"""A small run of everything, for the tests that need a whole training."""

import dataclasses
import pathlib

from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.runs import distillation, folder, records
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

MEANS = dict.fromkeys(distillation.MEANS, 0.5) | {"n_frames": 3, "cases": {}}


def score(out: pathlib.Path, **other: object) -> None:
    """Write a score of a run's newest parameters, as if they had been scored."""
    emulator, step = folder.restore(out)
    of = {"params_sha256": records.fingerprint(emulator.params), "training_steps": step}
    costs = {"n_parameters": 7, "training_seconds": 1.0, "teacher_share": 0.5}
    names = {"student": "small", "preset": "small", "benchmark": MEANS}
    records.write_json(out / "metrics.json", names | costs | of | other)
