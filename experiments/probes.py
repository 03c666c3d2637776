"""Probe the response of emulators to waves: `python experiments/probes.py runs/demo`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import emulators, retraining, runner
from experiments.retraining import RetrainingConfig
from qdistill import plots
from qdistill.insight import probes
from qdistill.insight.probes import ProbeConfig
from qdistill.students import Splitting


@dataclasses.dataclass(frozen=True)
class Args:
    """Probe emulators and the exact solver, and repeat the training of the first one."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Packaged names, files or folders of runs, three at most, of one system."""
    out: pathlib.Path = pathlib.Path("runs/probes")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Numbers of FFT pairs per frame of the null models, clamped split steps."""
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
    loaded = emulators.load(args.runs, most=max(1, 3 - len(args.nulls)))
    nulls = emulators.make_nulls(next(iter(loaded.values())).system, args.nulls)
    report = probes.evaluate(loaded, args.probes, nulls)
    metrics, text = {"probes": report.numbers}, [str(report)]
    figures = plots.draw(report)
    for name, emulator in loaded.items():
        if isinstance(emulator.student, Splitting):
            figures[f"phases-{name}"] = retraining.draw_phases(emulator, args.probes)
    if args.follow:
        name, first = next(iter(loaded.items()))
        learning = retraining.follow(first.config, args.test)
        metrics["learning"] = {"run": name, **learning.numbers}
        text.append(f"{name}: {learning}")
        figures |= plots.draw(learning)
    return runner.Results(metrics, "\n".join(text), figures)


if __name__ == "__main__":
    runner.main(ask, Args, smoke)
