"""Measure error against training time: `python experiments/learning_curve.py demo`.

With `--is-order` it measures the order of learning instead, over repeated trainings.
"""

import dataclasses
import pathlib
from typing import Annotated

import numpy as np
import tyro

from experiments import runner
from experiments.ladder import ladder
from experiments.ladder.figure import plot_learning
from experiments.order import study
from experiments.order.study import OrderConfig
from qdistill._checks import refuse, require_one_of
from qdistill.forecast import paper
from qdistill.forecast.held_out import make_held_out
from qdistill.plots.students import MOST
from qdistill.runs import presets


@dataclasses.dataclass(frozen=True)
class Args:
    """Train presets, and score them on the paper's 25 cases during the training."""

    presets: Annotated[tuple[str, ...], tyro.conf.Positional] = ("demo",)
    """Names of presets, at most twelve."""
    out: pathlib.Path = pathlib.Path("runs/learning_curve")
    """Folder of the results."""
    every: float = 2.0
    """Seconds of training between two scores."""
    is_order: bool = False
    """Whether to measure the order of learning of one preset, at equal errors."""
    order: OrderConfig = dataclasses.field(default_factory=OrderConfig)
    """Settings of the order of learning."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def follow(args: Args) -> runner.Results:
    """Train and score the presets, and draw the learning curves."""
    for name in args.presets:
        require_one_of(presets.PRESETS, presets=name)
    if args.is_order:
        if len(args.presets) != 1:
            refuse("presets", "one name for the order of learning", args.presets)
        place = args.out / "paths" if args.smoke else args.order.place
        plan = dataclasses.replace(args.order, place=place)
        return study.measure(args.presets[0], plan, args.smoke)
    if not 1 <= len(args.presets) <= MOST:
        refuse("presets", f"of 1 to {MOST} names", f"of {len(args.presets)}")
    curves = {}
    for name in args.presets:
        config = presets.PRESETS[name][1]
        config = presets.smoke(config) if args.smoke else config
        truth = make_held_out(config.benchmark, config.system, config.curriculum.lessons)
        seconds, errors = ladder.learning_curve(config, truth, args.every)
        curves[name] = {"training_seconds": seconds, "mean_infidelity": errors}
    published = {
        f"paper's {model}": 1 - paper.published_means(model)["correlation"]
        for model in ("full-gru", "demo-gru")
    }
    x = {name: np.array(curve["training_seconds"]) for name, curve in curves.items()}
    y = {name: np.array(curve["mean_infidelity"]) for name, curve in curves.items()}
    figure = plot_learning(x, y, published)
    return runner.Results(curves, ladder.passes(curves, published), {"learning": figure})


if __name__ == "__main__":
    runner.main(follow, Args)
