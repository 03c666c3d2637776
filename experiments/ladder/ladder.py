"""The ladder of students, from no physics to all of it, each trained for the same time."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments.frontier.kernel import KernelConfig
from experiments.ladder.fno import FNOConfig
from experiments.ladder.local import LocalConfig
from qdistill import teacher
from qdistill._checks import require_positive
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import baselines, cases, metrics, paper
from qdistill.forecast.cases import Cases
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import (
    Emulator,
    PropagatorConfig,
    StudentConfig,
    UnitaryConfig,
    WindowConfig,
    WindowedConfig,
    count_parameters,
)
from qdistill.system import System
from qdistill.training import loop
from qdistill.training.stages import Optimiser, Stage, TrainingConfig

Log = list[dict[str, Any]]


class Rung(NamedTuple):
    """A student of the ladder.

    Attributes:
      properties: Properties of the student by construction, or of its training.
      student: The form of the student.
      stages: Stages of the training, each with its share of the time, which sets `n_steps`.
    """

    properties: tuple[str, ...]
    student: StudentConfig
    stages: tuple[tuple[float, Stage], ...]


def _window_student(name: str) -> StudentConfig:
    return WindowedConfig(name, windows=WindowConfig(gauge=True))


_WINDOWS = ((1.0, presets.gauged_stage(200)),)


def _one_frame(
    rate: float, n_batch: int = 64, optimiser: Optimiser = "adam"
) -> tuple[tuple[float, Stage], ...]:
    stage = presets.frames_stage(20, 1, n_batch, rate)
    return ((1.0, dataclasses.replace(stage, optimiser=optimiser)),)


def _unrolled(
    rate: float, n_batch: int = 64, optimiser: Optimiser = "adam"
) -> tuple[tuple[float, Stage], ...]:
    stages = (
        (0.25, presets.frames_stage(20, 1, n_batch, rate)),
        (0.25, presets.frames_stage(20, 8, n_batch, rate)),
        (0.5, presets.frames_stage(20, 40, n_batch // 4, 0.3 * rate)),
    )
    return tuple(
        (share, dataclasses.replace(stage, optimiser=optimiser)) for share, stage in stages
    )


# Fourier neural operator: the best of fifteen settings of rate, optimiser, batch and size.
_FNO: tuple[float, int, Optimiser] = (1e-2, 8, "muon")

RUNGS: dict[str, Rung] = {
    "linear": Rung(("local",), _window_student("linear"), _WINDOWS),
    "conv": Rung(("local",), _window_student("conv"), _WINDOWS),
    "dense": Rung(("local",), _window_student("dense"), _WINDOWS),
    "lstm": Rung(("local",), _window_student("lstm"), _WINDOWS),
    "gru": Rung(("local",), _window_student("gru"), _WINDOWS),
    "fno": Rung((), FNOConfig(), _one_frame(*_FNO)),
    "fno, unrolled": Rung(("unrolled",), FNOConfig(), _unrolled(*_FNO)),
    "local": Rung(("local", "linear"), LocalConfig(), _one_frame(1e-2)),
    "local, unrolled": Rung(("local", "linear", "unrolled"), LocalConfig(), _unrolled(1e-2)),
    "unitary": Rung(("linear", "unitary"), UnitaryConfig(), _one_frame(1e-2)),
    "unitary, unrolled": Rung(("linear", "unitary", "unrolled"), UnitaryConfig(), _unrolled(1e-2)),
    "propagator": Rung(
        ("linear", "unitary", "kinetic energy", "unrolled"),
        PropagatorConfig(),
        ((1.0, presets.frames_stage(20, 40, 8, 0.3, power=0.5)),),
    ),
    "kernel": Rung(
        ("local", "linear", "unitary", "kinetic energy", "unrolled"),
        KernelConfig(),
        ((1.0, presets.frames_stage(20, 40, 8, 3e-3, power=0.5)),),
    ),
}


def settings_of(name: str, seed: int, n_steps: Sequence[int] | None, system: System) -> Config:
    """Return the config of a rung with numbers of steps, on single barriers and wells.

    Without numbers of steps, each stage has two small blocks, for a training in seconds.
    """
    rung = RUNGS[name]
    stages = tuple(presets.smoke_stage(stage) for _, stage in rung.stages)
    if n_steps is not None:
        stages = tuple(
            dataclasses.replace(stage, n_steps=n)
            for n, (_, stage) in zip(n_steps, rung.stages, strict=True)
        )
    return Config(
        name,
        seed,
        system=system,
        curriculum=CurriculumConfig(lessons=("barrier",)),
        student=rung.student,
        training=TrainingConfig(stages),
    )


def train(config: Config) -> tuple[Emulator, Log]:
    """Train without a folder; return the emulator and the log of all blocks."""
    setup = folder.set_up(config)
    state, log = setup.trainers[0].init(jax.random.key(config.seed)), []
    for trained, line in loop.fit(setup.trainers, config.training.boundaries, state):
        state = trained
        log.append(line)
    return setup.student.bind(state.params, config=config), log


def steps_within(
    name: str,
    seconds: float,
    system: System,
    run: Callable[[Config], Log] = lambda config: train(config)[1],
) -> list[int]:
    """Return the number of steps of each stage for a training of given seconds.

    Compilation does not count.

    Args:
      name: Name of the rung.
      seconds: Seconds of the whole training, divided among the stages by their shares.
      system: The system that is learned.
      run: Function that trains three blocks of every stage and returns the log.
    """
    require_positive(seconds=seconds)
    blocks = [stage.batches.n_block for _, stage in RUNGS[name].stages]
    log = run(settings_of(name, 0, [3 * n for n in blocks], system))
    counts = []
    for i, (share, _) in enumerate(RUNGS[name].stages):
        block_seconds = min(_seconds(line) for line in log if line["stage"] == i)
        counts.append(max(1, round(share * seconds / block_seconds)) * blocks[i])
    return counts


def _seconds(line: dict[str, Any]) -> float:
    return line["teacher_seconds"] + line["student_seconds"]


class Climbed(NamedTuple):
    """The scores of a trained student.

    Attributes:
      scores: For `metrics.json`.
      nrmse: Relative L2 error against frame, mean over the 25 cases.
    """

    scores: dict[str, Any]
    nrmse: Float[np.ndarray, " n_t"]


def climb(config: Config, truth: Cases) -> Climbed:
    """Train one student with one seed, and return its scores on the paper's test."""
    emulator, log = train(config)
    per_frame = cases.measure(emulator.system, truth, cases.forecast(emulator, truth))
    scores = _without_cases(cases.summarise(truth.family, per_frame))
    scores |= {
        "n_parameters": count_parameters(emulator.params),
        "training_seconds": sum(map(_seconds, log)),
        "training_steps": log[-1]["step"],
        "microseconds_per_frame": cases.measure_cost(emulator, truth),
    }
    return Climbed(scores, np.asarray(per_frame["nrmse"]).mean(axis=0))


def _without_cases(scores: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in scores.items() if name != "cases"}


def learning_curve(config: Config, truth: Cases, every: float) -> tuple[list[float], list[float]]:
    """Return seconds of training and the mean infidelity on the paper's test at these times.

    Compilation and scoring do not count.

    Args:
      config: Settings of the training.
      truth: The paper's test cases.
      every: Seconds of training between two scores.
    """
    require_positive(every=every)
    setup = folder.set_up(config)

    @jax.jit
    def infidelity(params: PyTree, truth: Cases) -> Array:
        frames = cases.forecast(setup.student.bind(params), truth)
        return jnp.mean(1 - jax.vmap(metrics.correlation)(frames, truth.frames))

    trained, seconds, errors = 0.0, [0.0], []
    state = setup.trainers[0].init(jax.random.key(config.seed))
    errors.append(float(infidelity(state.params, truth)))
    for new, line in loop.fit(setup.trainers, config.training.boundaries, state):
        trained += _seconds(line)
        is_last = line["step"] == config.training.boundaries[-1]
        if trained - seconds[-1] >= every or is_last:
            seconds.append(trained)
            errors.append(float(infidelity(new.params, truth)))
    return seconds, errors


def clamped_split_steps(system: System, truth: Cases) -> dict[str, dict[str, Any]]:
    """Return scores of the clamped split step with 1, 2 and 3 FFT pairs, each with its best cap."""
    rows = {}
    for n_pairs in (1, 2, 3):
        caps, per_frame = baselines.best_clamped(system, n_pairs, truth)
        solver = teacher.split_step(system, n_pairs, caps["nrmse"])
        rows[f"clamped, {n_pairs}"] = _without_cases(cases.summarise(truth.family, per_frame)) | {
            "kinetic_caps": caps,
            "microseconds_per_frame": cases.measure_cost(solver, truth),
        }
    return rows


def table(students: Mapping[str, Sequence[dict[str, Any]]], solvers: dict[str, dict]) -> str:
    """Return a text table of the medians of the main scores over seeds, and published numbers."""
    columns = ("infidelity", "worst", "rel. L2", "MAE", "drift", "parameters", "us/frame", "s")
    lines = [f"{'':20}" + "".join(f"{name:>12}" for name in columns)]
    for name, seeds in [*students.items(), *((n, [row]) for n, row in solvers.items())]:
        median = {
            key: float(np.median([row[key] for row in seeds]))
            for key, value in seeds[0].items()
            if not isinstance(value, dict)
        }
        lines.append(
            f"{name:20}{median['mean_infidelity']:12.1e}{1 - median['worst_correlation']:12.1e}"
            f"{median['mean_nrmse']:12.1e}{median['mean_mae']:12.1e}{median['max_norm_drift']:12.1e}"
            f"{median.get('n_parameters', 0):12,.0f}{median['microseconds_per_frame']:12.1f}"
            f"{median.get('training_seconds', 0):12.0f}"
        )
    for model in ("demo-linear", "demo-conv", "demo-dense", "demo-gru", "full-gru"):
        means = paper.published_means(model)
        lines.append(
            f"{'paper ' + model:20}{1 - means['correlation']:12.1e}{'':24}{means['mae']:12.1e}"
        )
    return "\n".join(lines)


def passes(curves: Mapping[str, Mapping[str, Any]], levels: Mapping[str, float]) -> str:
    """Return, as text, the last error of each learning curve and the times of given levels."""
    lines = []
    for name, curve in curves.items():
        seconds, errors = curve["training_seconds"], curve["mean_infidelity"]
        lines.append(
            f"{name}: mean infidelity {errors[-1]:.1e} after {seconds[-1]:.0f} s of training"
        )
        for label, level in levels.items():
            pairs = zip(seconds, errors, strict=True)
            when = next((s for s, error in pairs if error < level), None)
            lines.append(
                f"  passes {label} " + ("never" if when is None else f"after {when:.0f} s")
            )
    return "\n".join(lines)
