"""Lessons, one per physical process.

A lesson samples an initial state and a potential, ``(key, grid, difficulty) -> (psi, v)``. The
difficulty runs from 0 (narrow ranges around an easy case) to 1 (the whole range).

- Lessons on a line accept a box of any length and origin. Lengths are in units of the box length:
  in the paper's box of 100 bohr packets are 1 to 5 bohr wide. Energies are in hartree.
- Lessons in a plane accept any box of at least 8 bohr. Positions are in units of the box length,
  widths of packets and obstacles in bohr. So a student trained in a small box fits a large one.
- ``"packets"`` accepts any number of dimensions.
"""

import functools
from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key

from qdistill._checks import refuse, require_between
from qdistill._refusals import explained
from qdistill.physics import families, packets, potentials
from qdistill.physics.grid import Grid, Scalar
from qdistill.physics.packets import PacketRanges
from qdistill.system import lesson

Sample: TypeAlias = tuple[Complex[Array, "*n_x"], Float[Array, "*n_x"]]

# Packets of all lessons on a line, anywhere in the box.
ALL_OVER = PacketRanges((0.12, 0.88), (0.01, 0.06), (0.2, 11.0))
# Smallest length of a box in bohr, so that three packets fit.
ROOM = 8


@explained
@lesson("free")
def free(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample dispersion: one packet in empty space, narrower and faster ones at high difficulty."""
    _require_line(grid, difficulty)
    energy = (0.5, _easier(difficulty, 2.0, 10.0))
    psi = _packet(key, grid, width=(_easier(difficulty, 0.03, 0.01), 0.05), energy=energy)
    return psi, jnp.zeros(grid.shape, psi.real.dtype)


@explained
@lesson("scattering")
def scattering(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample scattering over a barrier: the packet's energy exceeds the barrier's height."""
    _require_line(grid, difficulty)
    key_energy, key_barrier, key_width, key_flight = jax.random.split(key, 4)
    energy = _uniform(key_energy, 2.0, 10.0)
    height = energy * _uniform(key_barrier, 0.1, _easier(difficulty, 0.4, 0.95))
    return _collision(key_flight, grid, energy, height, _length(key_width, grid, 0.01, 0.15))


@explained
@lesson("tunnelling")
def tunnelling(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample tunnelling: the barrier is higher than the packet's energy, and thin.

    The width is 1 to 2 decay lengths 1 / sqrt(2 m (V - E)), and at least 3 points. On 1024 points
    about 2% to 50% of the carrier wave is transmitted.
    """
    _require_line(grid, difficulty)
    key_energy, key_barrier, key_width, key_flight = jax.random.split(key, 4)
    energy = _uniform(key_energy, 1.0, 6.0)
    height = energy * _uniform(key_barrier, 1.1, _easier(difficulty, 1.4, 2.5))
    decay_length = 1 / packets.carrier_momentum(grid, height - energy)
    width = jnp.maximum(decay_length * _uniform(key_width, 1.0, 2.0), 3 * grid.dx[0])
    return _collision(key_flight, grid, energy, height, width)


@explained
@lesson("interference")
def interference(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample interference: two packets (up to four at difficulty 1) that overlap in empty space."""
    _require_line(grid, difficulty)
    key_centre, key_packets, key_amplitudes = jax.random.split(key, 3)
    middle = _uniform(key_centre, 0.3, 0.7)
    centre = (middle - 0.06, middle + 0.06)
    sample = jax.vmap(lambda k: _packet(k, grid, (0.015, 0.05), (0.5, 10.0), centre))
    pair = sample(jax.random.split(key_packets, 4))
    amplitudes = jax.random.normal(key_amplitudes, (4,), pair.dtype)
    present = jnp.array([1.0, 1.0, difficulty, difficulty], pair.real.dtype)
    psi = packets.superpose(grid, pair, amplitudes * present)
    return psi, jnp.zeros(grid.shape, psi.real.dtype)


@explained
@lesson("trapping")
def trapping(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample trapping: a packet inside a well that is deeper than its kinetic energy."""
    _require_line(grid, difficulty)
    key_depth, key_energy, key_width, key_packet, key_centre = jax.random.split(key, 5)
    depth = _uniform(key_depth, 2.0, _easier(difficulty, 5.0, 12.0))
    energy = depth * _uniform(key_energy, 0.1, 0.8)
    width = _length(key_width, grid, 0.08, 0.24)
    centre = _uniform(key_centre, 0.35, 0.65)
    psi = _packet(key_packet, grid, (0.01, 0.02), (energy, energy), (centre, centre))
    place = grid.origin[0] + centre * grid.lengths[0]
    return psi, potentials.well(grid.positions(), depth, width, place)


@explained
@lesson("barrier")
def barrier(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample a superposition of up to four packets and one rectangular barrier or well.

    Packets start anywhere in the box, also over the barrier, and fly in either direction. Ranges
    widen with the difficulty: heights from (-2, 2) to (-12, 15) hartree.
    """
    _require_line(grid, difficulty)
    key_psi, key_height, key_width, key_centre = jax.random.split(key, 4)
    psi = packets.sample_superposition(key_psi, grid, 4, ALL_OVER)
    height = _uniform(key_height, _easier(difficulty, -2, -12), _easier(difficulty, 2, 15))
    width = _length(key_width, grid, 0.005, 0.25)
    centre = _place(key_centre, grid, 0, 0.3, 0.7)
    return psi, potentials.barrier(grid.positions(), height, width, centre)


@explained
@lesson("potentials")
def any_potential(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample a superposition of up to four packets over a random potential of any family."""
    _require_line(grid, difficulty)
    key_psi, *keys_v = jax.random.split(key, 3)
    psi = packets.sample_superposition(key_psi, grid, 4, ALL_OVER)
    return psi, _easier(difficulty, 0.2, 1.0) * _any_family(keys_v, grid)


@explained
@lesson("encounters")
def encounters(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample one packet that flies from either side onto a random potential of any family."""
    _require_line(grid, difficulty)
    key_packet, key_side, *keys_v = jax.random.split(key, 4)
    key_centre, key_width, key_energy = jax.random.split(key_packet, 3)
    side = jax.random.rademacher(key_side, (), float)
    share = 0.5 - side * _uniform(key_centre, 0.25, 0.4)
    centre = grid.origin[0] + grid.lengths[0] * share
    momentum = side * packets.carrier_momentum(grid, _uniform(key_energy, 1.0, 9.5))
    psi = packets.gaussian(grid, centre, _length(key_width, grid, 0.01, 0.05), momentum)
    return psi, _easier(difficulty, 0.2, 1.0) * _any_family(keys_v, grid)


def _paper(heights: Sequence[float], key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """A sample of the paper's curriculum: one packet flying right, one barrier in the middle."""
    _require_line(grid, difficulty)
    # The difficulty has no effect: the paper draws from one fixed set.
    key_centre, key_width, key_energy, key_height = jax.random.split(key, 4)
    dtype = grid.positions().dtype
    # The paper's box is 100 bohr long, so its lengths in bohr are percent of the box.
    percent = grid.lengths[0] / 100
    centre = jax.random.choice(key_centre, jnp.array([10.0, 40.0, 70.0], dtype))
    width = jax.random.choice(key_width, jnp.arange(1.0, 4.5, 0.5, dtype))
    energy = jax.random.choice(key_energy, jnp.arange(1.0, 10.0, dtype=dtype))
    height = jax.random.choice(key_height, jnp.array(heights, dtype))
    momentum = packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, grid.origin[0] + percent * centre, percent * width, momentum)
    return psi, potentials.barrier(grid.positions(), height, 7 * percent, grid.middle[0])


lesson("paper-demo")(functools.partial(_paper, (2.0, 5.0, 10.0)))
lesson("paper-full")(functools.partial(_paper, tuple(float(height) for height in range(1, 15))))


@explained
@lesson("packets")
def several_packets(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample up to three packets in empty space, in any number of dimensions."""
    _require_room(grid, difficulty)
    psi = _three_packets(key, grid, difficulty)
    return psi, jnp.zeros(grid.shape, psi.real.dtype)


@explained
@lesson("wall")
def wall(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample up to three packets and a straight wall of any height, thickness and direction."""
    require_plane(grid, difficulty)
    key_psi, key_v, key_thickness = jax.random.split(key, 3)
    height, centre, angle = _obstacle(key_v, grid, 2.0, 2 + 14 * difficulty)
    thickness = _uniform(key_thickness, 0.5, 4.0)
    v = potentials.wall(*_axes(grid), height, thickness, centre, angle)
    return _three_packets(key_psi, grid, difficulty), v


@explained
@lesson("slit")
def slit(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample up to three packets and a wall with one opening."""
    require_plane(grid, difficulty)
    key_psi, key_v, key_thickness, key_opening = jax.random.split(key, 4)
    height, centre, angle = _obstacle(key_v, grid, 2.0, 2 + 14 * difficulty)
    thickness, opening = _uniform(key_thickness, 0.5, 3.0), _uniform(key_opening, 0.8, 3.0)
    v = potentials.slit(*_axes(grid), height, thickness, opening, centre, angle)
    return _three_packets(key_psi, grid, difficulty), v


@explained
@lesson("shape")
def shape(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Sample:
    """Sample up to three packets and one rectangle or disc, as a hill or a well."""
    require_plane(grid, difficulty)
    key_psi, key_v, key_kind, key_sides = jax.random.split(key, 4)
    height, centre, angle = _obstacle(key_v, grid, -2 - 8 * difficulty, 2 + 13 * difficulty)
    sides = tuple(jax.random.uniform(key_sides, (2,), float, 1.0, 6.0))
    x, y = _axes(grid)
    v = jnp.where(
        jax.random.bernoulli(key_kind),
        potentials.rectangle(x, y, height, sides, centre, angle),
        potentials.disc(x, y, height, sides[0] / 2, centre),
    )
    return _three_packets(key_psi, grid, difficulty), v


@explained
def require_plane(grid: Grid, difficulty: Scalar = 1.0) -> None:
    """Refuse a grid that is not two-dimensional or too small for packets."""
    if grid.n_dim != 2 or min(grid.lengths) < ROOM:
        refuse("grid", f"two-dimensional and at least {ROOM} bohr along each axis", grid)
    require_between(0, 1, difficulty=difficulty)


def _require_line(grid: Grid, difficulty: Scalar) -> None:
    if grid.n_dim != 1:
        cure = 'The lesson "packets" accepts any number of dimensions.'
        refuse("grid", "one-dimensional for this lesson", f"{grid.n_dim}-dimensional", cure)
    require_between(0, 1, difficulty=difficulty)


def _require_room(grid: Grid, difficulty: Scalar) -> None:
    if min(grid.lengths) < ROOM:
        refuse("grid", f"at least {ROOM} bohr along each axis", grid)
    require_between(0, 1, difficulty=difficulty)


def _collision(
    key: Key[Array, ""], grid: Grid, energy: Scalar, height: Scalar, width: Scalar
) -> Sample:
    """A packet that flies towards a barrier in the middle of the box, from close by."""
    key_width, key_gap, key_side = jax.random.split(key, 3)
    s0 = _length(key_width, grid, 0.01, 0.04)
    distance = width / 2 + 3 * s0 + _length(key_gap, grid, 0.0, 0.04)
    side = jax.random.rademacher(key_side, (), s0.dtype)
    momentum = side * packets.carrier_momentum(grid, energy)
    psi = packets.gaussian(grid, grid.middle[0] - side * distance, s0, momentum)
    return psi, potentials.barrier(grid.positions(), height, width, grid.middle[0])


def _any_family(keys: Sequence[Key[Array, ""]], grid: Grid) -> Float[Array, " n_x"]:
    key_family, key_v = keys
    branches = [
        functools.partial(families.sample, grid=grid, family=family) for family in families.FAMILIES
    ]
    index = jax.random.randint(key_family, (), 0, len(branches))
    return jax.lax.switch(index, [lambda k, b=b: b(k) for b in branches], key_v)


def _packet(
    key: Key[Array, ""],
    grid: Grid,
    width: tuple[Scalar, Scalar],
    energy: tuple[Scalar, Scalar],
    centre: tuple[Scalar, Scalar] = (0.15, 0.85),
) -> Complex[Array, " n_x"]:
    return packets.sample_gaussian(key, grid, PacketRanges(centre, width, energy))


def _three_packets(key: Key[Array, ""], grid: Grid, difficulty: Scalar) -> Complex[Array, "*n_x"]:
    """A superposition of three packets, 0.7 to 2.5 bohr wide."""
    width = (0.7 / min(grid.lengths), 2.5 / min(grid.lengths))
    ranges = PacketRanges((0.2, 0.8), width, (0.2, 2 + 7 * difficulty))
    return packets.sample_superposition(key, grid, 3, ranges)


def _obstacle(
    key: Key[Array, ""], grid: Grid, lowest: Scalar, highest: Scalar
) -> tuple[Array, potentials.Point, Array]:
    """Height, centre and angle of an obstacle in a plane."""
    keys = jax.random.split(key, 4)
    height = _uniform(keys[0], lowest, highest)
    right, up = (_place(k, grid, axis, 0.3, 0.7) for axis, k in enumerate(keys[1:3]))
    return height, (right, up), _uniform(keys[3], 0, jnp.pi)


def _axes(grid: Grid) -> tuple[Float[Array, "n_x 1"], Float[Array, "1 n_y"]]:
    return grid.positions(0), grid.positions(1)


def _place(key: Key[Array, ""], grid: Grid, axis: int, low: float, high: float) -> Array:
    """A random position in bohr, uniform between two fractions of an axis."""
    return grid.origin[axis] + _uniform(key, low, high) * grid.lengths[axis]


def _length(key: Key[Array, ""], grid: Grid, low: float, high: float) -> Array:
    """A random length in bohr, uniform between two fractions of the box length."""
    return _uniform(key, low * grid.lengths[0], high * grid.lengths[0])


def _uniform(key: Key[Array, ""], low: Scalar, high: Scalar) -> Array:
    return jax.random.uniform(key, (), float, low, high)


def _easier(difficulty: Scalar, easy: float, hard: float) -> Scalar:
    return easy + (hard - easy) * difficulty
