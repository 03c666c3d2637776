"""The student `kernel`: a learned unitary kernel for few waves and long frames.

It is used in this study only. Distil it by
`qdistill distill kernel --load experiments/frontier/kernel_presets.py`.
"""

import dataclasses

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import is_known, refuse, require_at_least, require_positive, require_settings
from qdistill.physics.band import Band, elements, from_waves, kinetic, to_waves
from qdistill.physics.grid import require_line
from qdistill.students import BandStudent, StudentConfig
from qdistill.system import Potential, Step, System

# Largest angle in radians, up to which the polynomials of `exponential` have an error of 6e-7.
MAX_ANGLE = 2.0


@dataclasses.dataclass(frozen=True)
class KernelConfig(StudentConfig, name="kernel"):
    """The form of a power of exp(-i T tau / 2) exp(-i M) exp(-i T tau / 2) as a frame.

    T is the kinetic energy and tau the frame halved `n_doublings` times. M is real, symmetric and
    local. It is the potential averaged over the flight of a free wave, which is exact to first
    order, plus sum_d c_d(x) cos(d k), symmetrised. The c_d are the output of a network of the
    potential within the light cone, of second and higher order.

    Attributes:
      n_coarse: Points of the coarse grid in the box; the student has the waves of this grid.
      n_doublings: Number of doublings of tau in a frame.
      n_offsets: Number of c_d; offsets d are those of the coarse grid, from 0.
      reach: Range of the network's input on either side, in bohr.
      n_units: Width of the network.
    """

    n_coarse: int = 256
    n_doublings: int = 3
    n_offsets: int = 6
    reach: float = 1.0
    n_units: int = 32

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(4, n_coarse=self.n_coarse)
        require_at_least(0, n_doublings=self.n_doublings)
        require_at_least(1, n_offsets=self.n_offsets, n_units=self.n_units)
        require_positive(reach=self.reach)

    def build(self, system: System) -> "Kernel":
        """Return the student of this form, a `Kernel`."""
        return Kernel(self, system)


class Fields(nn.Module):
    """The network of the c_d(x), in radians, from the potential around x.

    Even and odd filters of the potential are squared, and the squares are weighted by a network of
    mirror-symmetric features. So the c_d vanish for a flat potential, and a mirrored potential has
    mirrored c_d.

    Attributes:
      n_offsets: Number of c_d.
      n_units: Filters of each kind, and units of the network.
    """

    n_offsets: int
    n_units: int

    @nn.compact
    def __call__(
        self, even: Float[Array, "n_x n_even"], odd: Float[Array, "n_x n_odd"]
    ) -> Float[Array, "n_offset n_x"]:
        """Return all c_d(x) from the even and odd part of the potential around each point."""

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


@dataclasses.dataclass(frozen=True)
class Kernel(BandStudent):
    """A one-dimensional student that learns a kernel.

    Its state is the vector of coefficients of waves, and a frame is a product with one matrix. The
    following hold by construction: it is linear, unitary on the band, exact for free packets and to
    first order in the potential, symmetric under mirror and time reversal; a constant in V gives a
    phase.

    Raises:
      ValueError: For systems that `BandStudent` refuses; for a grid of several dimensions, or a
        reach below its spacing.
    """

    form: KernelConfig

    def __post_init__(self) -> None:  # noqa: D105
        grid = self.system.grid
        require_line(grid)
        super().__post_init__()
        if self.form.reach < grid.dx[0]:
            wanted = f"at least the spacing of the grid, {grid.dx[0]:.3g} bohr"
            refuse("reach", wanted, self.form.reach)

    @property
    def tau(self) -> float:
        """The duration of the short kernel that is doubled, in atomic units."""
        return self.system.dt / 2**self.form.n_doublings

    @property
    def network(self) -> Fields:
        """The network of the c_d."""
        return Fields(self.form.n_offsets, self.form.n_units)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return random parameters for which the c_d are zero."""
        flat = jnp.zeros(self.system.grid.shape)
        return self.network.init(key, *self._surroundings(flat))["params"]

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return the step: one matrix per potential, one product with it per frame."""
        return over_waves(self.band, self.matrix(params, self.system.local(v, 0.0, None)))

    def matrix(self, params: PyTree, v: Float[Array, " n_x"]) -> Complex[Array, "n_wave n_wave"]:
        """Return the matrix of a frame between the waves of the band, symmetric and unitary.

        If the c_d make the norm of M larger than `MAX_ANGLE`, where the polynomials are not valid,
        M is scaled down.

        Args:
          params: Parameters.
          v: Potential in hartree.

        Raises:
          ValueError: For a potential too high for its short kernels, unless it is traced.
        """
        band, tau = self.band, self.tau
        middle = (jnp.max(v) + jnp.min(v)) / 2
        reach = abs(tau) * (jnp.max(v) - jnp.min(v)) / 2
        if is_known(reach) and reach > MAX_ANGLE:
            refuse(
                "v",
                f"within {2 * MAX_ANGLE / abs(tau):.3g} hartree from its lowest to its highest",
                f"of {2 * reach / abs(tau):.3g}",
                "Use a student with more doublings.",
            )
        c = self.fields(params, v)
        t = kinetic(band)
        average = np.sinc((t[:, None] - t[None]) * tau / 2 / np.pi)
        m = tau * jnp.asarray(average, v.dtype) * elements(v - middle, band, band)
        m = m + self.between_offsets(c)
        # An upper bound of the norm; M is scaled down if it exceeds the limit.
        bound = reach + jnp.sum(jnp.max(jnp.abs(c), axis=1))
        re, im = exponential(m * jnp.minimum(1, MAX_ANGLE / (bound + 1e-6)))
        half = jnp.asarray(np.exp(-0.5j * tau * t), (re + 0j).dtype)
        half = half[:, None] * half[None]
        re, im = half.real * re - half.imag * im, half.real * im + half.imag * re
        for _ in range(self.form.n_doublings):
            re, im = square(re, im)
        return (re + 1j * im) * jnp.exp(-1j * self.system.dt * middle)

    def fields(self, params: PyTree, v: Float[Array, " n_x"]) -> Float[Array, "n_offset n_x"]:
        """Return the learned c_d(x), in radians."""
        even, odd = self._surroundings(v)
        return jnp.asarray(self.network.apply({"params": params}, self.tau * even, self.tau * odd))

    def between_offsets(
        self, fields: Float[Array, "n_offset n_x"]
    ) -> Float[Array, "n_wave n_wave"]:
        """Return sum_d c_d(x) cos(d k) between the waves, where k is the mean of both."""
        n_wave, n_x = self.band.modes.shape[1] - 1, fields.shape[1]
        q = np.arange(2 * n_wave + 1)
        # Offsets are multiples of pi / edge, the spacing of the coarse grid.
        offsets = np.arange(len(fields))[:, None] * np.pi / self.edge
        cosines = np.cos(offsets * q * np.pi / self.system.grid.lengths[0])
        cosines = jnp.asarray(cosines, fields.dtype)
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

    def _surroundings(
        self, v: Float[Array, " n_x"]
    ) -> tuple[Float[Array, "n_x n_even"], Float[Array, "n_x n_odd"]]:
        """The even and odd part of the potential around each point, less its mean there."""
        n = round(self.form.reach / self.system.grid.dx[0])
        points = np.arange(len(v))[:, None] + np.arange(n + 1)
        right, left = v[points % len(v)], v[(2 * points[:, :1] - points) % len(v)]
        even, odd = (right + left) / 2, (right - left)[:, 1:] / 2
        return even - jnp.mean(even, axis=1, keepdims=True), odd


def over_waves(band: Band, matrix: Complex[Array, "n_wave n_wave"]) -> Step:
    """Return the step of a matrix between waves; its state is their coefficients."""

    def encode(frames: Complex[Array, "n_t *n_x"], n: Array | int) -> Complex[Array, " n_wave"]:
        del n
        return to_waves(band, frames[-1])

    return Step(encode, lambda waves: matrix @ waves, lambda waves: from_waves(band, waves))


def exponential(
    m: Float[Array, "n_band n_band"],
) -> tuple[Float[Array, "n_band n_band"], Float[Array, "n_band n_band"]]:
    """Return cos m and -sin m of a symmetric matrix of norm at most `MAX_ANGLE`, by five products.

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
    """Return the square of a symmetric complex matrix, by two real products."""
    difference, mixed = (re + im) @ (re - im), re @ im
    return (difference + difference.T) / 2, mixed + mixed.T


def _polynomials() -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of cos(z) and sin(z) / m in m^2, where z = m * MAX_ANGLE, for |m| <= 1."""
    y = (np.cos(np.pi * (np.arange(64) + 0.5) / 64) + 1) / 2
    z = MAX_ANGLE * np.sqrt(y)
    cosine = np.polynomial.Polynomial.fit(y, np.cos(z), 4, domain=[0, 1], window=[0, 1])
    sine = np.polynomial.Polynomial.fit(y, np.sin(z) / np.sqrt(y), 4, domain=[0, 1], window=[0, 1])
    return cosine.coef, sine.coef
