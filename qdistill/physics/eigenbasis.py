"""Evolution in the eigenbasis of a real symmetric Hamiltonian matrix: one phase for each state."""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import (
    is_known,
    refuse,
    require_between,
    require_finite,
    require_real,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Scalar


class Spectrum(NamedTuple):
    """A real symmetric Hamiltonian, diagonalised.

    Derivatives with respect to the Hamiltonian flow through `matrix` alone: the basis may be held
    fixed, so no derivative of the eigenstates is needed. This holds for degenerate energies too.

    Attributes:
      energies: Eigenvalues in hartree, in ascending order.
      states: Eigenstates in columns, over the waves.
      matrix: The Hamiltonian between them: the energies on its diagonal, to rounding.
    """

    energies: Float[Array, " n_wave"]
    states: Float[Array, "n_wave n_wave"]
    matrix: Float[Array, "n_wave n_wave"]


@explained
def diagonalise(h: Float[Array, "n_wave n_wave"]) -> Spectrum:
    """Return the spectrum of a real symmetric Hamiltonian over waves, in hartree.

    Raises:
      ValueError: For a matrix that is not square, real, finite and symmetric. Traced values are
        not checked.
    """
    require_real(h=h)
    if h.ndim != 2 or h.shape[0] != h.shape[1]:
        refuse("h", "a square matrix", f"of shape {h.shape}")
    require_finite(h=h)
    if is_known(h):
        values = np.asarray(h)
        uneven = np.max(np.abs(values - values.T), initial=0)
        if uneven > 1e3 * jnp.finfo(h.dtype).eps * np.max(np.abs(values), initial=0):
            refuse("h", "symmetric", f"asymmetric by {uneven:.3g}")
    energies, states = jnp.linalg.eigh(jax.lax.stop_gradient(h))
    return Spectrum(energies, states, states.T @ h @ states)


@explained
def turn(
    spectrum: Spectrum, t: Scalar
) -> Callable[[Complex[Array, " n_wave"]], Complex[Array, " n_wave"]]:
    """Return the function that propagates amplitudes of eigenstates by t: one phase for each.

    First derivatives with respect to the Hamiltonian are correct, also for degenerate energies.

    Raises:
      ValueError: For a time that is not one real number.
      NotImplementedError: For a second derivative with respect to the Hamiltonian.
    """
    require_shape((), t=t)
    require_finite(t=t)
    require_between(-np.inf, np.inf, t=t)
    energies = spectrum.energies
    phases = jnp.exp(-1j * energies * t)
    # Daleckii and Krein: between two eigenstates, the mean of -i t exp(-i E t) over E from one
    # energy to the other.
    mean = (energies[:, None] + energies[None]) / 2
    half = (energies[:, None] - energies[None]) / 2
    slopes = -1j * t * jnp.exp(-1j * t * mean) * jnp.sinc(half * t / np.pi)
    return lambda amplitudes: _turn(phases, slopes, spectrum.matrix, amplitudes)


@jax.custom_jvp
def _turn(phases: Array, slopes: Array, matrix: Array, amplitudes: Array) -> Array:
    return phases * amplitudes


@_turn.defjvp
def _turn_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    phases, slopes, matrix, amplitudes = primals
    d_phases, _, d_matrix, d_amplitudes = tangents
    change = (_once(slopes, matrix) * d_matrix) @ amplitudes
    change = change + d_phases * amplitudes + phases * d_amplitudes
    return phases * amplitudes, change


@jax.custom_jvp
def _once(slopes: Array, matrix: Array) -> Array:
    return slopes


@_once.defjvp
def _once_jvp(primals: tuple, tangents: tuple) -> tuple[Array, Array]:
    del primals, tangents
    raise NotImplementedError("`turn` has no second derivative with respect to the Hamiltonian.")


@explained
def evolve(
    spectrum: Spectrum, coefficients: Complex[Array, " n_wave"], t: Scalar
) -> Complex[Array, " n_wave"]:
    """Return coefficients over waves after a time t in atomic units; every t costs the same."""
    amplitudes = times(spectrum.states.T, coefficients)
    return times(spectrum.states, turn(spectrum, t)(amplitudes))


@explained
def frame(h: Float[Array, "n_wave n_wave"], dt: Scalar) -> Complex[Array, "n_wave n_wave"]:
    """Return exp(-i h dt) as a matrix. Its first derivatives hold for degenerate energies too.

    >>> frame(jnp.diag(jnp.array([0.0, jnp.pi])), 1.0).round(3).real
    Array([[ 1.,  0.],
           [ 0., -1.]], dtype=float32)
    """
    spectrum = diagonalise(h)
    turned = jax.vmap(turn(spectrum, dt))(spectrum.states + 0j)
    return jax.vmap(functools.partial(times, spectrum.states))(turned)


@explained
def times(matrix: Float[Array, "n m"], state: Complex[Array, " m"]) -> Complex[Array, " n"]:
    """Return a real matrix times a complex vector, at half the cost of a complex product."""
    parts = matrix @ jnp.stack([state.real, state.imag], axis=-1)
    return jax.lax.complex(parts[..., 0], parts[..., 1])
