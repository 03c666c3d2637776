"""Smooth potentials between bounds, parametrised by few numbers."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill._checks import (
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Grid, require_line


@explained
@dataclasses.dataclass(frozen=True)
class ProfileConfig:
    """The potentials v(x) = window (low + (high - low) sigmoid(sum_m u_m g_m(x))).

    The g_m are Gaussians of equal width that sum to 1 everywhere; the window falls to zero at both
    ends as cos^2. So v stays within its bounds for all u_m.

    Attributes:
      extent: Length in bohr of the region around the middle of the box where v is not zero.
      low, high: Bounds in hartree, with zero between them.
      smoothing: Standard deviation of the g_m, and the distance between them, in bohr.
      flank: Length of each flank of the window, in bohr.
    """

    extent: float = 12.0
    low: float = 0.0
    high: float = 12.0
    smoothing: float = 0.3
    flank: float = 1.0

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_positive(extent=self.extent, smoothing=self.smoothing, flank=self.flank)
        require_finite(low=self.low, high=self.high)
        require_positive(**{"high - low": self.high - self.low})
        require_between(self.low, self.high, **{"zero, outside the extent,": 0.0})
        require_positive(**{"extent - 2 flank": self.extent - 2 * self.flank})

    @property
    def n_knot(self) -> int:
        """The number of the u_m."""
        return int(self.extent / self.smoothing) + 1


@explained
def stretch(config: ProfileConfig, grid: Grid) -> slice:
    """Return the slice of the grid's points where a potential may differ from zero.

    Raises:
      ValueError: For a profile wider than three fifths of the box, or finer than the grid.
    """
    require_line(grid)
    require_between(0, 0.6 * grid.lengths[0], extent=config.extent)
    if config.smoothing < grid.dx[0]:
        refuse("smoothing", f"at least the spacing {grid.dx[0]:.4g} bohr", config.smoothing)
    inside = np.flatnonzero(np.abs(_from_middle(grid)) < config.extent / 2)
    if not inside.size:
        refuse("extent", f"longer than the spacing {grid.dx[0]:.4g} bohr", config.extent)
    return slice(int(inside[0]), int(inside[-1]) + 1)


@explained
def potential(
    config: ProfileConfig, grid: Grid, u: Float[Array, " n_knot"]
) -> Float[Array, " n_x"]:
    """Return the potential with parameters u_m on a grid, in hartree.

    >>> v = potential(ProfileConfig(high=5.0), Grid(1024, 100.0), jnp.zeros(41))
    >>> float(v[511]), float(v[0])
    (2.5, 0.0)
    """
    if u.shape != (config.n_knot,):
        refuse("u", f"of shape ({config.n_knot},)", f"of shape {u.shape}")
    require_finite(u=u)
    inside = stretch(config, grid)
    x = _from_middle(grid)[inside]
    at = config.smoothing * (np.arange(config.n_knot) - (config.n_knot - 1) / 2)
    bumps = np.exp(-((x[:, None] - at) ** 2) / (2 * config.smoothing**2))
    bumps /= bumps.sum(axis=1, keepdims=True)
    rise = np.clip((config.extent / 2 - np.abs(x)) / config.flank, 0, 1)
    window = jnp.asarray(np.sin(np.pi * rise / 2) ** 2, u.dtype)
    level = config.low + (config.high - config.low) * jax.nn.sigmoid(
        jnp.asarray(bumps, u.dtype) @ u
    )
    return jnp.zeros(grid.shape, u.dtype).at[inside].set(window * level)


def _from_middle(grid: Grid) -> Float[np.ndarray, " n_x"]:
    """Positions relative to the middle of the box, concrete even inside a trace."""
    return np.arange(1, grid.shape[0] + 1) * grid.dx[0] - grid.lengths[0] / 2
