"""The trainings of the study: short ones, of every number of pairs, frame and dispersion."""

import dataclasses
import pathlib
from collections.abc import Iterator
from typing import get_args

from experiments.corrections.splittings import CAP_PHASES
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.physics.grid import Grid
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Emulator, UnitaryConfig
from qdistill.students.unitary import Start
from qdistill.system import System
from qdistill.training.stages import Stage, TrainingConfig

PAIRS, DISPERSIONS = (1, 2, 3), ("lattice", "continuum")
# At a frame of 0.2 a.u. one pair has its best cap within the energies of the packets.
FRAMES: dict[float, tuple[int, ...]] = {0.1: PAIRS, 0.2: (2, 3), 0.05: PAIRS}
N_SEEDS = 10


@dataclasses.dataclass(frozen=True)
class Training:
    """One training: the form of the splitting, the system and the seed."""

    start: Start = "nothing"
    dispersion: str = "lattice"
    n_pairs: int = 2
    dt: float = 0.1
    seed: int = 0

    @property
    def name(self) -> str:
        """The name of the training's folder.

        >>> Training(seed=3).name
        'nothing-lattice-2-dt0.1-seed3'
        """
        return f"{self.start}-{self.dispersion}-{self.n_pairs}-dt{self.dt:g}-seed{self.seed}"

    @property
    def is_repeated(self) -> bool:
        """Whether this combination is trained with every seed."""
        return dataclasses.replace(self, seed=0) in REPEATED

    @property
    def config(self) -> Config:
        """All settings of the training."""
        grid = Grid(1024, 100.0, self.dispersion)
        cap = CAP_PHASES[self.n_pairs] / self.dt
        if self.start == "nothing":
            form, stages = UnitaryConfig(self.n_pairs), from_scratch()
        else:
            form = UnitaryConfig(self.n_pairs, self.start, cap, reach=16, n_units=32)
            stages = (informed(),)
        return Config(
            self.name,
            self.seed,
            System(grid, self.dt, bounds=(-16.0, 16.0)),
            curriculum=CurriculumConfig(lessons=("potentials",)),
            student=form,
            training=TrainingConfig(stages, checkpoint_every=100),
        )


def from_scratch() -> tuple[Stage, ...]:
    """Return the stages of a training from scratch, in total a quarter of those of `unitary`."""
    last = presets.fine(presets.frames_stage(800, 40, 16, 3e-3, power=0.5, n_runs=24))
    return presets.frames_stage(300, 1, 64, 1e-2), presets.frames_stage(300, 8, 64, 1e-2), last


def informed() -> Stage:
    """Return the stage of an informed training: fewer steps and smaller batches than the preset."""
    stage = presets.spectra_stage(1520)
    batches = dataclasses.replace(stage.batches, n_batch=16, n_runs=32)
    return dataclasses.replace(stage, batches=batches)


# The correction is largest for one pair, where the errors of a training from scratch hide it least.
REPEATED = (Training("informed"), Training(n_pairs=1), Training())


def all_of_them() -> Iterator[Training]:
    """Return every training of the study, the most informative first.

    There are ten seeds of the combinations in `REPEATED`, and one of every other.
    """
    first, *others = REPEATED
    yield from (dataclasses.replace(first, seed=seed) for seed in range(N_SEEDS))
    grid = [
        Training(start, dispersion, n_pairs, dt)
        for start in get_args(Start)[::-1]
        for dt, pairs in FRAMES.items()
        for dispersion in DISPERSIONS
        for n_pairs in pairs
    ]
    yield from (training for training in grid if training != first)
    for other in others:
        yield from (dataclasses.replace(other, seed=seed) for seed in range(1, N_SEEDS))


def is_finished(training: Training, place: pathlib.Path) -> bool:
    """Return whether the folder of a training has its last checkpoint."""
    last = training.config.training.boundaries[-1]
    return (place / training.name / "checkpoints" / str(last)).exists()


def train(training: Training, place: pathlib.Path, is_small: bool = False) -> Emulator:
    """Return the emulator of a training; train it, or go on, if its folder is not finished.

    Args:
      training: The training.
      place: Folder that holds the folders of all trainings.
      is_small: Whether to train a few small blocks only.
    """
    out, config = place / training.name, training.config
    if is_small:
        config = presets.smoke(config)
    if is_small or not is_finished(training, place):
        folder.open_folder(out, config, resume=(out / "config.json").exists())
        folder.train(config, out)
    return folder.load(out)
