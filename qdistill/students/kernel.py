"""A student with few points and long frames: a learned kernel, unitary by construction."""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import (
    is_known,
    refuse,
    require_at_least,
    require_between,
    require_positive,
    require_shape,
)
from qdistill.physics import band as projection
from qdistill.physics.grid import Grid
from qdistill.students.base import Student
from qdistill.students.effective import band
from qdistill.teacher.solvers import Propagator, Step

# Radians: up to here the polynomials of `exponential` are right to 6e-7.
MAX_ANGLE = 2.0


@dataclasses.dataclass(frozen=True)
class KernelConfig:
    """exp(-i T tau / 2) exp(-i M) exp(-i T tau / 2), multiplied with itself to make a frame.

    T is the kinetic energy and tau the frame halved `n_doublings` times. M is real, symmetric and
    local: the landscape averaged over the flight of a free wave, which is all that there is to
    first order, and sum_d c_d(x) cos(d k), symmetrised. The c_d come from a network of the
    landscape within the light cone, and are of second order and higher.

    Attributes:
      n_coarse: Points of the coarse grid in the box; its band are the waves that the student has.
      n_doublings: How often tau is doubled to make a frame.
      n_offsets: How many c_d; offsets d are those of the coarse grid, from 0.
      reach: In bohr, how far the network sees to either side.
      n_units: Width of the network.
    """

    n_coarse: int = 256
    n_doublings: int = 3
    n_offsets: int = 6
    reach: float = 1.0
    n_units: int = 32

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(4, n_coarse=self.n_coarse)
        require_at_least(0, n_doublings=self.n_doublings)
        require_at_least(1, n_offsets=self.n_offsets, n_units=self.n_units)
        require_positive(reach=self.reach)


class Fields(nn.Module):
    """The c_d(x), in radians, from the landscape around x.

    Even and odd filters of the landscape are squared, and the squares weighted by a network of
    all that has no direction. So a flat landscape has none, and a mirrored one has mirrored ones.

    Attributes:
      n_offsets: How many.
      n_units: Filters of each kind, and units of the network.
    """

    n_offsets: int
    n_units: int

    @nn.compact
    def __call__(
        self, even: Float[Array, "n_x n_even"], odd: Float[Array, "n_x n_odd"]
    ) -> Float[Array, "n_offset n_x"]:
        """All fields, from the even and the odd part of the landscape around each point."""

        def dense(n: int, name: str, is_zero: bool = False) -> nn.Dense:
            start = nn.initializers.zeros if is_zero else nn.initializers.lecun_normal()
            return nn.Dense(n, use_bias=False, kernel_init=start, param_dtype=float, name=name)

        n = self.n_units
        signed = dense(n, "even")(even)
        squares = jnp.concatenate([signed**2, dense(n, "odd")(odd) ** 2], axis=1)
        given = jnp.concatenate([signed, squares], axis=1)
        hidden = nn.gelu(nn.Dense(n, param_dtype=float, name="hidden")(given))
        gates = 1 + dense(2 * n, "gates", is_zero=True)(hidden)
        return dense(self.n_offsets, "fields", is_zero=True)(squares * gates).T


def make(config: KernelConfig, grid: Grid, dt: float) -> Student:
    """The student of a learned kernel.

    Its step takes psi on the fine grid, and gives it there; what lies beyond the band is dropped by
    the first step. It is linear, unitary on the band, exact for free packets and to first order in
    the landscape, has a constant in v as a phase, the mirror symmetry and time reversal. It runs on
    a periodic line of any number of points with the spacing of the grid.

    Args:
      config: Its form.
      grid: One-dimensional.
      dt: Duration of a frame, in atomic units.

    Raises:
      ValueError: For a grid of more than one dimension, or more coarse points than it has.
    """
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional for this student", grid)
    require_between(4, grid.shape[0], n_coarse=config.n_coarse)
    require_positive(dt=dt)
    if config.reach < grid.dx[0]:
        refuse("reach", f"at least the spacing of the grid, {grid.dx[0]:.3g} bohr", config.reach)

    def init(key: Key[Array, ""]) -> PyTree:
        network = Fields(config.n_offsets, config.n_units)
        return network.init(key, *_surroundings(config, grid, jnp.zeros(grid.shape)))["params"]

    def propagator(params: PyTree) -> Propagator:
        def make_step(v: Float[Array, " n_x"]) -> Step:
            line, n_wave = band(config.n_coarse, grid, v)
            frame = matrix(config, grid, params, v, dt)

            def step(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
                require_shape(v.shape, psi=psi)
                return projection.from_waves(line, frame @ projection.to_waves(line, n_wave, psi))

            return step

        return make_step

    return Student(1, init, propagator, is_linear=True)


def matrix(
    config: KernelConfig, grid: Grid, params: PyTree, v: Float[Array, " n_x"], dt: float
) -> Complex[Array, "n_band n_band"]:
    """A frame between the waves of the band, symmetric and unitary.

    Where the c_d would take M beyond `MAX_ANGLE`, for which the polynomials are not made, all of it
    is scaled down.

    Args:
      config: Its form.
      grid: Where the student was made; it gives the physics and the points of the coarse grid.
      params: Learned.
      v: The landscape on a line of the grid's spacing, in hartree.
      dt: Duration of the frame, in atomic units.

    Raises:
      ValueError: For a landscape too high for its short kernels, unless it is traced.
    """
    line, n_wave = band(config.n_coarse, grid, v)
    tau = dt / 2**config.n_doublings
    middle = (jnp.max(v) + jnp.min(v)) / 2
    reach = tau * (jnp.max(v) - jnp.min(v)) / 2
    if is_known(reach) and reach > MAX_ANGLE:
        refuse(
            "v",
            f"within {2 * MAX_ANGLE / tau:.3g} hartree from its lowest to its highest",
            f"of {2 * reach / tau:.3g}",
            "Take a student of more doublings.",
        )
    c = fields(config, grid, params, v, tau)
    t = projection.kinetic(line, n_wave)
    average = np.sinc((t[:, None] - t[None]) * tau / 2 / np.pi)
    m = tau * jnp.asarray(average, v.dtype) * projection.elements(v - middle, n_wave, n_wave)
    m = m + between_offsets(config, grid, c)
    # No norm is above this sum, and what is above is scaled down.
    bound = reach + jnp.sum(jnp.max(jnp.abs(c), axis=1))
    re, im = exponential(m * jnp.minimum(1, MAX_ANGLE / (bound + 1e-6)))
    half = jnp.asarray(np.exp(-0.5j * tau * t), (re + 0j).dtype)
    half = half[:, None] * half[None]
    re, im = half.real * re - half.imag * im, half.real * im + half.imag * re
    for _ in range(config.n_doublings):
        re, im = square(re, im)
    return (re + 1j * im) * jnp.exp(-1j * dt * middle)


def fields(
    config: KernelConfig, grid: Grid, params: PyTree, v: Float[Array, " n_x"], tau: float
) -> Float[Array, "n_offset n_x"]:
    """The learned c_d(x), in radians."""
    even, odd = _surroundings(config, grid, v)
    network = Fields(config.n_offsets, config.n_units)
    return jnp.asarray(network.apply({"params": params}, tau * even, tau * odd))


def between_offsets(
    config: KernelConfig, grid: Grid, fields: Float[Array, "n_offset n_x"]
) -> Float[Array, "n_band n_band"]:
    """sum_d c_d(x) cos(d k) between the waves of the band, with k the mean of both waves."""
    line, n_wave = band(config.n_coarse, grid, fields[0])
    q = np.arange(2 * n_wave + 1)
    offsets = np.arange(len(fields))[:, None] * grid.lengths[0] / config.n_coarse
    cosines = jnp.asarray(np.cos(offsets * q * np.pi / line.lengths[0]), fields.dtype)
    n_x = fields.shape[1]
    transform = jnp.fft.fft(fields)[:, q % n_x] / n_x
    transform = transform * jnp.asarray(np.exp(-2j * np.pi * q / n_x), transform.dtype)[None]
    # Rows are differences of two waves, columns are sums.
    even, odd = transform.real.T @ cosines, -transform.imag.T @ cosines
    m, n = np.arange(n_wave + 1)[:, None], np.arange(n_wave + 1)
    together, apart = m + n, abs(m - n)
    sign = jnp.asarray(np.sign(m - n), fields.dtype)
    rows, columns = (np.where(i == 0, 0.5**0.5, 1) for i in (m, n))
    norms = jnp.asarray(rows * columns, fields.dtype)
    cos_cos = norms * (even[apart, together] + even[together, apart])
    sin_sin = even[apart, together] - even[together, apart]
    cos_sin = norms * (odd[together, apart] - sign * odd[apart, together])
    upper = jnp.concatenate([cos_cos, cos_sin[:, 1:]], axis=1)
    lower = jnp.concatenate([cos_sin.T[1:], sin_sin[1:, 1:]], axis=1)
    return jnp.concatenate([upper, lower])


def exponential(
    m: Float[Array, "n_band n_band"],
) -> tuple[Float[Array, "n_band n_band"], Float[Array, "n_band n_band"]]:
    """cos m and -sin m of a symmetric matrix of a norm of at most `MAX_ANGLE`, by five products.

    >>> re, im = exponential(jnp.eye(1))
    >>> f"{re[0, 0]:.3f} {im[0, 0]:.3f}"
    '0.540 -0.841'
    """
    cosine, sine = (jnp.asarray(c, m.dtype) for c in _polynomials())
    one = jnp.eye(len(m), dtype=m.dtype)
    m = m / MAX_ANGLE
    y = m @ m
    y2 = y @ y

    def polynomial(c: Array) -> Array:
        return c[0] * one + c[1] * y + y2 @ (c[2] * one + c[3] * y + c[4] * y2)

    return polynomial(cosine), -(m @ polynomial(sine))


def square(
    re: Float[Array, "n_band n_band"], im: Float[Array, "n_band n_band"]
) -> tuple[Float[Array, "n_band n_band"], Float[Array, "n_band n_band"]]:
    """The square of a symmetric complex matrix, by two real products."""
    difference, mixed = (re + im) @ (re - im), re @ im
    return (difference + difference.T) / 2, mixed + mixed.T


def _surroundings(
    config: KernelConfig, grid: Grid, v: Float[Array, " n_x"]
) -> tuple[Float[Array, "n_x n_even"], Float[Array, "n_x n_odd"]]:
    """Even and odd part of the landscape around each point, less its mean there."""
    n = round(config.reach / grid.dx[0])
    points = np.arange(len(v))[:, None] + np.arange(n + 1)
    right, left = v[points % len(v)], v[(2 * points[:, :1] - points) % len(v)]
    even, odd = (right + left) / 2, (right - left)[:, 1:] / 2
    return even - jnp.mean(even, axis=1, keepdims=True), odd


def _polynomials() -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of cos(z) and sin(z) / m in m^2, where z = m * MAX_ANGLE, for |m| <= 1."""
    y = (np.cos(np.pi * (np.arange(64) + 0.5) / 64) + 1) / 2
    z = MAX_ANGLE * np.sqrt(y)
    cosine = np.polynomial.Polynomial.fit(y, np.cos(z), 4, domain=[0, 1], window=[0, 1])
    sine = np.polynomial.Polynomial.fit(y, np.sin(z) / np.sqrt(y), 4, domain=[0, 1], window=[0, 1])
    return cosine.coef, sine.coef
