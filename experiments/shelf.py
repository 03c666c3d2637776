"""Score split steps of every scheme, each with its best cap and shares.

The potentials are those on which students are scored, so that the errors stand in the same tables.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array
from tqdm.auto import tqdm

from experiments import filtered, runner
from qdistill._checks import refuse, require_at_least, require_one_of
from qdistill.forecast import baselines, cases, held_out, metrics
from qdistill.forecast.baselines import CaseErrors
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.physics.families import SHARP
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Propagator, System, rollout
from qdistill.teacher import SCHEMES, Scheme, SplitStep

# Share of the potential in the first and the last kick of two FFT pairs; Strang's is 1/4.
SHARES = (0.21,)
# Gaussian widths in bohr over which the gradient of a potential is smoothed.
SMOOTHINGS = (0.0, 0.075, 0.1)
# Others of the filters of perturbation theory, next to those of `filtered.THEORY`.
FILTER_SMOOTHINGS = (0.05, 0.1)
# Cases that are evolved together; the arrays of all are larger than the cache.
N_CHUNK = 25
# The caps that are tried first, by their place; the search walks on from the best of them.
FIRST = (1, 4, 7)


class Errors(NamedTuple):
    """The caps that can be tried, and the function from one to the errors of all cases."""

    caps: Sequence[float]
    of: Callable[[float], CaseErrors]


@dataclasses.dataclass(frozen=True)
class Args:
    """Score split steps on the paper's 25 runs, on held-out potentials, and in long frames."""

    pairs: tuple[int, ...] = (1, 2, 3)
    """Numbers of FFT pairs per frame."""
    only: tuple[str, ...] = (
        "strang",
        "takahashi-imada, smoothed 0.075",
        "takahashi-imada, smoothed 0.1",
        "chin, smoothed 0.1",
        "theory",
        "theory, smoothed 0.05",
        "theory, smoothed 0.1",
    )
    """Names of the candidates to score; nothing for all."""
    dispersions: tuple[str, ...] = ("lattice", "continuum")
    """Dispersions of the grid."""
    long_frames: tuple[float, ...] = (0.2, 0.5, 1.0)
    """Durations of longer frames, in atomic units, for two FFT pairs on the lattice."""
    n_cases: int = 100
    """Number of held-out potentials."""
    seed: int = 1
    """Random seed of the held-out potentials."""
    benchmark: BenchmarkConfig = dataclasses.field(default_factory=BenchmarkConfig)
    """Number of frames of 0.1 a.u., and accuracy of the truth."""
    out: pathlib.Path = pathlib.Path("runs/shelf")
    """Folder of the results."""
    smoke: bool = False
    """Run two frames of few cases, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args,
        pairs=(2,),
        only=("strang", "takahashi-imada, share 0.21", "theory"),
        dispersions=("lattice",),
        long_frames=(0.2,),
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
    """Return the scores of every candidate for every number of pairs, on all sets of cases."""
    if not args.pairs:
        refuse("pairs", "at least one number of FFT pairs", args.pairs)
    require_at_least(1, pairs=min(args.pairs))
    # Some candidates have one or two pairs only, and others a multiple of two.
    known = [name for n in {1, 2, *args.pairs} for name in make_candidates(System(), n)]
    for name in args.only:
        require_one_of(dict.fromkeys(known), only=name)
    found: dict[str, Any] = {}
    for dispersion in args.dispersions:
        system = System(Grid(dispersion=dispersion), dt=0.1)
        tests = {
            "paper": held_out.make_paper_cases(args.benchmark, system),
            "held out": make_fresh(args, system, args.benchmark),
        }
        found[dispersion] = score_all(args, system, tests, args.pairs)
    for dt in args.long_frames:
        system = System(Grid(dispersion="lattice"), dt=dt)
        n_frames = max(1, round(args.benchmark.n_frames * 0.1 / dt))
        config = dataclasses.replace(args.benchmark, n_frames=n_frames)
        tests = {"held out": make_fresh(args, system, config)}
        found.setdefault("long frames", {})[f"{dt:g}"] = score_all(args, system, tests, (2,))
    return runner.Results(runner.rounded(found), table(found))


def score_all(
    args: Args, system: System, tests: Mapping[str, Cases], pairs: tuple[int, ...]
) -> dict[str, Any]:
    """Return the scores of every candidate on some sets of cases."""
    rows = {}
    for n_pairs in tqdm(pairs, unit="number of pairs", leave=False):
        for name, candidate in make_candidates(system, n_pairs).items():
            if args.only and name not in args.only:
                continue
            row: dict[str, Any] = dict(candidate.settings)
            for test, errors in measure(candidate, tests).items():
                summarise = _of_paper if test == "paper" else _of_held_out
                row[test] = summarise(tests[test].family, errors)
            rows[f"{name}, {n_pairs} pairs"] = row
    return rows


class Candidate(NamedTuple):
    """A split step whose cap is to be found.

    Attributes:
      settings: All of its settings but the cap.
      caps: The caps in hartree that can be tried.
      make: Function from a cap to the propagator.
    """

    settings: Mapping[str, Any]
    caps: Sequence[float]
    make: Callable[[float], Propagator]


def make_candidates(system: System, n_pairs: int) -> dict[str, Candidate]:
    """Return the candidates with a number of FFT pairs per frame, by name.

    Those of `make_schemes`, and for one and two pairs the split step whose filters are those of
    first-order perturbation theory.
    """
    found = {}
    for name, (scheme, n_substeps) in make_schemes(n_pairs).items():
        is_one = scheme.n_pairs == 1
        phases = baselines.CAP_PHASES if is_one else baselines.CAP_PHASES_OF_SEVERAL
        found[name] = Candidate(
            {"n_substeps": n_substeps, **dataclasses.asdict(scheme)},
            [float(phase) * n_substeps / system.dt for phase in phases],
            functools.partial(_split_step, system, n_substeps, scheme),
        )
    if n_pairs in filtered.THEORY:
        of = filtered.THEORY[n_pairs]
        widths = {f", smoothed {width:g}": width for width in FILTER_SMOOTHINGS}
        for label, width in {"": of.smoothing, **widths}.items():
            found[f"theory{label}"] = Candidate(
                {"corrections": of.corrections, "smoothing": width},
                [float(phase) * n_pairs / system.dt for phase in baselines.CAP_PHASES],
                functools.partial(filtered.theory, system, n_pairs, smoothing=width),
            )
    return found


def _split_step(system: System, n_substeps: int, scheme: Scheme, cap: float) -> SplitStep:
    return SplitStep(system, n_substeps, cap, scheme)


def make_fresh(args: Args, system: System, config: BenchmarkConfig) -> Cases:
    """Return solved test cases on held-out potentials of every family."""
    families, psi0, v = baselines.sample_cases(jax.random.key(args.seed), system.grid, args.n_cases)
    solver = held_out.make_truth(config, system, v)
    return cases.simulate(solver, psi0, v, config.n_given, config.n_frames, families)


def measure(candidate: Candidate, tests: Mapping[str, Cases]) -> dict[str, Errors]:
    """Return the errors of a candidate on sets of cases, computed for the caps that are tried."""

    @jax.jit
    def run(solver: Propagator, truth: Cases) -> tuple[Array, Array]:
        def of_case(case: tuple[Array, Potential, Array]) -> tuple[Array, Array]:
            given, v, true = case
            frames = rollout(solver, given, v, len(true))
            infidelity = 1 - metrics.correlation(frames, true)
            return jnp.mean(infidelity), jnp.mean(metrics.nrmse(frames, true))

        return jax.lax.map(of_case, (truth.given, truth.v, truth.frames), batch_size=N_CHUNK)

    def errors_of(truth: Cases) -> Callable[[float], CaseErrors]:
        @functools.cache
        def of(cap: float) -> CaseErrors:
            return CaseErrors(
                *(np.asarray(each, float) for each in run(candidate.make(cap), truth))
            )

        return of

    return {name: Errors(candidate.caps, errors_of(truth)) for name, truth in tests.items()}


def best(errors: Errors, chosen: np.ndarray) -> tuple[dict[str, float], CaseErrors]:
    """Return the caps with the least mean errors on some cases, and the errors of these cases.

    The search walks downhill along the caps, for each of the two errors.
    """
    caps = {}
    for i, metric in enumerate(("correlation", "nrmse")):

        def mean(place: int, i: int = i) -> float:
            return float(errors.of(errors.caps[place])[i][chosen].mean())

        here = min(FIRST, key=mean)
        for step in (-1, 1):
            while 0 <= here + step < len(errors.caps) and mean(here + step) < mean(here):
                here += step
        caps[metric] = errors.caps[here]
    faithful, in_phase = errors.of(caps["correlation"]), errors.of(caps["nrmse"])
    return caps, CaseErrors(faithful.infidelity[chosen], in_phase.nrmse[chosen])


def _of_paper(names: tuple[str, ...], errors: Errors) -> dict[str, Any]:
    """The scores of the paper's test, with the best caps."""
    caps, found = best(errors, np.ones(len(names), bool))
    each = zip(names, *found, strict=True)
    return {
        "kinetic_caps": caps,
        "mean_infidelity": float(found.infidelity.mean()),
        "mean_nrmse": float(found.nrmse.mean()),
        "cases": {name: {"infidelity": of, "nrmse": l2} for name, of, l2 in each},
    }


def _of_held_out(families: tuple[str, ...], errors: Errors) -> dict[str, Any]:
    """Errors on held-out potentials, with best caps for all, for sharp and for smooth ones."""
    is_sharp = np.array([family in SHARP for family in families])
    kinds = {"all": np.ones(len(families), bool), "sharp": is_sharp, "smooth": ~is_sharp}
    found: dict[str, Any] = {}
    for kind, chosen in kinds.items():
        caps, of = best(errors, chosen)
        summary = baselines.summarise(("all",) * len(of.nrmse), of)["all"]
        each = {key: values.tolist() for key, values in of._asdict().items()}
        found[kind] = {"kinetic_caps": caps, **summary, "cases": each}
    return found


def table(found: Mapping[str, Any]) -> str:
    """Return the mean and median errors as a text table."""
    lines = []
    groups = {place: rows for place, rows in found.items() if place != "long frames"}
    groups |= {f"dt {dt}": rows for dt, rows in found.get("long frames", {}).items()}
    for label, group in groups.items():
        for name, row in group.items():
            errors = [row["held out"][kind]["median_nrmse"] for kind in ("sharp", "smooth")]
            paper = f"{row['paper']['mean_infidelity']:.1e}" if "paper" in row else ""
            lines.append(
                f"{label:10} {name:40} {paper:8} held out {errors[0]:.1e} sharp, "
                f"{errors[1]:.1e} smooth"
            )
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(score, Args, smoke)
