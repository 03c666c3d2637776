"""What each process teaches: lessons with matched packets, each against its placebo.

`python experiments/placebos/placebos.py` trains a student on every coalition of processes. A
process outside of the coalition is replaced by its placebo: the same packets, without the process.
"""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np
from jaxtyping import Float

from experiments import runner
from experiments.corrections.study import summarise
from experiments.placebos import attribution, coalitions, placebos_figure
from experiments.placebos.coalitions import BUDGETS, ROUNDING, SYMMETRIES, Table, Tests
from experiments.placebos.processes import PROCESSES
from qdistill._checks import require_at_least
from qdistill.insight.importance import games, skill
from qdistill.insight.symmetries import make_symmetries
from qdistill.physics.families import SHARP
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import chebyshev


@dataclasses.dataclass(frozen=True)
class Args:
    """Train on all coalitions of processes, and measure what each process teaches."""

    budgets: tuple[str, ...] = ("short",)
    """Names of students with their trainings, of `coalitions.BUDGETS`."""
    seeds: int = 10
    """Trainings of each coalition."""
    cases: int = 4
    """Test cases of each family of potentials, and of each process."""
    frames: int = 60
    """Frames of a forecast."""
    attribute: bool = True
    """Whether to compare with the in-run attribution."""
    seed: int = 0
    """Seed of the first training."""
    kept: pathlib.Path = pathlib.Path("runs/placebos-trainings")
    """Folder of the errors of trainings, which are not repeated."""
    out: pathlib.Path = pathlib.Path("runs/placebos")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    kept = args.out / "trainings"
    return dataclasses.replace(args, budgets=("smoke",), seeds=2, cases=1, frames=24, kept=kept)


def measure(args: Args) -> runner.Results:
    """Measure the trainings of all budgets."""
    require_at_least(1, seeds=args.seeds, cases=args.cases, frames=args.frames)
    system = coalitions.SYSTEM
    if args.smoke:
        system = System(Grid(160, 100.0), bounds=(-16.0, 16.0))
    tests = coalitions.make_tests(system, args.seed, args.cases, args.frames)
    seeds = [args.seed + i for i in range(args.seeds)]
    found: dict[str, Any] = {
        "processes": list(PROCESSES),
        "families": list(dict.fromkeys(tests.of_potentials.family)),
        "contact": _contact(tests, system),
        "violations by the exact solver": _exact(tests, args.frames, system),
        "budgets": {},
    }
    for name in args.budgets:
        table = coalitions.measure(name, seeds, tests, args.frames, args.kept, print, system)
        found["budgets"][name] = describe(table, found["families"])
        if args.attribute and BUDGETS[name].student.build(system).n_history == 1:
            cheap = attribution.attribute(BUDGETS[name], seeds, tests.of_potentials, system)
            found["budgets"][name]["in-run"] = compare(cheap, table, found["families"])
    figures = {"placebos": placebos_figure.plot(found)}
    return runner.Results(runner.rounded(found), report(found), figures)


def _contact(tests: Tests, system: System) -> dict[str, float]:
    each = coalitions.contact(tests.of_processes, system.grid.dx[0])
    return dict(zip(PROCESSES, each.tolist(), strict=True))


def _exact(tests: Tests, n_frames: int, system: System) -> dict[str, float]:
    """The violations of symmetries by the exact solver, medians over cases."""
    wide = dataclasses.replace(system, bounds=coalitions.WIDE)
    solver, claims = chebyshev(wide), make_symmetries(system.grid)

    def of(name: str) -> float:
        measured = jax.jit(
            lambda pairs: jax.lax.map(
                lambda case: coalitions.violation(
                    solver, claims[name].claim, case[0][:, None], case[1], n_frames
                ),
                pairs,
            )
        )(tests.pairs)
        return float(np.median(measured))

    return {name: of(name) for name in SYMMETRIES}


def columns(table: Table, names: list[str]) -> dict[str, Float[np.ndarray, "n_seed n_coalition"]]:
    """Return the values of coalitions: decades of error on every test, and of violation."""
    of_processes, of_potentials = skill(table.processes), skill(table.potentials)
    is_smooth = np.array([name not in SHARP for name in names])
    values = {f"test of {name}": of_processes[..., i] for i, name in enumerate(PROCESSES[:-1])}
    for name, chosen in (("smooth potentials", is_smooth), ("sharp potentials", ~is_smooth)):
        values[name] = of_potentials[..., chosen].mean(axis=-1)
    if np.isfinite(table.violations).all():
        kept = -np.log10(np.maximum(table.violations, ROUNDING)).mean(axis=-1)
        values |= {f"symmetry: {name}": kept[..., i] for i, name in enumerate(SYMMETRIES)}
    return values


def describe(table: Table, families: list[str]) -> dict[str, Any]:
    """Return Shapley values with t intervals over the seeds, and all errors by coalition."""
    found: dict[str, Any] = {}
    for name, values in columns(table, families).items():
        shares = games.shapley(values)
        found[name] = {
            "all placebos": summarise(values[:, 0]),
            "all processes": summarise(values[:, -1]),
            "share": {p: summarise(shares[:, i]) for i, p in enumerate(PROCESSES)},
            "twins differ": summarise(shares[:, 0] - shares[:, -1]),
            # The twins are one lesson, and earn their sum.
            "over scattering": {
                p: summarise(shares[:, i] - shares[:, 0] - shares[:, -1])
                for i, p in enumerate(PROCESSES)
                if not p.startswith("scattering")
            },
            # Raw values, by seed and coalition.
            "values": values.tolist(),
            **_medians(name, table),
        }
    return found


def _medians(name: str, table: Table) -> dict[str, Any]:
    """The median error on the test of a process by coalition, over seeds and cases."""
    tests = [f"test of {process}" for process in PROCESSES]
    if name not in tests:
        return {}
    errors = table.processes[:, :, tests.index(name)]
    return {"median error": np.median(errors, axis=(0, 2)).tolist()}


def compare(
    cheap: Float[np.ndarray, "n_seed n_process n_family"], table: Table, families: list[str]
) -> dict[str, Any]:
    """Return the in-run attribution next to the exact shares, on smooth and sharp potentials."""
    found = {}
    is_smooth = np.array([name not in SHARP for name in families])
    values = columns(table, families)
    for name, chosen in (("smooth potentials", is_smooth), ("sharp potentials", ~is_smooth)):
        exact = games.shapley(values[name])
        own = cheap[..., chosen].mean(axis=-1)
        found[name] = {
            "share": {p: summarise(own[:, i]) for i, p in enumerate(PROCESSES)},
            "correlation of means": float(np.corrcoef(own.mean(0), exact.mean(0))[0, 1]),
            "correlation by seed": summarise(
                np.array([np.corrcoef(a, b)[0, 1] for a, b in zip(own, exact, strict=True)])
            ),
            "sum over exact sum": float(own.sum(1).mean() / exact.sum(1).mean()),
        }
    return found


def report(found: dict[str, Any]) -> str:
    """Return the shares as text."""
    lines = []
    for budget, rows in found["budgets"].items():
        lines.append(f"{budget:34}{'placebos':>9}{'all':>7}" + "".join(
            f"{name:>20}" for name in found["processes"]
        ))  # fmt: skip
        for name, row in rows.items():
            if name == "in-run":
                continue
            cells = "".join(_cell(share) for share in row["share"].values())
            ends = f"{row['all placebos']['mean']:9.2f}{row['all processes']['mean']:7.2f}"
            lines.append(f"{name:34}{ends}{cells}")
        for name, row in rows.get("in-run", {}).items():
            cells = "".join(_cell(share) for share in row["share"].values())
            lines.append(f"in-run, {name:26}{'':16}{cells}")
    return "\n".join(lines)


def _cell(share: dict[str, Any]) -> str:
    low, high = share.get("low", share["mean"]), share.get("high", share["mean"])
    return f"{share['mean']:6.2f} ({low:5.2f},{high:5.2f})"


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
