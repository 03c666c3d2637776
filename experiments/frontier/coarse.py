"""Compare methods with few points and long frames: `python experiments/frontier/coarse.py`."""

import dataclasses
import itertools
import pathlib
from typing import Annotated, Any

import jax
import tyro

from experiments import runner
from experiments.frontier import cases, compare, contenders, least_squares
from experiments.frontier.cases import FrontierConfig, SolversConfig
from experiments.frontier.contenders import UNIT, Contender
from experiments.frontier.figure import plot_frontier
from experiments.frontier.least_squares import OperatorsConfig
from qdistill._checks import refuse, require_at_least
from qdistill.physics.grid import Grid
from qdistill.students import BandStudent, Emulator, PropagatorConfig
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare learned effective Hamiltonians, solvers and non-learned baselines."""

    trained: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Finished runs of `propagator`, `kernel` or `kernel-trajectories`, or packaged ones."""
    out: pathlib.Path = pathlib.Path("runs/coarse")
    """Folder of the results."""
    sizes: tuple[int, ...] = (192, 200, 208, 216, 224, 256)
    """Basis sizes, in points, of students that learn from all families of potentials."""
    barriers: tuple[int, ...] = (224, 256)
    """Basis sizes, in points, of students that learn from single barriers."""
    rivals: tuple[int, ...] = (184, 192, 200, 208, 216, 224, 240, 256, 320)
    """Basis sizes, in points, of truncated and Loewdin-folded Hamiltonians."""
    clamped: tuple[int, ...] = (7, 10, 12, 14, 20)
    """FFT pairs per a.u. of the clamped split steps."""
    coarse: tuple[int, ...] = (320, 384, 448, 512)
    """Points of the clamped split steps on fewer points."""
    coarse_pairs: tuple[int, ...] = (6, 8, 10, 12, 14, 17, 20, 28)
    """FFT pairs per a.u. of these."""
    projected: tuple[int, ...] = (208, 224, 256)
    """Basis sizes, in points, of the projected exact frames."""
    operators: OperatorsConfig = dataclasses.field(default_factory=OperatorsConfig)
    """Settings of the examples."""
    frontier: FrontierConfig = dataclasses.field(
        default_factory=lambda: FrontierConfig(levels=(3e-2, 1e-2, 5e-3))
    )
    """Settings of the comparison."""
    seed: int = 0
    """Random seed of the lessons."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def shorten(args: Args) -> Args:
    """Return options for a run of seconds."""
    few = OperatorsConfig(n_boxes=2, n_box=64, n_states=10)
    return dataclasses.replace(
        args, sizes=(224,), barriers=(224,), rivals=(192,), clamped=(5,), coarse=(384,),
        coarse_pairs=(20,), projected=(192,), operators=few, frontier=cases.SMOKE,
    )  # fmt: skip


def learn(args: Args, system: System) -> tuple[dict[str, Any], dict[str, Contender]]:
    """Return students of all sizes from whole operators, and those of given runs."""
    learned: dict[str, Any] = {}
    students: dict[str, Contender] = {}
    everything = [("barriers", "barrier", size) for size in args.barriers]
    everything += [("all", "potentials", size) for size in args.sizes]
    for teaching, lesson, size in everything:
        config = dataclasses.replace(args.operators, lessons=(lesson,))
        student = PropagatorConfig(size).build(system)
        emulator, report = least_squares.distil(config, student, jax.random.key(args.seed))
        students |= contenders.emulator(emulator, f"propagator from {teaching}")
        learned[list(students)[-1]] = report
    for place in args.trained:
        emulator = contenders.load(place)
        students |= contenders.emulator(emulator, _title(emulator, system, place))
        score = emulator.score or {}
        learned[list(students)[-1]] = {
            name: score.get(name) for name in ("n_parameters", "training_seconds", "training_steps")
        }
    return learned, students


def _title(emulator: Emulator, system: System, place: str) -> str:
    """The title of an emulator: its form, examples and lessons."""
    if not isinstance(emulator.student, BandStudent) or emulator.system.grid != system.grid:
        refuse("trained", "runs of `propagator` or `kernel` on the continuum", place)
    stages, lessons = emulator.config.training.stages, emulator.config.curriculum.lessons
    source = "eigenstates" if stages[-1].batches.examples == "spectra" else "trajectories"
    title = f"{emulator.student.form.name} from {source}"
    return title if lessons == ("potentials",) else f"{title} of {' + '.join(lessons)}"


def measure(args: Args) -> runner.Results:
    """Train students, measure errors and costs, and compare."""
    require_at_least(1, sizes=len(args.sizes))
    system = System(Grid(1024, 100.0, "continuum"), UNIT)
    learned, students = learn(args, system)
    few = tuple(itertools.product(args.coarse, args.coarse_pairs))
    truth = cases.make_truth(dataclasses.replace(system, dt=0.1), args.frontier)
    solvers = SolversConfig((), args.clamped, few, (), args.projected, args.rivals, args.clamped)
    groups, caps = cases.line_up(system, truth, solvers)
    report: dict[str, Any] = {
        "dispersion": system.grid.dispersion,
        "learned": learned,
        "kinetic_caps_hartree": caps,
        **compare.run(groups, students, truth, args.frontier),
    }
    figures = {"frontier": plot_frontier(report["contenders"])}
    return runner.Results(report, compare.table(report), figures)


if __name__ == "__main__":
    runner.main(measure, Args, shorten)
