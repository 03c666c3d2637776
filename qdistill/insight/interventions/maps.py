"""Maps of derivatives: rms by frame, channel and offset, and errors relative to the exact ones."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from qdistill._checks import (
    refuse,
    require_between,
    require_each,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.interventions.sensitivity import PRESENT, Derivatives

CHANNELS = ("Re psi", "Im psi", "v")
ALIKE, WITH_PAST = "all frames alike", "newest with its past"


class Sizes(NamedTuple):
    """The rms of the inputs where psi is not negligible: |psi| of each case, V over all cases."""

    psi: Float[np.ndarray, " n_case"]
    v: float


@explained
def measure_sizes(psi: np.ndarray, v: np.ndarray) -> Sizes:
    """Return the rms sizes of the inputs, the units in which sensitivities are compared."""
    require_shape(psi.shape, v=v)
    require_finite(psi=psi, v=v)
    if not np.all(np.any(psi, axis=-1)):
        refuse("psi", "different from zero somewhere in each case", "zero everywhere")
    density = np.abs(psi) ** 2
    present = density > PRESENT * density.max(axis=-1, keepdims=True)
    of_psi = np.sqrt(np.sum(density * present, axis=-1) / present.sum(axis=-1))
    return Sizes(of_psi, float(np.sqrt(np.mean(v[present] ** 2))))


@explained
def frame_names(n_history: int) -> list[str]:
    """Return the names of the rows of a map of psi.

    >>> frame_names(2)
    ['t - 1', 't', 'all frames alike', 'newest with its past']
    """
    older = [f"t - {n_history - 1 - i}" for i in range(n_history - 1)]
    return [*older, "t", ALIKE, WITH_PAST]


@explained
def draw_maps(found: Derivatives, sizes: Sizes) -> dict[str, Float[np.ndarray, "n_row n_offset"]]:
    """Return the rms sensitivity of the first frame ahead, by channel; rows are `frame_names`.

    It is the change of a component of the forecast, in units of its rms, for a change of the input
    by its rms; the rms is over places, cases and the two components. V has one row.
    """
    require_finite(**{"sizes.v": sizes.v})
    require_between(0, np.inf, **{"sizes.v": sizes.v})
    require_positive(**{"sizes.psi": sizes.psi})
    columns = np.asarray(found.columns[:, :, 0], complex)
    require_each("case", len(columns), **{"sizes.psi": sizes.psi})
    n_history = (columns.shape[2] - 4) // 2
    frames, past = columns[:, :, : 2 * n_history], columns[:, :, 2 * n_history : -2]
    frames = frames.reshape(*columns.shape[:2], n_history, 2, -1)
    rows = np.concatenate([frames, frames.sum(axis=2, keepdims=True), past[:, :, None]], axis=2)
    # The unit of psi cancels; |z|^2 / 2 is the mean square of a component.
    of_psi = np.sqrt(np.mean(np.abs(rows) ** 2, axis=(0, 1)) / 2)
    of_v = columns[:, :, -2:-1] * (sizes.v / sizes.psi)[:, None, None, None]
    # A component of psi has an rms of |psi| / sqrt(2).
    v_map = np.sqrt(np.mean(np.abs(of_v) ** 2, axis=(0, 1)))
    return dict(zip(CHANNELS, (of_psi[:, 0], of_psi[:, 1], v_map), strict=True))


@explained
def total(row: Float[np.ndarray, "n_row n_offset"]) -> Float[np.ndarray, " n_row"]:
    """Return the root of the sum of squares over offsets, the sensitivity to noise of unit rms."""
    return np.sqrt(np.sum(row**2, axis=-1))


@explained
def compare(
    seeds: Sequence[Derivatives], exact: Derivatives, seed: int = 0
) -> dict[str, dict[str, list[dict[str, float]]]]:
    """Return the relative error of derivatives over all cases, by input, place and frame ahead.

    The inputs are psi with its past, V at one point, and the height of V. The places are all
    points, and the points inside and outside of the potential.

    Args:
      seeds: Derivatives of each seed of one training.
      exact: Derivatives of the exact solver in the same cases.
      seed: Random seed of the bootstrap.

    Returns:
      The error as `value`, and the ends of its 95% interval, `low` and `high`.
    """
    inside = exact.is_inside.astype(bool)
    regions = {"all": np.ones_like(inside), "inside": inside, "outside": ~inside}
    return {
        channel: {
            region: [
                _relative(
                    np.stack([each.columns[:, :, i, at] for each in seeds]),
                    exact.columns[:, :, i, at],
                    where[:, :, None],
                    seed,
                )
                for i in range(exact.columns.shape[2])
            ]
            for region, where in regions.items()
        }
        for channel, at in (
            ("psi", slice(-4, -2)),
            ("v", slice(-2, -1)),
            ("height", slice(-1, None)),
        )
    }


def _relative(
    own: np.ndarray, exact: np.ndarray, weight: np.ndarray, seed: int
) -> dict[str, float]:
    """The relative error over all cases together, weighted by their size, with 95% interval."""

    def square(values: np.ndarray) -> np.ndarray:
        return np.sum(weight * np.abs(np.asarray(values, complex)) ** 2, axis=(-3, -2, -1))

    missed, size = square(own - exact), square(exact)
    rows, columns = harness.resample(missed.shape, seed)
    drawn = missed[rows[:, :, None], columns[:, None, :]].mean(axis=1)
    with np.errstate(all="ignore"):
        error = np.sqrt(missed.mean(axis=0).sum() / size.sum())
        errors = np.append(error, np.sqrt(drawn.sum(axis=1) / size[columns].sum(axis=1)))
    known = errors[np.isfinite(errors)]
    low, high = np.quantile(known, (0.025, 0.975)) if known.size else (np.nan, np.nan)
    return {"value": float(error), "low": float(low), "high": float(high)}
