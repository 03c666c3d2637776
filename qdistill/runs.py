"""A run and its folder, which holds all that is needed to resume, judge and use it later.

config.json      the resolved settings
metrics.jsonl    a line for each block of training
checkpoints/     see `checkpoints`
metrics.json     the scores
*.png            the figures
"""

import dataclasses
import functools
import importlib.metadata
import json
import math
import os
import pathlib
import platform
import sys
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree
from tqdm.auto import tqdm

from qdistill import benchmark, config, stages, students, teacher, training
from qdistill.checkpoints import Checkpoints
from qdistill.config import Config
from qdistill.grid import Grid
from qdistill.solver import Propagator
from qdistill.students import Student
from qdistill.training import Trainer, TrainState


class Setup(NamedTuple):
    """What a config stands for."""

    grid: Grid
    teacher: Propagator
    student: Student
    trainers: list[Trainer]


def set_up(settings: Config) -> Setup:
    """Build what a config stands for.

    Configs that differ in their name and seed only have one setup, and share what it has compiled.

    >>> set_up(Config(seed=1)) is set_up(Config(seed=2))
    True
    """
    # Single and double precision are different programs.
    return _set_up(dataclasses.replace(settings, preset="any", seed=0), jnp.result_type(float))


@functools.lru_cache(maxsize=8)
def _set_up(settings: Config, _precision: np.dtype) -> Setup:
    grid, propagator = teacher.make(settings.teacher)
    student = students.make(settings.student, grid, settings.teacher.dt)
    trainers = training.make_trainers(
        student,
        propagator,
        grid,
        settings.teacher.dt,
        settings.curriculum,
        settings.student.windows,
        settings.training,
    )
    return Setup(grid, propagator, student, trainers)


def make_folder(out: pathlib.Path, cure: str = "Choose another with --out.") -> None:
    """Make a folder for new results.

    Raises:
      FileExistsError: If they would mix with what is there.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise FileExistsError(f"`{out}` exists and is not an empty folder. {cure}")
    out.mkdir(parents=True, exist_ok=True)


def open_folder(out: pathlib.Path, settings: Config, resume: bool) -> None:
    """Make the folder of a new run, or check that a folder can be resumed.

    Raises:
      FileExistsError: If a new run would mix with what is there.
      FileNotFoundError: If there is nothing to resume.
      ValueError: If the run there has other settings, with the list of them.
    """
    path = out / "config.json"
    if not resume:
        make_folder(out, "Choose another with --out, or go on with that run by --resume.")
        path.write_text(config.to_json(settings))
    elif not path.exists():
        raise FileNotFoundError(f"There is no run to resume in `{out}`: it has no config.json.")
    elif different := config.differences(_read_config(path), settings):
        raise ValueError(f"The run in `{out}` has other settings: " + "; ".join(different) + ".")


def train(settings: Config, out: pathlib.Path) -> TrainState:
    """Train in a folder, from its newest checkpoint if it has one, and return the final state.

    Raises:
      FloatingPointError: If the loss or the teacher's frames are no longer finite. Nothing is
        saved after that.
    """
    trainers, plan = set_up(settings).trainers, settings.training
    n_steps = plan.boundaries[-1]
    with Checkpoints(out / "checkpoints") as saved:
        state = trainers[0].init(jax.random.key(settings.seed))
        if (step := saved.newest_step()) is not None:
            state = saved.restore(jax.eval_shape(_trainer_at(trainers, plan, step).init, state.key))
        _keep_log_until(out, int(state.step))
        # A log file needs no line ten times a second.
        pause = 0.1 if sys.stderr.isatty() else 10.0
        with tqdm(
            total=n_steps, initial=int(state.step), unit="step", leave=False, mininterval=pause
        ) as bar:
            for trained, metrics in training.fit(trainers, plan.boundaries, state):
                state, loss = trained, metrics["loss"]
                _append_to_log(out, metrics)
                if not math.isfinite(loss):
                    newest = saved.newest_step()
                    kept = "no checkpoint" if newest is None else f"a checkpoint of step {newest}"
                    raise FloatingPointError(
                        f"The loss is {loss} at step {metrics['step']} with learning rate "
                        f"{metrics['learning_rate']:.2g}. There is {kept} in `{out}`; try a "
                        "smaller `peak_rate`."
                    )
                bar.update(metrics["step"] - bar.n)
                bar.set_postfix_str(f"loss {loss:.2e}", refresh=False)
                before = metrics["step"] - plan.stages[metrics["stage"]].batches.n_block
                every = plan.checkpoint_every
                if metrics["step"] // every > before // every or metrics["step"] == n_steps:
                    saved.save(state, loss)
    return state


def load(out: pathlib.Path) -> tuple[Config, Setup, PyTree]:
    """The config, setup and newest parameters of a run, from its folder alone."""
    path = out / "config.json"
    if not path.exists():
        raise FileNotFoundError(f"There is no run in `{out}`: it has no config.json.")
    settings = _read_config(path)
    setup = set_up(settings)
    with Checkpoints(out / "checkpoints") as saved:
        step = saved.newest_step()
        if step is None:
            raise FileNotFoundError(f"The run in `{out}` has no checkpoint.")
        trainer = _trainer_at(setup.trainers, settings.training, step)
        state = saved.restore(jax.eval_shape(trainer.init, jax.random.key(settings.seed)))
    return settings, setup, state.params


class Scored(NamedTuple):
    """The benchmark of a student: scores as numbers, and the arrays behind them."""

    scores: dict[str, Any]
    truth: benchmark.Runs
    forecast: benchmark.Runs
    per_frame: dict[str, Any]


def score(settings: Config, setup: Setup, params: PyTree) -> Scored:
    """Run the benchmark."""
    grid, student = setup.grid, setup.student
    psi0, v = benchmark.make_cases(grid)
    truth = benchmark.simulate(grid, settings.teacher.dt, psi0, v, settings.benchmark)
    forecast = benchmark.forecast(student, student.propagator(params), truth)
    per_frame = benchmark.measure(grid, forecast, truth)
    return Scored(benchmark.summarise(list(benchmark.CASES), per_frame), truth, forecast, per_frame)


def write_metrics(
    out: pathlib.Path, settings: Config, setup: Setup, params: PyTree, scored: Scored
) -> dict:
    """Write `metrics.json` of a finished run, and return what it holds."""
    log, n_steps = read_log(out), settings.training.boundaries[-1]
    metrics = {
        "student": settings.student.name,
        "preset": settings.preset,
        "n_parameters": students.count_parameters(params),
        "training_steps": n_steps,
        **_times(log, settings.training.block_ends),
        "final_loss": log[-1]["loss"] if log and log[-1]["step"] == n_steps else None,
        "microseconds_per_frame": benchmark.measure_cost(setup.student, params, scored.truth),
        **_learned_dispersion(settings, setup, params),
        "benchmark": scored.scores,
        "environment": {
            "device": jax.devices()[0].device_kind,
            "cpu_count": os.cpu_count(),
            "python": platform.python_version(),
            **{name: importlib.metadata.version(name) for name in ("jax", "flax", "optax")},
        },
    }
    (out / "metrics.json").write_text(json.dumps(plain(metrics), indent=2, allow_nan=False) + "\n")
    return metrics


def _times(log: list[dict[str, Any]], block_ends: list[int]) -> dict[str, float | None]:
    """What the training took; None if the log does not hold every block once."""
    if [line["step"] for line in log] != block_ends:
        return dict.fromkeys(("training_seconds", "compile_seconds", "teacher_share"))
    taught, learned, compiled = (
        sum(line[f"{who}_seconds"] for line in log) for who in ("teacher", "student", "compile")
    )
    return {
        "training_seconds": taught + learned,
        "compile_seconds": compiled,
        "teacher_share": taught / (taught + learned),
    }


def _learned_dispersion(settings: Config, setup: Setup, params: PyTree) -> dict[str, Any]:
    """What a unitary student takes the kinetic energy to be, beside the teacher's, for k >= 0."""
    if settings.student.name != "unitary":
        return {}
    half = setup.grid.shape[0] // 2
    omega = students.unitary.dispersion(
        settings.student.unitary, setup.grid, settings.teacher.dt, params
    )
    return {
        "dispersion": {
            "k_per_bohr": setup.grid.wavenumbers()[:half].tolist(),
            "learned_hartree": omega[:half].tolist(),
            "teacher_hartree": setup.grid.kinetic_energy()[:half].tolist(),
        }
    }


def read_log(out: pathlib.Path) -> list[dict[str, Any]]:
    """The lines of `metrics.jsonl`, oldest first; null stands for what is not finite.

    Raises:
      ValueError: For a line that is not a block's metrics, with its number.
    """
    path = out / "metrics.jsonl"
    lines = path.read_text().splitlines() if path.exists() else []
    return [_parse_log_line(path, i, line) for i, line in enumerate(lines, 1)]


def _parse_log_line(path: pathlib.Path, number: int, line: str) -> dict[str, Any]:
    try:
        metrics = json.loads(line)
        metrics["step"] + 0
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"Line {number} of `{path}` is not the metrics of a block. Delete it to go on."
        ) from error
    return metrics


def _read_config(path: pathlib.Path) -> Config:
    try:
        return config.from_json(path.read_text())
    except ValueError as error:
        raise ValueError(f"`{path}`: {error}") from error


def _trainer_at(trainers: list[Trainer], plan: stages.TrainingConfig, step: int) -> Trainer:
    """The trainer whose optimiser a checkpoint of this step holds: the one that reached it."""
    return trainers[next(i for i, end in enumerate(plan.boundaries) if step <= end)]


def _append_to_log(out: pathlib.Path, metrics: dict[str, Any]) -> None:
    with (out / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(plain(metrics), allow_nan=False) + "\n")


def _keep_log_until(out: pathlib.Path, step: int) -> None:
    """Drop the lines after a step, and a line cut short: a resumed run writes them anew."""
    path = out / "metrics.jsonl"
    if path.exists():
        kept = []
        for i, line in enumerate(path.read_text().splitlines(keepends=True), 1):
            if not line.endswith("\n") or _parse_log_line(path, i, line)["step"] > step:
                break
            kept.append(line)
        new = path.with_suffix(".new")
        new.write_text("".join(kept))
        os.replace(new, path)


def plain(value: Any) -> Any:
    """The value with null for every number that is not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
