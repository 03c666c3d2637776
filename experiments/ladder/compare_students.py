"""Students at equal training time: `python experiments/ladder/compare_students.py`."""

import dataclasses
import json
import pathlib
import sys

import jax
import numpy as np
import tyro
from qdistill.forecast.benchmark import BenchmarkConfig
from tqdm.auto import tqdm

from experiments.ladder import ladder
from qdistill import plots
from qdistill._checks import require_at_least, require_one_of
from qdistill.forecast import benchmark
from qdistill.runs import folder as runs
from qdistill.teacher import factory as teacher
from qdistill.teacher.factory import TeacherConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Train every student for the same time, and score all on the paper's 25 runs."""

    out: pathlib.Path = pathlib.Path("runs/compare_students")
    """Folder of the results."""
    seconds: float = 30.0
    """Training time of each, compilation not counted."""
    seeds: int = 3
    """How many trainings of each."""
    students: tuple[str, ...] = tuple(ladder.RUNGS)
    """Which, bottom rung first."""
    teacher: TeacherConfig = dataclasses.field(default_factory=TeacherConfig)
    """The physics."""
    smoke: bool = False
    """Seconds instead of an hour: the same path with tiny numbers."""


def compare(args: Args) -> None:
    """Train, score, write, draw."""
    require_at_least(1, seeds=args.seeds)
    for name in args.students:
        require_one_of(ladder.RUNGS, students=name)
    runs.make_folder(args.out)
    config = BenchmarkConfig(n_frames=8 if args.smoke else 400)
    grid, _ = teacher.make(args.teacher)
    truth = benchmark.simulate(grid, args.teacher.dt, *benchmark.make_cases(grid), config)
    climbed: dict[str, list[ladder.Climbed]] = {}
    for name in tqdm(args.students, unit="student", leave=False):
        n_steps = ladder.steps_within(name, args.seconds, args.teacher) if not args.smoke else None
        settings = [
            ladder.settings_of(name, seed, n_steps, args.teacher) for seed in range(args.seeds)
        ]
        climbed[name] = [ladder.climb(each, truth) for each in settings]
    solvers = ladder.baselines(grid, args.teacher.dt, truth)
    scores = {name: [each.scores for each in mine] for name, mine in climbed.items()}
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str))
    report = {"students": scores, "solvers": solvers}
    text = json.dumps(runs.plain(report), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    draw(args, climbed, solvers)
    print(ladder.table(scores, solvers))


def draw(
    args: Args, climbed: dict[str, list[ladder.Climbed]], solvers: dict[str, dict[str, float]]
) -> None:
    """The ladder, and the error of every student against time."""
    infidelities = {
        name: np.array([each.scores["mean_infidelity"] for each in mine])
        for name, mine in climbed.items()
    }
    known = {"paper's full GRU": 1 - benchmark.published_means("full-gru")["correlation"]}
    known |= {name: row["mean_infidelity"] for name, row in solvers.items()}
    rungs = {name: (ladder.RUNGS[name].properties, infidelities[name]) for name in climbed}
    plots.save(plots.plot_ladder(rungs, known), args.out / "ladder.png")
    errors = {name: np.stack([each.nrmse for each in mine]) for name, mine in climbed.items()}
    t = args.teacher.dt * np.arange(4, 4 + len(climbed[args.students[0]][0].nrmse))
    label = "phase-sensitive error, mean of 25 runs"
    plots.save(plots.plot_errors(t, errors, label), args.out / "errors.png")


def main() -> None:
    """Parse and compare."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        compare(tyro.cli(Args, prog="compare_students.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"compare_students.py: {error}")


if __name__ == "__main__":
    main()
