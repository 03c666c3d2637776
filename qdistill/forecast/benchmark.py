"""The paper's test: 25 runs of 400 frames on landscapes that the curriculum does not hold.

The 11 single barriers have the paper's parameters. The shapes of its 14 other landscapes were not
published; those here bear their names, and their parameters stand below. So a published number
of a single case compares exactly for the barriers, and in kind for the others.
"""

import dataclasses
import functools
import json
import pathlib
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Complex, Float, PyTree

from qdistill import _distribute as cluster
from qdistill._checks import refuse, require_at_least, require_one_of, require_positive
from qdistill._rollout import rollout
from qdistill.forecast import metrics
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.students import Student
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator


@dataclasses.dataclass(frozen=True)
class BenchmarkConfig:
    """How the 25 runs are scored.

    Attributes:
      n_frames: Frames to forecast. The given frames come before them and are not scored.
      n_given: Frames that every student is given, 4 in the paper.
      tolerance: Of the Chebyshev solver that is the truth, per frame.
    """

    n_frames: int = 400
    n_given: int = 4
    tolerance: float = 1e-7

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, n_frames=self.n_frames, n_given=self.n_given)
        require_positive(tolerance=self.tolerance)


class Case(NamedTuple):
    """One run: a packet flying right, and a landscape as a function of the positions."""

    centre: float
    width: float
    energy: float
    landscape: Callable[[Array], Array]


def _barrier_case(x0: float, s0: float, e0: float, height: float, width: float) -> Case:
    return Case(x0, s0, e0, functools.partial(potentials.barrier, height=height, width=width))


_BARRIERS = {
    f"barrier-{x0}-{height}-{width}": _barrier_case(x0, s0, e0, height, width)
    for x0, s0, e0, height, width in (
        (15.0, 1.6, 2.0, 0.9, 7.7),
        (15.1, 1.7, 6.4, 7.4, 9.4),
        (15.6, 2.4, 3.7, 13.3, 10.5),
        (15.8, 4.9, 5.5, 11.6, 9.4),
        (17.0, 3.8, 6.8, 7.4, 2.4),
        (17.5, 2.8, 4.7, 5.3, 8.7),
        (17.5, 3.8, 1.5, 4.0, 18.2),
        (17.9, 3.2, 8.2, 6.5, 23.4),
        (19.4, 2.7, 7.5, 9.7, 23.7),
        (19.6, 2.8, 5.9, 4.1, 3.9),
        (19.7, 1.1, 8.6, 0.6, 11.0),
    )
}

_OTHERS = {
    "double-1": Case(
        17.0, 2.2, 6.0, functools.partial(potentials.double, heights=(5.0, 5.0), width=3.0, gap=6.0)
    ),
    "double-2": Case(
        18.0, 2.6, 5.0, functools.partial(potentials.double, heights=(3.0, 7.0), width=5.0, gap=4.0)
    ),
    "triple": Case(
        18.0, 3.0, 7.0,
        functools.partial(potentials.triple, heights=(4.0, 8.0, 6.0), width=2.5, gap=4.0),
    ),
    "half-circle": Case(
        16.0, 2.0, 5.0, functools.partial(potentials.half_circle, height=6.0, width=20.0)
    ),
    "quadratic-1": Case(
        16.0, 2.5, 6.0, functools.partial(potentials.quadratic, height=7.0, width=30.0)
    ),
    "quadratic-2": Case(
        17.0, 1.8, 4.0, functools.partial(potentials.quadratic, height=12.0, width=36.0)
    ),
    "random": Case(
        17.0, 2.5, 6.0,
        functools.partial(
            potentials.random,
            amplitudes=(1.2, -0.7, 2.0, -1.5, 0.4, 1.8, -2.2, 0.9, 1.1, -1.3, 0.6, 1.6),
            phases=(0.3, 4.1, 2.2, 5.6, 1.0, 3.3, 0.8, 2.9, 5.1, 1.7, 4.4, 0.1),
            height=9.0,
            width=36.0,
        ),
    ),
    "steps": Case(
        18.0, 2.5, 6.0,
        functools.partial(potentials.steps, heights=(1.5, 3.0, 4.5, 6.0, 7.5), width=25.0),
    ),
    "trapezoid": Case(
        16.0, 2.0, 5.5,
        functools.partial(potentials.trapezoid, height=6.0, width=20.0, top=0.5),
    ),
    "triangle-1": Case(
        17.0, 2.4, 6.0, functools.partial(potentials.triangle, height=7.0, width=16.0)
    ),
    "triangle-2": Case(
        18.0, 3.0, 4.5, functools.partial(potentials.triangle, height=5.0, width=20.0, skew=0.8)
    ),
    "triangle-3": Case(
        16.5, 2.8, 7.0, functools.partial(potentials.triangle, height=10.0, width=12.0, skew=-0.8)
    ),
    "well-1": Case(17.0, 2.4, 4.0, functools.partial(potentials.well, depth=4.0, width=10.0)),
    "well-2": Case(18.0, 3.0, 6.0, functools.partial(potentials.well, depth=8.0, width=15.0)),
}  # fmt: skip

CASES: dict[str, Case] = _BARRIERS | _OTHERS


def make_cases(grid: Grid) -> tuple[Complex[Array, "n_case n_x"], Float[Array, "n_case n_x"]]:
    """Initial packets and landscapes of all cases.

    Raises:
      ValueError: For a grid that is not a line of 100 bohr, for which the cases are made.
    """
    if grid.lengths != (100.0,):
        refuse("grid", "one-dimensional and 100 bohr long", grid)
    x = grid.positions()
    psi0 = [
        packets.gaussian(grid, case.centre, case.width, (2 * case.energy) ** 0.5)
        for case in CASES.values()
    ]
    return jnp.stack(psi0), jnp.stack([case.landscape(x) for case in CASES.values()])


class Runs(NamedTuple):
    """Truth or forecast of several cases: the given frames, and those that follow them."""

    given: Complex[Array, "n_case n_given n_x"]
    v: Float[Array, "n_case n_x"]
    frames: Complex[Array, "n_case n_t n_x"]


def simulate(
    grid: Grid,
    dt: float,
    psi0: Complex[Array, "n_case n_x"],
    v: Float[Array, "n_case n_x"],
    config: BenchmarkConfig,
    mesh: Mesh | None = None,
) -> Runs:
    """The truth: the Chebyshev solver on the grid's own dispersion, to the config's tolerance.

    With a mesh of devices, each simulates its share of the cases.
    """
    v_range = (float(v.min()), float(v.max()))
    n_later = config.n_given - 1 + config.n_frames
    solve = _solve(grid, dt, config.tolerance, v_range, n_later, mesh)
    frames = solve(cluster.replicate(mesh, (psi0, v)))
    return Runs(frames[:, : config.n_given], v, frames[:, config.n_given :])


@functools.lru_cache(maxsize=16)
def _solve(
    grid: Grid,
    dt: float,
    tolerance: float,
    v_range: tuple[float, float],
    n_later: int,
    mesh: Mesh | None,
) -> Callable[[tuple[Array, Array]], Complex[Array, "n_case n_t n_x"]]:
    """All frames of cases (psi0, v), the first one included; what is compiled is kept."""
    teacher = solver.chebyshev(grid, dt, tolerance, v_range)

    def run(case: tuple[Array, Array]) -> Array:
        psi, v = case
        return jnp.concatenate([psi[None], rollout(teacher(v), psi, n_later)])

    return cluster.jit(mesh, cluster.spread(mesh, jax.vmap(run)))


def forecast(
    student: Student, propagator: Propagator, truth: Runs, mesh: Mesh | None = None
) -> Runs:
    """A student's forecast of the same frames from the same given ones.

    With a mesh of devices, each forecasts its share of the cases.
    """
    n_frames = truth.frames.shape[1]

    def run(case: tuple[Array, Array]) -> Array:
        given, v = case
        return rollout(propagator(v), student.state(given), n_frames, student.psi)

    cases = cluster.replicate(mesh, (truth.given, truth.v))
    frames = cluster.jit(mesh, cluster.spread(mesh, jax.vmap(run)))(cases)
    return truth._replace(frames=frames)


def measure_cost(student: Student, params: PyTree, truth: Runs, n_frames: int = 8) -> float:
    """Microseconds that one frame of one packet takes, its landscape counted; median of five.

    All cases run together in one jitted call, as everywhere else, for so many frames or as many as
    the truth has.
    """
    n_frames = min(n_frames, truth.frames.shape[1])
    short = truth._replace(frames=truth.frames[:, :n_frames])

    def run(params: PyTree, given: Array, v: Array) -> Array:
        step = student.propagator(params)(v)
        return rollout(step, student.state(given), n_frames, student.psi)

    call = jax.jit(jax.vmap(run, (None, 0, 0)))
    seconds = []
    jax.block_until_ready(call(params, short.given, short.v))
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(call(params, short.given, short.v))
        seconds.append(time.perf_counter() - start)
    return 1e6 * float(np.median(seconds)) / (n_frames * len(short.v))


@functools.partial(jax.jit, static_argnums=0)
def measure(grid: Grid, forecast: Runs, truth: Runs) -> dict[str, Float[Array, "n_case n_t"]]:
    """Every metric of `metrics`, for each case and frame."""

    @jax.vmap
    def measure_case(given: Array, v: Array, frames: Array, true: Array) -> dict[str, Array]:
        start = given[-1]
        return {
            "correlation": metrics.correlation(frames, true),
            "mae": metrics.mae(frames, true),
            "nrmse": metrics.nrmse(frames, true),
            "norm_drift": metrics.norm_drift(frames, start),
            "energy_drift": metrics.energy_drift(grid, v, frames, start),
        }

    return measure_case(truth.given, truth.v, forecast.frames, truth.frames)


def summarise(names: list[str], per_frame: dict[str, Float[Array, "n_case n_t"]]) -> dict[str, Any]:
    """The scores that a run writes: means over frames and cases, worst ones, and each case's own.

    Drifts are the largest over the frames; everything else is a mean over frames.
    """
    correlation = np.asarray(per_frame["correlation"], float)
    cases = {
        name: {
            "correlation": float(correlation[i].mean()),
            "final_correlation": float(correlation[i, -1]),
            "mae": float(np.mean(per_frame["mae"][i])),
            "nrmse": float(np.mean(per_frame["nrmse"][i])),
            "norm_drift": float(np.max(per_frame["norm_drift"][i])),
            "energy_drift": float(np.max(per_frame["energy_drift"][i])),
        }
        for i, name in enumerate(names)
    }
    return {
        "n_frames": correlation.shape[1],
        "mean_correlation": float(correlation.mean()),
        "worst_correlation": min(case["correlation"] for case in cases.values()),
        "mean_final_correlation": float(correlation[:, -1].mean()),
        "mean_correlation_first_40": float(correlation[:, :40].mean()),
        "mean_infidelity": float((1 - correlation).mean()),
        "mean_mae": float(np.mean(per_frame["mae"])),
        "mean_nrmse": float(np.mean(per_frame["nrmse"])),
        "max_norm_drift": max(case["norm_drift"] for case in cases.values()),
        "cases": cases,
    }


@functools.cache
def published() -> dict[str, dict[str, dict[str, float]]]:
    """The paper's own results: by case, by model, `correlation`, `final_correlation` and `mae`.

    >>> sorted(published()) == sorted(CASES)
    True
    """
    path = pathlib.Path(__file__).with_name("published.json")
    return json.loads(path.read_text())["cases"]


def published_means(model: str) -> dict[str, float]:
    """The paper's result for a model, mean over the 25 cases.

    >>> round(published_means("full-gru")["correlation"], 4)
    0.9959
    """
    require_one_of(next(iter(published().values())), model=model)
    rows = [models[model] for models in published().values()]
    return {key: float(np.mean([row[key] for row in rows])) for key in rows[0]}
