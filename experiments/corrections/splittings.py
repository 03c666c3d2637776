"""Splittings to be measured: those of students, of solvers, and of untrained networks."""

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key

from qdistill._checks import refuse
from qdistill.physics.grid import Grid
from qdistill.students import Emulator
from qdistill.students import Splitting as Student
from qdistill.system import System

Potentials: TypeAlias = Float[np.ndarray, "n_v n_x"]
Shares: TypeAlias = Sequence[float] | np.ndarray
# Kinetic phases of a frame at which solvers and informed starts are clamped, in radians, by pairs:
# those of the presets `informed-1`, `-2` and `-3`. With unequal shares of V a frame is one step, so
# the phase must stay below 2 pi.
CAP_PHASES = {1: 2.8, 2: 4.6, 3: 4.6}


@dataclasses.dataclass(frozen=True, eq=False)
class Splitting:
    """One frame exp(-i a_n(x)) F^-1 exp(-i b_n(k)) F ... exp(-i a_0(x)), read as numbers.

    The kicks are a_j = dt (c_j V + local_j), with shares c_j of the potential that sum to one.

    Attributes:
      system: The grid on which it was made, and the duration of a frame.
      shares: The c_j.
      drifts: Function from a grid of the same spacing to the b_j(k) in FFT order, (n, n_x).
      local: Function from a grid and potentials (n_v, n_x) to the local_j in hartree,
        (n_v, n + 1, n_x).
    """

    system: System
    shares: Float[np.ndarray, " n_a"]
    drifts: Callable[[Grid], Float[np.ndarray, "n_b n_x"]]
    local: Callable[[Grid, Potentials], Float[np.ndarray, "n_v n_a n_x"]]

    @property
    def n_pairs(self) -> int:
        """The number of FFT pairs of a frame."""
        return len(self.shares) - 1

    @property
    def unit(self) -> float:
        """The unit of corrections h^2 / 24, where h is the duration of an equal substep."""
        return (self.system.dt / self.n_pairs) ** 2 / 24

    def kicks(self, grid: Grid, v: Potentials) -> Float[np.ndarray, "n_v n_a n_x"]:
        """Return the a_j(x) in radians per frame."""
        return self.system.dt * (self.shares[:, None] * v[:, None] + self.local(grid, v))

    def matrix(self, grid: Grid, v: Float[np.ndarray, " n_x"]) -> Complex[np.ndarray, "n_x n_x"]:
        """Return one frame as a unitary matrix, in double precision."""
        turns = np.exp(-1j * self.kicks(grid, v[None])[0])
        made = np.diag(turns[0])
        for drift, turn in zip(np.exp(-1j * self.drifts(grid)), turns[1:], strict=True):
            waves = drift[:, None] * np.fft.fft(made, axis=0)
            made = turn[:, None] * np.fft.ifft(waves, axis=0)
        return made

    def replaced(self, gradients: Shares, curvatures: Shares) -> "Splitting":
        """Return it with local_j = (h^2 / 24) (gradients_j (V')^2 + curvatures_j V'') / m."""
        made = formula(self.unit, np.asarray(gradients), np.asarray(curvatures))
        return dataclasses.replace(self, local=made)


def formula(
    unit: float, gradients: Float[np.ndarray, " n_a"], curvatures: Float[np.ndarray, " n_a"]
) -> Callable[[Grid, Potentials], Float[np.ndarray, "n_v n_a n_x"]]:
    """Return the function of grid and potentials that gives corrections of the known form."""

    def local(grid: Grid, v: Potentials) -> Float[np.ndarray, "n_v n_a n_x"]:
        slopes, curves = square_of_slope(grid, v)[:, None], curvature(grid, v)[:, None]
        return unit * (gradients[:, None] * slopes + curvatures[:, None] * curves)

    return local


def of_solver(
    system: System,
    kicks: Shares,
    drifts: Shares,
    gradients: Shares | None = None,
    cap: float | None = None,
) -> Splitting:
    """Return a splitting with given shares of V and T.

    Args:
      system: A one-dimensional system.
      kicks: Shares of V, with the sum 1.
      drifts: Shares of T, with the sum 1.
      gradients: Coefficients of (V')^2 / m in units of h^2 / 24; by default there are none.
      cap: Largest kinetic energy in hartree; by default that of an informed start.
    """
    cap = CAP_PHASES[len(drifts)] / system.dt if cap is None else cap
    of_t = np.asarray(drifts, float)

    def turns(grid: Grid) -> Float[np.ndarray, "n_b n_x"]:
        return system.dt * of_t[:, None] * np.minimum(grid.kinetic_energy(), cap)

    none = np.zeros(len(kicks))
    plain = Splitting(system, np.asarray(kicks, float), turns, formula(0.0, none, none))
    return plain if gradients is None else plain.replaced(gradients, none)


def student_of(emulator: Emulator) -> Student:
    """Return the student of an emulator.

    Raises:
      ValueError: For an emulator that is no learned splitting on a line, or not a palindrome.
    """
    student = emulator.student
    if not isinstance(student, Student) or not student.form.reversible:
        refuse("emulator", "of a reversible splitting", type(student).__name__)
    if emulator.system.grid.n_dim > 1:
        refuse("emulator", "on a line", emulator.system.grid)
    return student


def of_emulator(emulator: Emulator) -> Splitting:
    """Return the learned splitting of an emulator; see `of_parameters`."""
    return of_parameters(student_of(emulator), emulator.params)


def of_parameters(student: Student, params: dict) -> Splitting:
    """Return the splitting of a student, evaluated in double precision."""
    with jax.enable_x64(True):
        params = jax.tree.map(lambda p: jnp.asarray(np.asarray(p), float), params)
        shares = np.asarray(student.network.apply({"params": params}, method="shares"))

    def phases(v: Potentials) -> tuple[np.ndarray, np.ndarray]:
        with jax.enable_x64(True):
            found = [_phases(student, params, jnp.asarray(each, float)) for each in v]
        return np.stack([np.asarray(kicks) for kicks, _ in found]), np.asarray(found[0][1])

    def local(grid: Grid, v: Potentials) -> Float[np.ndarray, "n_v n_a n_x"]:
        return phases(v)[0] / student.system.dt - shares[:, None] * v[:, None]

    return Splitting(
        student.system, shares, lambda grid: phases(np.zeros((1, *grid.shape)))[1], local
    )


@functools.partial(jax.jit, static_argnums=0)
def _phases(student: Student, params: dict, v: Float[Array, " n_x"]) -> Any:
    """The a_j(x) and b_j(k) of one potential; students of one form share the program."""
    return student.network.apply({"params": params}, v)


def untrained(student: Student, params: dict, fresh: dict, key: Key[Array, ""]) -> Splitting:
    """Return a learned splitting whose local network is replaced by one with random weights.

    A new network has a last layer of zeros. Here its weights are drawn from a normal distribution,
    with the standard deviation of those of the trained network.

    Args:
      student: The student.
      params: Parameters of the trained network.
      fresh: Parameters of a new one, from `student.init`.
      key: Random key of the last layer.
    """
    mine = dict(params["landscape"])
    for i, name in enumerate(("direct", "output")):
        kernel = np.asarray(mine[name]["kernel"], float)
        drawn = jax.random.normal(jax.random.fold_in(key, i), kernel.shape)
        mine[name] = {"kernel": float(np.std(kernel)) * drawn}
    mine |= {name: fresh["landscape"][name] for name in mine if name.startswith("hidden")}
    return of_parameters(student, {**params, "landscape": mine})


def square_of_slope(grid: Grid, v: Potentials) -> Potentials:
    """Return (V')^2 / m, in hartree^2.

    On the lattice it is the row sum of the hopping [V, [T, V]], which is
    (V_i - V_j)^2 / (2 m dx^2) between neighbours.
    """
    if grid.dispersion == "lattice":
        step = (np.roll(v, -1, axis=-1) - v) ** 2
        return (step + np.roll(step, 1, axis=-1)) / (2 * grid.mass[0] * grid.dx[0] ** 2)
    return _derivative(grid, v, 1) ** 2 / grid.mass[0]


def curvature(grid: Grid, v: Potentials) -> Potentials:
    """Return V'' / m, in hartree^2."""
    if grid.dispersion == "lattice":
        second = np.roll(v, -1, axis=-1) - 2 * v + np.roll(v, 1, axis=-1)
        return second / (grid.mass[0] * grid.dx[0] ** 2)
    return _derivative(grid, v, 2) / grid.mass[0]


def _derivative(grid: Grid, v: Potentials, order: int) -> Potentials:
    """The spectral derivative; an even number of points has a highest wave without slope."""
    k = grid.wavenumbers()
    if order % 2:
        k = np.where(np.abs(k) < np.pi / grid.dx[0] * (1 - 0.5 / grid.shape[0]), k, 0)
    return np.fft.ifft((1j * k) ** order * np.fft.fft(v)).real
