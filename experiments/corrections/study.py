"""The study: every splitting through the same measurements, and their summary."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
import scipy.special

from experiments.corrections import fits, optimum, replacements, splittings, theory
from experiments.corrections.bench import Bench
from experiments.corrections.fits import ENSEMBLES
from experiments.corrections.replacements import Edges
from experiments.corrections.splittings import Splitting
from qdistill.physics.grid import Grid
from qdistill.runs import pretrained
from qdistill.students import Emulator
from qdistill.system import System

PACKAGED = ("demo", "unitary", "informed-1", "informed-2", "informed-3", "informed-2-continuum")
# Depth in hartree and standard deviations in bohr of the Gaussian wells whose energies are used.
DEPTH, WELLS, TOP = 8.0, (1.5, 2.5, 4.0), -0.5
# Points of the boxes in which coefficients are fitted and energies computed.
N_BOX = 256


def box_of(system: System) -> Grid:
    """Return the small box of a system, with its spacing."""
    grid = system.grid
    return Grid(N_BOX, N_BOX * grid.dx[0], grid.dispersion, mass=grid.mass)


def measure(splitting: Splitting, bench: Bench) -> dict[str, Any]:
    """Return coefficients, double commutators and energies of a splitting.

    All coefficients are in units of h^2 / 24, where h is the duration of an equal substep.
    """
    box = box_of(splitting.system)
    by_ensemble = {}
    for name in ENSEMBLES:
        found = fits.fit(splitting, box, bench.potentials(box, name))
        made = fits.effective(splitting, found["gradient"])
        by_ensemble[name] = found | made._asdict() | {"invariant": made.invariant}
    x = np.asarray(box.positions(), float) - box.middle[0]
    wells = [
        theory.levels(splitting, box, -DEPTH * np.exp(-(x**2) / (2 * width**2)), TOP)
        for width in WELLS
    ]
    unit = splitting.unit
    return {
        "n_pairs": splitting.n_pairs,
        "dt": splitting.system.dt,
        "dispersion": splitting.system.grid.dispersion,
        "shares": splitting.shares.tolist(),
        "drift_shares": fits.shares_of_drifts(splitting).tolist(),
        "ensembles": by_ensemble,
        "energies": {
            "invariant": theory.measured_invariant(wells) / unit,
            "invariant_with_kinetic": theory.measured_invariant(wells, True) / unit,
            "by_well": [theory.measured_invariant([each]) / unit for each in wells],
        },
    }


def of_best(best: optimum.Optimum) -> dict[str, Any]:
    """Return the numbers of a null model."""
    made = fits.effective(best.splitting, best.gradient)
    return {
        "gradient": best.gradient,
        "interval": list(best.interval),
        "shares": best.splitting.shares.tolist(),
        **made._asdict(),
        "invariant": made.invariant,
        "error": best.error,
        "error_without": best.start,
    }


def solvers(system: System, n_pairs: int, bench: Bench) -> dict[str, Any]:
    """Return known splittings through the same measurements, and the optima of their form.

    `optimum` has the shares of Strang's splitting; `optimum with shares` has free ones.
    """
    drifts = np.full(n_pairs, 1 / n_pairs)
    strang = trapezoid(n_pairs)
    found: dict[str, Any] = {}
    plain = splittings.of_solver(system, strang, drifts)
    found["strang"] = measure(plain, bench)
    found["takahashi-imada"] = measure(splittings.of_solver(system, strang, drifts, -strang), bench)
    if n_pairs > 1:
        shares, gradient = fourth_order(n_pairs)
        made = splittings.of_solver(system, shares, drifts, gradient * shares)
        found["fourth order"] = measure(made, bench)
    kinds: dict[str, str | Edges] = {"medium": "medium"}
    if system.dt == System().dt:
        kinds = {name: name for name in ENSEMBLES} | {"rectangular": Edges(0.0)}
    for with_shares in (False, True)[:n_pairs]:
        found["optimum with shares" if with_shares else "optimum"] = {
            name: of_best(optimum.find(plain, bench.problem(system, kind), with_shares))
            for name, kind in kinds.items()
        }
    return found


def trapezoid(n_pairs: int) -> np.ndarray:
    """Return the shares of the potential in Strang's splitting with equal substeps."""
    return np.array([0.5, *[1.0] * (n_pairs - 1), 0.5]) / n_pairs


def fourth_order(n_pairs: int) -> tuple[np.ndarray, float]:
    """Return the end-weighted shares and the coefficient with which both commutators vanish.

    For n equal drifts the shares of the ends are 1 / (2 n + 2), the others are equal, and the
    coefficient of (V')^2 is -n^2 / (n^2 - 1) in units of h^2 / 24. The shares of two pairs are the
    weights of Simpson's rule, and this is Chin's scheme 4A but for the place of (V')^2; those of
    three are the weights of Simpson's 3/8 rule.

    >>> shares, gradient = fourth_order(2)
    >>> made = theory.commutators(shares, (0.5, 0.5), gradient / 96)
    >>> print(shares.round(4), round(gradient, 4), abs(made.alpha) + abs(made.beta) < 1e-12)
    [0.1667 0.6667 0.1667] -1.3333 True
    """
    end = 1 / (2 * n_pairs + 2)
    shares = np.array([end, *[(1 - 2 * end) / (n_pairs - 1)] * (n_pairs - 1), end])
    return shares, -(n_pairs**2) / (n_pairs**2 - 1)


def emulator(made: Emulator, parts: Sequence[str], bench: Bench) -> dict[str, Any]:
    """Return the measurements of an emulator, and the null model with its shares and drifts.

    Args:
      made: The emulator.
      parts: Which of `interventions`, `untrained` and `edges` to add.
      bench: The test sets.
    """
    splitting = splittings.of_emulator(made)
    best = optimum.find(splitting, bench.problem(splitting.system, "medium"))
    found = measure(splitting, bench) | {"optimum as learned": of_best(best)}
    if "interventions" in parts:
        found["interventions"] = interventions_of(made, found, bench)
    if "untrained" in parts:
        found["untrained"] = untrained(made, bench)
    if "edges" in parts:
        found["edges"] = edges(made, bench)
    return found


def interventions_of(made: Emulator, row: Mapping[str, Any], bench: Bench) -> dict[str, Any]:
    """Return the errors of an emulator without its local phases, and of the best solvers."""
    splitting = splittings.of_emulator(made)
    system, n = splitting.system, splitting.n_pairs
    truth = bench.cases(system)
    found = replacements.intervene(splitting, row["ensembles"]["medium"], truth)
    drifts, strang = np.full(n, 1 / n), trapezoid(n)
    others = {
        "strang": splittings.of_solver(system, strang, drifts),
        "takahashi-imada": splittings.of_solver(system, strang, drifts, -strang),
    }
    if n > 1:
        shares, gradient = fourth_order(n)
        others["fourth order"] = splittings.of_solver(system, shares, drifts, gradient * shares)
    for name, other in others.items():
        found[name] = replacements.by_kind(replacements.errors(other, truth), truth)
    return found


def untrained(made: Emulator, bench: Bench) -> dict[str, Any]:
    """Return the coefficients of untrained networks in the place of an emulator's."""
    student, box = splittings.student_of(made), box_of(made.system)
    v = bench.potentials(box, "medium")
    init, found = jax.jit(student.init), []
    for seed in range(bench.sizes.n_untrained):
        key = jax.random.key(seed)
        drawn = splittings.untrained(student, made.params, init(key), key)
        found.append(fits.fit(drawn, box, v))
    of_each = {key: [row[key] for row in found] for key in ("gradient", "curvature", "r2")}
    return {"ensemble": "medium", **of_each, "summary": summarise(of_each["gradient"])}


def edges(made: Emulator, bench: Bench) -> list[dict[str, Any]]:
    """Return learned and optimal coefficients on barriers, by the width of their edges.

    The null model has the shares and the kinetic phases of the emulator.
    """
    splitting = splittings.of_emulator(made)
    box = dataclasses.replace(splitting.system, grid=box_of(splitting.system))
    rows = []
    for width in bench.sizes.edges:
        rng = np.random.default_rng((bench.sizes.seed, 3))
        v = Edges(width).sample(rng, box, bench.sizes.n_fit)
        best = optimum.find(splitting, bench.problem(splitting.system, Edges(width)))
        learned = fits.fit(splitting, box.grid, v)
        rows.append({"width_bohr": width, "learned": learned, "optimum": of_best(best)})
    return rows


def summarise(values: Iterable[float]) -> dict[str, Any]:
    """Return number, mean, standard deviation, and the 95% t interval of the mean.

    >>> made = summarise([1.0, 2.0, 3.0])
    >>> print(f"{made['mean']} {made['deviation']} {made['low']:.3f} {made['high']:.3f}")
    2.0 1.0 -0.484 4.484
    """
    found = np.asarray(list(values), float)
    if len(found) < 2:
        return {"n": len(found), "mean": float(found.mean()), "deviation": None}
    deviation = found.std(ddof=1)
    half = scipy.special.stdtrit(len(found) - 1, 0.975) * deviation / np.sqrt(len(found))
    mean = found.mean()
    ends = {"low": float(mean - half), "high": float(mean + half)}
    return {"n": len(found), "mean": float(mean), "deviation": float(deviation), **ends}


def over_seeds(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the summaries of trainings that differ in their seed only, for three or more."""
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for name, row in rows.items():
        groups.setdefault(name.rsplit("-seed", 1)[0], []).append(row)
    keys = ("gradient", "curvature", "alpha", "beta", "invariant")
    found = {}
    for name, group in groups.items():
        if len(group) < 3:
            continue
        of = {
            "end share": [row["shares"][0] for row in group],
            "invariant of energies": [row["energies"]["invariant"] for row in group],
        }
        for ensemble in ENSEMBLES:
            each = [row["ensembles"][ensemble] for row in group]
            of |= {f"{key}, {ensemble}": [row[key] for row in each] for key in keys}
        found[name] = {key: summarise(values) for key, values in of.items()}
    return found


def load(name: str) -> Emulator:
    """Return a packaged emulator."""
    return pretrained.find(name)
