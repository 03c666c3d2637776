"""Training examples made on the fly: runs of the teacher, and batches cut from them.

A *block* is a set of runs that are simulated together, and the positions from which the batches of
the next `n_block` training steps are cut. It is a pure function of (config, key, block index,
lesson weights, difficulty): nothing is stored, and a resumed training sees the same batches.
"""

import dataclasses
from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias, get_args

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array, Complex, Float, Inexact, Int, Key

from qdistill import _distribute as cluster
from qdistill._checks import (
    refuse,
    require_arrays,
    require_at_least,
    require_between,
    require_finite,
    require_one_of,
    require_settings,
)
from qdistill._refusals import explained
from qdistill.curriculum import sampling
from qdistill.curriculum.schedules import Difficulty
from qdistill.students import windows
from qdistill.system import Potential, Propagator, rollout
from qdistill.training.boxes import SpectraConfig

Placement: TypeAlias = Literal["potential", "amplitude"]
Examples: TypeAlias = Literal["windows", "frames", "spectra"]


@explained
@dataclasses.dataclass(frozen=True)
class BatchConfig:
    """Settings of the examples that are cut from the teacher's runs.

    Attributes:
      n_batch: Examples in a batch.
      n_block: Batches that are cut from one block of runs.
      n_runs: Runs (or boxes, for spectra) in a block.
      n_frames: Frames of a run, the first included.
      n_target: Frames to forecast in an example, at least 1.
      examples: ``"windows"`` of frames, whole ``"frames"``, or the ``"spectra"`` of boxes. For
        spectra no frames are simulated, so `n_frames`, `placement` and `floor` have no effect.
      placement: Distribution of the windows. ``"potential"``, the paper's: 50 times as likely where
        they overlap the potential. ``"amplitude"``: in proportion to the root-mean-square amplitude
        of psi in the window, three times as likely where the potential has an edge.
      floor: Share of the windows that are placed uniformly, with ``"amplitude"``.
      spectra: Settings of the boxes, for spectra.
    """

    n_batch: int = 128
    n_block: int = 1000
    n_runs: int = 32
    n_frames: int = 501
    n_target: int = 1
    examples: Examples = "windows"
    placement: Placement = "potential"
    floor: float = 0.05
    spectra: SpectraConfig = dataclasses.field(default_factory=SpectraConfig)

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("n_batch", "n_block", "n_runs", "n_target"):
            require_at_least(1, **{name: getattr(self, name)})
        require_at_least(2, n_frames=self.n_frames)
        require_one_of(get_args(Placement), placement=self.placement)
        require_one_of(get_args(Examples), examples=self.examples)
        require_between(0, 1, floor=self.floor)


class Batch(NamedTuple):
    """A batch of examples: n_history + n_target frames of psi, on windows or the whole grid."""

    psi: Complex[Array, "n_batch n_t *n_point"]
    v: Potential
    # Index of the last given frame, from which the forecast starts.
    n: Int[Array, " n_batch"]
    lesson: Int[Array, " n_batch"]


class Block(NamedTuple):
    """The runs of the teacher, and the positions of the examples of the following batches."""

    # The runs.
    frames: Complex[Array, "n_run n_t *n_x"]
    v: Potential
    lesson: Int[Array, " n_run"]
    # Positions of the examples: run, first frame, and centre of the window.
    run: Int[Array, "n_block n_batch"]
    time: Int[Array, "n_block n_batch"]
    centre: Int[Array, "n_block n_batch"]


BlockMaker: TypeAlias = Callable[[Key[Array, ""], Float[Array, " n_lesson"], Difficulty], Block]


@explained
def make_block(
    teacher: Propagator,
    names: tuple[str, ...],
    config: BatchConfig,
    n_history: int,
    n_window: int = 1,
    mesh: Mesh | None = None,
) -> BlockMaker:
    """Return the pure function ``(key, weights, difficulty) -> Block``, to be jitted.

    Args:
      teacher: The solver; its system provides the lessons.
      names: Names of the lessons.
      config: Sizes, and placement of windows.
      n_history: Number of given frames of an example.
      n_window: Points of a window; not used for whole frames.
      mesh: Devices that share the runs.

    Raises:
      ValueError: If a run is too short for the history and the frames to forecast, or for spectra,
        which `boxes.make_block` makes.
    """
    if config.examples == "spectra":
        refuse("examples", "windows or frames here", config.examples)
    n_t = n_history + config.n_target
    if config.n_frames < n_t:
        refuse("n_frames", f"at least {n_t}, the length of an example", config.n_frames)

    def simulate(key: Key[Array, ""], weights: Array, difficulty: Difficulty) -> tuple:
        lesson, (psi, v) = sampling.sample(key, teacher.system, names, weights, difficulty)
        later = rollout(teacher, psi[None], v, config.n_frames - 1)
        if config.examples == "windows":
            v = teacher.system.local(v, 0.0, None)
        return jnp.concatenate([psi[None], later]), v, lesson

    def block(key: Key[Array, ""], weights: Array, difficulty: Difficulty) -> Block:
        key_runs, key_places = jax.random.split(key)
        keys = jax.random.split(key_runs, config.n_runs)
        many = cluster.spread(mesh, jax.vmap(simulate, (0, None, None)))
        frames, v, lesson = many(keys, weights, difficulty)
        places = sample_places(key_places, config, n_history, n_window, frames, v)
        return Block(frames, v, lesson, *places)

    return block


@explained
def cut_batch(
    block: Block,
    i: Int[Array, ""] | int,
    n_history: int,
    n_target: int = 1,
    n_window: int | None = None,
) -> Batch:
    """Return the i-th batch of a block.

    Args:
      block: The block.
      i: Index of the batch, from 0.
      n_history: Number of given frames of an example.
      n_target: Number of frames to forecast in an example.
      n_window: Points of a window; None for whole frames.
    """
    require_arrays(block=block)
    require_between(0, len(block.run) - 1, i=i)
    run, time, centre = block.run[i], block.time[i], block.centre[i]
    times, n = time[:, None] + jnp.arange(n_history + n_target)[None], time + n_history - 1
    lesson = block.lesson[run]
    if n_window is None:
        v = jax.tree.map(lambda leaf: leaf[run], block.v)
        return Batch(block.frames[run[:, None], times], v, n, lesson)
    points = (centre[:, None] + windows.offsets(n_window)[None]) % block.v.shape[-1]
    # Axes of channels come last in what is indexed, the points last in an example.
    psi = block.frames[run[:, None, None], times[:, :, None], ..., points[:, None, :]]
    v = block.v[run[:, None], ..., points]
    return Batch(jnp.moveaxis(psi, 2, -1), jnp.moveaxis(v, 1, -1), n, lesson)


@explained
def make_batch(
    block_maker: BlockMaker,
    config: BatchConfig,
    n_history: int,
    n_window: int,
    key: Key[Array, ""],
    step: int,
    weights: Float[Array, " n_lesson"],
    difficulty: Difficulty,
    begin: int = 0,
) -> Batch:
    """Return the batch of one training step, a pure function of (key, step).

    Training makes whole blocks and cuts all their batches. The batches are the same for equal
    weights and difficulty; a block has those of the step at which it begins.

    Args:
      block_maker: The result of `make_block`.
      config: Sizes, and placement of windows.
      n_history: Number of given frames of an example.
      n_window: Points of a window.
      key: The root key.
      step: The step, counted from the start of the training.
      weights: Weights of the lessons.
      difficulty: Difficulty of the lessons.
      begin: The step at which the stage begins.

    Raises:
      ValueError: For a step before its stage.
    """
    require_at_least(begin, step=step)
    first = step - (step - begin) % config.n_block
    block = block_maker(jax.random.fold_in(key, first), weights, difficulty)
    n_point = None if config.examples == "frames" else n_window
    return cut_batch(block, step - first, n_history, config.n_target, n_point)


@explained
def window_weights(
    config: BatchConfig,
    n_window: int,
    psi: Complex[Array, "n_t *n_channel n_x"],
    v: Inexact[Array, "*matrix n_x"],
) -> Float[Array, "n_t n_x"]:
    """Return the relative probability of the window around each point, for every frame of a run.

    With channels psi has the amplitude of all of them, and v any entry of the matrix.
    """
    require_finite(v=v)
    n_t, n_x = len(psi), psi.shape[-1]
    entries = windows.around_all(v, n_window).reshape(-1, n_x, n_window)
    if config.placement == "potential":
        weights = jnp.where(jnp.any(entries != 0, axis=(0, -1)), 50.0, 1.0).astype(v.real.dtype)
        return jnp.broadcast_to(weights[None], (n_t, n_x))
    steepest = jnp.max(jnp.abs(jnp.diff(entries, axis=-1)), axis=(0, -1), initial=0)
    density = jnp.sum((jnp.abs(psi) ** 2).reshape(n_t, -1, n_x), axis=1)
    weights = jnp.sqrt(_sum_around(density, n_window))
    weights = weights * jnp.where(steepest > EDGE, 3, 1)[None]
    share = weights / jnp.sum(weights, axis=1, keepdims=True)
    return (1 - config.floor) * share + config.floor / n_x


# A change of the potential between neighbouring points, in hartree, that counts as an edge.
EDGE = 0.3


def _sum_around(density: Float[Array, "n_t n_x"], n_window: int) -> Float[Array, "n_t n_x"]:
    """The sum over the window around every point, as a difference of cumulative sums."""
    half = n_window // 2
    wrapped = jnp.pad(density, ((0, 0), (half + 1, half)), mode="wrap")
    cumulative = jnp.cumsum(wrapped, axis=1)
    return jnp.maximum(cumulative[:, n_window:] - cumulative[:, :-n_window], 0)


@explained
def sample_places(
    key: Key[Array, ""],
    config: BatchConfig,
    n_history: int,
    n_window: int,
    frames: Complex[Array, "n_run n_t *n_x"],
    v: Potential,
) -> tuple[Array, Array, Array]:
    """Return run, first frame and centre of every example of a block, each drawn independently.

    Args:
      key: Random key.
      config: Sizes, and placement of windows.
      n_history: Number of given frames of an example.
      n_window: Points of a window.
      frames: The runs.
      v: Their potentials.
    """
    n_runs, n_frames = frames.shape[:2]
    shape = (config.n_block, config.n_batch)
    key_run, key_time, key_centre = jax.random.split(key, 3)
    run = jax.random.randint(key_run, shape, 0, n_runs)
    last_start = n_frames - n_history - config.n_target
    time = jax.random.randint(key_time, shape, 0, last_start + 1)
    if config.examples == "frames":
        return run, time, jnp.zeros(shape, run.dtype)
    weigh = jax.vmap(lambda psi, v: window_weights(config, n_window, psi, v))
    cumulative = jnp.cumsum(weigh(frames, v), axis=-1)
    # The last given frame determines the position of the window.
    last_given = time + n_history - 1
    level = jax.random.uniform(key_centre, shape, v.real.dtype) * cumulative[run, last_given, -1]
    return run, time, _search(cumulative, run, last_given, level)


def _search(cumulative: Array, run: Array, time: Array, level: Array) -> Array:
    """The first point x with cumulative[run, time, x] > level, by bisection."""
    n_x = cumulative.shape[-1]
    below = jnp.zeros(level.shape, run.dtype)
    for bit in reversed(range(n_x.bit_length())):
        probe = below + (1 << bit)
        is_below = cumulative[run, time, jnp.minimum(probe, n_x) - 1] <= level
        below = jnp.where((probe < n_x) & is_below, probe, below)
    return below
