"""The physics of recorded runs: `experiments/discovery/blind.py --frames FILE`.

Without a file it makes files with hidden physics from seeds, reads each as it would any other, and
counts what was found, missed and falsely claimed.
"""

import dataclasses
import pathlib
import tempfile
import zipfile
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
import scipy.special

from experiments import runner
from experiments.discovery import hidden
from qdistill._checks import refuse, require_at_least
from qdistill.insight import discovery
from qdistill.insight.discovery import Law, laws
from qdistill.physics.grid import Grid
from qdistill.runs import export
from qdistill.system import System

# Share of the probability within the ranges that count as visited.
VISITED = 0.999
# Other names of the arrays of a file.
NAMES = {"x": ("x",), "t": ("t", "times"), "v": ("v", "potential")}
# What a dispersion or a term claims, in the words of `hidden`; of other terms their own name.
CLAIMS: dict[str, tuple[str, ...]] = {
    laws.LATTICE: ("lattice",),
    "k^2/2m": ("mass",),
    "lattice, mass": ("lattice", "mass"),
    "k^2/2 + b k^4": ("quartic",),
    "relativistic": ("relativistic",),
    "k^2/2m + b k^4": ("mass", "quartic"),
    "relativistic, mass": ("mass", "relativistic"),
    laws.FREE: ("unnamed dispersion",),
    "V": ("coupling",),
    "-i": ("absorber",),
    "|psi|^2": ("nonlinear",),
    "V p^2": ("nonlocal",),
    "p": ("drift",),
}
# The coefficient that each hidden strength is, as `discovery.find_law` gives it.
COEFFICIENTS: dict[str, tuple[str, Any]] = {
    "mass": ("1/m", lambda s: 1 + s),
    "quartic": ("b", lambda s: s),
    "relativistic": ("1/c^2", lambda s: s),
    "coupling": ("V", lambda s: 1 + s),
    "absorber": ("-i", lambda s: s),
    "nonlinear": ("|psi|^2", lambda s: s),
    "nonlocal": ("V p^2", lambda s: -(s**2) / 4),
    "drift": ("p", lambda s: s),
}


@dataclasses.dataclass(frozen=True)
class Args:
    """Read the law of recorded runs, or of files with hidden physics."""

    frames: pathlib.Path | None = None
    """File with `psi` (n_run, n_t, n_x), `v`, `t` and `x`, `.npz` or `.nc`; by default files of
    hidden physics are made."""
    name: str = "psi"
    """Name of the frames in the file, such as `forecast`."""
    out: pathlib.Path = pathlib.Path("runs/blind")
    """Folder of the results."""
    files: int = 50
    """Number of files of hidden physics."""
    seed: int = 0
    """Seed of the first of them."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, files=1)


class Runs(NamedTuple):
    """The content of a file: positions, times, potentials and frames."""

    x: np.ndarray
    t: np.ndarray
    v: np.ndarray
    psi: np.ndarray


def read(path: pathlib.Path, name: str = "psi") -> Runs:
    """Read recorded runs from a file that `qdistill.runs.export.write` wrote, or one like it.

    Raises:
      ValueError: For another suffix, or a file without the frames, the potential, times or x.
      OSError: If it cannot be read.
    """
    path = pathlib.Path(path)
    if path.suffix == ".nc":
        data: Any = export.read_netcdf(path)
        arrays = {key: np.asarray(data[key].values) for key in data.variables}
    elif path.suffix == ".npz":
        try:
            file = np.load(path)
            if isinstance(file, np.ndarray):
                refuse("frames", "a file of several arrays", f"`{path}`, which has one")
            with file:
                arrays = {key: file[key] for key in file.files}
        except (EOFError, zipfile.BadZipFile, ValueError) as error:
            if "Argument" in str(error):
                raise
            raise ValueError(f"`{path}` is damaged, or no file of NumPy: {error}") from error
    else:
        refuse("frames", "a file that ends in .npz or .nc", f"`{path}`")
    found = {}
    for key, names in (NAMES | {"psi": (name,)}).items():
        known = [each for each in names if each in arrays]
        if not known:
            refuse("frames", f"a file with `{names[0]}`", f"one with {sorted(arrays)}")
        found[key] = arrays[known[0]]
    if found["v"].ndim == 1 and found["psi"].ndim == 3:
        found["v"] = np.broadcast_to(found["v"], (len(found["psi"]), len(found["v"])))
    for name, kinds in (("psi", "c"), ("v", "fiu"), ("t", "fiu"), ("x", "fiu")):
        if found[name].dtype.kind not in kinds:
            wanted = "complex numbers" if kinds == "c" else "real numbers"
            refuse(f"frames[{name!r}]", wanted, f"of type {found[name].dtype}")
    psi = found["psi"].astype(np.complex64)
    return Runs(found["x"], found["t"], found["v"].astype(np.float32), psi)


def blind(args: Args) -> runner.Results:
    """Read one file, or make files and read them."""
    if args.frames is not None:
        runs = read(args.frames, args.name)
        law = discovery.find_law(*runs)
        found = {"law": describe(law), **look(runs)}
        return runner.Results(runner.rounded(found), in_words(law, found))
    require_at_least(1, files=args.files)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(args.seed, args.seed + args.files):
            path = pathlib.Path(folder) / f"{seed}.npz"
            hidden.write(hidden.Args(path, seed))
            rows.append(score(seed, read(path)))
            print(line(rows[-1]), flush=True)
    thresholds = {
        "margin": laws.MARGIN,
        "unnamed": laws.UNNAMED,
        "agreeing": laws.AGREEING,
    }
    found = {"thresholds": thresholds, "files": rows, "summary": summarise(rows)}
    return runner.Results(runner.rounded(found), table(found))


def look(runs: Runs) -> dict[str, Any]:
    """Return what moves, what is conserved, and what was visited."""
    dx, dt = float(np.diff(runs.x).mean()), float(np.diff(runs.t).mean())
    n_x = len(runs.x)
    grid = Grid(n_x, n_x * dx, "continuum", origin=float(runs.x[0]) - dx)
    system = System(grid, dt)
    parts = []
    for v, psi in zip(runs.v, runs.psi, strict=True):
        more = {"|psi|^2": lambda psi: jnp.abs(psi) ** 2 * psi}
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


def _conserved(names: list[str], numbers: np.ndarray, norms: np.ndarray) -> dict[str, Any]:
    """The combinations whose expectation values are conserved, and their drifts."""
    change = float(np.max(np.abs(norms[-1] / norms[0] - 1)))
    if change > laws.MARGIN:
        return {"conserved": [], "drifts": [], "why": f"the norm changes by {change:.1g}"}
    if numbers[0].size < len(names):
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
            "Not seen: wave numbers beyond {:.3g} and {:.3g}, x beyond {:.3g} and {:.3g},".format(
                low, high, *seen["x"]
            ),
            "  V beyond {:.3g} and {:.3g}, |psi|^2 above {:.3g},".format(
                *seen["V"], seen["largest |psi|^2"]
            ),
            f"  what takes longer than {seen['duration']:.3g} a.u., and terms that are not in "
            f"{', '.join(laws.TERMS)}.",
        ]
    )


def _conserved_in_words(found: dict[str, Any]) -> str:
    if found["conserved"]:
        return f"{'; '.join(found['conserved'])} (drift at most {max(found['drifts']):.1g})"
    return "nothing that was looked for" + (f": {found['why']}" if found["why"] else "")


def score(seed: int, runs: Runs) -> dict[str, Any]:
    """Read one file, and compare the law with the truth."""
    truth = hidden.draw(seed)
    law = discovery.find_law(*runs)
    claims = claims_of(law)
    single = {claim[0] for claim in claims if len(claim) == 1}
    shared = {label for claim in claims if len(claim) > 1 for label in claim}
    described = describe(law)
    covered = {}
    for kind, strength in truth.strengths.items():
        name, value = COEFFICIENTS.get(kind, ("", None))
        if name in described["coefficients"]:
            middle, low, high = described["coefficients"][name]
            covered[kind] = [value(strength), middle, low, high]
    return {
        "seed": seed,
        "noise": truth.noise,
        "hidden": truth.strengths,
        "claims": ["|".join(claim) for claim in claims],
        "found": sorted(set(truth.strengths) & single),
        "not told apart": sorted(set(truth.strengths) & shared - single),
        "missed": sorted(set(truth.strengths) - single - shared),
        "false": ["|".join(each) for each in claims if not set(each) & set(truth.strengths)],
        "values": covered,
        "law": described,
        "conserved": look(runs)["conserved"],
    }


def claims_of(law: Law) -> list[tuple[str, ...]]:
    """Return what a law claims besides k^2 / 2 + V; a claim has several names if they fit alike."""
    claims: list[tuple[str, ...]] = []
    if law.form != laws.USUAL:
        forms = [CLAIMS[form] for form in (law.form, *law.alike) if form in CLAIMS]
        common = [label for label in forms[0] if all(label in each for each in forms)]
        claims += [(label,) for label in common]
        rest = {label for each in forms for label in each if label not in common}
        claims += [tuple(sorted(rest))] if rest else []
    for term in law.terms:
        every = [CLAIMS.get(each, (each,))[0] for each in (term, *law.rivals[term])]
        claims.append(tuple(dict.fromkeys(every)))
    return claims


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts over files, and the bounds that their number allows."""
    usual = [row for row in rows if not row["hidden"]]
    wrong = sum(bool(row["false"]) for row in rows)
    values = [each for row in rows for each in row["values"].values()]
    by_kind = {
        kind: {
            key: sum(kind in row[key] for row in rows)
            for key in ("found", "not told apart", "missed")
        }
        for kind in hidden.KINDS
    }
    return {
        "files": len(rows),
        "hidden": sum(len(row["hidden"]) for row in rows),
        **{
            key: sum(len(row[key]) for row in rows) for key in ("found", "not told apart", "missed")
        },
        "false claims": sum(len(row["false"]) for row in rows),
        "files with a false claim": wrong,
        "bound": upper_bound(wrong, len(rows)),
        "usual files": len(usual),
        "usual files with a claim": sum(bool(row["claims"]) for row in usual),
        "usual bound": upper_bound(sum(bool(row["claims"]) for row in usual), len(usual)),
        "intervals": len(values),
        "intervals that hold the truth": sum(low <= true <= high for true, _, low, high in values),
        "kinds": by_kind,
    }


def upper_bound(n: int, n_trial: int, level: float = 0.95) -> float:
    """Return the upper bound of Clopper and Pearson, one-sided, of a rate seen n times.

    For none in n trials it is about 3 / n.

    >>> round(upper_bound(0, 50), 3)
    0.058
    """
    return float(scipy.special.betaincinv(n + 1, n_trial - n, level)) if n < n_trial else 1.0


def line(row: dict[str, Any]) -> str:
    """Return one file as text."""
    truth = ", ".join(f"{kind} {size:.2g}" for kind, size in row["hidden"].items())
    return (
        f"{row['seed']:5} noise {row['noise']:.0e} {truth or hidden.NOTHING:34} claims "
        f"{', '.join(row['claims']) or 'nothing':28} "
        + ("MISSED " + ", ".join(row["missed"]) if row["missed"] else "")
        + (" FALSE " + ", ".join(row["false"]) if row["false"] else "")
    )


def table(found: dict[str, Any]) -> str:
    """Return the counts as text."""
    return "\n".join(f"{name}: {value}" for name, value in found["summary"].items())


if __name__ == "__main__":
    runner.main(blind, Args, smoke)
