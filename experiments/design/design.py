"""Design potentials by gradients: `python experiments/design/design.py demo unitary`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import emulators, runner
from experiments.design import study
from qdistill._checks import require_one_of
from qdistill.insight import design
from qdistill.insight.design import RolloutConfig, SearchConfig, TaskConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Design a splitter, a filter and a mirror by plane waves, and again through emulators."""

    students: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Names of packaged emulators, their files, or folders of runs, all of one system."""
    out: pathlib.Path = pathlib.Path("runs/design")
    """Folder of the results."""
    designs: tuple[str, ...] = tuple(design.TASKS)
    """Whether to design by plane waves."""
    through: tuple[str, ...] = tuple(design.ROLLOUTS)
    """Whether to design through forecasts."""
    tasks: dict[str, TaskConfig] = dataclasses.field(default_factory=lambda: design.TASKS)
    """Names of the tasks for plane waves."""
    rollouts: dict[str, RolloutConfig] = dataclasses.field(default_factory=lambda: design.ROLLOUTS)
    """Names of the tasks for packets."""
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    """Settings of the descents by plane waves."""
    rollout_search: SearchConfig = dataclasses.field(
        default_factory=lambda: SearchConfig(n_starts=3, n_steps=100, rate=0.2)
    )
    """Settings of the descents through forecasts."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def make(args: Args) -> runner.Results:
    """Design potentials, verify them and return the results."""
    for name in args.designs:
        require_one_of(args.tasks, designs=name)
    for name in args.through:
        require_one_of(args.rollouts, through=name)
    found, figures = study.run(
        emulators.load(args.students) if args.students else {},
        {name: args.tasks[name] for name in args.designs},
        {name: args.rollouts[name] for name in args.through},
        args.search,
        args.rollout_search,
    )
    return runner.Results(found, study.table(found), figures)


if __name__ == "__main__":
    runner.main(make, Args, study.smoke)
