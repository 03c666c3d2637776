"""Held-out potentials of every family: errors of emulators and of non-learned baselines.

The baseline is the split step with clamped kinetic energy. Its one parameter, the cap, is optimised
on the test cases themselves, separately for each metric, which favours the baseline.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Complex, Float, Key

from qdistill._checks import (
    refuse,
    require_at_least,
    require_each,
    require_record,
    require_seed,
)
from qdistill._doors import require_values
from qdistill._refusals import explained
from qdistill.forecast import cases
from qdistill.forecast.cases import Cases
from qdistill.forecast.held_out import BenchmarkConfig, make_truth
from qdistill.physics import packets
from qdistill.physics.families import FAMILIES, sample
from qdistill.physics.grid import Grid, Scalar, require_line
from qdistill.system import Propagator, System
from qdistill.teacher import SCHEMES, Scheme, SplitStep

# Ranges of packets that fly right, those of the paper's 11 barriers: centre and width in units of
# the box length, energy in hartree.
CENTRE, WIDTH, ENERGY = (0.15, 0.2), (0.011, 0.049), (1.5, 8.6)
# The caps that are tried, as the kinetic phase of a substep in radians.
CAP_PHASES = (1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0)
# A substep of several pairs of FFTs is longer, and its caps go up to the resonance.
CAP_PHASES_OF_SEVERAL = tuple(np.linspace(0.2, 1, len(CAP_PHASES)) * 6.2)


@explained
def sample_cases(
    key: Key[Array, ""], grid: Grid, n_case: int
) -> tuple[tuple[str, ...], Complex[Array, "n_case n_x"], Float[Array, "n_case n_x"]]:
    """Sample packets that fly right onto random potentials; the families alternate.

    Args:
      key: Random key; case i does not depend on `n_case`.
      grid: A one-dimensional grid.
      n_case: Number of cases.

    Returns:
      The family, initial packet and potential of each case.

    >>> families, psi0, v = sample_cases(jax.random.key(0), Grid(), 12)
    >>> families[0], families[10], psi0.shape, v.shape
    ('barrier', 'barrier', (12, 1024), (12, 1024))
    """
    require_at_least(1, n_case=n_case)
    require_line(grid)
    names = list(FAMILIES)
    families = tuple(names[i % len(names)] for i in range(n_case))
    keys = jax.vmap(lambda i: jax.random.split(jax.random.fold_in(key, i)))(np.arange(n_case))
    psi0 = jax.vmap(lambda k: _right_moving(k, grid))(keys[:, 0])
    v = [sample(k, grid, family) for k, family in zip(keys[:, 1], families, strict=True)]
    return families, psi0, jnp.stack(v)


def _right_moving(key: Key[Array, ""], grid: Grid) -> Complex[Array, " n_x"]:
    length = grid.lengths[0]
    ranges = [[length * end for end in CENTRE], [length * end for end in WIDTH], ENERGY]
    draw = jax.vmap(lambda k, low, high: jax.random.uniform(k, (), float, low, high))
    centre, width, energy = draw(jax.random.split(key, 3), *np.transpose(ranges))
    return packets.gaussian(
        grid, grid.origin[0] + centre, width, packets.carrier_momentum(grid, energy)
    )


@explained
def best_clamped(
    system: System, n_substeps: int, truth: Cases, scheme: Scheme = SCHEMES["strang"]
) -> tuple[dict[str, float], dict[str, Float[Array, "n_case n_t"]]]:
    """Return the best caps of a clamped split step in hartree, and its metrics on test cases.

    Infidelity and relative L2 error each have their own best cap, listed by name of the metric. All
    other metrics are computed with the cap that is best for the infidelity.

    Args:
      system: The system of the cases.
      n_substeps: Substeps per frame; each has the FFT pairs of the scheme.
      truth: The test cases.
      scheme: The scheme of the splitting.
    """

    require_at_least(1, n_substeps=n_substeps)

    @jax.jit
    def measure(cap: Scalar, truth: Cases) -> dict[str, Array]:
        frames = cases.forecast(SplitStep(system, n_substeps, cap, scheme), truth)
        return cases.measure(system, truth, frames)

    means = {}
    phases = CAP_PHASES if scheme.n_pairs == 1 else CAP_PHASES_OF_SEVERAL
    for cap in (float(phase) * n_substeps / abs(system.dt) for phase in phases):
        per_frame = measure(cap, truth)
        means[cap] = (
            float(jnp.mean(1 - per_frame["correlation"])),
            float(per_frame["nrmse"].mean()),
        )
    faithful, in_phase = (min(means, key=lambda cap: means[cap][i]) for i in (0, 1))
    caps = {"correlation": faithful, "nrmse": in_phase}
    return caps, measure(faithful, truth) | {"nrmse": measure(in_phase, truth)["nrmse"]}


class CaseErrors(NamedTuple):
    """The errors of each case, mean over its frames."""

    infidelity: Float[np.ndarray, " n_case"]
    nrmse: Float[np.ndarray, " n_case"]


@explained
def case_errors(per_frame: dict[str, Float[Array, "n_case n_t"]]) -> CaseErrors:
    """Return the errors of each case from the metrics of every frame."""
    require_record(dict.fromkeys(("correlation", "nrmse"), Array | np.ndarray), per_frame=per_frame)
    infidelity = 1 - np.asarray(per_frame["correlation"], float).mean(axis=1)
    return CaseErrors(infidelity, np.asarray(per_frame["nrmse"], float).mean(axis=1))


@explained
def summarise(families: tuple[str, ...], errors: CaseErrors) -> dict[str, dict[str, float]]:
    """Return mean, median and worst error over the cases of each family, and over all cases."""
    infidelity, nrmse = errors
    require_each("case", len(families), **errors._asdict())
    members = {name: np.array(families) == name for name in dict.fromkeys(families)}
    members["all"] = np.ones(len(families), bool)
    return {
        name: {
            "n_case": int(mine.sum()),
            "mean_infidelity": float(infidelity[mine].mean()),
            "median_infidelity": float(np.median(infidelity[mine])),
            "worst_infidelity": float(infidelity[mine].max()),
            "mean_nrmse": float(nrmse[mine].mean()),
            "median_nrmse": float(np.median(nrmse[mine])),
            "worst_nrmse": float(nrmse[mine].max()),
        }
        for name, mine in members.items()
    }


@explained
def evaluate(
    propagators: Mapping[str, Propagator],
    seed: int,
    n_case: int,
    config: BenchmarkConfig,
    pairs: tuple[int, ...] = (1, 2, 3),
    mesh: Mesh | None = None,
) -> dict[str, Any]:
    """Compute the errors of propagators and of the clamped split step on held-out potentials.

    Args:
      propagators: Propagators of one one-dimensional system, by name.
      seed: Random seed of the potentials.
      n_case: Number of potentials.
      config: Number of frames, and the accuracy of the truth.
      pairs: FFT pairs per frame of the clamped split steps.
      mesh: Devices that share the potentials.

    Returns:
      The result of `summarise` under ``"scores"`` and the errors of each case under ``"cases"``, by
      name of the propagator. The baselines are named ``"clamped-1"`` and so on, by number of FFT
      pairs; their caps are under ``"kinetic_caps"``.

    Raises:
      ValueError: For propagators of several systems, a system with channels, several dimensions, or
        a potential that is not one number for each point.
    """
    require_seed(seed=seed)
    system = next(iter(propagators.values())).system
    for name, propagator in propagators.items():
        if dataclasses.replace(propagator.system, bounds=system.bounds) != system:
            refuse("propagators", f"of one system, {system}", f"{propagator.system} in {name!r}")
    require_values(system)
    families, psi0, v = sample_cases(jax.random.key(seed), system.grid, n_case)
    solver = make_truth(config, system, v)
    truth = cases.simulate(solver, psi0, v, config.n_given, config.n_frames, families, mesh)
    errors = {}
    for name, propagator in propagators.items():
        frames = cases.forecast(propagator, truth, mesh)
        errors[name] = case_errors(cases.measure(system, truth, frames))
    caps = {}
    for n_pairs in pairs:
        caps[f"clamped-{n_pairs}"], per_frame = best_clamped(system, n_pairs, truth)
        errors[f"clamped-{n_pairs}"] = case_errors(per_frame)
    return {
        "seed": seed,
        "n_potentials": n_case,
        "n_frames": config.n_frames,
        "kinetic_caps": caps,
        "scores": {name: summarise(families, each) for name, each in errors.items()},
        "cases": {
            name: {key: values.tolist() for key, values in each._asdict().items()}
            for name, each in errors.items()
        },
    }


@explained
def table(evaluation: dict[str, Any]) -> str:
    """Return a table, as text, of median and worst infidelity and relative L2 error by family."""
    settings = dict.fromkeys(("n_potentials", "seed", "n_frames"), int)
    errors = [f"{which}_{of}" for which in ("median", "worst") for of in ("infidelity", "nrmse")]
    scores = {str: {str: dict.fromkeys(errors, float)}}
    require_record(settings | {"scores": scores}, evaluation=evaluation)
    lines = [
        f"{evaluation['n_potentials']} held-out potentials (seed {evaluation['seed']}), "
        f"{evaluation['n_frames']} frames each: mean over frames, then median and worst",
        f"{'':14}{'family':14}{'infidelity':>22}{'relative L2 error':>24}",
    ]
    for name, families in evaluation["scores"].items():
        for family, score in families.items():
            lines.append(
                f"{name:14}{family:14}"
                f"{score['median_infidelity']:11.1e}{score['worst_infidelity']:11.1e}"
                f"{score['median_nrmse']:13.1e}{score['worst_nrmse']:11.1e}"
            )
    return "\n".join(lines)
