"""Figures of a finished run, and a table of its scores with the published ones."""

import math
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from qdistill import plots
from qdistill._checks import refuse, require_record
from qdistill._refusals import explained
from qdistill.forecast import paper
from qdistill.forecast.held_out import Scored
from qdistill.physics.grid import Grid
from qdistill.runs import folder
from qdistill.runs.config import Config
from qdistill.students import Emulator, Splitting

# The two potentials that the paper shows.
SHOWN = {"steps": "Staircase hill", "half-circle": "Half-circle hill"}
SNAPSHOTS = (50, 200, 350)
# Largest momentum in 1/bohr that is frequent in the lessons.
TAUGHT = 8.0
# The form of what the table shows; null is a score that is not finite.
SCORES = ("mean_correlation", "mean_final_correlation", "mean_mae", "worst_correlation")
DISPERSION = ("k_per_bohr", "learned_hartree", "teacher_hartree")
SUMMARISED = {
    "preset": str,
    "training_steps": int,
    "training_seconds": float | None,
    "teacher_share": float | None,
    "benchmark": {
        "n_frames": int,
        "cases": {str: dict},
        **dict.fromkeys((*SCORES, "mean_infidelity", "mean_nrmse", "max_norm_drift"), float | None),
    },
}


@explained
def draw(out: pathlib.Path, emulator: Emulator, scored: Scored) -> list[pathlib.Path]:
    """Draw every figure of a run into its folder, and return their paths.

    Args:
      out: Folder of the run, whose log is drawn too.
      emulator: The emulator, with the config of the run.
      scored: Its held-out test.
    """
    config, grid = emulator.config, emulator.system.grid
    figures = {}
    if log := folder.read_log(out):
        figures["training"] = _training(config, log)
    if config.training.stages[0].batches.examples == "windows" and not emulator.system.n_channel:
        figures["windows"] = _windows(config)
    if isinstance(emulator.student, Splitting) and grid.n_dim == 1:
        figures["dispersion"] = _dispersion(emulator.student, emulator.params)
    if grid.n_dim == 1 and not emulator.system.n_channel:
        figures |= _forecasts(emulator, scored)
    paths = []
    for name, figure in figures.items():
        paths.append(out / f"{name}.png")
        plots.save(figure, paths[-1])
    return paths


def _forecasts(emulator: Emulator, scored: Scored) -> dict[str, plots.Figure]:
    """The figures of potentials, correlations, and two cases: those of the paper, or the first."""
    system, names = emulator.system, list(scored.truth.family)
    x = np.asarray(system.grid.positions())
    v = np.asarray(jax.vmap(lambda v: system.local(v, 0.0, None).real)(scored.truth.v))
    truth, forecast = np.asarray(scored.truth.frames), np.asarray(scored.frames)
    n_frames, n_given = truth.shape[1], scored.truth.given.shape[1]
    t = system.dt * np.arange(n_given, n_given + n_frames)
    snapshots = [frame for frame in SNAPSHOTS if frame <= n_frames] or [n_frames]
    shown = {name: title for name, title in SHOWN.items() if name in names}
    starts = np.abs(np.asarray(scored.truth.given)[:, 0]) ** 2
    figures = {
        "correlations": plots.plot_correlations(
            t, np.asarray(scored.per_frame["correlation"]), names, _published(names)
        ),
        "potentials": plots.plot_potentials(
            x, dict(zip(names, v, strict=True)), dict(zip(names, starts, strict=True))
        ),
    }
    for name, title in (shown or {name: name for name in names[:2]}).items():
        i = names.index(name)
        # A map has two times at least.
        if n_frames > 1:
            figures[f"spacetime-{name}"] = plots.plot_spacetime(
                x, t, v[i], truth[i], forecast[i], title
            )
        figures[f"snapshots-{name}"] = plots.plot_snapshots(
            x, v[i], truth[i], forecast[i], t, snapshots
        )
    return figures


def _published(names: list[str]) -> dict[str, float]:
    """The paper's mean correlations, if the cases are the paper's."""
    if set(names) != set(paper.CASES):
        return {}
    models = ("demo-gru", "full-gru")
    return {f"paper's {m}": paper.published_means(m)["correlation"] for m in models}


def _training(config: Config, log: list[dict[str, Any]]) -> plots.Figure:
    def column(name: str) -> np.ndarray:
        return np.array([line[name] for line in log], float)

    lessons = config.curriculum.lessons
    several = len(lessons) > 1
    return plots.plot_training(
        column("step"),
        column("loss"),
        column("learning_rate"),
        column("lesson_losses") if several else None,
        lessons if several else (),
    )


def _windows(config: Config) -> plots.Figure:
    """The figure of the windows of the first stage in one run of its first block."""
    setup = folder.set_up(config)
    trainer, system = setup.trainers[0], config.system
    block = trainer.make_block(trainer.init(jax.random.key(config.seed)))
    # In the run with the highest potential the distribution of windows is most visible.
    run = int(jnp.argmax(jnp.max(jnp.abs(block.v), axis=1)))
    here = np.asarray(block.run == run)
    x = np.asarray(system.grid.positions())
    return plots.plot_window_map(
        x,
        system.dt * np.arange(block.frames.shape[1]),
        np.abs(np.asarray(block.frames[run])) ** 2,
        np.asarray(block.v[run]),
        x[np.asarray(block.centre)[here]],
        system.dt * (np.asarray(block.time)[here] + setup.student.n_history - 1),
    )


def _dispersion(student: Splitting, params: PyTree) -> plots.Figure:
    grid = student.system.grid
    half = grid.shape[0] // 2
    learned = student.dispersion(params)
    other = "continuum" if grid.dispersion == "lattice" else "lattice"
    known = {
        name: Grid(grid.shape, grid.lengths, name, mass=grid.mass).kinetic_energy()[:half]
        for name in (grid.dispersion, other)
    }
    return plots.plot_dispersion(grid.wavenumbers()[:half], learned[:half], known, TAUGHT)


@explained
def summary(metrics: dict[str, Any]) -> str:
    """Return a text table of the scores of a run and of the paper."""
    require_record(SUMMARISED, metrics=metrics)
    compiled = metrics.get("compile_seconds")
    require_record(float | None, **{"metrics['compile_seconds']": compiled})
    if "dispersion" in metrics:
        found, name = metrics["dispersion"], "metrics['dispersion']"
        require_record({column: [float] for column in DISPERSION}, **{name: found})
        lengths = [len(found[column]) for column in DISPERSION]
        if not lengths[0] or len(set(lengths)) > 1:
            refuse(name, "made of lists of one length, not empty", f"of lengths {lengths}")
    scores = metrics["benchmark"]
    rows: list[tuple[Any, ...]] = [
        (
            f"this run ({metrics['preset']})",
            scores["mean_correlation"],
            scores["mean_final_correlation"],
            scores["mean_mae"],
            f"{metrics['training_steps']:,}",
        )
    ]
    models = {"demo-gru": "900,000", "full-gru": "5,290,000"}
    for model, steps in models.items() if _published(list(scores["cases"])) else ():
        means = paper.published_means(model)
        names = ("correlation", "final_correlation", "mae")
        rows.append((f"paper's {model}, 400 frames", *(means[name] for name in names), steps))
    worst = None if scores["worst_correlation"] is None else 1 - scores["worst_correlation"]
    lines = [
        f"{len(scores['cases'])} held-out runs of {scores['n_frames']} forecast frames each",
        f"{'':30}{'correlation':>12}{'last frame':>12}{'MAE':>10}{'steps':>12}",
        *(
            f"{name:30}{_number(c, '.5f'):>12}{_number(last, '.5f'):>12}"
            f"{_number(mae, '.5f'):>10}{n:>12}"
            for name, c, last, mae, n in rows
        ),
        f"1 - correlation {_number(scores['mean_infidelity'], '.1e')}, in the worst case "
        f"{_number(worst, '.1e')}; relative L2 error {_number(scores['mean_nrmse'], '.1e')}, "
        f"largest norm drift {_number(scores['max_norm_drift'], '.0e')}.",
        *_time_lines(metrics),
        *_dispersion_lines(metrics),
    ]
    return "\n".join(lines)


def _number(value: float | None, form: str) -> str:
    """A score, of which null is what a forecast leaves that blew up."""
    return "infinite" if value is None or not math.isfinite(value) else format(value, form)


def _time_lines(metrics: dict[str, Any]) -> list[str]:
    """The time of the training, if it is known, and that of compilation, which it excludes."""
    seconds, share = metrics["training_seconds"], metrics["teacher_share"]
    if seconds is None or share is None:
        return []
    compiled = metrics.get("compile_seconds")
    more = "" if compiled is None else f", and compilation {compiled:.0f} s more"
    return [f"Training took {seconds:.0f} s, of which the teacher {100 * share:.0f}%{more}."]


def _dispersion_lines(metrics: dict[str, Any]) -> list[str]:
    """The learned dispersion of a splitting student and the exact one."""
    if "dispersion" not in metrics:
        return []
    k, learned, true = (np.array(metrics["dispersion"][column]) for column in DISPERSION)
    at = [int(np.argmin(np.abs(k - wanted))) for wanted in (1, 2, 3, 4, 5, 6, 7, 8, 10, 12)]
    return [
        "Learned kinetic energy in hartree (waves beyond k = 8 are rare in the lessons):",
        f"{'k (1/bohr)':16}" + "".join(f"{k[i]:9.3f}" for i in at),
        f"{'learned':16}" + "".join(f"{learned[i]:9.4f}" for i in at),
        f"{'teacher':16}" + "".join(f"{true[i]:9.4f}" for i in at),
    ]
