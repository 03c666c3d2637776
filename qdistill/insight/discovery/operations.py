"""Families of operations that may be symmetries: mirrors, shifts, turns, exchanges, time reversal.

A family has parameters, such as the place of a mirror. Its operations act on psi in Fourier space,
so places between the points of the grid are possible. On the periodic box a mirror about c is also
one about c + L / 2, and a shift by a is one by a - L; ranges contain each operation once.
"""

import functools
import itertools
import math
from collections.abc import Callable, Iterable, Sequence
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
def make_families(
    system: System, step: float = 0.5, about: Sequence[float] | None = None
) -> dict[str, Family]:
    """Return the families of a system, by name.

    On every axis there are mirrors and shifts; in a plane of equal axes exchanges of the axes about
    any diagonal, quarter turns about any centre, and about one point turns by any angle and mirrors
    across any line; and time reversal, alone, with a mirror along the first axis, and for two
    channels with a relative phase between them. Angles are in radians, counterclockwise, those of
    lines from the first axis. Turns of the periodic box are right for packets that stay within half
    its width.

    Args:
      system: The system.
      step: Distance of scanned shifts in bohr, well below the wavelengths of packets. Mirrors and
        centres are scanned at half of it, since images move by twice as much.
      about: The point in bohr of turns by any angle, in a plane of equal axes only; None for the
        middle of the box.

    >>> from qdistill.physics.grid import Grid
    >>> list(make_families(System(Grid(64, 20.0))))
    ['mirror', 'shift', 'time reversal', 'time reversal and mirror']
    """
    require_positive(step=step)
    grid, found = system.grid, {}
    is_even = grid.n_dim == 2 and _are_equal(grid, (0, 1))
    if about is not None and not is_even:
        refuse("about", "None except in a plane of equal axes", about)
    centre = _point(grid, grid.middle if about is None else about)

    def places(axis: int, low: float, high: float, step: float = step) -> Float[np.ndarray, " n"]:
        """Places along an axis, relative to the middle, in units of the box."""
        length = grid.lengths[axis]
        n = max(2, round((high - low) * length / step))
        return grid.middle[axis] + length * (low + (high - low) * np.arange(n) / n)

    for axis in range(grid.n_dim):
        end = _end(grid, axis)
        shifts = places(axis, 0, 0.5)[1:] - grid.middle[axis]
        found[f"mirror{end}"] = Family(_mirror(grid, axis), (places(axis, -0.25, 0.25, step / 2),))
        shifts = np.append(shifts, grid.lengths[axis] / 2)
        found[f"shift{end}"] = Family(_shift(grid, axis), (shifts,))
    if is_even:
        diagonals = places(1, -0.5, 0.5) - grid.middle[0]
        centres = (places(0, -0.25, 0.25, step / 2), places(1, -0.5, 0.5, step / 2))
        found["exchange of axes"] = Family(_exchange(grid), (diagonals,))
        found["quarter turn"] = Family(_turn(grid), centres)
        # Steps in a distance of a quarter of the box.
        n_angle = max(4, math.ceil(np.pi * min(grid.lengths) / 4 / step))
        angles = np.pi * np.arange(1, n_angle + 1) / n_angle
        found["turn"] = Family(_turn_by(grid, centre), (angles,))
        found["mirror line"] = Family(_mirror_line(grid, centre), (angles - angles[0],))
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
def make_reflections(
    system: System, about: Sequence[float]
) -> dict[str, Callable[[Complex[Array, "..."]], Complex[Array, "..."]]]:
    """Return mirrors of every axis and exchanges of equal axes, by name.

    They are Hermitian, but for the shortest wave of the grid, so that they may be operators of a
    dictionary: `make_dictionary` takes them as `more`. Axes may be those of particles. Two channels
    are exchanged by `Re01` of the dictionary.

    Args:
      system: The system.
      about: The point in bohr on all mirrors and diagonals.

    >>> from qdistill.physics.grid import Grid
    >>> list(make_reflections(System(Grid((64, 64), (20.0, 20.0))), (10.0, 10.0)))
    ['mirror x', 'mirror y', 'exchange x y']
    """
    grid, point = system.grid, _point(system.grid, about)
    found: dict[str, Callable[[Array], Array]] = {}
    for axis in range(grid.n_dim):
        mirror = functools.partial(_at, _mirror(grid, axis), float(point[axis]))
        found[f"mirror{_end(grid, axis)}"] = mirror
    for first, second in itertools.combinations(range(grid.n_dim), 2):
        if _are_equal(grid, (first, second)):
            offset = float(point[second] - point[first])
            exchange = functools.partial(_at, _exchange(grid, first, second), offset)
            found[f"exchange{_end(grid, first)}{_end(grid, second)}"] = exchange
    return found


def _at(operate: Operate, parameter: float, psi: Array) -> Array:
    return operate(psi, jnp.asarray([parameter], psi.real.dtype))


def _point(grid: Grid, about: Sequence[float]) -> Float[np.ndarray, " d"]:
    require_shape((grid.n_dim,), about=about)
    require_finite(about=about)
    point = np.asarray(about, float)
    if np.any(np.abs(point - grid.middle) > np.asarray(grid.lengths) / 2):
        refuse("about", f"in the box of {grid.lengths} bohr about {grid.middle}", tuple(about))
    return point


def _end(grid: Grid, axis: int) -> str:
    """The end of a name: an axis, if there are several."""
    return f" {'xyz'[axis] if grid.n_dim <= 3 else axis + 1}" if grid.n_dim > 1 else ""


def _are_equal(grid: Grid, axes: Iterable[int]) -> bool:
    return len({(grid.shape[a], grid.lengths[a], grid.mass[a]) for a in axes}) == 1


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


def _exchange(grid: Grid, first: int = 0, second: int = 1) -> Operate:
    """Exchange two equal axes, about the line on which the second is the first plus d."""

    def operate(psi: Array, d: Array) -> Array:
        # Points are exchanged by their indices, and so relative to the corners of the box.
        by = d[0] - (grid.origin[second] - grid.origin[first])
        swapped = psi.swapaxes(first - grid.n_dim, second - grid.n_dim)
        return move(grid, move(grid, swapped, first, -by), second, by)

    return operate


def _turn(grid: Grid) -> Operate:
    """A quarter turn about (x, y), counterclockwise."""

    def operate(psi: Array, centre: Array) -> Array:
        (x, y), corner = centre, grid.origin[1] - grid.origin[0]
        psi = move(grid, psi.swapaxes(-1, -2), 0, x + y - corner, is_mirror=True)
        return move(grid, psi, 1, y - x - corner)

    return operate


def _turn_by(grid: Grid, centre: Float[np.ndarray, " 2"]) -> Operate:
    """A turn by any angle: up to three quarter turns, and three shears for the rest."""
    quarter = _turn(grid)

    def operate(psi: Array, angle: Array) -> Array:
        real, n = psi.real.dtype, jnp.round(angle[0] / (np.pi / 2))
        rest, turned = angle[0] - n * np.pi / 2, psi
        for i in range(1, 4):
            psi = quarter(psi, jnp.asarray(centre, real))
            turned = jnp.where(n % 4 == i, psi, turned)
        along = jnp.tan(rest / 2)
        for axis, slope in ((0, along), (1, -jnp.sin(rest)), (0, along)):
            turned = _shear(grid, centre, turned, axis, slope)
        return turned

    return operate


def _shear(grid: Grid, centre: np.ndarray, psi: Array, axis: int, slope: Array) -> Array:
    """Return psi at points that are moved along an axis by slope times the other coordinate."""
    real, other = psi.real.dtype, 1 - axis
    k = jnp.asarray(np.ravel(grid.wavenumbers(axis)), real)
    by = slope * (jnp.ravel(grid.positions(other, dtype=real)) - centre[other])
    turn = jnp.exp(1j * (jnp.outer(k, by) if axis == 0 else jnp.outer(by, k)))
    turn = turn.reshape((1,) * (psi.ndim - 2) + turn.shape)
    return jnp.fft.ifft(turn * jnp.fft.fft(psi, axis=axis - 2), axis=axis - 2)


def _mirror_line(grid: Grid, centre: Float[np.ndarray, " 2"]) -> Operate:
    """The mirror across a line through the centre: that across the first axis, and a turn."""
    mirror, turn = _mirror(grid, 1), _turn_by(grid, centre)

    def operate(psi: Array, angle: Array) -> Array:
        return turn(mirror(psi, jnp.asarray(centre[1:], psi.real.dtype)), 2 * angle)

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
