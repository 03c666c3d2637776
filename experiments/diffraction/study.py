"""The study of the double slit: trainings, held-out test and figure."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
from matplotlib.figure import Figure

from experiments.diffraction import held_out
from experiments.diffraction.figure import picture
from experiments.diffraction.fringes import FringesConfig
from experiments.diffraction.held_out import DiffractionConfig
from qdistill import teacher
from qdistill.runs import distillation, presets
from qdistill.students import Emulator, count_parameters


def train(names: Sequence[str], out: pathlib.Path, is_small: bool = False) -> dict[str, Emulator]:
    """Train presets, each in a new folder, and return the emulators."""
    found = {}
    for name in names:
        config = presets.PRESETS[name][1]
        config = presets.smoke(config) if is_small else config
        found[name] = distillation.distill(config, out / name, draw=False)
    return found


def on(emulator: Emulator, shape: tuple[int, ...]) -> Emulator:
    """Return an emulator on a grid of another shape and the same spacing."""
    grid = emulator.system.grid
    lengths = tuple(n * dx for n, dx in zip(shape, grid.dx, strict=True))
    return emulator.on(dataclasses.replace(grid, shape=shape, lengths=lengths))


def compare(
    emulators: Mapping[str, Emulator],
    test: DiffractionConfig,
    scene: FringesConfig,
    seed: int,
    film: pathlib.Path,
) -> tuple[dict[str, Any], Figure]:
    """Test emulators and clamped split steps, and draw one double slit by the first emulator.

    Args:
      emulators: Splitting students of one system, by name.
      test: Settings of the held-out test.
      scene: Settings of the double slit that is drawn.
      seed: Random seed of the cases.
      film: Path of the animation of the double slit.
    """
    square = {name: on(each, (test.n_x,) * 2) for name, each in emulators.items()}
    first = next(iter(emulators))
    n_pairs, system = square[first].student.form.n_pairs, square[first].system
    found = held_out.evaluate(system, square, (n_pairs, n_pairs + 1), test, jax.random.key(seed))
    student = on(emulators[first], scene.shape)
    solver = teacher.chebyshev(student.system, test.tolerance)
    figure, numbers = picture(scene, solver, student, film)
    training = {
        name: {
            "n_parameters": count_parameters(each.params),
            "steps": (each.score or {}).get("training_steps"),
            "seconds": (each.score or {}).get("training_seconds"),
        }
        for name, each in emulators.items()
    }
    return {"training": training, **found, "picture": numbers}, figure


def smoke(args: Any) -> Any:
    """Return options of the script at tiny sizes."""
    return dataclasses.replace(
        args,
        presets=args.presets[-1:],
        test=DiffractionConfig(1, n_x=160, n_frames=4, every=2, tolerance=1e-3, n_repeats=1),
        picture=dataclasses.replace(args.picture, shape=(224, 48), n_frames=6, look=4),
    )
