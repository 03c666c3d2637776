"""Stationary scattering between coupled channels, by invariant embedding.

V(x) is constant within each cell, as in `stationary`. A cell in an empty reference medium reflects
and transmits its eigenstates with r and t, whatever their energies are, open or closed. Behind it
lies the rest with a reflection matrix R and a transmission matrix T, so cell and rest have

    R' = r + t R (1 - r R)^-1 t,  T' = T (1 - r R)^-1 t.

No current is lost, so neither r nor R exceeds 1 in norm: nothing grows, however thick a barrier or
deeply closed a channel is.
"""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Inexact

from qdistill.physics.grid import Grid, Scalar

# The largest exponent in one step, which with its square is within single precision.
STEEPEST = 40.0


class Medium(NamedTuple):
    """The empty reference medium, by its kinetic energy in units of a mass of one.

    A wave of wavenumber q continues one of the medium as the ratio of their `impedance`, which is q
    on the continuum and tan(q dx / 2) on the lattice; it is imaginary for a closed channel.
    """

    grid: Grid
    kinetic: Array

    def impedance(self, kinetic: Array) -> Array:
        """The impedance of channels, from their kinetic energies in the same units."""
        if self.grid.dispersion == "continuum":
            return jnp.sqrt(2 * kinetic + 0j)
        square = 2 * kinetic * self.grid.dx[0] ** 2
        return jnp.sqrt(square / (4 - square) + 0j)

    def cell(self, kinetic: Array) -> tuple[Array, Array]:
        """The reflection and transmission amplitudes of one cell, for each of its eigenstates."""
        dx = self.grid.dx[0]
        if self.grid.dispersion == "lattice":
            angle = 2 * jnp.arcsin(jnp.sqrt(self.kinetic / 2) * dx)
            through = 1 / (1 + 1j * dx**2 * (self.kinetic - kinetic) / jnp.sin(angle))
            turn = jnp.exp(1j * angle)
            return turn * (through - 1), turn * through
        k = jnp.sqrt(2 * self.kinetic)
        square = 2 * kinetic
        cos, sinc, growth = waves(square * dx**2)
        forward, backward = dx * sinc * (square / k + k) / 2, dx * sinc * (square / k - k) / 2
        through = 1 / (cos - 1j * forward)
        return 1j * backward * through, jnp.exp(-growth) * through


@functools.partial(jax.jit, static_argnames="grid")
def scatter(
    grid: Grid, v: Inexact[Array, "c c n"], energy: Scalar
) -> tuple[Complex[Array, "c c"], Complex[Array, "c c"]]:
    """Return the amplitudes of all channels behind and before the potential, (to, from).

    They are those of waves of one unit of current; closed channels have none.
    """
    mass = grid.mass[0]
    heights, states = jnp.linalg.eigh(jnp.moveaxis(v, -1, 0))
    kinetic = mass * (energy - heights)
    medium = Medium(grid, kinetic[0, 0])
    empty = medium.impedance(medium.kinetic)
    one = jnp.eye(v.shape[0], dtype=states.dtype)

    def diagonal(states: Array, values: Array) -> Array:
        return (states * values[None]) @ jnp.conj(states.T)

    def before(behind: tuple[Array, Array], here: tuple[Array, Array]) -> tuple[tuple, None]:
        back, through = behind
        kinetic, states = here
        r, t = (diagonal(states, amplitude) for amplitude in medium.cell(kinetic))
        inside = jnp.linalg.solve(one - r @ back, t)
        return (r + t @ back @ inside, through @ inside), None

    left, right = medium.impedance(kinetic[0]), medium.impedance(kinetic[-1])
    exit_ = diagonal(states[-1], (empty - right) / (empty + right))
    start = exit_, one + 0 * exit_
    (back, through), _ = jax.lax.scan(before, start, (kinetic, states), reverse=True)
    # From the lead on the left into the medium, and back out of it.
    enter, leave = states[0], jnp.conj(states[0].T)
    back = leave @ back @ enter
    inside = jnp.linalg.solve(
        left[:, None] * (one + back) + empty * (one - back), 2 * jnp.diag(_flow(left))
    )
    reflected = _flow(left)[:, None] * ((one + back) @ inside)
    behind = jnp.conj(states[-1].T) @ (one + exit_) @ through @ enter @ inside
    comes, goes = left.real > left.imag, right.real > right.imag
    returned = jnp.where(comes[:, None] & comes[None], reflected - one, 0)
    passed = jnp.where(goes[:, None] & comes[None], _flow(right)[:, None] * behind, 0)
    return passed, returned


def _flow(impedance: Array) -> Array:
    """The root of the current of a wave, up to a constant."""
    return jnp.sqrt(impedance)


def waves(square: Array) -> tuple[Array, Array, Array]:
    """cos(a) and sin(a) / a for a^2 = square of either sign, smooth at zero.

    They are divided by the exponential of the third, which is zero but for very negative squares.
    """
    is_small = jnp.abs(square) < 1e-3
    # The inner `where` keeps gradients finite where the square root has none.
    root = jnp.sqrt(jnp.where(is_small, 1.0, jnp.abs(square)))
    moves = square > 0
    less = jnp.minimum(root, STEEPEST)
    cos = jnp.where(moves, jnp.cos(root), jnp.cosh(less))
    sinc = jnp.where(moves, jnp.sin(root), jnp.sinh(less)) / root
    near_cos = 1 - square / 2 + square**2 / 24 - square**3 / 720
    near_sinc = 1 - square / 6 + square**2 / 120 - square**3 / 5040
    cos, sinc = jnp.where(is_small, near_cos, cos), jnp.where(is_small, near_sinc, sinc)
    return cos, sinc, jnp.where(moves, 0.0, root - less)
