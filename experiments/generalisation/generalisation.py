"""Test emulators outside of their lessons: `experiments/generalisation/generalisation.py`."""

import dataclasses
import pathlib
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from experiments import emulators, runner
from experiments.corrections.study import summarise
from experiments.generalisation import beyond, generalisation_figure, parts
from experiments.generalisation.beyond import Sweeps
from qdistill.students import Emulator, Splitting


@dataclasses.dataclass(frozen=True)
class Args:
    """Test emulators on faster and broader packets, on higher potentials, and without parts."""

    runs: Annotated[tuple[str, ...], tyro.conf.Positional] = ("demo", "unitary", "informed-2")
    """Packaged names, files or folders of runs, of one system; seeds of a training are one row."""
    sweeps: Sweeps = dataclasses.field(default_factory=Sweeps)
    """The properties of packets and potentials."""
    out: pathlib.Path = pathlib.Path("runs/generalisation")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    sweeps = Sweeps((3.0, 8.0), (2.5,), (8.0,), n_case=2, n_frames=3)
    return dataclasses.replace(args, sweeps=sweeps)


def measure(args: Args) -> runner.Results:
    """Measure the errors of emulators and solvers."""
    ensembles = {
        name: [_bare(each) for each in members]
        for name, members in emulators.load_ensembles(args.runs).items()
    }
    system = next(iter(ensembles.values()))[0].system
    solvers = beyond.make_solvers(system, args.sweeps)
    found: dict[str, Any] = {
        "trainings": {name: len(members) for name, members in ensembles.items()},
        "kinetic_caps": {name: float(each.kinetic_cap or 0) for name, each in solvers.items()},
        "beyond": beyond.measure(ensembles, solvers, system, args.sweeps),
        "parts": {
            name: parts.measure(members, args.sweeps.make(system, "momentum", 3.0))
            for name, members in ensembles.items()
            if isinstance(members[0].student, Splitting)
        },
    }
    found["over seeds"] = over_seeds(found["beyond"])
    figure = generalisation_figure.plot(found)
    return runner.Results(found, table(found), {"generalisation": figure})


def _bare(emulator: Emulator) -> Emulator:
    """The emulator as a propagator alone, so that all trainings share compiled programs."""
    return jax.tree.map(lambda leaf: leaf, emulator)


def over_seeds(sweeps: dict[str, Any]) -> dict[str, Any]:
    """Return the logarithm (base 10) of the median error over cases, with t intervals over seeds.

    Next to them is the ratio to each solver, paired by cases: the median over cases of the ratio.
    """
    found: dict[str, Any] = {}
    for name, of in sweeps.items():
        found[name] = {}
        for label, rows in of["errors"].items():
            each = [np.log10(np.median(np.array(row), axis=1)) for row in rows]
            ratios = {
                solver: [
                    summarise(
                        np.log10(
                            np.median(np.array(row) / np.array(of["errors"][solver][i]), axis=1)
                        )
                    )
                    for i, row in enumerate(rows)
                ]
                for solver in beyond.BASELINES
                if label not in beyond.BASELINES
            }
            found[name][label] = {"error": [summarise(row) for row in each], "over": ratios}
    return found


def table(found: dict[str, Any]) -> str:
    """Return the median errors as text."""
    lines = []
    for name, of in found["beyond"].items():
        lines.append(f"{name:22}" + "".join(f"{value:9g}" for value in of["values"]))
        for label in of["errors"]:
            means = [10 ** row["mean"] for row in found["over seeds"][name][label]["error"]]
            lines.append(f"  {label:20}" + "".join(f"{mean:9.1e}" for mean in means))
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
