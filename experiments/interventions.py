"""What forecasts depend on: `python experiments/interventions.py runs/demo runs/gru`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import emulators, runner
from qdistill.insight import interventions
from qdistill.insight.interventions import InterventionConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Intervene in forecasts of emulators and of the exact solver, and differentiate them."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Packaged names, files or folders of runs, 1 or 2, of one system."""
    out: pathlib.Path = pathlib.Path("runs/interventions")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Null models: clamped split steps with so many FFT pairs a frame."""
    interventions: InterventionConfig = dataclasses.field(default_factory=InterventionConfig)
    """What is asked."""
    seed: int = 0
    """Of the cases."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    tiny = InterventionConfig(1, ("barrier",), 4, places=1, place_cases=2, ahead=(1, 2), reach=8)
    return dataclasses.replace(args, interventions=tiny)


def ask(args: Args) -> runner.Results:
    """Load, intervene and differentiate."""
    loaded = emulators.load(args.runs, most=2)
    nulls = emulators.make_nulls(next(iter(loaded.values())).system, args.nulls)
    report = interventions.evaluate(loaded, args.seed, args.interventions, nulls)
    return runner.of_report(report)


if __name__ == "__main__":
    runner.main(ask, Args, smoke)
