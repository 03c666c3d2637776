"""The ladder of students, from no physics to all of it, each trained for the same time."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree
from qdistill._rollout import rollout

from qdistill import students
from qdistill._checks import require_positive
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import baselines as generalisation
from qdistill.forecast import benchmark, metrics
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.runs.config import Config
from qdistill.students import StudentConfig
from qdistill.students.windows import WindowConfig
from qdistill.teacher.factory import TeacherConfig
from qdistill.training import loop as training
from qdistill.training.stages import Optimiser, Stage, TrainingConfig


class Rung(NamedTuple):
    """A student of the ladder.

    Attributes:
      properties: What is built into it, or how it was trained.
      student: Its form.
      stages: Its training, each stage with its share of the time; `n_steps` is set by that.
    """

    properties: tuple[str, ...]
    student: StudentConfig
    stages: tuple[tuple[float, Stage], ...]


def _window_student(name: str) -> StudentConfig:
    return StudentConfig(name, windows=WindowConfig(gauge=True))


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


# Of the Fourier neural operator: the best of fifteen settings of rate, optimiser, batch and size.
_FNO: tuple[float, int, Optimiser] = (1e-2, 8, "muon")

RUNGS: dict[str, Rung] = {
    "linear": Rung(("local",), _window_student("linear"), _WINDOWS),
    "conv": Rung(("local",), _window_student("conv"), _WINDOWS),
    "dense": Rung(("local",), _window_student("dense"), _WINDOWS),
    "lstm": Rung(("local",), _window_student("lstm"), _WINDOWS),
    "gru": Rung(("local",), _window_student("gru"), _WINDOWS),
    "fno": Rung((), StudentConfig("fno"), _one_frame(*_FNO)),
    "fno, unrolled": Rung(("unrolled",), StudentConfig("fno"), _unrolled(*_FNO)),
    "local": Rung(("local", "linear"), StudentConfig("local"), _one_frame(1e-2)),
    "local, unrolled": Rung(
        ("local", "linear", "unrolled"), StudentConfig("local"), _unrolled(1e-2)
    ),
    "unitary": Rung(("linear", "unitary"), StudentConfig("unitary"), _one_frame(1e-2)),
    "unitary, unrolled": Rung(
        ("linear", "unitary", "unrolled"), StudentConfig("unitary"), _unrolled(1e-2)
    ),
    "propagator": Rung(
        ("linear", "unitary", "kinetic energy", "unrolled"),
        StudentConfig("propagator"),
        ((1.0, presets.frames_stage(20, 40, 8, 0.3, power=0.5)),),
    ),
    "kernel": Rung(
        ("local", "linear", "unitary", "kinetic energy", "unrolled"),
        StudentConfig("kernel"),
        ((1.0, presets.frames_stage(20, 40, 8, 3e-3, power=0.5)),),
    ),
}


def settings_of(
    name: str, seed: int, n_steps: Sequence[int] | None, physics: TeacherConfig
) -> Config:
    """The config of a rung with the steps of its stages, on single barriers and wells.

    Without steps, each stage has two small blocks: the same training in seconds.
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
        teacher=physics,
        curriculum=CurriculumConfig(lessons=("barrier",)),
        student=rung.student,
        training=TrainingConfig(stages),
    )


def steps_within(name: str, seconds: float, physics: TeacherConfig) -> list[int]:
    """Steps of each stage that fill `seconds` of training; measured, compilation not counted."""
    require_positive(seconds=seconds)
    blocks = [stage.batches.n_block for _, stage in RUNGS[name].stages]
    _, log = train(settings_of(name, 0, [3 * n for n in blocks], physics))
    counts = []
    for i, (share, _) in enumerate(RUNGS[name].stages):
        mine = [line for line in log if line["stage"] == i]
        block_seconds = min(line["teacher_seconds"] + line["student_seconds"] for line in mine)
        counts.append(max(1, round(share * seconds / block_seconds)) * blocks[i])
    return counts


def train(settings: Config) -> tuple[PyTree, list[dict[str, Any]]]:
    """Train without a folder: the parameters, and what `training.fit` told of every block."""
    trainers = runs.set_up(settings).trainers
    state, log = trainers[0].init(jax.random.key(settings.seed)), []
    for trained, line in training.fit(trainers, settings.training.boundaries, state):
        state = trained
        log.append(line)
    return state.params, log


class Climbed(NamedTuple):
    """A student trained and scored.

    Attributes:
      scores: Numbers to be written.
      nrmse: Phase-sensitive error against frame, mean over the 25 runs.
    """

    scores: dict[str, Any]
    nrmse: Float[np.ndarray, " n_t"]


def climb(settings: Config, truth: benchmark.Runs) -> Climbed:
    """Train one student with one seed, and score it on the benchmark."""
    params, log = train(settings)
    setup = runs.set_up(settings)
    forecast = benchmark.forecast(setup.student, setup.student.propagator(params), truth)
    per_frame = benchmark.measure(setup.grid, forecast, truth)
    scores = benchmark.summarise(list(benchmark.CASES), per_frame)
    del scores["cases"]
    scores |= {
        "n_parameters": students.count_parameters(params),
        "training_seconds": sum(line["teacher_seconds"] + line["student_seconds"] for line in log),
        "training_steps": log[-1]["step"],
        "microseconds_per_frame": benchmark.measure_cost(setup.student, params, truth),
    }
    return Climbed(scores, np.asarray(per_frame["nrmse"]).mean(axis=0))


def learning_curve(
    settings: Config, truth: benchmark.Runs, every: float
) -> tuple[list[float], list[float]]:
    """Seconds of training, and the mean infidelity on the benchmark after them.

    Neither compilation nor scoring counts as training.

    Args:
      settings: Of the training.
      truth: Of the benchmark.
      every: Seconds of training between two scores.
    """
    require_positive(every=every)
    setup = runs.set_up(settings)

    @jax.jit
    def infidelity(params: PyTree) -> Array:
        def of_case(given: Array, v: Array, frames: Array) -> Array:
            step = setup.student.propagator(params)(v)
            state = setup.student.state(given)
            forecast = rollout(step, state, len(frames), setup.student.psi)
            return jnp.mean(1 - metrics.correlation(forecast, frames))

        return jnp.mean(jax.vmap(of_case)(*truth))

    trained, seconds, errors = 0.0, [0.0], []
    state = setup.trainers[0].init(jax.random.key(settings.seed))
    errors.append(float(infidelity(state.params)))
    for new, log in training.fit(setup.trainers, settings.training.boundaries, state):
        trained += log["teacher_seconds"] + log["student_seconds"]
        is_last = log["step"] == settings.training.boundaries[-1]
        if trained - seconds[-1] >= every or is_last:
            seconds.append(trained)
            errors.append(float(infidelity(new.params)))
    return seconds, errors


def baselines(grid: Grid, dt: float, truth: benchmark.Runs) -> dict[str, dict[str, Any]]:
    """The clamped split step with 1, 2 and 3 FFT pairs a frame, each with its best cap."""
    rows = {}
    for n_pairs in (1, 2, 3):
        caps, per_frame = generalisation.best_clamped(grid, dt, n_pairs, truth)
        student = generalisation.clamped(grid, dt, n_pairs, caps["nrmse"])
        scores = benchmark.summarise(list(benchmark.CASES), per_frame)
        del scores["cases"]
        cost = benchmark.measure_cost(student, {}, truth)
        rows[f"clamped, {n_pairs}"] = scores | {
            "kinetic_caps": caps,
            "microseconds_per_frame": cost,
        }
    return rows


def table(students: Mapping[str, Sequence[dict[str, Any]]], solvers: dict[str, dict]) -> str:
    """Median over seeds of the main scores, as text; the published numbers below."""
    columns = ("infidelity", "worst", "phase-sens.", "MAE", "drift", "parameters", "us/frame", "s")
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
        means = benchmark.published_means(model)
        lines.append(
            f"{'paper ' + model:20}{1 - means['correlation']:12.1e}{'':24}{means['mae']:12.1e}"
        )
    return "\n".join(lines)
