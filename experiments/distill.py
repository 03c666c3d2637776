"""Distil a student from the solver and score it: `python experiments/distill.py demo`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import jax
import tyro

from qdistill import _distribute as cluster
from qdistill.forecast import baselines as generalisation
from qdistill.runs import config, presets, report
from qdistill.runs import folder as runs
from qdistill.runs.signals import Stopped


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
    devices: int = 1
    """How many share the work, those of all processes together; on a CPU any number."""
    coordinator: str | None = None
    """Of several processes: host:port of the first, or QDISTILL_COORDINATOR."""
    processes: int | None = None
    """How many, or QDISTILL_PROCESSES."""
    process: int | None = None
    """Which of them this is, from 0, or QDISTILL_PROCESS."""


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Score a finished run on landscapes of every family that nobody has seen."""

    evaluate: pathlib.Path
    """Folder of the run. The scores go to `evaluation-SEED.json` in it."""
    seed: int = 0
    """Of the landscapes and packets."""
    landscapes: int = 100
    """How many."""
    devices: int = 1
    """How many share the work; on a CPU any number."""


def evaluate(args: Evaluation) -> None:
    """Score a finished run and the clamped split step on fresh landscapes."""
    mesh = cluster.start(args.devices)
    settings, setup, params = runs.load(args.evaluate)
    rivals = {settings.preset: (setup.student, params)}
    scores = generalisation.evaluate(
        setup.grid, settings.teacher.dt, rivals, args.seed, args.landscapes, settings.benchmark,
        mesh=mesh,
    )  # fmt: skip
    path = args.evaluate / f"evaluation-{args.seed}.json"
    path.write_text(json.dumps(runs.plain(scores), indent=2, allow_nan=False) + "\n")
    print(generalisation.table(scores))


def distill(args: Args) -> None:
    """Train, score, draw."""
    mesh = cluster.start(args.devices, args.coordinator, args.processes, args.process)
    settings = presets.smoke(args.config) if args.smoke else args.config
    if cluster.is_main():
        runs.open_folder(args.out, settings, args.resume)
    cluster.wait("the folder is open")
    state = runs.train(settings, args.out, mesh)
    setup = runs.set_up(settings)
    scored = runs.score(settings, setup, state.params, mesh)
    params = cluster.to_host(state.params)
    metrics = runs.write_metrics(args.out, settings, setup, params, scored)
    if cluster.is_main():
        report.draw(args.out, settings, setup, params, scored)
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
    except Stopped as stopped:
        print(f"distill.py: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.number)


if __name__ == "__main__":
    main()
