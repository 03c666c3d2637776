"""The common interface of all students, and the emulator that a trained student becomes."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Inexact, Key, PyTree

from qdistill import teacher
from qdistill._checks import (
    is_known,
    refuse,
    require_alike,
    require_at_least,
    require_finite,
    require_new,
)
from qdistill._doors import note_precision, precision, require_frames
from qdistill._refusals import explained
from qdistill.physics.grid import Grid
from qdistill.students import domain
from qdistill.system import Potential, Propagator, Step, System, rollout

FORMS: dict[str, type["StudentConfig"]] = {}
# Not `typing.Self`, which the type checker of the tests does not support in methods.
Own = TypeVar("Own", bound="Student")


@explained
@dataclasses.dataclass(frozen=True)
class StudentConfig:
    """The form of a student: a node of the config tree, registered by its name.

    Subclass it for a student of your own. Give it a name that no other student has, and return a
    `Student` from `build`::

        @dataclasses.dataclass(frozen=True)
        class MyConfig(StudentConfig, name="mine"):
            n_units: int = 16

            def build(self, system):
                return MyStudent(self, system)
    """

    name: ClassVar[str] = ""

    def __init_subclass__(cls, name: str = "", **kwargs: Any) -> None:  # noqa: D105
        super().__init_subclass__(**kwargs)
        if name:
            require_new(FORMS, name, cls, "student")
            cls.name = name
            FORMS[name] = cls

    def build(self, system: System) -> "Student":
        """Return the student of this form for a system."""
        raise NotImplementedError(f"{type(self).__name__} has no method `build`")


@explained
@dataclasses.dataclass(frozen=True)
class Student:
    """An untrained student: its form and the system that it learns. Static and hashable.

    A subclass defines `init` and `step`, and the class attributes that hold by construction.

    Attributes:
      form: The config of the student.
      system: The system that it learns and forecasts.
      is_linear: Whether its step is linear in psi.
      is_unitary: Whether its step conserves the norm.
      is_differentiable: Whether gradients through it are correct.
    """

    form: Any
    system: System

    is_linear: ClassVar[bool] = False
    is_unitary: ClassVar[bool] = False
    is_differentiable: ClassVar[bool] = True

    @property
    def n_history(self) -> int:
        """The number of given frames that it needs."""
        return 1

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return initial parameters."""
        raise NotImplementedError(f"{type(self).__name__} has no method `init`")

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return the step of one frame, for parameters and a potential."""
        raise NotImplementedError(f"{type(self).__name__} has no method `step`")

    def on(self: Own, grid: Grid) -> Own:
        """Return the student on another number of points at the same spacing.

        Raises:
          ValueError: For a grid of another spacing, dispersion, mass or number of axes.
        """
        _require_alike(self.system.grid, grid)
        return dataclasses.replace(self, system=dataclasses.replace(self.system, grid=grid))

    def require_frames(self, frames: Complex[Array, "n_t *n_x"]) -> None:
        """Refuse concrete frames that the student cannot represent; by default none."""

    def require_params(self, params: PyTree) -> None:
        """Refuse parameters that are not of the structure and shapes that `init` returns."""
        # A student without training may have no `init`.
        if type(self).init is not Student.init:
            require_alike(_forms_of(self), params=params)

    def bind(self, params: PyTree, **about: Any) -> "Emulator":
        """Return the propagator of this student with given parameters.

        Further keyword arguments: `config`, `score`, `provenance` and `reach` of an `Emulator`.

        Args:
          params: Parameters of the structure that `init` returns.
        """
        return Emulator(self, params, **about)


@explained
@jax.tree_util.register_pytree_with_keys_class
@dataclasses.dataclass(frozen=True, eq=False, repr=False)
class Emulator:
    """A student with its parameters: a propagator, used like a solver.

    It is a pytree with the parameters as leaves, so it passes through `jax.jit`, `jax.vmap` and
    `jax.grad`, and ensembles can be stacked. These drop config, score, provenance and reach, so
    that no score is attached to changed parameters. It can be pickled.

    Attributes:
      student: The student, static.
      params: Its parameters.
      config: All settings of its run, or None.
      score: Its cost and mean scores on the held-out test, as in `metrics.json`, or None.
      provenance: Commits and machines of the run, oldest first.
      reach: Recorded ranges of its lessons, or None; see `taught`.
    """

    student: Student
    params: PyTree
    config: Any = None
    score: dict[str, Any] | None = None
    provenance: tuple[dict[str, Any], ...] = ()
    reach: domain.Reach | None = None

    @property
    def system(self) -> System:
        """The system that it forecasts."""
        return self.student.system

    @property
    def n_history(self) -> int:
        """The number of given frames that it needs."""
        return self.student.n_history

    @property
    def is_linear(self) -> bool:
        """Whether its step is linear in psi by construction."""
        return self.student.is_linear

    @property
    def is_unitary(self) -> bool:
        """Whether its step conserves the norm by construction."""
        return self.student.is_unitary

    @property
    def is_differentiable(self) -> bool:
        """Whether gradients through it are correct."""
        return self.student.is_differentiable

    @property
    def commit(self) -> str | None:
        """The commit of the code that ended its training; None if it is not known."""
        return self.provenance[-1]["commit"] if self.provenance else None

    @property
    def taught(self) -> domain.Reach | None:
        """The ranges of energies and potentials in its lessons; None without a config.

        If they were not recorded, they are sampled from the lessons, once per process.

        >>> from qdistill import load
        >>> load("demo").taught
        Reach(energy=15.2..., low=-11.8..., high=14.9..., edge=14.9...)
        """
        curriculum = getattr(self.config, "curriculum", None)
        if self.reach is not None or curriculum is None:
            return self.reach
        return domain.of_lessons(self.config.system, curriculum)

    @property
    def solver(self) -> Propagator:
        """The solver of its training, or the Chebyshev solver if that is not known."""
        if self.config is not None:
            return teacher.make(self.config.teacher, self.system)
        return teacher.chebyshev(self.system, 1e-5)

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential, without checks of values; see `forecast`."""
        self.student.require_params(self.params)
        return self.student.step(self.params, v)

    def on(self, grid: Grid) -> "Emulator":
        """Return the emulator on another number of points at the same spacing.

        Raises:
          ValueError: For any other grid.

        >>> from qdistill import load
        >>> load("unitary").on(Grid(2048, 200.0)).system.grid.shape
        (2048,)
        """
        return dataclasses.replace(self, student=self.student.on(grid), score=None)

    def forecast(
        self, psi: Inexact[Array | np.ndarray, "*n_t_x"], v: Any, n_frames: int
    ) -> Complex[Array, "n_frames *n_x"]:
        """Return the frames that follow psi, or that follow several given frames.

        If the emulator needs more given frames than psi alone, the missing ones are computed by its
        `solver`; they are the first frames of the result. A packet or potential outside the ranges
        of its lessons causes one warning, `students.OutsideTaught`. Inside `jax.jit`, `jax.vmap`
        and `jax.grad` values are not known, so there are no checks and no warnings.

        Args:
          psi: One frame, or several, oldest first, the first at t = 0; in bohr^(-d/2). A real one
            becomes complex. For a student that is not linear it should have the norm of the
            lessons, which is 1 in those of the package. A student without channels reads a state of
            two channels, (2, *n_x), as two frames, and refuses it unless they follow each other.
          v: Potential in hartree: values on the grid, a function of the positions, or a formula;
            see `System.as_potential`.
          n_frames: Number of frames.

        Raises:
          ValueError: For frames or a potential of another shape or not finite; too few frames;
            frames that are not successive, such as a batch; a state outside the student's basis;
            another spacing or dt than in the training; and a potential outside the system's bounds
            if the solver is needed.

        >>> from qdistill import load
        >>> load("unitary").forecast(jnp.ones(1024, jnp.complex64), "0*x", 5).shape
        (5, 1024)
        """
        shape, kind = self.system.shape, getattr(psi, "dtype", type(psi).__name__)
        if not hasattr(psi, "dtype") or not jnp.issubdtype(kind, jnp.inexact):
            refuse("psi", "an array of complex numbers", f"of type {kind}")
        is_alone = psi.ndim == len(shape)
        if psi.ndim not in (len(shape), len(shape) + 1) or psi.shape[-len(shape) :] != shape:
            refuse("psi", f"of shape {shape}, or several such frames", f"of shape {psi.shape}")
        n_solved = self.n_history - 1 if is_alone else 0
        if n_solved and self.system.bounds is None and isinstance(self.solver, teacher.Chebyshev):
            cure = "Without `bounds` of the system its solver cannot make those that are missing."
            refuse("psi", f"{self.n_history} frames", "one", cure)
        require_at_least(1 + n_solved, n_frames=n_frames)
        # Only the solver needs the bounds.
        system = self.system if n_solved else dataclasses.replace(self.system, bounds=None)
        solver = self.solver if n_solved else None
        frames = jnp.asarray(psi, precision(psi))
        frames = frames[None] if is_alone else frames
        given, v = v, system.as_potential(v)
        note_precision(psi=psi, v=given)
        require_frames(self.system, self.n_history - n_solved, frames, 0, "psi")
        if is_known((frames, v)):
            with jax.ensure_compile_time_eval():
                self.check(frames, v)
        return _program(
            jax.tree.structure((self, solver, v)), frames.shape, n_solved, int(n_frames)
        )(self, solver, frames, v)

    def check(self, frames: Complex[Array, "n_t *n_x"], v: Potential) -> None:
        """Refuse concrete frames and a potential that it cannot forecast; warn outside its lessons.

        Raises:
          ValueError: For the errors of `forecast`.
        """
        require_finite(psi=frames)
        system = getattr(self.config, "system", None)
        if system is not None:
            _require_alike(system.grid, self.system.grid)
            if system.dt != self.system.dt:
                refuse("dt", f"{system.dt:g}, as it was taught", f"{self.system.dt:g}")
        self.student.require_params(self.params)
        self.student.require_frames(frames)
        if len(frames) > 1:
            domain.require_successive(self.system, frames, v)
        if taught := self.taught:
            asked = domain.reach(self.system, frames, self.system.local(v, 0.0, None))
            domain.warn_outside(taught, asked)

    def tree_flatten_with_keys(self) -> tuple[tuple, Student]:
        """Return the parameters as leaves, and the student as static data."""
        return ((jax.tree_util.GetAttrKey("params"), self.params),), self.student

    @classmethod
    def tree_unflatten(cls, student: Student, children: tuple) -> "Emulator":
        """Return the emulator from the result of `tree_flatten_with_keys`."""
        return cls(student, *children)

    def __repr__(self) -> str:
        """Return student, system, number of parameters, score and commit, as a few lines."""
        grid = self.system.grid
        box = " x ".join(
            f"{n_x} points on {length:g} bohr"
            for n_x, length in zip(grid.shape, grid.lengths, strict=True)
        )
        form = self.student.form
        name = getattr(self.config, "preset", None)
        lines = [
            f"Emulator {name!r}" if name else "Emulator",
            f"  student     {form.name}, {count_parameters(self.params):,} parameters",
            f"  system      {type(self.system).__name__}, {grid.dispersion}, {box}, "
            f"frames of {self.system.dt:g} a.u.",
        ]
        if self.score and {"mean_infidelity", "mean_nrmse", "n_frames"} <= set(self.score):
            lines.append(
                f"  score       mean infidelity {self.score['mean_infidelity']:.1e}, relative L2 "
                f"error {self.score['mean_nrmse']:.1e} over {self.score['n_frames']} frames"
            )
        if self.commit:
            lines.append(f"  commit      {self.commit[:12]}")
        return "\n".join(lines)


@functools.lru_cache(maxsize=64)
def _forms_of(student: Student) -> PyTree:
    """The shapes and types of a student's parameters."""
    return jax.eval_shape(student.init, jax.random.key(0))


# Number of cached programs; each takes about 5 MiB.
N_PROGRAMS = 32


@functools.lru_cache(maxsize=N_PROGRAMS)
def _program(
    structure: Any, shape: tuple[int, ...], n_solved: int, n_frames: int
) -> Callable[..., Complex[Array, "n_frames *n_x"]]:
    """The compiled forecast of a number of frames, shared by all emulators of one student."""
    del structure, shape

    @jax.jit
    def forecast(
        emulator: Emulator, solver: Propagator | None, frames: Array, v: Potential
    ) -> Array:
        if solver is None:
            return rollout(emulator, frames, v, n_frames, n0=len(frames) - 1)
        solved = rollout(solver, frames, v, n_solved)
        given = jnp.concatenate([frames, solved])
        later = rollout(emulator, given, v, n_frames - n_solved, n0=n_solved)
        return jnp.concatenate([solved, later])

    return forecast


def _require_alike(taught: Grid, grid: Grid) -> None:
    """Refuse a grid of another spacing, dispersion, mass or number of axes."""
    is_spacing = grid.n_dim == taught.n_dim and np.allclose(grid.dx, taught.dx, rtol=1e-9)
    if not is_spacing or (grid.dispersion, grid.mass) != (taught.dispersion, taught.mass):
        spacing, mass = (
            " and ".join(f"{x:.6g}" for x in each) for each in (taught.dx, taught.mass)
        )
        words = f"a {taught.dispersion} of mass {mass} with points {spacing} bohr apart"
        refuse("grid", words, grid)


@explained
def count_parameters(params: PyTree) -> int:
    """Return the number of parameters."""
    return sum(int(np.size(leaf)) for leaf in jax.tree.leaves(params))
