"""Few waves of a square box, learned on lines: `python experiments/frontier/coarse_plane.py`."""

import dataclasses
import json
import math
import pathlib
import sys
from typing import Any

import jax
import jax.numpy as jnp
import tyro

from experiments.frontier import cases as frontier
from experiments.frontier import compare as jobs
from experiments.frontier import costs, plane_contenders
from experiments.frontier import least_squares as operators
from experiments.frontier import plane_cases as plane_frontier
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import Contender
from experiments.frontier.figure import plot_frontier
from experiments.frontier.least_squares import OperatorsConfig
from qdistill import plots
from qdistill._checks import require_at_least
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.students import PropagatorConfig

LINE, SQUARE = 100.0, 16.0


@dataclasses.dataclass(frozen=True)
class Args:
    """Learned effective Hamiltonians on double slits and scatterers."""

    out: pathlib.Path = pathlib.Path("runs/coarse_plane")
    """Folder of the results."""
    lengths: tuple[float, ...] = (12.0, 16.0, 20.0)
    """Of the square boxes, in bohr."""
    spacing: float = 0.25
    """Of the fine grid, in bohr."""
    edges: tuple[float, ...] = (6.3, 7.1, 7.9)
    """Of the discs of waves, in 1/bohr."""
    pairs: tuple[int, ...] = (7, 10, 14, 20, 28)
    """FFT pairs an a.u. of the clamped split steps."""
    coarse: tuple[float, ...] = (0.75, 0.875)
    """Points along an axis of the split steps on fewer points, as a part of all."""
    lines: OperatorsConfig = dataclasses.field(default_factory=lambda: OperatorsConfig(n_box=104))
    """What is learned from on lines."""
    planes: OperatorsConfig = dataclasses.field(
        default_factory=lambda: OperatorsConfig(
            ("wall", "slit", "shape"), n_boxes=48, n_box=32, n_states=120
        )
    )
    """What is learned from in square boxes."""
    frontier: FrontierConfig = dataclasses.field(
        default_factory=lambda: FrontierConfig(16, n_units=8, n_repeats=3, levels=(0.1, 0.05))
    )
    """What is run."""
    seed: int = 0
    """Of the lessons."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def shorten(args: Args) -> Args:
    """A run of seconds."""
    config = FrontierConfig(2, n_units=2, n_packets=2, job_units=2, n_repeats=2, n_bootstrap=20)
    line = dataclasses.replace(args.lines, n_boxes=2, n_box=64, n_states=10)
    plane = dataclasses.replace(args.planes, n_boxes=2, n_box=32, n_states=10)
    return dataclasses.replace(
        args, lengths=(12.0,), spacing=0.5, edges=(4.5,), pairs=(7,), coarse=(0.75,), lines=line,
        planes=dataclasses.replace(plane, n_box=16), frontier=config,
    )  # fmt: skip


def form(edge: float, length: float) -> PropagatorConfig:
    """The student of a band that ends there, in a box of this length."""
    return PropagatorConfig(round(edge * length / math.pi))


def learn(args: Args) -> dict[str, Any]:
    """For each edge of the band, the weights learned on lines and those learned on planes."""
    key, n_line, n_square = jax.random.key(args.seed), LINE / args.spacing, SQUARE / args.spacing
    line = Grid(round(n_line), LINE, "continuum")
    square = Grid((round(n_square),) * 2, (SQUARE,) * 2, "continuum")
    return {
        f"learned on {name}": {
            edge: operators.fit(config, form(edge, grid.lengths[0]), grid, key)
            for edge in args.edges
        }
        for name, grid, config in (("lines", line, args.lines), ("planes", square, args.planes))
    }


def measure(args: Args, length: float, learned: dict[str, Any]) -> dict[str, Any]:
    """All contenders in boxes of one length."""
    n_x, config = round(length / args.spacing), args.frontier
    grid = Grid((n_x, n_x), (length, length), "continuum")
    truth = plane_frontier.make_truth(grid, config)
    discs = [(form(edge, length).n_coarse - 1) // 2 for edge in args.edges]
    coarse = [round(part * n_x) for part in args.coarse]
    solvers, caps = plane_frontier.line_up(grid, truth, args.pairs, coarse, discs)
    students: dict[str, Contender] = {}
    for name, of_edge in learned.items():
        for edge, (params, _) in of_edge.items():
            students |= plane_contenders.effective(grid, form(edge, length), params, name)
    rivals = solvers | students
    errors = {name: frontier.measure_errors(rival, truth) for name, rival in rivals.items()}
    given = jnp.resize(truth.given, (config.n_packets, *truth.given.shape[1:]))
    cost = costs.measure(rivals, given, truth.v[0], config.job_units, config.n_repeats)
    spent = jobs.in_seconds(cost, config) | jobs.in_operations(rivals, config)
    return {
        "dispersion": grid.dispersion,
        "kinetic_caps_hartree": caps,
        "contenders": jobs.describe(rivals, errors, cost, config),
        "levels": {
            job: jobs.compare(errors, seconds, list(students), config)
            for job, seconds in spent.items()
        },
    }


def compare(args: Args) -> None:
    """Learn, measure, compare, write, draw."""
    require_at_least(1, lengths=len(args.lengths))
    runs.make_folder(args.out)
    args = shorten(args) if args.smoke else args
    learned = learn(args)
    boxes = {f"{length:g}": measure(args, length, learned) for length in args.lengths}
    found = {
        "learned": {
            name: {
                f"{edge:g}": report | {"weights": params["weights"].tolist()}
                for edge, (params, report) in of_edge.items()
            }
            for name, of_edge in learned.items()
        },
        "boxes": boxes,
    }
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    text = json.dumps(runs.plain(found), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    for length, box in boxes.items():
        figure = plot_frontier(box["contenders"])
        plots.save(figure, args.out / f"frontier-{length}.png")
        print(f"boxes of {length} bohr:", jobs.table(box), sep="\n")


def main() -> None:
    """Parse and compare."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        compare(tyro.cli(Args, prog="coarse_plane.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"coarse_plane.py: {error}")


if __name__ == "__main__":
    main()
