"""Bootstrap intervals and the common scheme of verdicts."""

import functools
import math
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from jaxtyping import Float, Int

from qdistill._checks import refuse, require_at_least, require_seed
from qdistill._refusals import explained
from qdistill.insight.harness.frames import DOUBLE, SINGLE

PerCase: TypeAlias = Float[np.ndarray, "n_seed n_case"]

N_RESAMPLED = 1000
# Violations by rounding alone in units of eps per frame, and likewise by truncation.
ROUNDING = 2.0
# Independent errors have a ratio of 0.71; less than half of that is not explained by accuracy.
KEPT, ACCURATE = 0.35, 0.6
# The verdicts that depend on the ratio.
KEPT_VERDICTS = ("kept", "partly kept")
BY_RATIO = (*KEPT_VERDICTS, "as accurate")


class Interval(NamedTuple):
    """A median over seeds and cases, with its 95% bootstrap interval."""

    median: float
    low: float
    high: float


@explained
@functools.lru_cache(maxsize=64)
def resample(sizes: tuple[int, ...], seed: int = 0) -> tuple[Int[np.ndarray, "n_resampled n"], ...]:
    """Return the indices of `N_RESAMPLED` bootstrap resamples of each of several axes.

    Every bootstrap draws its seeds, cases and so on with this function, each axis independently.

    Args:
      sizes: Lengths of the axes, such as (n_seed, n_case).
      seed: Random seed.

    Returns:
      The indices of each axis, read-only.

    >>> seeds, cases = resample((3, 8))
    >>> seeds.shape, cases.shape
    ((1000, 3), (1000, 8))
    """
    for size in sizes:
        require_at_least(1, sizes=size)
    require_seed(seed=seed)
    rng = np.random.default_rng(seed)
    draws = [[rng.integers(n, size=n) for n in sizes] for _ in range(N_RESAMPLED)]
    axes = tuple(np.stack(axis) for axis in zip(*draws, strict=True))
    for axis in axes:
        axis.setflags(write=False)
    return axes


@explained
def bootstrap(values: PerCase, seed: int = 0) -> Interval:
    """Return the median of all values, with its interval; whole seeds and cases are resampled.

    All seeds have the same cases, so a resample takes rows and columns of one table. NaN is left
    out; infinite values count.

    Args:
      values: One number for each seed and case.
      seed: Random seed of the resamples.

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
        # No interpolation, since values may be infinite.
        ends = [float(q) for q in np.quantile(numbers, (0.025, 0.975), method="inverted_cdf")]
    return Interval(float(_medians(values.reshape(1, -1))[0]), *ends)


def _medians(rows: Float[np.ndarray, "n_row n"]) -> Float[np.ndarray, " n_row"]:
    """The lower median of each row, without interpolation, since values may be infinite."""
    n_numbers = np.sum(~np.isnan(rows), axis=1)
    middle = np.maximum(n_numbers - 1, 0) // 2
    return np.take_along_axis(np.sort(rows, axis=1), middle[:, None], axis=1)[:, 0]


@explained
def rounding(n_frames: int, dtype: Any = np.float32) -> float:
    """Return the relative violation that rounding and truncation of the exact solver may cause.

    It is a mean over the frames of a forecast. In double precision truncation dominates.
    """
    require_at_least(1, n_frames=n_frames)
    if not isinstance(dtype, type | np.dtype) or not np.issubdtype(dtype, np.floating):
        refuse("dtype", "a type of real floating-point numbers", repr(dtype))
    eps = float(np.finfo(dtype).eps)
    return ROUNDING * max(eps, DOUBLE if eps < DOUBLE else SINGLE) * n_frames


@explained
def verdict(
    own: Interval, exact: Interval, excess: Interval, ratio: Interval, rounding: float
) -> str:
    """Return the verdict on a claim, from its violation.

    - ``"holds"``: violated by rounding only, so the claim is built in.
    - ``"kept"``: the violation differs from the exact solver's by less than half of the value
      for independent errors.
    - ``"partly kept"``: by less than the value for independent errors.
    - ``"as accurate"``: kept no better than by a forecast with independent errors of the same size.
    - ``"as the teacher"``: broken by the exact solver, and in the same way by the propagator.
    - ``"unlike the teacher"``: broken by the exact solver, and far less by the propagator.
    - ``"diverges"``: the forecast is not finite.

    They describe a measured ratio only. A non-learned solver of the same error can have the same
    ratio on the same cases. Whether a property was learned is decided by `weigh` and `decide`.

    Args:
      own: Violation by the propagator.
      exact: Violation by the exact solver.
      excess: Difference of the two.
      ratio: The excess, relative to its upper bound from the propagator's errors. Its whole
        interval must lie below a limit.
      rounding: Violation that rounding may cause.
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
    if ratio.high < KEPT:
        return "kept"
    return "partly kept" if ratio.high < ACCURATE else "as accurate"


@explained
def fires(control: Interval, claim: Interval, rounding: float) -> bool:
    """Return whether a negative control is detected: its violation is far above the claim's."""
    return bool(control.low > 3 * max(claim.median, rounding))
