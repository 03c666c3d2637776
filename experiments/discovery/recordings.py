"""The physics of recorded runs: a file is read, and what moves it is reported."""

import functools
from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from experiments import runner
from experiments.discovery.recording_files import Runs
from qdistill.insight import discovery
from qdistill.insight.discovery import Function, Law, laws
from qdistill.physics.grid import Dispersion, Grid
from qdistill.system import Propagator, System

# Share of the probability within the ranges that count as visited.
VISITED = 0.999
# Frames of a run below which slow combinations cannot be told from conserved ones.
FEWEST = 5
# Runs in whose potentials mirrors are sought, packets, and frames that they are followed for.
N_RUN, N_PACKET, N_FRAME = 4, 4, 8
# In bohr; mirrors of two runs closer than this are one.
SAME = 0.2


def report(runs: Runs) -> runner.Results:
    """Return the law of the runs of a line, what moves, what is conserved, and what was visited."""
    law = discovery.find_law(*runs)
    found = {"law": describe(law), **look_by(law, runs), "mirrors": find_mirrors(runs, law)}
    return runner.Results(runner.rounded(found), in_words(law, found))


def look_by(law: Law, runs: Runs) -> dict[str, Any]:
    """Return what `look` finds with the dispersion and the terms of a law."""
    dispersion: Dispersion = "lattice" if law.form.startswith("lattice") else "continuum"
    is_nonlinear = bool({"|psi|^2", "g(|psi|^2)"} & {*law.terms, *law.functions})
    return look(runs, dispersion, is_nonlinear, law.functions)


def look(
    runs: Runs,
    dispersion: Dispersion = "continuum",
    is_nonlinear: bool = True,
    functions: Mapping[str, Function] | None = None,
) -> dict[str, Any]:
    """Return what moves, what is conserved, and what was visited.

    Args:
      runs: The recorded runs.
      dispersion: That of T in the dictionary.
      is_nonlinear: Whether |psi|^2 is in the dictionary.
      functions: Functions of a law; those of x and V are in the dictionary, but for losses.
    """
    dx, dt = float(np.diff(runs.x).mean()), float(np.diff(runs.t).mean())
    n_x = len(runs.x)
    grid = Grid(n_x, n_x * dx, dispersion, origin=float(runs.x[0]) - dx)
    system = System(grid, dt)
    parts = []
    for v, psi in zip(runs.v, runs.psi, strict=True):
        more = {"|psi|^2": lambda psi: jnp.abs(psi) ** 2 * psi} if is_nonlinear else {}
        for name in ("W(x)", "f(V)"):
            if (each := (functions or {}).get(name)) is not None:
                field = np.interp(runs.x if each.of == "x" else v, each.at, each.values)
                more[name] = functools.partial(jnp.multiply, field.astype(np.float32))
        dictionary = discovery.make_dictionary(system, jnp.asarray(v), 2, more)
        parts.append(discovery.measure(dictionary, psi[:, None], grid.cell, pairs=False))
    names, numbers = list(dictionary), np.concatenate(parts, axis=-1)
    means = {name: numbers[names.index(name)].real for name in ("1", "x", "p")}
    charges = conserved(names, numbers, means["1"])
    density = np.abs(runs.psi) ** 2
    waves = np.fft.fftshift(np.mean(np.abs(np.fft.fft(runs.psi)) ** 2, axis=(0, 1)))
    places = density.mean(axis=(0, 1))
    return {
        "moves": {
            "norm squared, end over start": float(np.mean(means["1"][-1] / means["1"][0])),
            **{
                f"mean {name}": [float(f(means[name] / means["1"])) for f in (np.min, np.max)]
                for name in ("x", "p")
            },
        },
        **charges,
        "seen": {
            "k": range_of(np.fft.fftshift(grid.wavenumbers()), waves),
            "x": range_of(runs.x, places),
            "largest |psi|^2": float(density.max()),
            "V": range_of(*_sorted(runs.v.ravel(), density.mean(axis=1).ravel())),
            "duration": float(abs(runs.t[-1] - runs.t[0])),
            "frame": abs(dt),
        },
    }


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
        return {"conserved": [], "drifts": [], "why": f"the norm changes by {change:.1g}"}
    if len(norms) < FEWEST or numbers[0].size < len(names):
        return {"conserved": [], "drifts": [], "why": "too few frames"}
    charges = discovery.find_charges(names, numbers)
    return {
        "conserved": str(charges).splitlines(),
        "drifts": charges.drifts[: charges.n_static].tolist(),
        "why": "",
    }


def _sorted(values: np.ndarray, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(values)
    return values[order], weights[order]


def range_of(values: np.ndarray, weights: np.ndarray) -> list[float]:
    """Return the range of ascending values that holds `VISITED` of the weight."""
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


def in_words(law: Law, found: dict[str, Any]) -> str:
    """Return the report of one file."""
    moves, seen = found["moves"], found["seen"]
    low, high = seen["k"]
    others = ", ".join(f"{form} {error:.1e}" for form, error in law.errors.items())
    return "\n".join(
        [
            "Moves: mean x from {:.3g} to {:.3g} bohr, mean p from {:.3g} to {:.3g}.".format(
                *moves["mean x"], *moves["mean p"]
            ),
            f"The squared norm becomes {moves['norm squared, end over start']:.5g} of its start.",
            "Conserved: " + conserved_in_words(found),
            "Law, i dpsi/dt = [T + V + further terms] psi:",
            *("  " + each for each in str(law).splitlines()),
            f"  by dispersion, with the same further terms: {others}",
            f"  error of the method {law.floor:.1e}",
            "Mirrors: " + _mirrors_in_words(found["mirrors"]),
            "Not seen: wave numbers beyond {:.3g} and {:.3g}, x beyond {:.3g} and {:.3g},".format(
                low, high, *seen["x"]
            ),
            "  V beyond {:.3g} and {:.3g}, |psi|^2 above {:.3g},".format(
                *seen["V"], seen["largest |psi|^2"]
            ),
            f"  what takes longer than {seen['duration']:.3g} a.u., and what is neither one of "
            f"{', '.join(laws.TERMS)}",
            f"  nor a function of the form {', '.join(laws.UNKNOWN)}.",
        ]
    )


def _mirrors_in_words(mirrors: dict[str, list[float]]) -> str:
    if not mirrors["law"]:
        return "none that the runs share"
    words = []
    for place in mirrors["law"]:
        is_known = any(abs(place - each) < SAME for each in mirrors["V alone"])
        words.append(f"x = {place:.3g}{'' if is_known else ', HIDDEN: V alone does not have it'}")
    return "; ".join(words)


def conserved_in_words(found: Mapping[str, Any]) -> str:
    """Return what is conserved, with drifts, or why nothing was found."""
    if found["conserved"]:
        drifts = ", ".join(f"{drift:.1g}" for drift in found["drifts"])
        return f"{'; '.join(found['conserved'])} (together, changes over spreads of {drifts})"
    return "nothing that was looked for" + (f": {found['why']}" if found["why"] else "")
