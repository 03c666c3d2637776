"""Landscapes that nobody has seen: a student's errors by family, beside a solver's of equal cost.

The solver is the split step with its kinetic energy clamped, in which nothing is learned. Its one
number, the cap, is chosen to be best on the very runs that are scored, for each metric apart.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Complex, Float, Key

from qdistill import students
from qdistill._checks import refuse, require_at_least
from qdistill.forecast import benchmark
from qdistill.forecast.benchmark import BenchmarkConfig, Runs
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, Scalar
from qdistill.physics.packets import PacketRanges
from qdistill.students import Student
from qdistill.teacher import solvers as solver

# The ranges of the paper's 11 barrier runs; all packets fly right.
PACKETS = PacketRanges(centre=(15.0, 20.0), width=(1.1, 4.9), energy=(1.5, 8.6))
# The caps that are tried, as the phase of a substep in radians.
CAP_PHASES = (1.2, 1.4, 1.6, 1.8, 2.0, 2.2, 2.4, 2.6, 2.8, 3.0)


def sample_cases(
    key: Key[Array, ""], grid: Grid, n_case: int
) -> tuple[list[str], Complex[Array, "n_case n_x"], Float[Array, "n_case n_x"]]:
    """Packets that fly right onto random landscapes, of all families in turn.

    Args:
      key: Random key; case i does not depend on how many follow.
      grid: One-dimensional.
      n_case: How many.

    Returns:
      The family, initial packet and landscape of each case.

    >>> families, psi0, v = sample_cases(jax.random.key(0), Grid(), 12)
    >>> families[0], families[10], psi0.shape, v.shape
    ('barrier', 'barrier', (12, 1024), (12, 1024))
    """
    require_at_least(1, n_case=n_case)
    if grid.lengths != (100.0,):
        refuse("grid", "one-dimensional and 100 bohr long", grid)
    names = list(potentials.FAMILIES)
    families = [names[i % len(names)] for i in range(n_case)]
    psi0, v = [], []
    for i, family in enumerate(families):
        key_packet, key_v = jax.random.split(jax.random.fold_in(key, i))
        psi0.append(_right_moving(key_packet, grid))
        v.append(potentials.sample(key_v, grid.positions(), family))
    return families, jnp.stack(psi0), jnp.stack(v)


def _right_moving(key: Key[Array, ""], grid: Grid) -> Complex[Array, " n_x"]:
    ranges = zip(jax.random.split(key, 3), PACKETS, strict=True)
    centre, width, energy = (jax.random.uniform(k, (), float, *bounds) for k, bounds in ranges)
    return packets.gaussian(grid, centre, width, jnp.sqrt(2 * energy))


def clamped(grid: Grid, dt: float, n_pairs: int, kinetic_cap: Scalar) -> Student:
    """The clamped split step as a student that has nothing to learn."""
    propagator = solver.split_step(grid, dt, n_pairs, kinetic_cap)
    return students.from_propagator(propagator)


def best_clamped(
    grid: Grid, dt: float, n_pairs: int, truth: Runs
) -> tuple[dict[str, float], dict[str, Float[Array, "n_case n_t"]]]:
    """The clamped split step with the best caps, in hartree, and its metrics over given runs.

    The cap of least mean infidelity is not that of least mean phase-sensitive error. Each of the
    two has its own, by name of the metric; other metrics are those of the former.
    """

    @jax.jit
    def measure(cap: Scalar, truth: Runs) -> dict[str, Array]:
        student = clamped(grid, dt, n_pairs, cap)
        forecast = benchmark.forecast(student, student.propagator({}), truth)
        return benchmark.measure(grid, forecast, truth)

    means = {}
    for cap in (phase * n_pairs / dt for phase in CAP_PHASES):
        per_frame = measure(cap, truth)
        means[cap] = (
            float(jnp.mean(1 - per_frame["correlation"])),
            float(per_frame["nrmse"].mean()),
        )
    faithful, in_phase = (min(means, key=lambda cap: means[cap][i]) for i in (0, 1))
    caps = {"correlation": faithful, "nrmse": in_phase}
    return caps, measure(faithful, truth) | {"nrmse": measure(in_phase, truth)["nrmse"]}


class CaseErrors(NamedTuple):
    """Means over the frames of each case."""

    infidelity: Float[np.ndarray, " n_case"]
    nrmse: Float[np.ndarray, " n_case"]


def case_errors(per_frame: dict[str, Float[Array, "n_case n_t"]]) -> CaseErrors:
    """The errors of each case, from the metrics of every frame."""
    infidelity = 1 - np.asarray(per_frame["correlation"], float).mean(axis=1)
    return CaseErrors(infidelity, np.asarray(per_frame["nrmse"], float).mean(axis=1))


def summarise(families: list[str], errors: CaseErrors) -> dict[str, dict[str, float]]:
    """Mean, median and worst over the cases of each family, and of all."""
    infidelity, nrmse = errors
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


def evaluate(
    grid: Grid,
    dt: float,
    rivals: dict[str, tuple[Student, Any]],
    seed: int,
    n_case: int,
    config: BenchmarkConfig,
    pairs: tuple[int, ...] = (1, 2, 3),
    mesh: Mesh | None = None,
) -> dict[str, Any]:
    """Errors of students and of the clamped split step on the same fresh landscapes.

    Args:
      grid: The physics; a line of 100 bohr, for which landscapes are sampled.
      dt: Duration of a frame, in atomic units.
      rivals: Students and their parameters, by name.
      seed: Of the landscapes.
      n_case: How many landscapes.
      config: Frames and tolerance of the truth.
      pairs: FFT pairs a frame of the clamped split steps.
      mesh: Devices that share the landscapes.

    Returns:
      Under ``"scores"`` what `summarise` says, and under ``"cases"`` the errors of each case, by
      name of the student and for ``"clamped-1"`` and so on, whose caps are under
      ``"kinetic_caps"``.
    """
    families, psi0, v = sample_cases(jax.random.key(seed), grid, n_case)
    truth = benchmark.simulate(grid, dt, psi0, v, config, mesh)
    errors = {}
    for name, (student, params) in rivals.items():
        forecast = benchmark.forecast(student, student.propagator(params), truth, mesh)
        errors[name] = case_errors(benchmark.measure(grid, forecast, truth))
    caps = {}
    for n_pairs in pairs:
        caps[f"clamped-{n_pairs}"], per_frame = best_clamped(grid, dt, n_pairs, truth)
        errors[f"clamped-{n_pairs}"] = case_errors(per_frame)
    return {
        "seed": seed,
        "n_landscapes": n_case,
        "n_frames": config.n_frames,
        "kinetic_caps": caps,
        "scores": {name: summarise(families, each) for name, each in errors.items()},
        "cases": {
            name: {key: values.tolist() for key, values in each._asdict().items()}
            for name, each in errors.items()
        },
    }


def table(evaluation: dict[str, Any]) -> str:
    """Median and worst infidelity and phase-sensitive error by family, as text."""
    lines = [
        f"{evaluation['n_landscapes']} fresh landscapes (seed {evaluation['seed']}), "
        f"{evaluation['n_frames']} frames each: mean over frames, then median and worst",
        f"{'':14}{'family':14}{'infidelity':>22}{'phase-sensitive error':>24}",
    ]
    for name, families in evaluation["scores"].items():
        for family, score in families.items():
            lines.append(
                f"{name:14}{family:14}"
                f"{score['median_infidelity']:11.1e}{score['worst_infidelity']:11.1e}"
                f"{score['median_nrmse']:13.1e}{score['worst_nrmse']:11.1e}"
            )
    return "\n".join(lines)
