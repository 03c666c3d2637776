"""The physics of recorded runs: a file is read, and what moves it is reported.

Of a line without channels the law may have functions of no given form and any dispersion, see
`find_law`. Otherwise it has masses and listed terms, see `find_masses`.
"""

import functools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments import runner
from experiments.discovery.recording_files import Runs
from qdistill._checks import require_positive
from qdistill.insight import discovery
from qdistill.insight.discovery import Function, Law, Masses, laws
from qdistill.insight.discovery.masses import terms_of
from qdistill.physics.grid import Dispersion, Grid
from qdistill.system import Propagator, System

# Share of the probability within the ranges that count as visited.
VISITED = 0.999
# Frames of a run below which slow combinations cannot be told from conserved ones, and numbers of
# each operator, over the number of operators, below which some are nearly constant by chance.
FEWEST, ENOUGH = 5, 5
# Runs in whose potentials mirrors are sought, packets, and frames that they are followed for.
N_RUN, N_PACKET, N_FRAME = 4, 4, 8
# In bohr; mirrors of two runs closer than this are one.
SAME = 0.2
DISPERSIONS: tuple[Dispersion, ...] = ("continuum", "lattice")
DENSITY = "|psi|^2"


def report(runs: Runs) -> runner.Results:
    """Return the law of recorded runs, what moves, what is conserved, and what was visited."""
    found: dict[str, Any]
    if runs.is_line:
        law = discovery.find_law(*runs.of_line)
        found = {"law": describe(law), **look_by(law, runs), "mirrors": find_mirrors(runs, law)}
        words = law_in_words(law, found["mirrors"])
    else:
        masses, errors = read_masses(runs)
        found = {"law": describe_masses(masses, errors), **look_by_masses(masses, runs, errors)}
        words = masses_in_words(masses, errors)
    return runner.Results(runner.rounded(found, 7), in_words(found, words, runs))


def read_masses(runs: Runs) -> tuple[Masses, dict[Dispersion, float]]:
    """Return masses and terms by the better dispersion, and the errors of all, the better first.

    Of two that fit alike the one with fewer terms is better, since a lattice differs from the
    continuum by p^4 first.
    """
    found: dict[Dispersion, Masses] = {}
    for name in DISPERSIONS:
        system = system_of(runs, name)
        found[name] = discovery.find_masses(system, runs.v, runs.psi, terms_of(system.grid.n_dim))
    errors = {name: law.errors[law.form] for name, law in found.items()}
    alike = min(errors.values()) / np.sqrt(1 - laws.MARGIN)
    order = sorted(
        found, key=lambda name: (errors[name] > alike, len(found[name].terms), errors[name])
    )
    return found[order[0]], {name: errors[name] for name in order}


def system_of(runs: Runs, dispersion: Dispersion, mass: tuple[float, ...] | float = 1.0) -> System:
    """Return the system of recorded runs.

    Raises:
      ValueError: For positions or times that are not equally spaced.
    """
    steps = []
    for name, axis in zip("xyz", runs.axes, strict=False):
        steps.append(laws.equal_step(f"frames[{name!r}]", axis))
        require_positive(**{f"frames[{name!r}] step": steps[-1]})
    grid = Grid(
        tuple(len(axis) for axis in runs.axes),
        tuple(len(axis) * step for axis, step in zip(runs.axes, steps, strict=True)),
        dispersion,
        origin=tuple(float(axis[0]) - step for axis, step in zip(runs.axes, steps, strict=True)),
        mass=mass,
    )
    return System(grid, laws.equal_step("frames['t']", runs.t), n_channel=runs.n_channel)


def look_by(law: Law, runs: Runs) -> dict[str, Any]:
    """Return what `look` finds with the dispersion and the terms of a law on a line."""
    dispersion: Dispersion = "lattice" if law.form.startswith("lattice") else "continuum"
    is_nonlinear = bool({DENSITY, "g(|psi|^2)"} & {*law.terms, *law.functions})
    return look(runs, dispersion, is_nonlinear, law.functions)


def look_by_masses(law: Masses, runs: Runs, errors: Mapping[Dispersion, float]) -> dict[str, Any]:
    """Return what `look` finds with masses and the better dispersion.

    T has the masses of the law. Conserved combinations are looked for if all channels have the same
    masses, which one T needs, and if there are no further terms that are in no dictionary.
    """
    is_one = bool(np.all(law.masses == law.masses[:1]) and np.all(np.isfinite(law.masses)))
    strange = [name for name in law.terms if name in ("-i", "p^4")]
    why = ""
    if not is_one:
        why = "the channels have different masses, or one that is not determined"
    elif strange:
        why = f"the law has {', '.join(strange)}, which no combination that is looked for has"
    mass = tuple(law.masses[0].tolist()) if is_one else 1.0
    return look(runs, next(iter(errors)), DENSITY in law.terms, mass=mass, why=why)


def look(
    runs: Runs,
    dispersion: Dispersion = "continuum",
    is_nonlinear: bool = True,
    functions: Mapping[str, Function] | None = None,
    mass: tuple[float, ...] | float = 1.0,
    why: str = "",
) -> dict[str, Any]:
    """Return what moves, what is conserved, and what was visited.

    Args:
      runs: The recorded runs.
      dispersion: That of T in the dictionary.
      is_nonlinear: Whether |psi|^2 is in the dictionary.
      functions: Functions of a law on a line; those of x and V are in the dictionary, but for
        losses.
      mass: That of T, for each axis.
      why: Why no conserved combinations are looked for, if so.
    """
    system, parts = system_of(runs, dispersion, mass), []
    grid = system.grid
    every, channel = range(grid.n_dim), -1 - grid.n_dim
    for v, psi in zip(runs.v, runs.psi, strict=True):
        more = _more(system, runs.axes[0], v, functions or {})
        if not is_nonlinear:
            more.pop(DENSITY)
        dictionary = discovery.make_dictionary(system, jnp.asarray(v), 2, more)
        parts.append(discovery.measure(dictionary, psi[:, None], grid.cell, pairs=False))
    names, numbers = list(dictionary), np.concatenate(parts, axis=-1)
    norms = numbers[names.index("1")].real
    # Operators of a coordinate count from the middle of the box.
    middle = dict(zip("xyz", grid.middle, strict=False))
    # Coordinates and momenta; the mean of 1 is 1.
    first = sorted({*terms_of(grid.n_dim)[3:]} - {"1"}, key=lambda name: (name[0] == "p", name))
    squares = np.abs(runs.psi) ** 2
    spectrum = np.abs(np.fft.fftn(runs.psi, axes=tuple(range(channel + 1, 0)))) ** 2
    waves, places = (each.reshape(-1, *grid.shape).mean(axis=0) for each in (spectrum, squares))
    others = [tuple(i for i in every if i != axis) for axis in every]
    if system.n_channel:
        squares = squares.sum(axis=channel)
    found = {
        "moves": {
            "norm squared, end over start": float(np.mean(norms[-1] / norms[0])),
            **{
                f"mean {name}": [
                    float(of(numbers[names.index(name)].real / norms)) + middle.get(name, 0.0)
                    for of in (np.min, np.max)
                ]
                for name in first
            },
        },
        **(_nothing(why) if why else conserved(names, numbers, norms)),
        "seen": {
            "k": [
                _range(
                    np.fft.fftshift(np.ravel(grid.wavenumbers(axis))),
                    np.fft.fftshift(waves.sum(axis=rest)),
                )
                for axis, rest in zip(every, others, strict=True)
            ],
            "x": [
                _range(x, places.sum(axis=rest)) for x, rest in zip(runs.axes, others, strict=True)
            ],
            "largest |psi|^2": float(squares.max()),
            "duration": float(abs(runs.t[-1] - runs.t[0])),
            "frame": abs(system.dt),
        },
    }
    if runs.is_line:
        found["seen"]["V"] = _range(*_sorted(runs.v.ravel(), squares.mean(axis=1).ravel()))
    return found


def _more(
    system: System, x: np.ndarray, v: np.ndarray, functions: Mapping[str, Function]
) -> dict[str, Callable[[Array], Array]]:
    """The operators that no dictionary has: |psi|^2, summed over channels, and functions."""
    channel = -1 - system.grid.n_dim

    def density(psi: Array) -> Array:
        each = jnp.abs(psi) ** 2
        return (jnp.sum(each, channel, keepdims=True) if system.n_channel else each) * psi

    more: dict[str, Callable[[Array], Array]] = {DENSITY: density}
    for name in ("W(x)", "f(V)"):
        if (each := functions.get(name)) is not None:
            field = np.interp(x if each.of == "x" else v, each.at, each.values)
            more[name] = functools.partial(jnp.multiply, field.astype(np.float32))
    return more


def find_mirrors(runs: Runs, law: Law) -> dict[str, list[float]]:
    """Return the mirror symmetries that the first runs share: those of the law, and those of V.

    The law is sought as a propagator, which moves mirrored packets as well as recorded ones. A
    mirror of the law that V alone does not have is hidden.
    """
    return {
        who: _shared([_mirrors(each, v, runs.psi[:N_PACKET, :1]) for v in runs.v[:N_RUN]])
        for who, each in (("law", law.emulator), ("V alone", law.emulator.usual))
    }


def _mirrors(propagator: Propagator, v: np.ndarray, psi: np.ndarray) -> list[float]:
    """The mirrors of one potential that are symmetries; all of them if the whole family is."""
    family = discovery.make_families(propagator.system)["mirror"]
    evolve = discovery.follow(propagator, jnp.asarray(v), N_FRAME)
    found = discovery.find_symmetries(family, evolve, psi)
    return found.parameters[: found.n_found, 0].tolist()


def _shared(places: list[list[float]]) -> list[float]:
    """The means of the places that all lists have."""
    found = []
    for first in places[0]:
        near = [min(each, key=lambda x: abs(x - first), default=np.inf) for each in places]
        if max(abs(x - first) for x in near) < SAME:
            found.append(float(np.mean(near)))
    return found


def conserved(names: list[str], numbers: np.ndarray, norms: np.ndarray) -> dict[str, Any]:
    """Return the combinations whose expectation values are conserved, and their drifts."""
    change = float(np.max(np.abs(norms[-1] / norms[0] - 1)))
    if change > laws.MARGIN:
        return _nothing(f"the norm changes by {change:.1g}")
    if len(norms) < FEWEST:
        return _nothing(f"runs of {len(norms)} frames are too short")
    if numbers[0].size < ENOUGH * len(names):
        return _nothing(f"{numbers[0].size} numbers are too few for {len(names)} operators")
    charges = discovery.find_charges(names, numbers)
    return {
        "conserved": str(charges).splitlines(),
        "drifts": charges.drifts[: charges.n_static].tolist(),
        "why": "",
    }


def _nothing(why: str) -> dict[str, Any]:
    return {"conserved": [], "drifts": [], "why": why}


def _sorted(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values)
    return values[order], weights[order]


def _range(values: np.ndarray, weights: np.ndarray) -> list[float]:
    """The range of ascending values that holds `VISITED` of the weight."""
    share = np.cumsum(weights) / np.sum(weights)
    rest = (1 - VISITED) / 2
    ends = np.searchsorted(share, [rest, 1 - rest])
    return [float(values[min(i, len(values) - 1)]) for i in ends]


def describe(law: Law) -> dict[str, Any]:
    """Return a law in types of JSON."""
    return {
        "form": law.form,
        "alike": list(law.alike),
        "coefficients": {
            name: [float(value), float(low), float(high)]
            for name, value, low, high in zip(law.names, law.values, law.low, law.high, strict=True)
            if law.form != laws.FREE or name in law.terms
        },
        "functions": {
            name: {key: np.asarray(getattr(each, key)).tolist() for key in each._fields[1:]}
            for name, each in law.functions.items()
        },
        "rivals": {name: list(each) for name, each in law.rivals.items()},
        "error": law.error,
        "errors": law.errors,
        "floor": law.floor,
    }


def describe_masses(law: Masses, errors: Mapping[Dispersion, float]) -> dict[str, Any]:
    """Return masses and terms in types of JSON, with the errors by dispersion."""
    return {
        "form": law.form,
        "masses": law.masses.tolist(),
        "low": law.low.tolist(),
        "high": law.high.tolist(),
        "strengths": {name: list(each) for name, each in law.strengths.items()},
        "terms": {name: list(each) for name, each in law.terms.items()},
        "rivals": {name: list(each) for name, each in law.rivals.items()},
        "errors": law.errors,
        "dispersion": next(iter(errors)),
        "by dispersion": dict(errors),
        "floor": law.floor,
        "noise": law.noise,
        "explained": law.is_explained,
    }


def law_in_words(law: Law, mirrors: Mapping[str, list[float]]) -> list[str]:
    """Return the lines of a report that tell the law of a line."""
    others = ", ".join(f"{form} {error:.1e}" for form, error in law.errors.items())
    return [
        *("  " + each for each in str(law).splitlines()),
        f"  by dispersion, with the same further terms: {others}",
        f"  error of the method {law.floor:.1e}",
        "Mirrors: " + _mirrors_in_words(mirrors),
    ]


def masses_in_words(law: Masses, errors: Mapping[Dispersion, float]) -> list[str]:
    """Return the lines of a report that tell masses and further terms."""
    others = ", ".join(f"{name} {error:.1e}" for name, error in errors.items())
    return [*("  " + each for each in str(law).splitlines()), f"  by dispersion: {others}"]


def in_words(found: Mapping[str, Any], law: list[str], runs: Runs) -> str:
    """Return the report of one file, with the lines that tell its law."""
    moves, seen, letters = found["moves"], found["seen"], "xyz"[: len(runs.axes)]
    norm = moves["norm squared, end over start"]
    means = ", ".join(
        f"{name} from {low:.3g} to {high:.3g}" for name, (low, high) in list(moves.items())[1:]
    )

    def beyond(names: Iterable[str], ends: Sequence[Sequence[float]]) -> str:
        each = zip(names, ends, strict=True)
        return ", ".join(f"{name} beyond {low:.3g} and {high:.3g}" for name, (low, high) in each)

    waves = ["wave numbers"] if runs.is_line else [f"k{letter}" for letter in letters]
    limits = [beyond(waves, seen["k"]), beyond(letters, seen["x"])]
    if runs.is_line:
        limits.append(beyond("V", [seen["V"]]))
        rest = f"neither one of {', '.join(laws.TERMS)}"
        rest += f"\n  nor a function of the form {', '.join(laws.UNKNOWN)}."
    else:
        rest = f"none of {', '.join(terms_of(len(letters)))}."
    return "\n".join(
        [
            f"Moves, in bohr and 1/bohr: {means}.",
            f"The squared norm becomes {norm:.5g} of its start.",
            "Conserved: " + _conserved_in_words(found),
            "Law, i dpsi/dt = [T + V + further terms] psi:",
            *law,
            f"Not seen: {', '.join(limits)},",
            f"  |psi|^2 above {seen['largest |psi|^2']:.3g}, what takes longer than "
            f"{seen['duration']:.3g} a.u.,",
            f"  and what is {rest}",
        ]
    )


def _mirrors_in_words(mirrors: Mapping[str, list[float]]) -> str:
    if not mirrors["law"]:
        return "none that the runs share"
    words = []
    for place in mirrors["law"]:
        is_known = any(abs(place - each) < SAME for each in mirrors["V alone"])
        words.append(f"x = {place:.3g}{'' if is_known else ', HIDDEN: V alone does not have it'}")
    return "; ".join(words)


def _conserved_in_words(found: Mapping[str, Any]) -> str:
    """What is conserved, with drifts, or why nothing was found."""
    if found["conserved"]:
        drifts = ", ".join(f"{drift:.1g}" for drift in found["drifts"])
        return f"{'; '.join(found['conserved'])} (together, changes over spreads of {drifts})"
    return "nothing that was looked for" + (f": {found['why']}" if found["why"] else "")
