"""Splitting schemes: sequences of kicks by the potential and drifts by the kinetic energy.

One substep of duration h is, from right to left,

    K_n D_n ... K_1 D_1 K_0,  D_j = exp(-i h b_j T),  K_j = exp(-i h (a_j V + h^2 c_j G)),

with G = [V, [T, V]]. On the continuum G = |grad V|^2 / m is a potential and needs no Fourier
transform. On the lattice it is a hopping between neighbours i and j at a distance dx,
G_ij = (V_i - V_j)^2 / (2 m dx^2). It is exponentiated bond by bond, each as a rotation of two
points, which is unitary too.

Between channels V is a matrix, which need not commute with its slope V'. Then G has a part with p:

    G = V'^2 / m - (p K + K p) / (2 m),  K = i [V, V'].

With C the sum of the c_j it belongs to the drifts, as T - h^2 C (p K + K p) / (2 m), which is
(p - h^2 C K)^2 / (2 m) + O(h^4). On a line that is T in a basis that turns along x: W T W^-1 with
W = exp(i h^2 C Phi) and Phi' = K, up to O(h^4) again. So the drifts stay as they are, and kicks are
W^-1 exp(-i h (a_j V + h^2 c_j V'^2 / m)) W. A frame begins with W^-1 and ends with W; no Fourier
transform is added.
"""

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Inexact

from qdistill._checks import refuse, require_finite, require_settings
from qdistill._refusals import explained
from qdistill.physics.grid import Grid


@explained
@dataclasses.dataclass(frozen=True)
class Scheme:
    """The coefficients of a symmetric splitting.

    Attributes:
      kicks: a_0 to a_n, a palindrome with sum 1.
      drifts: b_1 to b_n, a palindrome with sum 1; one pair of FFTs each.
      gradients: c_0 to c_n, a palindrome, or empty.
      smoothing: Standard deviation in bohr of the Gaussian that smooths V before it is
        differentiated. The expansion in h holds for smooth V only; smoothing reduces the error of
        the correction at sharp edges.

    Raises:
      ValueError: For coefficients that do not match, are not symmetric, or do not sum to 1.

    >>> Scheme(kicks=(0.21, 0.58, 0.21), drifts=(0.5, 0.5)).n_pairs
    2
    """

    kicks: tuple[float, ...]
    drifts: tuple[float, ...]
    gradients: tuple[float, ...] = ()
    smoothing: float = 0.0

    def __post_init__(self) -> None:  # noqa: D105
        for name in ("kicks", "drifts", "gradients"):
            values = tuple(float(value) for value in getattr(self, name))
            object.__setattr__(self, name, values)
            require_finite(**{name: np.array(values)})
            if not np.allclose(values, values[::-1], rtol=0, atol=1e-12):
                refuse(name, "the same from either end", values)
            if name != "gradients" and not np.isclose(sum(values), 1, rtol=0, atol=1e-12):
                refuse(name, "coefficients with the sum 1", values)
        if len(self.kicks) != len(self.drifts) + 1:
            refuse("kicks", f"{len(self.drifts) + 1} numbers, one more than drifts", self.kicks)
        if self.gradients and len(self.gradients) != len(self.kicks):
            refuse("gradients", f"{len(self.kicks)} numbers, one for each kick", self.gradients)
        require_settings(self)
        if not 0 <= self.smoothing < np.inf:
            refuse("smoothing", "a length of at least 0", self.smoothing)

    @property
    def n_pairs(self) -> int:
        """The number of FFT pairs of a substep."""
        return len(self.drifts)


def _palindrome(*half: float, middle: float | None = None) -> tuple[float, ...]:
    """A palindrome from half of its coefficients; the middle one makes the sum 1."""
    if middle is None:
        return (*half, *half[::-1])
    return (*half, middle, *half[::-1])


# Source: Blanes and Moan 2002, S6.
_BM_KICKS = (0.0792036964311957, 0.353172906049774, -0.0420650803577195)
_BM_DRIFTS = (0.209515106613362, -0.143851773179818)

SCHEMES: dict[str, Scheme] = {
    # Second order.
    "strang": Scheme((0.5, 0.5), (1.0,)),
    # Strang's with the potential V - h^2 G / 24. It is of second order, but energies, and all else
    # that does not depend on the basis, are of fourth order. Source: Takahashi and Imada 1984.
    "takahashi-imada": Scheme((0.5, 0.5), (1.0,), (-1 / 48, -1 / 48)),
    # Fourth order with positive coefficients. Source: Chin 1997, 4A.
    "chin": Scheme((1 / 6, 2 / 3, 1 / 6), (0.5, 0.5), (0.0, -1 / 72, 0.0)),
    # Fourth order without G.
    "blanes-moan": Scheme(
        _palindrome(*_BM_KICKS, middle=1 - 2 * sum(_BM_KICKS)),
        _palindrome(*_BM_DRIFTS, 0.5 - sum(_BM_DRIFTS)),
    ),
}


@explained
def smooth(grid: Grid, v: Inexact[Array, "*n_x"], width: float) -> Inexact[Array, "*n_x"]:
    """Return a potential convolved with a Gaussian of a given standard deviation in bohr."""
    if not width:
        return v
    return _filter(v, np.exp(-0.5 * width**2 * _square(grid)))


@explained
def square_of_gradient(grid: Grid, v: Inexact[Array, "*n_x"]) -> Inexact[Array, "*n_x"]:
    """Return |grad V|^2 / m, with spectral derivatives, in atomic units.

    >>> grid = Grid(64, 2 * np.pi, "continuum")
    >>> found = square_of_gradient(grid, jnp.sin(grid.positions()))
    >>> bool(jnp.allclose(found, jnp.cos(grid.positions()) ** 2, atol=1e-5))
    True
    """
    total = jnp.zeros_like(v)
    for axis, mass in enumerate(grid.mass):
        total += _filter(v, 1j * _odd(grid, axis)) ** 2 / mass
    return total


@explained
def between_channels(
    grid: Grid, v: Inexact[Array, "c c n_x"]
) -> tuple[Inexact[Array, "c c n_x"], Inexact[Array, "c c n_x"]]:
    """Return V'^2 / m and Phi, the integral of i [V, V'], of matrices on a line, in atomic units.

    Derivative and integral are those of polynomials through six points nearby, of sixth order in
    dx. They do not feel that V may differ at the ends of the periodic box, as spectral ones would.
    Phi is zero in the middle of the box. It has a jump at the ends, where psi must stay away from.
    """
    (dx,), (mass,) = grid.dx, grid.mass

    def stencil(f: Array, weights: dict[int, float]) -> Array:
        return sum((w * jnp.roll(f, -at, -1) for at, w in weights.items()), jnp.zeros_like(f))

    def product(a: Array, b: Array) -> Array:
        return jnp.einsum("ijx,jkx->ikx", a, b)

    half = {1: 45 / 60, 2: -9 / 60, 3: 1 / 60}
    slope = stencil(v, half | {-at: -w for at, w in half.items()}) / dx
    turning = 1j * (product(v, slope) - product(slope, v))
    # Over the cell between a point and the next.
    cell = {-2: 11, -1: -93, 0: 802, 1: 802, 2: -93, 3: 11}
    cells = stencil(turning, {at: w * dx / 1440 for at, w in cell.items()})
    angle = jnp.cumsum(cells, -1) - cells
    angle -= angle[..., v.shape[-1] // 2, None]
    return product(slope, slope) / mass, angle


@explained
def hops(grid: Grid, v: Inexact[Array, "*n_x"], scale: float) -> Callable[[Array], Array]:
    """Return the function ``psi -> exp(-i scale G) psi`` on a lattice.

    The even bonds of an axis are rotated by half the angle, then the odd ones, then the even ones
    again. This is symmetric, and exactly unitary for a real V. The error of this splitting is of
    third order in `scale`. The three rotations of an axis are applied as one sum over neighbours.
    """
    last = grid.n_dim - 1
    half = [_band(grid, v, axis, 0.5 * scale) for axis in range(last)]
    bands = [*half, _band(grid, v, last, scale), *half[::-1]]

    def hop(psi: Array) -> Array:
        for band in bands:
            psi = band(psi)
        return psi

    return hop


@explained
def require_even(grid: Grid) -> None:
    """Refuse a lattice with an odd number of points on an axis, whose bonds cannot be paired."""
    if any(n % 2 for n in grid.shape):
        refuse("scheme", "one without gradients on a lattice of odd size", grid)


def _band(
    grid: Grid, v: Inexact[Array, "*n_x"], axis: int, scale: float
) -> Callable[[Array], Array]:
    """The three rotations along an axis, as the sum over s of a_s(i) psi(i + s) with |s| <= 3."""
    shape, dx = [1] * v.ndim, grid.dx[axis]
    shape[axis] = v.shape[axis]
    is_even = np.arange(v.shape[axis]).reshape(shape) % 2 == 0

    def even(u: Array) -> Array:
        return jnp.where(is_even, jnp.roll(u, -1, axis), jnp.roll(u, 1, axis))

    def odd(u: Array) -> Array:
        return jnp.where(is_even, jnp.roll(u, 1, axis), jnp.roll(u, -1, axis))

    def rotation(partner: Callable[[Array], Array], scale: float) -> tuple[Array, Array]:
        angle = scale * (v - partner(v)) ** 2 / (2 * grid.mass[axis] * dx**2)
        return jnp.cos(angle), -1j * jnp.sin(angle)

    (c, s), (cos, sin) = rotation(even, 0.5 * scale), rotation(odd, scale)
    # Coefficients of the point itself, of its partners e and o on the even and the odd bonds, and
    # of e(o), o(e) and e(o(e)), with their offsets from an even point; from an odd one minus these.
    terms = {
        0: c * cos * c + s * even(cos) * even(s),
        1: c * cos * s + s * even(cos) * even(c),
        -1: c * sin * odd(c),
        -2: c * sin * odd(s),
        2: s * even(sin * odd(c)),
        3: s * even(sin * odd(s)),
    }
    zero = jnp.zeros_like(terms[0])
    offsets = range(-3, 4)
    band = [jnp.where(is_even, terms.get(j, zero), terms.get(-j, zero)) for j in offsets]
    widths = [(3, 3) if i == axis else (0, 0) for i in range(v.ndim)]

    def apply(psi: Array) -> Array:
        wide = jnp.pad(psi, widths, mode="wrap")
        parts = (
            a * jax.lax.slice_in_dim(wide, 3 + j, 3 + j + psi.shape[axis], axis=axis)
            for a, j in zip(band, offsets, strict=True)
        )
        return sum(parts, jnp.zeros_like(psi))

    return apply


def _square(grid: Grid) -> Float[np.ndarray, "*n_x"]:
    return np.asarray(sum(grid.wavenumbers(axis) ** 2 for axis in range(grid.n_dim)))


def _odd(grid: Grid, axis: int) -> Float[np.ndarray, "..."]:
    """The wavenumbers of an axis, with 0 for the highest of an even number of points."""
    k, n = grid.wavenumbers(axis), grid.shape[axis]
    return np.where(np.abs(k) < np.pi / grid.dx[axis] * (1 - 0.5 / n), k, 0.0)


def _filter(v: Inexact[Array, "*n_x"], factor: np.ndarray) -> Inexact[Array, "*n_x"]:
    space = tuple(range(-factor.ndim, 0))
    waves = jnp.fft.fftn(v, axes=space)
    made = jnp.fft.ifftn(jnp.asarray(factor, waves.dtype) * waves, axes=space)
    return made if jnp.iscomplexobj(v) else made.real
