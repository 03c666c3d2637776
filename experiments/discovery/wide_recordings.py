"""The physics of recorded runs in a plane or across channels, reported as those of a line are."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.discovery import recordings
from experiments.discovery.recording_files import WideRuns
from qdistill._checks import refuse, require_positive
from qdistill.insight import discovery
from qdistill.insight.discovery import Masses
from qdistill.insight.discovery.masses import terms_of
from qdistill.physics.grid import Dispersion, Grid
from qdistill.system import System

# Numbers of each operator, over the number of operators, from which combinations are looked for.
ENOUGH = 5
DISPERSIONS: tuple[Dispersion, ...] = ("continuum", "lattice")


def report(runs: WideRuns) -> runner.Results:
    """Return masses, strengths and further terms of runs, what moves, and what is conserved."""
    law, by_dispersion = read_law(runs)
    found = {"law": describe(law, by_dispersion), **look(runs, law, next(iter(by_dispersion)))}
    return runner.Results(runner.rounded(found, 7), in_words(law, found))


def read_law(runs: WideRuns) -> tuple[Masses, dict[Dispersion, float]]:
    """Return masses and terms by the better dispersion, and the errors of all, the better first.

    Of two that fit alike the one with fewer terms is better, since a lattice differs from the
    continuum by p^4 first.
    """
    laws: dict[Dispersion, Masses] = {}
    for name in DISPERSIONS:
        system = system_of(runs, name)
        laws[name] = discovery.find_masses(system, runs.v, runs.psi, terms_of(system.grid.n_dim))
    errors = {name: law.errors[law.form] for name, law in laws.items()}
    alike = min(errors.values()) / np.sqrt(1 - discovery.laws.MARGIN)
    order = sorted(
        laws, key=lambda name: (errors[name] > alike, len(laws[name].terms), errors[name])
    )
    return laws[order[0]], {name: errors[name] for name in order}


def system_of(
    runs: WideRuns, dispersion: Dispersion, mass: tuple[float, ...] | float = 1.0
) -> System:
    """Return the system of recorded runs."""
    steps = [_step_of(name, axis) for name, axis in zip("xyz", runs.axes, strict=False)]
    for name, step in zip("xyz", steps, strict=False):
        require_positive(**{f"frames[{name!r}] step": step})
    grid = Grid(
        tuple(len(axis) for axis in runs.axes),
        tuple(len(axis) * step for axis, step in zip(runs.axes, steps, strict=True)),
        dispersion,
        origin=tuple(float(axis[0]) - step for axis, step in zip(runs.axes, steps, strict=True)),
        mass=mass,
    )
    return System(grid, _step_of("t", runs.t), n_channel=runs.n_channel)


def _step_of(name: str, values: np.ndarray) -> float:
    """The step of equally spaced values, but for rounding in single precision."""
    steps = np.diff(values.astype(float))
    slack = 1e-6 * np.abs(values).max() + 1e-4 * np.abs(steps).max(initial=0)
    if not len(steps) or np.ptp(steps) > slack:
        refuse(f"frames[{name!r}]", "at least two numbers in equal steps", values)
    return float(steps.mean())


def look(runs: WideRuns, law: Masses, dispersion: Dispersion) -> dict[str, Any]:
    """Return what moves, what is conserved, and which wave numbers were visited.

    T has the masses of the law. Conserved combinations are looked for if all channels have the same
    masses, which one T needs, if there are no further terms that are in no dictionary, and if there
    are enough numbers.
    """
    is_one = bool(np.all(law.masses == law.masses[:1]) and np.all(np.isfinite(law.masses)))
    mass = tuple(law.masses[0].tolist()) if is_one else 1.0
    system, parts = system_of(runs, dispersion, mass), []
    grid = system.grid
    for v, psi in zip(runs.v, runs.psi, strict=True):
        dictionary = discovery.make_dictionary(system, jnp.asarray(v), 2)
        parts.append(discovery.measure(dictionary, psi[:, None], grid.cell, pairs=False))
    names, numbers = list(dictionary), np.concatenate(parts, axis=-1)
    norms = numbers[names.index("1")].real
    # Coordinates and momenta; the mean of 1 is 1.
    first = [name for name in terms_of(grid.n_dim)[3:] if name != "1"]
    spectrum = np.abs(np.fft.fftn(runs.psi, axes=tuple(range(-grid.n_dim, 0)))) ** 2
    waves = spectrum.reshape(-1, *grid.shape).mean(axis=0)
    every = range(grid.n_dim)
    strange = [name for name in law.terms if name not in names]
    why = ""
    if not is_one:
        why = "the channels have different masses, or one that is not told"
    elif strange:
        why = f"the law has {', '.join(strange)}, which no combination that is looked for has"
    elif numbers[0].size < ENOUGH * len(names):
        why = f"{numbers[0].size} numbers are too few for {len(names)} operators"
    nothing = {"conserved": [], "drifts": [], "why": why}
    return {
        "moves": {
            "norm squared, end over start": float(np.mean(norms[-1] / norms[0])),
            **{
                f"mean {name}": [
                    float(of(numbers[names.index(name)].real / norms)) for of in (np.min, np.max)
                ]
                for name in first
            },
        },
        **(nothing if why else recordings.conserved(names, numbers, norms)),
        "seen": {
            **{
                f"k, axis {axis}": recordings.range_of(
                    np.fft.fftshift(np.ravel(grid.wavenumbers(axis))),
                    np.fft.fftshift(waves.sum(axis=tuple(i for i in every if i != axis))),
                )
                for axis in every
            },
            "duration": float(abs(runs.t[-1] - runs.t[0])),
            "frame": abs(system.dt),
        },
    }


def describe(law: Masses, by_dispersion: Mapping[Dispersion, float]) -> dict[str, Any]:
    """Return a law in types of JSON."""
    return {
        "form": law.form,
        "masses": law.masses.tolist(),
        "low": law.low.tolist(),
        "high": law.high.tolist(),
        "strengths": {name: list(each) for name, each in law.strengths.items()},
        "terms": {name: list(each) for name, each in law.terms.items()},
        "rivals": {name: list(each) for name, each in law.rivals.items()},
        "errors": law.errors,
        "dispersion": next(iter(by_dispersion)),
        "by dispersion": dict(by_dispersion),
        "floor": law.floor,
        "noise": law.noise,
        "explained": law.is_explained,
    }


def in_words(law: Masses, found: Mapping[str, Any]) -> str:
    """Return the report of one file."""
    moves, seen = found["moves"], found["seen"]
    norm = moves["norm squared, end over start"]
    means = (f"{name} from {ends[0]:.3g} to {ends[1]:.3g}" for name, ends in moves.items()
             if name.startswith("mean"))  # fmt: skip
    waves = (f"{name} beyond {ends[0]:.3g} and {ends[1]:.3g}" for name, ends in seen.items()
             if name.startswith("k"))  # fmt: skip
    n_dim = sum(name.startswith("k") for name in seen)
    errors = (f"{name} {error:.1e}" for name, error in found["law"]["by dispersion"].items())
    return "\n".join(
        [
            "Moves: " + ", ".join(means) + ".",
            f"The squared norm becomes {norm:.5g} of its start.",
            "Conserved: " + recordings.conserved_in_words(found),
            "Law, i dpsi/dt = [T + V + further terms] psi:",
            *("  " + each for each in str(law).splitlines()),
            "  by dispersion: " + ", ".join(errors),
            "Not seen: " + ", ".join(waves) + ",",
            f"  what takes longer than {seen['duration']:.3g} a.u., and what is none of "
            f"{', '.join(terms_of(n_dim))}.",
        ]
    )
