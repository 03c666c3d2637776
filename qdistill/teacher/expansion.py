"""The Chebyshev expansion of exp(-i H dt), and the memory layout in which it is fast.

On the lattice the sum is carried as real numbers in the layout (n_x, 2, n_batch), Re and Im and
then the packets last, so that a neighbour in space is whole rows away. `jax.vmap` would put its
axis first, which is three times slower; `batch_last` tells it to put it last.
"""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Num

from qdistill.physics.grid import Grid


def coefficients(z: float, tolerance: float) -> np.ndarray:
    """(2 - delta_n0) J_n(z) with the signs 1, 1, -1, -1, ... of (-i)^n / (1, -i), an even number.

    The Bessel functions are the Fourier coefficients of exp(-i z cos theta), which the
    FFT gives to machine precision.
    """
    n_theta = 4 * (int(abs(z)) + 64)
    theta = 2 * np.pi * np.arange(n_theta) / n_theta
    bessel_with_phase = np.fft.fft(np.exp(-1j * z * np.cos(theta)))[: n_theta // 2] / n_theta
    values = 2 * (bessel_with_phase.real - bessel_with_phase.imag)
    values[0] /= 2
    left_out = np.cumsum(np.abs(values)[::-1])[::-1]
    rounding = 1e-15 * n_theta
    n_terms = max(2, int(np.argmax(left_out < max(tolerance, rounding))))
    return values[: n_terms + n_terms % 2]


def hop(grid: Grid, scale: float, u: Num[Array, "..."]) -> Num[Array, "..."]:
    """The off-diagonal part of the 3-point kinetic energy; further axes are carried along."""
    hopped = jnp.zeros_like(u)
    for axis, dx in enumerate(grid.dx):
        hopped -= 0.5 * scale / dx**2 * (jnp.roll(u, 1, axis) + jnp.roll(u, -1, axis))
    return hopped


def continuum_kinetic(grid: Grid, scale: float, psi: Array) -> Array:
    """The kinetic energy k^2 / 2 by a pair of FFTs."""
    omega = jnp.asarray(scale * grid.kinetic_energy(), psi.real.dtype)
    return jnp.fft.ifftn(omega * jnp.fft.fftn(psi))


def expand(
    grid: Grid, v: Array, offset: float, radius: float, terms: np.ndarray, psi: Array
) -> Array:
    """exp(-i dt radius h) psi for h = H / radius - offset, from the terms that `coefficients` gave.

    Args:
      grid: Where psi lives.
      v: The landscape, in hartree.
      offset: Middle of the spectrum of H, in units of the radius.
      radius: Half its width, in hartree.
      terms: From `coefficients(radius * dt, tolerance)`.
      psi: The state.
    """
    if grid.dispersion == "continuum":
        scaled = v / radius - offset
        return _clenshaw(
            lambda u: continuum_kinetic(grid, 1 / radius, u) + scaled * u, terms, psi, -1j * psi
        )
    shift = sum(1 / dx**2 for dx in grid.dx) - offset * radius

    def on_lattice(v: Array, psi: Array) -> Array:
        """With a batch as the last axis of both."""
        re, im = psi.real, psi.imag
        # h is real, so Re psi and Im psi never mix in it; -i psi is (Im psi, -Re psi).
        diagonal = ((v + shift) / radius)[..., None, :]
        u = _clenshaw(
            lambda u: hop(grid, 1 / radius, u) + diagonal * u,
            terms,
            jnp.stack([re, im], axis=-2),
            jnp.stack([im, -re], axis=-2),
        )
        return jax.lax.complex(u[..., 0, :], u[..., 1, :])

    return batch_last(on_lattice)(v, psi)


def _clenshaw(h: Callable[[Array], Array], terms: np.ndarray, even: Array, odd: Array) -> Array:
    """The sum of terms[n] T_n(h) u_n, u_n being `even` or `odd` as n is, by Clenshaw's recurrence.

    It holds two states where the sum of the T_n(h) u themselves would hold four.
    """
    pairs = jnp.asarray(terms.reshape(-1, 2)[::-1], even.real.dtype)

    def descend(carry: tuple[Array, Array], pair: Array) -> tuple[tuple[Array, Array], None]:
        low, high = carry
        high = pair[1] * odd + 2 * h(low) - high
        low = pair[0] * even + 2 * h(high) - low
        return (low, high), None

    high = pairs[0, 1] * odd
    low = pairs[0, 0] * even + 2 * h(high)
    (low, high), _ = jax.lax.scan(descend, (low, high), pairs[1:])
    return low - h(high)


def batch_last(f: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """A function of two arrays without a batch, of one that wants a batch as their last axis.

    Under `jax.vmap` the batch is moved there and back. Derivatives are those of `f`, to any order
    and in both modes.

    >>> double = batch_last(lambda a, b: a + b)
    >>> jax.vmap(double, (0, None))(jnp.ones((3, 4)), jnp.ones(4)).shape
    (3, 4)
    """

    def single(a: Array, b: Array) -> Array:
        return f(a[..., None], b[..., None])[..., 0]

    mapped = jax.custom_batching.custom_vmap(single)

    @mapped.def_vmap
    def _(axis_size: int, in_batched: list[bool], a: Array, b: Array) -> tuple[Array, bool]:
        a, b = (
            jnp.moveaxis(x, 0, -1) if is_batched else x[..., None]
            for x, is_batched in zip((a, b), in_batched, strict=True)
        )
        if not in_batched[1]:
            b = jnp.broadcast_to(b, (*b.shape[:-1], axis_size))
        return jnp.moveaxis(f(a, b), -1, 0), True

    # `custom_vmap` alone can be differentiated forwards only.
    out = jax.custom_jvp(mapped)
    out.defjvp(lambda primals, tangents: jax.jvp(single, primals, tangents))
    return out
