"""Channels, such as electronic states: adiabatic states, populations, coherences, probabilities.

The potential is a Hermitian matrix V(x) between n diabatic states, (n, n, n_x), and psi is
(n, n_x). The adiabatic states are the eigenvectors of V(x) at each point, ordered by energy.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Complex, Float, Inexact

from qdistill._checks import refuse, require_finite, require_hermitian, require_shape
from qdistill._refusals import explained
from qdistill.physics import observables
from qdistill.physics.grid import Grid, Scalar


class Adiabatic(NamedTuple):
    """The adiabatic states of a potential along a line.

    Attributes:
      energies: Adiabatic energies in hartree, ascending at each point.
      states: ``states[:, a, i]`` is the a-th state at point i, over the diabatic states.
      is_degenerate: Points where two energies agree to rounding. There the states are those nearest
        to the states before.
    """

    energies: Float[Array, "n n_x"]
    states: Inexact[Array, "n n n_x"]
    is_degenerate: Bool[Array, " n_x"]


@explained
def adiabatic(v: Inexact[Array, "n n n_x"]) -> Adiabatic:
    """Return the adiabatic energies and states along a line, in the parallel-transport gauge.

    Each state has a real, positive overlap with the same state one point before, so signs and
    phases are continuous; states of a real potential stay real. At the first point the largest
    component of each state is positive. Where energies cross without a coupling, the states are
    exchanged from one point to the next, as their order by energy demands.

    Derivatives with respect to v are not finite at degenerate points.

    Args:
      v: Hermitian matrices on consecutive points, in hartree.

    Raises:
      ValueError: For matrices that are not square, finite and Hermitian.

    >>> from qdistill.physics import crossings
    >>> found = adiabatic(crossings.single(jnp.linspace(-8.0, 8.0, 65)))
    >>> found.energies[:, ::32].round(3), found.states[:, 0, ::32].round(2)
    (Array([[-0.01 , -0.005, -0.01 ],
           [ 0.01 ,  0.005,  0.01 ]], dtype=float32), Array([[ 1.  ,  0.71,  0.  ],
           [ 0.  , -0.71, -1.  ]], dtype=float32))
    """
    if v.ndim != 3 or v.shape[0] != v.shape[1] or not v.size:
        refuse("v", "of shape (n_channel, n_channel, n_x)", f"of shape {v.shape}")
    require_finite(v=v)
    require_hermitian(v=v)
    energies, states = jnp.linalg.eigh(jnp.moveaxis(v, -1, 0))
    rounding = 100 * jnp.finfo(energies.dtype).eps * jnp.max(jnp.abs(energies))
    is_near = jnp.abs(energies[:, :, None] - energies[:, None]) <= rounding
    heads = jnp.take_along_axis(states[0], jnp.argmax(jnp.abs(states[0]), axis=0)[None], axis=0)
    first = states[0] * jnp.conj(heads / jnp.abs(heads))

    def transport(before: Array, here: tuple[Array, Array]) -> tuple[Array, Array]:
        raw, is_near = here
        # The rotation among states of one energy that brings them closest to those before.
        overlaps = jnp.where(is_near, jnp.conj(raw.T) @ before, 0)
        left, _, right = jnp.linalg.svd(overlaps)
        smooth = raw @ (left @ right)
        return smooth, smooth

    _, rest = jax.lax.scan(transport, first, (states[1:], is_near[1:]))
    along = jnp.moveaxis(jnp.concatenate([first[None], rest]), 0, -1)
    n_near = jnp.sum(is_near, axis=(1, 2))
    return Adiabatic(energies.T, along, n_near > energies.shape[1])


@explained
def to_adiabatic(
    states: Inexact[Array, "n n *n_x"], psi: Complex[Array, "n *n_x"]
) -> Complex[Array, "n *n_x"]:
    """Return psi over the adiabatic states, from psi over the diabatic ones."""
    require_shape(states.shape[1:], psi=psi)
    return jnp.sum(jnp.conj(states) * psi[:, None], axis=0)


@explained
def from_adiabatic(
    states: Inexact[Array, "n n *n_x"], psi: Complex[Array, "n *n_x"]
) -> Complex[Array, "n *n_x"]:
    """Return psi over the diabatic states, from psi over the adiabatic ones.

    >>> from qdistill.physics import crossings, packets
    >>> grid = Grid(256, 40.0, "continuum", origin=-20.0, mass=2000.0)
    >>> states = adiabatic(crossings.single(grid.positions())).states
    >>> packet = packets.gaussian(grid, centre=-10.0, width=1.0, momentum=20.0)
    >>> lower = from_adiabatic(states, jnp.stack([packet, 0 * packet]))
    >>> populations(grid, lower).round(3)
    Array([1., 0.], dtype=float32)
    """
    require_shape(states.shape[1:], psi=psi)
    return jnp.sum(states * psi[None], axis=1)


@explained
def populations(grid: Grid, psi: Complex[Array, "n *n_x"]) -> Float[Array, " n"]:
    """Return the probability of each channel, diabatic or adiabatic as psi is."""
    _require_channels(grid, psi)
    return jnp.sum(jnp.abs(psi) ** 2, axis=tuple(range(1, psi.ndim))) * grid.cell


@explained
def density_matrix(grid: Grid, psi: Complex[Array, "n *n_x"]) -> Complex[Array, "n n"]:
    """Return the reduced density matrix of the channels, rho_ij = integral of psi_i conj(psi_j).

    Its diagonal has the populations, its other elements are the coherences.
    """
    _require_channels(grid, psi)
    flat = psi.reshape(psi.shape[0], -1)
    return flat @ jnp.conj(flat.T) * grid.cell


@explained
def sides(
    grid: Grid, psi: Complex[Array, "n *n_x"], left: Scalar, right: Scalar, axis: int = 0
) -> tuple[Float[Array, " n"], Float[Array, " n"]]:
    """Return the probabilities beyond `right` and before `left` in each channel.

    For an adiabatic psi that has left the crossing these are its transmission and reflection.

    Args:
      grid: The grid of psi.
      psi: The state, diabatic or adiabatic.
      left: In bohr.
      right: In bohr, at least `left`.
      axis: The axis of flight.
    """
    _require_channels(grid, psi)
    require_finite(psi=psi)
    return jax.vmap(lambda each: observables.sides(grid, each, left, right, axis))(psi)


def _require_channels(grid: Grid, psi: Array) -> None:
    if psi.ndim != grid.n_dim + 1 or psi.shape[1:] != grid.shape:
        shape = ", ".join(map(str, ("n_channel", *grid.shape)))
        refuse("psi", f"of shape ({shape})", f"of shape {psi.shape}")
