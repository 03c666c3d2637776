"""Files with hidden physics, and what is found in them: `experiments/discovery/blind.py`.

With `--unlisted` what is hidden has no form on any list.

Files are made from seeds, each is read as any other would be, and what was found, missed and
falsely claimed is counted.
"""

import contextlib
import dataclasses
import functools
import multiprocessing
import pathlib
import tempfile
from concurrent import futures
from typing import Any

import numpy as np
import scipy.special

from experiments import runner
from experiments.discovery import blind_figure, hidden, recording_files, recordings
from qdistill._checks import require_at_least
from qdistill.insight import discovery
from qdistill.insight.discovery import Law, laws

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
    "W(x)": ("potential",),
    "-i w(x)": ("local absorber",),
    "f(V)": ("shape",),
    "g(|psi|^2)": ("quintic",),
    "F(t) x": ("drive",),
}
# Largest error of the place of a mirror in bohr.
NEAR = 0.1
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
    """Read the laws of files with hidden physics."""

    out: pathlib.Path = pathlib.Path("runs/blind")
    """Folder of the results."""
    files: int = 50
    """Number of files of hidden physics."""
    seed: int = 0
    """Seed of the first of them."""
    unlisted: bool = False
    """Hide what is on no list of terms."""
    workers: int = 1
    """Processes that read files side by side."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, files=1)


def blind(args: Args) -> runner.Results:
    """Make files, read them, and count."""
    require_at_least(1, files=args.files)
    require_at_least(1, workers=args.workers)
    rows, seeds = [], range(args.seed, args.seed + args.files)
    read = functools.partial(read_one, is_unlisted=args.unlisted)
    with contextlib.ExitStack() as stack:
        each: Any = map
        if args.workers > 1:
            apart = multiprocessing.get_context("spawn")
            each = stack.enter_context(futures.ProcessPoolExecutor(args.workers, apart)).map
        for row in each(read, seeds):
            rows.append(row)
            print(line(row), flush=True)
    thresholds = {
        "margin": laws.MARGIN,
        "unnamed": laws.UNNAMED,
        "agreeing": laws.AGREEING,
    }
    found = {"thresholds": thresholds, "files": rows, "summary": summarise(rows)}
    figure = blind_figure.plot(rows)
    return runner.Results(
        runner.rounded(found), table(found), {} if figure is None else {"functions": figure}
    )


def read_one(seed: int, is_unlisted: bool) -> dict[str, Any]:
    """Make one file, and read it."""
    truth = (hidden.draw_unlisted if is_unlisted else hidden.draw)(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / f"{seed}.npz"
        hidden.write(hidden.Args(path, seed, is_unlisted))
        return score(seed, truth, recording_files.read(path))


def score(seed: int, truth: hidden.Hidden, runs: recording_files.Runs) -> dict[str, Any]:
    """Read one file, and compare the law with the truth."""
    law = discovery.find_law(*runs.of_line)
    mirrors, true = recordings.find_mirrors(runs, law), set(truth.strengths)
    claims = claims_of(law)
    if hidden.MIRROR in true:
        # A part of the potential is hidden there.
        true.add("potential")
    unknown = [place for place in mirrors["law"] if not _is_among(place, mirrors["V alone"])]
    if unknown:
        is_right = hidden.MIRROR in true and _is_among(hidden.shapes(seed).middle, unknown)
        claims.append((hidden.MIRROR if is_right else "wrong mirror",))
    single = {claim[0] for claim in claims if len(claim) == 1}
    shared = {label for claim in claims if len(claim) > 1 for label in claim}
    described = recordings.describe(law)
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
        "false": ["|".join(each) for each in claims if not set(each) & true],
        "values": covered,
        "functions": _compare(seed, truth, law),
        "mirrors": mirrors,
        "law": described,
        "conserved": recordings.look_by(law, runs)["conserved"],
    }


def _is_among(place: float, places: list[float]) -> bool:
    return any(abs(place - each) < NEAR for each in places)


def _compare(seed: int, truth: hidden.Hidden, law: Law) -> dict[str, list[float]]:
    """The error of each function, relative to the true one, and the share of it in the interval."""
    found = {}
    for name, each in law.functions.items():
        true = hidden.truths(seed, truth, each.at, each.at, each.at, each.at)
        for kind in {*CLAIMS[name], *([hidden.MIRROR] if name == "W(x)" else [])} & set(true):
            error = np.linalg.norm(each.values - true[kind]) / np.linalg.norm(true[kind])
            is_within = (each.low <= true[kind]) & (true[kind] <= each.high)
            found[kind] = [float(error), float(is_within.mean())]
    return found


def claims_of(law: Law) -> list[tuple[str, ...]]:
    """Return what a law claims besides k^2 / 2 + V; a claim has several names if they fit alike."""
    claims: list[tuple[str, ...]] = []
    if law.form != laws.USUAL:
        forms = [CLAIMS[form] for form in (law.form, *law.alike) if form in CLAIMS]
        common = [label for label in forms[0] if all(label in each for each in forms)]
        claims += [(label,) for label in common]
        rest = {label for each in forms for label in each if label not in common}
        claims += [tuple(sorted(rest))] if rest else []
    for term in (*law.terms, *law.functions):
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
        for kind in (*hidden.KINDS, *hidden.UNLISTED)
        if any(kind in row["hidden"] for row in rows)
    }
    functions = np.array([each for row in rows for each in row["functions"].values()])
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
        "functions": len(functions),
        **(
            {
                "median error of functions": float(np.median(functions[:, 0])),
                "median share of functions in intervals": float(np.median(functions[:, 1])),
            }
            if len(functions)
            else {}
        ),
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
