"""Train `demo-newton` on vertical edges alone: `python experiments/corrections/unsmoothed.py`.

The preset smooths a quarter of its boxes and takes Gauss-Newton steps. What both do is read from
trainings without these boxes, from others with Adam in place of these steps, and from the first
stage, before either.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax

from experiments import runner
from experiments.corrections import from_scratch, replacements, splittings, study, trainings
from experiments.corrections.bench import Bench, Sizes
from experiments.corrections.splittings import Splitting
from qdistill import curriculum
from qdistill._checks import require_at_least
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Splitting as Student
from qdistill.training import boxes
from qdistill.training.loop import Trainer, fit

FIRST, LAST, ADAM = "first stage", "vertical edges", "vertical edges, Adam"


@dataclasses.dataclass(frozen=True)
class Args:
    """Read the correction of trainings of `demo-newton` without smoothed boxes."""

    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of the trainings."""
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    """Sizes of the test sets."""
    out: pathlib.Path = pathlib.Path("runs/unsmoothed")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    sizes = Sizes(2, 2, 5, 10, 2, 2, edges=(0.0,))
    return dataclasses.replace(args, seeds=(0, 1), sizes=sizes)


def config_of(args: Args) -> Config:
    """Return the settings of a training."""
    config = presets.PRESETS["demo-newton"][1]
    return reduced(config) if args.smoke else config


def reduced(config: Config) -> Config:
    """Return a config with two steps of two examples, in one stage of each optimiser."""
    stages = []
    for stage in {stage.optimiser: stage for stage in config.training.stages}.values():
        batches = dataclasses.replace(stage.batches, n_block=2, n_runs=2, n_batch=2)
        stages.append(dataclasses.replace(stage, n_steps=2, batches=batches))
    training = dataclasses.replace(config.training, stages=tuple(stages))
    return dataclasses.replace(config, training=training)


def with_adam(config: Config, is_small: bool = False) -> Config:
    """Return the settings with Adam on eigenstates in place of the Gauss-Newton steps.

    The stage is that of the trainings of the study, without what needs an informed start. The
    kinetic energy is not given.
    """
    first, last = config.training.stages[0], trainings.informed()
    last = dataclasses.replace(last, relative=False, power=0.5)
    if is_small:
        last = dataclasses.replace(last, n_steps=2, batches=config.training.stages[-1].batches)
    training = dataclasses.replace(config.training, stages=(first, last))
    return dataclasses.replace(config, training=training)


def read(args: Args) -> runner.Results:
    """Train, and read what was learned after the first stage and after the last one."""
    require_at_least(2, seeds=len(args.seeds))
    config, bench = config_of(args), Bench(args.sizes, args.out / "measured")
    rows: dict[str, dict[str, Any]] = {FIRST: {}, LAST: {}, ADAM: {}}
    for seed in args.seeds:
        made = dict(zip((FIRST, LAST), train(config, seed), strict=True))
        *_, made[ADAM] = train(with_adam(config, args.smoke), seed)
        for name, each in made.items():
            rows[name][f"seed {seed}"] = study.measure(each, bench) | {"error": errors(each, bench)}
    found = {
        "unit": "h^2 / 24 with h = dt / n_pairs",
        "versions": {name: {"trainings": each, **answer(each)} for name, each in rows.items()},
    }
    return runner.Results(runner.rounded(found), table(found))


def train(config: Config, seed: int, softness: float = 0.0) -> Iterator[Splitting]:
    """Return the splitting after the first stage and after the last one.

    Args:
      config: The settings.
      seed: The seed of the training.
      softness: Largest width in bohr over which a quarter of the boxes of Gauss-Newton steps is
        smoothed.
    """
    student, boundaries = folder.set_up(config).student, config.training.boundaries
    assert isinstance(student, Student)
    trainers = with_softness(config, softness)
    start = trainers[0].init(jax.random.key(seed))
    for state, _ in fit(trainers, boundaries, start):
        if int(state.step) in (boundaries[0], boundaries[-1]):
            yield splittings.of_parameters(student, state.params)


@functools.cache
def with_softness(config: Config, softness: float) -> tuple[Trainer, ...]:
    """Return the trainers of a config, with another smoothing of the boxes."""
    setup = folder.set_up(config)
    lessons = config.curriculum
    weights_at, difficulty_at = curriculum.make_schedules(lessons, config.training.boundaries[-1])
    found = []
    for stage, trainer in zip(config.training.stages, setup.trainers, strict=True):
        if stage.optimiser == "gauss-newton":
            batches = stage.batches
            maker = boxes.make_block(
                setup.teacher.system, lessons.lessons, batches.spectra, batches.n_runs,
                (batches.n_block, batches.n_batch), softness=softness,
            )  # fmt: skip

            def make_block(state: Any, maker: Any = maker) -> Any:
                key, weights = jax.random.fold_in(state.key, state.step), weights_at(state.step)
                return maker(key, weights / weights.sum(), difficulty_at(state.step))

            trainer = trainer._replace(make_block=jax.jit(make_block))
        found.append(trainer)
    return tuple(found)


def errors(made: Splitting, bench: Bench) -> dict[str, float]:
    """Return the median relative L2 errors on smooth and on sharp held-out potentials."""
    truth = bench.cases(made.system)
    found = replacements.by_kind(replacements.errors(made, truth), truth)
    return {kind: each["median"] for kind, each in found.items()}


def answer(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the answers of `from_scratch.answer`, and errors over trainings."""
    over = {
        kind: study.summarise(row["error"][kind] for row in rows.values())
        for kind in ("smooth", "sharp")
    }
    return from_scratch.answer(rows) | {"error": over}


def table(found: Mapping[str, Any]) -> str:
    """Return means and intervals as text."""
    lines = []
    for name, row in found["versions"].items():
        lines += [name, from_scratch.table(row)]
        errors = [f"{kind} {each['mean']:.1e}" for kind, each in row["error"].items()]
        lines.append("error: " + ", ".join(errors))
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(read, Args, smoke)
