"""The sensitivity of a forecast to its inputs: the Jacobian by frame, channel and offset.

One input is moved at one place, Re psi, Im psi or V of one given frame, and the forecast answers
around it. The exact solver has one frame as its input; what it answers to psi is its kernel, and to
V it is first-order perturbation theory,

    d psi(dt) / d V(y) = -i integral_0^dt U(dt - s) delta_y U(s) psi ds.

A student with a history of frames has one answer for each, but how it is shared among them is not
unique: the frames determine each other, and any two shares that are the same along solutions make
the same forecasts. So beside the frames stand their sum, as if all were moved alike, and what is
unique and may be compared with the exact solver: the answer to the newest frame *with its past*,
the older frames moved as the exact solver moves them.

A single point holds all waves that the lattice holds, three quarters of them beyond those of any
lesson. The same is therefore asked with a band-limited impulse; and beside V at one place stands
the landscape as a whole, made higher or lower as lessons have it.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from qdistill._checks import require_at_least, require_positive
from qdistill._rollout import rollout
from qdistill.insight.interventions.effects import World
from qdistill.insight.probes.cone import impulse
from qdistill.students import Student
from qdistill.teacher.solvers import Propagator

# A change of either sign, in units of the input's rms, where derivatives are differences.
NUDGE = 0.01
# Where psi is: a share of the largest density.
PRESENT = 0.05

State: TypeAlias = Complex[Array, "*state"]


class Answers(NamedTuple):
    """What a forecast answers to a unit change of an input, at all offsets from it.

    The directions are Re and Im of each given frame, oldest first; Re and Im of the newest frame
    with its past; V; and V as a whole, per relative change of its height, at the same points.
    Offsets are those of the input from the forecast point.

    Attributes:
      columns: Derivatives; of psi without unit, of V in 1/hartree times psi's unit.
      is_inside: Whether V is not zero at the forecast point.
      offset: In points.
    """

    columns: Complex[np.ndarray, "n_case n_place n_ahead n_direction n_offset"]
    is_inside: Float[np.ndarray, "n_case n_place n_offset"]
    offset: Int[np.ndarray, " n_offset"]


def choose_places(
    psi: Complex[np.ndarray, "n_case n_x"], n_place: int, seed: int
) -> Int[np.ndarray, "n_case n_place"]:
    """Random points in each case where psi is."""
    require_at_least(1, n_place=n_place)
    rng = np.random.default_rng(seed)
    density = np.abs(psi) ** 2
    present = density > PRESENT * density.max(axis=-1, keepdims=True)
    return np.stack([rng.choice(np.flatnonzero(row), n_place) for row in present])


def measure_answers(
    world: World,
    student: Student,
    propagator: Propagator,
    given: Complex[Array, "n_case n_given n_x"],
    v: Float[Array, "n_case n_x"],
    places: Int[np.ndarray, "n_case n_place"],
    ahead: tuple[int, ...] = (1,),
    reach: int = 24,
    k_band: float | None = None,
    is_differentiable: bool = True,
) -> Answers:
    """The derivatives of forecast frames along single inputs.

    Args:
      world: The physics; its exact solver gives changes their past.
      student: The form of the propagator; `students.from_propagator` for a solver.
      propagator: What is asked.
      given: Frames of a solution, oldest first, at least as many as the student needs.
      v: Landscapes, in hartree, within the world's range.
      places: Where inputs are moved, as indices of points.
      ahead: Which frames of the forecast, counted from 1, rising.
      reach: Largest offset, in points.
      k_band: Largest wavenumber of an impulse in place of a single point, in 1/bohr.
      is_differentiable: Whether derivatives of the forecast are true ones; else (a gauge that is
        stopped) they are central differences.

    Raises:
      ValueError: For no frame ahead, or a band that is not positive.
    """
    for frame in ahead:
        require_at_least(1, ahead=frame)
    require_at_least(1, reach=reach)
    offset = np.arange(-reach, reach + 1)
    shape = np.zeros(world.grid.shape, np.float32)
    shape[0] = 1
    if k_band is not None:
        require_positive(k_band=k_band)
        shape = np.asarray(impulse(world.grid, k_band)).real
        shape = np.roll(shape, -int(np.argmax(shape)))
        shape = shape / np.linalg.norm(shape)
    ask = _ask(world, student, propagator, ahead, is_differentiable)
    columns, inside = [], []
    for frames, landscape, mine in zip(given, v, places, strict=True):
        found = ask(frames, landscape, jnp.asarray(shape, v.dtype), jnp.asarray(mine))
        # A forecast point lies before its input by the offset.
        points = (mine[:, None] - offset[None]) % world.grid.shape[0]
        picked = [np.asarray(each)[..., at] for each, at in zip(found, points, strict=True)]
        columns.append(np.stack(picked))
        inside.append(np.asarray(landscape)[points] != 0)
    return Answers(np.stack(columns), np.stack(inside).astype(float), offset)


@functools.cache
def _ask(
    world: World,
    student: Student,
    propagator: Propagator,
    ahead: tuple[int, ...],
    is_differentiable: bool,
) -> Callable[..., Array]:
    """The compiled ``(given, v, shape, places) -> (n_place, n_ahead, n_direction, n_x)``."""
    n_history = student.n_history

    def forecast(state: State, v: Array) -> Array:
        frames = rollout(propagator(v), state, max(ahead), student.psi)
        return frames[np.asarray(ahead) - 1]

    def changes(v: Array, unit: Array) -> tuple[Array, Array]:
        """All directions, of the state and of the landscape."""
        turns = jnp.asarray([1, 1j], unit.dtype)
        single = jnp.einsum("hg,c,x->hcgx", jnp.eye(n_history), turns, unit)
        past = [unit]
        if n_history > 1:
            older = rollout(world.backwards(v), unit, n_history - 1)
            past = [*older[::-1], unit]
        moving = turns[:, None, None] * jnp.stack(past)[None]
        of_psi = jnp.concatenate([single.reshape(-1, n_history, len(unit)), moving])
        of_psi = jnp.concatenate([of_psi, jnp.zeros_like(of_psi[:2])])
        of_v = jnp.zeros((len(of_psi), len(v)), v.dtype)
        of_v = of_v.at[-2].set(unit.real).at[-1].set(v)
        return (of_psi[:, 0] if n_history == 1 else of_psi), of_v

    def ask(given: Array, v: Array, shape: Array, places: Array) -> Array:
        state = student.state(given)
        sizes = _rms(given[-1]), jnp.maximum(_rms(v), 1.0)

        def along(change: tuple[Array, Array]) -> Array:
            if is_differentiable:
                return jax.jvp(forecast, (state, v), change)[1]
            # V is never moved together with psi.
            of_psi = jnp.max(jnp.abs(change[0])) / sizes[0]
            of_v = jnp.max(jnp.abs(change[1])) / sizes[1]
            nudge = NUDGE / jnp.maximum(jnp.maximum(of_psi, of_v), 1e-6)
            up, down = (
                forecast(state + s * nudge * change[0], v + s * nudge * change[1]) for s in (1, -1)
            )
            return (up - down) / (2 * nudge)

        def at(place: Array) -> Array:
            unit = jnp.roll(shape, place).astype(given.dtype)
            return jnp.moveaxis(jax.vmap(along)(changes(v, unit)), 0, 1)

        return jax.lax.map(at, places)

    return jax.jit(ask)


def _rms(values: Array) -> Array:
    """Where they are: over points with at least a twentieth of the largest square."""
    square = jnp.abs(values) ** 2
    is_there = square > PRESENT * jnp.max(square)
    return jnp.sqrt(jnp.sum(jnp.where(is_there, square, 0)) / jnp.maximum(jnp.sum(is_there), 1))
