"""Loading of the emulators given to a script, and their null models."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

import jax

from qdistill import teacher
from qdistill._checks import refuse, require_at_least
from qdistill.forecast import baselines
from qdistill.insight import harness
from qdistill.runs import pretrained
from qdistill.runs.config import Config
from qdistill.students import Emulator
from qdistill.system import System
from qdistill.teacher import SplitStep, split_step

# The best cap on the paper's test, as the kinetic phase of a substep in radians.
CAP_PHASE = 2.0


def load(places: Sequence[str], most: int | None = None) -> dict[str, Emulator]:
    """Load emulators of one system, by their names.

    Args:
      places: Names of packaged emulators, files of `qdistill export`, or folders of finished runs.
      most: Largest number of emulators; any number by default.

    Raises:
      ValueError: For no emulator or too many, two of one name, or of different systems.
      OSError: For a place without an emulator.
    """
    names = [name_of(place) for place in places]
    if not names or len(set(names)) < len(names) or len(names) > (most or len(names)):
        number = "at least one emulator" if most is None else f"1 to {most} emulators"
        refuse("runs", f"{number}, of different names", list(places))
    loaded = {name: pretrained.find(place) for name, place in zip(names, places, strict=True)}
    require_one_system(loaded)
    return loaded


def load_ensembles(places: Sequence[str]) -> dict[str, list[Emulator]]:
    """Load emulators, grouped into ensembles of runs that differ in their seed only.

    Args:
      places: See `load`. The first run of an ensemble gives its name, without a `-seed-0` at its
        end if there are several.

    Raises:
      ValueError: For no emulator, or two ensembles of one name.
      OSError: For a place without an emulator.
    """
    if not places:
        refuse("runs", "at least one emulator", list(places))
    names: dict[Config, str] = {}
    ensembles: dict[str, list[Emulator]] = {}
    for place in places:
        emulator = pretrained.find(place)
        training = dataclasses.replace(emulator.config, seed=0)
        name = name_of(place)
        if training not in names and name in ensembles:
            refuse("runs", "of different names, except for seeds of one training", list(places))
        ensembles.setdefault(names.setdefault(training, name), []).append(emulator)
    return {
        re.sub(r"-seed-\d+$", "", name) if len(each) > 1 else name: each
        for name, each in ensembles.items()
    }


def make_nulls(system: System, pairs: Sequence[int]) -> dict[str, SplitStep]:
    """Return clamped split steps by name, as non-learned null models.

    With two FFT pairs the error on the paper's test is about that of the packaged `demo`.

    Args:
      system: The system of the emulators.
      pairs: Numbers of FFT pairs per frame.

    Raises:
      ValueError: For fewer than one pair.
    """
    require_at_least(1, nulls=min(pairs, default=1))
    return {f"clamped-{n}": split_step(system, n, CAP_PHASE * n / system.dt) for n in pairs}


def disturb(
    ensembles: Mapping[str, Sequence[Emulator]], n_case: int, n_frames: int, seed: int
) -> dict[str, harness.Disturbed]:
    """Return null models of the emulators that are not linear, by name.

    Each is the exact step plus a network with random parameters, see `harness.disturb`. Its error
    is matched on held-out potentials.

    Args:
      ensembles: Emulators of one system; the first of each ensemble is matched.
      n_case: Number of held-out potentials.
      n_frames: Number of frames after which errors are compared.
      seed: Random seed of the cases and of the parameters.
    """
    found = {}
    for name, (emulator, *_) in ensembles.items():
        if not emulator.is_linear:
            for_cases, for_network = jax.random.split(jax.random.key(seed))
            _, psi, v = baselines.sample_cases(for_cases, emulator.system.grid, n_case)
            bounds = teacher.bounds_of(emulator.system, v)
            exact = harness.solve_exactly(emulator.system, bounds)
            found[f"disturbed {name}"] = harness.disturb(
                emulator, exact, psi, v, n_frames, for_network
            )
    return found


def require_one_system(emulators: dict[str, Emulator]) -> None:
    """Refuse emulators of different systems."""
    (first, one), *others = emulators.items()
    for name, other in others:
        if other.system != one.system:
            refuse("runs", f"of the system of `{first}`", f"of another in `{name}`")


def name_of(place: str) -> str:
    """Return the name of an emulator in tables and figures: that of its run or file.

    >>> name_of("runs/demo"), name_of("runs/mine.npz")
    ('demo', 'mine')
    """
    return pathlib.Path(place).name.removesuffix(".npz")
