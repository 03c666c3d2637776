"""Compare students at equal training time: `python experiments/ladder/compare_students.py`."""

import dataclasses
import pathlib

import numpy as np
from tqdm.auto import tqdm

from experiments import runner
from experiments.ladder import ladder
from experiments.ladder.figure import draw
from qdistill._checks import refuse, require_at_least, require_one_of
from qdistill.forecast.held_out import BenchmarkConfig, make_held_out
from qdistill.plots.students import MOST
from qdistill.runs.config import Config
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Args:
    """Train every student for the same time, and score all on the paper's 25 cases."""

    out: pathlib.Path = pathlib.Path("runs/compare_students")
    """Folder of the results."""
    seconds: float = 30.0
    """Training time of each student in seconds, without compilation."""
    seeds: int = 3
    """Number of trainings of each student."""
    students: tuple[str, ...] = tuple(
        name for name, rung in ladder.RUNGS.items() if "kinetic energy" not in rung.properties
    )
    """Names of the students, the bottom rung first; at most twelve. By default those that are not
    given the kinetic energy."""
    system: System = dataclasses.field(default_factory=lambda: Config().system)
    """The system that is learned."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def compare(args: Args) -> runner.Results:
    """Train and score the students, and draw figures."""
    require_at_least(1, seeds=args.seeds)
    if not 1 <= len(args.students) <= MOST:
        refuse("students", f"of 1 to {MOST} names", f"of {len(args.students)}")
    for name in args.students:
        require_one_of(ladder.RUNGS, students=name)
    test = BenchmarkConfig(n_frames=8 if args.smoke else 400)
    truth = make_held_out(test, args.system, ())
    climbed: dict[str, list[ladder.Climbed]] = {}
    for name in tqdm(args.students, unit="student", leave=False):
        n_steps = None if args.smoke else ladder.steps_within(name, args.seconds, args.system)
        climbed[name] = [
            ladder.climb(ladder.settings_of(name, seed, n_steps, args.system), truth)
            for seed in range(args.seeds)
        ]
    solvers = ladder.clamped_split_steps(args.system, truth)
    scores = {name: [each.scores for each in mine] for name, mine in climbed.items()}
    t = args.system.dt * np.arange(test.n_given, test.n_given + test.n_frames)
    figures = draw(t, climbed, solvers)
    report = ladder.table(scores, solvers)
    return runner.Results({"students": scores, "solvers": solvers}, report, figures)


if __name__ == "__main__":
    runner.main(compare, Args)
