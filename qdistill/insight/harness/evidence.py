"""Evidence that a property was learned: better than null models, over trainings and cases."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, TypeAlias

import jax
import numpy as np
from jaxtyping import Float

from qdistill._checks import refuse, require_between, require_shape
from qdistill._refusals import explained
from qdistill.insight.harness.intervals import PerCase

PerCaseOfNull: TypeAlias = Float[np.ndarray, "n_null n_case"]

# Fewest trainings, and largest p-value, adjusted for the number of comparisons.
N_TRAININGS, LEVEL = 5, 0.05
# Errors are matched if their medians differ by less than this factor.
ALIKE = 2.0


class Evidence(NamedTuple):
    """Whether a property was learned.

    Attributes:
      verdict: ``"learned"``: kept better than by every matched null model. ``"as a null model"``:
        not shown to be kept better. ``"no matched null model"``, ``"too few trainings"``: not
        tested.
      p: The largest p-value over the matched null models, NaN if not tested; `decide` adjusts it.
      nulls: Names of the matched null models.
    """

    verdict: str
    p: float
    nulls: tuple[str, ...]


@explained
def are_alike(errors: PerCase, others: PerCaseOfNull) -> bool:
    """Return whether two sets of errors have medians within a factor of two."""
    first, second = (float(np.nanmedian(each)) for each in (errors, others))
    return bool(0 < first < ALIKE * second < ALIKE**2 * first)


@explained
def p_below(ratios: PerCase, others: PerCaseOfNull) -> float:
    """Return the p-value of the hypothesis that ratios are not below those of a null model.

    It is the larger of two one-sided ones, so both trainings and cases have to agree: a t test over
    the trainings, of the mean over cases of the difference of logarithms; and a sign test over the
    cases, of the mean over trainings. Cases that are NaN in either are left out.

    Args:
      ratios: A positive number for each training and case.
      others: The same of the null model on the same cases; its trainings are averaged.

    >>> own = np.full((5, 8), 0.2) + np.arange(5)[:, None] / 100
    >>> p_below(own, np.full((1, 8), 0.7)) < 0.01 < 0.5 < p_below(own, own)
    True
    """
    require_shape(ratios.shape[1:], others=others[0])
    if np.nanmin(ratios, initial=np.inf) < 0 or np.nanmin(others, initial=np.inf) < 0:
        refuse("ratios", "at least 0", "negative")
    tiny = np.finfo(float).tiny
    theirs = np.mean(np.log(np.maximum(others, tiny)), axis=0)
    differences = np.log(np.maximum(ratios, tiny)) - theirs[None]
    differences = differences[:, np.isfinite(differences).all(axis=0)]
    n_training, n_case = differences.shape
    if n_training < 2 or n_case < 1:
        return math.nan
    return max(_p_of_mean(differences.mean(axis=1)), _p_of_signs(differences.mean(axis=0)))


@explained
def holm(p: Sequence[float]) -> list[float]:
    """Return p-values adjusted for their number by Holm's method; NaN stays and does not count.

    >>> [round(each, 3) for each in holm([0.01, 0.04, 0.03])]
    [0.03, 0.06, 0.06]
    """
    values = np.asarray(p, float)
    known = values[~np.isnan(values)]
    require_between(0, 1, p=known)
    order = np.argsort(known, kind="stable")
    factors = np.arange(len(known), 0, -1)
    adjusted = np.empty_like(known)
    adjusted[order] = np.minimum(np.maximum.accumulate(factors * known[order]), 1)
    values[~np.isnan(values)] = adjusted
    return values.tolist()


@explained
def weigh(
    ratios: PerCase,
    errors: PerCase,
    nulls: Mapping[str, tuple[PerCaseOfNull, PerCaseOfNull]],
) -> Evidence:
    """Return the evidence of one property, before its p-value is adjusted.

    Args:
      ratios: For each training and case, how strongly the property is violated for its error.
      errors: The errors of the same forecasts.
      nulls: Ratios and errors of the null models on the same cases, by name.
    """
    alike = {name: each for name, (each, of_null) in nulls.items() if are_alike(errors, of_null)}
    if not alike:
        return Evidence("no matched null model", math.nan, ())
    if len(ratios) < N_TRAININGS:
        return Evidence("too few trainings", math.nan, tuple(alike))
    p = max(p_below(ratios, each) for each in alike.values())
    return Evidence("as a null model", p, tuple(alike))


@explained
def decide(found: Mapping[Any, Evidence]) -> dict[Any, Evidence]:
    """Return the evidence of all comparisons, with p-values adjusted for their number."""
    adjusted = holm([each.p for each in found.values()])
    return {
        name: each._replace(p=p, verdict="learned" if p < LEVEL else each.verdict)
        for (name, each), p in zip(found.items(), adjusted, strict=True)
    }


def _p_of_mean(values: np.ndarray) -> float:
    """One-sided p-value of a mean that is not negative, by Student's t."""
    n, mean, spread = len(values), float(values.mean()), float(values.std(ddof=1))
    if spread == 0:
        return 0.0 if mean < 0 else 1.0
    t = mean / (spread / math.sqrt(n))
    tail = float(jax.scipy.special.betainc((n - 1) / 2, 0.5, (n - 1) / (n - 1 + t**2))) / 2
    return tail if t < 0 else 1 - tail


def _p_of_signs(values: np.ndarray) -> float:
    """One-sided p-value of a median that is not negative, by the number of negative values."""
    n, n_not_below = len(values), int(np.sum(values >= 0))
    return sum(math.comb(n, i) for i in range(n_not_below + 1)) / 2**n
