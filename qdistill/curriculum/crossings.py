"""Lessons of two channels, such as two electronic states, one per physical process.

Each returns psi of shape (2, n_x) and a real symmetric potential of shape (2, 2, n_x), on a line.
Each has a placebo, ``"crossing-placebo"`` and so on: the same packets with the process switched
off. They are for heavy particles: energies are in hartree, lengths in bohr, positions in units of
the box length, and momenta grow with the root of the mass, from 2 to 35 per bohr for a mass of
2000. The two potentials differ at the two ends of the periodic box, so packets begin in its middle
half.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key

from qdistill._checks import refuse, require_between
from qdistill._refusals import explained
from qdistill.curriculum.lessons import _uniform
from qdistill.physics import packets
from qdistill.physics.grid import Grid, Scalar, require_line
from qdistill.system import lesson

Sample: TypeAlias = tuple[Complex[Array, "2 n_x"], Float[Array, "2 2 n_x"]]

# Carrier momenta in units of the root of the mass, so energies from 0.001 to 0.31 hartree.
SLOWEST, FASTEST = 2 / 2000**0.5, 35 / 2000**0.5
# Widths of packets, S0 in bohr.
WIDTHS = (0.5, 3.0)
# Shortest box in bohr, so that packets begin ten bohr from its ends.
ROOM = 40


class Channels(NamedTuple):
    """The parts of a real symmetric 2 x 2 potential, in hartree."""

    first: Array
    second: Array
    coupling: Array

    @property
    def matrix(self) -> Float[Array, "2 2 n_x"]:
        """The matrix."""
        rows = [[self.first, self.coupling], [self.coupling, self.second]]
        return jnp.stack([jnp.stack(row) for row in rows])


@explained
def crossing(
    key: Key[Array, ""], grid: Grid, difficulty: Scalar, is_placebo: bool = False
) -> Sample:
    """Sample one avoided crossing, and packets in both channels that fly in both directions.

    The diabatic potentials are A tanh(z / w) and a constant minus that, so they cross once, with a
    coupling C exp(-(z / D)^2) that makes the gap. In the placebo they cross uncoupled.
    """
    _require_line(grid, difficulty)
    key_psi, *keys = jax.random.split(key, 8)
    z = _distance(keys[0], grid)
    height = _uniform(keys[1], 0.003, 0.02 + 0.04 * difficulty)
    height = height * jax.random.rademacher(keys[2], (), z.dtype)
    tanh = height * jnp.tanh(z / _uniform(keys[3], 0.4, 4.0))
    # They cross where tanh is half of it.
    shift = height * _uniform(keys[4], -0.8, 0.8)
    size = _uniform(keys[5], 0.001, 0.01 + 0.02 * difficulty) * (not is_placebo)
    bump = jnp.exp(-((z / _uniform(keys[6], 0.5, 4.0)) ** 2))
    return _packets(key_psi, grid), Channels(tanh, shift - tanh, size * bump).matrix


@explained
def channel_flight(
    key: Key[Array, ""], grid: Grid, difficulty: Scalar, is_placebo: bool = False
) -> Sample:
    """Sample free flight in either channel, at a constant distance of their energies.

    In the placebo the packet has no mean momentum: it only spreads.
    """
    _require_line(grid, difficulty)
    key_psi, key_channel, key_gap = jax.random.split(key, 3)
    psi = _packet(key_psi, grid, speed=0.0 if is_placebo else 1.0)
    channel = jax.nn.one_hot(jax.random.randint(key_channel, (), 0, 2), 2, dtype=psi.dtype)
    gap = _uniform(key_gap, -0.1, 0.1) * difficulty
    flat = jnp.zeros(grid.shape, psi.real.dtype)
    return channel[:, None] * psi[None], Channels(flat, flat + gap, flat).matrix


@explained
def channel_step(
    key: Key[Array, ""], grid: Grid, difficulty: Scalar, is_placebo: bool = False
) -> Sample:
    """Sample a smooth step of one of two uncoupled potentials; in the placebo both are flat."""
    _require_line(grid, difficulty)
    key_psi, *keys = jax.random.split(key, 5)
    z = _distance(keys[0], grid)
    height = _uniform(keys[1], -0.02 - 0.08 * difficulty, 0.02 + 0.08 * difficulty)
    step = height * jnp.tanh(z / _uniform(keys[2], 0.4, 4.0)) * (not is_placebo)
    is_first = jax.random.bernoulli(keys[3])
    either = jnp.where(is_first, step, 0 * step), jnp.where(is_first, 0 * step, step)
    return _packets(key_psi, grid), Channels(*either, 0 * step).matrix


@explained
def channel_coupling(
    key: Key[Array, ""],
    grid: Grid,
    difficulty: Scalar,
    is_placebo: bool = False,
    strongest: float = 0.03,
) -> Sample:
    """Sample coupling without crossing: flat potentials with a gap, and a bump of coupling.

    In the placebo there is no coupling.

    Args:
      key: Random key.
      grid: A line.
      difficulty: Between 0 and 1.
      is_placebo: Whether to switch the coupling off.
      strongest: Largest coupling in hartree, at difficulty 1; a third of it at difficulty 0.
    """
    _require_line(grid, difficulty)
    require_between(0, math.inf, strongest=strongest)
    key_psi, *keys = jax.random.split(key, 6)
    z = _distance(keys[0], grid)
    gap = _uniform(keys[1], 0.003, 0.03) * jax.random.rademacher(keys[2], (), z.dtype)
    size = strongest * _uniform(keys[3], 0.03, (1 + 2 * difficulty) / 3) * (not is_placebo)
    bump = jnp.exp(-((z / _uniform(keys[4], 0.5, 4.0)) ** 2))
    return _packets(key_psi, grid), Channels(0 * z, 0 * z + gap, size * bump).matrix


_LESSONS: dict[str, Callable[..., Sample]] = {
    "crossing": crossing,
    "channel-flight": channel_flight,
    "channel-step": channel_step,
    "channel-coupling": channel_coupling,
    # Couplings of the size of those in Tully's third model.
    "strong-coupling": functools.partial(channel_coupling, strongest=0.2),
}
for _name, _sample in _LESSONS.items():
    lesson(_name)(_sample)
    lesson(f"{_name}-placebo")(functools.partial(_sample, is_placebo=True))


def _require_line(grid: Grid, difficulty: Scalar) -> None:
    require_line(grid)
    if grid.lengths[0] < ROOM:
        refuse("grid", f"at least {ROOM} bohr long for a lesson of two channels", grid)
    require_between(0, 1, difficulty=difficulty)


def _packets(key: Key[Array, ""], grid: Grid) -> Complex[Array, "2 n_x"]:
    """A superposition of three packets, each with random amplitudes in both channels."""
    key_packets, key_re, key_im = jax.random.split(key, 3)
    three = jax.vmap(lambda k: _packet(k, grid))(jax.random.split(key_packets, 3))
    shape, kind = (2, 3), three.real.dtype
    amplitudes = jax.random.normal(key_re, shape, kind) + 1j * jax.random.normal(
        key_im, shape, kind
    )
    psi = amplitudes @ three
    return psi / (jnp.linalg.norm(psi.ravel()) * math.sqrt(grid.cell))


def _packet(key: Key[Array, ""], grid: Grid, speed: float = 1.0) -> Complex[Array, " n_x"]:
    """A packet in the middle half of the box, with a random direction of flight."""
    keys = jax.random.split(key, 4)
    centre = grid.origin[0] + _uniform(keys[0], 0.25, 0.75) * grid.lengths[0]
    momentum = speed * math.sqrt(grid.mass[0]) * _uniform(keys[1], SLOWEST, FASTEST)
    direction = jax.random.rademacher(keys[2], (), momentum.dtype)
    return packets.gaussian(grid, centre, _uniform(keys[3], *WIDTHS), direction * momentum)


def _distance(key: Key[Array, ""], grid: Grid) -> Float[Array, " n_x"]:
    """The positions, from a random point near the middle of the box."""
    place = grid.origin[0] + _uniform(key, 0.4, 0.6) * grid.lengths[0]
    return grid.positions() - place
