"""The terms of a generator, functions of no given form, and the dispersions that have a name.

A function of no given form is a sum of cubic splines of one argument, or powers of |psi|^2: each
is one column of a fit, under the name of the function with its number.
"""

from collections.abc import Callable
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Inexact

CONSTANT, DENSITY, NONLOCAL, COUPLING, FORCE, LOSS = "1", "|psi|^2", "V p^2", "V", "x", "-i"
# Operators that are a function of x, from x, V and its slope. Losses are imaginary.
LOCAL: dict[str, Callable[[Any, Any, Any], Any]] = {
    COUPLING: lambda x, v, slope: v,
    "V^2": lambda x, v, slope: v**2,
    "dV/dx": lambda x, v, slope: slope,
    "(dV/dx)^2": lambda x, v, slope: slope**2,
    FORCE: lambda x, v, slope: x + 0 * v,
    LOSS: lambda x, v, slope: -1j * (1 + 0 * v),
    "-i |V|": lambda x, v, slope: -1j * abs(v),
}


class Unknown(NamedTuple):
    """A function of no given form.

    Attributes:
      of: Its argument: ``"x"``, ``"V"``, ``"t"`` or ``"|psi|^2"``.
      n: Number of splines or powers.
      contains: Terms that it makes superfluous.
    """

    of: str
    n: int
    contains: tuple[str, ...]


POTENTIAL, LOSSES, SHAPE, CROWDING, DRIVE = "W(x)", "-i w(x)", "f(V)", "g(|psi|^2)", "F(t) x"
UNKNOWN: dict[str, Unknown] = {
    POTENTIAL: Unknown("x", 48, (FORCE, CONSTANT)),
    LOSSES: Unknown("x", 48, (LOSS,)),
    SHAPE: Unknown("V", 32, (COUPLING, "V^2", CONSTANT)),
    CROWDING: Unknown("|psi|^2", 4, (DENSITY,)),
    DRIVE: Unknown("t", 20, (FORCE,)),
}
COLUMNS = {name: tuple(f"{name} [{i}]" for i in range(each.n)) for name, each in UNKNOWN.items()}
# The function of each of its columns.
FUNCTION_OF = {column: name for name, columns in COLUMNS.items() for column in columns}
# The power of |psi|^2, less 1, of each column.
POWERS = {DENSITY: 0, **{name: i for i, name in enumerate(COLUMNS[CROWDING])}}
# Columns that are a function of x in each run.
FIELDS = (*LOCAL, *COLUMNS[POTENTIAL], *COLUMNS[LOSSES], *COLUMNS[SHAPE])


class Ranges(NamedTuple):
    """The ranges of the arguments of unknown functions: lowest and highest values that occur."""

    x: tuple[float, float]
    v: tuple[float, float]
    t: tuple[float, float]
    density: tuple[float, float]

    def of(self, argument: str) -> tuple[float, float]:
        """Return the range of an argument of `Unknown`."""
        return dict(zip(("x", "V", "t", "|psi|^2"), self, strict=True))[argument]


def splines(xp: ModuleType, ends: tuple[float, float], n: int, at: Any) -> Any:
    """Return cubic splines that reach over a range, in front of the axes of `at`.

    Args:
      xp: `numpy` or `jax.numpy`.
      ends: Ends of the range.
      n: Number of splines, at least 4.
      at: Where.
    """
    gap = max((ends[1] - ends[0]) / (n - 3), 1e-6)
    u = (at - ends[0]) / gap
    far = abs(u[None] - xp.arange(-1.0, n - 1).reshape((n,) + (1,) * u.ndim))
    inner, outer = 2 / 3 - far**2 + far**3 / 2, (2 - far) ** 3 / 6
    return xp.where(far < 1, inner, xp.where(far < 2, outer, 0.0))


def fields(xp: ModuleType, ranges: Ranges, x: Any, v: Any, slope: Any) -> Any:
    """Return `FIELDS` at the points, (n_field, n_x)."""
    listed = [made(x, v, slope) + 0j for made in LOCAL.values()]
    of_x = splines(xp, ranges.x, UNKNOWN[POTENTIAL].n, x)
    # Beyond the values that occur a function of V is constant.
    of_v = splines(xp, ranges.v, UNKNOWN[SHAPE].n, xp.clip(v, *ranges.v))
    return xp.concatenate([xp.stack(listed), of_x + 0j, -1j * of_x, of_v + 0j])


# Functions of the wave number that are part of no dispersion below, but for the constant of FREE.
OF_K: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    CONSTANT: np.ones_like,
    "p": lambda k: k,
    "p^3": lambda k: k**3,
}
TERMS = (*LOCAL, *OF_K, DENSITY, NONLOCAL)
# Degree of the polynomial of |k| that stands for any dispersion.
DEGREE = 8


class Form(NamedTuple):
    """A dispersion by name: T(k) from its parameters, the wave numbers, the spacing, and k_max.

    Attributes:
      energies: ``(values, k, dx, largest) -> T``, analytic in the values; `largest` is the largest
        wave number that occurs.
      start: Values of the parameters to begin with.
      names: Names of the parameters.
    """

    energies: Callable[[np.ndarray, np.ndarray, float, float], np.ndarray]
    start: tuple[float, ...]
    names: tuple[str, ...]

    def slopes(
        self, values: np.ndarray, k: np.ndarray, dx: float, largest: float
    ) -> Inexact[np.ndarray, "n n_k"]:
        """Return the derivatives of the energies by each value, exact, by complex steps."""
        tiny = 1e-30
        steps = 1j * tiny * np.eye(len(values))
        made = [self.energies(values + step, k, dx, largest).imag for step in steps]
        return np.reshape(made, (len(values), len(k))) / tiny


def _relativistic(inverse: Any, square: Any, k: Any) -> Any:
    # sqrt(k^2 c^2 + m^2 c^4) - m c^2 with 1 / m and 1 / c^2, without a difference of large numbers.
    inside = 1 + square * (inverse * k) ** 2
    root = np.sqrt(np.where(inside.real > 0.01, inside, 0.01))
    return inverse * k**2 / (1 + root)


def _polynomial(values: np.ndarray, k: np.ndarray, largest: float) -> np.ndarray:
    angle = np.arccos(np.clip(2 * np.abs(k) / largest - 1, -1, 1))
    return values @ np.cos(np.arange(len(values))[:, None] * angle)


FREE, USUAL, LATTICE = "any function of |k|", "k^2/2", "lattice"
FORMS: dict[str, Form] = {
    USUAL: Form(lambda a, k, dx, top: k**2 / 2, (), ()),
    LATTICE: Form(lambda a, k, dx, top: (1 - np.cos(k * dx)) / dx**2, (), ()),
    "k^2/2m": Form(lambda a, k, dx, top: a[0] * k**2 / 2, (1.0,), ("1/m",)),
    "lattice, mass": Form(
        lambda a, k, dx, top: a[0] * (1 - np.cos(k * dx)) / dx**2, (1.0,), ("1/m",)
    ),
    "k^2/2 + b k^4": Form(lambda a, k, dx, top: k**2 / 2 + a[0] * k**4, (0.0,), ("b",)),
    "relativistic": Form(lambda a, k, dx, top: _relativistic(1.0, a[0], k), (0.0,), ("1/c^2",)),
    "k^2/2m + b k^4": Form(
        lambda a, k, dx, top: a[0] * k**2 / 2 + a[1] * k**4, (1.0, 0.0), ("1/m", "b")
    ),
    "relativistic, mass": Form(
        lambda a, k, dx, top: _relativistic(a[0], a[1], k), (1.0, 0.0), ("1/m", "1/c^2")
    ),
    FREE: Form(
        lambda a, k, dx, top: k**2 / 2 + _polynomial(a, k, top),
        (0.0,) * (DEGREE + 1),
        tuple(f"a{i}" for i in range(DEGREE + 1)),
    ),
}
