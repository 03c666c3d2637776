"""Probe the response of emulators to waves: `python experiments/probes.py runs/demo`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import emulators, retraining, runner
from experiments.retraining import RetrainingConfig
from qdistill import plots
from qdistill.insight import probes
from qdistill.insight.harness import EXACT
from qdistill.insight.probes import ProbeConfig
from qdistill.students import Splitting

# Largest number of ensembles and null models: a panel for each, and one for the exact solver.
MOST = 3


@dataclasses.dataclass(frozen=True)
class Args:
    """Probe emulators and the exact solver, and repeat the training of the first one."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Packaged names, files or folders of runs, of one system; two at most, apart from seeds."""
    out: pathlib.Path = pathlib.Path("runs/probes")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Numbers of FFT pairs per frame of the null models, clamped split steps; one at most."""
    probes: ProbeConfig = dataclasses.field(default_factory=ProbeConfig)
    """Settings of the probes."""
    follow: bool = True
    """Whether to train the first run again from its config, with tests on each process."""
    test: RetrainingConfig = dataclasses.field(default_factory=RetrainingConfig)
    """Settings of these tests."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, test=RetrainingConfig(4, 1, 8, args.test.seed, is_small=True))


def ask(args: Args) -> runner.Results:
    """Probe the emulators, and measure errors during the training."""
    ensembles = emulators.load_ensembles(args.runs, MOST - len(args.nulls))
    first, *_ = (seeds[0] for seeds in ensembles.values())
    nulls = emulators.make_nulls(first.system, args.nulls)
    report = probes.evaluate(ensembles, args.probes, nulls)
    metrics, text = {"probes": report.numbers}, [str(report)]
    # The first training of each ensemble is drawn.
    shown = {name: report.found[name] for name in (EXACT, *nulls)}
    for name, seeds in ensembles.items():
        shown[name] = report.found[f"{name}, seed 1" if len(seeds) > 1 else name]
    order = (EXACT, *ensembles, *nulls)
    figures = plots.draw(dataclasses.replace(report, found={name: shown[name] for name in order}))
    for name, (emulator, *_) in ensembles.items():
        if isinstance(emulator.student, Splitting):
            figures[f"phases-{name}"] = retraining.draw_phases(emulator, args.probes)
    if args.follow:
        learning = retraining.follow(first.config, args.test)
        metrics["learning"] = {"run": next(iter(ensembles)), **learning.numbers}
        text.append(f"{args.runs[0]}: {learning}")
        figures |= plots.draw(learning)
    metrics = runner.rounded(metrics)
    return runner.Results(metrics, "\n".join(text), figures)


if __name__ == "__main__":
    runner.main(ask, Args, smoke)
