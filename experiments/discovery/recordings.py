"""The physics of recorded runs: a file is read, and what moves it is reported."""

import functools
import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np

from experiments import runner
from qdistill._checks import refuse
from qdistill._refusals import is_refusal
from qdistill._words import of_array
from qdistill.insight import discovery
from qdistill.insight.discovery import Function, Law, laws
from qdistill.physics.grid import Dispersion, Grid
from qdistill.system import Propagator, System

# Share of the probability within the ranges that count as visited.
VISITED = 0.999
# Of an absolute value of psi; powers of it have to fit into single precision.
LARGEST = 1e6
# Frames of a run below which slow combinations cannot be told from conserved ones.
FEWEST = 5
# Runs in whose potentials mirrors are sought, packets, and frames that they are followed for.
N_RUN, N_PACKET, N_FRAME = 4, 4, 8
# In bohr; mirrors of two runs closer than this are one.
SAME = 0.2
# Names of the arrays of a file, and units that they may have.
NAMES = {
    "x": ("x", "position", "positions"),
    "t": ("t", "time", "times"),
    "v": ("v", "potential"),
}
UNITS = {
    "x": ("bohr", "a.u."),
    "t": ("a.u.", "a.u. (0.0242 fs)", "hbar/hartree"),
    "v": ("hartree", "a.u."),
}


class Runs(NamedTuple):
    """The content of a file: positions, times, potentials and frames."""

    x: np.ndarray
    t: np.ndarray
    v: np.ndarray
    psi: np.ndarray


def read(path: pathlib.Path, name: str = "psi") -> Runs:
    """Read recorded runs from a file: frames, potentials, times and positions, in atomic units.

    The names of the arrays are `NAMES`. Frames are complex, or two arrays of real numbers, such as
    `psi_real` and `psi_imag`, or have a last axis of real and imaginary parts, as in files of
    `qdistill export`. A potential without an axis of runs is that of all of them.

    Args:
      path: A file of NumPy, `.npz`, or NetCDF, `.nc`, whose variables have their units.
      name: Name of the frames.

    Raises:
      ValueError: For another suffix, a damaged file, or one that lacks frames, potential, times or
        positions; for arrays that do not fit together, and other units.
      ImportError: For NetCDF without xarray.
      OSError: If it cannot be read.
    """
    path = pathlib.Path(path)
    if path.suffix not in READERS:
        refuse("frames", "a file that ends in .npz or .nc", f"`{path}`")
    arrays, units = READERS[path.suffix](path)
    found = {"psi": _frames(arrays, name)}
    for key, names in NAMES.items():
        known = next((each for each in names if each in arrays), None)
        if known is None:
            refuse("frames", f"a file with `{'` or `'.join(names)}`", f"one with {sorted(arrays)}")
        if units is not None and units.get(known) not in UNITS[key]:
            wanted = f"in units of {UNITS[key][0]}, by its attribute `units`"
            refuse(f"frames[{known!r}]", wanted, f"in {units.get(known, 'none')}")
        found[key] = arrays[known]
        if found[key].dtype.kind not in "fiu":
            refuse(f"frames[{known!r}]", "an array of real numbers", of_array(found[key]))
    if found["v"].ndim == 1 and found["psi"].ndim == 3:
        found["v"] = np.broadcast_to(found["v"], (len(found["psi"]), len(found["v"])))
    _require_axes(**found)
    psi = found["psi"].astype(np.complex64)
    if np.max(np.abs(psi)) > LARGEST:
        refuse("frames['psi']", f"of absolute values up to {LARGEST:g}", np.max(np.abs(psi)))
    return Runs(found["x"], found["t"], found["v"].astype(np.float32), psi)


def _from_numpy(path: pathlib.Path) -> tuple[dict[str, np.ndarray], None]:
    """The arrays of a file of NumPy, which has no units."""
    try:
        file = np.load(path)
        if isinstance(file, np.ndarray):
            refuse("frames", "a file of several arrays", f"`{path}`, which has one")
        with file:
            return {key: file[key] for key in file.files}, None
    except (EOFError, zipfile.BadZipFile, ValueError) as error:
        if is_refusal(error):
            raise
        raise ValueError(f"`{path}` is damaged, or no file of NumPy.") from error


def _from_netcdf(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a NetCDF file, and their units."""
    try:
        import xarray
    except ImportError as error:
        cure = "pip install xarray 'h5netcdf[h5py]'"
        raise ImportError(f"NetCDF needs xarray, the extra `data`: {cure}") from error
    path.open("rb").close()
    try:
        # Times are numbers, whatever their units.
        with xarray.open_dataset(path, decode_times=False) as file:
            data = file.load()
    except (OSError, ValueError) as error:
        raise ValueError(f"`{path}` is damaged, or no NetCDF file.") from error
    arrays = {str(key): np.asarray(data[key].values) for key in data.variables}
    units = {str(key): data[key].attrs.get("units") for key in data.variables}
    return arrays, {key: str(each) for key, each in units.items() if each is not None}


READERS: dict[str, Any] = {".npz": _from_numpy, ".nc": _from_netcdf}


def _frames(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The frames as complex numbers."""
    parts = [arrays[each] for each in (f"{name}_real", f"{name}_imag") if each in arrays]
    if name in arrays:
        psi = arrays[name]
        if psi.dtype.kind == "f" and psi.ndim == 4 and psi.shape[-1] == 2:
            psi = psi[..., 0] + 1j * psi[..., 1]
    elif len(parts) == 2 and parts[0].shape == parts[1].shape:
        psi = parts[0] + 1j * parts[1]
    else:
        wanted = f"a file with `{name}`, or with `{name}_real` and `{name}_imag`, of one shape"
        refuse("frames", wanted, f"one with {sorted(arrays)}")
    if psi.dtype.kind != "c":
        refuse(f"frames[{name!r}]", "an array of complex numbers", of_array(psi))
    return psi


def _require_axes(psi: np.ndarray, x: np.ndarray, t: np.ndarray, v: np.ndarray) -> None:
    """Refuse arrays whose axes do not fit together."""
    for key, axis in (("x", x), ("t", t)):
        if axis.ndim != 1:
            refuse(f"frames[{key!r}]", "of one axis", f"of shape {axis.shape}")
    end = f"{len(t)}, {len(x)}), by the lengths of t and x"
    if psi.ndim != 3 or psi.shape[1:] != (len(t), len(x)):
        refuse("frames['psi']", f"of shape (n_run, {end}", f"of shape {psi.shape}")
    if v.shape != (len(psi), len(x)):
        wanted = f"of shape {(len(psi), len(x))}, one for each run, or {(len(x),)}"
        refuse("frames['v']", wanted, f"of shape {v.shape}")


def report(path: pathlib.Path, name: str = "psi") -> runner.Results:
    """Return the law of the runs of a file, what moves, what is conserved, and what was visited."""
    runs = read(path, name)
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
    conserved = _conserved(names, numbers, means["1"])
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
        **conserved,
        "seen": {
            "k": _range(np.fft.fftshift(grid.wavenumbers()), waves),
            "x": _range(runs.x, places),
            "largest |psi|^2": float(density.max()),
            "V": _range(*_sorted(runs.v.ravel(), density.mean(axis=1).ravel())),
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


def _conserved(names: list[str], numbers: np.ndarray, norms: np.ndarray) -> dict[str, Any]:
    """The combinations whose expectation values are conserved, and their drifts."""
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
            "Conserved: " + _conserved_in_words(found),
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


def _conserved_in_words(found: dict[str, Any]) -> str:
    if found["conserved"]:
        drifts = ", ".join(f"{drift:.1g}" for drift in found["drifts"])
        return f"{'; '.join(found['conserved'])} (together, changes over spreads of {drifts})"
    return "nothing that was looked for" + (f": {found['why']}" if found["why"] else "")
