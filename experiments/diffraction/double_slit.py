"""A double slit by solver and student: `python experiments/diffraction/double_slit.py`."""

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
    """Train students on walls, slits and discs; test them on double slits and forests."""

    finished: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Finished runs, or their files. Without any, students are trained, in folders of their own."""
    presets: tuple[str, ...] = ("plane", "plane-informed")
    """Presets that are trained."""
    test: DiffractionConfig = dataclasses.field(default_factory=DiffractionConfig)
    """The held-out test of all."""
    picture: FringesConfig = dataclasses.field(default_factory=FringesConfig)
    """The double slit that the first student draws."""
    seed: int = 1
    """Seed of the held-out test."""
    out: pathlib.Path = pathlib.Path("runs/double_slit")
    """Folder of the results."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def compare(args: Args) -> runner.Results:
    """Train or load, test, draw."""
    if args.finished:
        students = emulators.load(args.finished)
    else:
        students = study.train(args.presets, args.out, args.smoke)
    film = args.out / "double_slit.gif"
    found, figure = study.compare(students, args.test, args.picture, args.seed, film)
    return runner.Results(found, held_out.table(found), {"double_slit": figure})


if __name__ == "__main__":
    runner.main(compare, Args, study.smoke)
