"""The presets: configs by name, their stages, and reduced versions for smoke tests."""

import dataclasses

from qdistill._checks import require_at_least, require_positive
from qdistill._refusals import explained
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.physics.grid import Grid
from qdistill.runs.config import Config
from qdistill.students import PropagatorConfig, UnitaryConfig, WindowConfig, WindowedConfig
from qdistill.system import System
from qdistill.training.batches import BatchConfig
from qdistill.training.boxes import SpectraConfig
from qdistill.training.stages import Stage, TrainingConfig, smoke_stage

_GAUGED = WindowedConfig("gru", windows=WindowConfig(gauge=True))
_BARRIERS = CurriculumConfig(lessons=("barrier",))


@explained
def gauged_stage(n_steps: int) -> Stage:
    """Return a stage with Muon on gauged windows, and a loss with the weights of stitching."""
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


@explained
def frames_stage(
    n_steps: int,
    n_target: int,
    n_batch: int,
    peak_rate: float,
    power: float = 1.0,
    n_runs: int = 48,
) -> Stage:
    """Return a stage with Adam on rollouts of `n_target` whole frames."""
    require_at_least(1, n_target=n_target)
    require_positive(peak_rate=peak_rate)
    return Stage(
        n_steps=n_steps,
        batches=BatchConfig(
            n_batch=n_batch,
            n_block=20,
            n_runs=n_runs,
            n_frames=40 + n_target,
            n_target=n_target,
            examples="frames",
        ),
        power=power,
        peak_rate=peak_rate,
        final_rate=peak_rate / 100,
        warm_up=0.05,
        weight_decay=0.0,
    )


@explained
def spectra_stage(n_steps: int, peak_rate: float = 2e-3) -> Stage:
    """Return a stage with Adam on eigenstates of small boxes, with losses relative to the start."""
    require_positive(peak_rate=peak_rate)
    return Stage(
        n_steps=n_steps,
        batches=BatchConfig(n_batch=32, n_block=40, n_runs=64, examples="spectra"),
        relative=True,
        power=2.0,
        peak_rate=peak_rate,
        final_rate=peak_rate / 300,
        decay="cosine",
        memory=0.99,
        warm_up=0.05,
        weight_decay=0.0,
    )


@explained
def newton_stage(n_steps: int, power: float) -> Stage:
    """Return a stage of Gauss-Newton steps on eigenstates of very small boxes."""
    spectra = SpectraConfig(n_box=64, n_states=16, ceiling=14.0)
    return Stage(
        n_steps=n_steps,
        batches=BatchConfig(n_batch=80, n_block=1, n_runs=80, examples="spectra", spectra=spectra),
        power=power,
        optimiser="gauss-newton",
        memory=0.8,
    )


def _informed(n_pairs: int, kinetic_cap: float) -> tuple[str, Config]:
    name = f"informed-{n_pairs}"
    form = UnitaryConfig(n_pairs, "informed", kinetic_cap, reach=16, n_units=32)
    return (
        f"From the clamped split step with {n_pairs} FFT pairs a frame, trained on eigenstates.",
        Config(
            name,
            curriculum=CurriculumConfig(lessons=("potentials",)),
            student=form,
            training=TrainingConfig((spectra_stage(5000),), checkpoint_every=1_000),
        ),
    )


# One frame at first: with more frames, phases would wrap before they are approximately right.
_FROM_NOTHING = (frames_stage(300, 1, 64, 1e-2), frames_stage(300, 8, 64, 1e-2))


@explained
def fine(stage: Stage) -> Stage:
    """Return the stage with cosine decay, and Adam with b2 = 0.99."""
    return dataclasses.replace(stage, decay="cosine", memory=0.99)


_FINE_TUNING = fine(frames_stage(3000, 100, 8, 1e-4, power=0.5, n_runs=24))

# Coefficients are of order 1 to 10, hence the large rate.
_LONG = System(Grid(1024, 100.0, "continuum"), dt=1.0, bounds=(-16.0, 16.0))
_LONG_FRAMES = fine(frames_stage(1000, 10, 8, 0.3, power=0.5, n_runs=8))


PRESETS: dict[str, tuple[str, Config]] = {
    "demo": (
        "The unitary student from scratch, in minutes, on single barriers and wells.",
        Config(
            "demo",
            curriculum=_BARRIERS,
            student=UnitaryConfig(smooth=True),
            training=TrainingConfig(
                (
                    *_FROM_NOTHING,
                    frames_stage(1000, 40, 16, 3e-3),
                ),
                checkpoint_every=100,
            ),
        ),
    ),
    "demo-newton": (
        "As `demo`, but Gauss-Newton steps on eigenstates replace all but the first stage.",
        Config(
            "demo-newton",
            curriculum=_BARRIERS,
            student=UnitaryConfig(smooth=True),
            training=TrainingConfig(
                (_FROM_NOTHING[0], newton_stage(24, 0.4), newton_stage(48, 0.2)),
                checkpoint_every=100,
            ),
        ),
    ),
    "informed-2-newton": (
        "As `informed-2`, smaller, and trained by Gauss-Newton steps.",
        Config(
            "informed-2-newton",
            curriculum=CurriculumConfig(lessons=("potentials",)),
            student=UnitaryConfig(start="informed", kinetic_cap=46.0),
            training=TrainingConfig(
                (newton_stage(24, 0.4), newton_stage(48, 0.2)), checkpoint_every=100
            ),
        ),
    ),
    "unitary": (
        "The unitary student from scratch, longer, also on potentials of every family.",
        Config(
            "unitary",
            curriculum=CurriculumConfig(lessons=("barrier", "potentials")),
            student=UnitaryConfig(),
            training=TrainingConfig(
                (
                    *_FROM_NOTHING,
                    frames_stage(2000, 40, 16, 3e-3),
                    _FINE_TUNING,
                ),
                checkpoint_every=100,
            ),
        ),
    ),
    # Slightly above the best caps of equal substeps, for wells; corrections at edges are learned.
    "informed-1": _informed(1, 28.0),
    "informed-2": _informed(2, 46.0),
    # With 54, the best cap of equal substeps, the phases of fast and slow waves on a barrier would
    # differ by 2 pi per frame, a resonance that couples them if the learned substeps are unequal.
    "informed-3": _informed(3, 46.0),
    "propagator": (
        "An effective Hamiltonian with 24 parameters on 224 points, frames of 1 a.u.; continuum.",
        Config(
            "propagator",
            system=_LONG,
            curriculum=CurriculumConfig(lessons=("potentials",)),
            student=PropagatorConfig(),
            training=TrainingConfig((_LONG_FRAMES,), checkpoint_every=200),
            benchmark=BenchmarkConfig(n_frames=40),
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
        "The paper's GRU with 100,000 steps: within an hour on two cores.",
        Config(
            "gru",
            curriculum=_BARRIERS,
            student=_GAUGED,
            training=TrainingConfig((gauged_stage(100_000),), checkpoint_every=5_000),
        ),
    ),
    "gru-wide": (
        "The paper's GRU with 40,000 steps, also on potentials of every family.",
        Config(
            "gru-wide",
            curriculum=CurriculumConfig(lessons=("barrier", "potentials")),
            student=_GAUGED,
            training=TrainingConfig((gauged_stage(40_000),), checkpoint_every=5_000),
        ),
    ),
    "paper-demo": (
        "The paper's `demo` GRU, as published: 900,000 steps.",
        Config(
            "paper-demo",
            curriculum=CurriculumConfig(lessons=("paper-demo",)),
            student=WindowedConfig("gru", windows=WindowConfig(v_scale=10.0)),
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


def _crossing_stage(
    n_steps: int, n_target: int, n_batch: int, n_runs: int, peak_rate: float
) -> Stage:
    """A stage on runs of 700 a.u., in which packets do not reach the ends of the box."""
    stage = fine(frames_stage(n_steps, n_target, n_batch, peak_rate, 0.5, n_runs))
    batches = dataclasses.replace(stage.batches, n_frames=71)
    return dataclasses.replace(stage, batches=batches, final_rate=peak_rate / 100)


PRESETS["tully"] = (
    "The unitary student of two electronic states, from scratch on single avoided crossings.",
    Config(
        "tully",
        system=System(
            Grid(1024, 60.0, "continuum", origin=-30.0, mass=2000.0),
            dt=10.0,
            n_channel=2,
            bounds=(-0.15, 0.15),
        ),
        curriculum=CurriculumConfig(lessons=("crossing",)),
        student=UnitaryConfig(smooth=True, knot_spacing=0.85),
        training=TrainingConfig(
            (
                _crossing_stage(240, 1, 32, 16, 2e-2),
                _crossing_stage(200, 8, 16, 16, 3e-3),
                # Cosine after cosine: most of the error is the noise of the learning rate.
                _crossing_stage(240, 30, 8, 16, 4e-4),
                _crossing_stage(200, 30, 8, 16, 4e-5),
            ),
            checkpoint_every=100,
        ),
        benchmark=BenchmarkConfig(n_frames=60, n_given=1),
    ),
)


def _plane(name: str, student: UnitaryConfig, *stages: Stage) -> Config:
    return Config(
        name,
        system=System(Grid((64, 64), (16.0, 16.0), "continuum"), bounds=(-16.0, 16.0)),
        curriculum=CurriculumConfig(("packets", "wall", "slit", "shape")),
        student=student,
        training=TrainingConfig(stages, checkpoint_every=500),
    )


PRESETS |= {
    "plane": (
        "The unitary student from scratch in two dimensions: packets and one obstacle.",
        _plane(
            "plane",
            UnitaryConfig(reach=4),
            frames_stage(300, 1, 16, 1e-2, n_runs=16),
            frames_stage(300, 8, 8, 1e-2, n_runs=16),
            frames_stage(1500, 30, 4, 3e-3, n_runs=16),
            fine(frames_stage(1000, 50, 4, 5e-4, power=0.5, n_runs=16)),
        ),
    ),
    "plane-informed": (
        "The unitary student from the clamped split step in two dimensions.",
        _plane(
            "plane-informed",
            UnitaryConfig(start="informed", kinetic_cap=40.0, reach=4),
            fine(frames_stage(1000, 30, 4, 1e-2, power=0.5, n_runs=16)),
        ),
    ),
}


@explained
def smoke(config: Config) -> Config:
    """Return a reduced config that takes seconds: the same code with two small blocks per stage.

    There are more blocks if each lesson needs its own.
    """
    n_blocks = max(2, len(config.curriculum.lessons)) if config.curriculum.plan == "staged" else 2
    n_history = config.student.build(config.system).n_history
    return dataclasses.replace(
        config,
        training=TrainingConfig(
            tuple(smoke_stage(stage, n_blocks, n_history) for stage in config.training.stages),
            checkpoint_every=4,
        ),
        benchmark=dataclasses.replace(config.benchmark, n_frames=12, n_cases=4),
    )
