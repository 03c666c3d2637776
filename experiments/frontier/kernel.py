"""The student `kernel`: few waves, long frames, and a learned kernel, unitary by construction.

It serves this study only. `qdistill distill kernel --load experiments/frontier/kernel_presets.py`
distils it.
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

# Radians: up to here the polynomials of `exponential` are right to 6e-7.
MAX_ANGLE = 2.0


@dataclasses.dataclass(frozen=True)
class KernelConfig(StudentConfig, name="kernel"):
    """exp(-i T tau / 2) exp(-i M) exp(-i T tau / 2), multiplied with itself to make a frame.

    T is the kinetic energy and tau the frame halved `n_doublings` times. M is real, symmetric and
    local: the potential averaged over the flight of a free wave, which is all that there is to
    first order, and sum_d c_d(x) cos(d k), symmetrised. The c_d come from a network of the
    potential within the light cone, and are of second order and higher.

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
        require_settings(self)
        require_at_least(4, n_coarse=self.n_coarse)
        require_at_least(0, n_doublings=self.n_doublings)
        require_at_least(1, n_offsets=self.n_offsets, n_units=self.n_units)
        require_positive(reach=self.reach)

    def build(self, system: System) -> "Kernel":
        """The student of this form; see `Kernel`."""
        return Kernel(self, system)


class Fields(nn.Module):
    """The c_d(x), in radians, from the potential around x.

    Even and odd filters of the potential are squared, and the squares weighted by a network of
    all that has no direction. So a flat potential has none, and a mirrored one has mirrored ones.

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
        """All fields, from the even and the odd part of the potential around each point."""

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
    """The student of a learned kernel, on a line.

    Its state are the coefficients of waves, and a frame is a product with one matrix. It is linear,
    unitary on the band, exact for free packets and to first order in the potential, has a constant
    in V as a phase, the mirror symmetry and time reversal.

    Raises:
      ValueError: As `BandStudent`; for a grid of several dimensions, or a reach below its spacing.
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
        """Duration of the short kernel that is doubled, in atomic units."""
        return self.system.dt / 2**self.form.n_doublings

    @property
    def network(self) -> Fields:
        """What makes the c_d."""
        return Fields(self.form.n_offsets, self.form.n_units)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Random parameters; the c_d are zero."""
        flat = jnp.zeros(self.system.grid.shape)
        return self.network.init(key, *self._surroundings(flat))["params"]

    def step(self, params: PyTree, v: Potential) -> Step:
        """One matrix per potential, then its product with the coefficients a frame."""
        return over_waves(self.band, self.matrix(params, self.system.local(v, 0.0, None)))

    def matrix(self, params: PyTree, v: Float[Array, " n_x"]) -> Complex[Array, "n_wave n_wave"]:
        """A frame between the waves of the band, symmetric and unitary.

        Where the c_d would take M beyond `MAX_ANGLE`, for which the polynomials are not made, all
        of it is scaled down.

        Args:
          params: Learned.
          v: The potential, in hartree.

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
                "Take a student of more doublings.",
            )
        c = self.fields(params, v)
        t = kinetic(band)
        average = np.sinc((t[:, None] - t[None]) * tau / 2 / np.pi)
        m = tau * jnp.asarray(average, v.dtype) * elements(v - middle, band, band)
        m = m + self.between_offsets(c)
        # No norm is above this sum, and what is above is scaled down.
        bound = reach + jnp.sum(jnp.max(jnp.abs(c), axis=1))
        re, im = exponential(m * jnp.minimum(1, MAX_ANGLE / (bound + 1e-6)))
        half = jnp.asarray(np.exp(-0.5j * tau * t), (re + 0j).dtype)
        half = half[:, None] * half[None]
        re, im = half.real * re - half.imag * im, half.real * im + half.imag * re
        for _ in range(self.form.n_doublings):
            re, im = square(re, im)
        return (re + 1j * im) * jnp.exp(-1j * self.system.dt * middle)

    def fields(self, params: PyTree, v: Float[Array, " n_x"]) -> Float[Array, "n_offset n_x"]:
        """The learned c_d(x), in radians."""
        even, odd = self._surroundings(v)
        return jnp.asarray(self.network.apply({"params": params}, self.tau * even, self.tau * odd))

    def between_offsets(
        self, fields: Float[Array, "n_offset n_x"]
    ) -> Float[Array, "n_wave n_wave"]:
        """sum_d c_d(x) cos(d k) between the waves of the band, with k the mean of both waves."""
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
        """Even and odd part of the potential around each point, less its mean there."""
        n = round(self.form.reach / self.system.grid.dx[0])
        points = np.arange(len(v))[:, None] + np.arange(n + 1)
        right, left = v[points % len(v)], v[(2 * points[:, :1] - points) % len(v)]
        even, odd = (right + left) / 2, (right - left)[:, 1:] / 2
        return even - jnp.mean(even, axis=1, keepdims=True), odd


def over_waves(band: Band, matrix: Complex[Array, "n_wave n_wave"]) -> Step:
    """Return the step that is a matrix between waves; its state are their coefficients."""

    def encode(frames: Complex[Array, "n_t *n_x"], n: Array | int) -> Complex[Array, " n_wave"]:
        del n
        return to_waves(band, frames[-1])

    return Step(encode, lambda waves: matrix @ waves, lambda waves: from_waves(band, waves))


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


def _polynomials() -> tuple[np.ndarray, np.ndarray]:
    """Coefficients of cos(z) and sin(z) / m in m^2, where z = m * MAX_ANGLE, for |m| <= 1."""
    y = (np.cos(np.pi * (np.arange(64) + 0.5) / 64) + 1) / 2
    z = MAX_ANGLE * np.sqrt(y)
    cosine = np.polynomial.Polynomial.fit(y, np.cos(z), 4, domain=[0, 1], window=[0, 1])
    sine = np.polynomial.Polynomial.fit(y, np.sin(z) / np.sqrt(y), 4, domain=[0, 1], window=[0, 1])
    return cosine.coef, sine.coef
