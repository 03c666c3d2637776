"""Errors of a student on each lesson during a training, and the order in which they fall.

The order depends on the rule, its threshold, the test cases and the seed. Compare several of each
before drawing a conclusion.
"""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from qdistill._checks import (
    refuse,
    require_at_least,
    require_finite,
    require_positive,
    require_seed,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.forecast import cases, metrics
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig, make_truth
from qdistill.insight.harness import Report
from qdistill.insight.harness.frames import N_AT_ONCE
from qdistill.students import Student
from qdistill.system import Potential, Propagator, System, rollout
from qdistill.training import loop
from qdistill.training.loop import Trainer, TrainState

# Lessons with one process each.
PROCESSES = ("free", "scattering", "tunnelling", "interference", "trapping")


@explained
@dataclasses.dataclass(frozen=True)
class Learning(Report):
    """The forecast error of each process during a training.

    Attributes:
      step: Training steps, ascending from 0.
      error: Relative L2 error, mean over the frames and median over the cases of a process.
      processes: Names of the processes.
      learned: Step from which on the error is at most `factor` times its last value.
      reached: First step at which the error is at most `level`, or -1 for never.
      factor, level: Thresholds of these two rules. With a falling learning rate the first rule is
        late for the processes with the smallest last error.
    """

    step: Int[np.ndarray, " n_t"]
    error: Float[np.ndarray, "n_t n_process"]
    processes: tuple[str, ...]
    learned: Int[np.ndarray, " n_process"]
    reached: Int[np.ndarray, " n_process"]
    factor: float
    level: float


@explained
def sample_lessons(
    system: System,
    seed: int,
    n_case: int,
    n_frames: int,
    lessons: Sequence[str] = PROCESSES,
) -> Cases:
    """Return solved test cases of each lesson at difficulty 1.

    Args:
      system: A system that has these lessons.
      seed: Random seed of the packets and potentials.
      n_case: Number of cases of each lesson.
      n_frames: Number of frames to forecast; as many are given as in the held-out test.
      lessons: Names of the lessons.

    Returns:
      The cases, ordered by lesson; the family of each is its lesson.
    """
    require_seed(seed=seed)
    require_at_least(1, n_case=n_case, n_lesson=len(lessons))
    drawn = []
    for i, name in enumerate(lessons):
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), i), n_case)
        draw = jax.vmap(lambda key, name=name: system.sample(name, key, 1.0))
        drawn.append(jax.jit(draw)(keys))
    psi0, v = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *drawn)
    if not np.all(np.isfinite(psi0)):
        wanted = "one on which the packets of the lessons are finite"
        refuse("system.grid", wanted, system.grid, "Take more points, or a larger box.")
    family = tuple(name for name in lessons for _ in range(n_case))
    test = BenchmarkConfig()
    solver = make_truth(test, system, v)
    return cases.simulate(solver, psi0, v, test.n_given, n_frames, family)


@explained
@jax.jit
def forecast_errors(propagator: Propagator, truth: Cases) -> Float[Array, " n_case"]:
    """Return the relative L2 error of each case, mean over its frames.

    The first given frame is at t = 0, as in `cases.simulate`.
    """
    n_given, n_frames = truth.given.shape[1], truth.frames.shape[1]

    def error(case: tuple[Array, Potential, Array]) -> Array:
        given, v, frames = case
        own = rollout(propagator, given, v, n_frames, n0=n_given - 1)
        return jnp.mean(metrics.nrmse(own, frames))

    return jax.lax.map(error, (truth.given, truth.v, truth.frames), batch_size=N_AT_ONCE)


@explained
def measure_learning(
    student: Student,
    trainers: Sequence[Trainer],
    boundaries: Sequence[int],
    state: TrainState,
    truth: Cases,
    every: int,
    factor: float = 10.0,
    level: float = 0.1,
    progress: Callable[[dict[str, Any]], None] = lambda log: None,
) -> Learning:
    """Train a student and measure its errors on each process during the training.

    A batch is a function of the seed and the step. So a training from the config of a run repeats
    that run, up to rounding of the machine.

    Args:
      student: The student that is trained.
      trainers, boundaries, state: See `training.loop.fit`.
      truth: Test cases whose family is the process, as `sample_lessons` returns them.
      every: Steps between measurements, at the ends of blocks; the first and the last state are
        always measured.
      factor, level: Thresholds of the two rules in `Learning`.
      progress: Function called with the metrics of every block.
    """
    require_at_least(1, every=every)
    require_positive(factor=factor, level=level)
    processes, family = tuple(dict.fromkeys(truth.family)), np.array(truth.family)

    def errors(state: TrainState) -> list[float]:
        each = np.asarray(forecast_errors(student.bind(state.params), truth), float)
        return [float(np.median(each[family == name])) for name in processes]

    steps, rows = [int(state.step)], [errors(state)]
    for new, log in loop.fit(trainers, boundaries, state):
        progress(log)
        if log["step"] - steps[-1] >= every or log["step"] == boundaries[-1]:
            steps.append(log["step"])
            rows.append(errors(new))
    return describe_learning(np.array(steps), np.array(rows), processes, factor, level)


@explained
def steps_until(
    step: Int[np.ndarray, " n_t"], error: Float[np.ndarray, "n_t n_process"], factor: float
) -> Int[np.ndarray, " n_process"]:
    """Return the step from which on each error is at most `factor` times its last value.

    >>> error = np.array([[9.0], [0.5], [2.0], [0.5], [0.1]])
    >>> steps_until(np.array([0, 10, 20, 30, 40]), error, factor=10.0)
    array([30])
    """
    require_finite(step=step)
    within = error <= factor * error[-1]
    # The last record satisfies the rule unless it is NaN.
    stays = np.cumprod(within[::-1], axis=0)[::-1]
    return step[len(step) - np.maximum(1, stays.sum(axis=0))]


@explained
def describe_learning(
    step: Int[np.ndarray, " n_t"],
    error: Float[np.ndarray, "n_t n_process"],
    processes: tuple[str, ...],
    factor: float,
    level: float,
) -> Learning:
    """Return the steps of both rules from the errors at several steps."""
    require_positive(factor=factor, level=level)
    require_finite(step=step)
    require_shape((len(step), len(processes)), error=error)
    factor, level = float(factor), float(level)
    is_there = error <= level
    reached = np.where(is_there.any(axis=0), step[np.argmax(is_there, axis=0)], -1)
    learned = steps_until(step, error, factor)
    first = [int(at) if at >= 0 else None for at in reached]
    numbers = {
        "step": step.tolist(),
        "error": dict(zip(processes, error.T.tolist(), strict=True)),
        "factor": factor,
        "level": level,
        "steps_until_learned": dict(zip(processes, learned.tolist(), strict=True)),
        "steps_until_level": dict(zip(processes, first, strict=True)),
    }
    return Learning(
        numbers, _table(numbers), step, error, processes, learned, reached, factor, level
    )


def _table(numbers: dict[str, Any]) -> str:
    """A table of the order of processes by either rule; None means never."""

    def order(steps: dict[str, int | None]) -> str:
        rows = sorted(steps.items(), key=lambda row: np.inf if row[1] is None else row[1])
        return ", ".join(f"{name} {'never' if at is None else f'{at:,}'}" for name, at in rows)

    last = ", ".join(f"{name} {error[-1]:.1e}" for name, error in numbers["error"].items())
    return "\n".join(
        [
            "order of learning, in steps",
            f"  error first at {numbers['level']:g}: {order(numbers['steps_until_level'])}",
            f"  error stays within {numbers['factor']:g} times its last value: "
            f"{order(numbers['steps_until_learned'])}",
            f"  last error: {last}",
        ]
    )
