"""Distillation: one training step, and the loop over blocks of fresh examples."""

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from qdistill import batches, curriculum, losses, spectra
from qdistill.arguments import require_shape
from qdistill.batches import Batch, Block
from qdistill.curriculum import CurriculumConfig, Schedule
from qdistill.grid import Grid
from qdistill.losses import Loss
from qdistill.solver import Propagator
from qdistill.spectra import Spectra, SpectraBlock
from qdistill.stages import Stage, TrainingConfig, learning_rate, make_optimiser
from qdistill.students import Student
from qdistill.windows import WindowConfig


class TrainState(NamedTuple):
    """All that a training is at a step, and all that a checkpoint holds."""

    step: Int[Array, ""]
    params: PyTree
    opt_state: PyTree
    # Running mean of each lesson's loss, which drives the loss-driven curriculum.
    lesson_losses: Float[Array, " n_lesson"]
    # The root of all randomness; it never changes.
    key: Key[Array, ""]


def train_step(
    losses_of: Loss,
    power: float,
    optimiser: optax.GradientTransformation,
    state: TrainState,
    batch: Batch | Spectra,
) -> tuple[TrainState, Float[Array, " n_batch"]]:
    """One step down the gradient of mean(loss^power); the new state, and each example's loss."""
    # 2^31 - 1 - step: a stream apart from that of the blocks.
    key = jax.random.fold_in(state.key, jnp.iinfo(jnp.int32).max - state.step)

    def objective(params: PyTree) -> tuple[Array, Array]:
        each = losses_of(params, batch, key)
        return jnp.mean(each**power), each

    (_, each), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
    updates, opt_state = optimiser.update(gradients, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state), each


class Trainer(NamedTuple):
    """The three pure functions of a stage of training, jitted.

    Attributes:
      init: ``key -> TrainState`` before the first step.
      make_block: ``TrainState -> Block`` (or ``SpectraBlock``), what the next `n_block` steps see.
      train_block: ``(TrainState, Block) -> (TrainState, metrics)``, which takes these steps.
    """

    init: Callable[[Key[Array, ""]], TrainState]
    make_block: Any  # jax.stages.Wrapped, which has no signature
    train_block: Any


def make_trainers(
    student: Student,
    teacher: Propagator,
    grid: Grid,
    dt: float,
    lessons: CurriculumConfig,
    window: WindowConfig,
    config: TrainingConfig,
    weights: Float[Array, " n_lesson"] | None = None,
) -> list[Trainer]:
    """The functions that train a student, one `Trainer` for each stage.

    Args:
      student: Who learns.
      teacher: Who makes the examples.
      grid: Where.
      dt: Duration of a frame, in atomic units.
      lessons: The curriculum.
      window: The windows, for stages whose examples are windows.
      config: The stages.
      weights: Of the lessons throughout, in place of those that the curriculum plans; they may be
        traced, so that trainings which differ in them only are one program.
    """
    begins = [0, *config.boundaries[:-1]]
    weights_at, difficulty_at = curriculum.make_schedules(lessons, config.boundaries[-1])
    if weights is not None:
        require_shape((len(lessons.lessons),), weights=weights)
        weights_at = curriculum.constant(weights)
    schedules = weights_at, difficulty_at
    return [
        _make_trainer(student, teacher, grid, dt, lessons, window, stage, begin, schedules)
        for stage, begin in zip(config.stages, begins, strict=True)
    ]


def _make_trainer(
    student: Student,
    teacher: Propagator,
    grid: Grid,
    dt: float,
    lessons: CurriculumConfig,
    window: WindowConfig,
    stage: Stage,
    begin: int,
    schedules: tuple[Schedule, Schedule],
) -> Trainer:
    optimiser, rate = make_optimiser(stage), learning_rate(stage)
    weights_at, difficulty_at = schedules
    driven = curriculum.loss_driven(len(lessons.lessons))
    block_maker, cut_batch, losses_of = _examples(
        student, teacher, grid, dt, lessons.lessons, window, stage
    )

    def init(key: Key[Array, ""]) -> TrainState:
        key_params, key_rest = jax.random.split(key)
        params = student.init(key_params)
        return TrainState(
            jnp.array(begin, jnp.int32), params, optimiser.init(params), driven.init(), key_rest
        )

    def teach(state: TrainState) -> tuple[Array, Array]:
        weights = weights_at(state.step)
        if lessons.plan == "loss-driven":
            weights = weights * driven.weights(state.lesson_losses)
        return weights / jnp.sum(weights), difficulty_at(state.step)

    def make_block(state: TrainState) -> Block | SpectraBlock:
        return block_maker(jax.random.fold_in(state.key, state.step), *teach(state))

    def train_block(
        state: TrainState, block: Block | SpectraBlock
    ) -> tuple[TrainState, dict[str, Array]]:
        def advance(state: TrainState, i: Array) -> tuple[TrainState, Array]:
            batch = cut_batch(block, i)
            state, each = train_step(losses_of, stage.power, optimiser, state, batch)
            by_lesson = _mean_by_lesson(each, batch.lesson, len(lessons.lessons))
            lesson_losses = driven.update(state.lesson_losses, by_lesson)
            return state._replace(lesson_losses=lesson_losses), jnp.mean(each)

        weights, difficulty = teach(state)
        new, means = jax.lax.scan(advance, state, jnp.arange(stage.batches.n_block))
        return new, {
            "loss": jnp.mean(means),
            "learning_rate": jnp.asarray(rate(new.step - 1 - begin)),
            "difficulty": difficulty,
            "lesson_weights": weights,
            "lesson_losses": new.lesson_losses,
        }

    return Trainer(jax.jit(init), jax.jit(make_block), jax.jit(train_block))


def _examples(
    student: Student,
    teacher: Propagator,
    grid: Grid,
    dt: float,
    names: tuple[str, ...],
    window: WindowConfig,
    stage: Stage,
) -> tuple[Callable, Callable, Loss]:
    """How a stage's blocks are made, how batches are cut from them, and the loss on these."""
    config, n_history = stage.batches, student.n_history
    if config.examples == "spectra":
        shape = (config.n_block, config.n_batch)
        spectra_maker = spectra.make_block(grid, names, config.spectra, config.n_runs, shape)
        start = student.init(jax.random.key(0)) if stage.relative else None
        loss = losses.spectral_loss(student, dt, config.spectra, start=start)
        return spectra_maker, spectra.cut_batch, loss
    block_maker = batches.make_block(grid, teacher, names, config, n_history, window.n_window)
    n_t = n_history + config.n_target
    if config.examples == "frames":
        loss = losses.rollout_loss(student, config.n_target, noise=stage.noise)
        return block_maker, lambda block, i: batches.cut_batch(block, i, n_t), loss
    loss = losses.window_loss(
        student,
        window,
        relative=stage.relative,
        loss_sigma=stage.loss_sigma,
        noise=stage.noise,
    )
    return block_maker, lambda block, i: batches.cut_batch(block, i, n_t, window.n_window), loss


def _mean_by_lesson(each: Array, lesson: Array, n_lesson: int) -> Array:
    """The mean loss of each lesson in a batch; NaN where it did not occur."""
    total = jax.ops.segment_sum(each, lesson, n_lesson)
    count = jax.ops.segment_sum(jnp.ones_like(each), lesson, n_lesson)
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)


def fit(
    trainers: Sequence[Trainer], boundaries: Sequence[int], state: TrainState
) -> Iterator[tuple[TrainState, dict[str, Any]]]:
    """Train from a state to the end, block by block.

    Args:
      trainers: One for each stage.
      boundaries: The step at which each stage ends.
      state: Where to begin, possibly in the middle.

    Yields:
      After every block the state, and its metrics: those of `Trainer.train_block`, the stage, and
      the seconds that the compiler (at the start of a stage), the teacher and the student took.

    Raises:
      FloatingPointError: If the teacher's frames are not finite.
    """
    for i, (trainer, end) in enumerate(zip(trainers, boundaries, strict=True)):
        if state.step >= end:
            continue
        if i > 0 and state.step == boundaries[i - 1]:
            state = state._replace(opt_state=trainer.init(state.key).opt_state)
        start = time.perf_counter()
        make_block = trainer.make_block.lower(state).compile()
        shape = jax.eval_shape(trainer.make_block, state)
        train_block = trainer.train_block.lower(state, shape).compile()
        compiled = time.perf_counter() - start
        while state.step < end:
            start = time.perf_counter()
            block = jax.block_until_ready(make_block(state))
            if not all(jnp.all(jnp.isfinite(leaf)) for leaf in jax.tree.leaves(block)):
                raise FloatingPointError(
                    f"The examples after step {int(state.step)} are not finite: a lesson's "
                    "landscape is not, or lies outside `teacher.v_range`."
                )
            taught = time.perf_counter()
            state, metrics = jax.block_until_ready(train_block(state, block))
            learned = time.perf_counter()
            yield (
                state,
                {
                    "step": int(state.step),
                    "stage": i,
                    **{name: value.tolist() for name, value in metrics.items()},
                    "compile_seconds": compiled,
                    "teacher_seconds": taught - start,
                    "student_seconds": learned - taught,
                },
            )
            compiled = 0.0
