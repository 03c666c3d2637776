"""Compare error and cost: `python experiments/frontier/work_precision.py RUN ...`."""

import dataclasses
import pathlib
import platform
from typing import Annotated

import jax
import tyro

from experiments import emulators, runner
from experiments.frontier import cases, compare, contenders
from experiments.frontier.cases import FrontierConfig, SolversConfig
from experiments.frontier.contenders import Contender
from experiments.frontier.figure import plot_frontier
from qdistill._checks import refuse, require_at_least


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare error and cost of solvers, each with many settings, and of emulators."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Emulators of the same system: folders of runs, files, or packaged names."""
    out: pathlib.Path = pathlib.Path("runs/work_precision")
    """Folder of the results."""
    frontier: FrontierConfig = dataclasses.field(default_factory=FrontierConfig)
    """Settings of the comparison."""
    solvers: SolversConfig = dataclasses.field(default_factory=SolversConfig)
    """Settings of the solvers."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def shorten(args: Args) -> Args:
    """Return options for a run of seconds: one setting of each solver."""
    # 90 FFT pairs are free of resonances on both dispersions.
    few = SolversConfig((90,), (5,), ((384, 7),), (1e-1,), (192,), (192,), (5,))
    return dataclasses.replace(args, solvers=few, frontier=cases.SMOKE)


def measure(args: Args) -> runner.Results:
    """Measure errors and costs, and compare."""
    require_at_least(1, runs=len(args.runs))
    loaded = {emulators.name_of(run): contenders.load(run) for run in args.runs}
    system = next(iter(loaded.values())).system
    # Frames may have any length, but a student with a history needs its own distance of frames.
    given = {each.system.dt for each in loaded.values() if each.n_history > 1}
    for name, each in loaded.items():
        if each.system.grid != system.grid or len(given) > 1:
            refuse("runs", "of the same physics", f"of another in {name}")
    system = dataclasses.replace(system, dt=min(given, default=system.dt))
    truth = cases.make_truth(system, args.frontier)
    groups, caps = cases.line_up(system, truth, args.solvers)
    students: dict[str, Contender] = {}
    for name, each in loaded.items():
        students |= contenders.emulator(each, name)
    report = {
        "dispersion": system.grid.dispersion,
        "device": jax.devices()[0].device_kind,
        "versions": {"python": platform.python_version(), "jax": jax.__version__},
        "kinetic_caps_hartree": caps,
        **compare.run(groups, students, truth, args.frontier),
    }
    figures = {"frontier": plot_frontier(report["contenders"])}
    return runner.Results(report, compare.table(report), figures)


if __name__ == "__main__":
    runner.main(measure, Args, shorten)
