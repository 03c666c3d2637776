"""Families of operations that may be symmetries: mirrors, shifts, turns, exchanges, time reversal.

A family has parameters, such as the place of a mirror. Its operations act on psi in Fourier space,
so places between the points of the grid are possible. On the periodic box a mirror about c is also
one about c + L / 2, and a shift by a is one by a - L; ranges contain each operation once.
"""

import itertools
import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_finite, require_positive, require_shape
from qdistill._refusals import explained
from qdistill.physics.grid import Grid
from qdistill.system import System

Operate: TypeAlias = Callable[
    [Complex[Array, "*n_x"], Float[Array, " n_parameter"]], Complex[Array, "*n_x"]
]


class Family(NamedTuple):
    """A family of operations.

    Attributes:
      operate: ``(psi, parameters) -> psi``; psi has its channels in front, if there are.
      scanned: The parameters that a search starts from, along each of them; none for one operation.
      is_antiunitary: Whether psi is conjugated, so that a symmetry reverses time.
    """

    operate: Operate
    scanned: tuple[Float[np.ndarray, " n"], ...] = ()
    is_antiunitary: bool = False


@explained
def make_families(system: System, step: float = 0.5) -> dict[str, Family]:
    """Return the families of a system, by name.

    On every axis there are mirrors and shifts; in a plane of equal axes exchanges of the axes about
    any diagonal and quarter turns about any centre; and time reversal, alone, with a mirror along
    the first axis, and for two channels with a relative phase between them.

    Args:
      system: The system.
      step: Distance of scanned shifts in bohr, well below the wavelengths of packets. Mirrors and
        centres are scanned at half of it, since images move by twice as much.

    >>> from qdistill.physics.grid import Grid
    >>> list(make_families(System(Grid(64, 20.0))))
    ['mirror', 'shift', 'time reversal', 'time reversal and mirror']
    """
    require_positive(step=step)
    grid, found = system.grid, {}

    def places(axis: int, low: float, high: float, step: float = step) -> Float[np.ndarray, " n"]:
        """Places along an axis, relative to the middle, in units of the box."""
        length = grid.lengths[axis]
        n = max(2, round((high - low) * length / step))
        return grid.middle[axis] + length * (low + (high - low) * np.arange(n) / n)

    for axis in range(grid.n_dim):
        end = f" {'xyz'[axis] if grid.n_dim <= 3 else axis + 1}" if grid.n_dim > 1 else ""
        shifts = places(axis, 0, 0.5)[1:] - grid.middle[axis]
        found[f"mirror{end}"] = Family(_mirror(grid, axis), (places(axis, -0.25, 0.25, step / 2),))
        shifts = np.append(shifts, grid.lengths[axis] / 2)
        found[f"shift{end}"] = Family(_shift(grid, axis), (shifts,))
    if grid.n_dim == 2 and len({*zip(grid.shape, grid.lengths, grid.mass, strict=True)}) == 1:
        diagonals = places(1, -0.5, 0.5) - grid.middle[0]
        centres = (places(0, -0.25, 0.25, step / 2), places(1, -0.5, 0.5, step / 2))
        found["exchange of axes"] = Family(_exchange(grid), (diagonals,))
        found["quarter turn"] = Family(_turn(grid), centres)
    found["time reversal"] = Family(lambda psi, _: psi.conj(), (), True)
    mirror = _mirror(grid, 0)
    found["time reversal and mirror"] = Family(
        lambda psi, c: mirror(psi, c).conj(), (places(0, -0.25, 0.25, step / 2),), True
    )
    if system.n_channel == 2:
        angles = np.linspace(-np.pi, np.pi, 24, endpoint=False)
        found["time reversal and phase"] = Family(_rephase, (angles,), True)
    return found


@explained
def move(
    grid: Grid, psi: Complex[Array, "*n_x"], axis: int, by: float | Array, is_mirror: bool = False
) -> Complex[Array, "*n_x"]:
    """Return psi(x - by) along an axis, or psi(by - x): a mirror about by / 2.

    Args:
      grid: The grid.
      psi: State, with channels in front if there are.
      axis: Axis of space.
      by: Shift in bohr.
      is_mirror: Whether the axis is reversed.

    >>> grid = Grid(4, 4.0, origin=-1.0)
    >>> move(grid, jnp.array([1.0, 2.0, 3.0, 4.0]) + 0j, 0, 1.0).real.round(4).tolist()
    [4.0, 1.0, 2.0, 3.0]
    """
    grid.require_axis(axis)
    require_finite(by=by)
    if np.shape(by) != ():
        refuse("by", "a number", f"of shape {np.shape(by)}")
    require_shape((*psi.shape[: -grid.n_dim], *grid.shape), psi=psi)
    at = psi.ndim - grid.n_dim + axis
    k = np.ravel(grid.wavenumbers(axis)).reshape([-1 if a == at else 1 for a in range(psi.ndim)])
    turn, waves = 1j * jnp.asarray(k, psi.real.dtype), jnp.fft.fft(psi, axis=at)
    if not is_mirror:
        return jnp.fft.ifft(jnp.exp(-turn * by) * waves, axis=at)
    # The first point lies at origin + dx.
    start = grid.origin[axis] + grid.dx[axis]
    return jnp.fft.fft(jnp.exp(turn * (by - 2 * start)) * waves, axis=at) / grid.shape[axis]


@explained
def find_period(shifts: Float[np.ndarray, " n"], tolerance: float = 0.01) -> float | None:
    """Return the shortest of several shifts if the others are its multiples, else None.

    Args:
      shifts: Positive shifts in bohr.
      tolerance: Largest distance from a multiple, in units of the shortest.

    >>> find_period(np.array([5.0, 10.0, 2.5])), find_period(np.array([2.0, 3.0]))
    (2.5, None)
    """
    if not len(shifts):
        return None
    require_positive(shifts=shifts, tolerance=tolerance)
    shortest = float(np.min(shifts))
    ratios = np.asarray(shifts) / shortest
    return shortest if np.all(np.abs(ratios - np.round(ratios)) <= tolerance) else None


def _shift(grid: Grid, axis: int) -> Operate:
    return lambda psi, a: move(grid, psi, axis, a[0])


def _mirror(grid: Grid, axis: int) -> Operate:
    return lambda psi, c: move(grid, psi, axis, 2 * c[0], is_mirror=True)


def _exchange(grid: Grid) -> Operate:
    """Exchange about the line y = x + d."""

    def operate(psi: Array, d: Array) -> Array:
        # Points are exchanged by their indices, and so relative to the corners of the box.
        by = d[0] - (grid.origin[1] - grid.origin[0])
        return move(grid, move(grid, psi.swapaxes(-1, -2), 0, -by), 1, by)

    return operate


def _turn(grid: Grid) -> Operate:
    """A quarter turn about (x, y), counterclockwise."""

    def operate(psi: Array, centre: Array) -> Array:
        (x, y), corner = centre, grid.origin[1] - grid.origin[0]
        psi = move(grid, psi.swapaxes(-1, -2), 0, x + y - corner, is_mirror=True)
        return move(grid, psi, 1, y - x - corner)

    return operate


def _rephase(psi: Array, angle: Array) -> Array:
    """The conjugate, with a phase of the second channel."""
    phase = jnp.exp(1j * angle[0]).astype(psi.dtype)
    return jnp.stack([psi[0].conj(), phase * psi[1].conj()])


@explained
def candidates(family: Family) -> Float[np.ndarray, "n_candidate n_parameter"]:
    """Return all scanned parameters of a family, one row each.

    >>> candidates(Family(lambda psi, _: psi, (np.array([0.0, 1.0]), np.array([5.0])))).tolist()
    [[0.0, 5.0], [1.0, 5.0]]
    """
    if any(not len(axis) for axis in family.scanned):
        refuse("scanned", "at least one value of each parameter", family.scanned)
    for i, axis in enumerate(family.scanned):
        require_finite(**{f"scanned[{i}]": axis})
    rows = list(itertools.product(*family.scanned))
    return np.array(rows, float).reshape(math.prod(map(len, family.scanned)), len(family.scanned))
