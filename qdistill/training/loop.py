"""The training loop: one training step, and the loop over blocks of new examples."""

import dataclasses
import functools
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax
from jax.sharding import Mesh
from jaxtyping import Array, Bool, Float, Int, Key, PyTree

from qdistill import _distribute as cluster
from qdistill._checks import (
    refuse,
    require_alike,
    require_arrays,
    require_at_least,
    require_between,
    require_callable,
    require_shape,
)
from qdistill._doors import layout
from qdistill._refusals import explained
from qdistill.curriculum import schedules as curriculum
from qdistill.curriculum.schedules import CurriculumConfig, Schedule
from qdistill.students import Student
from qdistill.system import Propagator
from qdistill.training import _gauss_newton, batches, boxes, losses
from qdistill.training.batches import Batch, Block
from qdistill.training.boxes import Spectra, SpectraBlock
from qdistill.training.losses import Loss
from qdistill.training.stages import HIGHEST, Stage, TrainingConfig, learning_rate, make_optimiser


class TrainState(NamedTuple):
    """The whole state of a training at a step, as a checkpoint stores it."""

    step: Int[Array, ""]
    params: PyTree
    opt_state: PyTree
    # Running means of each lesson's loss, which drive loss-driven and adaptive curricula.
    lesson_losses: Float[Array, "... n_lesson"]
    # The root random key; it never changes.
    key: Key[Array, ""]


@explained
def train_step(
    losses_of: Loss,
    power: float,
    optimiser: optax.GradientTransformation,
    state: TrainState,
    batch: Batch | Spectra,
) -> tuple[TrainState, Float[Array, " n_batch"]]:
    """Take a gradient step on mean(loss^power); return the new state and each example's loss."""
    require_between(0, HIGHEST, power=power)
    require_arrays(state=state, batch=batch)
    _require_optimiser(optimiser, state)
    # 2^31 - 1 - step: a random stream separate from that of the blocks.
    key = jax.random.fold_in(state.key, jnp.iinfo(jnp.int32).max - state.step)

    def objective(params: PyTree) -> tuple[Array, Array]:
        each = losses_of(params, batch, key)
        return jnp.mean(each**power), each

    (_, each), gradients = jax.value_and_grad(objective, has_aux=True)(state.params)
    updated = optimiser.update(gradients, state.opt_state, state.params)
    if not isinstance(updated, tuple) or len(updated) != 2:
        refuse("optimiser.update", "a function that returns (updates, state)", layout(updated))
    updates, opt_state = updated
    params = optax.apply_updates(state.params, updates)
    return state._replace(step=state.step + 1, params=params, opt_state=opt_state), each


def _require_optimiser(optimiser: Any, state: TrainState) -> None:
    """Refuse what is not an optimiser, and a state that is not one of it."""
    for name, n in (("init", 1), ("update", 3)):
        require_callable(n, **{f"optimiser.{name}": getattr(optimiser, name, None)})
    wanted = jax.eval_shape(optimiser.init, state.params)
    require_alike(wanted, **{"state.opt_state": state.opt_state})
    # Untyped, because the stubs of JAX give the type of a structure no comparison.
    structure: Any = jax.tree.structure(wanted)
    if structure != jax.tree.structure(state.opt_state):
        refuse("state.opt_state", "a state of the optimiser", layout(state.opt_state))


class Trainer(NamedTuple):
    """The three jitted pure functions of a stage of training.

    Attributes:
      init: ``key -> TrainState``, before the first step.
      make_block: ``TrainState -> Block`` (or ``SpectraBlock``), the data of the next `n_block`
        steps.
      train_block: ``(TrainState, Block) -> (TrainState, metrics)``, which takes these steps.
    """

    init: Callable[[Key[Array, ""]], TrainState]
    make_block: Any  # A jax.stages.Wrapped, which has no signature.
    train_block: Any


@explained
def make_trainers(
    student: Student,
    teacher: Propagator,
    lessons: CurriculumConfig,
    config: TrainingConfig,
    weights: Float[Array, " n_lesson"] | None = None,
    mesh: Mesh | None = None,
) -> list[Trainer]:
    """Return the functions that train a student, one `Trainer` for each stage.

    Args:
      student: The student.
      teacher: The solver that makes the examples.
      lessons: The curriculum.
      config: The stages.
      weights: Constant weights of the lessons that replace the curriculum's schedule. They may be
        traced, so that trainings that differ only in weights share one program.
      mesh: Devices that share every batch and every block, from `make_mesh`.

    Raises:
      ValueError: For a teacher of another system than the student's, or a wrong number of weights.
    """
    own, taught = (dataclasses.replace(who.system, bounds=None) for who in (student, teacher))
    if own != taught:
        refuse("teacher", "a solver of the system that the student learns", "of another")
    begins = [0, *config.boundaries[:-1]]
    weights_at, difficulty_at = curriculum.make_schedules(lessons, config.boundaries[-1])
    if weights is not None:
        require_shape((len(lessons.lessons),), weights=weights)
        weights_at = curriculum.constant(weights)
    schedules = weights_at, difficulty_at
    return [
        _make_trainer(student, teacher, lessons, stage, begin, schedules, mesh)
        for stage, begin in zip(config.stages, begins, strict=True)
    ]


def _make_trainer(
    student: Student,
    teacher: Propagator,
    lessons: CurriculumConfig,
    stage: Stage,
    begin: int,
    schedules: tuple[Schedule, Schedule],
    mesh: Mesh | None,
) -> Trainer:
    rate = learning_rate(stage)
    weights_at, difficulty_at = schedules
    is_adaptive = lessons.plan == "adaptive"
    make_driven = curriculum.adaptive if is_adaptive else curriculum.loss_driven
    driven = make_driven(len(lessons.lessons))
    block_maker, cut_batch, losses_of = _examples(student, teacher, lessons.lessons, stage, mesh)
    init_optimiser, take_step = _steps(student, stage, losses_of)

    def init(key: Key[Array, ""]) -> TrainState:
        key_params, key_rest = jax.random.split(key)
        params = student.init(key_params)
        return TrainState(
            jnp.array(begin, jnp.int32), params, init_optimiser(params), driven.init(), key_rest
        )

    def teach(state: TrainState) -> tuple[Array, Array]:
        weights, difficulty = weights_at(state.step), difficulty_at(state.step)
        if lessons.plan in ("loss-driven", "adaptive"):
            weights = weights * driven.weights(state.lesson_losses)
        if is_adaptive:
            easy, hard = lessons.difficulty
            difficulty = easy + (hard - easy) * driven.competence(state.lesson_losses)
        return weights / jnp.sum(weights), difficulty

    def make_block(state: TrainState) -> Block | SpectraBlock:
        return block_maker(jax.random.fold_in(state.key, state.step), *teach(state))

    def train_block(
        state: TrainState, block: Block | SpectraBlock
    ) -> tuple[TrainState, dict[str, Array]]:
        def advance(state: TrainState, i: Array) -> tuple[TrainState, tuple[Array, Array]]:
            batch = cut_batch(block, i)
            state, each = take_step(state, batch)
            by_lesson = _mean_by_lesson(each, batch.lesson, len(lessons.lessons))
            lesson_losses = driven.update(state.lesson_losses, by_lesson)
            worst = batch.lesson[jnp.argmax(_size(each))]
            return state._replace(lesson_losses=lesson_losses), (jnp.mean(each), worst)

        weights, difficulty = teach(state)
        new, (means, worst) = jax.lax.scan(advance, state, jnp.arange(stage.batches.n_block))
        i_worst = jnp.argmax(_size(means))
        return new, {
            "loss": jnp.mean(means),
            "worst_step": state.step + i_worst + 1,
            "worst_lesson": worst[i_worst],
            "is_finite": is_finite((means, new.params, new.opt_state)),
            "learning_rate": jnp.asarray(rate(new.step - 1 - begin)),
            "difficulty": difficulty if jnp.ndim(difficulty) == 0 else weights @ difficulty,
            "lesson_weights": weights,
            # The longest memory, if there are several.
            "lesson_losses": jnp.atleast_2d(new.lesson_losses)[-1],
        }

    return Trainer(*(cluster.jit(mesh, f) for f in (init, make_block, train_block)))


def _steps(student: Student, stage: Stage, losses_of: Loss) -> tuple[Callable, Callable]:
    """The functions ``params -> state of the optimiser`` and ``(TrainState, batch) -> ...``."""
    if stage.optimiser != "gauss-newton":
        optimiser = make_optimiser(stage)
        return optimiser.init, functools.partial(train_step, losses_of, stage.power, optimiser)
    problem = _gauss_newton.least_squares(student, stage.batches.spectra, stage.power)

    def take_step(state: TrainState, batch: Spectra) -> tuple[TrainState, Array]:
        params, past, each = _gauss_newton.step(
            problem, state.params, state.opt_state, stage.memory, batch
        )
        return state._replace(step=state.step + 1, params=params, opt_state=past), each

    return _gauss_newton.no_steps, take_step


def _examples(
    student: Student,
    teacher: Propagator,
    names: tuple[str, ...],
    stage: Stage,
    mesh: Mesh | None,
) -> tuple[Callable, Callable, Loss]:
    """The functions of a stage that make blocks, cut batches and compute the loss."""
    config, n_history = stage.batches, student.n_history
    if config.examples == "spectra":
        shape = (config.n_block, config.n_batch)
        is_newton = stage.optimiser == "gauss-newton"
        softness = _gauss_newton.softness(student) if is_newton else 0.0
        spectra_maker = boxes.make_block(
            teacher.system, names, config.spectra, config.n_runs, shape, mesh, softness
        )
        start = student.init(jax.random.key(0)) if stage.relative else None
        loss = losses.spectral_loss(student, config.spectra, start=start)
        return spectra_maker, boxes.cut_batch, _spread_loss(mesh, loss)
    is_windowed = config.examples == "windows"
    if is_windowed:
        loss = losses.window_loss(
            student, relative=stage.relative, loss_sigma=stage.loss_sigma, noise=stage.noise
        )
    else:
        loss = losses.rollout_loss(student, config.n_target, noise=stage.noise)
    n_window = student.form.windows.n_window if is_windowed else None
    cut = functools.partial(
        batches.cut_batch, n_history=n_history, n_target=config.n_target, n_window=n_window
    )
    block_maker = batches.make_block(teacher, names, config, n_history, n_window or 1, mesh)
    return block_maker, cut, _spread_loss(mesh, loss)


def _spread_loss(mesh: Mesh | None, loss: Loss) -> Loss:
    """The loss, with each device computing it for its share of the batch."""
    if mesh is None:
        return loss
    each = cluster.spread(mesh, lambda examples, params: loss(params, *examples))

    def spread_loss(params: PyTree, batch: Any, key: Key[Array, ""]) -> Array:
        # Each example has the same random key as on a single device.
        return each((batch, jax.random.split(key, len(batch.lesson))), params)

    return spread_loss


@explained
def is_finite(tree: PyTree) -> Bool[Array, ""]:
    """Return whether all floating-point numbers of a pytree are finite."""
    require_arrays(tree=tree)
    leaves = [x for x in jax.tree.leaves(tree) if jnp.issubdtype(x.dtype, jnp.inexact)]
    return jnp.all(jnp.array([jnp.all(jnp.isfinite(leaf)) for leaf in leaves], bool))


def _size(losses: Array) -> Array:
    """The losses, with NaN counted as infinite."""
    return jnp.where(jnp.isnan(losses), jnp.inf, losses)


def _mean_by_lesson(each: Array, lesson: Array, n_lesson: int) -> Array:
    """The mean loss of each lesson in a batch; NaN where it did not occur."""
    total = jax.ops.segment_sum(each, lesson, n_lesson)
    count = jax.ops.segment_sum(jnp.ones_like(each), lesson, n_lesson)
    return jnp.where(count > 0, total / jnp.maximum(count, 1), jnp.nan)


@explained
def fit(
    trainers: Sequence[Trainer], boundaries: Sequence[int], state: TrainState
) -> Iterator[tuple[TrainState, dict[str, Any]]]:
    """Train from a state to the last step, and yield the state after every block.

    Args:
      trainers: One trainer for each stage.
      boundaries: The step at which each stage ends.
      state: The initial state, possibly in the middle of the training.

    Yields:
      The state and the metrics of a block: those of `Trainer.train_block`, the stage, and the
      seconds taken by compilation (at the start of a stage), teacher and student.

    Raises:
      FloatingPointError: If the teacher's frames are not finite.
    """
    for trainer in trainers:
        if not all(isinstance(each, jax.stages.Wrapped) for each in trainer):
            refuse("trainers", "made of functions by `jax.jit`", trainer)
    for end in boundaries:
        require_at_least(0, boundaries=end)
    if len(boundaries) != len(trainers):
        refuse("boundaries", f"{len(trainers)} steps, one for each trainer", boundaries)
    for i, (trainer, end) in enumerate(zip(trainers, boundaries, strict=True)):
        if state.step >= end:
            continue
        if i > 0 and state.step == boundaries[i - 1]:
            state = state._replace(opt_state=trainer.init(state.key).opt_state)
        require_alike(jax.eval_shape(trainer.init, state.key), state=state)
        start = time.perf_counter()
        make_block = trainer.make_block.lower(state).compile()
        form = jax.tree.map(
            lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where),
            jax.eval_shape(trainer.make_block, state),
            make_block.output_shardings,
        )
        train_block = trainer.train_block.lower(state, form).compile()
        compiled = time.perf_counter() - start
        while state.step < end:
            start = time.perf_counter()
            block = jax.block_until_ready(make_block(state))
            if not is_finite(block):
                raise FloatingPointError(
                    f"The examples after step {int(state.step)} are not finite: a lesson's "
                    "potential is not, or lies outside `system.bounds`."
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
