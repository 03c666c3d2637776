"""Intervals by one bootstrap, and the one scheme of verdicts."""

import functools
import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from qdistill._checks import require_at_least
from qdistill.insight.harness.frames import DOUBLE, SINGLE

PerCase: TypeAlias = Float[np.ndarray, "n_seed n_case"]

N_RESAMPLED = 1000
# Of a violation by rounding alone, in units of eps per frame; the same of truncation.
ROUNDING = 2.0
# Independent errors have a ratio of 0.71. Half of that needs another reason than accuracy.
LEARNED, ACCURATE = 0.35, 0.6
# The verdicts that the ratio decides.
BY_RATIO = ("learned", "partly learned", "as accurate")


class Interval(NamedTuple):
    """A median over seeds and cases, and the 95% bootstrap interval around it."""

    median: float
    low: float
    high: float


@functools.lru_cache(maxsize=64)
def resample(sizes: tuple[int, ...], seed: int = 0) -> tuple[Int[np.ndarray, "n_resampled n"], ...]:
    """Draw each of several axes anew, with replacement: the indices of `N_RESAMPLED` resamples.

    Every bootstrap draws its seeds, cases and the like by this function, each as a whole.

    Args:
      sizes: Lengths of the axes, such as (n_seed, n_case).
      seed: Of the draws.

    Returns:
      The indices of each axis, read-only.

    >>> seeds, cases = resample((3, 8))
    >>> seeds.shape, cases.shape
    ((1000, 3), (1000, 8))
    """
    for size in sizes:
        require_at_least(1, sizes=size)
    rng = np.random.default_rng(seed)
    draws = [[rng.integers(n, size=n) for n in sizes] for _ in range(N_RESAMPLED)]
    axes = tuple(np.stack(axis) for axis in zip(*draws, strict=True))
    for axis in axes:
        axis.setflags(write=False)
    return axes


def bootstrap(values: PerCase, seed: int = 0) -> Interval:
    """Return the median of all values; seeds and cases are resampled, each as a whole.

    Trained seeds see the same cases, so a resample takes rows and columns of one table. Values that
    are not a number are left out, and infinite ones count.

    Args:
      values: One number for each seed and case.
      seed: Of the resamples.

    >>> bootstrap(np.full((1, 4), 2.0))
    Interval(median=2.0, low=2.0, high=2.0)
    """
    require_at_least(1, n_seed=values.shape[0], n_case=values.shape[1])
    rows, columns = resample(values.shape, seed)
    resampled = values[rows[:, :, None], columns[:, None, :]].reshape(N_RESAMPLED, -1)
    medians = _medians(resampled)
    numbers = medians[~np.isnan(medians)]
    ends = [math.nan] * 2
    if numbers.size:
        # Without interpolation, since one may be infinite.
        ends = [float(q) for q in np.quantile(numbers, (0.025, 0.975), method="inverted_cdf")]
    return Interval(float(_medians(values.reshape(1, -1))[0]), *ends)


def _medians(rows: Float[np.ndarray, "n_row n"]) -> Float[np.ndarray, " n_row"]:
    """Of the numbers in each row; the lower of two in the middle, since one may be infinite."""
    n_numbers = np.sum(~np.isnan(rows), axis=1)
    middle = np.maximum(n_numbers - 1, 0) // 2
    return np.take_along_axis(np.sort(rows, axis=1), middle[:, None], axis=1)[:, 0]


def rounding(n_frames: int, dtype: Any = np.float32) -> float:
    """The violation that rounding and the exact solver's truncation may make, relative.

    It is an average over the frames of a forecast; in double precision the truncation is more.
    """
    eps = float(np.finfo(dtype).eps)
    return ROUNDING * max(eps, DOUBLE if eps < DOUBLE else SINGLE) * n_frames


def verdict(
    own: Interval, exact: Interval, excess: Interval, ratio: Interval, rounding: float
) -> str:
    """Return what the violation of a claim means, in words.

    - ``"holds"``: to rounding; the claim is built in.
    - ``"learned"``: the violation differs from the exact solver's by less than half of what
      independent errors would do.
    - ``"partly learned"``: by less than independent errors would do.
    - ``"as accurate"``: no better kept than by any forecast of the same accuracy.
    - ``"as the teacher"``: broken by the exact solver, and in the same way here.
    - ``"unlike the teacher"``: broken by the exact solver, and here far less.
    - ``"diverges"``: the forecast is not finite.

    Args:
      own: The violation.
      exact: That of the exact solver.
      excess: Their difference.
      ratio: The excess over what the propagator's own errors could make of it. The limits count
        for its whole interval.
      rounding: What rounding may make.
    """
    if not np.isfinite(own.median):
        return "diverges"
    if exact.median > rounding:
        if excess.median < exact.median / 2:
            return "as the teacher"
        if own.median < exact.median / 2:
            return "unlike the teacher"
    elif own.median <= rounding:
        return "holds"
    if ratio.high < LEARNED:
        return "learned"
    return "partly learned" if ratio.high < ACCURATE else "as accurate"


def fires(control: Interval, claim: Interval, rounding: float) -> bool:
    """Whether a negative control is caught: its violation is far above that of the claim."""
    return bool(control.low > 3 * max(claim.median, rounding))
