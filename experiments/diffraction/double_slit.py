"""Compare a double slit by solver and student: `python experiments/diffraction/double_slit.py`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import emulators, runner
from experiments.diffraction import held_out, study
from experiments.diffraction.fringes import FringesConfig
from experiments.diffraction.held_out import DiffractionConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Train students on walls, slits and shapes, and test them on double slits and many discs."""

    finished: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Folders or files of finished runs. If there are none, students are trained in new folders."""
    presets: tuple[str, ...] = ("plane", "plane-informed")
    """Names of the presets to train."""
    test: DiffractionConfig = dataclasses.field(default_factory=DiffractionConfig)
    """Settings of the held-out test."""
    picture: FringesConfig = dataclasses.field(default_factory=FringesConfig)
    """Settings of the double slit that is drawn with the first student."""
    seed: int = 1
    """Random seed of the held-out test."""
    out: pathlib.Path = pathlib.Path("runs/double_slit")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def compare(args: Args) -> runner.Results:
    """Train or load students, test them and draw figures."""
    if args.finished:
        students = emulators.load(args.finished)
    else:
        students = study.train(args.presets, args.out, args.smoke)
    film = args.out / "double_slit.gif"
    found, figure = study.compare(students, args.test, args.picture, args.seed, film)
    return runner.Results(found, held_out.table(found), {"double_slit": figure})


if __name__ == "__main__":
    runner.main(compare, Args, study.smoke)
