"""Work and precision: what an error costs, by a solver and by a student.

The job is one new landscape, a number of packets and a time: a film with a look at every packet
after each a.u., or the end alone.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.frontier import band_contenders, contenders
from experiments.frontier.contenders import UNIT, Contender
from qdistill._checks import require_at_least, require_positive
from qdistill.forecast import baselines as generalisation
from qdistill.forecast import benchmark
from qdistill.forecast.benchmark import BenchmarkConfig, Runs
from qdistill.physics.grid import Grid, Scalar

# Settings that are tried: FFT pairs an a.u., tolerances of an a.u., and points of coarse grids.
PLAIN_PAIRS = (40, 60, 90, 120, 160, 240, 400)
CLAMPED_PAIRS = (5, 7, 10, 14, 20, 30, 40, 60)
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
COARSE = tuple((n_coarse, n) for n_coarse in (384, 512) for n in (7, 10, 14, 20, 28))
PROJECTED = (192, 256, 384)
LONG_WAVES = (192, 224, 256, 320, 384)


@dataclasses.dataclass(frozen=True)
class FrontierConfig:
    """What is run, and what it stands for.

    Attributes:
      n_landscapes: Fresh landscapes, of all families in turn.
      seed: Of them.
      n_units: Time of a run in a.u.; errors are those at its end.
      n_packets: Packets in a landscape, of the job and in the timing.
      job_units: Time of the job in a.u.
      n_repeats: Rounds of timing, each of all contenders in turn.
      levels: Relative errors at which the cheapest solver and student are compared.
      n_bootstrap: Resamples of landscapes and rounds, for intervals.
    """

    n_landscapes: int = 40
    seed: int = 1
    n_units: int = 20
    n_packets: int = 16
    job_units: int = 100
    n_repeats: int = 7
    levels: tuple[float, ...] = (1e-1, 1e-2, 1e-3)
    n_bootstrap: int = 2000

    def __post_init__(self) -> None:  # noqa: D105
        for name in ("n_landscapes", "n_packets", "n_repeats", "n_bootstrap", "job_units"):
            require_at_least(1, **{name: getattr(self, name)})
        require_at_least(2, n_units=self.n_units)
        require_positive(levels=self.levels)


def make_truth(grid: Grid, dt: float, config: FrontierConfig) -> Runs:
    """Packets on fresh landscapes: four frames given, then one each a.u. after the last of them.

    Args:
      grid: The physics.
      dt: Between given frames, in atomic units.
      config: How many.
    """
    key = jax.random.key(config.seed)
    _, psi0, v = generalisation.sample_cases(key, grid, config.n_landscapes)
    given = benchmark.simulate(grid, dt, psi0, v, BenchmarkConfig(n_frames=1)).given
    settings = BenchmarkConfig(n_frames=config.n_units, n_given=1)
    later = benchmark.simulate(grid, UNIT, given[:, -1], v, settings)
    return Runs(given, v, later.frames)


def measure_errors(contender: Contender, truth: Runs) -> Float[np.ndarray, " n_case"]:
    """The relative error |psi - truth| / |truth| at the end of every run."""
    one_by_one = jax.jit(lambda runs: jax.lax.map(lambda run: _error(contender, run), runs))
    return np.asarray(one_by_one(truth), float)


def _error(contender: Contender, run: Runs) -> Array:
    """Of one case, traceable."""
    evolution, last = contender.evolution(run.v), run.frames[-1]
    state = evolution.start(run.given)
    state = jax.lax.fori_loop(0, len(run.frames), lambda _, state: evolution.step(state), state)
    return jnp.linalg.norm(evolution.psi(state) - last) / jnp.linalg.norm(last)


def rms(errors: Float[np.ndarray, "*more n_case"]) -> Any:
    """The root of the mean square over the landscapes."""
    return np.sqrt(np.mean(np.asarray(errors, float) ** 2, axis=-1))


def best_clamped(
    grid: Grid, n_pairs: int, truth: Runs, n_coarse: int | None = None
) -> tuple[float, Contender]:
    """The clamped split step with the cap, in hartree, of least rms error on these very runs.

    Args:
      grid: The physics.
      n_pairs: FFT pairs an a.u.
      truth: The runs.
      n_coarse: Points that it has; None for all.
    """

    def make(cap: Scalar) -> Contender:
        if n_coarse is None:
            return contenders.clamped(grid, n_pairs, cap)
        return contenders.coarse_clamped(grid, n_coarse, n_pairs, cap)

    square = jax.vmap(lambda cap, run: _error(make(cap), run) ** 2, (None, 0))
    mean_square = jax.jit(lambda cap: jnp.mean(square(cap, truth)))
    cap = min(contenders.caps(n_pairs), key=lambda cap: float(mean_square(cap)))
    return cap, make(cap)


def clamped(
    grid: Grid, truth: Runs, numbers: Sequence[int], coarse: Sequence[tuple[int, int]]
) -> tuple[dict[str, Contender], dict[str, float]]:
    """Clamped split steps, each with its best cap, and these caps in hartree.

    Args:
      grid: The physics.
      truth: The runs on which caps are chosen.
      numbers: FFT pairs an a.u. on all points.
      coarse: Points, and FFT pairs an a.u. there.
    """
    best = {f"clamped, {n} pairs": best_clamped(grid, n, truth) for n in numbers}
    for n_coarse, n in coarse:
        best[f"{n_coarse} points, {n} pairs"] = best_clamped(grid, n, truth, n_coarse)
    return {name: one for name, (_, one) in best.items()}, {n: cap for n, (cap, _) in best.items()}


def line_up(
    grid: Grid, truth: Runs, *, is_short: bool = False
) -> tuple[dict[str, Contender], dict[str, float]]:
    """The solvers, each with many settings, and the caps of the clamped ones in hartree.

    Args:
      grid: The physics.
      truth: The runs on which caps are chosen; their landscapes bound the Chebyshev expansion.
      is_short: One setting of each.
    """
    n = 1 if is_short else None
    v_range = (float(truth.v.min()), float(truth.v.max()))
    splits, caps = clamped(grid, truth, CLAMPED_PAIRS[:n], COARSE[:n])
    solvers = {
        # The third is the one number that both dispersions allow.
        **contenders.split_steps(grid, PLAIN_PAIRS[2:3] if is_short else PLAIN_PAIRS),
        **splits,
        **contenders.chebyshevs(grid, TOLERANCES[:n], v_range),
        **band_contenders.projected(grid, PROJECTED[:n]),
        **band_contenders.cut_off(grid, LONG_WAVES[:n]),
        **band_contenders.folded(grid, LONG_WAVES[:n]),
    }
    return solvers, caps
