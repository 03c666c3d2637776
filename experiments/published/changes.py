"""From the paper's network to `gru`, one change after another, each with the same few steps.

`python experiments/published/changes.py`. Each row has all changes above it.
"""

import dataclasses
import itertools
import json
import pathlib
from collections.abc import Iterator
from typing import Any

import jax
import numpy as np
from jaxtyping import PyTree

from experiments import runner
from experiments.corrections.study import summarise
from experiments.published import fixed_windows, published
from experiments.published.fixed_windows import Parameters
from qdistill._checks import require_at_least, require_one_of
from qdistill.forecast import BenchmarkConfig
from qdistill.forecast.held_out import make_held_out
from qdistill.runs import folder, presets, records
from qdistill.runs.config import Config
from qdistill.training.loop import fit

CHANGES = {
    "published": "as published, with a fixed set of windows",
    "fresh": "runs and windows drawn anew, with replacement",
    "gauge": "each window divided by its amplitude and phase",
    "loss": "relative error, weighted as in stitching, with noise on the given frames",
    "optimiser": "Muon with a peak rate of 0.01, no weight decay",
    "placement": "windows where the amplitude is large",
    "superpositions": "several packets of any direction on random barriers and wells",
    "potentials": "lessons on every family of potentials too",
    "batch": "batches of 1,024 windows in place of 128",
}


@dataclasses.dataclass(frozen=True)
class Args:
    """Train and score the paper's network with more and more changes."""

    changes: tuple[str, ...] = tuple(CHANGES)
    """Names of rows; each row has all changes up to its own. On a CPU the last, `batch`, takes as
    long as all others together."""
    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the trainings."""
    n_steps: int = 20_000
    """Steps of a training."""
    n_block: int = 200
    """Steps on one block of runs."""
    n_runs: int = 567
    """Number of fixed runs, for the first row."""
    n_forecast: int = 400
    """Forecast frames of the paper's 25 cases."""
    trainings: pathlib.Path = pathlib.Path("runs/changes-trainings")
    """Folder in which the scores of trainings are kept."""
    out: pathlib.Path = pathlib.Path("runs/changes")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, changes=("published", "fresh", "batch"), seeds=(0, 1), n_steps=4, n_block=2,
        n_runs=2, n_forecast=3, trainings=args.out / "trainings",
    )  # fmt: skip


def measure(args: Args) -> runner.Results:
    """Train and score every row."""
    require_at_least(1, seeds=len(args.seeds))
    for name in args.changes:
        require_one_of(CHANGES, change=name)
    truth = None
    rows: dict[str, dict[str, Any]] = {}
    for name in args.changes:
        config = config_of(name, args)
        for seed in args.seeds:
            kept = args.trainings / f"{name}-{seed}.json"
            if not kept.exists():
                if truth is None:
                    truth = make_held_out(
                        BenchmarkConfig(n_frames=args.n_forecast), config.system, ()
                    )
                scores = published.score(
                    folder.set_up(config).student, train(name, config, args, seed), truth
                )
                kept.parent.mkdir(parents=True, exist_ok=True)
                records.write_json(kept, scores)
                print(f"{name}, seed {seed}: {scores['mean_correlation']:.4f}", flush=True)
            rows.setdefault(name, {})[str(seed)] = json.loads(kept.read_text())
    found = {"rows": rows, "over seeds": summaries(rows), "steps": dict(gains(rows))}
    return runner.Results(runner.rounded(found), table(found))


def config_of(name: str, args: Args) -> Config:
    """Return the settings of a row: the paper's, with all changes up to this one."""
    config = presets.PRESETS["paper-demo"][1]
    of_gru = presets.PRESETS["gru-wide"][1]
    (stage,), (wide,) = config.training.stages, of_gru.training.stages
    student: Any = config.student
    lessons = config.curriculum
    batches = dataclasses.replace(stage.batches, n_block=args.n_block)
    done = list(CHANGES)[: list(CHANGES).index(name) + 1]
    if "gauge" in done:
        windows = dataclasses.replace(student.windows, gauge=True)
        student = dataclasses.replace(student, windows=windows)
    if "loss" in done:
        stage = dataclasses.replace(
            stage, relative=wide.relative, loss_sigma=wide.loss_sigma, noise=wide.noise
        )
    if "optimiser" in done:
        names = ("optimiser", "peak_rate", "final_rate", "warm_up", "weight_decay")
        stage = dataclasses.replace(stage, **{each: getattr(wide, each) for each in names})
    if "placement" in done:
        batches = dataclasses.replace(batches, placement=wide.batches.placement)
    if "superpositions" in done:
        lessons = presets.PRESETS["gru"][1].curriculum
        student = of_gru.student
        batches = dataclasses.replace(
            batches, n_runs=wide.batches.n_runs, n_frames=wide.batches.n_frames
        )
    if "potentials" in done:
        lessons = of_gru.curriculum
    if "batch" in done:
        batches = dataclasses.replace(batches, n_batch=wide.batches.n_batch)
    stage = dataclasses.replace(stage, n_steps=args.n_steps, batches=batches)
    training = dataclasses.replace(config.training, stages=(stage,))
    return dataclasses.replace(config, student=student, curriculum=lessons, training=training)


def train(name: str, config: Config, args: Args, seed: int) -> PyTree:
    """Return the parameters of a training."""
    setup = folder.set_up(config)
    state = setup.trainers[0].init(jax.random.key(seed))
    if name == "published":
        settings = dataclasses.replace(
            published.Args(), n_steps=args.n_steps, n_block=args.n_block,
            keep_every=args.n_steps, trainings=args.trainings,
        )  # fmt: skip
        n_frames = config.training.stages[0].batches.n_frames
        runs = fixed_windows.simulate(config.system, Parameters(), n_frames, n_runs=args.n_runs)
        return published.train(settings, setup.student, setup.trainers[0], *runs, seed)[0].params
    for last, metrics in fit(setup.trainers, config.training.boundaries, state):
        state, loss = last, metrics["loss"]
    print(f"{name}, seed {seed}: loss {loss:.3e}", flush=True)
    return state.params


def summaries(rows: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return means over trainings with 95% t intervals, of three scores."""
    names = ("mean_correlation", "mean_infidelity", "mean_nrmse")
    return {
        row: {name: summarise([score[name] for score in scores.values()]) for name in names}
        for row, scores in rows.items()
    }


def gains(rows: dict[str, dict[str, Any]]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the decades of 1 - correlation that each change gains, paired by seed."""
    for before, after in itertools.pairwise(rows):
        pairs = [
            np.log10(rows[before][seed]["mean_infidelity"] / rows[after][seed]["mean_infidelity"])
            for seed in rows[after]
        ]
        yield after, summarise(pairs)


def table(found: dict[str, Any]) -> str:
    """Return the report."""
    lines = [f"{'correlation on the 25 cases':18} mean over seeds    decades gained (95%)"]
    for name, row in found["over seeds"].items():
        gain = found["steps"].get(name, {})
        gained = f"{gain['mean']:.2f}" if gain else ""
        if "low" in gain:
            gained += f" ({gain['low']:.2f} to {gain['high']:.2f})"
        lines.append(f"{name:27} {row['mean_correlation']['mean']:15.4f}    {gained}")
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
