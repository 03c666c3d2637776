"""Train a student for each combination of properties, and estimate what each property is worth.

Every combination of linear, unitary, local and unrolled is trained with equal numbers of steps and
of frames in a batch, from the same start and on the same examples for equal seeds.
"""

import dataclasses
import functools
import itertools
import math
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import Array, Key, PyTree

from experiments import runner
from experiments.ladder.factors import FactorConfig
from qdistill._checks import require_at_least
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import cases, metrics
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig, make_held_out
from qdistill.physics.grid import Grid
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Student, StudentConfig, WindowConfig, WindowedConfig
from qdistill.system import System
from qdistill.training.loop import Trainer, TrainState
from qdistill.training.stages import Stage, TrainingConfig

PROPERTIES = ("linear", "unitary", "local", "unrolled")
# Whether a form is linear, unitary and local.
FORMS = tuple(itertools.product((False, True), repeat=3))
Part: TypeAlias = Literal["properties", "windows"]
# A relative L2 error above this counts as this: the forecast has diverged.
LARGEST = 10.0


@dataclasses.dataclass(frozen=True)
class Args:
    """Train and score all combinations of properties."""

    seeds: int = 5
    """Number of trainings of each combination."""
    steps: tuple[int, int] = (60, 120)
    """Steps of one frame for all, then steps in which the unrolled ones have more."""
    n_batch: int = 8
    """Frames of a batch."""
    n_target: int = 8
    """Frames of an unrolled example."""
    window_steps: tuple[int, int] = (200, 60)
    """The same for the dense network on windows."""
    parts: tuple[Part, ...] = ("properties", "windows")
    """What is trained: the combinations of properties, the network on windows."""
    n_x: int = 512
    """Points of the lattice, 100/1024 bohr apart."""
    n_frames: int = 100
    """Forecast frames of the paper's 25 cases, which are scaled to the box."""
    out: pathlib.Path = pathlib.Path("runs/factorial")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args,
        seeds=2,
        steps=(4, 4),
        n_batch=4,
        n_target=2,
        parts=("properties",),
        n_x=128,
        n_frames=4,
    )


def measure(args: Args) -> runner.Results:
    """Train and score, and estimate effects."""
    require_at_least(2, seeds=args.seeds)
    truth = make_held_out(BenchmarkConfig(n_frames=args.n_frames), system_of(args), ())
    found: dict[str, Any] = {}
    if "properties" in args.parts:
        found["students"] = properties(args, truth)
        for metric in ("infidelity", "nrmse"):
            found[f"effects on {metric}"] = effects(
                {name: logarithms(row[metric]) for name, row in found["students"].items()}
            )
    if "windows" in args.parts:
        found["windowed"] = windowed(args, truth)
    return runner.Results(runner.rounded(found), table(found))


def system_of(args: Args) -> System:
    """Return the lattice of the study."""
    usual = Config().system
    grid = Grid(args.n_x, args.n_x * usual.grid.dx[0], "lattice")
    return dataclasses.replace(usual, grid=grid)


def properties(args: Args, truth: Cases) -> dict[str, dict[str, Any]]:
    """Return the scores of every combination of properties."""
    student, rows = FactorConfig().build(system_of(args)), {}
    for is_unrolled, each in enumerate(train(args)):
        for i, form in enumerate(FORMS):
            params = jax.tree.map(lambda leaf, i=i: leaf[i], each)
            rows[name_of((*form, bool(is_unrolled)))] = score(student, params, truth)
    return rows


def train(args: Args) -> tuple[PyTree, PyTree]:
    """Return the parameters of all forms and seeds, not unrolled and unrolled.

    All advance together; the first stage is common.
    """
    keys = jnp.stack([jax.random.key(seed) for seed in range(args.seeds)])
    n_forms, begin = len(FORMS), None
    results = []
    for is_unrolled in (False, True):
        stages = stages_of(args, is_unrolled)
        trainers = set_up(FactorConfig(), stages, system_of(args)).trainers
        if begin is None:
            state = jax.vmap(trainers[0].init)(keys)
            state = jax.tree.map(lambda leaf: jnp.stack([leaf] * n_forms), state)
            flags = jnp.array(FORMS, float)[:, None]
            state.params["built_in"] = jnp.broadcast_to(flags, (n_forms, args.seeds, 3))
            begin = advance(trainers[0], stages[0], state)
        results.append(advance(trainers[1], stages[1], restarted(trainers[1], begin)).params)
    return results[0], results[1]


def windowed(args: Args, truth: Cases) -> dict[str, dict[str, Any]]:
    """Return the scores of the dense network on windows, alone and unrolled."""
    form = WindowedConfig("dense", windows=WindowConfig(gauge=True))
    keys = jnp.stack([jax.random.key(seed) for seed in range(args.seeds)])
    found, system = {}, system_of(args)
    for label, stages in stages_of_windows(args).items():
        params = fit(form, stages, keys, system)
        found[label] = score(form.build(system), params, truth)
    return found


def name_of(has: Sequence[bool]) -> str:
    """Return the name of a combination: its properties.

    >>> name_of((True, False, True, False))
    'linear, local'
    """
    return ", ".join(itertools.compress(PROPERTIES, has)) or "none"


def stages_of(args: Args, is_unrolled: bool) -> tuple[Stage, ...]:
    """Return the two stages of a training."""
    found = []
    for n_steps, n_target in zip(args.steps, (1, args.n_target), strict=True):
        n_target = n_target if is_unrolled else 1
        stage = presets.frames_stage(20, n_target, args.n_batch // n_target, 1e-2, n_runs=8)
        # The teacher's runs are as long for all.
        batches = dataclasses.replace(
            stage.batches, n_frames=40 + args.n_target, n_block=4 if args.smoke else 20
        )
        found.append(dataclasses.replace(stage, n_steps=n_steps, batches=batches))
    return tuple(found)


def stages_of_windows(args: Args) -> dict[str, tuple[Stage, ...]]:
    """Return the stages of the network on windows: windows only, and with whole frames after."""
    first, second = args.window_steps
    windows = presets.gauged_stage(first)
    small = dataclasses.replace(windows.batches, n_block=20)
    alone = dataclasses.replace(windows, n_steps=first + second, batches=small)
    before = dataclasses.replace(windows, batches=small)
    unrolled = presets.frames_stage(second, 4, 2, 1e-3)
    return {"windows": (alone,), "windows, unrolled": (before, unrolled)}


def set_up(form: StudentConfig, stages: tuple[Stage, ...], system: System) -> folder.Setup:
    """Return teacher, student and trainers, on single barriers and wells."""
    return folder.set_up(
        Config(
            "factorial",
            system=system,
            curriculum=CurriculumConfig(lessons=("barrier",)),
            student=form,
            training=TrainingConfig(stages),
        )
    )


def fit(
    form: StudentConfig, stages: tuple[Stage, ...], keys: Key[Array, " n_seed"], system: System
) -> PyTree:
    """Return the parameters of trainings with several keys, which advance together."""
    trainers = set_up(form, stages, system).trainers
    state = jax.tree.map(lambda leaf: leaf[None], jax.vmap(trainers[0].init)(keys))
    for i, (trainer, stage) in enumerate(zip(trainers, stages, strict=True)):
        state = advance(trainer, stage, restarted(trainer, state) if i else state)
    return jax.tree.map(lambda leaf: leaf[0], state.params)


def restarted(trainer: Trainer, state: TrainState) -> TrainState:
    """Return states, with axes of forms and seeds, at the start of a stage."""
    return state._replace(opt_state=_over_both(trainer.init)(state.key).opt_state)


def advance(trainer: Trainer, stage: Stage, state: TrainState) -> TrainState:
    """Return states, with axes of forms and seeds, after a stage.

    Examples depend on the seed only, so that all forms have the same.
    """
    make_block = jax.jit(jax.vmap(trainer.make_block))
    train_block = jax.jit(jax.vmap(jax.vmap(trainer.train_block), (0, None)))
    for _ in range(math.ceil(stage.n_steps / stage.batches.n_block)):
        block = make_block(jax.tree.map(lambda leaf: leaf[0], state))
        state, _ = train_block(state, block)
    return state


def _over_both(function: Callable) -> Callable:
    return jax.vmap(jax.vmap(function))


def score(student: Student, params: PyTree, truth: Cases) -> dict[str, Any]:
    """Return the errors of each seed on each case."""
    n_seeds = len(jax.tree.leaves(params)[0])
    each = [
        _errors(student, jax.tree.map(lambda leaf, i=i: leaf[i], params), truth)
        for i in range(n_seeds)
    ]
    infidelity, nrmse = (np.array(part, float) for part in zip(*each, strict=True))
    return {
        "infidelity": infidelity.mean(axis=1).tolist(),
        "nrmse": np.minimum(nrmse, LARGEST).mean(axis=1).tolist(),
        "cases": {"infidelity": infidelity.tolist(), "nrmse": nrmse.tolist()},
    }


@functools.partial(jax.jit, static_argnums=0)
def _errors(student: Student, params: PyTree, truth: Cases) -> tuple[Array, Array]:
    """1 - correlation and relative L2 error of each case, means over the frames."""
    frames = cases.forecast(student.bind(params), truth)
    correlation = jax.vmap(metrics.correlation)(frames, truth.frames)
    return 1 - correlation.mean(1), jax.vmap(metrics.nrmse)(frames, truth.frames).mean(1)


def logarithms(errors: Sequence[float]) -> np.ndarray:
    """Return log10 of errors; what is not finite counts as the largest."""
    values = np.nan_to_num(np.array(errors, float), nan=1.0, posinf=LARGEST)
    return np.log10(np.clip(values, 1e-9, LARGEST))


def effects(logs: Mapping[str, np.ndarray]) -> dict[str, dict[str, Any]]:
    """Return the main effects of the properties and their interactions, with 95% t intervals.

    An effect is the mean of log10(error) over the combinations with the property, less that of
    those without; of an interaction, with an even number of the properties missing, less an odd
    one. Each seed gives a value, since combinations share its examples.

    Args:
      logs: Logarithms of the errors of each seed, by name of the combination; all 16.

    >>> logs = {name_of(has): np.array([-2.0, -2.1]) * has[0]
    ...         for has in itertools.product((False, True), repeat=4)}
    >>> f"{effects(logs)['linear']['mean']:.2f}"
    '-2.05'
    """
    found = {}
    combinations = list(itertools.product((False, True), repeat=4))
    y = np.stack([logs[name_of(has)] for has in combinations])
    signs = np.where(np.array(combinations), 1.0, -1.0)
    for size in range(1, 5):
        for chosen in itertools.combinations(range(4), size):
            each = np.prod(signs[:, chosen], axis=1) @ y / 8
            t = scipy.special.stdtrit(len(each) - 1, 0.975)
            half = t * each.std(ddof=1) / len(each) ** 0.5
            name = " x ".join(PROPERTIES[i] for i in chosen)
            found[name] = {
                "mean": float(each.mean()),
                "low": float(each.mean() - half),
                "high": float(each.mean() + half),
                "of seeds": each.tolist(),
            }
    return found


def table(found: Mapping[str, Any]) -> str:
    """Return medians of the combinations, and the effects, as text."""
    lines = [
        f"{name:32} {np.median(row['infidelity']):.1e} {np.median(row['nrmse']):.1e}"
        for part in ("students", "windowed")
        for name, row in found.get(part, {}).items()
    ]
    for metric in ("infidelity", "nrmse"):
        for name, row in found.get(f"effects on {metric}", {}).items():
            lines.append(
                f"log10 {metric}, {name:36} {row['mean']:+.2f} "
                f"({row['low']:+.2f} to {row['high']:+.2f})"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
