"""Straight fits with errors that can be believed."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Float

Curve = Float[np.ndarray, " n"]


class Fit(NamedTuple):
    """Coefficients of a linear model, and their standard errors."""

    value: Float[np.ndarray, " n_term"]
    error: Float[np.ndarray, " n_term"]
    # Root mean square of what the fit leaves.
    residual: float


def least_squares(terms: Float[np.ndarray, "n n_term"], y: Curve) -> Fit:
    """Fit y = terms @ value, with errors from the scatter of the residuals.

    Neighbouring residuals of a smooth curve are not independent, so the errors are those of
    independent ones times the square root of the residuals' correlation length in points.
    """
    scale = np.linalg.norm(terms, axis=0)
    value, *_ = np.linalg.lstsq(terms / scale, y, rcond=None)
    residual = y - terms / scale @ value
    freedom = max(1, len(y) - terms.shape[1])
    variance = residual @ residual / freedom * correlation_length(residual)
    covariance = np.linalg.inv((terms / scale).T @ (terms / scale)) * variance
    rms = float(np.sqrt(np.mean(residual**2)))
    return Fit(value / scale, np.sqrt(np.diag(covariance)) / scale, rms)


def correlation_length(residual: Curve) -> float:
    """1 + 2 sum of the autocorrelation up to where it first is not positive, at least 1.

    >>> correlation_length(np.array([1.0, -1.0, 1.0, -1.0]))
    1.0
    """
    power = residual @ residual
    if power == 0:
        return 1.0
    correlations = np.correlate(residual, residual, "full")[len(residual) :] / power
    positive = np.cumprod(correlations > 0)
    return float(1 + 2 * np.sum(positive * correlations))
