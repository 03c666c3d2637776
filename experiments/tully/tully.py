"""From one crossing to Tully's models: `python experiments/tully/tully.py --out runs/tully`."""

import dataclasses
import pathlib

from experiments import runner
from experiments.tully import passages, tully_figure, tully_study
from experiments.tully import tully_trainings as trainings
from qdistill._checks import require_at_least, require_one_of


@dataclasses.dataclass(frozen=True)
class Args:
    """Train students of two channels on single crossings, and examine them on Tully's models."""

    n_seeds: int = 5
    """Trainings at frames of 10 a.u."""
    student: str = "unitary"
    """unitary, or gru: crossings and placebos, next to null models."""
    kinds: tuple[str, ...] = ()
    """Further trainings: strong, apart and scratch."""
    every: int = 1
    """Take every n-th momentum only."""
    trained: pathlib.Path = pathlib.Path("runs/tully-trainings")
    """Folder of the trainings and of what was measured of them; what is there is not repeated."""
    train: bool = True
    """Whether to train what is not there."""
    out: pathlib.Path = pathlib.Path("runs/tully")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, n_seeds=2, trained=args.out / "trainings")


def compare(args: Args) -> runner.Results:
    """Train and examine the students, and return the comparison."""
    momenta = (30.0, 32.0) if args.smoke else tuple(passages.MOMENTA[:: args.every])
    bench = tully_study.Bench(momenta)
    require_one_of(trainings.STUDENTS, student=args.student)
    require_at_least(1, every=args.every)
    for kind in args.kinds:
        require_one_of(trainings.KINDS, kinds=kind)
    every = trainings.all_of_them(args.n_seeds, args.kinds, args.student)
    plan = list(every)[: 2 if args.smoke else None]
    if not args.train:
        plan = [each for each in plan if trainings.is_finished(each, args.trained)]
    found = tully_study.run(args.trained, plan, bench, args.smoke)
    figures = {"tully": tully_figure.plot(found)} if args.student == "unitary" else {}
    return runner.Results(found, tully_study.table(found), figures)


if __name__ == "__main__":
    runner.main(compare, Args, smoke)
