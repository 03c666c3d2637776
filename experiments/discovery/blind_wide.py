"""Runs of planes and of two channels with hidden physics: `experiments/discovery/blind_wide.py`.

Recordings are made from seeds, each is read as any other would be, and what was found, missed and
falsely claimed is counted, as in `blind.py` for lines.
"""

import dataclasses
import pathlib
from typing import Any

import numpy as np

from experiments import runner
from experiments.discovery import hidden_wide, recordings
from experiments.discovery.blind import upper_bound
from qdistill._checks import require_at_least
from qdistill.insight.discovery import laws


@dataclasses.dataclass(frozen=True)
class Args:
    """Read masses and terms of runs with hidden physics, in a plane and across channels."""

    out: pathlib.Path = pathlib.Path("runs/blind-wide")
    """Folder of the results."""
    files: int = 50
    """Number of recordings with hidden physics; those of even seeds have a plane."""
    seed: int = 100
    """Seed of the first of them."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, files=1)


def blind(args: Args) -> runner.Results:
    """Make recordings, read them, and count."""
    require_at_least(1, files=args.files)
    rows = []
    for seed in range(args.seed, args.seed + args.files):
        rows.append(read_one(seed))
        print(line(rows[-1]), flush=True)
    thresholds = {"margin": laws.MARGIN, "agreeing": laws.AGREEING}
    summary = summarise(rows)
    found = {"thresholds": thresholds, "files": rows, "summary": summary}
    words = "\n".join(f"{name}: {counts}" for name, counts in summary.items())
    return runner.Results(runner.rounded(found, 7), words)


def read_one(seed: int) -> dict[str, Any]:
    """Make one recording, read it, and compare the law with the truth."""
    truth = hidden_wide.draw(seed)
    law, by_dispersion = recordings.read_masses(hidden_wide.make(truth, seed))
    claims = [(name, *law.rivals[name]) for name in law.terms]
    if next(iter(by_dispersion)) != "continuum":
        claims.append(("lattice",))
    single = {claim[0] for claim in claims if len(claim) == 1}
    shared = {name for claim in claims if len(claim) > 1 for name in claim}
    true, masses = set(truth.strengths), np.array(truth.masses)
    is_one = bool(np.ptp(masses) == 0)
    rows = [(truth.strengths[name], *law.terms[name]) for name in law.terms if name in true]
    rows += [(1.0, *each) for each in law.strengths.values()]
    wrong = [name for name, (_, low, high) in law.strengths.items() if not low <= 1 <= high]
    # One mass has one interval.
    n = 1 if law.form == "one mass" else masses.size
    each = (of.ravel()[:n].tolist() for of in (masses, law.masses, law.low, law.high))
    rows += zip(*each, strict=True)
    return {
        "seed": seed,
        "kind": truth.kind,
        "noise": truth.noise,
        "masses": truth.masses,
        "hidden": truth.strengths,
        "claims": ["|".join(claim) for claim in claims],
        "found": sorted(true & single),
        "not told apart": sorted(true & shared - single),
        "missed": sorted(true - single - shared),
        "false": ["|".join(claim) for claim in claims if not set(claim) & true],
        "has one mass": is_one,
        "claims one mass": law.form == "one mass",
        "strengths that exclude 1": wrong,
        "values": [list(row) for row in rows],
        "held": [bool(low <= value <= high) for value, _, low, high in rows],
        "law": recordings.describe_masses(law, by_dispersion),
    }


def summarise(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts over recordings, and the bounds that their number allows."""
    found: dict[str, Any] = {}
    for kind in ("plane", "channels", "all"):
        some = [row for row in rows if kind in (row["kind"], "all")]
        wrong = sum(bool(row["false"]) for row in some)
        values = [value for row in some for value in row["values"]]
        errors = [abs(value / true - 1) for true, value, _, _ in values]
        one = [row for row in some if row["has one mass"]]
        several = [row for row in some if not row["has one mass"]]
        found[kind] = {
            "files": len(some),
            "hidden": sum(len(row["hidden"]) for row in some),
            **{
                key: sum(len(row[key]) for row in some)
                for key in ("found", "not told apart", "missed")
            },
            "files with a false claim": wrong,
            "bound": upper_bound(wrong, len(some)) if some else None,
            "one mass": [sum(row["claims one mass"] for row in one), len(one)],
            "several masses": [sum(not row["claims one mass"] for row in several), len(several)],
            "intervals": len(values),
            "intervals that hold the truth": sum(sum(row["held"]) for row in some),
            "files with a strength that excludes 1": sum(
                bool(row["strengths that exclude 1"]) for row in some
            ),
            "explained": sum(row["law"]["explained"] for row in some),
            "median error": float(np.median(errors)) if errors else None,
        }
    return found


def line(row: dict[str, Any]) -> str:
    """Return one recording as text."""
    told = ", ".join(f"{name} {value:.2g}" for name, value in row["hidden"].items())
    words = f"{row['seed']:5d} {row['kind']:8} noise {row['noise']:.0e} {told or 'nothing':32}"
    words += f" claims {', '.join(row['claims']) or 'nothing'}"
    missed, false = ", ".join(row["missed"]), ", ".join(row["false"])
    masses = (
        f"{row['law']['form']}{'' if row['has one mass'] == row['claims one mass'] else ' WRONG'}"
    )
    return (
        f"{words}; {masses}" + f" MISSED {missed}" * bool(missed) + f" FALSE {false}" * bool(false)
    )


if __name__ == "__main__":
    runner.main(blind, Args, smoke)
