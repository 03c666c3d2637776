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
    """Packaged names, files or folders of runs, of one system; two at most, apart from seeds."""
    out: pathlib.Path = pathlib.Path("runs/interventions")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Numbers of FFT pairs per frame of the null models, clamped split steps."""
    schemes: tuple[str, ...] = ("clamped", "takahashi-imada")
    """Schemes of these split steps."""
    interventions: InterventionConfig = dataclasses.field(default_factory=InterventionConfig)
    """Settings of the interventions and derivatives."""
    seed: int = 0
    """Random seed of the cases."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    tiny = InterventionConfig(1, ("barrier",), 4, places=1, place_cases=2, ahead=(1, 2), reach=8)
    return dataclasses.replace(args, interventions=tiny, schemes=("clamped",))


def ask(args: Args) -> runner.Results:
    """Load emulators, and measure interventions and derivatives."""
    ensembles = emulators.load_ensembles(args.runs, most=2)
    system = next(iter(ensembles.values()))[0].system
    nulls = emulators.make_nulls(system, args.nulls, args.schemes)
    results = runner.of_report(
        interventions.evaluate(ensembles, args.seed, args.interventions, nulls)
    )
    return results._replace(metrics=runner.rounded(results.metrics))


if __name__ == "__main__":
    runner.main(ask, Args, smoke)
