"""The trainings of the study, kept in folders and continued where they stopped."""

import dataclasses
import pathlib
from collections.abc import Iterator

import jax

from experiments.tully import readout
from experiments.tully.apart import ApartConfig
from experiments.tully.grown import GrownConfig
from qdistill.curriculum import CurriculumConfig
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Emulator, WindowConfig, WindowedConfig
from qdistill.training.stages import Stage

# What is taught, and what is built in.
KINDS = {
    "crossing": "single avoided crossings",
    "placebo": "the same packets and potentials, without the coupling",
    "untrained": "nothing: the form at its start, with the solver's kinetic phases",
    "strong": "single avoided crossings, and couplings without crossing up to 0.2 hartree",
    "apart": "single avoided crossings, own phases and strengths for each channel",
    "scratch": "single avoided crossings, long frames from scratch",
}


# What is trained.
STUDENTS = {
    "unitary": "the learned splitting, of the preset `tully`",
    "gru": "the paper's network, on windows of both channels",
}
# In a frame waves move by at most five points.
GRU = WindowedConfig(
    "gru",
    n_units=64,
    windows=WindowConfig(n_window=15, n_history=4, sigma=2.0, v_scale=0.05, gauge=True),
)
GRU_STEPS = 12_000
# Trainings of each longer frame and further kind.
N_FURTHER = 5


@dataclasses.dataclass(frozen=True)
class Training:
    """One training: what is taught, the duration of a frame, the seed, and the student."""

    kind: str = "crossing"
    dt: float = 10.0
    seed: int = 0
    student: str = "unitary"

    @property
    def name(self) -> str:
        """The name of the training's folder.

        >>> Training(seed=3).name
        'crossing-dt10-seed3'
        >>> Training("placebo", student="gru").name
        'gru-placebo-dt10-seed0'
        """
        of = "" if self.student == "unitary" else f"{self.student}-"
        return f"{of}{self.kind}-dt{self.dt:g}-seed{self.seed}"

    @property
    def shorter(self) -> "Training | None":
        """The training of half the frame, from whose student that of a long frame begins."""
        is_first = self.dt <= presets.PRESETS["tully"][1].system.dt or self.kind == "scratch"
        return None if is_first else dataclasses.replace(self, dt=self.dt / 2)

    def config_in(self, place: pathlib.Path) -> Config:
        """Return all settings; of the preset `tully` but for what differs."""
        config = dataclasses.replace(presets.PRESETS["tully"][1], seed=self.seed)
        is_gru = self.student == "gru"
        if self.kind == "crossing" and self.dt == config.system.dt and not is_gru:
            return config
        system = dataclasses.replace(config.system, dt=self.dt)
        curriculum, student = config.curriculum, config.student
        if self.kind == "placebo":
            curriculum = CurriculumConfig(("crossing-placebo",))
        if self.kind == "strong":
            system = dataclasses.replace(system, bounds=(-0.25, 0.25))
            curriculum = CurriculumConfig(("crossing", "strong-coupling"))
        fields = {f.name: getattr(student, f.name) for f in dataclasses.fields(student)}
        if self.kind == "apart":
            student = ApartConfig(**fields)
        planned = config.training.stages
        if self.shorter:
            student = GrownConfig(**fields, grown_from=str(place / self.shorter.name))
            planned = (planned[1], _many(planned[2]), planned[3])
        if is_gru:
            student, planned = GRU, (_gru_stage(),)
        stages = tuple(in_frames(stage, self.dt / config.system.dt) for stage in planned)
        training = dataclasses.replace(config.training, stages=stages)
        name = f"tully-{self.name.rsplit('-seed', 1)[0]}"
        return dataclasses.replace(
            config, preset=name, system=system, curriculum=curriculum, student=student,
            training=training,
            benchmark=dataclasses.replace(config.benchmark, n_given=GRU.windows.n_history)
            if is_gru else config.benchmark,
        )  # fmt: skip


def _gru_stage() -> Stage:
    """A stage as of the preset `gru-demo`, on the runs of the preset `tully`.

    With sigma = 1 forecasts of single crossings diverged within 60 to 256 frames, at noises of
    0.001 to 0.03: waves faster than those of the lessons grew.
    """
    stage = presets.gauged_stage(GRU_STEPS)
    batches = dataclasses.replace(stage.batches, n_batch=256, n_block=500, n_runs=32, n_frames=71)
    return dataclasses.replace(stage, batches=batches, loss_sigma=GRU.windows.sigma, noise=0.01)


def _many(stage: Stage) -> Stage:
    """A stage of more steps with more and shorter rollouts: longer frames cost less."""
    batches = dataclasses.replace(stage.batches, n_batch=16, n_target=16)
    return dataclasses.replace(
        stage, n_steps=1000, batches=batches, peak_rate=1e-3, final_rate=1e-5
    )


def in_frames(stage: Stage, ratio: float) -> Stage:
    """Return a stage with frames that are longer by a ratio, over the same times."""
    batches = stage.batches
    n_target = max(1, round(batches.n_target / ratio))
    n_frames = max(n_target + 1, 1 + round((batches.n_frames - 1) / ratio))
    return dataclasses.replace(
        stage, batches=dataclasses.replace(batches, n_target=n_target, n_frames=n_frames)
    )


def all_of_them(
    n_seeds: int, kinds: tuple[str, ...] = (), student: str = "unitary"
) -> Iterator[Training]:
    """Return every training of the study: seeds, controls, longer frames, and further kinds.

    Of longer frames and further kinds there are `N_FURTHER` seeds at most; of the GRU there are
    seeds and placebos only.
    """
    for kind in ("crossing", "placebo"):
        yield from (Training(kind, seed=seed, student=student) for seed in range(n_seeds))
    if student != "unitary":
        return
    yield Training("untrained")
    seeds = range(min(n_seeds, N_FURTHER))
    yield from (Training(dt=dt, seed=seed) for dt in (20.0, 40.0, 80.0) for seed in seeds)
    for kind in kinds:
        dt = 40.0 if kind == "scratch" else 10.0
        yield from (Training(kind, dt, seed) for seed in seeds)


def is_finished(training: Training, place: pathlib.Path) -> bool:
    """Return whether the folder of a training has its last checkpoint."""
    last = training.config_in(place).training.boundaries[-1]
    return (
        training.kind == "untrained" or (place / training.name / "checkpoints" / str(last)).exists()
    )


def train(training: Training, place: pathlib.Path, is_small: bool = False) -> Emulator:
    """Return the emulator of a training; train it, or go on, if its folder is not finished.

    Args:
      training: The training.
      place: Folder that holds the folders of all trainings.
      is_small: Whether to train a few small blocks only.
    """
    out, config = place / training.name, training.config_in(place)
    if training.kind == "untrained":
        student = folder.set_up(config).student
        start = student.init(jax.random.key(training.seed))
        return readout.with_exact_waves(student.bind(start, config=config))
    if is_small:
        config = presets.smoke(config)
    if training.shorter:
        train(training.shorter, place, is_small)
    if is_small or not is_finished(training, place):
        folder.open_folder(out, config, resume=(out / "config.json").exists())
        folder.train(config, out)
    return folder.load(out)
