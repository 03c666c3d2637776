"""What a coalition of lessons is worth: the forecast errors of its student, by kind of case."""

import math
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from qdistill._checks import require_at_least, require_between
from qdistill._rollout import rollout
from qdistill.forecast import baselines as generalisation
from qdistill.forecast import benchmark, metrics
from qdistill.forecast.benchmark import BenchmarkConfig, Runs
from qdistill.insight.probes import learning
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import Grid
from qdistill.students import Student

Errors: TypeAlias = Float[np.ndarray, "*training n_family n_case"]
# Frames after which a packet of `generalisation.sample_cases` is close to its landscape.
N_LEAD = 80


class Exams(NamedTuple):
    """Exact runs of each family, one family after the other, as many of each."""

    families: tuple[str, ...]
    runs: Runs


def make_lesson_exams(
    grid: Grid, dt: float, seed: int, n_case: int, n_frames: int, lessons: tuple[str, ...]
) -> Exams:
    """Fresh experiments of each lesson, at full difficulty, from their first frames on."""
    made = learning.make_exams(grid, dt, seed, n_case, n_frames, lessons)
    return Exams(made.processes, made.runs)


def make_landscape_exams(
    grid: Grid, dt: float, seed: int, n_case: int, n_frames: int, n_lead: int = N_LEAD
) -> Exams:
    """Packets about to meet potentials of every family.

    Args:
      grid: A line of 100 bohr.
      dt: Duration of a frame, in atomic units.
      seed: Of the packets and landscapes.
      n_case: Of each family.
      n_frames: To forecast.
      n_lead: Frames that the exact solver takes first, in which packets fly towards the landscape.
    """
    require_at_least(1, n_case=n_case, n_frames=n_frames)
    require_at_least(4, n_lead=n_lead)
    families = tuple(FAMILIES)
    drawn, psi0, v = generalisation.sample_cases(jax.random.key(seed), grid, n_case * len(families))
    order = np.argsort([families.index(name) for name in drawn], kind="stable")
    config = BenchmarkConfig(n_frames=n_frames, n_given=n_lead)
    truth = benchmark.simulate(grid, dt, psi0[order], v[order], config)
    # No student needs more than four.
    return Exams(families, truth._replace(given=truth.given[:, -4:]))


def examine(student: Student, params: PyTree, exams: Exams) -> Errors:
    """|forecast - truth| / |truth|, the mean over the frames, of every case and every training.

    Args:
      student: Whose parameters these are.
      params: With a first axis n_training.
      exams: The cases.
    """

    def of_case(params: PyTree, case: Runs) -> Array:
        step, state = student.propagator(params)(case.v), student.state(case.given)
        return jnp.mean(metrics.nrmse(rollout(step, state, n_frames, student.psi), case.frames))

    def of_training(params: PyTree) -> Array:
        return jax.vmap(of_case, (None, 0))(params, exams.runs)

    n_frames = exams.runs.frames.shape[1]
    errors = jax.jit(lambda params: jax.lax.map(of_training, params))(params)
    return np.asarray(errors, float).reshape(len(errors), len(exams.families), -1)


def skill(errors: Errors) -> Float[np.ndarray, "*training n_family"]:
    """The value of a student: -log10 of its error, mean over cases, clipped at 1.

    An error of 1 is that of forecasting nothing, psi = 0; so no forecast is worth less than none,
    and each unit of value is a factor of ten in the error.

    Raises:
      ValueError: For an error below zero, or that is not a number.

    >>> skill(np.array([[[0.01, 0.01], [1.4, 2.0]]]))
    array([[2., 0.]])
    """
    require_between(0, math.inf, errors=errors)
    return -np.log10(np.clip(errors.mean(axis=-1), 1e-12, 1)) + 0.0
