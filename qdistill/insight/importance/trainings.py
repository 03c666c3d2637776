"""A student trained on every coalition of lessons, with several seeds, in one program."""

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, PyTree

from qdistill import _distribute as cluster
from qdistill import students
from qdistill._checks import refuse, require_at_least
from qdistill.runs.config import Config
from qdistill.teacher import factory as teacher
from qdistill.training import loop as training
from qdistill.training.loop import Trainer, TrainState


class Trained(NamedTuple):
    """What many trainings have come to; all parameters have a first axis n_training.

    Attributes:
      step: Of all trainings.
      params: Of the students.
      loss: Mean over the last block.
    """

    step: int
    params: PyTree
    loss: Float[np.ndarray, " n_training"]


def train(
    settings: Config,
    weights: Float[np.ndarray, "n_training n_lesson"],
    seeds: list[int],
    n_at_once: int,
    mesh: Mesh | None = None,
) -> Iterator[Trained]:
    """Train a student many times side by side; it differs in its lessons and its seed only.

    Each training is the one that `training.fit` makes with the same weights and seed, to rounding:
    the same first parameters, as many examples and steps.

    Args:
      settings: Of every training; the plan of the curriculum must be ``"constant"``.
      weights: Of the lessons, relative, not all zero.
      seeds: One for each training.
      n_at_once: Trainings that are one vectorised computation, the others follow in a loop of the
        same program. Memory and compile time grow with it; a CPU is full with one.
      mesh: Devices that share the trainings, from `cluster.make_mesh`.

    Yields:
      After every block of steps, all the trainings.

    Raises:
      ValueError: For another plan, or weights of no lesson.
      FloatingPointError: If a loss or the teacher's frames are not finite.
    """
    require_at_least(1, n_at_once=n_at_once, n_training=len(weights))
    if settings.curriculum.plan != "constant":
        refuse("plan", "'constant', for a coalition's lessons", repr(settings.curriculum.plan))
    if len(seeds) != len(weights):
        refuse("seeds", f"one for each of {len(weights)} trainings", len(seeds))
    weights = np.asarray(weights, float)
    shares = _shares(weights)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    n_together = min(n_at_once, len(seeds))
    grid, propagator = teacher.make(settings.teacher)
    student = students.make(settings.student, grid, settings.teacher.dt)

    def trainer(share: Array, stage: int) -> Trainer:
        dt, windows = settings.teacher.dt, settings.student.windows
        return training.make_trainers(
            student, propagator, grid, dt, settings.curriculum, windows, settings.training, share
        )[stage]

    def begin(stage: int, share: Array, state: TrainState) -> TrainState:
        return state._replace(opt_state=trainer(share, stage).init(state.key).opt_state)

    def advance(stage: int, share: Array, state: TrainState) -> tuple[TrainState, Array]:
        now = trainer(share, stage)
        block = now.make_block(state)
        state, metrics = now.train_block(state, block)
        finite = [jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(block)]
        return state, jnp.where(jnp.all(jnp.stack(finite)), metrics["loss"], jnp.nan)

    shares, keys = cluster.replicate(mesh, (shares, keys))
    states = jax.jit(jax.vmap(lambda share, key: trainer(share, 0).init(key)))(shares, keys)
    step = 0
    for stage, plan in enumerate(settings.training.stages):
        if stage > 0:
            states = jax.jit(jax.vmap(lambda *at, i=stage: begin(i, *at)))(shares, states)
        block = _many(lambda *at, i=stage: advance(i, *at), n_together, mesh)
        for _ in range(plan.n_steps // plan.batches.n_block):
            states, losses = block(shares, states)
            step += plan.batches.n_block
            loss = np.asarray(losses, float)
            if not np.all(np.isfinite(loss)):
                bad = int(np.argmin(np.isfinite(loss)))
                raise FloatingPointError(
                    f"The loss or the teacher's frames before step {step} are not finite with "
                    f"weights {weights[bad].tolist()} of the lessons and seed {seeds[bad]}; try a "
                    "smaller `peak_rate` or a wider `teacher.v_range`."
                )
            yield Trained(step, states.params, loss)


def _shares(weights: Float[np.ndarray, "n_training n_lesson"]) -> Array:
    """Weights that sum to 1 in each training."""
    if not np.all((weights >= 0) & np.isfinite(weights)) or not np.all(weights.sum(axis=1) > 0):
        refuse("weights", "not negative, and those of a training not all zero", weights)
    return jnp.asarray(weights / weights.sum(axis=1, keepdims=True), float)


def initial_params(settings: Config, seeds: list[int]) -> PyTree:
    """The parameters before the first step of `train`, with a first axis n_seed."""
    grid, _ = teacher.make(settings.teacher)
    student = students.make(settings.student, grid, settings.teacher.dt)
    keys = jax.vmap(jax.random.key)(jnp.asarray(seeds, jnp.uint32))
    return jax.jit(jax.vmap(lambda key: student.init(jax.random.split(key)[0])))(keys)


def coalition_weights(
    members: Bool[np.ndarray, "n_coalition n_lesson"],
) -> Float[np.ndarray, "n_training n_lesson"]:
    """Equal weights of the lessons in a coalition; without the empty one, which is not trained."""
    taught = members[members.any(axis=1)]
    return taught / taught.sum(axis=1, keepdims=True)


def _many(function: Callable[..., Any], n_at_once: int, mesh: Mesh | None) -> Callable[..., Any]:
    """A function of one training for many, jitted, with so many of them vectorised on a device."""

    def mapped(of_all: Any) -> Any:
        # One at a time is the program of a single training: XLA compiles it several times faster.
        batch_size = n_at_once if n_at_once > 1 else None
        return jax.lax.map(lambda of_one: function(*of_one), of_all, batch_size=batch_size)

    together = cluster.jit(mesh, cluster.spread(mesh, mapped))
    return lambda *of_all: together(of_all)
