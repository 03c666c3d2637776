"""What students learned of the physics: `python experiments/probes.py runs/demo`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated, Any

import jax
import numpy as np
import tyro
from tqdm.auto import tqdm

from qdistill import plots, students
from qdistill._checks import refuse, require_at_least
from qdistill.insight import probes
from qdistill.insight.probes import Learning, ProbeConfig
from qdistill.physics import potentials
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.runs.config import Config
from qdistill.students import unitary
from qdistill.teacher import solvers as solver
from qdistill.training.stages import TrainingConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Probe finished runs beside the exact solver, and follow the first one's training again."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of the runs, three at most, of the same physics."""
    out: pathlib.Path = pathlib.Path("runs/probes")
    """Folder of the results."""
    probes: ProbeConfig = dataclasses.field(default_factory=ProbeConfig)
    """What is asked."""
    follow: bool = True
    """Train the first run again from its config, and examine it on each process as it learns."""
    every: int = 40
    """Training steps between two exams."""
    exam_cases: int = 16
    """Cases of each process in an exam."""
    exam_frames: int = 100
    """Frames to forecast in an exam."""
    exam_seed: int = 1
    """Of the cases."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def ask(args: Args) -> None:
    """Probe, draw, tell, write."""
    require_at_least(1, runs=len(args.runs))
    if len(args.runs) > 3 or len({path.name for path in args.runs}) < len(args.runs):
        refuse("runs", "of 1 to 3 folders with different names", list(map(str, args.runs)))
    loaded = {path.name: runs.load(path) for path in args.runs}
    first, setup, _ = next(iter(loaded.values()))
    for name, (settings, *_) in loaded.items():
        if settings.teacher != first.teacher:
            refuse("runs", "of the same physics", f"of another in {name}")
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    grid, dt = setup.grid, first.teacher.dt
    exact = solver.chebyshev(grid, dt, first.benchmark.tolerance, first.teacher.v_range)
    subjects = {"exact solver": (students.from_propagator(exact), exact)}
    subjects |= {n: (s.student, s.student.propagator(p)) for n, (_, s, p) in loaded.items()}
    found = {
        name: probes.probe(student, propagator, grid, dt, args.probes)
        for name, (student, propagator) in tqdm(subjects.items(), unit="subject", leave=False)
    }
    metrics: dict[str, Any] = {
        "probes": {name: probes.describe(grid, args.probes, each) for name, each in found.items()}
    }
    for name, figure in plots.plot_probes(found, grid, args.probes.k_taught).items():
        plots.save(figure, args.out / f"{name}.png")
    for name, loading in loaded.items():
        if loading[0].student.name == "unitary":
            draw_phases(args, name, *loading)
    for name, each in found.items():
        print(probes.words(name, grid, args.probes, each))
    if args.follow:
        learning = follow(args, first)
        metrics["learning"] = {"run": args.runs[0].name, **probes.describe_learning(learning)}
        plots.save(plots.plot_order(learning), args.out / "order.png")
        print(probes.words_of_learning(args.runs[0].name, learning))
    text = json.dumps(runs.plain(metrics), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")


def follow(args: Args, settings: Config) -> Learning:
    """Train a run again, and examine it as it learns."""
    if args.smoke:
        stage = presets.smoke(settings).training.stages[0]
        settings = dataclasses.replace(settings, training=TrainingConfig((stage,)))
    setup, boundaries = runs.set_up(settings), settings.training.boundaries
    n_case, n_frames = (1, 8) if args.smoke else (args.exam_cases, args.exam_frames)
    exams = probes.make_exams(setup.grid, settings.teacher.dt, args.exam_seed, n_case, n_frames)
    state = setup.trainers[0].init(jax.random.key(settings.seed))
    every = 4 if args.smoke else args.every
    with tqdm(total=boundaries[-1], unit="step", leave=False) as bar:
        return probes.measure_learning(
            setup.student,
            setup.trainers,
            boundaries,
            state,
            exams,
            every,
            progress=lambda log: bar.update(log["step"] - bar.n),
        )


def draw_phases(args: Args, name: str, settings: Config, setup: runs.Setup, params: Any) -> None:
    """What a unitary student takes for potential and kinetic energy, around the edge of a step."""
    grid, dt = setup.grid, settings.teacher.dt
    x = grid.positions()
    v = potentials.barrier(x, args.probes.barrier[0], grid.lengths[0] / 4, grid.lengths[0] / 2)
    kicks, drifts = unitary.phases(settings.student.unitary, grid, dt, params, v)
    edge, k = 3 * grid.shape[0] // 8, grid.wavenumbers()[: grid.shape[0] // 2]
    here, low = slice(max(0, edge - 20), edge + 20), k <= args.probes.k_max
    figure = plots.plot_phases(
        np.asarray(x)[here],
        np.asarray(v)[here],
        kicks[:, here] / dt,
        k[low],
        drifts[:, : len(k)][:, low] / dt,
        probes.omega(grid, k[low]),
        args.probes.k_taught,
    )
    plots.save(figure, args.out / f"phases-{name}.png")


def main() -> None:
    """Parse and ask."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        ask(tyro.cli(Args, prog="probes.py"))
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"probes.py: {error}")


if __name__ == "__main__":
    main()
