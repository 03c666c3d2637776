"""Audit symmetries of emulators: `python experiments/symmetries.py runs/demo runs/gru`."""

import dataclasses
import pathlib

import tyro

from experiments import emulators, runner
from qdistill.insight import symmetries
from qdistill.insight.harness import Ensembles


@dataclasses.dataclass(frozen=True)
class Args:
    """Audit emulators, and the exact solver as the positive control, for every symmetry."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Packaged names, files or folders of runs, of one system; seeds of a training are one row."""
    out: pathlib.Path = pathlib.Path("runs/symmetries")
    """Folder of the results."""
    nulls: tuple[int, ...] = (2,)
    """Numbers of FFT pairs per frame of the null models of linear students, clamped split steps."""
    cases: int = 24
    """Number of cases of every kind of potential and packet."""
    frames: int = 40
    """Frames of a forecast."""
    seed: int = 0
    """Random seed of the cases."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, cases=2, frames=4)


def audit(args: Args) -> runner.Results:
    """Load the emulators and audit them."""
    ensembles = emulators.load_ensembles(args.runs)
    system = next(iter(ensembles.values()))[0].system
    nulls: Ensembles = {
        **emulators.make_nulls(system, args.nulls),
        **emulators.disturb(ensembles, args.cases, args.frames, args.seed),
    }
    report = symmetries.evaluate(ensembles, args.seed, args.cases, args.frames, nulls)
    return runner.of_report(report)


if __name__ == "__main__":
    runner.main(audit, Args, smoke)
