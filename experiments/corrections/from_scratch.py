"""Splittings from scratch, trained for long: `experiments/corrections/from_scratch.py RUN ...`.

The question was fixed before the trainings, in results/learned.md: is the coefficient of (V')^2
negative, and are the energies of fourth order?
"""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import tyro

from experiments import emulators, runner
from experiments.corrections import splittings, study
from experiments.corrections.bench import Bench, Sizes
from experiments.corrections.study import summarise
from qdistill._checks import require_at_least

# The ensemble of potentials for which the question was asked.
ASKED = "medium"


@dataclasses.dataclass(frozen=True)
class Args:
    """Read the correction of trainings that differ in their seed, and answer the question."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Folders of the runs."""
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    """Sizes of the test sets."""
    out: pathlib.Path = pathlib.Path("runs/from_scratch")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, sizes=Sizes(2, 2, 5, 10, 2, 2, edges=(0.0,)))


def read(args: Args) -> runner.Results:
    """Measure every run, and summarise."""
    require_at_least(2, runs=len(args.runs))
    bench = Bench(args.sizes, args.out / "measured")
    loaded = emulators.load(args.runs)
    rows = {
        name: study.measure(splittings.of_emulator(made), bench) for name, made in loaded.items()
    }
    found = {"unit": "h^2 / 24 with h = dt / n_pairs", "trainings": rows, **answer(rows)}
    return runner.Results(runner.rounded(found), table(found))


def answer(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return means with 95% t intervals over trainings, and what they say.

    `is negative`: the interval of the coefficient of (V')^2 lies below 0. `is of fourth order`:
    that of beta - alpha contains 0 and excludes 1, the value of Strang's splitting.
    """
    over = {"share of the end kicks": summarise(row["shares"][0] for row in rows.values())}
    for name in study.ENSEMBLES:
        over[f"gradient, {name}"] = summarise(
            row["ensembles"][name]["gradient"] for row in rows.values()
        )
    for key in ("curvature", "alpha", "beta", "invariant"):
        over[key] = summarise(row["ensembles"][ASKED][key] for row in rows.values())
    over["shift of energies"] = summarise(row["energies"]["invariant"] for row in rows.values())
    gradient, invariant = over[f"gradient, {ASKED}"], over["invariant"]
    is_zero = invariant["low"] <= 0 <= invariant["high"]
    is_one = invariant["low"] <= 1 <= invariant["high"]
    return {
        "over seeds": over,
        "is negative": bool(gradient["high"] < 0),
        "is of fourth order": bool(is_zero and not is_one),
    }


def table(found: Mapping[str, Any]) -> str:
    """Return the means and intervals as text."""
    lines = [
        f"{name:26}{row['mean']:8.2f}  ({row['low']:.2f} to {row['high']:.2f})"
        for name, row in found["over seeds"].items()
    ]
    return "\n".join(
        [*lines, f"negative: {found['is negative']}, fourth order: {found['is of fourth order']}"]
    )


if __name__ == "__main__":
    runner.main(read, Args, smoke)
