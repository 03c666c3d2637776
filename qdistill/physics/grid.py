"""The grid: points, box lengths and dispersion relation omega(k)."""

import dataclasses
import math
from typing import Literal, TypeAlias

import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Float, Num

from qdistill._checks import (
    is_known,
    refuse,
    require_at_least,
    require_finite,
    require_one_of,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained

Dispersion: TypeAlias = Literal["lattice", "continuum"]
Scalar: TypeAlias = float | np.number | Num[Array, ""]


@explained
@dataclasses.dataclass(frozen=True, init=False)
class Grid:
    """A periodic box of any number of dimensions. Static and hashable.

    The points of an axis lie at x_i = origin + i dx with i = 1 .. n_x, as in the paper. The
    dispersion is the kinetic energy of a plane wave, with a mass m for each axis:

    - ``"lattice"``: omega(k) = sum_axes (1 - cos(k dx)) / (m dx^2), which is what the
      paper's simulator solves (3-point finite differences);
    - ``"continuum"``: omega(k) = sum_axes k^2 / (2 m).

    Args:
      shape: Number of points per axis, each at least 2. A single integer stands for one axis.
      lengths: Box length per axis, in bohr.
      dispersion: ``"lattice"`` or ``"continuum"``.
      origin: Lower edge of the box per axis, in bohr. One number stands for all axes.
      mass: Mass per axis, in electron masses. One number stands for all axes.

    Raises:
      ValueError: For fewer than 2 points, a length or mass that is not positive, a wrong number of
        lengths, origins or masses, or an unknown dispersion.

    >>> grid = Grid(1024, 100.0, "lattice")
    >>> grid.shape, grid.dx, round(grid.kinetic_energy().max(), 1)
    ((1024,), (0.09765625,), np.float64(209.7))
    """

    shape: tuple[int, ...]
    lengths: tuple[float, ...]
    dispersion: Dispersion
    origin: tuple[float, ...]
    mass: tuple[float, ...]

    def __init__(  # noqa: D107 -- the class docstring describes the arguments.
        self,
        shape: int | tuple[int, ...] = 1024,
        lengths: float | tuple[float, ...] = 100.0,
        dispersion: str = "lattice",
        origin: float | tuple[float, ...] = 0.0,
        mass: float | tuple[float, ...] = 1.0,
    ) -> None:
        shape = shape if isinstance(shape, tuple) else (shape,)
        if not shape:
            refuse("shape", "at least one axis", shape)
        for n_x in shape:
            require_at_least(2, shape=n_x)
        n_dim = len(shape)
        if not is_known((shape, lengths, origin, mass)):
            refuse("lengths, origin, mass", "known numbers", "traced", "A grid is static.")
        lengths = lengths if isinstance(lengths, tuple) else (lengths,)
        origin = origin if isinstance(origin, tuple) else (origin,) * n_dim
        mass = mass if isinstance(mass, tuple) else (mass,) * n_dim
        for name, values in {"lengths": lengths, "origin": origin, "mass": mass}.items():
            for value in values:
                if np.ndim(value) != 0 or isinstance(value, str):
                    refuse(name, "a number, or a tuple of them", repr(value))
            if len(values) != n_dim:
                refuse(name, f"one value for each of {n_dim} axes", values)
        require_positive(lengths=lengths, mass=mass)
        require_finite(origin=origin)
        require_one_of(("lattice", "continuum"), dispersion=dispersion)
        object.__setattr__(self, "shape", tuple(map(int, shape)))
        object.__setattr__(self, "lengths", tuple(map(float, lengths)))
        object.__setattr__(self, "dispersion", dispersion)
        object.__setattr__(self, "origin", tuple(map(float, origin)))
        object.__setattr__(self, "mass", tuple(map(float, mass)))

    @property
    def n_dim(self) -> int:
        """The number of space dimensions."""
        return len(self.shape)

    @property
    def dx(self) -> tuple[float, ...]:
        """The spacing per axis, in bohr."""
        return tuple(length / n_x for length, n_x in zip(self.lengths, self.shape, strict=True))

    @property
    def cell(self) -> float:
        """The volume of one cell in bohr^d, the weight of a point in integrals."""
        return math.prod(self.dx)

    def positions(self, axis: int = 0, dtype: DTypeLike = float) -> Float[Array, "..."]:
        """Return the positions along an axis in bohr, shaped to broadcast over the whole grid.

        >>> Grid(4, 2.0).positions()
        Array([0.5, 1. , 1.5, 2. ], dtype=float32)
        """
        self.require_axis(axis)
        x = self.origin[axis] + np.arange(1, self.shape[axis] + 1) * self.dx[axis]
        return jnp.asarray(self._along(axis, x), dtype=dtype)

    def wavenumbers(self, axis: int = 0) -> Float[np.ndarray, "..."]:
        """Return the wavenumbers along an axis in 1/bohr, FFT order, float64, for broadcasting."""
        self.require_axis(axis)
        k = 2 * np.pi * np.fft.fftfreq(self.shape[axis], self.dx[axis])
        return self._along(axis, k)

    def odd_wavenumbers(self, axis: int = 0) -> Float[np.ndarray, "..."]:
        """Return the wavenumbers for odd functions of k, such as derivatives and the momentum.

        The wave of two points, whose k and -k are the same, has 0.

        >>> Grid(4, 4.0).odd_wavenumbers().round(2)
        array([ 0.  ,  1.57,  0.  , -1.57])
        """
        k = self.wavenumbers(axis)
        return np.where(np.abs(k) * self.dx[axis] > np.pi * (1 - 1e-9), 0.0, k)

    def kinetic_energy(self) -> Float[np.ndarray, "..."]:
        """Return the dispersion omega(k) on the whole FFT grid, in hartree and float64."""
        if self.dispersion == "continuum":
            parts = [
                self.wavenumbers(axis) ** 2 / (2 * mass) for axis, mass in enumerate(self.mass)
            ]
        else:
            parts = [
                (1 - np.cos(self.wavenumbers(axis) * dx)) / (mass * dx**2)
                for axis, (dx, mass) in enumerate(zip(self.dx, self.mass, strict=True))
            ]
        return np.broadcast_to(sum(parts), self.shape)

    @property
    def middle(self) -> tuple[float, ...]:
        """The middle of the box per axis, in bohr.

        >>> Grid(4, 2.0, origin=-1.0).middle
        (0.0,)
        """
        return tuple(x + length / 2 for x, length in zip(self.origin, self.lengths, strict=True))

    def require_axis(self, axis: int) -> None:
        """Refuse an axis that the grid does not have."""
        if axis not in range(self.n_dim):
            refuse("axis", f"between 0 and {self.n_dim - 1}", axis)

    def _along(self, axis: int, values: np.ndarray) -> np.ndarray:
        return values.reshape([-1 if a == axis else 1 for a in range(self.n_dim)])


@explained
def require_line(grid: Grid) -> None:
    """Refuse a grid of several dimensions."""
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional", f"{grid.n_dim}-dimensional")


@explained
def inner_product(grid: Grid, phi: Num[Array, "*n_x"], psi: Num[Array, "*n_x"]) -> Num[Array, ""]:
    """Return the inner product <phi|psi> = sum conj(phi) psi dx^d, over all channels if there are.

    >>> grid = Grid(8, 2.0)
    >>> plane = jnp.exp(2j * jnp.pi * grid.positions() / 2.0)
    >>> complex(inner_product(grid, plane, plane)).real
    2.0
    """
    _require_state(grid, phi=phi, psi=psi)
    require_shape(phi.shape, psi=psi)
    return jnp.vdot(phi, psi) * grid.cell


@explained
def norm(grid: Grid, psi: Num[Array, "*n_x"]) -> Float[Array, ""]:
    """Return the norm sqrt(<psi|psi>) over all channels, which is 1 for a normalised state."""
    _require_state(grid, psi=psi)
    return jnp.linalg.norm(psi.ravel()) * math.sqrt(grid.cell)


def _require_state(grid: Grid, **states: Array) -> None:
    """Refuse what is neither (*n_x) nor (n_channel, *n_x)."""
    for name, psi in states.items():
        shape = np.shape(psi)
        if shape[len(shape) - grid.n_dim :] != grid.shape or len(shape) > grid.n_dim + 1:
            refuse(name, f"of shape {grid.shape}", f"of shape {shape}")
