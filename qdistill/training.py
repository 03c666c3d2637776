"""Distillation: one training step, and the loop over blocks of fresh examples."""

import dataclasses
import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, NamedTuple, TypeAlias, get_args

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float, Int, Key, PyTree

from qdistill import batches, curriculum, losses
from qdistill.arguments import (
    refuse,
    require_at_least,
    require_between,
    require_one_of,
    require_positive,
)
from qdistill.batches import Batch, BatchConfig, Block
from qdistill.curriculum import CurriculumConfig
from qdistill.grid import Grid
from qdistill.losses import Loss
from qdistill.solver import Propagator
from qdistill.students import Student
from qdistill.windows import WindowConfig

Optimiser: TypeAlias = Literal["adam", "muon"]
Decay: TypeAlias = Literal["linear", "cosine"]


@dataclasses.dataclass(frozen=True)
class Stage:
    """A stretch of training with one kind of example, one loss and one learning-rate cycle.

    Attributes:
      n_steps: Steps, a multiple of `batches.n_block`.
      batches: The examples. If they are whole frames, the student is rolled out over their
        `n_target` frames, and the gradient flows through the whole rollout.
      relative: Whether a window's error is taken relative to its amplitude. That of whole frames
        always is.
      loss_sigma: Width in points of a Gaussian that weighs a window's points in the loss; 0
        weighs them alike. For windows only.
      power: The mean of (loss of an example)^power goes down. The losses are squared errors, and
        with 1/2 all examples pull alike, where with 1 the few worst pull most.
      noise: Complex white noise on the given frames, relative to the example's amplitude.
      optimiser: ``"adam"``, decoupled weight decay included, or ``"muon"`` for the kernels.
      peak_rate: Learning rate after the warm-up, which rises linearly from 0.
      final_rate: Learning rate at the end.
      decay: How it falls from the peak: ``"linear"``, or ``"cosine"``.
      memory: Of the mean squared gradient that Adam keeps, per step.
      warm_up: Share of the steps in the warm-up.
      weight_decay: Decoupled, of kernels only.
      clip: Largest norm of the gradient of each parameter array.
    """

    n_steps: int = 900_000
    batches: BatchConfig = dataclasses.field(default_factory=BatchConfig)
    relative: bool = False
    loss_sigma: float = 0.0
    power: float = 1.0
    noise: float = 0.0
    optimiser: Optimiser = "adam"
    peak_rate: float = 1e-3
    final_rate: float = 1e-6
    decay: Decay = "linear"
    memory: float = 0.999
    warm_up: float = 0.01
    weight_decay: float = 0.01
    clip: float = 1.0

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, n_steps=self.n_steps)
        if self.n_steps % self.batches.n_block:
            refuse("n_steps", f"a multiple of n_block = {self.batches.n_block}", self.n_steps)
        require_one_of(get_args(Optimiser), optimiser=self.optimiser)
        for name in ("peak_rate", "final_rate", "clip", "power"):
            require_positive(**{name: getattr(self, name)})
        require_one_of(get_args(Decay), decay=self.decay)
        require_between(0, 1, warm_up=self.warm_up, memory=self.memory)
        for name in ("loss_sigma", "noise", "weight_decay"):
            require_between(0, float("inf"), **{name: getattr(self, name)})
        if self.batches.whole_frames:
            if self.relative:
                refuse("relative", "False with whole_frames", self.relative)
            if self.loss_sigma:
                refuse("loss_sigma", "0 with whole_frames", self.loss_sigma)
        elif self.batches.n_target != 1:
            refuse("n_target", "1 without whole_frames", self.batches.n_target)


@dataclasses.dataclass(frozen=True)
class TrainingConfig:
    """The whole of a training.

    Attributes:
      stages: One after the other; each starts with a fresh optimiser.
      checkpoint_every: Steps between checkpoints, at the ends of blocks; the last is always saved.
    """

    stages: tuple[Stage, ...] = (Stage(),)
    checkpoint_every: int = 10_000

    def __post_init__(self) -> None:  # noqa: D105
        if not self.stages:
            refuse("stages", "at least one stage", self.stages)
        require_at_least(1, checkpoint_every=self.checkpoint_every)

    @property
    def boundaries(self) -> list[int]:
        """The step at which each stage ends."""
        return list(itertools.accumulate(stage.n_steps for stage in self.stages))

    @property
    def block_ends(self) -> list[int]:
        """The step at which each block ends."""
        blocks = ([s.batches.n_block] * (s.n_steps // s.batches.n_block) for s in self.stages)
        return list(itertools.accumulate(itertools.chain(*blocks)))


class TrainState(NamedTuple):
    """All that a training is at a step, and all that a checkpoint holds."""

    step: Int[Array, ""]
    params: PyTree
    opt_state: PyTree
    # Running mean of each lesson's loss, which drives the loss-driven curriculum.
    lesson_losses: Float[Array, " n_lesson"]
    # The root of all randomness; it never changes.
    key: Key[Array, ""]


def learning_rate(stage: Stage) -> optax.Schedule:
    """Linear warm-up to the peak, then linear or cosine decay, over the steps of a stage."""
    n_warm = max(1, round(stage.warm_up * stage.n_steps))
    rise = optax.linear_schedule(0.0, stage.peak_rate, n_warm)
    n_fall = max(1, stage.n_steps - n_warm)
    if stage.decay == "linear":
        fall = optax.linear_schedule(stage.peak_rate, stage.final_rate, n_fall)
    else:
        fall = optax.cosine_decay_schedule(
            stage.peak_rate, n_fall, stage.final_rate / stage.peak_rate
        )
    return optax.join_schedules([rise, fall], [n_warm])


def make_optimiser(stage: Stage) -> optax.GradientTransformation:
    """The optimiser of a stage: clipping per array, then Adam or Muon with weight decay."""

    def is_kernel(params: PyTree) -> PyTree:
        return jax.tree.map(lambda p: p.ndim > 1, params)

    rate = learning_rate(stage)
    if stage.optimiser == "adam":
        rule = optax.adamw(rate, b2=stage.memory, weight_decay=stage.weight_decay, mask=is_kernel)
    else:
        rule = optax.contrib.muon(
            rate, weight_decay=stage.weight_decay, weight_decay_mask=is_kernel
        )
    return optax.chain(clip_each(stage.clip), rule)


def clip_each(max_norm: float) -> optax.GradientTransformation:
    """Scale the gradient of each array down to a norm of at most `max_norm`."""

    def clip(gradient: Array) -> Array:
        norm = jnp.linalg.norm(gradient.ravel())
        return gradient * (max_norm / jnp.maximum(norm, max_norm))

    return optax.stateless(lambda updates, params: jax.tree.map(clip, updates))


def train_step(
    losses_of: Loss,
    power: float,
    optimiser: optax.GradientTransformation,
    state: TrainState,
    batch: Batch,
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
      make_block: ``TrainState -> Block``, the examples of the next `n_block` steps.
      train_block: ``(TrainState, Block) -> (TrainState, metrics)``, which takes these steps.
    """

    init: Callable[[Key[Array, ""]], TrainState]
    make_block: Any  # jax.stages.Wrapped, which has no signature
    train_block: Any


def make_trainers(
    student: Student,
    teacher: Propagator,
    grid: Grid,
    lessons: CurriculumConfig,
    window: WindowConfig,
    config: TrainingConfig,
) -> list[Trainer]:
    """The functions that train a student, one `Trainer` for each stage.

    Args:
      student: Who learns.
      teacher: Who makes the examples.
      grid: Where.
      lessons: The curriculum.
      window: The windows, for stages whose examples are not whole frames.
      config: The stages.
    """
    begins = [0, *config.boundaries[:-1]]
    return [
        _make_trainer(student, teacher, grid, lessons, window, stage, begin, config.boundaries[-1])
        for stage, begin in zip(config.stages, begins, strict=True)
    ]


def _make_trainer(
    student: Student,
    teacher: Propagator,
    grid: Grid,
    lessons: CurriculumConfig,
    window: WindowConfig,
    stage: Stage,
    begin: int,
    n_steps: int,
) -> Trainer:
    optimiser, rate = make_optimiser(stage), learning_rate(stage)
    weights_at, difficulty_at = curriculum.make_schedules(lessons, n_steps)
    driven = curriculum.loss_driven(len(lessons.lessons))
    n_history = student.n_history
    block_maker = batches.make_block(
        grid, teacher, lessons.lessons, stage.batches, n_history, window.n_window
    )
    is_whole = stage.batches.whole_frames
    losses_of = _make_loss(student, window, stage)
    n_t = n_history + stage.batches.n_target
    n_window = None if is_whole else window.n_window

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

    def make_block(state: TrainState) -> Block:
        return block_maker(jax.random.fold_in(state.key, state.step), *teach(state))

    def train_block(state: TrainState, block: Block) -> tuple[TrainState, dict[str, Array]]:
        def advance(state: TrainState, i: Array) -> tuple[TrainState, Array]:
            batch = batches.cut_batch(block, i, n_t, n_window)
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


def _make_loss(student: Student, window: WindowConfig, stage: Stage) -> Loss:
    if stage.batches.whole_frames:
        return losses.rollout_loss(student, stage.batches.n_target, noise=stage.noise)
    return losses.window_loss(
        student,
        window,
        relative=stage.relative,
        loss_sigma=stage.loss_sigma,
        noise=stage.noise,
    )


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
            if not jnp.all(jnp.isfinite(block.frames)):
                raise FloatingPointError(
                    f"The teacher's frames after step {int(state.step)} are not finite: "
                    "a lesson's landscape lies outside `teacher.v_range`."
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
