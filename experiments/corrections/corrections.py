"""Measure the corrections that splittings learned: `experiments/corrections/corrections.py`."""

import dataclasses
import pathlib
from typing import Any

from tqdm.auto import tqdm

from experiments import runner
from experiments.corrections import figure, study, trainings
from experiments.corrections.bench import Bench, Sizes
from qdistill._checks import require_one_of
from qdistill.physics.grid import Grid
from qdistill.system import System

# The packaged emulators that are measured on edges.
EDGES = ("demo", "unitary", "informed-2")


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare the corrections that splittings learned with theory, and with null models."""

    packaged: tuple[str, ...] = study.PACKAGED
    """Names of packaged emulators to measure."""
    train: bool = True
    """Train what is not finished; else only finished trainings are measured."""
    trained: pathlib.Path = pathlib.Path("runs/corrections-trainings")
    """Folder of the trainings, which are continued where they stopped."""
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    """Sizes of the test sets."""
    out: pathlib.Path = pathlib.Path("runs/corrections")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    sizes = Sizes(2, 2, 5, 10, 2, 2, edges=(0.0,))
    return dataclasses.replace(
        args, packaged=("demo",), sizes=sizes, trained=args.out / "trainings"
    )


def compare(args: Args) -> runner.Results:
    """Train and measure the splittings, and return the comparison."""
    for name in args.packaged:
        require_one_of(study.PACKAGED, packaged=name)
    bench = Bench(args.sizes, args.trained / "measured")
    plan = [trainings.Training("informed")] if args.smoke else list(trainings.all_of_them())
    if not args.train:
        plan = [each for each in plan if trainings.is_finished(each, args.trained)]
    rows = {}
    for each in tqdm(plan, unit="training", leave=False, disable=None):
        made = trainings.train(each, args.trained, args.smoke)
        parts: tuple[str, ...] = ("interventions",) if each.is_repeated else ()
        row = bench.keep(each.name, study.emulator, made, parts)
        rows[each.name] = row | {"start": each.start, "seed": each.seed}
    learned = {}
    for name in args.packaged:
        parts = ("untrained", "interventions", *(("edges",) if name in EDGES else ()))
        learned[name] = bench.keep(name, study.emulator, study.load(name), parts)
    found: dict[str, Any] = {
        "unit": "h^2 / 24 with h = dt / n_pairs",
        "ensembles": ensembles(bench),
        "packaged": learned,
        "trainings": rows,
        "over seeds": study.over_seeds(rows),
        "solvers": solvers(args, rows, bench),
    }
    return runner.Results(found, table(found), {"corrections": figure.plot(found)})


def ensembles(bench: Bench) -> dict[str, Any]:
    """Return what defines the ensembles, and how steep they are."""
    grid = study.box_of(System(Grid()))
    return {
        name: dataclasses.asdict(ensemble)
        | study.fits.steepness(grid, bench.potentials(grid, name))
        for name, ensemble in study.ENSEMBLES.items()
    }


def solvers(args: Args, rows: dict[str, Any], bench: Bench) -> dict[str, Any]:
    """Return the solvers and null models of every system and number of pairs that was trained."""
    kinds = {(row["dispersion"], row["n_pairs"], row["dt"]) for row in rows.values()}
    if not args.smoke:
        kinds |= {(kind, n, 0.1) for kind in trainings.DISPERSIONS for n in trainings.PAIRS}
    found = {}
    for dispersion, n_pairs, dt in sorted(kinds):
        system = System(Grid(1024, 100.0, dispersion), dt)
        name = f"{dispersion}-{n_pairs}-dt{dt:g}"
        found[name] = bench.keep(name, study.solvers, system, n_pairs)
    return found


def table(found: dict[str, Any]) -> str:
    """Return the coefficients as text, in units of h^2 / 24."""
    lines = [f"{'':36}{'share':>7}{'(V-)^2':>9}{'alpha':>8}{'beta':>8}{'inv.':>8}{'energies':>10}"]
    rows = found["packaged"] | found["trainings"]
    for place, each in found["solvers"].items():
        names = ("strang", "takahashi-imada", "fourth order")
        rows |= {f"{name}, {place}": each[name] for name in names if name in each}
    for name, row in rows.items():
        of = row["ensembles"]["medium"]
        numbers = [of[key] for key in ("gradient", "alpha", "beta", "invariant")]
        words = "".join(f"{number:8.2f}" for number in numbers)
        lines.append(
            f"{name:36}{row['shares'][0]:7.3f} {words}{row['energies']['invariant']:10.2f}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(compare, Args, smoke)
