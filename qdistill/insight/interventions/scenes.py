"""Random scenes in which a process happens, and the moments of interventions."""

import functools
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, Key

from qdistill._checks import require_at_least, require_one_of
from qdistill._refusals import explained
from qdistill.insight.interventions.table import Intervention, Moment, Psi, V
from qdistill.physics import packets, potentials
from qdistill.physics.families import FAMILIES, sample_parameters
from qdistill.physics.grid import Grid, Scalar, require_line
from qdistill.system import Propagator, rollout

# Lengths and times of scenes are given for a box of this length in bohr and a mass of 1.
# They scale with the box, except for widths of tunnelling barriers, which are in bohr in every box.
# Times also scale with the root of the mass, as those of packets of the same energy.
BOX = 100.0
# Factor by which potentials of the families are narrowed, so that packets pass them in the box.
NARROWED = 2.5
# Time in a cavity before the moment ``"later"``, in a.u. for a box of 100 bohr.
BOUNCES = 4.0
# Latest usual time of a moment, likewise.
LONGEST = 16.0


class Scene(NamedTuple):
    """The beginning of a scene, and the times of possible interventions.

    Attributes:
      moment: State and potential at the beginning.
      times: Times of the moments ``"start"``, ``"contact"`` and ``"later"``, in a.u.
    """

    moment: Moment
    times: Float[Array, "3"]


WHEN = ("start", "contact", "later")


@explained
def encounter(key: Key[Array, ""], grid: Grid, family: str) -> Scene:
    """Sample a packet that flies right onto a potential about as high or deep as its energy."""
    key_v, key_energy, key_height, key_width = jax.random.split(key, 4)
    energy, s0 = _uniform(key_energy, 3.0, 8.0), _length(key_width, grid, 1.2, 2.0)
    v, span = _potential(key_v, grid, family, energy * _uniform(key_height, 0.7, 1.2))
    momentum = packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, span[0] - 5 * s0, s0, momentum)
    # Times at which the packet reaches the potential, and would have passed it in free flight.
    speed = momentum / grid.mass[0]
    contact = 5 * s0 / speed
    later = contact + (span[1] - span[0] + 6 * s0) / speed
    return Scene(Moment(psi, v, span, energy), jnp.stack([0 * contact, contact, later]))


@explained
def meeting(key: Key[Array, ""], grid: Grid, family: str) -> Scene:
    """Sample two packets of equal energy that meet on a potential, or in free space."""
    key_v, key_energy, key_height, key_width, key_phase = jax.random.split(key, 5)
    energy, s0 = _uniform(key_energy, 3.0, 8.0), _length(key_width, grid, 1.2, 2.0)
    if family == "free":
        middle, half = grid.middle[0], _scale(grid)
        span = jnp.array([middle - half, middle + half], s0.dtype)
        v = jnp.zeros(grid.shape, s0.dtype)
    else:
        v, span = _potential(key_v, grid, family, energy * _uniform(key_height, 0.7, 1.2))
    momentum = packets.carrier_momentum(grid, energy)
    pair = [
        packets.gaussian(grid, span[0] - 5 * s0, s0, momentum),
        packets.gaussian(grid, span[1] + 5 * s0, s0, -momentum),
    ]
    phase = jnp.exp(1j * _uniform(key_phase, 0.0, 2 * np.pi))
    psi = packets.superpose(grid, jnp.stack(pair), jnp.stack([jnp.ones_like(phase), phase]))
    return Scene(Moment(psi, v, span, energy), jnp.zeros(3, s0.dtype))


@explained
def cavity(key: Key[Array, ""], grid: Grid, family: str) -> Scene:
    """Sample a packet that is trapped for a while between barriers or in a well."""
    key_height, key_width, key_gap, key_energy, key_packet = jax.random.split(key, 5)
    x, middle, n_wall = grid.positions(), grid.middle[0], {"double": 2, "triple": 3}
    width, gap = _length(key_width, grid, 0.3, 0.8), _length(key_gap, grid, 5.0, 9.0)
    extent: Scalar = gap
    centre: Scalar = middle
    if family == "well":
        top = _uniform(key_height, 4.0, 10.0)
        v = potentials.well(x, top, gap, middle)
    else:
        heights = jax.random.uniform(key_height, (n_wall[family],), x.dtype, 4.0, 9.0)
        top = jnp.min(heights)
        v = getattr(potentials, family)(x, heights, width, gap, middle)
        centre = middle - (0.0 if family == "double" else 1.0) * (gap + width) / 2
        extent = (n_wall[family] - 1) * (gap + width) + width
    energy = top * _uniform(key_energy, 0.5, 0.9)
    momentum = packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, centre, _length(key_packet, grid, 0.8, 1.2), momentum)
    span = middle + extent * jnp.array([-0.5, 0.5], x.dtype)
    later = BOUNCES * _scale(grid) * math.sqrt(grid.mass[0])
    return Scene(Moment(psi, v, span, energy), jnp.array([0.0, 0.0, later], x.dtype))


# The width over which a potential of unit width and height exceeds a share of its height.
_FORBIDDEN: dict[str, Callable[[Array], Array]] = {
    "barrier": lambda share: jnp.ones_like(share),
    "half-circle": lambda share: jnp.sqrt(1 - share**2),
    "quadratic": lambda share: jnp.sqrt(1 - share),
    "triangle": lambda share: 1 - share,
}


@explained
def tunnel(key: Key[Array, ""], grid: Grid, family: str) -> Scene:
    """Sample a packet that flies onto a thin hill that is higher than its energy.

    The classically forbidden region is about 1 bohr wide, for packets of 2.5 to 4 hartree.
    """
    key_energy, key_height, key_width, key_packet = jax.random.split(key, 4)
    energy, s0 = _uniform(key_energy, 2.5, 4.0), _length(key_packet, grid, 2.0, 3.0)
    height = energy * _uniform(key_height, 1.25, 1.4)
    width = _uniform(key_width, 0.8, 1.2) / _FORBIDDEN[family](energy / height)
    x, middle = grid.positions(), grid.middle[0]
    v = FAMILIES[family].potential(x, height, width, middle)
    span = middle + width * jnp.array([-0.5, 0.5], x.dtype)
    momentum = packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, span[0] - 3.5 * s0, s0, momentum)
    return Scene(Moment(psi, v, span, energy), jnp.zeros(3, x.dtype))


class Kind(NamedTuple):
    """A kind of scene, and the families of potentials that it accepts."""

    sample: Callable[[Key[Array, ""], Grid, str], Scene]
    families: tuple[str, ...]


SCENES: dict[str, Kind] = {
    "encounter": Kind(encounter, tuple(FAMILIES)),
    "edges": Kind(encounter, ("barrier", "double", "triple", "steps", "well")),
    "meeting": Kind(meeting, ("free", *FAMILIES)),
    "cavity": Kind(cavity, ("well", "double", "triple")),
    "tunnel": Kind(tunnel, tuple(_FORBIDDEN)),
}


@explained
def sample_moments(
    key: Key[Array, ""],
    exact: Propagator,
    intervention: Intervention,
    n_case: int,
    families: Sequence[str] | None = None,
) -> tuple[list[str], Moment]:
    """Sample the moments of an intervention in random scenes; the families alternate.

    Args:
      key: Random key.
      exact: The exact solver of a one-dimensional system, which propagates to the moment.
      intervention: The intervention.
      n_case: Number of cases in each family.
      families: All families of the scene, or some of them.

    Returns:
      The family of each case, and all moments, stacked.

    Raises:
      ValueError: For a system that is not one-dimensional, no case, or a family without such
        scenes.
    """
    grid, dt = exact.system.grid, abs(exact.system.dt)
    require_line(grid)
    require_at_least(1, n_case=n_case)
    require_one_of(SCENES, scene=intervention.scene)
    require_one_of(WHEN, when=intervention.when)
    sample, all_families = SCENES[intervention.scene]
    families = all_families if families is None else families
    for family in families:
        require_one_of(all_families, families=family)
    scenes = [
        _sample_many(
            jax.random.fold_in(key, all_families.index(family)), grid, family, n_case, sample
        )
        for family in families
    ]
    moments, times = jax.tree.map(lambda *parts: jnp.concatenate(parts), *scenes)
    if exact.system.dt < 0:
        # Backwards in time the reversed packets meet the potentials.
        moments = moments._replace(psi=jnp.conj(moments.psi))
    names = [family for family in families for _ in range(n_case)]
    if intervention.when == "start":
        return names, moments
    n_flight = jnp.round(times[:, WHEN.index(intervention.when)] / dt).astype(int)
    usual = round(LONGEST * _scale(grid) * math.sqrt(grid.mass[0]) / dt)
    n_most = max(usual, int(n_flight.max()))
    psi = _fly(exact, n_most, moments.psi, moments.v, n_flight)
    return names, moments._replace(psi=psi)


@functools.partial(jax.jit, static_argnums=(1, 2, 3, 4))
def _sample_many(key: Key[Array, ""], grid: Grid, family: str, n: int, sample: Callable) -> Scene:
    return jax.vmap(lambda k: sample(k, grid, family))(jax.random.split(key, n))


@functools.partial(jax.jit, static_argnums=1)
def _fly(
    exact: Propagator, n_most: int, psi: Array, v: Array, n_flight: Int[Array, " n_case"]
) -> Array:
    def fly(psi: Psi, v: V, n: Array) -> Psi:
        frames = jnp.concatenate([psi[None], rollout(exact, psi[None], v, n_most)])
        return frames[jnp.maximum(n, 0)]

    return jax.vmap(fly)(psi, v, n_flight)


def _potential(
    key: Key[Array, ""], grid: Grid, family: str, height: Scalar
) -> tuple[V, Float[Array, "2"]]:
    """A narrow potential of a family with a given extreme value, and its two ends."""
    x, middle = grid.positions(), grid.middle[0]
    parameters = sample_parameters(key, grid, family)
    narrow = middle + NARROWED * (x - middle)
    v = FAMILIES[family].potential(narrow, **parameters)
    v = v * (height / jnp.max(jnp.abs(v)))
    is_there = jnp.abs(v) > 1e-3 * height
    ends = jnp.min(jnp.where(is_there, x, jnp.inf)), jnp.max(jnp.where(is_there, x, -jnp.inf))
    return v, jnp.stack(ends)


def _scale(grid: Grid) -> float:
    """The length of the box in units of the box of 100 bohr."""
    return grid.lengths[0] / BOX


def _length(key: Key[Array, ""], grid: Grid, low: float, high: float) -> Array:
    """A random length in bohr; the bounds are for a box of 100 bohr and scale with the box."""
    return _uniform(key, low * _scale(grid), high * _scale(grid))


def _uniform(key: Key[Array, ""], low: float, high: float) -> Array:
    return jax.random.uniform(key, (), float, low, high)
