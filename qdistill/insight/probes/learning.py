"""The order of learning: which physical process a student masters first, and which last."""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, PyTree

from qdistill._checks import require_at_least, require_one_of, require_positive
from qdistill._rollout import rollout
from qdistill.curriculum import LESSONS
from qdistill.forecast import benchmark, metrics
from qdistill.forecast.benchmark import BenchmarkConfig, Runs
from qdistill.insight.probes.waves import N_AT_ONCE
from qdistill.physics.grid import Grid
from qdistill.students import Student
from qdistill.training import loop as training
from qdistill.training.loop import Trainer, TrainState

# The lessons that hold one process each.
PROCESSES = ("free", "scattering", "tunnelling", "interference", "trapping")


class Learning(NamedTuple):
    """The forecast error of each process as a student learns.

    Attributes:
      step: Training steps, rising from 0.
      error: |forecast - truth| / |truth|, the mean over the frames and the median over the
        cases of a process.
      processes: Their names.
      learned: Steps from which on the error of each is at most `factor` times its last value.
      reached: Steps after which it is at most `level` for the first time, or -1 for never.
      factor, level: Of these rules. The first says when learning was done, which with a falling
        learning rate is late for what is learned best; the second who was ahead.
    """

    step: Int[np.ndarray, " n_t"]
    error: Float[np.ndarray, "n_t n_process"]
    processes: tuple[str, ...]
    learned: Int[np.ndarray, " n_process"]
    reached: Int[np.ndarray, " n_process"]
    factor: float
    level: float


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
      processes: Names in `LESSONS`.
    """
    require_at_least(1, n_case=n_case, n_process=len(processes))
    cases = []
    for i, name in enumerate(processes):
        require_one_of(LESSONS, processes=name)
        keys = jax.random.split(jax.random.fold_in(jax.random.key(seed), i), n_case)
        draw = jax.vmap(lambda key, name=name: LESSONS[name](key, grid, 1.0))
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
    level: float = 0.1,
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
      factor, level: Of the two rules in `Learning`.
      progress: Told of every block.
    """
    require_at_least(1, every=every)
    require_positive(factor=factor, level=level)
    errors = examine(student, exams)
    steps, rows = [int(state.step)], [np.asarray(errors(state.params), float)]
    for new, log in training.fit(trainers, boundaries, state):
        progress(log)
        if log["step"] - steps[-1] >= every or log["step"] == boundaries[-1]:
            steps.append(log["step"])
            rows.append(np.asarray(errors(new.params), float))
    step, error = np.array(steps), np.stack(rows)
    first = np.argmax(error <= level, axis=0)
    reached = np.where(np.any(error <= level, axis=0), step[first], -1)
    learned = steps_until(step, error, factor)
    return Learning(step, error, exams.processes, learned, reached, factor, level)


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
    """The numbers of `measure_learning`; null for a level that was never reached."""
    names = learning.processes
    reached = [int(step) if step >= 0 else None for step in learning.reached]
    return {
        "step": learning.step.tolist(),
        "error": dict(zip(names, learning.error.T.tolist(), strict=True)),
        "factor": learning.factor,
        "level": learning.level,
        "steps_until_learned": dict(zip(names, learning.learned.tolist(), strict=True)),
        "steps_until_level": dict(zip(names, reached, strict=True)),
    }


def words_of_learning(name: str, learning: Learning) -> str:
    """Which process came last, by either rule, in a few lines."""
    rows = [*zip(learning.processes, learning.learned, learning.error[-1], strict=True)]
    done = [f"{process} {step:,}" for process, step, _ in sorted(rows, key=lambda row: row[1])]
    never = learning.step[-1] + 1
    steps = np.where(learning.reached < 0, never, learning.reached)
    order = sorted(zip(learning.processes, steps, strict=True), key=lambda row: row[1])
    first = [f"{process} {f'{step:,}' if step < never else 'never'}" for process, step in order]
    last = [f"{process} {error:.1e}" for process, _, error in rows]
    return "\n".join(
        [
            f"order of learning of {name}, in steps",
            f"  error first at {learning.level:g}: {', '.join(first)}",
            f"  error stays within {learning.factor:g} times its last value: {', '.join(done)}",
            f"  last error: {', '.join(last)}",
        ]
    )
