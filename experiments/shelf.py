"""Score split steps of every scheme, each with its best cap and shares."""

import dataclasses
import pathlib
from typing import Any

import jax
import numpy as np

from experiments import runner
from qdistill._checks import refuse, require_at_least
from qdistill.forecast import baselines, cases, held_out
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import SCHEMES, Scheme

# Families of potentials with sharp edges; the others are smooth.
SHARP = ("barrier", "double", "triple", "steps", "well")
# Share of the potential in the first and the last kick of two FFT pairs; Strang's is 1/4.
SHARES = (0.21,)
# Gaussian widths in bohr over which the gradient of a potential is smoothed.
SMOOTHINGS = (0.0, 0.1)


@dataclasses.dataclass(frozen=True)
class Args:
    """Score split steps on the paper's 25 runs and on held-out potentials."""

    pairs: tuple[int, ...] = (1, 2, 3, 4)
    """Numbers of FFT pairs per frame."""
    only: tuple[str, ...] = ()
    """Names of the candidates to score; all by default."""
    dispersions: tuple[str, ...] = ("lattice", "continuum")
    """Dispersions of the grid."""
    n_cases: int = 40
    """Number of held-out potentials."""
    seed: int = 1
    """Random seed of the held-out potentials."""
    benchmark: BenchmarkConfig = dataclasses.field(default_factory=BenchmarkConfig)
    """Number of frames, and accuracy of the truth."""
    out: pathlib.Path = pathlib.Path("runs/shelf")
    """Folder of the results."""
    smoke: bool = False
    """Run two frames of few cases, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args,
        pairs=(2,),
        only=("strang", "takahashi-imada, share 0.21"),
        dispersions=("lattice",),
        n_cases=6,
        benchmark=BenchmarkConfig(2, 1),
    )


def make_schemes(n_pairs: int) -> dict[str, tuple[Scheme, int]]:
    """Return the candidates with a number of FFT pairs per frame: schemes and their substeps."""
    found: dict[str, tuple[Scheme, int]] = {}
    for name, scheme in SCHEMES.items():
        if n_pairs % scheme.n_pairs == 0:
            n_substeps = n_pairs // scheme.n_pairs
            for width in SMOOTHINGS if scheme.gradients else (0.0,):
                label = f"{name}, smoothed {width:g}" if width else name
                found[label] = dataclasses.replace(scheme, smoothing=width), n_substeps
    if n_pairs == 2:
        for share in SHARES:
            kicks = (share, 1 - 2 * share, share)
            found[f"strang, share {share:g}"] = Scheme(kicks, (0.5, 0.5)), 1
            corrected = tuple(correction(share) * kick for kick in kicks)
            found[f"takahashi-imada, share {share:g}"] = (
                Scheme(kicks, (0.5, 0.5), corrected, 0.1),
                1,
            )
    return found


def correction(share: float) -> float:
    """Return the c for which two FFT pairs with V + c h^2 G have energies of fourth order.

    With the share s in the first and in the last kick, the energies of the plain splitting are too
    high by (1/96 + (s - 1/4)^2 / 2) h^2 <G>.

    >>> f"{correction(0.25):.6f}, {correction(1 / 6):.6f}"
    '-0.010417, -0.013889'
    """
    return -(1 / 96 + (share - 0.25) ** 2 / 2)


def score(args: Args) -> runner.Results:
    """Return the scores of every candidate for every number of pairs, on both sets of cases."""
    if not args.pairs:
        refuse("pairs", "at least one number of FFT pairs", args.pairs)
    require_at_least(1, pairs=min(args.pairs))
    found: dict[str, Any] = {}
    lines = []
    for dispersion in args.dispersions:
        system = System(Grid(dispersion=dispersion), dt=0.1)
        paper = held_out.make_paper_cases(args.benchmark, system)
        fresh = make_fresh(args, system)
        rows = {}
        for n_pairs in args.pairs:
            for name, (scheme, n_substeps) in make_schemes(n_pairs).items():
                if args.only and name not in args.only:
                    continue
                row = {"n_substeps": n_substeps, **dataclasses.asdict(scheme)}
                row["paper"] = of_paper(system, n_substeps, paper, scheme)
                row["held out"] = of_held_out(system, n_substeps, fresh, scheme)
                label = f"{name}, {n_pairs} pairs"
                rows[label] = row
                errors = [row["held out"][kind]["median_nrmse"] for kind in ("sharp", "smooth")]
                lines.append(
                    f"{dispersion:10} {label:40} {row['paper']['mean_infidelity']:.1e}, "
                    f"held out {errors[0]:.1e} sharp, {errors[1]:.1e} smooth"
                )
        found[dispersion] = rows
    return runner.Results(found, "\n".join(lines))


def make_fresh(args: Args, system: System) -> Cases:
    """Return solved test cases on held-out potentials of every family."""
    families, psi0, v = baselines.sample_cases(jax.random.key(args.seed), system.grid, args.n_cases)
    solver = held_out.make_truth(args.benchmark, system, v)
    n_given, n_frames = args.benchmark.n_given, args.benchmark.n_frames
    return cases.simulate(solver, psi0, v, n_given, n_frames, families)


def of_paper(system: System, n_substeps: int, truth: Cases, scheme: Scheme) -> dict[str, Any]:
    """Return the scores of the paper's test, with the best cap."""
    caps, per_frame = baselines.best_clamped(system, n_substeps, truth, scheme)
    return {"kinetic_caps": caps, **cases.summarise(truth.family, per_frame)}


def of_held_out(system: System, n_substeps: int, truth: Cases, scheme: Scheme) -> dict[str, Any]:
    """Return errors on held-out potentials, with separate best caps for sharp and smooth ones."""
    found: dict[str, Any] = {}
    is_sharp = np.array([family in SHARP for family in truth.family])
    for kind, chosen in (("sharp", is_sharp), ("smooth", ~is_sharp)):
        rows = np.flatnonzero(chosen)
        some = jax.tree.map(lambda leaf, rows=rows: leaf[rows], truth)
        caps, per_frame = baselines.best_clamped(system, n_substeps, some, scheme)
        errors = baselines.case_errors(per_frame)
        summary = baselines.summarise(("all",) * len(errors.nrmse), errors)["all"]
        each = {key: values.tolist() for key, values in errors._asdict().items()}
        found[kind] = {"kinetic_caps": caps, **summary, "cases": each}
    return found


if __name__ == "__main__":
    runner.main(score, Args, smoke)
