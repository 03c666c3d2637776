"""Trainings by any syllabus, all seeds in one program; those that are done are kept in files."""

import dataclasses
import functools
import hashlib
import pathlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key, PyTree

from experiments.curriculum import hardness
from experiments.curriculum.syllabus import MODES, Shape, Syllabus
from experiments.order import matched
from qdistill import _files
from qdistill.curriculum import CurriculumConfig, schedules
from qdistill.students import Student, WindowedConfig
from qdistill.system import Propagator
from qdistill.training import batches, loop
from qdistill.training.batches import Block
from qdistill.training.loop import TrainState
from qdistill.training.stages import TrainingConfig

# Random streams of the runs and of the examples' positions, separate from those of the library.
RUNS, PLACES = 2**30, 2**30 + 1


class Taught(NamedTuple):
    """Trainings of all seeds by one plan.

    Attributes:
      params: Parameters after the last step; a first axis n_seed.
      weights: Weights of the lessons in each block, as they were used.
      difficulty: Their difficulty.
      loss: Mean loss of each block.
    """

    params: PyTree
    weights: Float[np.ndarray, "n_seed n_blocks n_lesson"]
    difficulty: Float[np.ndarray, "n_seed n_blocks n_lesson"]
    loss: Float[np.ndarray, "n_seed n_blocks"]


@dataclasses.dataclass(frozen=True)
class Classroom:
    """All that the trainings share.

    Attributes:
      student: The student.
      teacher: The solver that makes the examples.
      training: The stages, whose examples are frames or windows; all have blocks of the same
        numbers.
      lessons: Names of the lessons.
    """

    student: Student
    teacher: Propagator
    training: TrainingConfig
    lessons: tuple[str, ...]

    @property
    def shape(self) -> Shape:
        """The numbers of a training."""
        of = self.training.stages[0].batches
        n_blocks, stages = self.training.boundaries[-1] // of.n_block, self.training.stages
        return Shape(n_blocks, of.n_block, of.n_runs, len(stages))

    @property
    def curriculum(self) -> CurriculumConfig:
        """The curriculum whose state serves all modes."""
        return CurriculumConfig(self.lessons, plan="adaptive", difficulty=(0.0, 1.0))


def schedule(
    room: Classroom, syllabus: Syllabus, state: TrainState
) -> tuple[Float[Array, "n_runs n_lesson"], Float[Array, "n_runs n_lesson"]]:
    """Return the weights and the difficulty of the lessons for each run of the next block."""
    n_lesson, shape = len(room.lessons), room.shape
    source = syllabus.runs[state.step // shape.n_block] // shape.n_runs
    adaptive, driven = schedules.adaptive(n_lesson), schedules.loss_driven(n_lesson)
    own = {
        "loss-driven": (driven.weights(state.lesson_losses[-1]), jnp.ones(n_lesson)),
        "adaptive": tuple(of(state.lesson_losses) for of in adaptive[2:]),
    }
    weights, difficulty = syllabus.weights[source], syllabus.difficulty[source]
    for name, (of, at) in own.items():
        is_on = syllabus.mode == MODES.index(name)
        weights, difficulty = jnp.where(is_on, of, weights), jnp.where(is_on, at, difficulty)
    return weights, difficulty


def draw_run(room: Classroom, stage: int) -> Callable[..., tuple[Array, Array, Array]]:
    """Return the function from root key, run, weights and difficulty to frames, v and lesson."""
    config = room.training.stages[stage].batches
    single = dataclasses.replace(config, n_runs=1, n_block=1, n_batch=1)
    of_one = batches.make_block(room.teacher, room.lessons, single, room.student.n_history)

    def draw(
        key: Key[Array, ""], run: Array, weights: Array, difficulty: Array
    ) -> tuple[Array, Array, Array]:
        stream = jax.random.fold_in(key, RUNS)
        made = of_one(jax.random.fold_in(stream, run), weights, difficulty)
        return made.frames[0], made.v[0], made.lesson[0]

    return draw


def ranks_of(
    room: Classroom, syllabus: Syllabus, seeds: Sequence[int], order: str
) -> Float[np.ndarray, "n_seed n_run"] | Int[np.ndarray, "n_seed n_run"]:
    """Return what all runs of trainings are sorted by.

    It is their lesson for an order ``"by lesson"``, else their hardness: the error of a fixed model
    on their frames.
    """
    model = matched.fixed_model(room.student.system)
    draw, n_runs = draw_run(room, len(room.training.stages) - 1), room.shape.n_runs

    @jax.jit
    def measure(key: Key[Array, ""]) -> Array:
        def of_one(run: Array) -> Array:
            block = run // n_runs
            frames, v, lesson = draw(key, run, syllabus.weights[block], syllabus.difficulty[block])
            is_lesson = order.startswith("by lesson")
            return lesson if is_lesson else hardness.of_run(model, frames, v)

        return jax.lax.map(of_one, jnp.arange(syllabus.runs.size), batch_size=n_runs)

    return np.stack([np.asarray(measure(first_state(room, seed).key)) for seed in seeds])


def make_block(room: Classroom, stage: int, syllabus: Syllabus, state: TrainState) -> Block:
    """Return the next block of a training: the runs that the syllabus names, and examples of them.

    Run i has the i-th random key of the training's seed, whenever it is shown.
    """
    config = room.training.stages[stage].batches
    run = syllabus.runs[state.step // config.n_block]
    frames, v, lesson = jax.vmap(draw_run(room, stage), (None, 0, 0, 0))(
        state.key, run, *schedule(room, syllabus, state)
    )
    places = jax.random.fold_in(jax.random.fold_in(state.key, PLACES), state.step)
    if config.examples == "windows":
        form = room.student.form
        assert isinstance(form, WindowedConfig)
        sizes = form.windows.n_history, form.windows.n_window
        spots = batches.sample_places(places, config, *sizes, frames, v)
        return Block(frames, v, lesson, *spots)
    key_run, key_time = jax.random.split(places)
    size = config.n_block, config.n_batch
    last = config.n_frames - room.student.n_history - config.n_target
    chosen = jax.random.randint(key_run, size, 0, config.n_runs)
    time = jax.random.randint(key_time, size, 0, last + 1)
    return Block(frames, v, lesson, chosen, time, jnp.zeros(size, chosen.dtype))


@functools.lru_cache(maxsize=8)
def _of_stage(room: Classroom, stage: int) -> Any:
    """The jitted function from syllabi and states to those after a stage, with its record."""
    trainer = loop.make_trainers(room.student, room.teacher, room.curriculum, room.training)[stage]
    n_blocks = room.training.stages[stage].n_steps // room.shape.n_block

    def follow(of_one: tuple[Syllabus, TrainState]) -> tuple[TrainState, tuple[Array, ...]]:
        syllabus, state = of_one
        if stage > 0:
            state = state._replace(opt_state=trainer.init(state.key).opt_state)

        def advance(state: TrainState, _: None) -> tuple[TrainState, tuple[Array, ...]]:
            weights, difficulty = schedule(room, syllabus, state)
            block = make_block(room, stage, syllabus, state)
            new, metrics = trainer.train_block(state, block)
            is_finite = metrics["is_finite"] & loop.is_finite(block)
            loss = jnp.where(is_finite, metrics["loss"], jnp.nan)
            return new, (weights.mean(axis=0), difficulty.mean(axis=0), loss)

        return jax.lax.scan(advance, state, None, n_blocks)

    return jax.jit(lambda syllabi, states: jax.lax.map(follow, (syllabi, states)))


def first_state(room: Classroom, seed: Any) -> TrainState:
    """Return the state before the first step, whatever the syllabus."""
    first, *_ = loop.make_trainers(room.student, room.teacher, room.curriculum, room.training)
    return first.init(jax.random.key(seed))


@functools.lru_cache(maxsize=8)
def _first_states(room: Classroom) -> Any:
    return jax.jit(jax.vmap(functools.partial(first_state, room)))


def train(room: Classroom, syllabi: Sequence[Syllabus], seeds: Sequence[int]) -> Taught:
    """Train one student by each syllabus.

    Trainings of one seed have the same initial parameters, whatever their syllabus.

    Raises:
      FloatingPointError: If a loss or a frame is not finite.
    """
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *syllabi)
    states, records = _first_states(room)(jnp.asarray(seeds, jnp.uint32)), []
    for stage in range(len(room.training.stages)):
        states, record = _of_stage(room, stage)(stacked, states)
        records.append(record)
    weights, difficulty, loss = (
        np.concatenate([np.asarray(part) for part in parts], axis=1)
        for parts in zip(*records, strict=True)
    )
    if not np.all(np.isfinite(loss)):
        raise FloatingPointError("A loss or a frame of the teacher is not finite.")
    return Taught(jax.tree.map(np.asarray, states.params), weights, difficulty, loss)


def keep(
    room: Classroom,
    file: pathlib.Path,
    syllabi: Callable[[], Sequence[Syllabus]],
    seeds: Sequence[int],
) -> Taught:
    """Return trainings from their file, or train by the given syllabi and keep them."""
    init = jax.eval_shape(room.student.init, jax.random.key(0))
    # Untyped, because the stubs of JAX give the type of a structure no attributes.
    structure: Any = jax.tree.structure(init)

    def make() -> dict[str, np.ndarray]:
        made = train(room, syllabi(), seeds)
        leaves = {f"leaf{i}": leaf for i, leaf in enumerate(jax.tree.leaves(made.params))}
        return leaves | {of: getattr(made, of) for of in Taught._fields[1:]}

    found = kept(file, make)
    params = [found[f"leaf{i}"] for i in range(structure.num_leaves)]
    others = (found[of] for of in Taught._fields[1:])
    return Taught(jax.tree.unflatten(structure, params), *others)


def label(room: Classroom, name: str, syllabi: Sequence[Syllabus], seeds: Sequence[int]) -> str:
    """Return a name of trainings with a checksum of all that they depend on."""
    leaves = [np.asarray(leaf).tolist() for each in syllabi for leaf in each]
    settings = repr((room.student, room.teacher, room.training, room.lessons, seeds, leaves))
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    return f"{name.replace(', ', '-').replace(' ', '-')}-{room.training.boundaries[-1]}-{digest}"


def kept(file: pathlib.Path, make: Callable[[], dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Return arrays from their file, or make and keep them."""
    if not file.exists():
        made: dict[str, Any] = make()
        with _files.whole(file) as new, new.open("wb") as stream:
            np.savez(stream, **made)
    with np.load(file) as found:
        return dict(found)
