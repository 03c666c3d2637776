"""Measure the dependence of forecasts: `python experiments/interventions.py runs/demo runs/gru`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import emulators, runner
from qdistill.insight import interventions
from qdistill.insight.interventions import InterventionConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Measure effects of interventions on, and derivatives of, forecasts of emulators."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional]
    """Packaged names, files or folders of runs, 1 or 2, of one system."""
    out: pathlib.Path = pathlib.Path("runs/interventions")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Numbers of FFT pairs per frame of the null models, clamped split steps."""
    interventions: InterventionConfig = dataclasses.field(default_factory=InterventionConfig)
    """Settings of the interventions and derivatives."""
    seed: int = 0
    """Random seed of the cases."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    tiny = InterventionConfig(1, ("barrier",), 4, places=1, place_cases=2, ahead=(1, 2), reach=8)
    return dataclasses.replace(args, interventions=tiny)


def ask(args: Args) -> runner.Results:
    """Load emulators, and measure interventions and derivatives."""
    loaded = emulators.load(args.runs, most=2)
    nulls = emulators.make_nulls(next(iter(loaded.values())).system, args.nulls)
    report = interventions.evaluate(loaded, args.seed, args.interventions, nulls)
    return runner.of_report(report)


if __name__ == "__main__":
    runner.main(ask, Args, smoke)
