"""Animate a forecast and the exact solution: `python experiments/movie.py demo`."""

import dataclasses
import pathlib
from typing import Annotated, Literal

import numpy as np
import tyro

from experiments import runner
from qdistill import plots
from qdistill._checks import require_one_of
from qdistill.forecast import cases, paper
from qdistill.forecast.held_out import make_paper_cases
from qdistill.runs import pretrained


@dataclasses.dataclass(frozen=True)
class Args:
    """Animate a forecast of one of the paper's 25 cases, and draw the truth by phase."""

    student: Annotated[str, tyro.conf.Positional] = "demo"
    """Name of a packaged emulator, a file of `qdistill export`, or the folder of a run."""
    case: str = "steps"
    """Name of the case, as in a run's metrics.json."""
    title: str = ""
    """Title of the animation; by default the emulator's preset and the case."""
    film: Literal["gif", "mp4"] = "gif"
    """Kind of file; an MP4 needs ffmpeg, as in `pip install -e '.[video]'`."""
    seconds: float = 10.0
    """Duration in seconds."""
    out: pathlib.Path = pathlib.Path("runs/movie")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps with a few frames."""


def shoot(args: Args) -> runner.Results:
    """Simulate, forecast, animate and score one case."""
    require_one_of(paper.CASES, case=args.case)
    emulator = pretrained.find(args.student)
    system, test = emulator.system, emulator.config.benchmark
    test = dataclasses.replace(test, n_frames=8) if args.smoke else test
    truth = make_paper_cases(test, system, [args.case])
    frames = cases.forecast(emulator, truth)
    scores = cases.summarise(truth.family, cases.measure(system, truth, frames))
    true, guess = (np.concatenate([truth.given[0], each[0]]) for each in (truth.frames, frames))
    x, t = np.asarray(system.grid.positions()), system.dt * np.arange(len(true))
    preset = emulator.config.preset
    title = args.title or f"{preset} on {args.case}, a held-out potential"
    path = args.out / f"forecast.{args.film}"
    plots.animate_forecast(x, t, truth.v[0], true, guess, path, test.n_given, title, args.seconds)
    return runner.Results(
        {"preset": preset, "n_given": test.n_given, "benchmark": scores},
        f"{path}: {test.n_frames} frames, mean relative L2 error {scores['mean_nrmse']:.1e}",
        {"wavefunction": plots.plot_wavefunction(x, t, truth.v[0], true, title)},
    )


if __name__ == "__main__":
    runner.main(shoot, Args)
