"""Corrections by Gauss-Newton steps, for every number of pairs, frame and dispersion.

`python experiments/corrections/newton_grid.py` trains as the presets `demo-newton` and
`informed-2-newton`, one seed of each combination, and reads what was learned.
"""

import dataclasses
import pathlib
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import jax

from experiments import runner
from experiments.corrections import splittings, study, unsmoothed
from experiments.corrections.bench import Bench, Sizes
from experiments.corrections.splittings import CAP_PHASES, Splitting
from experiments.corrections.trainings import DISPERSIONS, FRAMES
from qdistill.physics.grid import Grid
from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.students import Splitting as Student
from qdistill.students import UnitaryConfig
from qdistill.students.unitary import Start
from qdistill.system import System
from qdistill.training.loop import fit

PRESET = {"nothing": "demo-newton", "informed": "informed-2-newton"}


@dataclasses.dataclass(frozen=True)
class Args:
    """Train splittings by Gauss-Newton steps for every combination, and read the correction."""

    starts: tuple[Start, ...] = get_args(Start)
    """From scratch (`nothing`), or from the clamped split step (`informed`)."""
    dispersions: tuple[str, ...] = DISPERSIONS
    """Dispersions of the system."""
    frames: tuple[float, ...] = tuple(FRAMES)
    """Durations of a frame in a.u."""
    seed: int = 0
    """Seed of the trainings."""
    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    """Sizes of the test sets."""
    kept: pathlib.Path = pathlib.Path("runs/newton_grid-measured")
    """Folder of what was measured, which is not repeated."""
    out: pathlib.Path = pathlib.Path("runs/newton_grid")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, starts=("informed",), dispersions=("continuum",), frames=(0.2,),
        sizes=Sizes(2, 2, 5, 10, 2, 2, edges=(0.0,)), kept=args.out / "measured",
    )  # fmt: skip


def combinations(args: Args) -> Iterator[tuple[Start, str, float, int]]:
    """Return start, dispersion, frame and number of pairs of every training."""
    for dt in args.frames:
        for start in args.starts:
            for dispersion in args.dispersions:
                for n_pairs in FRAMES[dt]:
                    yield start, dispersion, dt, n_pairs


def config_of(start: Start, dispersion: str, dt: float, n_pairs: int, is_small: bool) -> Config:
    """Return the settings of a training."""
    config = presets.PRESETS[PRESET[start]][1]
    form = UnitaryConfig(n_pairs, smooth=True)
    if start == "informed":
        form = UnitaryConfig(n_pairs, start, CAP_PHASES[n_pairs] / dt)
    config = dataclasses.replace(
        config,
        system=System(Grid(1024, 100.0, dispersion), dt, bounds=(-16.0, 16.0)),
        student=form,
    )
    return unsmoothed.reduced(config) if is_small else config


def train(config: Config, seed: int) -> Splitting:
    """Return the splitting after a training."""
    setup = folder.set_up(config)
    assert isinstance(setup.student, Student)
    state = setup.trainers[0].init(jax.random.key(seed))
    for last, _ in fit(setup.trainers, config.training.boundaries, state):
        state = last
    return splittings.of_parameters(setup.student, state.params)


def read(args: Args) -> runner.Results:
    """Train and read every combination."""
    bench, rows = Bench(args.sizes, args.kept), {}
    for start, dispersion, dt, n_pairs in combinations(args):
        name = f"{start}-{dispersion}-{n_pairs}-dt{dt:g}"
        config = config_of(start, dispersion, dt, n_pairs, args.smoke)
        found = bench.keep(f"newton-{name}-seed{args.seed}", measure, config, args.seed)
        rows[name] = {"start": start, **found}
        print(f"{name}: {line(rows[name])}", flush=True)
    results = {"unit": "h^2 / 24 with h = dt / n_pairs", "trainings": rows}
    return runner.Results(runner.rounded(results), table(results))


def measure(config: Config, seed: int, bench: Bench) -> dict[str, Any]:
    """Return what a training learned, with its errors, next to theory."""
    made = train(config, seed)
    n_pairs = made.n_pairs
    theory = {"share": 0.5, "gradient": -1.0}
    if n_pairs > 1:
        shares, gradient = study.fourth_order(n_pairs)
        theory = {"share": float(shares[0]), "gradient": gradient}
    return {
        **study.measure(made, bench),
        "error": unsmoothed.errors(made, bench),
        "theory": theory,
    }


def line(row: Mapping[str, Any]) -> str:
    """Return the numbers of a training as text, each before that of theory."""
    of, theory = row["ensembles"]["medium"], row["theory"]
    errors = ", ".join(f"{kind} {error:.1e}" for kind, error in row["error"].items())
    return (
        f"share {row['shares'][0]:.3f} ({theory['share']:.3f}), (V')^2 {of['gradient']:.2f} "
        f"({theory['gradient']:.2f}), beta - alpha {of['invariant']:.2f} (0); {errors}"
    )


def table(found: Mapping[str, Any]) -> str:
    """Return the numbers of all trainings."""
    return "\n".join(f"{name:30} {line(row)}" for name, row in found["trainings"].items())


if __name__ == "__main__":
    runner.main(read, Args, smoke)
