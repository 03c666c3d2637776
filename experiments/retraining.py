"""Repetition of a training from its config, and the phases of a splitting student at an edge."""

import dataclasses

import jax
import numpy as np
from matplotlib.figure import Figure
from tqdm.auto import tqdm

from qdistill import plots
from qdistill._checks import refuse, require_at_least
from qdistill.insight import probes
from qdistill.insight.probes import Learning, ProbeConfig
from qdistill.physics import potentials, stationary
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Emulator, Splitting
from qdistill.training.stages import TrainingConfig


@dataclasses.dataclass(frozen=True)
class RetrainingConfig:
    """Settings of the tests of a student during its training.

    Attributes:
      every: Training steps between two tests.
      n_case: Number of cases of each process.
      n_frames: Number of frames to forecast.
      seed: Random seed of the cases.
      is_small: Whether to train a few small blocks of the first stage only.
    """

    every: int = 40
    n_case: int = 16
    n_frames: int = 100
    seed: int = 1
    is_small: bool = False

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, every=self.every, n_case=self.n_case, n_frames=self.n_frames)


def follow(config: Config, test: RetrainingConfig) -> Learning:
    """Train a run again from its config, with tests of the student on each process."""
    if test.is_small:
        stage = presets.smoke(config).training.stages[0]
        config = dataclasses.replace(config, training=TrainingConfig((stage,)))
    setup, boundaries = folder.set_up(config), config.training.boundaries
    truth = probes.sample_lessons(config.system, test.seed, test.n_case, test.n_frames)
    state = setup.trainers[0].init(jax.random.key(config.seed))
    with tqdm(total=boundaries[-1], unit="step", leave=False) as bar:
        return probes.measure_learning(
            setup.student,
            setup.trainers,
            boundaries,
            state,
            truth,
            test.every,
            progress=lambda log: bar.update(log["step"] - bar.n),
        )


def draw_phases(emulator: Emulator, config: ProbeConfig) -> Figure:
    """Draw the learned phases of a splitting student at the edge of a step.

    Args:
      emulator: An emulator with a one-dimensional splitting student.
      config: Settings with the height of the step and the wavenumbers.
    """
    student, grid, dt = emulator.student, emulator.system.grid, emulator.system.dt
    if not isinstance(student, Splitting):
        refuse("emulator", "of a splitting student", type(student).__name__)
    x, (length,) = grid.positions(), grid.lengths
    v = potentials.barrier(x, config.barrier[0], length / 4, grid.middle[0])
    kicks, drifts = student.phases(emulator.params, v)
    edge, k = 3 * grid.shape[0] // 8, grid.wavenumbers()[: grid.shape[0] // 2]
    here, low = slice(max(0, edge - 20), edge + 20), k <= config.k_max
    return plots.plot_phases(
        np.asarray(x)[here],
        np.asarray(v)[here],
        kicks[:, here] / dt,
        k[low],
        drifts[:, : len(k)][:, low] / dt,
        stationary.omega(grid, k[low]),
        config.k_taught,
    )
