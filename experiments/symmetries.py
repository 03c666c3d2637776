"""Audit symmetries of emulators: `python experiments/symmetries.py runs/demo runs/gru`."""

import dataclasses
import pathlib
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
import tyro

from experiments import emulators, filtered, nulls_figure, runner
from qdistill import plots
from qdistill.insight import harness, symmetries
from qdistill.insight.harness import BY_RATIO, EXACT, Ensembles
from qdistill.students import Emulator
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Args:
    """Audit emulators, and the exact solver as the positive control, for every symmetry."""

    runs: tyro.conf.Positional[tuple[str, ...]]
    """Packaged names, files or folders of runs, of one system; seeds of a training are one row."""
    out: pathlib.Path = pathlib.Path("runs/symmetries")
    """Folder of the results."""
    nulls: tuple[int, ...] = (1, 2)
    """Numbers of FFT pairs per frame of the null models of linear students, clamped split steps."""
    schemes: tuple[str, ...] = tuple(emulators.NULLS)
    """Schemes of these split steps."""
    smoothings: tuple[float, ...] = ()
    """Widths in bohr of Gaussians that smooth V in further null models, clamped split steps."""
    theory: bool = False
    """Whether split steps with filters of V by perturbation theory are null models too."""
    networks: int = 1
    """Number of random networks in the null model of each student that is not linear."""
    cases: int = 24
    """Number of cases of every kind of potential and packet."""
    frames: int = 40
    """Frames of a forecast."""
    seed: int = 0
    """Random seed of the cases."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, cases=2, frames=4, nulls=(2,), schemes=("clamped",))


def disturb(
    ensembles: Mapping[str, Sequence[Emulator]], system: System, args: Args
) -> dict[str, list[harness.Disturbed]]:
    """Return null models of emulators that are not linear, matched on the cases of the audit."""
    n_history = max(each.n_history for each, *_ in ensembles.values())
    if all(each.is_linear for each, *_ in ensembles.values()):
        return {}
    system = dataclasses.replace(system, bounds=None)
    sizes = (args.cases, n_history, args.frames)
    claims = symmetries.make_symmetries(system.grid)
    exact, cases = symmetries.sample_cases(jax.random.key(args.seed), system, *sizes, claims)
    psi = jnp.concatenate([each.given[:, -1] for each in cases.values()])
    v = jnp.concatenate([each.v for each in cases.values()])
    keys = jax.random.split(jax.random.key(args.seed + 1), args.networks)
    return emulators.disturb(ensembles, exact, psi, v, args.frames, keys)


def audit(args: Args) -> runner.Results:
    """Load the emulators and audit them."""
    ensembles = emulators.load_ensembles(args.runs)
    system = next(iter(ensembles.values()))[0].system
    of_theory = tuple(n for n in args.nulls if n in filtered.THEORY)
    nulls: Ensembles = {
        **emulators.make_nulls(system, args.nulls, args.schemes),
        **filtered.make_smoothed(system, args.nulls, args.smoothings),
        **(filtered.make_theory(system, of_theory) if args.theory else {}),
        **disturb(ensembles, system, args),
    }
    report = symmetries.evaluate(ensembles, args.seed, args.cases, args.frames, nulls)
    findings = report.numbers["findings"]
    for kinds in findings.values():
        for rows in kinds.values():
            for row in rows.values():
                if row["verdict"] not in BY_RATIO:
                    # Ratios of what is violated by rounding only, or in the same way by all.
                    del row["cases"]
    # The numbers of null models are in the table.
    drawn = {name: findings[name] for name in (EXACT, *ensembles)}
    figures = plots.draw(dataclasses.replace(report, numbers=report.numbers | {"findings": drawn}))
    if args.smoothings or args.theory:
        figures["nulls"] = nulls_figure.plot(report.numbers)
    return runner.Results(runner.rounded(report.numbers), str(report), figures)


if __name__ == "__main__":
    runner.main(audit, Args, smoke)
