"""Wave packets and their superpositions, and random samplers of both."""

import functools
import math
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import DTypeLike
from jaxtyping import Array, Complex, Key, Num

from qdistill._checks import (
    is_known,
    refuse,
    require_at_least,
    require_between,
    require_finite,
    require_positive,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Grid, Scalar, norm

Range: TypeAlias = tuple[Scalar, Scalar]


class PacketRanges(NamedTuple):
    """The intervals from which packet parameters are drawn uniformly.

    Attributes:
      centre: The mean position X0 along each axis, in units of the box length, from its lower edge.
      width: The position spread S0 along every axis, in units of the shortest box length.
      energy: The kinetic energy E0 of the carrier wave, in hartree.
    """

    centre: Range = (0.1, 0.9)
    width: Range = (0.01, 0.05)
    energy: Range = (0.5, 10.0)


ANYWHERE = PacketRanges()
# Relative tolerance, for the rounding of ranges in single precision.
_SLIVER = 1e-6


@explained
def gaussian(
    grid: Grid,
    centre: Scalar | tuple[Scalar, ...],
    width: Scalar | tuple[Scalar, ...],
    momentum: Scalar | tuple[Scalar, ...],
    dtype: DTypeLike = float,
) -> Complex[Array, "*n_x"]:
    """Return a Gaussian packet exp(-(x - X0)^2 / (4 S0^2) + i k0 (x - X0)), normalised on the grid.

    As in the paper, it is not wrapped around the edge of the box, and its carrier energy is
    E0 = k0^2 / 2m. The part beyond an edge is cut off: 0.1% of the probability for a centre 3
    widths from the edge; 2% for a centre 2 widths from it, where packets of some lessons start.

    Args:
      grid: The grid of the packet.
      centre: Mean position X0 in bohr, one per axis.
      width: Position spread S0 in bohr, one per axis, positive.
      momentum: Mean momentum k0 in 1/bohr, one per axis; its sign is the direction of flight.
      dtype: Real precision of the positions; the packet has the complex type that goes with it.

    Raises:
      ValueError: For a centre outside the box, a width below dx / 2, a momentum |k0| > pi / dx, a
        wrong number of values, or a type that is not floating-point. Traced values are not checked.

    >>> grid = Grid(1024, 100.0)
    >>> psi = gaussian(grid, centre=20.0, width=2.0, momentum=3.0)
    >>> round(float(norm(grid, psi)), 5)
    1.0
    """
    if not jnp.issubdtype(dtype, jnp.floating):
        refuse("dtype", "a real floating-point type", dtype)
    require_finite(centre=centre, momentum=momentum)
    require_positive(width=width)
    per_axis = tuple(
        zip(
            _per_axis(grid, "centre", centre),
            _per_axis(grid, "width", width),
            _per_axis(grid, "momentum", momentum),
            strict=True,
        )
    )
    for axis, values in enumerate(per_axis):
        _require_resolved(grid, axis, *values)
    return _gaussian(grid, per_axis, dtype)


@functools.partial(jax.jit, static_argnames=("grid", "dtype"))
def _gaussian(
    grid: Grid, per_axis: tuple[tuple[Scalar, ...], ...], dtype: DTypeLike
) -> Complex[Array, "*n_x"]:
    exponent: Array | complex = 0.0
    for axis, (x0, s0, k0) in enumerate(per_axis):
        x = grid.positions(axis, dtype) - x0
        exponent += -(x**2) / (4 * s0**2) + 1j * (k0 * x)
    psi = jnp.exp(exponent)
    return psi / norm(grid, psi)


@explained
def superpose(
    grid: Grid, packets: Complex[Array, "n *n_x"], amplitudes: Num[Array, " n"]
) -> Complex[Array, "*n_x"]:
    """Return the normalised superposition sum_n amplitudes[n] packets[n].

    Raises:
      ValueError: For no packets, a wrong number of amplitudes, and packets that cancel up to
        rounding. Traced values are not checked.

    >>> grid = Grid(1024, 100.0)
    >>> pair = jnp.stack([gaussian(grid, 30.0, 2.0, 1.0), gaussian(grid, 70.0, 2.0, -1.0)])
    >>> round(float(norm(grid, superpose(grid, pair, jnp.array([1.0, 1.0j])))), 5)
    1.0
    """
    require_finite(amplitudes=amplitudes, packets=packets)
    require_shape((len(packets), *grid.shape), packets=packets)
    require_shape(packets.shape[:1], amplitudes=amplitudes)
    if not len(packets):
        refuse("packets", "at least one packet", "none")
    if is_known(amplitudes) and not np.any(np.asarray(amplitudes)):
        refuse("amplitudes", "not all zero", amplitudes)
    dtype = jnp.result_type(packets.dtype, jnp.complex64)
    packets = packets.astype(dtype)
    psi = jnp.tensordot(amplitudes.astype(dtype), packets, axes=1)
    if is_known(psi):
        sizes = np.max(np.abs(np.asarray(packets)).reshape(len(packets), -1), axis=1)
        largest = np.max(np.abs(np.asarray(amplitudes)) * sizes)
        if np.max(np.abs(psi)) <= 1e2 * jnp.finfo(dtype).eps * largest:
            refuse("packets", "different enough that their sum is not zero", "cancelling")
    return psi / norm(grid, psi)


@explained
def carrier_momentum(grid: Grid, energy: Scalar, axis: int = 0) -> Array:
    """Return the momentum sqrt(2 m E0) of a packet's carrier wave along an axis, in 1/bohr.

    >>> float(carrier_momentum(Grid(64, 10.0, mass=4.0), energy=2.0))
    4.0
    """
    grid.require_axis(axis)
    require_between(0, math.inf, energy=energy)
    return jnp.sqrt(2 * grid.mass[axis] * energy)


@explained
def sample_gaussian(
    key: Key[Array, ""], grid: Grid, ranges: PacketRanges = ANYWHERE
) -> Complex[Array, "*n_x"]:
    """Return a random packet with a random direction of flight, equally wide along all axes.

    Raises:
      ValueError: For ranges that are not (lowest, highest), or whose narrowest or fastest packet
        the grid does not resolve; see `gaussian`. Traced ranges are not checked.

    >>> sample_gaussian(jax.random.key(0), Grid((64, 64), (20.0, 20.0))).shape
    (64, 64)
    """
    require_positive(width=ranges.width)
    require_between(0, math.inf, energy=ranges.energy)
    require_between(0, 1, centre=ranges.centre)
    for name, (low, high) in ranges._asdict().items():
        if is_known((low, high)) and low > high:
            refuse(name, "(lowest, highest)", (low, high))
    _require_ranges_resolved(grid, ranges)
    *keys_centre, first, second, third = jax.random.split(key, grid.n_dim + 3)
    # The order of draws is kept, so that a seed gives the same packet: width first on a line.
    if grid.n_dim == 1:
        key_width, key_energy, key_direction = first, second, third
    else:
        key_energy, key_direction, key_width = first, second, third
    centre = tuple(
        jax.random.uniform(k, (), float, *(x + share * length for share in ranges.centre))
        for k, x, length in zip(keys_centre, grid.origin, grid.lengths, strict=True)
    )
    width = jax.random.uniform(
        key_width, (), float, *(share * min(grid.lengths) for share in ranges.width)
    )
    energy = jax.random.uniform(key_energy, (), float, *ranges.energy)
    momentum = tuple(
        carrier_momentum(grid, energy, axis) * share
        for axis, share in enumerate(_direction(key_direction, grid.n_dim))
    )
    return gaussian(grid, centre, (width,) * grid.n_dim, momentum)


@explained
def sample_superposition(
    key: Key[Array, ""], grid: Grid, n_packets: int, ranges: PacketRanges = ANYWHERE
) -> Complex[Array, "*n_x"]:
    """Return a normalised superposition of random packets with random complex amplitudes.

    Raises:
      ValueError: For no packets, and for the errors of `sample_gaussian`.

    >>> psi = sample_superposition(jax.random.key(0), Grid(256, 100.0), n_packets=3)
    >>> psi.shape, psi.dtype
    ((256,), dtype('complex64'))
    """
    require_at_least(1, n_packets=n_packets)
    key_packets, key_amplitudes = jax.random.split(key)
    sample = jax.vmap(lambda k: sample_gaussian(k, grid, ranges))
    packets = sample(jax.random.split(key_packets, n_packets))
    return superpose(grid, packets, jax.random.normal(key_amplitudes, (n_packets,), packets.dtype))


def _per_axis(grid: Grid, name: str, value: Scalar | tuple[Scalar, ...]) -> tuple[Scalar, ...]:
    values = value if isinstance(value, tuple) else (value,)
    if len(values) != grid.n_dim:
        refuse(name, f"one value for each of {grid.n_dim} axes", value)
    for each in values:
        require_shape((), **{name: each})
    return values


def _direction(key: Key[Array, ""], n_dim: int) -> tuple[Array, ...]:
    """A random unit vector."""
    if n_dim == 1:
        return (jax.random.rademacher(key, (), float),)
    if n_dim == 2:
        angle = jax.random.uniform(key, (), float, 0, 2 * jnp.pi)
        return jnp.cos(angle), jnp.sin(angle)
    vector = jax.random.normal(key, (n_dim,))
    return tuple(vector / jnp.linalg.norm(vector))


def _require_resolved(grid: Grid, axis: int, centre: Scalar, width: Scalar, k0: Scalar) -> None:
    """Refuse a packet that would be empty on the grid, or fly with another momentum."""
    dx = grid.dx[axis]
    require_between(grid.origin[axis], grid.origin[axis] + grid.lengths[axis], centre=centre)
    require_between(-math.pi / dx, math.pi / dx, momentum=k0)
    if is_known(width) and width < dx / 2:
        refuse("width", f"at least dx / 2 = {dx / 2:g}", width)


def _require_ranges_resolved(grid: Grid, ranges: PacketRanges) -> None:
    """Refuse known ranges whose narrowest or fastest packet is not resolved along every axis.

    Packets that are drawn by `vmap` or `jit` are traced, and not checked themselves.
    """
    least, highest = ranges.width[0], ranges.energy[1]
    narrowest = max(grid.dx) / (2 * min(grid.lengths))
    if is_known(least) and least < narrowest * (1 - _SLIVER):
        cure = "Take more points, or wider packets."
        refuse("width", f"at least dx / 2 = {narrowest:.4g} of the box", ranges.width, cure)
    fastest = min(
        (math.pi / dx) ** 2 / (2 * mass) for dx, mass in zip(grid.dx, grid.mass, strict=True)
    )
    if is_known(highest) and highest > fastest * (1 + _SLIVER):
        wanted = f"at most {fastest:.4g}, of the momentum pi / dx on this grid"
        refuse("energy", wanted, ranges.energy, "Take more points, or slower packets.")
