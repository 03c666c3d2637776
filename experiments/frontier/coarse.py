"""Few points and long frames: `python experiments/frontier/coarse.py [RUN ...]`."""

import dataclasses
import itertools
import json
import pathlib
import sys
import time
from collections.abc import Collection
from typing import Annotated, Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from experiments.frontier import band_contenders, costs
from experiments.frontier import cases as frontier
from experiments.frontier import compare as jobs
from experiments.frontier import least_squares as operators
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import Contender
from experiments.frontier.figure import plot_frontier
from experiments.frontier.least_squares import OperatorsConfig
from qdistill import plots
from qdistill._checks import refuse, require_at_least
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.students import PropagatorConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Learned effective Hamiltonians beside solvers and what is worked out without learning."""

    trained: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional] = ()
    """Folders of finished runs of `distill.py propagator`, `kernel` or `kernel-trajectories`."""
    out: pathlib.Path = pathlib.Path("runs/coarse")
    """Folder of the results."""
    sizes: tuple[int, ...] = (192, 200, 208, 216, 224, 256)
    """Points of the students that learn from all families of landscapes."""
    barriers: tuple[int, ...] = (224, 256)
    """Points of those that learn from single barriers."""
    rivals: tuple[int, ...] = (184, 192, 200, 208, 216, 224, 240, 256, 320)
    """Points of the Hamiltonians that are cut off, or folded."""
    clamped: tuple[int, ...] = (7, 10, 12, 14, 20)
    """FFT pairs an a.u. of the clamped split steps."""
    coarse: tuple[int, ...] = (320, 384, 448, 512)
    """Points of the clamped split steps on fewer points."""
    coarse_pairs: tuple[int, ...] = (10, 11, 12, 14, 17, 20, 28)
    """FFT pairs an a.u. of these."""
    projected: tuple[int, ...] = (208, 224, 256)
    """Points of the exactly projected propagators."""
    operators: OperatorsConfig = dataclasses.field(default_factory=OperatorsConfig)
    """What is learned from."""
    frontier: FrontierConfig = dataclasses.field(
        default_factory=lambda: FrontierConfig(levels=(3e-2, 1e-2, 5e-3))
    )
    """What is run."""
    seed: int = 0
    """Of the lessons."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def shorten(args: Args) -> Args:
    """A run of seconds."""
    config = FrontierConfig(2, n_units=2, n_packets=2, job_units=2, n_repeats=2, n_bootstrap=20)
    few = OperatorsConfig(n_boxes=2, n_box=64, n_states=10)
    return dataclasses.replace(
        args, sizes=(224,), barriers=(224,), rivals=(192,), clamped=(5,), coarse=(384,),
        coarse_pairs=(20,), projected=(192,), operators=few, frontier=config,
    )  # fmt: skip


def learn(args: Args, grid: Grid) -> tuple[dict[str, Any], dict[str, Contender]]:
    """Students of all sizes from whole operators, and those of the runs from trajectories."""
    learned: dict[str, Any] = {}
    students: dict[str, Contender] = {}
    everything = [("barriers", "barrier", size) for size in args.barriers]
    everything += [("all", "potentials", size) for size in args.sizes]
    for teaching, lesson, size in everything:
        form, start = PropagatorConfig(size), time.perf_counter()
        config = dataclasses.replace(args.operators, lessons=(lesson,))
        params, report = operators.fit(config, form, grid, jax.random.key(args.seed))
        report["training_seconds"] = time.perf_counter() - start
        students |= band_contenders.effective(grid, form, params, f"propagator from {teaching}")
        report["weights"] = np.asarray(params["weights"]).tolist()
        learned[list(students)[-1]] = report
    for out in args.trained:
        settings, setup, params = runs.load(out)
        name, examples = settings.student.name, settings.training.stages[-1].batches.examples
        if name not in ("propagator", "kernel") or setup.grid != grid:
            refuse("trained", "runs of `propagator` or `kernel` on the continuum", out)
        lessons = " + ".join(settings.curriculum.lessons)
        title = f"{name} from {'eigenstates' if examples == 'spectra' else 'trajectories'}"
        title += "" if lessons == "potentials" else f" of {lessons}"
        if name == "kernel":
            students |= band_contenders.kernel(grid, settings.student.kernel, params, title)
        else:
            students |= band_contenders.effective(grid, settings.student.propagator, params, title)
        metrics = json.loads((out / "metrics.json").read_text())
        learned[list(students)[-1]] = {
            name: metrics[name] for name in ("n_parameters", "training_seconds", "training_steps")
        }
    return learned, students


def compare(args: Args) -> None:
    """Learn, measure, compare, write, draw."""
    require_at_least(1, sizes=len(args.sizes))
    runs.make_folder(args.out)
    args = shorten(args) if args.smoke else args
    grid = Grid(1024, 100.0, "continuum")
    learned, students = learn(args, grid)
    truth = frontier.make_truth(grid, 0.1, args.frontier)
    few = tuple(itertools.product(args.coarse, args.coarse_pairs))
    splits, caps = frontier.clamped(grid, truth, args.clamped, few)
    baselines = {
        "split steps": splits,
        "projected": band_contenders.projected(grid, args.projected),
        "cut off": band_contenders.cut_off(grid, args.rivals),
        "folded": band_contenders.folded(grid, args.rivals),
    }
    rivals = {name: one for some in [*baselines.values(), students] for name, one in some.items()}
    errors = {name: frontier.measure_errors(rival, truth) for name, rival in rivals.items()}
    config = args.frontier
    given = jnp.resize(truth.given, (config.n_packets, *truth.given.shape[1:]))
    cost = costs.measure(rivals, given, truth.v[0], config.job_units, config.n_repeats)
    spent = jobs.in_seconds(cost, config) | jobs.in_operations(rivals, config)

    def levels(among: Collection[str]) -> dict[str, Any]:
        some = {name: errors[name] for name in among}
        return {
            job: jobs.compare(some, each, list(students), config) for job, each in spent.items()
        }

    found: dict[str, Any] = {
        "dispersion": "continuum",
        "learned": learned,
        "kinetic_caps_hartree": caps,
        "contenders": jobs.describe(rivals, errors, cost, config),
        "levels": levels(rivals),
        "beside": {kind: levels(some | students) for kind, some in baselines.items()},
    }
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    text = json.dumps(runs.plain(found), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    plots.save(plot_frontier(found["contenders"]), args.out / "frontier.png")
    print(jobs.table(found))


def main() -> None:
    """Parse and compare."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        compare(tyro.cli(Args, prog="coarse.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"coarse.py: {error}")


if __name__ == "__main__":
    main()
