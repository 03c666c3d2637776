"""Importance of lessons from the errors of coalitions: skill, shares, interactions, intervals."""

import dataclasses
import math
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from qdistill._checks import refuse, require_at_least, require_between, require_shape
from qdistill._refusals import explained
from qdistill.insight.harness import Report, resample
from qdistill.insight.importance import games

# Name of the column for all potentials: the mean over their families.
OVERALL = "all potentials"


class Errors(NamedTuple):
    """The forecast errors of the students of all coalitions, numbered as in `games`.

    The first coalition is empty; its student has the common initial parameters.

    Attributes:
      lessons: Names of the lessons, the players.
      families: Names of the families of potentials.
      of_lessons: Errors on the test cases of each lesson.
      of_potentials: Errors on the test cases of each family of potentials.
    """

    lessons: tuple[str, ...]
    families: tuple[str, ...]
    of_lessons: Float[np.ndarray, "n_seed n_coalition n_lesson n_case"]
    of_potentials: Float[np.ndarray, "n_seed n_coalition n_family n_case"]


class Estimate(NamedTuple):
    """A mean over seeds, with its 95% bootstrap interval."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


@explained
@dataclasses.dataclass(frozen=True)
class Importance(Report):
    """The importance of each lesson, in decades of forecast error.

    A column is a test set: the cases of each lesson, those of each family of potentials, and the
    mean of the latter, `OVERALL`, which comes last.

    Attributes:
      lessons: Names of the lessons, the players.
      columns: Names of the columns.
      values: Values of each coalition, (n_column, n_coalition).
      shares: Shapley values, (n_column, n_lesson).
      leave_one_out, only_one: See `games`, (n_column, n_lesson).
      pairs: Interactions, (n_column, n_lesson, n_lesson).
      errors: The errors from which all of it is computed.
    """

    lessons: tuple[str, ...]
    columns: tuple[str, ...]
    values: Estimate
    shares: Estimate
    leave_one_out: Estimate
    only_one: Estimate
    pairs: Estimate
    errors: Errors


@explained
def skill(
    errors: Float[np.ndarray, "*training n_family n_case"],
) -> Float[np.ndarray, "*training n_family"]:
    """Return the skill of a student: -log10 of its error, clipped at 1, mean over cases.

    An error of 1 is that of the forecast psi = 0, so the skill is never negative. Each unit of
    skill is a factor of ten in the error.

    Raises:
      ValueError: For an error that is negative or NaN.

    >>> skill(np.array([[[0.01, 0.01], [1.4, 2.0]]]))
    array([[2., 0.]])
    """
    require_at_least(1, n_case=errors.shape[-1])
    require_between(0, math.inf, errors=errors)
    return -np.log10(np.clip(errors.mean(axis=-1), 1e-12, 1)) + 0.0


@explained
def analyse(errors: Errors, seed: int = 0) -> Importance:
    """Return Shapley values, interactions and related measures, with intervals.

    The bootstrap draws seeds, each with all its coalitions, and test cases, each with all students.
    With few seeds the intervals are too narrow: there are ten resamples of three seeds only.

    Args:
      errors: The result of `measure_errors`.
      seed: Random seed of the bootstrap.

    Raises:
      ValueError: For arrays that do not fit the lessons.
    """
    n_seed, n_coalition, n_lesson, n_case = errors.of_lessons.shape
    if (n_coalition, n_lesson) != (2 ** len(errors.lessons), len(errors.lessons)):
        refuse("of_lessons", "of every coalition and lesson", f"of shape {errors.of_lessons.shape}")
    shape = (n_seed, n_coalition, len(errors.families), n_case)
    require_shape(shape, of_potentials=errors.of_potentials)
    sizes = n_seed, n_case, n_case
    draws = zip(*resample(sizes, seed), strict=True)
    first = _values(errors, *map(np.arange, sizes))
    drawn = np.stack([first, *(_values(errors, *indices) for indices in draws)])
    columns = (*(f"lesson: {name}" for name in errors.lessons), *errors.families, OVERALL)
    measures = {
        "values": _estimate(drawn),
        "shares": _estimate(games.shapley(drawn)),
        "leave_one_out": _estimate(games.leave_one_out(drawn)),
        "only_one": _estimate(games.only_one(drawn)),
        "pairs": _estimate(games.interactions(drawn)),
    }
    numbers = {
        "n_seeds": n_seed,
        "n_cases": n_case,
        "decades_of_error": _describe(errors.lessons, columns, measures),
    }
    table = _table(errors.lessons, columns, measures)
    return Importance(numbers, table, errors.lessons, columns, **measures, errors=errors)


def _values(
    errors: Errors, seeds: np.ndarray, of_lesson: np.ndarray, of_family: np.ndarray
) -> Float[np.ndarray, "n_column n_coalition"]:
    """The values of coalitions, mean over given seeds and cases of every lesson and family."""
    on_lessons = skill(errors.of_lessons[seeds][..., of_lesson]).mean(axis=0)
    on_potentials = skill(errors.of_potentials[seeds][..., of_family]).mean(axis=0)
    overall = on_potentials.mean(axis=1, keepdims=True)
    return np.concatenate([on_lessons, on_potentials, overall], axis=1).T


def _estimate(drawn: np.ndarray) -> Estimate:
    """The estimate from the values, which come first, and their resamples."""
    low, high = np.quantile(drawn[1:], (0.025, 0.975), axis=0)
    return Estimate(drawn[0], low, high)


def _describe(
    lessons: tuple[str, ...], columns: tuple[str, ...], measures: dict[str, Estimate]
) -> dict[str, Any]:
    """All numbers by column and lesson; values are -log10 of the error."""

    def numbers(measure: str, *at: int) -> dict[str, float]:
        return {key: float(each[at]) for key, each in measures[measure]._asdict().items()}

    def by_lesson(measure: str, column: int) -> dict[str, Any]:
        return {name: numbers(measure, column, i) for i, name in enumerate(lessons)}

    members = games.coalitions(len(lessons))
    names = ["+".join(np.array(lessons)[mine]) or "none" for mine in members]
    values = measures["values"].mean
    return {
        name: {
            "value_by_coalition": dict(zip(names, values[column].tolist(), strict=True)),
            "shapley": by_lesson("shares", column),
            "leave_one_out": by_lesson("leave_one_out", column),
            "only_one": by_lesson("only_one", column),
            "interaction": {
                f"{lessons[i]}+{lessons[j]}": numbers("pairs", column, i, j)
                for j in range(len(lessons))
                for i in range(j)
            },
        }
        for column, name in enumerate(columns)
    }


def _table(
    lessons: tuple[str, ...], columns: tuple[str, ...], measures: dict[str, Estimate]
) -> str:
    """A table of the lessons' shares of the skill on all potentials, with their best columns."""
    last, shares = columns.index(OVERALL), measures["shares"]
    none, everything = measures["values"].mean[last, [0, -1]]
    lines = [
        f"skill on {OVERALL}, -log10 of the error: {everything:.2f} with every lesson, "
        f"{none:.2f} untrained",
        f"{'lesson':14}{'Shapley (95%)':>24}{'leave one out':>15}{'only one':>10}  serves most",
    ]
    for i, name in enumerate(lessons):
        mean, low, high = (each[last, i] for each in shares)
        best = columns[int(np.argmax(shares.mean[:, i]))]
        interval = f"{mean:.2f} ({low:.2f} to {high:.2f})"
        without, alone = (measures[of].mean[last, i] for of in ("leave_one_out", "only_one"))
        lines.append(f"{name:14}{interval:>24}{without:15.2f}{alone:10.2f}  {best}")
    return "\n".join(lines)
