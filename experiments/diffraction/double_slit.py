"""A double slit by solver and student: `python experiments/diffraction/double_slit.py`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated, Any

import jax
import numpy as np
import tyro

from experiments.diffraction import exam as diffraction
from experiments.diffraction import fringes
from experiments.diffraction.exam import DiffractionConfig
from experiments.diffraction.figure import plot_diffraction
from experiments.diffraction.fringes import FringesConfig
from qdistill import plots, students
from qdistill._rollout import rollout
from qdistill.forecast import metrics
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.runs import presets
from qdistill.teacher import solvers as solver


@dataclasses.dataclass(frozen=True)
class Args:
    """Train students on walls, slits and discs; examine them on double slits and forests."""

    finished: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional] = ()
    """Folders of finished runs. Without any, students are trained, into folders of their own."""
    presets: tuple[str, ...] = tuple(presets.PLANES)
    """Whom to train."""
    exam: DiffractionConfig = dataclasses.field(default_factory=DiffractionConfig)
    """Where all are compared."""
    picture: FringesConfig = dataclasses.field(default_factory=FringesConfig)
    """The double slit that the first student draws."""
    seed: int = 1
    """Of the exam."""
    out: pathlib.Path = pathlib.Path("runs/double_slit")
    """Folder of the results."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def shorten(args: Args) -> Args:
    """A run of seconds."""
    return dataclasses.replace(
        args,
        presets=args.presets[-1:],
        exam=DiffractionConfig(1, n_x=160, n_frames=4, every=2, tolerance=1e-3, n_repeats=1),
        picture=dataclasses.replace(args.picture, shape=(224, 48), n_frames=6, look=4),
    )


def train(args: Args) -> list[pathlib.Path]:
    """Train the presets; return their folders."""
    folders = []
    for name in args.presets:
        settings = presets.PLANES[name]
        settings = presets.smoke(settings) if args.smoke else settings
        folders.append(args.out / name)
        runs.open_folder(folders[-1], settings, resume=False)
        runs.train(settings, folders[-1])
    return folders


def draw(args: Args, grid: Grid, dt: float, student: solver.Propagator) -> dict[str, Any]:
    """Draw the double slit of solver and student, and film it; return what their screens saw."""
    config = args.picture
    psi, v = fringes.make(config, grid)
    exact = solver.chebyshev(grid, dt, args.exam.tolerance, diffraction.V_RANGE)
    truth, forecast = (
        jax.jit(lambda psi, v, make=make: rollout(make(v), psi, config.n_frames))(psi, v)
        for make in (exact, student)
    )
    seen, forecast_seen = (
        np.asarray(fringes.arrivals(grid, dt, frames, config.screen))
        for frames in (truth, forecast)
    )
    x, y = (np.asarray(grid.positions(axis)).ravel() for axis in (0, 1))
    across, look = y - grid.lengths[1] / 2, config.look - 1
    theory = fringes.orders(config)
    figure = plot_diffraction(
        x, across, v, truth[look], forecast[look], config.screen,
        (seen, forecast_seen), theory,
        f"t = {dt * config.look:.3g} a.u.",
    )  # fmt: skip
    plots.save(figure, args.out / "double_slit.png")
    times = dt * np.arange(1, config.n_frames + 1)
    film = slice(config.n_frames % 3, None, 3), slice(None, None, 2), slice(None, None, 2)
    plots.animate_wavefunction_2d(
        x[::2], across[::2], times[film[0]], forecast[film], v[::2, ::2],
        args.out / "double_slit.gif", "student", seconds=5.0,
    )  # fmt: skip
    error = metrics.nrmse(forecast, truth)
    return {
        "nrmse_at_look": float(error[look]),
        "nrmse_at_end": float(error[-1]),
        "fringes_of_theory_bohr": theory.tolist(),
        **{
            f"fringes_of_{who}_bohr": fringes.maxima(across, each).tolist()
            for who, each in (("solver", seen), ("student", forecast_seen))
        },
        "arrivals_error": float(np.linalg.norm(forecast_seen - seen) / np.linalg.norm(seen)),
    }


def compare(args: Args) -> None:
    """Train or load, examine, draw, write."""
    runs.make_folder(args.out)
    args = shorten(args) if args.smoke else args
    loaded, training = {}, {}
    for folder in args.finished or train(args):
        settings, setup, params = runs.load(folder)
        loaded[settings.preset] = settings.student, params
        training[settings.preset] = {
            "n_parameters": students.count_parameters(params),
            "steps": settings.training.boundaries[-1],
            "seconds": sum(
                each["teacher_seconds"] + each["student_seconds"] for each in runs.read_log(folder)
            ),
        }
    dt, dx = settings.teacher.dt, setup.grid.dx[0]
    square, box = (
        Grid(shape, tuple(n * dx for n in shape), settings.teacher.dispersion)
        for shape in ((args.exam.n_x,) * 2, args.picture.shape)
    )

    def propagators(grid: Grid) -> dict[str, solver.Propagator]:
        return {
            name: students.make(form, grid, dt).propagator(params)
            for name, (form, params) in loaded.items()
        }

    n_pairs, key = settings.student.unitary.n_pairs, jax.random.key(args.seed)
    found = {"training": training} | diffraction.evaluate(
        square, dt, propagators(square), (n_pairs, n_pairs + 1), args.exam, key
    )
    found["picture"] = draw(args, box, dt, next(iter(propagators(box).values())))
    settings_text = json.dumps(dataclasses.asdict(args), indent=2, default=str)
    (args.out / "config.json").write_text(settings_text + "\n")
    text = json.dumps(runs.plain(found), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    print(diffraction.table(found))


def main() -> None:
    """Parse and compare."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        compare(tyro.cli(Args, prog="double_slit.py"))
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"double_slit.py: {error}")


if __name__ == "__main__":
    main()
