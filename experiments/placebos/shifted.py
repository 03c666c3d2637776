"""Whether the paper's network fails on wells because it never saw V < 0, by constants added to V.

A constant added to V changes nothing but a global phase of the exact dynamics. Networks are taught
all processes; all but trapping, with its placebo in its place; and all but trapping, with a random
negative constant added to V in every example. In the tests a constant is added to V in steps: to a
well until its floor is at zero, from other potentials until their top is.

The explanation was fixed before any result, with what it predicts for networks without wells:

1. with the floor of a well at zero their error falls to at most twice that of networks with wells;
2. with the top of barriers at zero, where they see V < 0 only, their error rises to above 0.5, and
   that of networks with wells does not;
3. random constants in the lessons, still without wells, lower the error on wells as they are to
   at most twice that of networks with wells.

It is refuted if the error with the floor at zero stays above half of that of the well as it is.
Then the walls around the packet, or many reflections, are what was not learned.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments import runner
from experiments.corrections.study import summarise
from experiments.placebos import coalitions, placebos_figure, processes
from experiments.placebos.processes import PROCESSES
from qdistill import teacher
from qdistill._checks import require_at_least
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import metrics
from qdistill.forecast.cases import Cases
from qdistill.insight.importance import trainings
from qdistill.insight.probes.learning import sample_lessons
from qdistill.physics.grid import Grid, Scalar
from qdistill.runs.presets import gauged_stage
from qdistill.students import Student
from qdistill.system import LESSONS, System, lesson, rollout
from qdistill.teacher import TeacherConfig
from qdistill.training.stages import TrainingConfig

TESTS = PROCESSES[:-1]
TAUGHT = ("all", "without trapping", "without trapping, V shifted")
# Constants in the tests, in units of the depth or height of the case.
STEPS = (0.0, 0.5, 1.0)
KINDS = ("relative L2 error", "without global phase")
# The highest barrier and the deepest well of the lessons, in hartree.
HIGHEST, DEEPEST = 1.7 * processes.ENERGY[1], 2.0 * processes.ENERGY[1]
# Errors above this count as this: some forecasts diverge.
CAP = 10.0


@dataclasses.dataclass(frozen=True)
class Args:
    """Train the network of `gru-demo` with and without wells, and add constants to V."""

    n_steps: int = 8_000
    """Steps of a training."""
    seeds: int = 5
    """Trainings of each kind."""
    cases: int = 4
    """Test cases of each process."""
    frames: int = 60
    """Frames of a forecast."""
    seed: int = 0
    """Seed of the first training, and of the tests."""
    kept: pathlib.Path = pathlib.Path("runs/shifted-trainings")
    """Folder of the errors of trainings, which are not repeated."""
    out: pathlib.Path = pathlib.Path("runs/shifted")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    kept = args.out / "trainings"
    return dataclasses.replace(args, n_steps=4, seeds=1, cases=1, frames=2, kept=kept)


def measure(args: Args) -> runner.Results:
    """Train and test the networks."""
    require_at_least(1, seeds=args.seeds, cases=args.cases, frames=args.frames)
    system = coalitions.SYSTEM
    if args.smoke:
        system = System(Grid(160, 100.0), bounds=(-16.0, 16.0))
    lessons = register()
    test = sample_lessons(
        system, args.seed + 1_000_003, args.cases, args.frames, lessons[: len(TESTS)]
    )
    sizes = scales(test)
    errors = train(args, system, test)
    found = {
        "taught": list(TAUGHT), "steps": list(STEPS), "kinds": list(KINDS),
        "training steps": args.n_steps,
        "depth or height": dict(zip(TESTS, sizes.reshape(len(TESTS), -1).tolist(), strict=True)),
        "walls higher than taught": int(np.sum(sizes.reshape(len(TESTS), -1)[2] > HIGHEST)),
        **describe(np.minimum(errors, CAP)),
    }  # fmt: skip
    figures = {"constants": placebos_figure.plot_constants(found)}
    return runner.Results(runner.rounded(found), report(found), figures)


def register() -> tuple[str, ...]:
    """Register the lessons of `processes`, and each with a random constant; return their names."""
    names = processes.register()
    shifted = tuple(f"{name}, shifted" for name in names)
    for name, new in zip(names, shifted, strict=True):
        if new not in LESSONS:
            lesson(new)(functools.partial(_shifted, LESSONS[name]))
    return names + shifted


def _shifted(sample: Any, key: Array, grid: Grid, difficulty: Scalar) -> tuple[Array, Array]:
    """A sample of a lesson, minus a constant between zero and the depth of the deepest well."""
    psi, v = sample(key, grid, difficulty)
    return psi, v - jax.random.uniform(jax.random.fold_in(key, 1), (), v.dtype, 0.0, DEEPEST)


def weights() -> Float[np.ndarray, "n_taught n_lesson"]:
    """Return the weights of all lessons; the twin of scattering is a placebo in each."""
    everything = 2 ** len(TESTS) - 1
    plain = coalitions.weights()[[everything, everything ^ 1 << PROCESSES.index("trapping")]]
    none = np.zeros_like(plain[0])
    return np.stack([*(np.append(row, none) for row in plain), np.append(none, plain[1])])


def scales(test: Cases) -> Float[np.ndarray, " n_case"]:
    """Return the depth or height of each case; without a potential, the mean depth of the wells."""
    sizes = np.abs(np.asarray(test.v, float)).max(axis=1).reshape(len(TESTS), -1)
    return np.where(sizes > 0, sizes, sizes[TESTS.index("trapping")].mean()).ravel()


def shifted(test: Cases, step: float, dt: float) -> Cases:
    """Return the test with a constant in V: wells are raised, other potentials lowered.

    The constant c multiplies the frames at t by exp(-i c t), and changes nothing else.
    """
    sign = np.repeat([1.0 if name == "trapping" else -1.0 for name in TESTS], len(test) // 4)
    constant = (step * sign * scales(test))[:, None]
    n_given, n_t = test.given.shape[1], test.frames.shape[1]
    phases = jnp.asarray(np.exp(-1j * dt * constant * np.arange(n_given + n_t)))[..., None]
    return dataclasses.replace(
        test,
        given=test.given * phases[:, :n_given],
        v=test.v + jnp.asarray(constant),
        frames=test.frames * phases[:, n_given:],
    )


def train(
    args: Args, system: System, test: Cases
) -> Float[np.ndarray, "n_seed n_taught n_step n_kind n_case"]:
    """Train and test; seeds that were measured before are read."""
    stage = gauged_stage(8_000)
    batches = stage.batches
    if args.smoke:
        batches = dataclasses.replace(batches, n_block=2, n_runs=2, n_batch=4)
    stage = dataclasses.replace(stage, n_steps=args.n_steps, batches=batches)
    form = coalitions.BUDGETS["gru"].student
    settings = [runner.settings(each) for each in (form, stage, system)]
    about = settings, weights().tolist(), test.frames.shape, args.seed
    code = hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()[:12]
    files = {args.seed + i: args.kept / f"{args.seed + i}-{code}.npy" for i in range(args.seeds)}
    missing = [seed for seed, file in files.items() if not file.exists()]
    student, is_cpu = form.build(system), jax.default_backend() == "cpu"
    args.kept.mkdir(parents=True, exist_ok=True)
    # A GPU is busy with all of them, a CPU with one.
    for seeds in [[seed] for seed in missing] if is_cpu else [missing] * bool(missing):
        each = np.tile(weights(), (len(seeds), 1))
        *_, last = trainings.train(
            student, teacher.make(TeacherConfig(), system), CurriculumConfig(lessons=register()),
            TrainingConfig((stage,)), each, [seed for seed in seeds for _ in TAUGHT],
            1 if is_cpu else len(each),
        )  # fmt: skip
        made = examine(student, last.params, test)
        for seed, of_seed in zip(seeds, made.reshape(len(seeds), len(TAUGHT), *made.shape[1:]),
                                 strict=True):  # fmt: skip
            np.save(files[seed], of_seed)
            print(f"seed {seed}", flush=True)
    return np.stack([np.load(file) for file in files.values()])


def examine(
    student: Student, params: PyTree, test: Cases
) -> Float[np.ndarray, "n_training n_step n_kind n_case"]:
    """Return the errors of many trainings, means over frames, for each constant."""
    each = [shifted(test, step, student.system.dt) for step in STEPS]
    n_frames = test.frames.shape[1]

    def errors(params: PyTree, of: Cases) -> Float[Array, "n_kind n_case"]:
        emulator = student.bind(params)

        def one(case: tuple[Array, Array, Array]) -> Array:
            given, v, frames = case
            forecast = rollout(emulator, given, v, n_frames)
            raw = metrics.nrmse(forecast, frames)
            overlap = jnp.sum(frames.conj() * forecast, axis=-1, keepdims=True)
            unit = jnp.exp(-1j * jnp.angle(overlap))
            return jnp.stack([raw.mean(), metrics.nrmse(forecast * unit, frames).mean()])

        return jax.lax.map(one, (of.given, of.v, of.frames)).T

    run = jax.jit(lambda params, of: jax.lax.map(lambda p: errors(p, of), params))
    made = np.stack([np.asarray(run(params, of), float) for of in each], axis=1)
    return np.where(np.isfinite(made), made, np.inf)


def describe(
    errors: Float[np.ndarray, "n_seed n_taught n_step n_kind n_case"],
) -> dict[str, Any]:
    """Return medians over the cases of a process: over seeds, and their extremes.

    Under ``"ratios"`` are the logarithms (base 10) of errors over those of networks taught all,
    paired by seed.
    """
    medians = np.median(errors.reshape(*errors.shape[:-1], len(TESTS), -1), axis=-1)
    found: dict[str, Any] = {"errors": {}, "ratios": {}, "cases": errors.tolist()}
    for k, kind in enumerate(KINDS):
        for p, process in enumerate(TESTS):
            of = medians[:, :, :, k, p]
            for i, taught in enumerate(TAUGHT):
                rows = found["errors"].setdefault(kind, {}).setdefault(process, {})
                rows[taught] = [
                    {"median": float(np.median(x)), "low": float(x.min()), "high": float(x.max())}
                    for x in of[:, i].T
                ]
                ratios = np.log10(of[:, i] / of[:, 0]).T
                row = found["ratios"].setdefault(kind, {}).setdefault(process, {})
                row[taught] = [summarise(ratio) for ratio in ratios]
    return found


def report(found: dict[str, Any]) -> str:
    """Return the errors as text."""
    lines = []
    for kind, tests in found["errors"].items():
        lines.append(f"{kind}, constants {', '.join(map(str, STEPS))} of the depth or height")
        for process, rows in tests.items():
            for taught, row in rows.items():
                cells = "".join(
                    f"{x['median']:10.2g} ({x['low']:.2g} to {x['high']:.2g})" for x in row
                )
                lines.append(f"  {process:14}{taught:30}{cells}")
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
