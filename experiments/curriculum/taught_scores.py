"""Errors of trainings on held-out potentials and on the paper's cases, and their comparison."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jaxtyping import Array, Float, PyTree

from experiments.corrections.study import summarise
from experiments.curriculum.syllabus import YOKED
from experiments.order.levels import p_of_mean
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig, make_paper_cases
from qdistill.insight import harness
from qdistill.insight.importance.study import sample_potentials
from qdistill.insight.probes.learning import forecast_errors
from qdistill.physics.families import SHARP
from qdistill.students import Student
from qdistill.system import System

BASELINE = "mixed"
# The name of trainings whose runs are all new.
FRESH = "fresh"
# Adjusted p-values below this count.
LEVEL = 0.05
SETS = ("smooth", "sharp", "paper")
# Raw errors: seeds by families or cases of the paper.
Errors = Mapping[str, Float[np.ndarray, "n_seed n_family n_case"]]


def make_tests(
    system: System, seed: int, n_case: int, n_frames: int, n_paper_frames: int
) -> dict[str, Cases]:
    """Return the held-out potentials of every family, and the paper's 25 cases.

    Args:
      system: A one-dimensional system.
      seed: Random seed of the held-out potentials and packets.
      n_case: Number of cases of each family.
      n_frames, n_paper_frames: Frames of the forecasts.
    """
    config = BenchmarkConfig(n_frames=n_paper_frames)
    return {
        "families": sample_potentials(system, seed, n_case, n_frames),
        "paper": make_paper_cases(config, system),
    }


def measure(student: Student, params: PyTree, tests: Mapping[str, Cases]) -> dict[str, np.ndarray]:
    """Return the relative L2 errors, mean over frames, of each training on each case."""
    found = {}
    for name, truth in tests.items():
        each = np.asarray(_errors_of(student, params, truth), float)
        found[name] = each.reshape(len(each), len(set(truth.family)), -1)
    return found


@functools.partial(jax.jit, static_argnums=0)
def _errors_of(student: Student, params: PyTree, truth: Cases) -> Float[Array, "n_seed n_case"]:
    return jax.lax.map(lambda of_one: forecast_errors(student.bind(of_one), truth), params)


def skills(
    errors: Errors, families: Sequence[str], average: Callable[..., Any] = np.mean
) -> dict[str, Float[np.ndarray, " n_seed"]]:
    """Return log10 of the error, mean over the cases of each set, for each seed.

    Args:
      errors: Raw errors.
      families: Names of the families.
      average: In place of the mean; of errors that diverge there is a median only.
    """
    is_sharp = np.array([family in SHARP for family in families])
    chosen = {
        "smooth": errors["families"][:, ~is_sharp],
        "sharp": errors["families"][:, is_sharp],
        "paper": errors["paper"],
    }
    return {name: average(np.log10(each), axis=(1, 2)) for name, each in chosen.items()}


def compare(
    skill: Mapping[str, Mapping[str, Float[np.ndarray, " n_seed"]]],
) -> dict[str, dict[str, Any]]:
    """Return the comparisons of plans, paired by seed, with 95% t intervals over seeds.

    Args:
      skill: Result of `skills` for each plan and control.

    Returns:
      Under ``"error"`` log10 of the error of every plan and set; under ``"over mixed"`` the
      difference to the plan `mixed`, and under ``"over yoked"`` that of each plan to its control.
      Differences have two-sided p-values with Holm's correction over all plans and sets, apart for
      the two kinds of comparison, and a verdict.
    """
    pairs = {
        "over mixed": [(name, BASELINE) for name in skill if name != BASELINE],
        "over yoked": [
            (name, control) for control, name in YOKED.items() if {name, control} <= skill.keys()
        ],
    }
    return {"error": _errors(skill)} | {
        kind: _differences(skill, each) for kind, each in pairs.items()
    }


def ratios(
    skill: Mapping[str, Mapping[str, Float[np.ndarray, " n_seed"]]], first: str, second: str
) -> dict[str, Any]:
    """Return log10 of the ratio of the errors of two plans, for each set; empty without both."""
    if first not in skill or second not in skill:
        return {}
    return {name: summarise(each - skill[second][name]) for name, each in skill[first].items()}


def compare_few(
    skill: Mapping[str, Mapping[str, Float[np.ndarray, " n_seed"]]],
) -> dict[str, dict[str, Any]]:
    """Return the errors with few runs, and their differences to those with `FRESH` ones."""
    pairs = [(name, FRESH) for name in skill if name != FRESH]
    return {"error": _errors(skill), "over fresh": _differences(skill, pairs)}


def _errors(skill: Mapping[str, Mapping[str, np.ndarray]]) -> dict[str, dict[str, Any]]:
    return {
        name: {of: summarise(values) for of, values in each.items()} for name, each in skill.items()
    }


def _differences(
    skill: Mapping[str, Mapping[str, np.ndarray]], pairs: Sequence[tuple[str, str]]
) -> dict[str, dict[str, Any]]:
    """The differences of pairs in every set, with p-values adjusted for all of them."""
    places = [(name, control, of) for name, control in pairs for of in SETS]
    rows = [skill[name][of] - skill[control][of] for name, control, of in places]
    adjusted = harness.holm([p_of_mean(row) for row in rows])
    found: dict[str, dict[str, Any]] = {name: {} for name, _ in pairs}
    for (name, _, of), row, p in zip(places, rows, adjusted, strict=True):
        found[name][of] = summarise(row) | {"p": p, "verdict": verdict(row, p)}
    return found


def verdict(differences: Float[np.ndarray, " n_seed"], p: float) -> str:
    """Return whether errors are smaller (``"better"``) or larger (``"worse"``), or not shown."""
    if not p < LEVEL:
        return "not shown"
    return "better" if np.mean(differences) < 0 else "worse"


def plain(errors: Errors) -> dict[str, list[list[float]]]:
    """Return raw errors by seed and case, of three digits; the cases of a family follow each other.

    >>> plain({"paper": np.array([[[0.12345], [2.0]]])})
    {'paper': [[0.123, 2.0]]}
    """
    return {
        name: [[float(f"{x:.3g}") for x in row.ravel()] for row in each]
        for name, each in errors.items()
    }
