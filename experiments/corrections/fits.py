"""Coefficients of a splitting's local phases: least squares over random smooth potentials."""

import dataclasses
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.corrections.splittings import (
    Potentials,
    Splitting,
    curvature,
    square_of_slope,
)
from experiments.corrections.theory import Commutators, commutators
from qdistill.physics.grid import Grid


@dataclasses.dataclass(frozen=True)
class Ensemble:
    """Sums of Gaussians with random heights, widths and centres in a periodic box.

    Attributes:
      widths: Lowest and highest standard deviation in bohr, uniform between.
      height: Largest height of either sign in hartree, uniform between.
      density: Gaussians per bohr.
    """

    widths: tuple[float, float]
    height: float = 4.0
    density: float = 0.24

    def sample(self, rng: np.random.Generator, grid: Grid, n: int) -> Potentials:
        """Return `n` potentials on a grid, in hartree."""
        length, x = grid.lengths[0], np.asarray(grid.positions(), float)
        number = max(1, round(self.density * length))
        centre = rng.uniform(0, length, (n, number, 1))
        width = rng.uniform(*self.widths, (n, number, 1))
        height = rng.uniform(-self.height, self.height, (n, number, 1))
        offset = (x - grid.origin[0] - centre + length / 2) % length - length / 2
        return np.sum(height * np.exp(-(offset**2) / (2 * width**2)), axis=1)


# The first has no slope that its neighbours within the reach of a student do not show.
ENSEMBLES = {
    "gentle": Ensemble((3.0, 6.0)),
    "medium": Ensemble((1.5, 3.0)),
    "steep": Ensemble((0.75, 1.5)),
}


def steepness(grid: Grid, v: Potentials) -> dict[str, float]:
    """Return the root mean squares of V' (hartree / bohr) and V'' (hartree / bohr^2)."""
    slope, curve = square_of_slope(grid, v), curvature(grid, v)
    return {
        "rms_slope": float(np.sqrt(slope.mean() * grid.mass[0])),
        "rms_curvature": float(np.sqrt(np.mean(curve**2)) * grid.mass[0]),
    }


def fit(splitting: Splitting, grid: Grid, v: Potentials) -> dict[str, Any]:
    """Return the coefficients of (V')^2 / m and V'' / m in each local_j, and in their sum.

    Each local_j is regressed on both, with equal weight for every point of every potential.

    Returns:
      `gradient` and `curvature`, in units of h^2 / 24, the share `r2` of the mean square that the
      fit explains, and the root mean square `rms_hartree`; of the sum, and of each kick under
      `kicks`.
    """
    local = np.moveaxis(splitting.local(grid, v), 1, 0).reshape(len(splitting.shares), -1)
    terms = np.stack([square_of_slope(grid, v).ravel(), curvature(grid, v).ravel()], axis=1)
    rows = [_regress(terms, each, splitting.unit) for each in (local.sum(axis=0), *local)]
    return rows[0] | {"kicks": rows[1:]}


def _regress(
    terms: Float[np.ndarray, "n_point 2"], local: Float[np.ndarray, " n_point"], unit: float
) -> dict[str, float | None]:
    found, *_ = np.linalg.lstsq(terms, local, rcond=None)
    total = np.mean(local**2)
    rest = np.mean((local - terms @ found) ** 2)
    return {
        "gradient": float(found[0] / unit),
        "curvature": float(found[1] / unit),
        "r2": float(1 - rest / total) if total else None,
        "rms_hartree": float(np.sqrt(total)),
    }


def shares_of_drifts(splitting: Splitting, highest: float = 3.0) -> Float[np.ndarray, " n_b"]:
    """Return the shares of the kinetic energy among the drifts, for waves up to `highest`.

    They are the least-squares slopes of b_j(k) - b_j(0) against omega(k), over their sum.
    """
    grid = splitting.system.grid
    phases, omega = splitting.drifts(grid), np.asarray(grid.kinetic_energy())
    slow = np.abs(grid.wavenumbers()) <= highest
    slopes = (phases - phases[:, :1])[:, slow] @ omega[slow]
    return slopes / slopes.sum()


def effective(splitting: Splitting, gradient: float) -> Commutators:
    """Return the double commutators from the learned shares and a fitted sum of coefficients.

    Args:
      splitting: The splitting.
      gradient: Coefficient of (V')^2 in the sum of the kicks, in units of h^2 / 24.

    Returns:
      The coefficients in units of h^2 / 24.
    """
    drifts = shares_of_drifts(splitting)
    # The coefficients of a splitting into n equal substeps do not depend on dt.
    per_dt = splitting.unit / splitting.system.dt**2
    made = commutators(splitting.shares, drifts, gradient * per_dt)
    return Commutators(made.alpha / per_dt, made.beta / per_dt)
