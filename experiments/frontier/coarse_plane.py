"""Compare methods with few waves in square boxes: `python experiments/frontier/coarse_plane.py`."""

import dataclasses
import itertools
import math
import pathlib
from typing import Any

import jax

from experiments import runner
from experiments.frontier import cases, compare, contenders, least_squares
from experiments.frontier.cases import FrontierConfig, SolversConfig
from experiments.frontier.contenders import UNIT, Contender
from experiments.frontier.figure import plot_frontier
from experiments.frontier.least_squares import OperatorsConfig
from qdistill._checks import require_at_least
from qdistill.physics.grid import Grid
from qdistill.students import Emulator, PropagatorConfig
from qdistill.system import System

LINE, SQUARE = 100.0, 16.0


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare learned effective Hamiltonians with solvers on double slits and scatterers."""

    out: pathlib.Path = pathlib.Path("runs/coarse_plane")
    """Folder of the results."""
    lengths: tuple[float, ...] = (12.0, 16.0, 20.0)
    """Lengths of the square boxes, in bohr."""
    spacing: float = 0.25
    """Spacing of the fine grid, in bohr."""
    edges: tuple[float, ...] = (6.3, 7.1, 7.9)
    """Radii of the discs of waves, in 1/bohr."""
    pairs: tuple[int, ...] = (7, 10, 14, 20, 28)
    """FFT pairs per a.u. of the clamped split steps."""
    coarse: tuple[float, ...] = (0.75, 0.875)
    """Points along an axis of the split steps on fewer points, as a share of all."""
    lines: OperatorsConfig = dataclasses.field(default_factory=lambda: OperatorsConfig(n_box=104))
    """Settings of the examples on lines."""
    planes: OperatorsConfig = dataclasses.field(
        default_factory=lambda: OperatorsConfig(
            ("wall", "slit", "shape"), n_boxes=48, n_box=32, n_states=120
        )
    )
    """Settings of the examples in square boxes."""
    frontier: FrontierConfig = dataclasses.field(
        default_factory=lambda: FrontierConfig(16, n_units=8, n_repeats=7, levels=(0.1, 0.05))
    )
    """Settings of the comparison."""
    seed: int = 0
    """Random seed of the lessons."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def shorten(args: Args) -> Args:
    """Return options for a run of seconds."""
    line = dataclasses.replace(args.lines, n_boxes=2, n_box=64, n_states=10)
    plane = dataclasses.replace(args.planes, n_boxes=2, n_box=16, n_states=10)
    return dataclasses.replace(
        args, lengths=(12.0,), spacing=0.5, edges=(4.5,), pairs=(7,), coarse=(0.75,), lines=line,
        planes=plane, frontier=cases.SMOKE,
    )  # fmt: skip


def box(args: Args, length: float, n_dim: int = 2) -> System:
    """Return the system of a line or square box, with frames of 1 a.u."""
    grid = Grid((round(length / args.spacing),) * n_dim, (length,) * n_dim, "continuum")
    return System(grid, UNIT)


def n_coarse(edge: float, length: float) -> int:
    """Return the number of points along a length whose largest wavenumber is an edge in 1/bohr."""
    return round(edge * length / math.pi)


def learn(args: Args) -> dict[tuple[str, float], tuple[Emulator, dict[str, Any]]]:
    """Return the students that learned on lines and on planes, for each edge of the band."""
    places = (("lines", box(args, LINE, 1), args.lines), ("planes", box(args, SQUARE), args.planes))
    return {
        (f"learned on {name}", edge): least_squares.distil(
            config,
            PropagatorConfig(n_coarse(edge, system.grid.lengths[0])).build(system),
            jax.random.key(args.seed),
        )
        for name, system, config in places
        for edge in args.edges
    }


def measure_in(args: Args, length: float, learned: dict[tuple[str, float], Any]) -> dict[str, Any]:
    """Return the comparison of all contenders in boxes of one length."""
    system = box(args, length)
    truth = cases.make_truth(system, args.frontier, n_given=1)
    few = [round(part * system.grid.shape[0]) for part in args.coarse]
    discs = tuple(n_coarse(edge, length) for edge in args.edges)
    pairs = tuple(itertools.product(few, args.pairs))
    groups, caps = cases.line_up(
        system, truth, SolversConfig((), args.pairs, pairs, (), (), discs, args.pairs)
    )
    students: dict[str, Contender] = {}
    for (name, edge), (emulator, _) in learned.items():
        # The same parameters, for the waves of this box.
        there = PropagatorConfig(n_coarse(edge, length)).build(system).bind(emulator.params)
        students |= contenders.emulator(there, name)
    return {
        "dispersion": system.grid.dispersion,
        "kinetic_caps_hartree": caps,
        **compare.run(groups, students, truth, args.frontier),
    }


def measure(args: Args) -> runner.Results:
    """Train students, and compare all contenders in boxes of every length."""
    require_at_least(1, lengths=len(args.lengths))
    learned = learn(args)
    reports: dict[str, dict[str, Any]] = {}
    for (name, edge), (_, report) in learned.items():
        reports.setdefault(name, {})[f"{edge:g}"] = report
    boxes = {f"{length:g}": measure_in(args, length, learned) for length in args.lengths}
    tables = [f"boxes of {length} bohr:\n{compare.table(each)}" for length, each in boxes.items()]
    figures = {f"frontier-{length}": plot_frontier(b["contenders"]) for length, b in boxes.items()}
    return runner.Results({"learned": reports, "boxes": boxes}, "\n".join(tables), figures)


if __name__ == "__main__":
    runner.main(measure, Args, shorten)
