"""Checks of potentials that a user gives, from any source."""

import numpy as np
from jaxtyping import Float

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.physics.grid import Grid

EV = 27.2114
# Shares of the range of V below which a narrow feature, or a step at the edge, is accepted.
NARROW, LEVEL = 0.2, 0.02

Values = Float[np.ndarray, "..."]


@explained
def positions(grid: Grid, axis: int = 0, n_fine: int = 1) -> Values:
    """Return the points of an axis and n_fine - 1 more before each, float64, for broadcasting."""
    n_x = grid.shape[axis] * n_fine
    x = grid.origin[axis] + np.arange(1, n_x + 1) * grid.lengths[axis] / n_x
    return x.reshape([-1 if a == axis else 1 for a in range(grid.n_dim)])


@explained
def require_sound(grid: Grid, name: str, v: Values) -> Values:
    """Refuse values that are not finite, too far from zero for the grid, or unequal at its edges.

    The limit is the kinetic energy of a wave of four points. Beyond it the grid does not resolve
    psi: it decays too fast inside a higher wall and oscillates too fast in a deeper well. The box
    is periodic, so values that differ at its ends would make an unintended step.
    """
    if not np.all(np.isfinite(v)):
        first = tuple(int(i) for i in np.argwhere(~np.isfinite(v))[0])
        refuse(name, "finite everywhere", f"{v[first]} at {_place(grid, first)}")
    share = np.pi**2 / 8 if grid.dispersion == "continuum" else 1
    limit = sum(share / (mass * dx**2) for mass, dx in zip(grid.mass, grid.dx, strict=True))
    highest = np.unravel_index(np.argmax(np.abs(v)), v.shape)
    if abs(v[highest]) > limit:
        is_ev = abs(v[highest]) / EV <= limit
        refuse(
            name,
            f"within {limit:.4g} hartree of zero, the energy of a wave of four points of this grid",
            f"{v[highest]:.4g} at {_place(grid, highest)}",
            f"If that is in eV, divide by {EV}." if is_ev else "",
        )
    require_periodic(grid, name, v)
    return v


@explained
def require_periodic(grid: Grid, name: str, v: Values) -> None:
    """Refuse values that differ at the ends of the box, which is periodic."""
    v = np.asarray(v)
    for axis in range(grid.n_dim):
        step = np.abs(np.take(v, 0, axis) - np.take(v, -1, axis)).max()
        if step > LEVEL * np.ptp(v) + 1e-6:
            ends = [f"{np.take(v, i, axis).flat[0]:.4g}" for i in (0, -1)]
            refuse(
                name,
                "the same at both ends of the box, which is periodic",
                f"{ends[0]} at one and {ends[1]} at the other",
                "Let it come back to its first value before the edge.",
            )


@explained
def require_wide(grid: Grid, name: str, fine: Values, axis: int, n_fine: int) -> None:
    """Refuse hills and valleys narrower than the spacing, which the points could miss.

    A morphological opening with a window of width dx removes hills that are narrower than it; a
    closing fills in such valleys.

    Args:
      grid: The grid of the potential.
      name: The name of the argument in the message.
      fine: Values of the potential at `positions(grid, axis, n_fine)`.
      axis: The axis along which widths are measured.
      n_fine: Number of samples per spacing.
    """
    line = np.moveaxis(fine, axis, -1)
    n_window = max(2, round(0.95 * n_fine))
    opened, closed = (sign * _open(sign * line, n_window) for sign in (1, -1))
    lost = np.maximum(line - opened, closed - line)
    if lost.max() > NARROW * np.ptp(line):
        place = np.argmax(lost.max(axis=tuple(range(lost.ndim - 1)))) + 1
        refuse(
            name,
            f"made of features wider than the spacing of the grid, {grid.dx[axis]:.4g} bohr",
            f"narrower near {grid.origin[axis] + place * grid.dx[axis] / n_fine:.4g} bohr",
        )


def _open(values: Values, n_window: int) -> Values:
    """The opening: the maximum over all windows that contain a point of the minimum in each."""
    ends = [(0, 0)] * (values.ndim - 1) + [(n_window - 1, n_window - 1)]
    wrapped = np.pad(values, ends, mode="wrap")
    for of_window in (np.min, np.max):
        wrapped = of_window(np.lib.stride_tricks.sliding_window_view(wrapped, n_window, -1), -1)
    return wrapped


def _place(grid: Grid, index: tuple) -> str:
    edges = zip(grid.origin, index, grid.dx, strict=True)
    numbers = ", ".join(f"{origin + (i + 1) * dx:.4g}" for origin, i, dx in edges)
    return f"{numbers} bohr"
