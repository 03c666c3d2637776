"""The presets of the student `kernel`: `--load experiments/frontier/kernel_presets.py`."""

import dataclasses

from experiments.frontier.kernel import KernelConfig
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.runs.config import Config
from qdistill.runs.presets import PRESETS, fine, frames_stage, spectra_stage
from qdistill.training.batches import BatchConfig
from qdistill.training.boxes import SpectraConfig
from qdistill.training.stages import Stage, TrainingConfig

# Twenty frames are 20 a.u.; power 1/2, so that all examples contribute similarly.
_SPECTRA = dataclasses.replace(
    spectra_stage(2000, 3e-3),
    batches=BatchConfig(
        n_batch=16,
        n_block=40,
        n_runs=64,
        examples="spectra",
        spectra=SpectraConfig(n_states=60, horizon=20),
    ),
    relative=False,
    power=0.5,
)
_FRAMES = fine(frames_stage(600, 10, 8, 3e-3, power=0.5, n_runs=8))


def _kernel(name: str, stage: Stage) -> Config:
    return Config(
        name,
        system=PRESETS["propagator"][1].system,
        curriculum=CurriculumConfig(lessons=("potentials",)),
        student=KernelConfig(),
        training=TrainingConfig((stage,), checkpoint_every=400),
        benchmark=BenchmarkConfig(n_frames=40),
    )


PRESETS["kernel"] = (
    "A unitary kernel of 256 points for frames of 1 a.u., from eigenstates; continuum.",
    _kernel("kernel", _SPECTRA),
)
PRESETS["kernel-trajectories"] = (
    "The same from trajectories, ten frames of 1 a.u. at a time.",
    _kernel("kernel-trajectories", _FRAMES),
)
