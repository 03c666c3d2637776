"""Trainings from which one family of potentials is left out.

`python experiments/generalisation/left_out.py` trains `unitary` in full without each family. With
`--only` it trains on each family alone, which shows whether the test can see a deficit at all.
"""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from experiments import runner
from experiments.corrections.study import summarise
from experiments.generalisation import generalisation_figure
from experiments.generalisation.beyond import errors
from qdistill.curriculum.lessons import ALL_OVER
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.insight.importance import trainings
from qdistill.physics import families, packets
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import Grid, Scalar
from qdistill.runs import folder, presets, records
from qdistill.runs.config import Config
from qdistill.system import LESSONS, System, lesson
from qdistill.training.stages import Stage, TrainingConfig

# The name of the trainings on all families.
NONE = "none"


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """The sizes of the trainings and of their test.

    Attributes:
      n_seeds: Trainings for each family that is left out, and for none.
      n_steps: Training steps of each stage; None for those of the preset.
      n_batch: Examples in a batch; None likewise.
      n_runs: Runs, or boxes, in a block of steps; None likewise.
      n_case: Held-out potentials of each family.
      n_frames: Frames of a forecast.
      seed: Random seed of the held-out potentials.
      families: The families that are left out in turn.
      preset: Name of the preset that is trained.
    """

    n_seeds: int = 3
    n_steps: int | None = None
    n_batch: int | None = None
    n_runs: int | None = None
    n_case: int = 8
    n_frames: int = 100
    seed: int = 1
    families: tuple[str, ...] = tuple(FAMILIES)
    preset: str = "unitary"


@dataclasses.dataclass(frozen=True)
class Args:
    """Train a student in full without each family of potentials in turn."""

    sizes: LeftOut = dataclasses.field(default_factory=LeftOut)
    """The trainings and their test."""
    trained: pathlib.Path = pathlib.Path("runs/generalisation-trainings")
    """Folder of the errors of trainings, which are not repeated."""
    only: bool = False
    """Whether to teach one family only in place of all but one, as a positive control."""
    out: pathlib.Path = pathlib.Path("runs/left_out-unitary")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    tiny = LeftOut(1, 2, 2, 2, 1, 3, families=("well",), preset=args.sizes.preset)
    return dataclasses.replace(args, sizes=tiny, trained=args.out / "trainings")


def lessons_of_families() -> tuple[str, ...]:
    """Return the names of one lesson for each family, and register those that are missing."""
    names = []
    for family in FAMILIES:
        names.append(f"family {family}")
        if names[-1] not in LESSONS:
            lesson(names[-1])(functools.partial(_sample, family))
    return tuple(names)


def _sample(family: str, key: Any, grid: Grid, difficulty: Scalar) -> tuple[Array, Array]:
    """A sample as of the lesson `potentials`, with a potential of one family."""
    del difficulty
    key_psi, key_v = jax.random.split(key)
    psi = packets.sample_superposition(key_psi, grid, 4, ALL_OVER)
    return psi, families.sample(key_v, grid, family)


def config_of(sizes: LeftOut) -> Config:
    """Return the settings of a training, with a lesson for each family."""
    preset = presets.PRESETS[sizes.preset][1]
    lessons = CurriculumConfig(lessons=lessons_of_families())
    stages = tuple(_resized(stage, sizes) for stage in preset.training.stages)
    return dataclasses.replace(preset, curriculum=lessons, training=TrainingConfig(stages))


def _resized(stage: Stage, sizes: LeftOut) -> Stage:
    n_steps = stage.n_steps if sizes.n_steps is None else sizes.n_steps
    batches = dataclasses.replace(
        stage.batches,
        n_batch=stage.batches.n_batch if sizes.n_batch is None else sizes.n_batch,
        n_runs=stage.batches.n_runs if sizes.n_runs is None else sizes.n_runs,
        n_block=min(stage.batches.n_block, n_steps),
    )
    return dataclasses.replace(stage, n_steps=n_steps, batches=batches)


def weights_of(names: Sequence[str], *, only: bool) -> np.ndarray:
    """Return the weights of all families, without each of the names in turn, or with it only."""
    rows = [
        [float(name == NONE or (family == name) == only) for family in FAMILIES] for name in names
    ]
    return np.array(rows)


def train(
    sizes: LeftOut, seeds: Sequence[int], *, only: bool = False
) -> dict[int, dict[str, PyTree]]:
    """Return the parameters after each training, by seed and by the family that was left out.

    The trainings of a seed differ in the weights of the families only.
    """
    config = config_of(sizes)
    setup = folder.set_up(config)
    names = (NONE, *sizes.families)
    weights = weights_of(names, only=only)
    every = [(seed, name) for seed in seeds for name in names]
    # A GPU is busy with all of them, a CPU with one.
    n_at_once = 1 if jax.default_backend() == "cpu" else len(every)
    *_, last = trainings.train(
        setup.student, setup.teacher, config.curriculum, config.training,
        np.tile(weights, (len(seeds), 1)), [seed for seed, _ in every], n_at_once,
    )  # fmt: skip
    found: dict[int, dict[str, PyTree]] = {}
    for i, (seed, name) in enumerate(every):
        found.setdefault(seed, {})[name] = jax.tree.map(lambda leaf, i=i: leaf[i], last.params)
    return found


def make_cases(system: System, sizes: LeftOut) -> Cases:
    """Return held-out potentials of every family, with one packet each."""
    system = dataclasses.replace(system, bounds=None)
    key, n_case = jax.random.key(sizes.seed), sizes.n_case * len(FAMILIES)
    names, psi, v = baselines.sample_cases(key, system.grid, n_case)
    return cases.simulate(cases.exact(system, v), psi, v, 1, sizes.n_frames, names)


def measure(sizes: LeftOut, place: pathlib.Path, *, only: bool = False) -> dict[str, Any]:
    """Return the errors before the training, and after those with and without each family.

    Args:
      sizes: The sizes.
      place: Folder in which the errors of the trainings of every seed are kept; those that are
        there are not trained again.
      only: Whether each family is taught alone, in place of being left out.

    Returns:
      Raw errors under ``"cases"``, by what was left out or taught alone, seed and case, and the
      results of `compare` or `compare_only`.
    """
    config = config_of(sizes)
    student = folder.set_up(config).student
    truth = make_cases(config.system, sizes)
    family = np.array(truth.family)
    start = jax.tree.map(lambda leaf: leaf[0], trainings.initial_params(student, [0]))
    raw = {"start": [_errors(student, start, truth)]}
    about = json.dumps(
        [runner.settings(sizes), runner.settings(config)] + ["only"] * only, default=str
    )
    digest = hashlib.sha256(about.encode()).hexdigest()[:8]
    files = {i: place / f"{sizes.preset}-{digest}-seed{i}.json" for i in range(sizes.n_seeds)}
    missing = [seed for seed, file in files.items() if not file.exists()]
    for seeds in [[seed] for seed in missing] if jax.default_backend() == "cpu" else [missing]:
        for seed, of_seed in (train(sizes, seeds, only=only) if seeds else {}).items():
            errors_of = {
                name: _errors(student, params, truth).tolist() for name, params in of_seed.items()
            }
            place.mkdir(parents=True, exist_ok=True)
            records.write_json(files[seed], errors_of)
    for file in files.values():
        for name, each in records.read_json(file).items():
            raw.setdefault(name, []).append(np.array(each))
    return {
        "family": list(truth.family),
        "cases": {
            name: [[float(f"{x:.3g}") for x in row] for row in rows] for name, rows in raw.items()
        },
        **(compare_only if only else compare)(raw, family, sizes.families),
    }


def _errors(student: Any, params: PyTree, truth: Cases) -> np.ndarray:
    propagator = student.bind(jax.tree.map(jnp.asarray, params))
    return np.asarray(errors(propagator, truth), float)


def compare(
    raw: Mapping[str, Sequence[np.ndarray]], family: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Return the errors on each family of trainings without it, next to all that have seen it.

    Args:
      raw: Errors of each case before the training (``"start"``) and after the trainings of every
        seed, by what was left out.
      family: Family of each case.
      names: The families that were left out in turn.

    Returns:
      Under ``"families"`` medians over a family's cases: before the training, and by seed without
      the family and with it, the geometric mean over all trainings of the seed that have seen it;
      and over seeds the logarithm (base 10) of their ratio; on the other families that to the
      training on all, which shows how much trainings scatter. Under ``"all families"`` the mean of
      the former over families, and under ``"largest ratio"`` that of a single case and seed.
    """
    found, ratios, largest = {}, [], 0.0
    for name in names:
        own = family == name
        rest = [rows for of, rows in raw.items() if of not in ("start", name)]
        with_it = np.exp(np.mean([np.log(_medians(rows, own)) for rows in rest], axis=0))
        without = _medians(raw[name], own)
        ratios.append(np.log10(without / with_it))
        others = np.log10(_medians(raw[name], ~own) / _medians(raw[NONE], ~own))
        of_cases = np.array([row[own] for row in raw[name]])
        seen = np.exp(np.mean([np.log([row[own] for row in rows]) for rows in rest], axis=0))
        largest = max(largest, float(np.max(of_cases / seen)))
        found[name] = {
            "start": float(_medians(raw["start"], own)[0]),
            "with": with_it.tolist(),
            "without": without.tolist(),
            "log10 of the ratio": {"own": summarise(ratios[-1]), "others": summarise(others)},
        }
    return {
        "families": found,
        "all families": summarise(np.mean(ratios, axis=0)),
        "largest ratio": largest,
    }


def compare_only(
    raw: Mapping[str, Sequence[np.ndarray]], family: np.ndarray, names: Sequence[str]
) -> dict[str, Any]:
    """Return the errors of trainings on one family only, next to those on all of the same seed.

    Args:
      raw: As in `compare`, of trainings on all families (``"none"`` is left out) and on each only.
      family: Family of each case.
      names: The families that were taught alone.

    Returns:
      Under ``"families"`` medians over cases, by seed, and over seeds the logarithm (base 10) of
      the ratio to trainings on all: on the family that was taught (``"own"``), and the mean over
      the families that were not (``"others"``); under ``"each other"`` the mean of it on each.
      Under ``"all families"`` the mean of the others over the families that were taught.
    """
    found, ratios = {}, []
    for name in names:
        of = {
            each: np.log10(
                _medians(raw[name], family == each) / _medians(raw[NONE], family == each)
            )
            for each in dict.fromkeys(family.tolist())
        }
        others = np.mean([ratio for each, ratio in of.items() if each != name], axis=0)
        ratios.append(others)
        found[name] = {
            "start": float(_medians(raw["start"], family == name)[0]),
            "alone": _medians(raw[name], family == name).tolist(),
            "all": _medians(raw[NONE], family == name).tolist(),
            "each other": {each: float(r.mean()) for each, r in of.items() if each != name},
            "log10 of the ratio": {"own": summarise(of[name]), "others": summarise(others)},
        }
    return {"families": found, "all families": summarise(np.mean(ratios, axis=0))}


def _medians(rows: Sequence[np.ndarray], chosen: np.ndarray) -> np.ndarray:
    """The median error over the chosen cases, of each seed."""
    return np.array([np.median(row[chosen]) for row in rows])


def table(found: Mapping[str, Any], *, only: bool = False) -> str:
    """Return the ratios of errors without each family over with it, means over seeds."""
    lines = ["error without a family over with it"]
    if only:
        lines = ["error of those taught one family only over those taught all, on the others"]
    for name, row in found["families"].items():
        ratio = row["log10 of the ratio"]["others" if only else "own"]["mean"]
        lines.append(f"  {name:20}{10**ratio:9.2f}")
    lines.append(f"  {'all':20}{10 ** found['all families']['mean']:9.2f}")
    return "\n".join(lines)


def alone(args: Args) -> runner.Results:
    """Train and compare."""
    found = measure(args.sizes, args.trained, only=args.only)
    figure = generalisation_figure.plot_families(
        found["families"], args.sizes.preset, only=args.only
    )
    return runner.Results(found, table(found, only=args.only), {"families": figure})


if __name__ == "__main__":
    runner.main(alone, Args, smoke)
