"""The exact solver forwards and backwards in time, and forecasts of many cases."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex

from qdistill import teacher
from qdistill._checks import require_at_least, require_each
from qdistill._refusals import explained
from qdistill.system import Potential, Propagator, System, rollout

# Truncation error per frame of the exact solver, in single and in double precision.
SINGLE, DOUBLE = 1e-7, 1e-12
# Number of cases per batch: the windows of more would not fit into memory.
N_AT_ONCE = 16


@explained
def solve_exactly(
    system: System, bounds: tuple[float, float], tolerance: float | None = None
) -> teacher.Chebyshev:
    """Return the exact solver of a system, for potentials within bounds.

    Args:
      system: A linear, autonomous and Hermitian system.
      bounds: Lowest and highest value of all potentials, in hartree.
      tolerance: Truncation error per frame; by default 1e-7, or 1e-12 in double precision.
    """
    if tolerance is None:
        tolerance = DOUBLE if jnp.zeros(0, float).dtype == jnp.float64 else SINGLE
    return teacher.chebyshev(dataclasses.replace(system, bounds=bounds), tolerance)


@explained
def recall(
    exact: teacher.Chebyshev | teacher.SplitStep,
    psi: Complex[Array, "*n_x"],
    v: Potential,
    n_given: int,
) -> Complex[Array, "n_given *n_x"]:
    """Return the exact frames that lead to psi, psi included as the last, at t = 0.

    Args:
      exact: The exact solver, which is run backwards in time.
      psi: The newest frame.
      v: Potential.
      n_given: Number of frames, psi included.
    """
    require_at_least(1, n_given=n_given)
    if n_given == 1:
        return psi[None]
    reverse = dataclasses.replace(exact.system, dt=-exact.system.dt)
    backwards = dataclasses.replace(exact, system=reverse)
    return jnp.concatenate([psi[None], rollout(backwards, psi[None], v, n_given - 1)])[::-1]


@explained
def forecast(
    propagator: Propagator,
    given: Complex[Array, "n_case n_given *n_x"],
    v: Potential,
    n_frames: int,
) -> Complex[Array, "n_case n_t *n_x"]:
    """Return forecasts of many cases from their given frames, computed in batches.

    The last given frame is at t = 0, as that of `recall`.

    Args:
      propagator: The propagator.
      given: Given frames, oldest first.
      v: Potential of each case.
      n_frames: Number of frames to forecast.
    """
    require_each("case", given=given, v=v)
    n_case = len(given)
    if n_case <= N_AT_ONCE:
        return _forecast(propagator, n_frames, given, v)
    # All batches are full, so that one program is compiled: the last one overlaps the one before.
    starts = [*range(0, n_case - N_AT_ONCE, N_AT_ONCE), n_case - N_AT_ONCE]
    parts = [
        _forecast(
            propagator, n_frames, *jax.tree.map(lambda a, i=i: a[i : i + N_AT_ONCE], (given, v))
        )
        for i in starts
    ]
    parts[-1] = parts[-1][len(starts) * N_AT_ONCE - n_case :]
    return jnp.concatenate(parts)


@functools.partial(jax.jit, static_argnums=1)
def _forecast(propagator: Propagator, n_frames: int, given: Array, v: Potential) -> Array:
    return jax.vmap(lambda given, v: rollout(propagator, given, v, n_frames))(given, v)
