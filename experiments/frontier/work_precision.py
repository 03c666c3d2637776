"""What an error costs: `python experiments/frontier/work_precision.py RUN ...`."""

import dataclasses
import json
import pathlib
import platform
import sys
from typing import Annotated

import jax
import jax.numpy as jnp
import tyro
from tqdm.auto import tqdm

from experiments.frontier import band_contenders, contenders, costs
from experiments.frontier import cases as frontier
from experiments.frontier import compare as jobs
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import Contender
from experiments.frontier.figure import plot_frontier
from qdistill import plots
from qdistill._checks import refuse, require_at_least
from qdistill.runs import folder as runs


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
    # Frames may be of any length; only who needs several needs them as far apart as it learned.
    given = {config.teacher.dt for config, each, _ in loaded.values() if each.student.n_history > 1}
    dt = min(given, default=settings.teacher.dt)
    for name, (_, each, _) in loaded.items():
        if each.grid != setup.grid or len(given) > 1:
            refuse("runs", "of the same physics", f"of another in {name}")
    runs.make_folder(args.out)
    config = SMOKE if args.smoke else args.frontier
    truth = frontier.make_truth(setup.grid, dt, config)
    solvers, caps = frontier.line_up(setup.grid, truth, is_short=args.smoke)
    students: dict[str, Contender] = {}
    for name, (config_of, each, params) in loaded.items():
        if config_of.student.name == "propagator":
            form = config_of.student.propagator
            students |= band_contenders.effective(setup.grid, form, params, name)
        elif config_of.student.name == "kernel":
            students |= band_contenders.kernel(setup.grid, config_of.student.kernel, params, name)
        else:
            students[name] = contenders.student(each.student, params, config_of.teacher.dt)
    rivals = solvers | students
    errors = {
        name: frontier.measure_errors(rival, truth)
        for name, rival in tqdm(rivals.items(), unit="contender", leave=False)
    }
    first = jnp.resize(truth.given, (config.n_packets, *truth.given.shape[1:]))
    cost = costs.measure(rivals, first, truth.v[0], config.job_units, config.n_repeats)
    levels = {
        job: jobs.compare(errors, seconds, list(students), config)
        for job, seconds in jobs.in_seconds(cost, config).items()
    }
    report = {
        "dispersion": setup.grid.dispersion,
        "device": jax.devices()[0].device_kind,
        "versions": {"python": platform.python_version(), "jax": jax.__version__},
        "kinetic_caps_hartree": caps,
        "contenders": jobs.describe(rivals, errors, cost, config),
        "levels": levels,
    }
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    text = json.dumps(runs.plain(report), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    plots.save(plot_frontier(report["contenders"]), args.out / "frontier.png")
    print(jobs.table(report))


def main() -> None:
    """Parse and compare."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        compare(tyro.cli(Args, prog="work_precision.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"work_precision.py: {error}")


if __name__ == "__main__":
    main()
