"""The order of learning: which physical process a student masters first, and which last."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from qdistill import benchmark, lessons, metrics, training
from qdistill.arguments import require_at_least, require_one_of, require_positive
from qdistill.benchmark import BenchmarkConfig, Runs
from qdistill.grid import Grid
from qdistill.probes.waves import N_AT_ONCE
from qdistill.rollout import rollout
from qdistill.students import Student
from qdistill.training import Trainer, TrainState

# The lessons that hold one process each.
PROCESSES = ("free", "scattering", "tunnelling", "interference", "trapping")


class Learning(NamedTuple):
    """The forecast error of each process as a student learns.

    Attributes:
      step: Training steps, rising from 0.
      error: |forecast - truth| / |truth|, the mean over the frames and the median over the
        cases of a process.
      processes: Their names.
      learned: Steps after which the error of each stays below `factor` times its last value.
      factor: Of this rule.
    """

    step: Int[np.ndarray, " n_t"]
    error: Float[np.ndarray, "n_t n_process"]
    processes: tuple[str, ...]
    learned: Int[np.ndarray, " n_process"]
    factor: float


class Exams(NamedTuple):
    """Exact runs of each process, one process after the other, as many of each."""

    processes: tuple[str, ...]
    runs: Runs


def make_exams(
    grid: Grid,
    dt: float,
    seed: int,
    n_case: int,
    n_frames: int,
    processes: Sequence[str] = PROCESSES,
) -> Exams:
    """Experiments of each process, drawn from its lesson at full difficulty, and their truth.

    Args:
      grid: A line of 100 bohr.
      dt: Duration of a frame, in atomic units.
      seed: Of the packets and landscapes.
      n_case: Of each process.
      n_frames: To forecast.
      processes: Names in `lessons.LESSONS`.
    """
    require_at_least(1, n_case=n_case, n_process=len(processes))
    cases = []
    for i, name in enumerate(processes):
        require_one_of(lessons.LESSONS, processes=name)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), i), n_case)
        draw = jax.vmap(lambda key, name=name: lessons.LESSONS[name](key, grid, 1.0))
        cases.append(jax.jit(draw)(keys))
    psi0, v = (jnp.concatenate(column) for column in zip(*cases, strict=True))
    truth = benchmark.simulate(grid, dt, psi0, v, BenchmarkConfig(n_frames=n_frames))
    return Exams(tuple(processes), truth)


def examine(student: Student, exams: Exams) -> Callable[[PyTree], Array]:
    """``params -> error of each process``, jitted."""

    @jax.jit
    def errors(params: PyTree) -> Array:
        propagator = student.propagator(params)

        def of_case(case: Runs) -> Array:
            step, state = propagator(case.v), student.state(case.given)
            frames = rollout(step, state, len(case.frames), student.psi)
            return jnp.mean(metrics.nrmse(frames, case.frames))

        of_cases = jax.lax.map(of_case, exams.runs, batch_size=N_AT_ONCE)
        return jnp.median(of_cases.reshape(len(exams.processes), -1), axis=1)

    return errors


def measure_learning(
    student: Student,
    trainers: Sequence[Trainer],
    boundaries: Sequence[int],
    state: TrainState,
    exams: Exams,
    every: int,
    factor: float = 10.0,
    progress: Callable[[dict[str, Any]], None] = lambda log: None,
) -> Learning:
    """Follow a training, and examine the student on each process as it goes.

    Since a batch is a function of the seed and the step, training again from a run's config
    retraces that run, so far as the machine rounds alike.

    Args:
      student: Which is trained.
      trainers, boundaries, state: As for `training.fit`.
      exams: Of `make_exams`.
      every: Steps between exams, at the ends of blocks; the first and the last state always count.
      factor: A process counts as learned once its error stays below this times its last value.
      progress: Told of every block.
    """
    require_at_least(1, every=every)
    require_positive(factor=factor)
    errors = examine(student, exams)
    steps, rows = [int(state.step)], [np.asarray(errors(state.params), float)]
    for new, log in training.fit(trainers, boundaries, state):
        progress(log)
        if log["step"] - steps[-1] >= every or log["step"] == boundaries[-1]:
            steps.append(log["step"])
            rows.append(np.asarray(errors(new.params), float))
    step, error = np.array(steps), np.stack(rows)
    return Learning(step, error, exams.processes, steps_until(step, error, factor), factor)


def steps_until(
    step: Int[np.ndarray, " n_t"], error: Float[np.ndarray, "n_t n_process"], factor: float
) -> Int[np.ndarray, " n_process"]:
    """The step from which on each error is at most `factor` times its last value.

    >>> error = np.array([[9.0], [0.5], [2.0], [0.5], [0.1]])
    >>> steps_until(np.array([0, 10, 20, 30, 40]), error, factor=10.0)
    array([30])
    """
    within = error <= factor * error[-1]
    # The last record is within whatever it is, unless it is not a number.
    stays = np.cumprod(within[::-1], axis=0)[::-1]
    return step[len(step) - np.maximum(1, stays.sum(axis=0))]


def describe_learning(learning: Learning) -> dict[str, Any]:
    """The numbers of `measure_learning`; `last_learned` is the process that took most steps."""
    names = learning.processes
    learned = dict(zip(names, learning.learned.tolist(), strict=True))
    return {
        "step": learning.step.tolist(),
        "error": dict(zip(names, learning.error.T.tolist(), strict=True)),
        "factor": learning.factor,
        "steps_until_learned": learned,
        "last_learned": max(learned, key=lambda name: learned[name]),
    }


def words_of_learning(name: str, learning: Learning) -> str:
    """The order of learning in a line or two."""
    numbers = describe_learning(learning)
    order = sorted(numbers["steps_until_learned"].items(), key=lambda item: item[1])
    last = dict(zip(learning.processes, learning.error[-1], strict=True))
    return (
        f"Order in which {name} learned (steps until an error stays within {learning.factor:g} "
        "times its last value, and that value):\n  "
        + ", ".join(f"{process} {step:,} ({last[process]:.1e})" for process, step in order)
    )
