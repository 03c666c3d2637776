"""Loading of the emulators given to a script, and their null models."""

import dataclasses
import pathlib
import re
from collections.abc import Mapping, Sequence

import jax
import tyro
from jaxtyping import Array, Complex, Key

from qdistill._checks import refuse, require_one_of
from qdistill.insight import harness
from qdistill.runs import pretrained
from qdistill.runs.config import Config
from qdistill.students import Emulator
from qdistill.system import Potential, System, Wrapped
from qdistill.teacher import SCHEMES, Chebyshev, Scheme, SplitStep, split_step

# Smoothing in bohr before V is differentiated; without it the corrections fail at sharp edges.
SMOOTHING = 0.1
# Schemes of non-learned null models. The caps are the largest kinetic phases of an FFT pair in
# radians, by the number of pairs: those with the least 1 - correlation on the paper's test.
NULLS: dict[str, tuple[Scheme, dict[int, float]]] = {
    "clamped": (SCHEMES["strang"], {1: 2.6, 2: 2.0, 3: 1.8}),
    "takahashi-imada": (
        dataclasses.replace(SCHEMES["takahashi-imada"], smoothing=SMOOTHING),
        {1: 3.0, 2: 2.4, 3: 2.2},
    ),
    "fourth-order": (dataclasses.replace(SCHEMES["chin"], smoothing=SMOOTHING), {2: 2.1}),
}


@dataclasses.dataclass(frozen=True)
class Compared:
    """Options of a comparison of emulators with null models and the exact solver."""

    runs: tyro.conf.Positional[tuple[str, ...]] = ()
    """Packaged names, files or folders of runs, of one system; seeds of a training are one row."""
    nulls: tuple[int, ...] = (1, 2)
    """Numbers of FFT pairs per frame of the null models of linear students, clamped split steps."""
    schemes: tuple[str, ...] = ("clamped", "takahashi-imada")
    """Schemes of these split steps."""
    n_frames: int = 12
    """Number of frames of a forecast."""
    seed: int = 0
    """Random seed of packets and potentials."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


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


def load_ensembles(places: Sequence[str], most: int | None = None) -> dict[str, list[Emulator]]:
    """Load emulators, grouped into ensembles of runs that differ in their seed only.

    Args:
      places: See `load`. The first run of an ensemble gives its name, without a `-seed-0` at its
        end if there are several.
      most: Largest number of ensembles; any number by default.

    Raises:
      ValueError: For no emulator, a place given twice, too many ensembles, or two of one name.
      OSError: For a place without an emulator.
    """
    if not places or len(set(places)) < len(places):
        refuse("runs", "at least one emulator, each given once", list(places))
    names: dict[Config, str] = {}
    ensembles: dict[str, list[Emulator]] = {}
    for place in places:
        emulator = pretrained.find(place)
        training = dataclasses.replace(emulator.config, seed=0)
        name = name_of(place)
        if training not in names and name in ensembles:
            refuse("runs", "of different names, except for seeds of one training", list(places))
        ensembles.setdefault(names.setdefault(training, name), []).append(emulator)
    if len(ensembles) > (most or len(ensembles)):
        refuse("runs", f"1 to {most} emulators, apart from seeds", list(ensembles))
    return {
        re.sub(r"-seed-?\d+$", "", name) if len(each) > 1 else name: each
        for name, each in ensembles.items()
    }


def make_nulls(
    system: System, pairs: Sequence[int], schemes: Sequence[str] = ("clamped",)
) -> dict[str, SplitStep]:
    """Return split steps with clamped kinetic energy by name, as non-learned null models.

    With two FFT pairs the error on the paper's test is about that of the packaged `demo`.

    Args:
      system: The system of the emulators.
      pairs: Numbers of FFT pairs per frame, 1 to 3.
      schemes: Names of schemes in `NULLS`; the one of fourth order has two pairs only.

    Raises:
      ValueError: For an unknown number of pairs or scheme.
    """
    found = {}
    for name in schemes:
        require_one_of(NULLS, schemes=name)
        scheme, phases = NULLS[name]
        for n in pairs:
            if n not in NULLS["clamped"][1]:
                refuse("nulls", "numbers of FFT pairs from 1 to 3", n)
            if n in phases:
                cap = phases[n] * n / system.dt
                found[f"{name}-{n}"] = split_step(system, n // scheme.n_pairs, cap, scheme)
    return found


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True, eq=False)
class OfAnotherMass(Wrapped):
    """A solver for a particle of another mass, in the place of one for the true particle.

    Attributes:
      instead_of: The system of the true particle.
    """

    instead_of: System = dataclasses.field(metadata={"static": True})

    @property
    def system(self) -> System:
        """The system of the true particle."""
        return self.instead_of


def make_wrong_masses(
    system: System, ratios: Sequence[float], scheme: str = "clamped"
) -> dict[str, OfAnotherMass]:
    """Return split steps of two FFT pairs by name, as null models that err by their mass.

    Each conserves an energy as exactly as a split step does, however large its error.

    Args:
      system: The system of the emulators.
      ratios: Masses over the true one.
      scheme: Name of a scheme in `NULLS`.
    """
    found = {}
    for ratio in ratios:
        mass = tuple(ratio * each for each in system.grid.mass)
        other = dataclasses.replace(system, grid=dataclasses.replace(system.grid, mass=mass))
        (name, solver), *_ = make_nulls(other, (2,), (scheme,)).items()
        found[f"{name}, mass x {ratio:g}"] = OfAnotherMass(solver, system)
    return found


def disturb(
    ensembles: Mapping[str, Sequence[Emulator]],
    exact: Chebyshev,
    psi: Complex[Array, "n_case *n_x"],
    v: Potential,
    n_frames: int,
    keys: Key[Array, " n_network"],
) -> dict[str, list[harness.Disturbed]]:
    """Return null models of the emulators that are not linear, by name, one for each key.

    Each is the exact step plus a network with random parameters, see `harness.disturb`. Its error
    after the last frame is that of the first training.
    """
    return {
        f"disturbed {name}": [harness.disturb(first, exact, psi, v, n_frames, key) for key in keys]
        for name, (first, *_) in ensembles.items()
        if not first.is_linear
    }


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
