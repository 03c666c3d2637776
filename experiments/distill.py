"""Distil a student from the solver and score it: `python experiments/distill.py demo`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import jax
import tyro

from qdistill import config, generalisation, presets, report, runs


@dataclasses.dataclass(frozen=True)
class Args:
    """Distil a student from the solver, score it on the paper's 25 runs, and draw the figures.

    `distill.py --evaluate RUN --seed N --landscapes 100` scores a finished run instead.
    """

    config: Annotated[config.Config, tyro.conf.arg(name="")]
    out: pathlib.Path
    """Folder of the run: it must be new or empty, unless the run in it is resumed."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""
    resume: bool = False
    """Go on with the run in the folder."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Score a finished run on landscapes of every family that nobody has seen."""

    evaluate: pathlib.Path
    """Folder of the run. The scores go to `evaluation-SEED.json` in it."""
    seed: int = 0
    """Of the landscapes and packets."""
    landscapes: int = 100
    """How many."""


def evaluate(args: Evaluation) -> None:
    """Score a finished run and the clamped split step on fresh landscapes."""
    settings, setup, params = runs.load(args.evaluate)
    rivals = {settings.preset: (setup.student, params)}
    scores = generalisation.evaluate(
        setup.grid, settings.teacher.dt, rivals, args.seed, args.landscapes, settings.benchmark
    )
    path = args.evaluate / f"evaluation-{args.seed}.json"
    path.write_text(json.dumps(runs.plain(scores), indent=2, allow_nan=False) + "\n")
    print(generalisation.table(scores))


def distill(args: Args) -> None:
    """Train, score, draw."""
    settings = presets.smoke(args.config) if args.smoke else args.config
    runs.open_folder(args.out, settings, args.resume)
    state = runs.train(settings, args.out)
    setup = runs.set_up(settings)
    scored = runs.score(settings, setup, state.params)
    metrics = runs.write_metrics(args.out, settings, setup, state.params, scored)
    report.draw(args.out, settings, setup, state.params, scored)
    print(report.summary(metrics))


def main() -> None:
    """Parse, then distil or evaluate."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    choices = {
        name: (text, Args(preset, pathlib.Path("runs") / name))
        for name, (text, preset) in presets.PRESETS.items()
    }
    try:
        if any(word.split("=")[0] == "--evaluate" for word in sys.argv[1:]):
            evaluate(tyro.cli(Evaluation, prog="distill.py"))
        else:
            distill(tyro.extras.overridable_config_cli(choices, prog="distill.py"))
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"distill.py: {error}")


if __name__ == "__main__":
    main()
