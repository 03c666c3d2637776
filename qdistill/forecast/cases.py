"""Test cases with their truth, forecasts of them, and how close these are."""

import dataclasses
import functools
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Array, Complex, Float, PyTree

from qdistill import _distribute as cluster
from qdistill import teacher
from qdistill._checks import refuse, require_at_least
from qdistill.forecast import metrics
from qdistill.system import Potential, Propagator, System, rollout


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cases:
    """A test set with its truth.

    Attributes:
      given: Frames that a forecast starts from, (n_case, n_given, *n_x), oldest first.
      v: Potential of each case.
      frames: The truth that follows, (n_case, n_t, *n_x).
      family: Name of each case, or of its kind.
    """

    # Shapes would not hold inside `vmap`, where the axis of cases is gone.
    given: Array
    v: Potential
    frames: Array
    family: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    def __len__(self) -> int:
        """Number of cases."""
        return len(self.given)


def exact(system: System, v: Potential, tolerance: float = 1e-7) -> Propagator:
    """The Chebyshev solver with bounds as tight as given potentials allow.

    Args:
      system: Linear, autonomous and Hermitian.
      v: Potentials of all cases, known, with one axis of cases in front.
      tolerance: Truncation error per frame.
    """
    bounds = teacher.bounds_of(system, v)
    return teacher.chebyshev(dataclasses.replace(system, bounds=bounds), tolerance)


def simulate(
    solver: Propagator,
    psi0: Complex[Array, "n_case *n_x"],
    v: Potential,
    n_given: int,
    n_frames: int,
    family: tuple[str, ...] = (),
    mesh: Mesh | None = None,
) -> Cases:
    """Solve test cases.

    Args:
      solver: What is taken as the truth, such as `exact(system, v)`.
      psi0: Initial states, which are the first given frames.
      v: Potentials, one for each case.
      n_given: Frames that are given, the initial one included.
      n_frames: Frames that follow.
      family: Name of each case, or of its kind.
      mesh: Devices, each of which simulates its share of the cases.
    """
    require_at_least(1, n_given=n_given, n_frames=n_frames)
    if family and len(family) != len(psi0):
        refuse("family", f"{len(psi0)} names, one for each case", len(family))
    # A propagator that is a value, as solvers are, keeps what is compiled.
    solve = _solve(solver, n_given - 1 + n_frames, mesh)  # type: ignore[arg-type]
    frames = solve(cluster.replicate(mesh, (psi0, v)))
    return Cases(frames[:, :n_given], v, frames[:, n_given:], family)


@functools.lru_cache(maxsize=16)
def _solve(solver: Any, n_later: int, mesh: Mesh | None) -> Any:
    """All frames of cases (psi0, v), the first one included; what is compiled is kept."""

    def run(case: tuple[Array, Potential]) -> Array:
        psi, v = case
        return jnp.concatenate([psi[None], rollout(solver, psi[None], v, n_later)])

    return cluster.jit(mesh, cluster.spread(mesh, jax.vmap(run)))


def forecast(
    propagator: Propagator, cases: Cases, mesh: Mesh | None = None
) -> Complex[Array, "n_case n_t *n_x"]:
    """Forecast the frames of test cases from their given frames.

    The first given frame is at t = 0, as `simulate` makes it. With a mesh of devices, each
    forecasts its share of the cases.
    """
    n_given, n_frames = cases.given.shape[1], cases.frames.shape[1]

    def run(case: tuple[Array, Potential]) -> Array:
        given, v = case
        return rollout(propagator, given, v, n_frames, n0=n_given - 1)

    inputs = cluster.replicate(mesh, (cases.given, cases.v))
    return cluster.jit(mesh, cluster.spread(mesh, jax.vmap(run)))(inputs)


def measure_cost(propagator: Propagator, cases: Cases, n_frames: int = 8) -> float:
    """Measure the microseconds of one frame of one packet, its potential counted; median of five.

    All cases run together in one jitted call, as everywhere else, for so many frames or as many as
    the truth has.
    """
    require_at_least(1, n_frames=n_frames)
    n_frames = min(n_frames, cases.frames.shape[1])

    def run(propagator: PyTree, given: Array, v: Potential) -> Array:
        return rollout(propagator, given, v, n_frames)

    call = jax.jit(jax.vmap(run, (None, 0, 0)))
    seconds = []
    jax.block_until_ready(call(propagator, cases.given, cases.v))
    for _ in range(5):
        start = time.perf_counter()
        jax.block_until_ready(call(propagator, cases.given, cases.v))
        seconds.append(time.perf_counter() - start)
    return 1e6 * float(np.median(seconds)) / (n_frames * len(cases))


@functools.partial(jax.jit, static_argnums=0)
def measure(
    system: System, cases: Cases, frames: Complex[Array, "n_case n_t *n_x"]
) -> dict[str, Float[Array, "n_case n_t"]]:
    """Compute every metric of `metrics`, for each case and frame.

    The energy drift is NaN for a system that does not conserve the energy <H> of its `local` part:
    one that is driven, nonlinear, or absorbs.

    Args:
      system: It gives the energy.
      cases: The truth.
      frames: A forecast of it.
    """

    is_conserved = system.is_autonomous and system.is_linear and system.is_hermitian

    def drift(v: Potential, frames: Array, start: Array) -> Array:
        if not (is_conserved and system.has_plain_kinetic):
            return jnp.full(len(frames), jnp.nan, frames.real.dtype)
        return metrics.energy_drift(system.grid, system.local(v, 0.0, None), frames, start)

    @jax.vmap
    def measure_case(given: Array, v: Potential, frames: Array, true: Array) -> dict[str, Array]:
        start = given[-1]
        return {
            "correlation": metrics.correlation(frames, true),
            "mae": metrics.mae(frames, true),
            "nrmse": metrics.nrmse(frames, true),
            "norm_drift": metrics.norm_drift(frames, start),
            "energy_drift": drift(v, frames, start),
        }

    return measure_case(cases.given, cases.v, frames, cases.frames)


def summarise(
    names: tuple[str, ...], per_frame: dict[str, Float[Array, "n_case n_t"]]
) -> dict[str, Any]:
    """Return the scores that a run writes: means over frames and cases, the worst, and each case.

    Drifts are the largest over the frames; everything else is a mean over frames.
    """
    correlation = np.asarray(per_frame["correlation"], float)
    scores = {
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
        "worst_correlation": min(case["correlation"] for case in scores.values()),
        "mean_final_correlation": float(correlation[:, -1].mean()),
        "mean_correlation_first_40": float(correlation[:, :40].mean()),
        "mean_infidelity": float((1 - correlation).mean()),
        "mean_mae": float(np.mean(per_frame["mae"])),
        "mean_nrmse": float(np.mean(per_frame["nrmse"])),
        "max_norm_drift": max(case["norm_drift"] for case in scores.values()),
        "cases": scores,
    }
