"""What is simulated, the steps that carry a state forward, and the one loop over them.

A `System` is static: grid, frame and how a potential is read. A `Propagator` turns a potential into
a `Step`, and `rollout` repeats the step. Solvers, baselines and trained emulators are propagators.

    >>> import jax.numpy as jnp
    >>> from qdistill.physics import packets, potentials
    >>> from qdistill.physics.grid import Grid
    >>> from qdistill.teacher import split_step
    >>> system = System(Grid(256, 40.0, "continuum"), dt=0.1)
    >>> psi = packets.gaussian(system.grid, centre=10.0, width=2.0, momentum=3.0)
    >>> v = potentials.barrier(system.grid.positions(), height=4.0, width=2.0, centre=20.0)
    >>> rollout(split_step(system, n_substeps=8), psi[None], v, n_frames=5).shape
    (5, 256)
"""

import dataclasses
import importlib
from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple, Protocol, TypeAlias, runtime_checkable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, Int, Key, PyTree

from qdistill._checks import (
    is_known,
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_new,
    require_one_of,
    require_shape,
)
from qdistill._doors import as_floating, cast, precision, require_frames, require_potential
from qdistill.physics import files
from qdistill.physics.grid import Grid, Scalar

# A pytree of arrays only, so that jit, vmap and grad see all of it.
Potential: TypeAlias = PyTree
Lesson: TypeAlias = Callable[[Key[Array, ""], Grid, Scalar], tuple[Array, Potential]]

SYSTEMS: dict[str, type["System"]] = {}
LESSONS: dict[str, Lesson] = {}


def lesson(name: str) -> Callable[[Lesson], Lesson]:
    """Register ``(key, grid, difficulty) -> (psi, v)`` as a lesson of every system, by a name.

    Raises:
      ValueError: For the name of another lesson; the same one, defined anew, takes its place.
    """

    def register(sample: Lesson) -> Lesson:
        require_new(LESSONS, name, sample, "lesson")
        LESSONS[name] = sample
        return sample

    return register


@dataclasses.dataclass(frozen=True)
class System:
    """One quantum system: i dpsi/dt = [omega(-i grad) + local(v, t, psi)] psi, in atomic units.

    A subclass is a system of your own: override `local`, which reads the potential, and the class
    attributes that say which solvers apply. It is known by the name of its class from then on, and
    the name of another system is refused.

    Attributes:
      grid: Where psi lives.
      dt: Duration of a frame, in atomic units; negative runs time backwards.
      n_channel: Channels, as electronic states: psi is (*n_x) with 0, else (n_channel, *n_x).
      bounds: Lowest and highest value of `local` at all times, in hartree. The Chebyshev solver
        needs them where a potential is traced; None reads them from a known one.
      is_linear: Whether `local` does not depend on psi.
      is_autonomous: Whether neither `local` nor `kinetic` depends on t.
      is_hermitian: Whether the norm is conserved.
    """

    grid: Grid = dataclasses.field(default_factory=Grid)
    dt: float = 0.1
    n_channel: int = 0
    bounds: tuple[float, float] | None = None

    is_linear: ClassVar[bool] = True
    is_autonomous: ClassVar[bool] = True
    is_hermitian: ClassVar[bool] = True

    def __init_subclass__(cls, **kwargs: Any) -> None:  # noqa: D105
        super().__init_subclass__(**kwargs)
        require_new(SYSTEMS, cls.__name__, cls, "system")
        SYSTEMS[cls.__name__] = cls

    def __post_init__(self) -> None:  # noqa: D105
        if not isinstance(self.grid, Grid):
            refuse("grid", "a Grid", repr(self.grid))
        if not is_known((self.dt, self.bounds)):
            refuse("dt, bounds", "known numbers", "traced", "A system is static.")
        require_shape((), dt=self.dt)
        require_finite(dt=self.dt)
        require_between(-np.inf, np.inf, dt=self.dt)
        if self.dt == 0:
            refuse("dt", "different from zero", self.dt)
        require_at_least(0, n_channel=self.n_channel)
        # Plain numbers, so that a system has a hash and a form in JSON.
        object.__setattr__(self, "dt", float(self.dt))
        object.__setattr__(self, "n_channel", int(self.n_channel))
        if self.bounds is not None:
            require_finite(bounds=self.bounds)
            require_between(-np.inf, np.inf, bounds=self.bounds)
            if np.shape(self.bounds) != (2,) or self.bounds[0] > self.bounds[1]:
                refuse("bounds", "(lowest, highest)", self.bounds)
            object.__setattr__(self, "bounds", tuple(map(float, self.bounds)))

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of psi."""
        return (self.n_channel, *self.grid.shape) if self.n_channel else self.grid.shape

    def local(self, v: Potential, t: Scalar, psi: Array | None) -> Inexact[Array, "..."]:
        """The potential as psi meets it at time t: (*n_x), or (n_channel, n_channel, *n_x).

        With psi None it is the part that does not depend on psi.
        """
        del t, psi
        return v

    def kinetic(self, v: Potential, t: Scalar) -> Float[np.ndarray, "*n_x"] | Array:
        """The kinetic energy on the FFT grid at time t, in hartree."""
        del v, t
        return self.grid.kinetic_energy()

    def sample(
        self, name: str, key: Key[Array, ""], difficulty: Scalar
    ) -> tuple[Complex[Array, "..."], Potential]:
        """Sample psi and a potential from a lesson, by its name.

        Raises:
          ValueError: For a name that is not registered.
        """
        if name not in LESSONS:
            # Those of the package are registered where they stand.
            importlib.import_module("qdistill.curriculum")
        require_one_of(LESSONS, lessons=name)
        return LESSONS[name](key, self.grid, difficulty)

    def as_potential(self, user: Any) -> Potential:
        """Check a potential that a user gives, and return it in the form that solvers take.

        Args:
          user: Values on the points of the grid (NumPy, JAX, lists), a function of the positions
            along each axis, or a formula such as ``"5*exp(-(x-50)**2/8)"``; for a system with a
            `local` of its own also the pytree that this reads. In hartree. NumPy's float64 becomes
            float32, as all of JAX does, unless JAX_ENABLE_X64=1 is set.

        Raises:
          ValueError: For another shape, what is not real and finite, values outside `bounds`, or
            values that differ at the ends of the box, which is periodic.

        >>> System(Grid(4, 2.0)).as_potential(lambda x: x * (2.5 - x))
        Array([1. , 1.5, 1.5, 1. ], dtype=float32)
        """
        if isinstance(user, str):
            user = files.from_formula(self.grid, user)
        elif callable(user):
            user = user(*(self.grid.positions(axis) for axis in range(self.grid.n_dim)))
        if self.has_plain_potential or isinstance(user, list):
            v = as_floating(user)
        else:
            v = jax.tree.map(as_floating, user)
        require_potential(self, v)
        if self.has_plain_potential and not self.n_channel and is_known(v):
            for part in (np.real, np.imag):
                files.require_periodic(self.grid, "v", part(np.asarray(v)))
        if self.bounds is not None and not self.n_channel and is_known(v):
            local = np.asarray(self.local(v, 0.0, None))
            low, high = local.min(), local.max()
            allowed = np.asarray(self.bounds, local.dtype)
            if low < allowed[0] or high > allowed[1]:
                cure = "Take a system with wider bounds."
                refuse("v", f"within {self.bounds}", f"between {low:g} and {high:g}", cure)
        return v

    @property
    def has_plain_potential(self) -> bool:
        """Whether a potential is its own values: no `local` of a subclass reads it."""
        return type(self).local is System.local

    @property
    def has_plain_kinetic(self) -> bool:
        """Whether the kinetic energy is the grid's: no `kinetic` of a subclass replaces it."""
        return type(self).kinetic is System.kinetic


SYSTEMS["System"] = System


class Step(NamedTuple):
    """One frame forward, for one potential. Closures of one trace: never pickled, never returned.

    Attributes:
      encode: ``(frames, n) -> state``, from given frames (n_history, ...), oldest first; n is the
        index of the last of them, at the time n dt.
      advance: ``state -> state`` one frame later, of the same structure.
      decode: ``state -> psi``. It may cost a change of basis.
    """

    encode: Callable[[Complex[Array, "..."], Array], PyTree]
    advance: Callable[[PyTree], PyTree]
    decode: Callable[[PyTree], Complex[Array, "..."]]


@runtime_checkable
class Propagator(Protocol):
    """A solver, a baseline or a trained emulator: ``v -> Step``. A pytree; parameters are leaves.

    Calling it checks no values and may be traced; `jax.vmap` over potentials stands around it.

    Attributes:
      system: What it propagates.
      n_history: Frames that it needs.
      is_linear: Whether its step is linear in psi.
      is_unitary: Whether its step conserves the norm.
      is_differentiable: Whether gradients through it are right.
    """

    @property
    def system(self) -> System: ...  # noqa: D102
    @property
    def n_history(self) -> int: ...  # noqa: D102
    @property
    def is_linear(self) -> bool: ...  # noqa: D102
    @property
    def is_unitary(self) -> bool: ...  # noqa: D102
    @property
    def is_differentiable(self) -> bool: ...  # noqa: D102

    def __call__(self, v: Potential) -> Step: ...  # noqa: D102


@dataclasses.dataclass(frozen=True)
class Wrapped:
    """A propagator made of another one. A subclass says what it changes, at least `__call__`.

    Attributes:
      of: The other one.
    """

    of: Propagator

    @property
    def system(self) -> System:
        """What it propagates."""
        return self.of.system

    @property
    def n_history(self) -> int:
        """Frames that it needs."""
        return self.of.n_history

    @property
    def is_linear(self) -> bool:
        """Whether its step is linear in psi."""
        return self.of.is_linear

    @property
    def is_unitary(self) -> bool:
        """Whether its step conserves the norm."""
        return self.of.is_unitary

    @property
    def is_differentiable(self) -> bool:
        """Whether gradients through it are right."""
        return self.of.is_differentiable

    def __call__(self, v: Potential) -> Step:
        """The step of one potential."""
        return self.of(v)


def rollout(
    propagator: Propagator,
    frames: Inexact[Array | np.ndarray, "n_t *n_x"],
    v: Potential,
    n_frames: int,
    *,
    n0: int | np.integer | Int[Array, ""] = 0,
    every: int = 1,
    observe: Callable[[Complex[Array, "..."]], PyTree] | None = None,
) -> PyTree:
    """Propagate given frames, and return the frames that follow, or what is observed of them.

    The given frames are not part of the result. Observations are stacked along a new first axis;
    only they are kept, so memory grows with what is asked for. The arithmetic has the highest
    precision among frames, potential and parameters.

    Args:
      propagator: What carries the state forward.
      frames: Given frames, oldest first, (n_t, *n_x) or (n_t, n_channel, *n_x); the last
        `propagator.n_history` are used. One state is ``psi[None]``.
      v: Potential, without a batch; use `jax.vmap` for many.
      n_frames: Number of frames, a multiple of `every`.
      n0: Index of the last given frame: it is at the time n0 dt.
      every: Observe each `every`-th frame only.
      observe: Function of psi; by default psi itself.

    Raises:
      ValueError: For what is no propagator, frames of another shape or too few of them, a potential
        that the system cannot read or that is not finite, or an `n_frames` that `every` does not
        divide.
    """
    if not isinstance(propagator, Propagator):
        cure = "A student becomes one by student.bind(params)."
        refuse("propagator", "a solver or an emulator", type(propagator).__name__, cure)
    system, n_history = propagator.system, propagator.n_history
    require_at_least(1, n_frames=n_frames, every=every)
    if n_frames % every:
        refuse("n_frames", f"a multiple of every = {every}", n_frames)
    require_frames(system, n_history, frames, n0)
    require_potential(system, v)
    dtype = precision(frames, v, propagator)
    v = jax.tree.map(lambda leaf: cast(leaf, dtype), v)
    step = propagator(v)

    def advance(state: PyTree, _: None) -> tuple[PyTree, PyTree]:
        if every == 1:
            state = step.advance(state)
        else:
            state = jax.lax.fori_loop(0, every, lambda _, state: step.advance(state), state)
        psi = step.decode(state)
        return state, psi if observe is None else observe(psi)

    given = jnp.asarray(frames, dtype)[len(frames) - n_history :]
    state = step.encode(given, jnp.asarray(n0))
    return jax.lax.scan(advance, state, None, length=n_frames // every)[1]
