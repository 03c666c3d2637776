"""One packet on one potential: exact frames, a forecast, and transmission."""

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import (
    require_arrays,
    require_at_least,
    require_no_channels,
    require_record,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.forecast import cases, metrics
from qdistill.forecast.held_out import BenchmarkConfig, make_truth
from qdistill.insight.harness import Report
from qdistill.physics import observables
from qdistill.physics.grid import Grid, require_line
from qdistill.students import Emulator
from qdistill.system import Potential, Propagator


@explained
@dataclasses.dataclass(frozen=True)
class FlightReport(Report):
    """The exact frames of a packet and a forecast of them.

    Attributes:
      x, t: Positions in bohr, and times of the frames in a.u.
      v: Potential in hartree.
      truth, frames: Frames of the solver, and of the forecast.
    """

    x: Float[np.ndarray, " n_x"]
    t: Float[np.ndarray, " n_t"]
    v: Float[np.ndarray, " n_x"]
    truth: Complex[np.ndarray, "n_t n_x"]
    frames: Complex[np.ndarray, "n_t n_x"]


@explained
def evaluate(
    propagator: Propagator, v: Potential, psi: Complex[Array, " n_x"], n_frames: int
) -> FlightReport:
    """Compare a forecast of a packet with the solver, and return both with their transmission.

    Args:
      propagator: A one-dimensional propagator. Given frames beyond the first come from the solver.
      v: Potential: values on the grid, or the form that the system takes.
      psi: Initial packet.
      n_frames: Number of frames to forecast.

    Raises:
      ValueError: For a system with channels or several dimensions, and what `Emulator.check`
        refuses.
    """
    system, n_given = propagator.system, propagator.n_history
    grid = system.grid
    require_no_channels(system)
    require_line(grid)
    require_at_least(1, n_frames=n_frames)
    require_arrays(v=v)
    if isinstance(propagator, Emulator):
        propagator.check(psi[None], v)
    one = jax.tree.map(lambda leaf: leaf[None], v)
    solver = make_truth(BenchmarkConfig(), system, one)
    case = cases.simulate(solver, psi[None], one, n_given, n_frames)
    (truth,), (frames,) = case.frames, cases.forecast(propagator, case)
    local, waves = system.local(v, 0.0, None).real, jnp.abs(jnp.fft.fft(psi)) ** 2
    energy = jnp.vdot(jnp.asarray(system.kinetic(v, 0.0)), waves) / jnp.sum(waves)
    energy += jnp.vdot(local, jnp.abs(psi) ** 2) / jnp.sum(jnp.abs(psi) ** 2)
    k = float(observables.momentum(grid, psi))
    numbers: dict[str, Any] = {
        "potential_hartree": {"lowest": float(local.min()), "highest": float(local.max())},
        "energy_hartree": float(energy),
        "duration_au": system.dt * n_frames,
        "wraps_around": is_at_edge(grid, truth),
        "exact": count_sides(grid, local, truth[-1], k),
        "forecast": count_sides(grid, local, frames[-1], k),
        "correlation": float(metrics.correlation(frames, truth)[-1]),
        "relative_l2_error": float(metrics.nrmse(frames, truth)[-1]),
        "norm_drift": float(metrics.norm_drift(frames, psi)[-1]),
    }
    t = system.dt * np.arange(n_given, n_given + n_frames)
    arrays = (grid.positions(), t, local, truth, frames)
    return FlightReport(numbers, make_table(numbers), *map(np.asarray, arrays))


@explained
def is_at_edge(grid: Grid, frames: Complex[Array, "n_t n_x"]) -> bool:
    """Return whether a packet reaches the ends of the periodic box, where it wraps around.

    This is so if more than 1% of the probability is in the outer 1% of the box on each side in some
    frame.
    """
    density = np.abs(np.asarray(frames)) ** 2
    n = -(-grid.shape[0] // 100)
    ends = density[:, :n].sum(axis=1) + density[:, -n:].sum(axis=1)
    return bool(np.any(ends > 0.01 * density.sum(axis=1)))


@explained
def count_sides(
    grid: Grid, v: Float[Array, " n_x"], psi: Complex[Array, " n_x"], momentum: float
) -> dict[str, float]:
    """Return the probabilities behind the potential, before it, and inside.

    Args:
      grid: A one-dimensional grid.
      v: Potential; its ends are where it differs from its first value by 1% of its range.
      psi: Final state.
      momentum: Mean momentum of the packet; its sign tells from which side the packet came.

    >>> import jax.numpy as jnp
    >>> grid = Grid(8, 8.0)
    >>> psi = jnp.zeros(8, complex).at[jnp.array([0, 7])].set(jnp.array([0.6, 0.8]))
    >>> count_sides(grid, jnp.zeros(8).at[3].set(1.0), psi, momentum=1.0)["transmission"]
    0.64...
    """
    require_line(grid)
    require_shape(grid.shape, v=v, psi=psi)
    x, heights = np.asarray(grid.positions()), np.asarray(v)
    hills = x[np.abs(heights - heights[0]) > 0.01 * np.ptp(heights)]
    left, right = (hills[0], hills[-1]) if hills.size else (x[x.size // 2],) * 2
    right_of, left_of = observables.sides(grid, psi, left, right)
    through, back = (right_of, left_of) if momentum > 0 else (left_of, right_of)
    inside = observables.probability(grid, psi) - through - back
    shares = {"transmission": through, "reflection": back, "inside": inside}
    return {name: float(share) for name, share in shares.items()}


@explained
def make_table(numbers: dict[str, Any]) -> str:
    """Return a table, as text, of transmission, reflection and final error."""
    sides = {who: {str: float} for who in ("exact", "forecast")}
    form = sides | {"relative_l2_error": float, "wraps_around": bool}
    require_record(form, numbers=numbers)
    lines = [
        f"{who:8} " + ", ".join(f"{side} {share:.4f}" for side, share in numbers[who].items())
        for who in ("exact", "forecast")
    ]
    lines.append(f"relative L2 error at the end {numbers['relative_l2_error']:.1e}")
    if numbers["wraps_around"]:
        lines.append(
            "The packet reaches the edge of the periodic box and wraps around: transmission"
        )
        lines.append("and reflection are mixed. Use fewer frames.")
    return "\n".join(lines)
