"""Work and precision: what an error costs, by a solver and by a student.

The job is one new landscape, a number of packets and a time: a film with a look at every packet
after each a.u., or the end alone.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill import band_contenders, benchmark, contenders, generalisation
from qdistill.arguments import require_at_least, require_positive
from qdistill.benchmark import BenchmarkConfig, Runs
from qdistill.contenders import UNIT, Contender
from qdistill.costs import Cost
from qdistill.grid import Grid, Scalar

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


def compare(
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    seconds: Mapping[str, Float[np.ndarray, " n_repeat"]],
    learned: Sequence[str],
    config: FrontierConfig,
) -> dict[str, Any]:
    """At each level of error: the cheapest solver, the cheapest student, and the ratio.

    Args:
      errors: Of each contender.
      seconds: That each took for the job, in every round.
      learned: Which are students.
      config: Levels and resamples.

    Returns:
      A row for each level, within which the rms error has to be. The ratio is the solver's time
      over the student's: above 1 the student is faster. Its interval, of 95%, is that of landscapes
      and of rounds drawn anew. Where no student gets there, nothing is compared.
    """
    names = list(errors)
    is_learned = np.isin(names, list(learned))
    table = np.stack([errors[name] for name in names])
    rounds = np.stack([seconds[name] for name in names])
    random = np.random.default_rng(config.seed)
    found = {}
    for level in config.levels:
        best = _cheapest(table, np.median(rounds, axis=1), is_learned, level)
        row: dict[str, Any] = {
            who: None if i is None else names[i]
            for who, i in zip(("solver", "student"), best, strict=True)
        }
        ratios = []
        for _ in range(config.n_bootstrap if None not in best else 0):
            cases = random.integers(0, table.shape[1], table.shape[1])
            turns = random.integers(0, rounds.shape[1], rounds.shape[1])
            drawn = np.median(rounds[:, turns], axis=1)
            solver, student = _cheapest(table[:, cases], drawn, is_learned, level)
            if solver is not None and student is not None:
                ratios.append(drawn[solver] / drawn[student])
        if ratios:
            medians = np.median(rounds, axis=1)
            low, high = np.quantile(ratios, (0.025, 0.975))
            row |= {
                "ratio": float(medians[best[0]] / medians[best[1]]),
                "ratio_low": float(low),
                "ratio_high": float(high),
            }
        found[f"{level:g}"] = row
    return found


def _cheapest(
    table: np.ndarray, seconds: np.ndarray, is_learned: np.ndarray, level: float
) -> tuple[int | None, int | None]:
    """The cheapest solver and the cheapest student within a level of error; None for nobody."""
    fits = rms(table) <= level
    best = []
    for among in (fits & ~is_learned, fits & is_learned):
        best.append(int(np.argmin(np.where(among, seconds, np.inf))) if among.any() else None)
    return best[0], best[1]


def jobs(costs: Mapping[str, Cost], config: FrontierConfig) -> dict[str, dict[str, Any]]:
    """Seconds of the job in every round: of the ``"film"``, and of the ``"end"`` alone."""
    looks = {"film": config.job_units, "end": 1}
    return {
        job: {
            n: cost.of_job(config.n_packets, config.job_units, n_looks) for n, cost in costs.items()
        }
        for job, n_looks in looks.items()
    }


def describe(
    rivals: Mapping[str, Contender],
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    costs: Mapping[str, Cost],
    config: FrontierConfig,
) -> dict[str, dict[str, Any]]:
    """Errors and costs of every contender, to be written."""
    seconds = jobs(costs, config)
    found = {}
    for name, rival in rivals.items():
        film, end = (seconds[job][name] for job in ("film", "end"))
        found[name] = {
            "kind": rival.kind,
            "rms_error": float(rms(errors[name])),
            "median_error": float(np.median(errors[name])),
            "worst_error": float(np.max(errors[name])),
            "errors": errors[name].tolist(),
            "setup_seconds": float(np.median(costs[name].setup)),
            "microseconds_per_packet_and_au": 1e6 * float(np.median(costs[name].packet)),
            "microseconds_per_look": 1e6 * float(np.median(costs[name].look)),
            "job_seconds": float(np.median(film)),
            "job_seconds_range": [float(np.min(film)), float(np.max(film))],
            "end_seconds": float(np.median(end)),
            "end_seconds_range": [float(np.min(end)), float(np.max(end))],
        }
        if rival.operations is not None:
            for job, n_looks in (("job", config.job_units), ("end", 1)):
                found[name][f"{job}_gigaflop"] = 1e-9 * rival.operations.of_job(
                    config.n_packets, config.job_units, n_looks
                )
    return found


def table(report: Mapping[str, Any]) -> str:
    """Errors and costs, and who is cheapest at each level, as text."""
    lines = [f"{report['dispersion'] + ' physics':28}{'rms error':>10}{'median':>10}{'worst':>10}"]
    lines[0] += f"{'landscape, ms':>15}{'film, ms':>10}{'Gflop':>8}{'end, ms':>10}{'Gflop':>8}"
    for name, row in report["contenders"].items():
        errors = (row[f"{kind}_error"] for kind in ("rms", "median", "worst"))
        line = f"{name:28}" + "".join(f"{error:10.1e}" for error in errors)
        line += f"{1e3 * row['setup_seconds']:15.2f}"
        for job in ("job", "end"):
            work = f"{row[f'{job}_gigaflop']:8.2f}" if f"{job}_gigaflop" in row else f"{'':8}"
            line += f"{1e3 * row[f'{job}_seconds']:10.1f}{work}"
        lines.append(line)
    for job, levels in report["levels"].items():
        for level, row in levels.items():
            line = f"{job}, error {level}: cheapest solver {row['solver']}"
            line += f", cheapest student {row['student']}"
            if "ratio" in row:
                line += f"; the student is {row['ratio']:.2f} times as fast"
                line += f" ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
            lines.append(line)
    return "\n".join(lines)
