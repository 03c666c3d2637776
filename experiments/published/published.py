"""Train the paper's `demo` GRU as published: `python experiments/published/published.py`.

The runs are fixed and the windows are drawn from them without replacement, as in the paper; the
preset `paper-demo` draws both anew all the time.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from experiments import runner
from experiments.corrections.study import summarise
from experiments.published import fixed_windows
from experiments.published.fixed_windows import Parameters
from qdistill._checks import require_at_least
from qdistill.forecast import BenchmarkConfig, cases, paper
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import make_held_out
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Student
from qdistill.training.loop import Trainer, TrainState

MODEL = "demo-gru"


@dataclasses.dataclass(frozen=True)
class Args:
    """Train and score the paper's `demo` GRU."""

    seeds: tuple[int, ...] = (0, 1, 2)
    """Seeds of the trainings: of the parameters, of the choice of windows and of their order."""
    n_steps: int = 900_000
    """Steps of a training."""
    n_block: int = 1000
    """Steps in one call of a compiled program."""
    keep_every: int = 10_000
    """Steps after which the state is kept, from which a stopped training goes on."""
    n_runs: int = 567
    """Number of runs, the first of the paper's."""
    n_forecast: int = 400
    """Forecast frames of the paper's 25 cases."""
    trainings: pathlib.Path = pathlib.Path("runs/published-trainings")
    """Folder in which trainings are kept."""
    only_train: bool = False
    """Train, without scores."""
    out: pathlib.Path = pathlib.Path("runs/published")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, seeds=(0, 1), n_steps=8, n_block=4, keep_every=4, n_runs=3, n_forecast=4,
        trainings=args.out / "trainings",
    )  # fmt: skip


def measure(args: Args) -> runner.Results:
    """Train all seeds, and score them on the paper's cases."""
    require_at_least(1, n_runs=args.n_runs, seeds=len(args.seeds))
    config = config_of(args)
    setup = folder.set_up(config)
    params, curves = {}, {}
    frames, v = fixed_windows.simulate(
        config.system, Parameters(), config.training.stages[0].batches.n_frames, n_runs=args.n_runs
    )
    for seed in args.seeds:
        state, curves[seed] = train(args, setup.student, setup.trainers[0], frames, v, seed)
        params[seed] = state.params
    if args.only_train:
        return runner.Results({}, f"kept in {args.trainings}")
    del frames
    truth = make_held_out(BenchmarkConfig(n_frames=args.n_forecast), config.system, ())
    scores = {seed: score(setup.student, each, truth) for seed, each in params.items()}
    found = {
        "trainings": {str(seed): {"loss": curves[seed], **scores[seed]} for seed in args.seeds},
        "published": of_the_paper(),
        "over seeds": over_seeds(list(scores.values())),
    }
    return runner.Results(runner.rounded(found), table(found))


def config_of(args: Args) -> Config:
    """Return the settings of the preset, with the number of steps of the options."""
    config = presets.PRESETS["paper-demo"][1]
    (stage,) = config.training.stages
    batches = dataclasses.replace(stage.batches, n_block=args.n_block)
    stage = dataclasses.replace(stage, n_steps=args.n_steps, batches=batches)
    training = dataclasses.replace(config.training, stages=(stage,))
    return dataclasses.replace(config, training=training)


def train(
    args: Args, student: Student, trainer: Trainer, frames: Any, v: Any, seed: int
) -> tuple[TrainState, list[float]]:
    """Return the last state of a training, and its mean losses between kept states.

    A training that was stopped goes on where it was kept.
    """
    stage = config_of(args).training.stages[0]
    rng = np.random.default_rng(seed)
    form: Any = student.form
    codes = fixed_windows.choose(
        np.asarray(v), frames.shape[1], form.windows.n_history, form.windows.n_window, rng
    )
    data = fixed_windows.FixedWindows(frames, v, codes)
    state, kept = trainer.init(jax.random.key(seed)), args.trainings / f"seed-{seed}.npz"
    losses: list[float] = []
    if kept.exists():
        state, losses = read(kept, state)
    blocks = data.blocks(seed, stage.batches.n_batch, args.n_block, int(state.step))
    recent: list[float] = []
    while state.step < args.n_steps:
        state, metrics = trainer.train_block(state, next(blocks))
        recent.append(float(metrics["loss"]))
        if state.step % args.keep_every == 0 or state.step == args.n_steps:
            losses.append(float(np.mean(recent)))
            recent = []
            write(kept, state, losses)
            print(f"seed {seed}, step {int(state.step)}: loss {losses[-1]:.3e}", flush=True)
    return state, losses


def write(path: pathlib.Path, state: TrainState, losses: list[float]) -> None:
    """Keep a state and the losses before it; the file is replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    leaves = jax.tree.leaves(state._replace(key=jax.random.key_data(state.key)))
    new = path.with_suffix(".new.npz")
    np.savez(new, losses=losses, **{f"leaf{i}": leaf for i, leaf in enumerate(leaves)})
    new.replace(path)


def read(path: pathlib.Path, like: TrainState) -> tuple[TrainState, list[float]]:
    """Return a kept state, in the structure of another, and the losses before it."""
    with np.load(path) as stored:
        plain = like._replace(key=jax.random.key_data(like.key))
        leaves = [jnp.asarray(stored[f"leaf{i}"]) for i in range(len(jax.tree.leaves(plain)))]
        state = jax.tree.unflatten(jax.tree.structure(plain), leaves)
        losses = stored["losses"].tolist()
    return state._replace(key=jax.random.wrap_key_data(state.key)), losses


def score(student: Student, params: PyTree, truth: Cases) -> dict[str, Any]:
    """Return the scores of a network on the paper's cases."""
    frames = cases.forecast(student.bind(params), truth)
    per_frame = cases.measure(student.system, truth, frames)
    return cases.summarise(truth.family, per_frame)


def of_the_paper() -> dict[str, Any]:
    """Return the published results: means, and the mean correlation of each case."""
    each = {name: models[MODEL]["correlation"] for name, models in paper.published().items()}
    return paper.published_means(MODEL) | {"cases": each, "barriers": mean_of_barriers(each)}


def mean_of_barriers(correlations: dict[str, float]) -> float:
    """Return the mean correlation over the 11 barriers whose parameters are the paper's."""
    return float(np.mean([r for name, r in correlations.items() if name.startswith("barrier")]))


def over_seeds(scores: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return means of all cases and of the 11 barriers, with 95% t intervals over trainings."""
    each = {
        "correlation": [s["mean_correlation"] for s in scores],
        "final_correlation": [s["mean_final_correlation"] for s in scores],
        "mae": [s["mean_mae"] for s in scores],
        "nrmse": [s["mean_nrmse"] for s in scores],
        "barriers": [
            mean_of_barriers({name: c["correlation"] for name, c in s["cases"].items()})
            for s in scores
        ],
    }
    return {name: summarise(values) for name, values in each.items()}


def table(found: dict[str, Any]) -> str:
    """Return the report: each case, next to the paper's number."""
    seeds = list(found["trainings"])
    lines = [f"{'correlation, mean over frames':32}" + "".join(f"  seed {s:>3}" for s in seeds)]
    lines[0] += "     paper"
    for name, published in found["published"]["cases"].items():
        ours = [found["trainings"][s]["cases"][name]["correlation"] for s in seeds]
        lines.append(f"{name:32}" + "".join(f"{r:10.4f}" for r in [*ours, published]))
    means = [found["trainings"][s]["mean_correlation"] for s in seeds]
    means.append(found["published"]["correlation"])
    return "\n".join([*lines, f"{'all 25':32}" + "".join(f"{r:10.4f}" for r in means)])


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
