"""How many substeps a split step needs for a stated error."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill import solver
from qdistill.arguments import refuse, require_at_least, require_positive
from qdistill.grid import Grid, Scalar
from qdistill.rollout import repeat

# Of a clamp in units of 2 / h: the best is near 1, and the resonance at pi.
CAPS = (0.5, 0.7, 0.9, 1.1, 1.3, 1.6, 2.0, 2.5)


class Substeps(NamedTuple):
    """Settings of `solver.split_step`, and the error that was measured with them."""

    n_substeps: int
    kinetic_cap: float | None
    error: float


def choose(
    grid: Grid,
    dt: float,
    error: float,
    v: Float[Array, "n_batch *n_x"],
    psi: Complex[Array, "n_batch *n_x"],
    n_frames: int = 1,
    is_capped: bool = False,
    most: int = 1024,
) -> Substeps:
    """The fewest substeps whose relative error after some frames is at most a stated one.

    The error is the root mean square, over a sample, of |psi - truth| / |truth|; the truth is the
    Chebyshev solver's. Without a cap it falls as 1 / n_substeps^2, and the fewest are found by
    halving an interval; with one it need not, and all are tried from 1 on.

    Args:
      grid: Where psi lives.
      dt: Duration of a frame, in atomic units.
      error: To be reached; below 1e-4 it needs complex128.
      v: A sample of landscapes, in hartree.
      psi: As many states.
      n_frames: After how many frames.
      is_capped: Clamp the kinetic energy, at the best of eight caps around 2 / h.
      most: Substeps at which to give up.

    Raises:
      ValueError: If `most` substeps do not reach the error.

    >>> grid = Grid(64, 10.0, "continuum")
    >>> v, psi = jnp.cos(grid.positions())[None], jnp.ones((1, 64), jnp.complex64)
    >>> choose(grid, 0.1, 1e-2, v, psi).n_substeps
    4
    """
    require_positive(error=error)
    require_at_least(1, n_frames=n_frames, most=most)
    known = np.asarray(v)
    teacher = solver.chebyshev(
        grid, dt, error / (100 * n_frames), (float(known.min()), float(known.max()))
    )
    truth = _last(teacher, n_frames, v, psi)
    measure = functools.partial(_measure, grid, dt, n_frames, v, psi, truth, is_capped)
    # At this many substeps there is no resonance left, capped or not.
    resonance = int(grid.kinetic_energy().max() * abs(dt) / (2 * np.pi)) + 1
    found = (_first if is_capped else _halve)(measure, error, 1 if is_capped else resonance, most)
    if found is None:
        refuse("error", f"reachable with {most} substeps", error)
    return found


def _last(propagator: solver.Propagator, n_frames: int, v: Array, psi: Array) -> Array:
    run = jax.vmap(lambda v, psi: repeat(propagator(v), psi, n_frames))
    return jax.jit(run)(v, psi)


def _measure(
    grid: Grid,
    dt: float,
    n_frames: int,
    v: Array,
    psi: Array,
    truth: Array,
    is_capped: bool,
    n_substeps: int,
) -> Substeps:
    """The error with so many substeps, and the best cap."""
    axes = tuple(range(1, truth.ndim))

    def of(cap: Scalar | None) -> Array:
        propagator = solver.split_step(grid, dt, n_substeps, cap)
        wrong = jnp.sum(jnp.abs(_last(propagator, n_frames, v, psi) - truth) ** 2, axes)
        return jnp.sqrt(jnp.mean(wrong / jnp.sum(jnp.abs(truth) ** 2, axes)))

    if not is_capped:
        return Substeps(n_substeps, None, float(of(None)))
    caps = 2 * n_substeps / abs(dt) * np.asarray(CAPS)
    errors = jax.jit(jax.vmap(of))(jnp.asarray(caps, v.dtype))
    best = int(jnp.argmin(errors))
    return Substeps(n_substeps, float(caps[best]), float(errors[best]))


def _first(
    measure: Callable[[int], Substeps], error: float, least: int, most: int
) -> Substeps | None:
    found = map(measure, range(least, most + 1))
    return next((each for each in found if each.error <= error), None)


def _halve(
    measure: Callable[[int], Substeps], error: float, least: int, most: int
) -> Substeps | None:
    """The first that is good enough, if the error falls; doubling, then halving."""
    bad, n = least - 1, least
    while (good := measure(n)).error > error:
        bad, n = n, 2 * n
        if n > most:
            return None
    while good.n_substeps - bad > 1:
        middle = measure((bad + good.n_substeps) // 2)
        if middle.error <= error:
            good = middle
        else:
            bad = middle.n_substeps
    return good
