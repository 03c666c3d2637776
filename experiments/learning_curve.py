"""Error against training time: `python experiments/learning_curve.py demo`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import jax
import numpy as np
import tyro

from experiments.ladder import ladder
from qdistill import plots
from qdistill._checks import require_one_of
from qdistill.forecast import benchmark
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.teacher import factory as teacher


@dataclasses.dataclass(frozen=True)
class Args:
    """Train presets, and score them on the paper's 25 runs as they learn."""

    presets: Annotated[tuple[str, ...], tyro.conf.Positional] = ("demo",)
    """Names of presets."""
    out: pathlib.Path = pathlib.Path("runs/learning_curve")
    """Folder of the results."""
    every: float = 2.0
    """Seconds of training between two scores."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def follow(args: Args) -> None:
    """Train, score as they learn, write, draw."""
    for name in args.presets:
        require_one_of(presets.PRESETS, presets=name)
    runs.make_folder(args.out)
    curves = {}
    for name in args.presets:
        settings = presets.PRESETS[name][1]
        settings = presets.smoke(settings) if args.smoke else settings
        grid, _ = teacher.make(settings.teacher)
        cases = benchmark.make_cases(grid)
        truth = benchmark.simulate(grid, settings.teacher.dt, *cases, settings.benchmark)
        seconds, errors = ladder.learning_curve(settings, truth, args.every)
        curves[name] = {"training_seconds": seconds, "mean_infidelity": errors}
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    (args.out / "metrics.json").write_text(json.dumps(curves, indent=2) + "\n")
    paper = {
        f"paper's {model}": 1 - benchmark.published_means(model)["correlation"]
        for model in ("full-gru", "demo-gru")
    }
    figure = plots.plot_learning(
        {name: np.array(curve["training_seconds"]) for name, curve in curves.items()},
        {name: np.array(curve["mean_infidelity"]) for name, curve in curves.items()},
        paper,
    )
    plots.save(figure, args.out / "learning.png")
    for name, curve in curves.items():
        print(f"{name}: mean infidelity {curve['mean_infidelity'][-1]:.1e}", end=" ")
        print(f"after {curve['training_seconds'][-1]:.0f} s of training")
        for label, level in paper.items():
            pairs = zip(curve["training_seconds"], curve["mean_infidelity"], strict=True)
            when = next((s for s, error in pairs if error < level), None)
            print(f"  passes {label}", "never" if when is None else f"after {when:.0f} s")


def main() -> None:
    """Parse and follow."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        follow(tyro.cli(Args, prog="learning_curve.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"learning_curve.py: {error}")


if __name__ == "__main__":
    main()
