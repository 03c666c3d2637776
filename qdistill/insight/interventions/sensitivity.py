"""The sensitivity of a forecast to its inputs: derivatives by frame, channel and offset.

One input is changed at one point, Re psi, Im psi or V of one given frame, and the response of the
forecast is measured around it. The exact solver has one frame as its input. Its derivative with
respect to psi is its kernel, and that with respect to V is first-order perturbation theory,

    d psi(dt) / d V(y) = -i integral_0^dt U(dt - s) delta_y U(s) psi ds.

A propagator with a history of frames has a derivative with respect to each, but their split among
the frames is not unique: the frames determine each other, so different splits give the same
forecasts along solutions. Two more derivatives are therefore measured. One is the sum, where all
frames change alike. The other is unique and can be compared with the exact solver: the derivative
with respect to the newest frame *with its past*, where the older frames change as the exact solver
changes them.

A single point contains all waves of the lattice, three quarters of them beyond those of any lesson.
So the same is measured with a band-limited impulse; and, in addition to V at one point, for the
height of the whole potential.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from qdistill._checks import (
    refuse,
    require_at_least,
    require_each,
    require_finite,
    require_positive,
    require_seed,
)
from qdistill._refusals import explained
from qdistill.insight import harness
from qdistill.insight.probes.cone import impulse
from qdistill.system import Propagator, rollout
from qdistill.teacher import Chebyshev

# Size of the change for central differences, in units of the rms of the input.
NUDGE = 0.01
# Smallest density at chosen points, as a share of the largest.
PRESENT = 0.05


class Derivatives(NamedTuple):
    """The derivatives of a forecast with respect to single inputs, at all offsets from them.

    The directions are Re and Im of each given frame, oldest first; Re and Im of the newest frame
    with its past; V; and V as a whole, per relative change of its height, at the same points.
    Offsets are those of the input from the forecast point.

    Attributes:
      columns: Derivatives: dimensionless for psi, in units of psi per hartree for V.
      is_inside: Whether V is not zero at the forecast point.
      offset: Offsets in points.
    """

    columns: Complex[np.ndarray, "n_case n_place n_ahead n_direction n_offset"]
    is_inside: Float[np.ndarray, "n_case n_place n_offset"]
    offset: Int[np.ndarray, " n_offset"]


@explained
def choose_places(
    psi: Complex[np.ndarray, "n_case n_x"], n_place: int, seed: int
) -> Int[np.ndarray, "n_case n_place"]:
    """Return random points in each case where psi is not negligible."""
    require_at_least(1, n_place=n_place)
    require_seed(seed=seed)
    require_finite(psi=psi)
    if not np.all(np.any(psi, axis=-1)):
        refuse("psi", "different from zero somewhere in each case", "zero everywhere")
    rng = np.random.default_rng(seed)
    density = np.abs(psi) ** 2
    present = density > PRESENT * density.max(axis=-1, keepdims=True)
    return np.stack([rng.choice(np.flatnonzero(row), n_place) for row in present])


@explained
def measure_derivatives(
    propagator: Propagator,
    exact: Chebyshev,
    given: Complex[Array, "n_case n_given n_x"],
    v: Float[Array, "n_case n_x"],
    places: Int[np.ndarray, "n_case n_place"],
    ahead: tuple[int, ...] = (1,),
    reach: int = 24,
    k_band: float | None = None,
    by_differences: bool | None = None,
) -> Derivatives:
    """Return the derivatives of forecast frames with respect to single inputs.

    Args:
      propagator: The propagator.
      exact: The exact solver of a one-dimensional system, which gives changes their past.
      given: Frames of a solution, oldest first, at least as many as the propagator needs.
      v: Potentials, in hartree.
      places: Indices of the points where inputs are changed.
      ahead: Frames of the forecast, counted from 1, in ascending order.
      reach: Largest offset, in points.
      k_band: Largest wavenumber in 1/bohr of an impulse that replaces a single point.
      by_differences: Whether to use central differences instead of gradients; by default for
        propagators whose gradients are not correct, such as with a stopped gauge.

    Raises:
      ValueError: For no frame ahead, or a band that is not positive.
    """
    ahead = tuple(ahead)
    for frame in ahead:
        require_at_least(1, ahead=frame)
    require_at_least(1, reach=reach)
    require_each("case", given=given, v=v, places=places)
    grid = exact.system.grid
    offset = np.arange(-reach, reach + 1)
    shape = np.zeros(grid.shape, np.float32)
    shape[0] = 1
    if k_band is not None:
        require_positive(k_band=k_band)
        shape = np.asarray(impulse(grid, k_band)).real
        shape = np.roll(shape, -int(np.argmax(shape)))
        shape = shape / np.linalg.norm(shape)
    if by_differences is None:
        by_differences = not propagator.is_differentiable
    given = given[:, given.shape[1] - propagator.n_history :]
    columns, inside = [], []
    for frames, potential, mine in zip(given, v, places, strict=True):
        at = jnp.asarray(shape, v.dtype), jnp.asarray(mine)
        found = _differentiate(propagator, exact, ahead, by_differences, frames, potential, *at)
        # The offset points from the forecast point to its input.
        points = (mine[:, None] - offset[None]) % grid.shape[0]
        picked = [np.asarray(each)[..., at] for each, at in zip(found, points, strict=True)]
        columns.append(np.stack(picked))
        inside.append(np.asarray(potential)[points] != 0)
    return Derivatives(np.stack(columns), np.stack(inside).astype(float), offset)


@functools.partial(jax.jit, static_argnums=(2, 3))
def _differentiate(
    propagator: Propagator,
    exact: Chebyshev,
    ahead: tuple[int, ...],
    by_differences: bool,
    given: Array,
    v: Array,
    shape: Array,
    places: Array,
) -> Complex[Array, "n_place n_ahead n_direction n_x"]:
    sizes = _rms(given[-1]), jnp.maximum(_rms(v), 1.0)

    def forecast(given: Array, v: Array) -> Array:
        return rollout(propagator, given, v, max(ahead))[np.asarray(ahead) - 1]

    def along(change: tuple[Array, Array]) -> Array:
        if not by_differences:
            return jax.jvp(forecast, (given, v), change)[1]
        # V and psi are never changed together.
        of_psi = jnp.max(jnp.abs(change[0])) / sizes[0]
        of_v = jnp.max(jnp.abs(change[1])) / sizes[1]
        nudge = NUDGE / jnp.maximum(jnp.maximum(of_psi, of_v), 1e-6)
        up, down = (
            forecast(given + s * nudge * change[0], v + s * nudge * change[1]) for s in (1, -1)
        )
        return (up - down) / (2 * nudge)

    def at(place: Array) -> Array:
        unit = jnp.roll(shape, place).astype(given.dtype)
        changes = _directions(exact, propagator.n_history, v, unit)
        return jnp.moveaxis(jax.vmap(along)(changes), 0, 1)

    return jax.lax.map(at, places)


def _directions(exact: Chebyshev, n_history: int, v: Array, unit: Array) -> tuple[Array, Array]:
    """The changes of the given frames, (n_direction, n_history, n_x), and of the potential."""
    turns = jnp.asarray([1, 1j], unit.dtype)
    single = jnp.einsum("hg,c,x->hcgx", jnp.eye(n_history), turns, unit)
    moving = turns[:, None, None] * harness.recall(exact, unit, v, n_history)[None]
    of_psi = jnp.concatenate([single.reshape(-1, n_history, len(unit)), moving])
    of_psi = jnp.concatenate([of_psi, jnp.zeros_like(of_psi[:2])])
    of_v = jnp.zeros((len(of_psi), len(v)), v.dtype)
    return of_psi, of_v.at[-2].set(unit.real).at[-1].set(v)


def _rms(values: Array) -> Array:
    """The rms over points with at least a twentieth of the largest square."""
    square = jnp.abs(values) ** 2
    is_there = square > PRESENT * jnp.max(square)
    return jnp.sqrt(jnp.sum(jnp.where(is_there, square, 0)) / jnp.maximum(jnp.sum(is_there), 1))
