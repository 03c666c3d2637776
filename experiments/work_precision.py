"""What an error costs, by solver and by student: `python experiments/work_precision.py RUN ...`."""

import dataclasses
import json
import pathlib
import platform
import sys
from typing import Annotated

import jax
import tyro
from tqdm.auto import tqdm

from qdistill import contenders, frontier, plots, runs
from qdistill.arguments import refuse, require_at_least
from qdistill.frontier import FrontierConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Error and cost of solvers, each with many settings, and of finished runs."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of the runs, of the same physics."""
    out: pathlib.Path = pathlib.Path("runs/work_precision")
    """Folder of the results."""
    frontier: FrontierConfig = dataclasses.field(default_factory=FrontierConfig)
    """What is run."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


SMOKE = FrontierConfig(2, n_units=2, n_packets=2, job_units=2, n_repeats=2, n_bootstrap=20)


def compare(args: Args) -> None:
    """Measure, compare, write, draw."""
    require_at_least(1, runs=len(args.runs))
    loaded = {path.name: runs.load(path) for path in args.runs}
    settings, setup, _ = next(iter(loaded.values()))
    for name, (other, *_) in loaded.items():
        if other.teacher != settings.teacher:
            refuse("runs", "of the same physics", f"of another in {name}")
    runs.make_folder(args.out)
    config = SMOKE if args.smoke else args.frontier
    truth = frontier.make_truth(setup.grid, settings.teacher.dt, config)
    solvers, caps = frontier.line_up(setup.grid, truth, is_short=args.smoke)
    students = {
        name: contenders.student(each.student, params, config_of.teacher.dt)
        for name, (config_of, each, params) in loaded.items()
    }
    rivals = solvers | students
    errors = {
        name: frontier.measure_errors(rival, truth)
        for name, rival in tqdm(rivals.items(), unit="contender", leave=False)
    }
    costs = frontier.measure_costs(rivals, truth, config)
    levels = frontier.compare(errors, costs, list(students), config)
    report = {
        "dispersion": setup.grid.dispersion,
        "device": jax.devices()[0].device_kind,
        "versions": {"python": platform.python_version(), "jax": jax.__version__},
        "kinetic_caps_hartree": caps,
        "contenders": frontier.describe(rivals, errors, costs, config),
        "levels": levels,
    }
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    text = json.dumps(runs.plain(report), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    plots.save(plots.plot_frontier(report["contenders"]), args.out / "frontier.png")
    print(frontier.table(report))


def main() -> None:
    """Parse and compare."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        compare(tyro.cli(Args, prog="work_precision.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"work_precision.py: {error}")


if __name__ == "__main__":
    main()
