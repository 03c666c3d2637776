"""Distil a student from the solver and score it: `python experiments/distill.py demo`."""

import dataclasses
import pathlib
import sys
from typing import Annotated

import jax
import tyro

from qdistill import config, report, runs


@dataclasses.dataclass(frozen=True)
class Args:
    """Distil a student from the solver, score it on the paper's 25 runs, and draw the figures."""

    config: Annotated[config.Config, tyro.conf.arg(name="")]
    out: pathlib.Path
    """Folder of the run: it must be new or empty, unless the run in it is resumed."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""
    resume: bool = False
    """Go on with the run in the folder."""


def main() -> None:
    """Parse, train, score, draw."""
    presets = {
        name: (text, Args(preset, pathlib.Path("runs") / name))
        for name, (text, preset) in config.PRESETS.items()
    }
    args = tyro.extras.overridable_config_cli(presets, prog="distill.py")
    settings = config.smoke(args.config) if args.smoke else args.config
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        runs.open_folder(args.out, settings, args.resume)
        state = runs.train(settings, args.out)
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"distill.py: {error}")
    setup = runs.set_up(settings)
    scored = runs.score(settings, setup, state.params)
    metrics = runs.write_metrics(args.out, settings, state.params, scored)
    report.draw(args.out, settings, setup, scored)
    print(report.summary(metrics))


if __name__ == "__main__":
    main()
