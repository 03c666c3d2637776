"""The paper's data: a fixed set of runs, and windows drawn from them without replacement."""

import dataclasses
import functools
import itertools
from collections.abc import Iterator

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill import teacher
from qdistill._checks import refuse
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.training.batches import BatchConfig, Block, window_weights

# Of each run 90% of the times, and at each time 10% of the positions.
SHARE_OF_TIMES = 0.9
SHARE_OF_POSITIONS = 0.1


@dataclasses.dataclass(frozen=True)
class Parameters:
    """The parameters whose combinations are the runs; lengths in percent of the box.

    Attributes:
      centres: Centres of the packets.
      widths: Spreads of the packets.
      energies: Energies in hartree.
      heights: Heights of the barriers in hartree.
    """

    centres: tuple[float, ...] = (10.0, 40.0, 70.0)
    widths: tuple[float, ...] = tuple(float(w) for w in np.arange(1.0, 4.5, 0.5))
    energies: tuple[float, ...] = tuple(float(energy) for energy in range(1, 10))
    heights: tuple[float, ...] = (2.0, 5.0, 10.0)

    @property
    def runs(self) -> list[tuple[float, ...]]:
        """The parameters of every run: centre, width, energy and height.

        >>> len(Parameters().runs)
        567
        """
        return list(itertools.product(self.centres, self.widths, self.energies, self.heights))


@dataclasses.dataclass(frozen=True)
class FixedWindows:
    """Runs of the teacher, and the windows that were chosen from them.

    Attributes:
      frames: Frames of all runs, of shape (n_run, n_t, n_x).
      v: Potentials in hartree, of shape (n_run, n_x).
      codes: One number for each window: (run n_t + time) n_x + centre, where time is that of its
        first frame.
    """

    frames: Complex[Array, "n_run n_t n_x"]
    v: Float[Array, "n_run n_x"]
    codes: np.ndarray

    def block(self, codes: np.ndarray) -> Block:
        """Return the block whose batches are given windows, of shape (n_block, n_batch)."""
        _, n_t, n_x = self.frames.shape
        rest, centre = np.divmod(codes, n_x)
        run, time = np.divmod(rest, n_t)
        lesson = jnp.zeros(len(self.frames), int)
        return Block(self.frames, self.v, lesson, *map(jnp.asarray, (run, time, centre)))

    def blocks(self, seed: int, n_batch: int, n_block: int, step: int = 0) -> Iterator[Block]:
        """Return blocks of batches forever: every window once, in random order, then again.

        Args:
          seed: Seed of the order.
          n_batch: Windows of a batch.
          n_block: Batches of a block.
          step: Number of batches before the first block.
        """
        n = n_block * n_batch
        per_epoch = len(self.codes) // n
        if per_epoch == 0:
            refuse(
                "n_block", f"at most {len(self.codes) // n_batch}, the batches there are", n_block
            )
        begun, i = divmod(step // n_block, per_epoch)
        for epoch in itertools.count(begun):
            order = np.random.default_rng((seed, epoch)).permutation(self.codes)
            for first in range(i * n, per_epoch * n, n):
                yield self.block(order[first : first + n].reshape(n_block, n_batch))
            i = 0


def simulate(
    system: System,
    parameters: Parameters,
    n_frames: int,
    n_runs: int | None = None,
    n_at_once: int = 21,
) -> tuple[Array, Array]:
    """Return the frames and the potentials of runs, by the Chebyshev solver.

    Args:
      system: The system.
      parameters: Parameters of all runs.
      n_frames: Number of frames, the first included.
      n_runs: Number of runs, from the first; None for all.
      n_at_once: Number of runs that are solved together.
    """
    solver = teacher.chebyshev(system)
    values = jnp.asarray(parameters.runs[:n_runs], float)
    start = jax.vmap(functools.partial(_start, system.grid))

    @jax.jit
    def solve(values: Array) -> tuple[Array, Array]:
        psi, v = start(values)
        later = jax.vmap(lambda psi, v: rollout(solver, psi[None], v, n_frames - 1))(psi, v)
        return jnp.concatenate([psi[:, None], later], axis=1), v

    # Filled in place: the runs of the paper are 2.3 GB.
    dtype = np.result_type(values.dtype, np.complex64)
    frames = np.empty((len(values), n_frames, *system.grid.shape), dtype)
    potential = np.empty((len(values), *system.grid.shape), values.dtype)
    for first in range(0, len(values), n_at_once):
        some = slice(first, first + n_at_once)
        frames[some], potential[some] = solve(values[some])
    return jnp.asarray(frames), jnp.asarray(potential)


def _start(grid: Grid, values: Array) -> tuple[Array, Array]:
    """The first frame and the potential of a run, as in the lesson `"paper-demo"`."""
    centre, width, energy, height = values
    percent = grid.lengths[0] / 100
    momentum = packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, grid.origin[0] + percent * centre, percent * width, momentum)
    return psi, potentials.barrier(grid.positions(), height, 7 * percent, grid.middle[0])


def choose(
    v: np.ndarray, n_t: int, n_history: int, n_window: int, rng: np.random.Generator
) -> np.ndarray:
    """Return the codes of the windows of a training set.

    Of each run a share of the times is drawn, and at each of them a share of the positions, both
    without replacement; positions are weighted as in the placement ``"potential"`` of batches.

    Args:
      v: Potentials, of shape (n_run, n_x).
      n_t: Number of frames of a run.
      n_history: Number of given frames of a window; one more is its target.
      n_window: Points of a window.
      rng: Source of random numbers.
    """
    n_x = v.shape[-1]
    n_starts = n_t - n_history
    n_times = round(SHARE_OF_TIMES * n_starts)
    n_positions = round(SHARE_OF_POSITIONS * n_x)
    codes = np.empty((len(v), n_times, n_positions), np.int32)
    for run, potential in enumerate(v):
        one_frame = jnp.zeros((1, n_x), complex)
        (weights,) = np.asarray(
            window_weights(BatchConfig(), n_window, one_frame, jnp.asarray(potential))
        )
        times = rng.choice(n_starts, n_times, replace=False)
        # The largest of log(weight) + Gumbel noise are a weighted draw without replacement.
        keys = np.log(weights) + rng.gumbel(size=(n_times, n_x))
        centres = np.argpartition(-keys, n_positions - 1, axis=1)[:, :n_positions]
        codes[run] = (run * n_t + times[:, None]) * n_x + centres
    return codes.reshape(-1)
