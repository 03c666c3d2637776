"""Test cases with exact solutions, forecasts of them, and their metrics."""

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
from qdistill._checks import (
    refuse,
    require_at_least,
    require_each,
    require_finite,
    require_record,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.forecast import metrics
from qdistill.system import Potential, Propagator, System, rollout

# The metrics of `measure`.
METRICS = ("correlation", "mae", "nrmse", "norm_drift", "energy_drift")


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Cases:
    """A set of test cases with exact solutions.

    Attributes:
      given: Given frames from which a forecast starts, (n_case, n_given, *n_x), oldest first.
      v: Potential of each case, in hartree.
      frames: Exact frames that follow, (n_case, n_t, *n_x).
      family: Name of each case, or of its kind.
    """

    # Shapes are not annotated: inside `vmap` the axis of cases is missing.
    given: Array
    v: Potential
    frames: Array
    family: tuple[str, ...] = dataclasses.field(default=(), metadata={"static": True})

    def __len__(self) -> int:
        """Return the number of cases."""
        return len(self.given)


@explained
def exact(system: System, v: Potential, tolerance: float = 1e-7) -> Propagator:
    """Return the Chebyshev solver with the tightest bounds for given potentials.

    Args:
      system: A linear, autonomous and Hermitian system.
      v: Potentials of all cases, concrete, with an axis of cases in front.
      tolerance: Truncation error per frame.
    """
    bounds = teacher.bounds_of(system, v)
    return teacher.chebyshev(dataclasses.replace(system, bounds=bounds), tolerance)


@explained
def simulate(
    solver: Propagator,
    psi0: Complex[Array, "n_case *n_x"],
    v: Potential,
    n_given: int,
    n_frames: int,
    family: tuple[str, ...] = (),
    mesh: Mesh | None = None,
) -> Cases:
    """Return test cases, solved from their initial states.

    Args:
      solver: The solver that is taken as the truth, such as `exact(system, v)`.
      psi0: Initial states, which are the first given frames.
      v: Potentials, one for each case.
      n_given: Number of given frames, the initial one included.
      n_frames: Number of frames that follow.
      family: Name of each case, or of its kind.
      mesh: Devices that share the cases.
    """
    require_at_least(1, n_given=n_given, n_frames=n_frames)
    require_each("case", psi0=psi0, v=v)
    require_finite(psi0=psi0)
    if family and len(family) != len(psi0):
        refuse("family", f"{len(psi0)} names, one for each case", len(family))
    # Solvers are hashable values, so compiled functions are cached.
    solve = _solve(solver, n_given - 1 + n_frames, mesh)  # type: ignore[arg-type]
    frames = solve(cluster.replicate(mesh, (psi0, v)))
    return Cases(frames[:, :n_given], v, frames[:, n_given:], family)


@functools.lru_cache(maxsize=16)
def _solve(solver: Any, n_later: int, mesh: Mesh | None) -> Any:
    """The function from cases (psi0, v) to all frames, the first included; cached by solver."""

    def run(case: tuple[Array, Potential]) -> Array:
        psi, v = case
        return jnp.concatenate([psi[None], rollout(solver, psi[None], v, n_later)])

    return cluster.jit(mesh, cluster.spread(mesh, jax.vmap(run)))


@explained
def forecast(
    propagator: Propagator, cases: Cases, mesh: Mesh | None = None
) -> Complex[Array, "n_case n_t *n_x"]:
    """Return forecasts of the frames of test cases, from their given frames.

    The first given frame is at t = 0, as in `simulate`. The devices of a mesh share the cases.
    """
    n_given, n_frames = cases.given.shape[1], cases.frames.shape[1]

    def run(case: tuple[Array, Potential]) -> Array:
        given, v = case
        return rollout(propagator, given, v, n_frames, n0=n_given - 1)

    inputs = cluster.replicate(mesh, (cases.given, cases.v))
    return cluster.jit(mesh, cluster.spread(mesh, jax.vmap(run)))(inputs)


@explained
def measure_cost(propagator: Propagator, cases: Cases, n_frames: int = 8) -> float:
    """Return the cost in microseconds per frame and packet, setup of potentials included.

    It is the median of five measurements. All cases run together in one jitted call, for `n_frames`
    frames, or for the number of frames of the truth.
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


@explained
@functools.partial(jax.jit, static_argnums=0)
def measure(
    system: System, cases: Cases, frames: Complex[Array, "n_case n_t *n_x"]
) -> dict[str, Float[Array, "n_case n_t"]]:
    """Return every metric of `metrics`, for each case and frame.

    The energy drift is NaN for a system that does not conserve the energy <H> of its `local` part:
    driven, nonlinear and absorbing systems.

    Args:
      system: The system, which defines the energy.
      cases: The test cases.
      frames: A forecast of their frames.
    """

    require_shape(cases.frames.shape, frames=frames)
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


@explained
def summarise(
    names: tuple[str, ...], per_frame: dict[str, Float[Array, "n_case n_t"]]
) -> dict[str, Any]:
    """Return the scores that a run writes: mean over all cases, the worst, and each case.

    Over frames, drifts are maxima and all other metrics are means.
    """
    require_record(dict.fromkeys(METRICS, Array | np.ndarray), per_frame=per_frame)
    require_each("case", len(names), **{f"per_frame[{of!r}]": per_frame[of] for of in METRICS})
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
