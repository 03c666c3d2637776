"""What an intervention does to the future: by the exact solver, and by a student.

With psi the exact future and psi' that after the intervention, phi and phi' the student's,

    effect = |psi' - psi| / |psi|,
    unfaithfulness = |(phi' - phi) - (psi' - psi)| / |psi' - psi|.

A student that knows the cause has an unfaithfulness near 0; one that forecasts the usual outcome
whatever is done has 1. Its ratio to the error of the usual forecast, |phi - psi| / |psi|, is near 1
for a student that knows the cause as well as the outcome, and far above 1 for one that knows the
outcome only.

What a deletion does is linear in the state. The exact evolution is linear and unitary, so the
effect of deleting a part is, at all times, the norm of that part, and the effect of turning its
phase by pi is twice that: these effects say how much there is of a process, not where it matters.
Where it matters, the *moved* probability tells, half the integral of | |psi'|^2 - |psi|^2 |. And
for a student that is linear by construction, phi' - phi is its forecast of the part deleted.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_at_least
from qdistill._rollout import rollout
from qdistill.insight.interventions.interventions import Intervention, Landscape, Moment, Psi
from qdistill.insight.probes.waves import forecast
from qdistill.physics.grid import Grid
from qdistill.students import Student, from_propagator
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator

# Of the norm: where the exact effect is smaller, its relative error is not looked at.
LEAST = 0.01

PerCase = Float[np.ndarray, " n_case"]


class World(NamedTuple):
    """The physics in which one intervenes; static.

    Attributes:
      grid: One-dimensional.
      dt: Duration of a frame, in atomic units.
      forwards, backwards: The exact solver, and the same with time reversed.
      exact: The solver in the form of a student.
    """

    grid: Grid
    dt: float
    forwards: Propagator
    backwards: Propagator
    exact: Student


def make_world(
    grid: Grid, dt: float, v_range: tuple[float, float], tolerance: float = 1e-7
) -> World:
    """The exact solver in both directions of time.

    Args:
      grid: One-dimensional.
      dt: Duration of a frame, in atomic units.
      v_range: Of all landscapes, before and after interventions, in hartree.
      tolerance: Per frame.
    """
    forwards, backwards = (solver.chebyshev(grid, t, tolerance, v_range) for t in (dt, -dt))
    return World(grid, dt, forwards, backwards, from_propagator(forwards))


class Experiment(NamedTuple):
    """An intervention in every case: given frames with and without it, and the exact futures.

    Attributes:
      given: Usual and changed, oldest first.
      v: Usual and changed.
      future: At the horizon, usual and changed.
      gap: How far the frame before the changed state would be from the truth, relative, had the
        intervention been done to every given frame in place of the last alone.
    """

    given: Complex[Array, "2 n_case n_given n_x"]
    v: Float[Array, "2 n_case n_x"]
    future: Complex[Array, "2 n_case n_x"]
    gap: Float[Array, " n_case"]


def experiment(
    world: World, intervention: Intervention, moments: Moment, n_given: int, n_frames: int
) -> Experiment:
    """Intervene at given moments, and solve what follows.

    Args:
      world: The physics.
      intervention: What is done.
      moments: Stacked along a first axis.
      n_given: Frames that students need, at least 1.
      n_frames: From the moment to the horizon, at least 1.
    """
    require_at_least(1, n_given=n_given, n_frames=n_frames)
    psi, v = _intervene(world.grid, intervention, moments)
    n_past = max(2, n_given)
    usual = recall(world, n_past, moments.psi, moments.v)
    changed = recall(world, n_past, psi, v)
    before = usual[:, -2]
    frame_by_frame, _ = _intervene(world.grid, intervention, moments._replace(psi=before))
    gap = jnp.linalg.norm(frame_by_frame - changed[:, -2], axis=-1)
    given = jnp.stack([usual, changed])[:, :, -n_given:]
    both_v = jnp.stack([moments.v, v])
    future = _futures(world.exact, world.forwards, given, both_v, n_frames)
    return Experiment(given, both_v, future, gap / jnp.linalg.norm(psi, axis=-1))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _intervene(grid: Grid, intervention: Intervention, moments: Moment) -> tuple[Array, Array]:
    def act(moment: Moment) -> tuple[Psi, Landscape]:
        return intervention.on_psi(grid, moment, moment.psi), intervention.on_v(grid, moment)

    return jax.vmap(act)(moments)


@functools.partial(jax.jit, static_argnums=(0, 1))
def recall(
    world: World, n_past: int, psi: Complex[Array, "n_case n_x"], v: Float[Array, "n_case n_x"]
) -> Complex[Array, "n_case n_past n_x"]:
    """The frames up to psi in each case, as the exact solver would have come to it.

    Args:
      world: The physics.
      n_past: How many, psi among them, at least 2.
      psi: The newest.
      v: In hartree, within the range of the world.
    """
    require_at_least(2, n_past=n_past)

    def one(psi: Psi, v: Landscape) -> Array:
        return jnp.concatenate([psi[None], rollout(world.backwards(v), psi, n_past - 1)])[::-1]

    return jax.vmap(one)(psi, v)


def _futures(
    student: Student, propagator: Propagator, given: Array, v: Array, n_frames: int
) -> Complex[Array, "2 n_case n_x"]:
    """At the horizon."""
    both = given.reshape(-1, *given.shape[2:]), v.reshape(-1, v.shape[-1])
    return forecast(student, propagator, *both, n_frames)[:, -1].reshape(v.shape)


class Effects(NamedTuple):
    """Of one intervention on one student's forecasts, by case; see the top of the file.

    Attributes:
      effect: The exact one.
      moved: Probability that the exact effect moves elsewhere, or takes away: half the L1 norm.
      own_effect: On the student's own forecasts.
      own_moved: The same.
      error: Of the student's usual forecast.
      unfaithfulness: Not a number where the exact effect is below `LEAST`.
      excess: Unfaithfulness over error; likewise.
    """

    effect: PerCase
    moved: PerCase
    own_effect: PerCase
    own_moved: PerCase
    error: PerCase
    unfaithfulness: PerCase
    excess: PerCase


def measure_effects(
    world: World, student: Student, propagator: Propagator, done: Experiment, n_frames: int
) -> Effects:
    """Set a student's effect of an intervention beside the exact one.

    Args:
      world: The physics.
      student: The form of the propagator; `students.from_propagator` for a solver.
      propagator: What is asked.
      done: Of this world, with as many given frames as the student needs.
      n_frames: Those of the experiment.

    Raises:
      ValueError: For too few given frames.
    """
    own = _futures(student, propagator, done.given, done.v, n_frames)
    phi, phi_done = np.asarray(own, complex)
    psi, psi_done = np.asarray(done.future, complex)
    cell = world.grid.cell

    def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return np.sum(np.abs(np.abs(after) ** 2 - np.abs(before) ** 2), axis=-1) * cell / 2

    with np.errstate(all="ignore"):
        size, effect = _norm(psi), _norm(psi_done - psi)
        missed = _norm((phi_done - phi) - (psi_done - psi))
        error = _norm(phi - psi) / size
        unfaithfulness = np.where(effect >= LEAST * size, _or_infinite(missed / effect), np.nan)
        return Effects(
            effect / size,
            moved(psi, psi_done),
            _norm(phi_done - phi) / _norm(phi),
            moved(phi, phi_done),
            error,
            unfaithfulness,
            unfaithfulness / error,
        )


def _norm(psi: np.ndarray) -> PerCase:
    return np.linalg.norm(psi, axis=-1)


def _or_infinite(values: np.ndarray) -> np.ndarray:
    """What diverges is infinitely wrong."""
    return np.where(np.isfinite(values), values, np.inf)
