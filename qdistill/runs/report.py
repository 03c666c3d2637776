"""What a finished run shows: its figures, and its scores beside the published ones."""

import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from qdistill.forecast import benchmark
from qdistill import plots, students
from qdistill.runs import folder as runs
from qdistill.runs.config import Config
from qdistill.physics.grid import Grid

# The two landscapes that the paper shows.
SHOWN = {"steps": "Staircase hill", "half-circle": "Half-circle hill"}
SNAPSHOTS = (50, 200, 350)
# Momentum in 1/bohr of the fastest waves that the lessons hold in number.
TAUGHT = 8.0


def draw(
    out: pathlib.Path,
    settings: Config,
    setup: runs.Setup,
    params: PyTree,
    scored: runs.Scored,
) -> list[pathlib.Path]:
    """Draw every figure of a run into its folder, and return their paths.

    Args:
      out: The run's folder, whose log is drawn too.
      settings: Its config.
      setup: What the config stands for.
      params: The student's.
      scored: Its benchmark.
    """
    x = np.asarray(setup.grid.positions())
    names = list(benchmark.CASES)
    truth, forecast, v = (
        np.asarray(array) for array in (scored.truth.frames, scored.forecast.frames, scored.truth.v)
    )
    n_frames, n_given = truth.shape[1], settings.benchmark.n_given
    t = settings.teacher.dt * np.arange(n_given, n_given + n_frames)
    shown = [frame for frame in SNAPSHOTS if frame <= n_frames] or [n_frames]

    figures = {
        "correlations": plots.plot_correlations(
            t,
            np.asarray(scored.per_frame["correlation"]),
            names,
            {
                f"paper's {model}": benchmark.published_means(model)["correlation"]
                for model in ("demo-gru", "full-gru")
            },
        ),
        "landscapes": plots.plot_landscapes(
            x,
            dict(zip(names, v, strict=True)),
            {
                name: np.abs(given[0]) ** 2
                for name, given in zip(names, np.asarray(scored.truth.given), strict=True)
            },
        ),
    }
    if log := runs.read_log(out):
        figures["training"] = _training(settings, log)
    if settings.training.stages[0].batches.examples == "windows":
        figures["windows"] = _windows(settings, setup, x)
    if settings.student.name == "unitary":
        figures["dispersion"] = _dispersion(settings, setup, params)
    for name, title in SHOWN.items():
        i = names.index(name)
        figures[f"spacetime-{name}"] = plots.plot_spacetime(
            x, t, v[i], truth[i], forecast[i], title
        )
        figures[f"snapshots-{name}"] = plots.plot_snapshots(
            x, v[i], truth[i], forecast[i], t, shown
        )
    paths = []
    for name, figure in figures.items():
        paths.append(out / f"{name}.png")
        plots.save(figure, paths[-1])
    return paths


def _training(settings: Config, log: list[dict[str, Any]]) -> plots.Figure:
    def column(name: str) -> np.ndarray:
        return np.array([line[name] for line in log], float)

    lessons = settings.curriculum.lessons
    several = len(lessons) > 1
    return plots.plot_training(
        column("step"),
        column("loss"),
        column("learning_rate"),
        column("lesson_losses") if several else None,
        lessons if several else (),
    )


def _windows(settings: Config, setup: runs.Setup, x: np.ndarray) -> plots.Figure:
    """Where the windows of the first stage lie in one run of its first block."""
    trainer, window = setup.trainers[0], settings.student.windows
    block = trainer.make_block(trainer.init(jax.random.key(settings.seed)))
    # The run with the highest landscape shows best how the windows follow psi and v.
    run = int(jnp.argmax(jnp.max(jnp.abs(block.v), axis=1)))
    here = np.asarray(block.run == run)
    return plots.plot_window_map(
        x,
        settings.teacher.dt * np.arange(block.frames.shape[1]),
        np.abs(np.asarray(block.frames[run])) ** 2,
        np.asarray(block.v[run]),
        x[np.asarray(block.centre)[here]],
        settings.teacher.dt * (np.asarray(block.time)[here] + window.n_history - 1),
    )


def _dispersion(settings: Config, setup: runs.Setup, params: PyTree) -> plots.Figure:
    grid = setup.grid
    half = grid.shape[0] // 2
    learned = students.unitary.dispersion(
        settings.student.unitary, grid, settings.teacher.dt, params
    )
    other = "continuum" if grid.dispersion == "lattice" else "lattice"
    known = {
        name: Grid(grid.shape, grid.lengths, name).kinetic_energy()[:half]
        for name in (grid.dispersion, other)
    }
    return plots.plot_dispersion(grid.wavenumbers()[:half], learned[:half], known, TAUGHT)


def summary(metrics: dict[str, Any]) -> str:
    """The scores of a run beside the paper's, as a table in text."""
    scores = metrics["benchmark"]
    rows = [
        (
            f"this run ({metrics['preset']})",
            scores["mean_correlation"],
            scores["mean_final_correlation"],
            scores["mean_mae"],
            f"{metrics['training_steps']:,}",
        )
    ]
    for model, steps in (("demo-gru", "900,000"), ("full-gru", "5,290,000")):
        means = benchmark.published_means(model)
        rows.append(
            (
                f"paper's {model}",
                means["correlation"],
                means["final_correlation"],
                means["mae"],
                steps,
            )
        )
    lines = [
        f"25 runs, {scores['n_frames']} forecast frames each",
        f"{'':26}{'correlation':>12}{'last frame':>12}{'MAE':>10}{'steps':>12}",
        *(f"{name:26}{c:12.5f}{last:12.5f}{mae:10.5f}{n:>12}" for name, c, last, mae, n in rows),
        f"1 - correlation {scores['mean_infidelity']:.1e}, in the worst case "
        f"{1 - scores['worst_correlation']:.1e}; phase-sensitive error "
        f"{scores['mean_nrmse']:.1e}, largest norm drift {scores['max_norm_drift']:.0e}.",
        *_time_lines(metrics),
        *_dispersion_lines(metrics),
    ]
    return "\n".join(lines)


def _time_lines(metrics: dict[str, Any]) -> list[str]:
    """The time of the training, unless it is unknown."""
    seconds, share = metrics["training_seconds"], metrics["teacher_share"]
    if seconds is None:
        return []
    return [f"Training took {seconds:.0f} s, of which the teacher {100 * share:.0f}%."]


def _dispersion_lines(metrics: dict[str, Any]) -> list[str]:
    """The dispersion that a unitary student discovered beside the teacher's."""
    if "dispersion" not in metrics:
        return []
    k, learned, true = (np.array(column) for column in metrics["dispersion"].values())
    at = [int(np.argmin(np.abs(k - wanted))) for wanted in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)]
    return [
        "The kinetic energy that it discovered, in hartree (from k = 8 on hardly taught):",
        f"{'k (1/bohr)':16}" + "".join(f"{k[i]:9.3f}" for i in at),
        f"{'learned':16}" + "".join(f"{learned[i]:9.4f}" for i in at),
        f"{'teacher':16}" + "".join(f"{true[i]:9.4f}" for i in at),
    ]
