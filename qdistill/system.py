"""Systems, steps, propagators, and `rollout`, the one loop over steps.

A `System` is static: it holds the grid, the duration of a frame and the Hamiltonian. A `Propagator`
turns a potential into a `Step`, and `rollout` repeats the step. Solvers, baselines and trained
emulators are propagators.

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
from qdistill._doors import (
    as_floating,
    at_positions,
    cast,
    note_precision,
    precision,
    require_bounds,
    require_potential,
    require_psi,
    require_sample,
    require_start,
    require_state,
    require_step,
)
from qdistill._programs import scan
from qdistill._refusals import explained
from qdistill.physics import files
from qdistill.physics.grid import Grid, Scalar

# A pytree of arrays only, so that jit, vmap and grad see all of it.
Potential: TypeAlias = PyTree
Lesson: TypeAlias = Callable[[Key[Array, ""], Grid, Scalar], tuple[Array, Potential]]

SYSTEMS: dict[str, type["System"]] = {}
LESSONS: dict[str, Lesson] = {}


@explained
def lesson(name: str) -> Callable[[Lesson], Lesson]:
    """Register a function ``(key, grid, difficulty) -> (psi, v)`` as a lesson of every system.

    Raises:
      ValueError: For the name of another lesson. The same function may be defined again.
    """

    def register(sample: Lesson) -> Lesson:
        require_new(LESSONS, name, sample, "lesson")
        LESSONS[name] = sample
        return sample

    return register


@explained
@dataclasses.dataclass(frozen=True)
class System:
    """A quantum system: i dpsi/dt = [omega(-i grad) + local(v, t, psi)] psi, in atomic units.

    Subclass it for a system of your own: override `local`, which interprets the potential, and the
    class attributes that say which solvers apply. Subclasses are registered by class name; the name
    of another system is refused.

    Attributes:
      grid: The grid of psi.
      dt: Duration of a frame, in atomic units; a negative one runs backwards in time.
      n_channel: Number of channels, such as electronic states. psi is (*n_x) for 0, else
        (n_channel, *n_x).
      bounds: Lowest and highest value of `local` at all times, in hartree; between channels, of its
        eigenvalues. The Chebyshev solver needs them if the potential is traced; with None it reads
        them from a concrete potential.
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
        # Plain numbers, so that a system is hashable and can be written as JSON.
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
        """Return the potential energy that acts on psi at time t, in hartree.

        Its shape is (*n_x), or (n_channel, n_channel, *n_x) between channels. With psi None it is
        the part that does not depend on psi.
        """
        del t, psi
        return v

    def kinetic(self, v: Potential, t: Scalar) -> Float[np.ndarray, "*n_x"] | Array:
        """Return the kinetic energy on the FFT grid at time t, in hartree."""
        del v, t
        return self.grid.kinetic_energy()

    def sample(
        self, name: str, key: Key[Array, ""], difficulty: Scalar
    ) -> tuple[Complex[Array, "..."], Potential]:
        """Sample psi and a potential from a lesson, given by name.

        Raises:
          ValueError: For an unknown name, and a lesson that returns no (psi, v) of this system.
        """
        if name not in LESSONS:
            # Importing the module registers the lessons of the package.
            importlib.import_module("qdistill.curriculum")
        require_one_of(LESSONS, lessons=name)
        return require_sample(self, name, LESSONS[name](key, self.grid, difficulty))

    def as_potential(self, user: Any) -> Potential:
        """Check a potential that a user gives, and return it in the form that solvers take.

        Args:
          user: The potential in hartree: values on the points of the grid (NumPy, JAX, lists), a
            function of the positions along each axis alone, such as one of `physics.crossings` for
            two channels with its parameters, or a formula such as ``"5*exp(-(x-50)**2/8)"``. For a
            system that overrides `local`, also its pytree. NumPy's float64 becomes float32, with a
            warning, unless JAX_ENABLE_X64=1 is set.

        Raises:
          ValueError: For another shape, values that are not real and finite, that lie outside
            `bounds`, or, on a line, that differ at the two ends of the periodic box.

        >>> System(Grid(4, 2.0)).as_potential(lambda x: x * (2.5 - x))
        Array([1. , 1.5, 1.5, 1. ], dtype=float32)
        """
        given = user
        if isinstance(user, str):
            user = files.from_formula(self.grid, user)
        elif callable(user):
            user = at_positions(self.grid, user)
        if self.has_plain_potential or isinstance(user, list):
            v = as_floating(user)
        else:
            v = jax.tree.map(as_floating, user)
        require_potential(self, v)
        # In a plane walls may end at the edges; lessons have such walls.
        is_plain_line = self.has_plain_potential and not self.n_channel and self.grid.n_dim == 1
        if is_plain_line and is_known(v):
            for part in (np.real, np.imag):
                files.require_periodic(self.grid, "v", part(np.asarray(v)))
        require_bounds(self, v)
        note_precision(v=given)
        return v

    @property
    def has_plain_potential(self) -> bool:
        """Whether the potential is given by its values: no subclass overrides `local`."""
        return type(self).local is System.local

    @property
    def has_plain_kinetic(self) -> bool:
        """Whether the kinetic energy is the grid's: no subclass overrides `kinetic`."""
        return type(self).kinetic is System.kinetic


SYSTEMS["System"] = System


class Step(NamedTuple):
    """The functions that advance a state by one frame, for one potential.

    They are closures that may hold traced values: do not pickle them or return them from a jitted
    function.

    Attributes:
      encode: ``(frames, n) -> state``, from given frames (n_history, ...), oldest first; n is the
        index of the last of them, at time n dt.
      advance: ``state -> state``, one frame later, of the same structure.
      decode: ``state -> psi``; it may include a change of basis.
    """

    encode: Callable[[Complex[Array, "..."], Array], PyTree]
    advance: Callable[[PyTree], PyTree]
    decode: Callable[[PyTree], Complex[Array, "..."]]


@runtime_checkable
class Propagator(Protocol):
    """The interface of solvers, baselines and trained emulators: ``v -> Step``.

    A propagator is a pytree with its parameters as leaves. Calling it checks no values and may be
    traced; use `jax.vmap` around it for many potentials.

    Attributes:
      system: The system that it propagates.
      n_history: Number of given frames that it needs.
      is_linear: Whether its step is linear in psi.
      is_unitary: Whether its step conserves the norm.
      is_differentiable: Whether gradients through it are correct.
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


@explained
@dataclasses.dataclass(frozen=True)
class Wrapped:
    """A propagator that wraps another one; subclasses override `__call__` and what else differs.

    Attributes:
      of: The wrapped propagator.
    """

    of: Propagator

    @property
    def system(self) -> System:
        """The system of the wrapped propagator."""
        return self.of.system

    @property
    def n_history(self) -> int:
        """The number of given frames that the wrapped propagator needs."""
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
        """Whether gradients through it are correct."""
        return self.of.is_differentiable

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential."""
        return self.of(v)


@explained
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
    """Return the frames that follow given frames, or observations of them.

    The given frames are not part of the result. Observations are stacked along a new first axis;
    only they are kept. The precision is the highest among frames, potential and parameters. Outside
    of `jit` the setup of the step is repeated in each call, and the loop is compiled anew only if
    none of the last few calls had the same; `jax.jit` compiles both once.

    Args:
      propagator: A solver or a trained emulator.
      frames: Given frames, oldest first, (n_t, *n_x) or (n_t, n_channel, *n_x); the last
        `propagator.n_history` are used. One state is ``psi[None]``. Real ones become complex.
      v: Potential, without a batch; use `jax.vmap` for many.
      n_frames: Number of frames, a multiple of `every`.
      n0: Index of the last given frame, which is at time n0 dt.
      every: Observe every `every`-th frame only.
      observe: Function of psi; by default psi itself.

    Raises:
      ValueError: For an object that is not a propagator; frames of another shape, or too few; a
        potential not finite or not of the system; outside of `jit`, frames that are not finite and
        what an emulator's `check` refuses; `n_frames` not a multiple of `every`; a wrong `Step`.
    """
    if not isinstance(propagator, Propagator):
        cure = "A student becomes one by student.bind(params)."
        refuse("propagator", "a solver or an emulator", type(propagator).__name__, cure)
    require_at_least(1, n_frames=n_frames, every=every)
    if n_frames % every:
        refuse("n_frames", f"a multiple of every = {every}", n_frames)
    require_start(propagator, frames, v, n0)
    note_precision(frames=frames, v=v)
    dtype = precision(frames, v, propagator)
    v = jax.tree.map(lambda leaf: cast(leaf, dtype), v)
    step = _checked_step(propagator, v)

    def advance(state: PyTree, _: None) -> tuple[PyTree, PyTree]:
        if every == 1:
            state = step.advance(state)
        else:
            state = jax.lax.fori_loop(0, every, lambda _, state: step.advance(state), state)
        psi = step.decode(state)
        return state, psi if observe is None else observe(psi)

    given = jnp.asarray(frames, dtype)[len(frames) - propagator.n_history :]
    state = step.encode(given, jnp.asarray(n0))
    if is_known((propagator, frames, v, n0)):
        return scan(advance, state, n_frames // every)
    return jax.lax.scan(advance, state, None, length=n_frames // every)[1]


def _checked_step(propagator: Propagator, v: Potential) -> Step:
    """The step of a propagator, checked; its results are checked while they are traced."""
    step = propagator(v)
    require_step(propagator, step)

    def advance(state: PyTree) -> PyTree:
        later = step.advance(state)
        require_state(propagator, state, later)
        return later

    def decode(state: PyTree) -> Complex[Array, "..."]:
        psi = step.decode(state)
        # A wrapper may decode something else, such as a mean over the frames.
        if not isinstance(propagator, Wrapped):
            require_psi(propagator, psi)
        return psi

    return Step(step.encode, advance, decode)
