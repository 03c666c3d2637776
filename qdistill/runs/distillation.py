"""Distillation into a folder: training, scores and figures; scores on held-out potentials."""

import dataclasses
import json
import pathlib
from typing import Any

import numpy as np
from jax.sharding import Mesh

from qdistill import _distribute as cluster
from qdistill._checks import refuse, require_one_of, require_record
from qdistill._refusals import explained
from qdistill.forecast import baselines, cases
from qdistill.forecast.held_out import Scored, make_held_out
from qdistill.runs import extensions, folder, presets, pretrained, provenance, records
from qdistill.runs.config import Config
from qdistill.students import Emulator, Splitting, count_parameters

COSTS = ("n_parameters", "training_steps", "training_seconds")
# Required entries of `metrics.json`, and its means.
NOTED = ("student", "preset", "teacher_share", "benchmark", *COSTS)
MEANS = (
    *("n_frames", "mean_correlation", "worst_correlation", "mean_final_correlation"),
    *("mean_infidelity", "mean_mae", "mean_nrmse", "max_norm_drift", "cases"),
)


@explained
def distill(
    config: Config | str,
    out: pathlib.Path | str,
    *,
    resume: bool = False,
    draw: bool = True,
    mesh: Mesh | None = None,
) -> Emulator:
    """Train an emulator, score it on held-out cases, write the folder of the run, and return it.

    See `qdistill.runs.folder` for the files. Extension files that this process has loaded are
    recorded in the config.

    Args:
      config: All settings, or the name of a preset.
      out: Folder of the run, new or empty unless the run in it is resumed.
      resume: Whether to continue the run in the folder from its newest sound checkpoint.
      draw: Whether to draw the figures.
      mesh: Devices that share the work.

    Raises:
      ValueError: For an unknown preset, settings that do not fit together, or a run in the folder
        with other settings.
      FileExistsError: If a new run would mix with existing files.
      FloatingPointError: If the training diverges.
    """
    require_record(bool, resume=resume, draw=draw)
    if isinstance(config, str):
        require_one_of(presets.PRESETS, config=config)
        config = presets.PRESETS[config][1]
    if not config.extensions:
        config = dataclasses.replace(config, extensions=tuple(extensions.LOADED.values()))
    out = pathlib.Path(out)
    # What is refused leaves no folder behind.
    folder.set_up(config, mesh)
    if cluster.is_main():
        folder.open_folder(out, config, resume)
    cluster.wait("the folder is open")
    state = folder.train(config, out, mesh)
    student = folder.set_up(config).student
    scored = score(student.bind(state.params, config=config), mesh)
    emulator = student.bind(cluster.to_host(state.params), config=config)
    metrics = write_metrics(out, emulator, scored)
    if draw and cluster.is_main():
        from qdistill.runs import report

        report.draw(out, emulator, scored)
    notes = tuple(provenance.read(out))
    return dataclasses.replace(emulator, score=means(metrics), provenance=notes)


@explained
def score(emulator: Emulator, mesh: Mesh | None = None) -> Scored:
    """Return forecasts and scores of the held-out cases of an emulator's run."""
    config = emulator.config
    truth = make_held_out(config.benchmark, emulator.system, config.curriculum.lessons, mesh)
    frames = cases.forecast(emulator, truth, mesh)
    truth, frames = cluster.to_host((truth, frames))
    per_frame = cases.measure(emulator.system, truth, frames)
    return Scored(cases.summarise(truth.family, per_frame), truth, frames, per_frame)


@explained
def means(metrics: dict[str, Any]) -> dict[str, Any]:
    """Return the costs and mean scores of `metrics.json`, the `score` of an `Emulator`."""
    require_record(dict.fromkeys(COSTS, float | None) | {"benchmark": dict}, metrics=metrics)
    scores = {name: value for name, value in metrics["benchmark"].items() if name != "cases"}
    require_record({str: float | None}, **{"metrics['benchmark']": scores})
    return {name: metrics[name] for name in COSTS} | scores


@explained
def write_metrics(out: pathlib.Path, emulator: Emulator, scored: Scored) -> dict[str, Any]:
    """Write `metrics.json` of a finished run, and return its content."""
    config = emulator.config
    lines, n_steps = folder.read_log(out), config.training.boundaries[-1]
    metrics = {
        "student": config.student.name,
        "preset": config.preset,
        "n_parameters": count_parameters(emulator.params),
        "training_steps": n_steps,
        # The identity of the scored parameters, so that the score is not used with others.
        "params_sha256": records.fingerprint(emulator.params),
        **_times(lines, config.training.block_ends),
        "final_loss": lines[-1]["loss"] if lines and lines[-1]["step"] == n_steps else None,
        "microseconds_per_frame": cases.measure_cost(emulator, scored.truth),
        **_learned_dispersion(emulator),
        "benchmark": scored.scores,
        "environment": provenance.environment(),
    }
    records.write_json(out / "metrics.json", metrics)
    return metrics


@explained
def read_metrics(out: pathlib.Path) -> dict[str, Any]:
    """Return the content of `metrics.json` of a finished run.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it does not contain the scores of a run, with its path.
    """
    path = out / "metrics.json"
    metrics = records.read_json(path)
    try:
        _require_keys("metrics", metrics, NOTED)
        _require_keys("benchmark", metrics["benchmark"], MEANS)
        pretrained.check_score(means(metrics))
    except ValueError as error:
        raise ValueError(f"`{path}`: {error}") from error
    return metrics


def _require_keys(name: str, table: Any, keys: tuple[str, ...]) -> None:
    if not isinstance(table, dict):
        refuse(name, "a table", repr(table)[:80])
    for key in keys:
        if key not in table:
            refuse(f"{name}.{key}", "given", "missing")


@explained
def evaluate(
    out: pathlib.Path, seed: int = 0, n_potentials: int = 100, mesh: Mesh | None = None
) -> dict[str, Any]:
    """Score a finished run and the clamped split step on held-out potentials of every family.

    The scores are returned, and written to `evaluation-SEED.json` in the folder of the run.

    Args:
      out: Folder of the run.
      seed: Random seed of the potentials and packets.
      n_potentials: Number of potentials.
      mesh: Devices that share the potentials.

    Raises:
      FileNotFoundError: If there is no run, or no checkpoint.
      ValueError: If the run is damaged, or its system has channels or several
        dimensions.
      OSError: If the scores cannot be written; they are printed then.
    """
    emulator, step = folder.restore(out)
    scores = baselines.evaluate(
        {emulator.config.preset: emulator}, seed, n_potentials, emulator.config.benchmark, mesh=mesh
    )
    scores = {"step": step, "params_sha256": records.fingerprint(emulator.params)} | scores
    try:
        records.write_json(out / f"evaluation-{seed}.json", scores)
    except OSError:
        # Results of minutes of work are printed at least.
        print(json.dumps(records.plain(scores)))
        raise
    return scores


def _times(lines: list[dict[str, Any]], block_ends: list[int]) -> dict[str, float | None]:
    """The times of the training; None unless the log has every block exactly once."""
    if [line["step"] for line in lines] != block_ends:
        return dict.fromkeys(("training_seconds", "compile_seconds", "teacher_share"))
    taught, learned, compiled = (
        sum(line[f"{who}_seconds"] for line in lines) for who in ("teacher", "student", "compile")
    )
    return {
        "training_seconds": taught + learned,
        "compile_seconds": compiled,
        "teacher_share": taught / (taught + learned),
    }


def _learned_dispersion(emulator: Emulator) -> dict[str, Any]:
    """The learned kinetic energy of a one-dimensional splitting student, and the exact one."""
    student, grid = emulator.student, emulator.system.grid
    if not isinstance(student, Splitting) or grid.n_dim > 1:
        return {}
    half = grid.shape[0] // 2
    omega = student.dispersion(emulator.params)
    return {
        "dispersion": {
            "k_per_bohr": grid.wavenumbers()[:half].tolist(),
            "learned_hartree": omega[:half].tolist(),
            "teacher_hartree": np.asarray(grid.kinetic_energy())[:half].tolist(),
        }
    }
