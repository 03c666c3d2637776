"""Many trainings in one program, which differ in lesson weights and seeds only."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Key, PyTree

from qdistill import _distribute as cluster
from qdistill._checks import refuse, require_at_least, require_seed
from qdistill._refusals import explained
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.students import Student
from qdistill.system import Propagator
from qdistill.training import loop
from qdistill.training.loop import Trainer, TrainState
from qdistill.training.stages import TrainingConfig


class Trained(NamedTuple):
    """The state of many trainings; all parameters have a first axis n_training.

    Attributes:
      step: Step of all trainings.
      params: Parameters of the students.
      loss: Mean loss over the last block.
    """

    step: int
    params: PyTree
    loss: Float[np.ndarray, " n_training"]


@explained
def train(
    student: Student,
    teacher: Propagator,
    curriculum: CurriculumConfig,
    training: TrainingConfig,
    weights: Float[np.ndarray, "n_training n_lesson"],
    seeds: list[int],
    n_at_once: int = 1,
    mesh: Mesh | None = None,
) -> Iterator[Trained]:
    """Train a student many times, with lesson weights and a seed for each training.

    Each training equals that of `loop.fit` with the same weights and seed, up to rounding.

    Args:
      student: The student.
      teacher: The solver that makes the examples.
      curriculum: The curriculum; its weights are replaced, and its plan must be ``"constant"``.
      training: The stages.
      weights: Relative weights of the lessons, not all zero.
      seeds: Random seed of each training.
      n_at_once: Number of trainings in one vectorised computation; the others follow in a loop of
        the same program. Memory and compile time grow with it; use 1 on a CPU.
      mesh: Devices that share the trainings, from `_distribute.make_mesh`.

    Yields:
      The state of all trainings after every block of steps.

    Raises:
      ValueError: For another plan, or weights that are all zero.
      FloatingPointError: If a loss or the teacher's frames are not finite.
    """
    require_at_least(1, n_at_once=n_at_once, n_training=len(weights))
    if curriculum.plan != "constant":
        refuse("plan", "'constant' for the trainings of coalitions", repr(curriculum.plan))
    if len(seeds) != len(weights):
        refuse("seeds", f"one for each of {len(weights)} trainings", len(seeds))
    weights = np.asarray(weights, float)

    def trainer(share: Array, stage: int) -> Trainer:
        return loop.make_trainers(student, teacher, curriculum, training, share)[stage]

    def begin(stage: int, share: Array, state: TrainState) -> TrainState:
        return state._replace(opt_state=trainer(share, stage).init(state.key).opt_state)

    def advance(stage: int, share: Array, state: TrainState) -> tuple[TrainState, Array]:
        now = trainer(share, stage)
        block = now.make_block(state)
        state, metrics = now.train_block(state, block)
        is_finite = metrics["is_finite"] & loop.is_finite(block)
        return state, jnp.where(is_finite, metrics["loss"], jnp.nan)

    shares, keys = cluster.replicate(mesh, (_shares(weights), _keys(seeds)))
    # One after the other, also where all are trained together: see `students.gru` on LAPACK.
    start = jax.jit(lambda of: jax.lax.map(lambda at: trainer(at[0], 0).init(at[1]), of))
    states = start((shares, keys))
    n_together, step = min(n_at_once, len(seeds)), 0
    for stage, plan in enumerate(training.stages):
        if stage > 0:
            states = jax.jit(jax.vmap(lambda *at, i=stage: begin(i, *at)))(shares, states)
        block = _many(lambda *at, i=stage: advance(i, *at), n_together, mesh)
        for _ in range(plan.n_steps // plan.batches.n_block):
            states, losses = block(shares, states)
            step += plan.batches.n_block
            loss = np.asarray(losses, float)
            _require_finite(step, loss, weights, seeds)
            yield Trained(step, states.params, loss)


def _require_finite(step: int, loss: np.ndarray, weights: np.ndarray, seeds: list[int]) -> None:
    if np.all(np.isfinite(loss)):
        return
    bad = int(np.argmin(np.isfinite(loss)))
    raise FloatingPointError(
        f"The loss or the teacher's frames before step {step} are not finite with weights "
        f"{weights[bad].tolist()} of the lessons and seed {seeds[bad]}; try a smaller `peak_rate` "
        "or wider `system.bounds`."
    )


def _shares(weights: Float[np.ndarray, "n_training n_lesson"]) -> Array:
    """The weights, normalised to sum to 1 in each training."""
    if not np.all((weights >= 0) & np.isfinite(weights)) or not np.all(weights.sum(axis=1) > 0):
        refuse("weights", "not negative, and those of a training not all zero", weights)
    return jnp.asarray(weights / weights.sum(axis=1, keepdims=True), float)


def _keys(seeds: list[int]) -> Array:
    for seed in seeds:
        require_seed(seeds=seed)
    return jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))


@explained
def initial_params(student: Student, seeds: list[int]) -> PyTree:
    """Return the initial parameters of `train`, with a first axis n_seed."""

    def init(key: Key[Array, ""]) -> PyTree:
        return student.init(jax.random.split(key)[0])

    return jax.jit(lambda keys: jax.lax.map(init, keys))(_keys(seeds))


@explained
def coalition_weights(
    members: Bool[np.ndarray, "n_coalition n_lesson"],
) -> Float[np.ndarray, "n_training n_lesson"]:
    """Return equal weights of the lessons in each coalition, without empty coalitions."""
    taught = members[members.any(axis=1)]
    return taught / taught.sum(axis=1, keepdims=True)


def _many(function: Callable[..., Any], n_at_once: int, mesh: Mesh | None) -> Callable[..., Any]:
    """The jitted function of many trainings, with `n_at_once` of them vectorised on a device."""

    def mapped(of_all: Any) -> Any:
        # XLA compiles the program of a single training several times faster than a vectorised one.
        batch_size = n_at_once if n_at_once > 1 else None
        return jax.lax.map(lambda of_one: function(*of_one), of_all, batch_size=batch_size)

    together = cluster.jit(mesh, cluster.spread(mesh, mapped))
    return lambda *of_all: together(of_all)
