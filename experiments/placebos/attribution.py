"""A cheap attribution: what each process changes, to first order, in one training.

An exact Shapley value takes trainings on all coalitions. In-run attribution takes one: a step of
Adam with the gradient g of a lesson changes a test loss by -rate D g . g_test to first order, with
D the preconditioner. The difference between a lesson and its placebo is summed over the training.
The idea is that of in-run data Shapley (Wang, Mittal, Song and Jia, 2024).
"""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float, PyTree

from experiments.placebos import coalitions, processes
from experiments.placebos.coalitions import Budget
from experiments.placebos.processes import PROCESSES
from qdistill import teacher
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import metrics
from qdistill.forecast.cases import Cases
from qdistill.students import Emulator
from qdistill.system import System, rollout
from qdistill.teacher import TeacherConfig
from qdistill.training import batches, loop, losses
from qdistill.training.loop import TrainState
from qdistill.training.stages import TrainingConfig, learning_rate

# Frames of the test forecasts; the gradient through more frames is dominated by the last ones.
N_TEST = 24


def attribute(
    budget: Budget, seeds: list[int], truth: Cases, system: System
) -> Float[np.ndarray, "n_seed n_process n_family"]:
    """Return the in-run attribution of each process to the skill on each family, in decades.

    Args:
      budget: A student without a history, and its stages.
      seeds: Seeds of the trainings, all with every process.
      truth: Test cases, ordered by family, equally many of each.
      system: The system.
    """
    student = budget.student.build(system)
    solver = teacher.make(TeacherConfig(), system)
    lessons = CurriculumConfig(lessons=processes.register())
    config = TrainingConfig(budget.stages)
    n_families = len(set(truth.family))
    all_in = jnp.asarray(coalitions.weights()[-1])
    alone = jnp.eye(2 * len(PROCESSES))

    def trainer(share: Array, stage: int) -> loop.Trainer:
        return loop.make_trainers(student, solver, lessons, config, share)[stage]

    def block_of(stage: int, state: TrainState) -> tuple[TrainState, Array]:
        """The state after a block, and the change of skills by each process to first order."""
        plan, begin = budget.stages[stage], [0, *config.boundaries][stage]
        by_lesson = jax.lax.map(lambda share: _gradient(trainer(share, stage), plan, state), alone)
        n = len(PROCESSES)
        gained = jax.tree.map(lambda g: g[:n] - g[n:], by_lesson)
        scale = optax.tree_utils.tree_get(state.opt_state, "nu")
        count = state.step - begin
        # Before its first step Adam has no scale: the first block of a stage is left out.
        fix = 1 - plan.memory ** jnp.maximum(count, 1)
        rate = jnp.where(count > 0, learning_rate(plan)(count), 0.0)
        step = jax.tree.map(lambda g, nu: rate * g / (jnp.sqrt(nu / fix) + 1e-8), gained, scale)
        slopes = jax.jacrev(lambda params: _skill(student.bind(params), truth))(state.params)
        change = sum(
            jnp.einsum("pi,fi->pf", of.reshape(n, -1), by.reshape(n_families, -1))
            for of, by in zip(jax.tree.leaves(step), jax.tree.leaves(slopes), strict=True)
        )
        now = trainer(all_in, stage)
        new, _ = now.train_block(state, now.make_block(state))
        # Steps go against the gradient, and a lesson is one of n.
        return new, jnp.asarray(-plan.batches.n_block * change / n)

    def _gradient(of: loop.Trainer, plan: Any, state: TrainState) -> PyTree:
        batch = batches.cut_batch(
            of.make_block(state), 0, n_history=1, n_target=plan.batches.n_target, n_window=None
        )
        loss = losses.rollout_loss(student, plan.batches.n_target)
        key = jax.random.key(0)
        return jax.grad(lambda params: jnp.mean(loss(params, batch, key) ** plan.power))(
            state.params
        )

    total = []
    advance = [jax.jit(_bound(block_of, i)) for i in range(len(budget.stages))]
    for seed in seeds:
        state = trainer(all_in, 0).init(jax.random.key(seed))
        shares = np.zeros((len(PROCESSES), n_families))
        for i, plan in enumerate(budget.stages):
            if i > 0:
                state = state._replace(opt_state=trainer(all_in, i).init(state.key).opt_state)
            for _ in range(plan.n_steps // plan.batches.n_block):
                state, change = advance[i](state)
                shares = shares + np.asarray(change, float)
        total.append(shares)
    return np.stack(total)


def _skill(emulator: Emulator, truth: Cases) -> Float[Array, " n_family"]:
    """The decades of error of each family, over the first `N_TEST` frames."""

    def error(case: tuple[Array, Array, Array]) -> Array:
        psi, v, frames = case
        return jnp.mean(metrics.nrmse(rollout(emulator, psi, v, N_TEST), frames[:N_TEST]))

    each = jax.lax.map(error, (truth.given[:, -1:], truth.v, truth.frames))
    return -jnp.log10(each.reshape(len(set(truth.family)), -1).mean(axis=1))


def _bound(function: Callable[..., Any], stage: int) -> Callable[[TrainState], Any]:
    return lambda state: function(stage, state)
