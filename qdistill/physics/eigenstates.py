"""Exact diagonalisation of the Hamiltonian on a grid of few points."""

from collections.abc import Callable

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import (
    require_at_least,
    require_between,
    require_finite,
    require_real,
    require_shape,
)
from qdistill._doors import as_floating
from qdistill._refusals import explained
from qdistill.physics.grid import Grid, Scalar


@explained
def eigenstates(
    grid: Grid, v: Float[Array, "*n_x"], n_states: int
) -> tuple[Float[Array, " n_state"], Float[Array, "n_state *n_x"]]:
    """Return the lowest energies in hartree and their eigenstates, by exact diagonalisation.

    Args:
      grid: A grid of few points, of any number of dimensions.
      v: The potential in hartree: finite real numbers of the grid's shape.
      n_states: Number of states, at most the number of points.

    Raises:
      ValueError: For any other potential or number of states.

    >>> energies, states = eigenstates(Grid(64, 10.0, "continuum"), jnp.zeros(64), 3)
    >>> (energies[1:] * 2 * (10 / (2 * jnp.pi)) ** 2).round(3), states.shape
    (Array([1., 1.], dtype=float32), (3, 64))
    """
    require_real(v=v)
    require_finite(v=v)
    require_shape(grid.shape, v=v)
    require_at_least(1, n_states=n_states)
    require_between(1, v.size, n_states=n_states)
    v = as_floating(v)
    kinetic = jnp.asarray(_kinetic_matrix(grid), v.dtype)
    _, vectors = jnp.linalg.eigh(kinetic + jnp.diag(v.ravel()))
    states = vectors[:, :n_states].T
    # The Rayleigh quotient has an error of second order in the rounding of the states.
    energies = jnp.sum(states * (states @ kinetic + v.ravel()[None] * states), axis=1)
    return energies / jnp.sum(states**2, axis=1), states.reshape(n_states, *grid.shape)


@explained
def evolution(
    grid: Grid, v: Float[Array, "*n_x"]
) -> Callable[[Complex[Array, "*n_x"], Scalar], Complex[Array, "*n_x"]]:
    """Return the function ``(psi, t) -> psi``, the evolution by t a.u. in the eigenbasis of H.

    It takes one diagonalisation per potential, then two products with an n_x^2 matrix for each
    state. In float32 energies have an error of about 1e-7 of the largest energy; the phase error is
    that times t.

    Args:
      grid: A grid of few points, of any number of dimensions.
      v: The potential in hartree, of the grid's shape.

    >>> grid = Grid(64, 10.0)
    >>> evolve = evolution(grid, jnp.zeros(64))
    >>> jnp.abs(evolve(jnp.ones(64, jnp.complex64), 100.0)).round(3)[:3]
    Array([1., 1., 1.], dtype=float32)
    """
    energies, states = eigenstates(grid, v, v.size)
    states = states.reshape(v.size, v.size)
    # The states have unit norm to rounding only, and they enter twice.
    states = states / jnp.linalg.norm(states, axis=1, keepdims=True)

    def evolve(psi: Complex[Array, "*n_x"], t: Scalar) -> Complex[Array, "*n_x"]:
        require_shape(grid.shape, psi=psi)
        require_shape((), t=t)
        return ((jnp.exp(-1j * t * energies) * (states @ psi.ravel())) @ states).reshape(grid.shape)

    return evolve


def _kinetic_matrix(grid: Grid) -> Float[np.ndarray, "n_x n_x"]:
    row = np.fft.ifftn(grid.kinetic_energy()).real
    points = np.indices(grid.shape).reshape(grid.n_dim, -1)
    steps = (i[:, None] - i for i in points)
    return row[tuple(step % n_x for step, n_x in zip(steps, grid.shape, strict=True))]
