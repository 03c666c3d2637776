"""A student's forecast beside the truth, in motion: `python experiments/movie.py demo`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated, Literal

import jax
import numpy as np
import tyro

from qdistill import plots
from qdistill._checks import require_one_of
from qdistill.forecast import benchmark
from qdistill.runs import folder as runs
from qdistill.runs import pretrained


@dataclasses.dataclass(frozen=True)
class Args:
    """Film a student's forecast of one of the paper's 25 runs, and draw the truth by its phase."""

    student: Annotated[str, tyro.conf.Positional] = "demo"
    """The folder of a run, or the name of a student that comes with the package."""
    case: str = "steps"
    """Name of the landscape, as in a run's metrics.json."""
    title: str = ""
    """Of the film; by default the student's preset and the landscape."""
    film: Literal["gif", "mp4"] = "gif"
    """An MP4 needs ffmpeg, as in `pip install -e '.[video]'`."""
    seconds: float = 10.0
    """How long it plays."""
    out: pathlib.Path = pathlib.Path("runs/movie")
    """Folder of the results."""
    smoke: bool = False
    """The same path with a few frames."""


def shoot(args: Args) -> None:
    """Simulate, forecast, film, score."""
    require_one_of(benchmark.CASES, case=args.case)
    found = pretrained.find(args.student)
    settings, grid = found.config, found.grid
    plan, dt = settings.benchmark, settings.teacher.dt
    plan = dataclasses.replace(plan, n_frames=8) if args.smoke else plan
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    here = [list(benchmark.CASES).index(args.case)]
    psi0, v = (cases[np.array(here)] for cases in benchmark.make_cases(grid))
    truth = benchmark.simulate(grid, dt, psi0, v, plan)
    forecast = benchmark.forecast(found.student, found.propagator, truth)
    scores = benchmark.summarise([args.case], benchmark.measure(grid, forecast, truth))
    metrics = {"preset": settings.preset, "n_given": plan.n_given, "benchmark": scores}
    (args.out / "metrics.json").write_text(
        json.dumps(runs.plain(metrics), indent=2, allow_nan=False) + "\n"
    )
    x, t = np.asarray(grid.positions()), dt * np.arange(plan.n_given + plan.n_frames)
    true, guess = (np.concatenate([each.given[0], each.frames[0]]) for each in (truth, forecast))
    title = args.title or f"{settings.preset} on {args.case}, a landscape that it never saw"
    plots.save(plots.plot_wavefunction(x, t, v[0], true, title), args.out / "wavefunction.png")
    path = args.out / f"forecast.{args.film}"
    plots.animate_forecast(x, t, v[0], true, guess, path, plan.n_given, title, args.seconds)
    print(f"{path}: {plan.n_frames} frames, mean phase-sensitive error {scores['mean_nrmse']:.1e}")


def main() -> None:
    """Parse and shoot."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        shoot(tyro.cli(Args, prog="movie.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"movie.py: {error}")


if __name__ == "__main__":
    main()
