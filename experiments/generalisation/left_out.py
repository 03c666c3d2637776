"""Trainings from which one family of potentials is left out."""

import dataclasses
import functools
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, PyTree

from experiments.corrections.study import summarise
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
from qdistill.training.stages import TrainingConfig

# The name of the trainings on all families.
NONE = "none"


@dataclasses.dataclass(frozen=True)
class LeftOut:
    """The sizes of the trainings and of their test.

    Attributes:
      n_seeds: Trainings for each family that is left out, and for none.
      n_steps: Training steps; the preset has 5,000.
      n_batch: Boxes in a batch.
      n_runs: Boxes in a block of 40 steps.
      n_case: Held-out potentials of each family.
      n_frames: Frames of a forecast.
      seed: Random seed of the held-out potentials.
      families: The families that are left out in turn.
    """

    n_seeds: int = 3
    n_steps: int = 160
    n_batch: int = 8
    n_runs: int = 24
    n_case: int = 8
    n_frames: int = 100
    seed: int = 1
    families: tuple[str, ...] = tuple(FAMILIES)


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
    """Return the settings of a short training of `informed-2`."""
    preset = presets.PRESETS["informed-2"][1]
    (stage,) = preset.training.stages
    batches = dataclasses.replace(
        stage.batches,
        n_batch=sizes.n_batch,
        n_runs=sizes.n_runs,
        n_block=min(stage.batches.n_block, sizes.n_steps),
    )
    stage = dataclasses.replace(stage, n_steps=sizes.n_steps, batches=batches)
    lessons = CurriculumConfig(lessons=lessons_of_families())
    return dataclasses.replace(preset, curriculum=lessons, training=TrainingConfig((stage,)))


def train(sizes: LeftOut, seed: int) -> dict[str, PyTree]:
    """Return the parameters after each training of a seed, by the family that was left out.

    The trainings differ in the weights of the families only.
    """
    config = config_of(sizes)
    setup = folder.set_up(config)
    names = (NONE, *sizes.families)
    weights = np.array([[float(family != name) for family in FAMILIES] for name in names])
    seeds = [seed] * len(names)
    *_, last = trainings.train(
        setup.student, setup.teacher, config.curriculum, config.training, weights, seeds
    )
    return {
        name: jax.tree.map(lambda leaf, i=i: leaf[i], last.params) for i, name in enumerate(names)
    }


def make_cases(system: System, sizes: LeftOut) -> Cases:
    """Return held-out potentials of every family, with one packet each."""
    system = dataclasses.replace(system, bounds=None)
    key, n_case = jax.random.key(sizes.seed), sizes.n_case * len(FAMILIES)
    names, psi, v = baselines.sample_cases(key, system.grid, n_case)
    return cases.simulate(cases.exact(system, v), psi, v, 1, sizes.n_frames, names)


def measure(sizes: LeftOut, place: pathlib.Path) -> dict[str, Any]:
    """Return the errors before the training, and after those with and without each family.

    Args:
      sizes: The sizes.
      place: Folder in which the errors of the trainings of every seed are kept; those that are
        there are not trained again.

    Returns:
      Raw errors under ``"cases"``, by what was left out, seed and case; and under ``"families"``
      the paired logarithms (base 10) of the ratio of errors, without the family over with it.
    """
    config = config_of(sizes)
    student = folder.set_up(config).student
    truth = make_cases(config.system, sizes)
    family = np.array(truth.family)
    start = jax.tree.map(lambda leaf: leaf[0], trainings.initial_params(student, [0]))
    raw = {"start": [_errors(student, start, truth)]}
    for seed in range(sizes.n_seeds):
        file = place / f"{config.preset}-{sizes.n_steps}-seed{seed}.json"
        if not file.exists():
            found = {
                name: _errors(student, params, truth).tolist()
                for name, params in train(sizes, seed).items()
            }
            place.mkdir(parents=True, exist_ok=True)
            records.write_json(file, found)
        for name, each in records.read_json(file).items():
            raw.setdefault(name, []).append(np.array(each))
    return {
        "family": list(truth.family),
        "cases": {
            name: [[float(f"{x:.3g}") for x in row] for row in rows] for name, rows in raw.items()
        },
        "families": {
            name: compare(raw["start"], raw[NONE], raw[name], family == name)
            for name in sizes.families
        },
    }


def _errors(student: Any, params: PyTree, truth: Cases) -> np.ndarray:
    propagator = student.bind(jax.tree.map(jnp.asarray, params))
    return np.asarray(errors(propagator, truth), float)


def compare(
    start: Sequence[np.ndarray],
    with_it: Sequence[np.ndarray],
    without: Sequence[np.ndarray],
    own: np.ndarray,
) -> dict[str, Any]:
    """Return errors on one family of trainings with and without it, by seed.

    Args:
      start: Errors of each case before the training.
      with_it, without: Errors of each case after it, for each seed.
      own: Whether a case is of the family.

    Returns:
      Medians over the family's cases, by seed; and over seeds the summary of the paired logarithm
      of their ratio (base 10), for this family and for the others.
    """

    def medians(rows: Sequence[np.ndarray], chosen: np.ndarray) -> list[float]:
        return [float(np.median(row[chosen])) for row in rows]

    ratios = {
        kind: np.log10(medians(without, chosen)) - np.log10(medians(with_it, chosen))
        for kind, chosen in (("own", own), ("others", ~own))
    }
    return {
        "start": medians(start, own)[0],
        "with": medians(with_it, own),
        "without": medians(without, own),
        "log10 of the ratio": {kind: summarise(values) for kind, values in ratios.items()},
    }
