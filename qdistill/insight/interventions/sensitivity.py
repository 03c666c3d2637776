"""The sensitivity of a forecast to its inputs: derivatives by frame, channel and offset.

One input is moved at one place, Re psi, Im psi or V of one given frame, and the forecast responds
around it. The exact solver has one frame as its input; its derivative by psi is its kernel, and the
one by V is first-order perturbation theory,

    d psi(dt) / d V(y) = -i integral_0^dt U(dt - s) delta_y U(s) psi ds.

A propagator with a history of frames has a derivative by each, but how it is shared among them is
not unique: the frames determine each other, and any two shares that are the same along solutions
make the same forecasts. So two more are taken: their sum, as if all frames were moved alike; and
what is unique and may be compared with the exact solver, the derivative by the newest frame *with
its past*, the older frames moved as the exact solver moves them.

A single point holds all waves that the lattice holds, three quarters of them beyond those of any
lesson. The same is therefore asked with a band-limited impulse; and next to V at one place, of the
potential as a whole, made higher or lower as lessons have it.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int

from qdistill._checks import require_at_least, require_positive
from qdistill.insight import harness
from qdistill.insight.probes.cone import impulse
from qdistill.system import Propagator, rollout
from qdistill.teacher import Chebyshev

# A change of either sign, in units of the input's rms, where derivatives are differences.
NUDGE = 0.01
# Where psi is: a share of the largest density.
PRESENT = 0.05


class Derivatives(NamedTuple):
    """Derivatives of a forecast along single inputs, at all offsets from them.

    The directions are Re and Im of each given frame, oldest first; Re and Im of the newest frame
    with its past; V; and V as a whole, per relative change of its height, at the same points.
    Offsets are those of the input from the forecast point.

    Attributes:
      columns: Derivatives; of psi without unit, of V in 1/hartree times psi's unit.
      is_inside: Whether V is not zero at the forecast point.
      offset: In points.
    """

    columns: Complex[np.ndarray, "n_case n_place n_ahead n_direction n_offset"]
    is_inside: Float[np.ndarray, "n_case n_place n_offset"]
    offset: Int[np.ndarray, " n_offset"]


def choose_places(
    psi: Complex[np.ndarray, "n_case n_x"], n_place: int, seed: int
) -> Int[np.ndarray, "n_case n_place"]:
    """Random points in each case where psi is."""
    require_at_least(1, n_place=n_place)
    rng = np.random.default_rng(seed)
    density = np.abs(psi) ** 2
    present = density > PRESENT * density.max(axis=-1, keepdims=True)
    return np.stack([rng.choice(np.flatnonzero(row), n_place) for row in present])


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
    """Measure the derivatives of forecast frames along single inputs.

    Args:
      propagator: What is asked.
      exact: The exact solver of a line, which gives changes their past.
      given: Frames of a solution, oldest first, at least as many as the propagator needs.
      v: Potentials, in hartree.
      places: Where inputs are moved, as indices of points.
      ahead: Which frames of the forecast, counted from 1, rising.
      reach: Largest offset, in points.
      k_band: Largest wavenumber of an impulse in place of a single point, in 1/bohr.
      by_differences: Whether to take central differences instead of gradients; by default where
        gradients are not right, as through a gauge that is stopped.

    Raises:
      ValueError: For no frame ahead, or a band that is not positive.
    """
    for frame in ahead:
        require_at_least(1, ahead=frame)
    require_at_least(1, reach=reach)
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
        # A forecast point lies before its input by the offset.
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
        # V is never moved together with psi.
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
    """All changes of the given frames, (n_direction, n_history, n_x), and of the potential."""
    turns = jnp.asarray([1, 1j], unit.dtype)
    single = jnp.einsum("hg,c,x->hcgx", jnp.eye(n_history), turns, unit)
    moving = turns[:, None, None] * harness.recall(exact, unit, v, n_history)[None]
    of_psi = jnp.concatenate([single.reshape(-1, n_history, len(unit)), moving])
    of_psi = jnp.concatenate([of_psi, jnp.zeros_like(of_psi[:2])])
    of_v = jnp.zeros((len(of_psi), len(v)), v.dtype)
    return of_psi, of_v.at[-2].set(unit.real).at[-1].set(v)


def _rms(values: Array) -> Array:
    """Where they are: over points with at least a twentieth of the largest square."""
    square = jnp.abs(values) ** 2
    is_there = square > PRESENT * jnp.max(square)
    return jnp.sqrt(jnp.sum(jnp.where(is_there, square, 0)) / jnp.maximum(jnp.sum(is_there), 1))
