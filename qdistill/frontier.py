"""Work and precision: what an error costs, by a solver and by a student.

The job is one new landscape, a number of packets and a time; what a contender makes of the
landscape once is part of its cost.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill import benchmark, contenders, generalisation
from qdistill.arguments import require_at_least, require_positive
from qdistill.benchmark import BenchmarkConfig, Runs
from qdistill.contenders import UNIT, Contender
from qdistill.grid import Grid

# Settings that are tried: FFT pairs an a.u., tolerances of an a.u., and points of coarse grids.
PLAIN_PAIRS = (40, 60, 90, 120, 160, 240, 400)
CLAMPED_PAIRS = (5, 7, 10, 14, 20, 30, 40, 60)
TOLERANCES = (1e-1, 1e-2, 1e-3, 1e-4, 1e-5)
COARSE = ((512, 10), (512, 20), (384, 10), (384, 20), (256, 10), (256, 20))
PROJECTED = (384, 256, 192)
LONG_WAVES = (192, 224, 256, 320, 384)
# Seconds of a timed run, unless the job is shorter.
LONG_ENOUGH = 1.0


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
    step, last = contender.advance(run.v), run.frames[-1]
    state = contender.start(run.given)
    state = jax.lax.fori_loop(0, len(run.frames), lambda _, state: step(state), state)
    return jnp.linalg.norm(contender.psi(state) - last) / jnp.linalg.norm(last)


def rms(errors: Float[np.ndarray, "*more n_case"]) -> Any:
    """The root of the mean square over the landscapes."""
    return np.sqrt(np.mean(np.asarray(errors, float) ** 2, axis=-1))


def best_clamped(grid: Grid, n_pairs: int, truth: Runs) -> tuple[float, Contender]:
    """The clamped split step with the cap, in hartree, of least rms error on these very runs."""
    square = jax.vmap(
        lambda cap, run: _error(contenders.clamped(grid, n_pairs, cap), run) ** 2, (None, 0)
    )
    mean_square = jax.jit(lambda cap: jnp.mean(square(cap, truth)))
    cap = min(contenders.caps(n_pairs), key=lambda cap: float(mean_square(cap)))
    return cap, contenders.clamped(grid, n_pairs, cap)


def line_up(
    grid: Grid, truth: Runs, *, is_short: bool = False
) -> tuple[dict[str, Contender], dict[str, float]]:
    """The solvers, each with many settings, and the caps of the clamped ones in hartree.

    Args:
      grid: The physics.
      truth: The runs on which caps are chosen; their landscapes bound the Chebyshev expansion.
      is_short: One setting of each.
    """
    # The cheapest of each: the one number that both grids allow, and the smallest matrix.
    n = 1 if is_short else None
    v_range = (float(truth.v.min()), float(truth.v.max()))
    clamped = {pairs: best_clamped(grid, pairs, truth) for pairs in CLAMPED_PAIRS[:n]}
    exact = contenders.chebyshevs(grid, (1e-5,), v_range)["Chebyshev, 1e-05"].advance
    solvers = {
        **contenders.split_steps(grid, PLAIN_PAIRS[2:3] if is_short else PLAIN_PAIRS),
        **{f"clamped, {pairs} pairs": rival for pairs, (_, rival) in clamped.items()},
        **contenders.chebyshevs(grid, TOLERANCES[:n], v_range),
        **contenders.coarse_split_steps(grid, COARSE[:n]),
        **contenders.projected(grid, PROJECTED[-1:] if is_short else PROJECTED, exact),
        **contenders.cut_off(grid, LONG_WAVES[:n]),
        **contenders.folded(grid, LONG_WAVES[:n]),
    }
    return solvers, {f"clamped, {pairs} pairs": cap for pairs, (cap, _) in clamped.items()}


class Cost(NamedTuple):
    """Seconds, in every round of timing."""

    # Of what is made of a landscape once.
    setup: Float[np.ndarray, " n_repeat"]
    # Of one packet and one a.u.
    packet: Float[np.ndarray, " n_repeat"]

    def of_job(self, config: FrontierConfig) -> Float[np.ndarray, " n_repeat"]:
        """Of a landscape with all packets for the whole time."""
        return self.setup + config.n_packets * config.job_units * self.packet


def measure_costs(
    rivals: Mapping[str, Contender], truth: Runs, config: FrontierConfig
) -> dict[str, Cost]:
    """Time all packets in one landscape, all contenders in every round.

    A run of no time costs what is made of the landscape; a long one, up to the job's own length,
    gives the rest.
    """
    given = jnp.resize(truth.given, (config.n_packets, *truth.given.shape[1:]))
    v = truth.v[0]
    calls = {name: _timed_run(rival) for name, rival in rivals.items()}
    lengths = {}
    for name, call in calls.items():
        _seconds(call, given, v, 0)
        setup, brief = (min(_seconds(call, given, v, n) for _ in range(2)) for n in (0, 2))
        per_unit = max((brief - setup) / 2, 1e-6)
        lengths[name] = int(np.clip(LONG_ENOUGH / per_unit, 1, config.job_units))
    costs = {name: Cost(*np.empty((2, config.n_repeats))) for name in rivals}
    for i in range(config.n_repeats):
        for name, call in calls.items():
            setup, total = (_seconds(call, given, v, n) for n in (0, lengths[name]))
            costs[name].setup[i] = setup
            costs[name].packet[i] = (total - setup) / lengths[name] / config.n_packets
    return costs


def _timed_run(contender: Contender) -> Any:
    """All packets in one landscape, whose part in the work is done once."""

    def run(given: Array, v: Array, n_units: Array) -> Array:
        step = contender.advance(v)
        start = jax.vmap(contender.start)(given)
        state = jax.lax.fori_loop(0, n_units, lambda _, s: jax.vmap(step)(s), start)
        return jax.vmap(contender.psi)(state)

    return jax.jit(run)


def _seconds(call: Any, given: Array, v: Array, n_units: int) -> float:
    start = time.perf_counter()
    jax.block_until_ready(call(given, v, n_units))
    return time.perf_counter() - start


def compare(
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    costs: Mapping[str, Cost],
    learned: Sequence[str],
    config: FrontierConfig,
) -> dict[str, Any]:
    """At each level of error: the cheapest solver, the cheapest student, and the ratio.

    A contender counts at a level if its rms error is at most that. The ratio is the solver's time
    over the student's: above 1 the student is faster. Its interval, of 95%, is that of landscapes
    and of rounds drawn anew. Where no student gets there, nothing is compared.
    """
    names = list(errors)
    is_learned = np.isin(names, list(learned))
    table = np.stack([errors[name] for name in names])
    rounds = np.stack([costs[name].of_job(config) for name in names])
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
            seconds = np.median(rounds[:, turns], axis=1)
            solver, student = _cheapest(table[:, cases], seconds, is_learned, level)
            if solver is not None and student is not None:
                ratios.append(seconds[solver] / seconds[student])
        if ratios:
            seconds = np.median(rounds, axis=1)
            low, high = np.quantile(ratios, (0.025, 0.975))
            row |= {
                "ratio": float(seconds[best[0]] / seconds[best[1]]),
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


def describe(
    rivals: Mapping[str, Contender],
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    costs: Mapping[str, Cost],
    config: FrontierConfig,
) -> dict[str, dict[str, Any]]:
    """Errors and costs of every contender, to be written."""
    return {
        name: {
            "kind": rival.kind,
            "rms_error": float(rms(errors[name])),
            "median_error": float(np.median(errors[name])),
            "worst_error": float(np.max(errors[name])),
            "errors": errors[name].tolist(),
            "setup_seconds": float(np.median(costs[name].setup)),
            "microseconds_per_packet_and_au": 1e6 * float(np.median(costs[name].packet)),
            "job_seconds": float(np.median(costs[name].of_job(config))),
            "job_seconds_range": [
                float(edge(costs[name].of_job(config))) for edge in (np.min, np.max)
            ],
        }
        for name, rival in rivals.items()
    }


def table(report: Mapping[str, Any]) -> str:
    """Errors and costs, and who is cheapest at each level, as text."""
    lines = [f"{report['dispersion'] + ' physics':28}{'rms error':>10}{'median':>10}{'worst':>10}"]
    lines[0] += f"{'landscape, ms':>15}{'us/packet/au':>14}{'job, s':>10}"
    for name, row in report["contenders"].items():
        lines.append(
            f"{name:28}{row['rms_error']:10.1e}{row['median_error']:10.1e}{row['worst_error']:10.1e}"
            f"{1e3 * row['setup_seconds']:15.2f}{row['microseconds_per_packet_and_au']:14.1f}"
            f"{row['job_seconds']:10.3f}"
        )
    for level, row in report["levels"].items():
        line = f"error {level}: cheapest solver {row['solver']}, cheapest student {row['student']}"
        if "ratio" in row:
            line += f"; the student is {row['ratio']:.2f} times as fast"
            line += f" ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
        lines.append(line)
    return "\n".join(lines)
