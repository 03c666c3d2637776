"""Comparison of contenders by cost at equal error, for two kinds of jobs.

In reports "film" is a job whose result is the whole trajectory, decoded after every a.u., and "end"
one whose result is the final state only.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from experiments.frontier import cases, costs
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import Contender
from experiments.frontier.costs import Cost
from qdistill.forecast.cases import Cases

# At equal time a solver may take so much longer than the student.
LONGER = 1.1


def run(
    groups: Mapping[str, Mapping[str, Contender]],
    students: Mapping[str, Contender],
    truth: Cases,
    config: FrontierConfig,
) -> dict[str, Any]:
    """Measure errors and costs of all contenders, and compare students with solvers.

    Args:
      groups: Solvers and baselines, by group and name.
      students: Emulators, by name.
      truth: The test runs.
      config: Settings, which define the job.

    Returns:
      `contenders`: the result of `describe`. `levels`: the result of `compare` for each job in
      seconds, and in operations if those of all contenders are known. `beside`: the same for each
      group of solvers alone. `at_equal_time`: for each group the result of the function of this
      name, for a trajectory in seconds.
    """
    known = {name: one for some in groups.values() for name, one in some.items()} | dict(students)
    errors = {name: cases.measure_errors(one, truth) for name, one in known.items()}
    given = jnp.resize(truth.given, (config.n_packets, *truth.given.shape[1:]))
    cost = costs.measure(known, given, truth.v[0], config.job_units, config.n_repeats)
    spent = in_seconds(cost, config)
    if all(one.operations for one in known.values()):
        spent |= in_operations(known, config)

    def levels(among: Mapping[str, Contender]) -> dict[str, Any]:
        some = {name: errors[name] for name in among}
        return {job: compare(some, each, list(students), config) for job, each in spent.items()}

    given_groups = {kind: some for kind, some in groups.items() if some}
    film = spent["film"]
    return {
        "contenders": describe(known, errors, cost, config),
        "levels": levels(known),
        "beside": {kind: levels({**some, **students}) for kind, some in given_groups.items()},
        "at_equal_time": {
            kind: {
                student: at_equal_time(student, list(some), errors, film, config)
                for student in students
            }
            for kind, some in given_groups.items()
        },
    }


def at_equal_time(
    student: str,
    solvers: Sequence[str],
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    seconds: Mapping[str, Float[np.ndarray, " n_repeat"]],
    config: FrontierConfig,
) -> dict[str, Any]:
    """Return the most exact solver that takes at most `LONGER` times as long as a student.

    Args:
      student: Name of the student.
      solvers: Names of the solvers.
      errors: Errors of each contender.
      seconds: Seconds of each contender for the job in every round.
      config: Seed and number of resamples.

    Returns:
      Its name, and the student's rms error over its own. The 95% interval is from resampled
      potentials and rounds, in which the solver is chosen anew. Without such a solver, or with one
      in less than 95% of the resamples, there is no ratio.
    """
    names = [*solvers, student]
    table, rounds = (np.stack([each[name] for name in names]) for each in (errors, seconds))
    random = np.random.default_rng(config.seed)

    def ratio(table: np.ndarray, seconds: np.ndarray) -> tuple[int, float] | None:
        is_quick = seconds[:-1] <= LONGER * seconds[-1]
        if not is_quick.any():
            return None
        rms = cases.rms(table)
        best = int(np.argmin(np.where(is_quick, rms[:-1], np.inf)))
        return best, float(rms[-1] / rms[best])

    found = ratio(table, np.median(rounds, axis=1))
    drawn = []
    for _ in range(config.n_bootstrap):
        of_cases = random.integers(0, table.shape[1], table.shape[1])
        of_rounds = random.integers(0, rounds.shape[1], rounds.shape[1])
        drawn.append(ratio(table[:, of_cases], np.median(rounds[:, of_rounds], axis=1)))
    ratios = [each[1] for each in drawn if each is not None]
    if found is None or len(ratios) < 0.95 * len(drawn):
        return {"solver": None}
    low, high = np.quantile(ratios, (0.025, 0.975))
    return {
        "solver": names[found[0]],
        "ratio": found[1],
        "ratio_low": float(low),
        "ratio_high": float(high),
    }


def compare(
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    seconds: Mapping[str, Float[np.ndarray, " n_repeat"]],
    learned: Sequence[str],
    config: FrontierConfig,
) -> dict[str, Any]:
    """Return, at each level of error, the cheapest solver, the cheapest student, and the ratio.

    Args:
      errors: Errors of each contender.
      seconds: Seconds of each contender for the job in every round, or another cost.
      learned: Names of the students.
      config: Levels and number of resamples.

    Returns:
      A row for each level, an upper limit of the rms error. The ratio is the solver's time over the
      student's: above 1 the student is faster. Its 95% interval is from resampled potentials and
      rounds. If no student reaches the level, nothing is compared.
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
            of_cases = random.integers(0, table.shape[1], table.shape[1])
            of_rounds = random.integers(0, rounds.shape[1], rounds.shape[1])
            drawn = np.median(rounds[:, of_rounds], axis=1)
            solver, student = _cheapest(table[:, of_cases], drawn, is_learned, level)
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
    """The cheapest solver and student within a level of error; None if there is none."""
    fits = cases.rms(table) <= level
    best = []
    for among in (fits & ~is_learned, fits & is_learned):
        best.append(int(np.argmin(np.where(among, seconds, np.inf))) if among.any() else None)
    return best[0], best[1]


def in_seconds(spent: Mapping[str, Cost], config: FrontierConfig) -> dict[str, dict[str, Any]]:
    """Return the seconds of the jobs ``"film"`` and ``"end"`` in every round."""
    looks = {"film": config.job_units, "end": 1}
    return {
        job: {
            n: cost.of_job(config.n_packets, config.job_units, n_looks) for n, cost in spent.items()
        }
        for job, n_looks in looks.items()
    }


def in_operations(
    contenders: Mapping[str, Contender], config: FrontierConfig
) -> dict[str, dict[str, Any]]:
    """Return the operations of the same jobs, if known, in the form that `compare` takes."""
    looks = {"film, operations": config.job_units, "end, operations": 1}
    known = {n: r.operations for n, r in contenders.items() if r.operations is not None}
    return {
        job: {
            n: np.array([each.of_job(config.n_packets, config.job_units, n_looks)])
            for n, each in known.items()
        }
        for job, n_looks in looks.items()
    }


def describe(
    contenders: Mapping[str, Contender],
    errors: Mapping[str, Float[np.ndarray, " n_case"]],
    spent: Mapping[str, Cost],
    config: FrontierConfig,
) -> dict[str, dict[str, Any]]:
    """Return errors and costs of every contender, for `metrics.json`."""
    times, work = in_seconds(spent, config), in_operations(contenders, config)
    found: dict[str, dict[str, Any]] = {}
    for name, contender in contenders.items():
        film, end = (times[job][name] for job in ("film", "end"))
        found[name] = {
            "kind": contender.kind,
            "rms_error": float(cases.rms(errors[name])),
            "median_error": float(np.median(errors[name])),
            "worst_error": float(np.max(errors[name])),
            "errors": errors[name].tolist(),
            "setup_seconds": float(np.median(spent[name].setup)),
            "microseconds_per_packet_and_au": 1e6 * float(np.median(spent[name].packet)),
            "microseconds_per_look": 1e6 * float(np.median(spent[name].look)),
            "job_seconds": float(np.median(film)),
            "job_seconds_by_round": np.asarray(film).tolist(),
            "end_seconds": float(np.median(end)),
            "end_seconds_by_round": np.asarray(end).tolist(),
        }
        for job, counts in work.items():
            if name in counts:
                found[name][f"{job.split(',')[0]}_gigaflop"] = 1e-9 * float(counts[name][0])
    return found


def table(report: Mapping[str, Any]) -> str:
    """Return a text table of errors and costs, and of the cheapest at each level."""
    lines = [f"{report['dispersion'] + ' physics':28}{'rms error':>10}{'median':>10}{'worst':>10}"]
    lines[0] += f"{'potential, ms':>15}{'film, ms':>10}{'Gflop':>8}{'end, ms':>10}{'Gflop':>8}"
    for name, row in report["contenders"].items():
        errors = (row[f"{kind}_error"] for kind in ("rms", "median", "worst"))
        line = f"{name:28}" + "".join(f"{error:10.1e}" for error in errors)
        line += f"{1e3 * row['setup_seconds']:15.2f}"
        for job, seconds in (("film", row["job_seconds"]), ("end", row["end_seconds"])):
            work = f"{row[f'{job}_gigaflop']:8.2f}" if f"{job}_gigaflop" in row else f"{'':8}"
            line += f"{1e3 * seconds:10.1f}{work}"
        lines.append(line)
    for job, levels in report["levels"].items():
        for level, row in levels.items():
            line = f"{job}, error {level}: cheapest solver {row['solver']}"
            line += f", cheapest student {row['student']}"
            if "ratio" in row:
                line += f"; the student is {row['ratio']:.2f} times as cheap"
                line += f" ({row['ratio_low']:.2f} to {row['ratio_high']:.2f})"
            lines.append(line)
    return "\n".join(lines)
