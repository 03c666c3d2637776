"""Measure the importance of lessons: `python experiments/importance.py quick`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro
from tqdm.auto import tqdm

from experiments import runner
from qdistill import _distribute
from qdistill.insight import importance
from qdistill.insight.importance import Study


@dataclasses.dataclass(frozen=True)
class Args:
    """Train a student on every coalition of lessons, and compute the share of each in its skill."""

    study: Annotated[Study, tyro.conf.arg(name="")]
    out: pathlib.Path = pathlib.Path("runs/importance")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""
    devices: int = 1
    """Number of devices that share the trainings; on a CPU any number."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, study=importance.smoke(args.study))


def weigh(args: Args) -> runner.Results:
    """Train and test the students, and return the analysis."""
    mesh = _distribute.make_mesh(args.devices)
    with tqdm(total=args.study.training.boundaries[-1], unit="step", leave=False) as bar:
        report = importance.evaluate(args.study, lambda done: bar.update(done.step - bar.n), mesh)
    return runner.of_report(report)


PRESETS = {name: (text, Args(study)) for name, (text, study) in importance.STUDIES.items()}

if __name__ == "__main__":
    runner.main(weigh, PRESETS, smoke)
