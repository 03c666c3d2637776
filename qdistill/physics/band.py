"""Plane waves of a periodic box below a cutoff, and the Hamiltonian between them.

A packet of energy E has almost no plane waves beyond |k| = sqrt(2 m (E - V)). Between the waves
below a cutoff the Hamiltonian is a small real matrix, which `eigenbasis` diagonalises. Sharp edges
also scatter into waves beyond the cutoff; `fold` includes their effect by perturbation theory
(Loewdin folding). The number of dimensions is that of the grid.
"""

import dataclasses
import functools
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Int, Num

from qdistill._checks import (
    is_known,
    refuse,
    require_between,
    require_finite,
    require_positive,
    require_real,
    require_shape,
)
from qdistill._doors import as_floating
from qdistill._refusals import explained
from qdistill.physics.grid import Grid

# Relative tolerance, so that rounding does not exclude a wave at the cutoff.
_SLIVER = 1e-9


@explained
@dataclasses.dataclass(frozen=True)
class Band:
    """The plane waves of a periodic box with |k| <= cutoff, as a real orthonormal basis.

    They are 1, then cos(k.x), then sin(k.x), for one k of each pair (k, -k), by growing |k|. The
    components of k are multiples of 2 pi / length, and x is measured from the lower edge of the
    box. Matrices between them are real and symmetric. Static and hashable.

    Args:
      grid: The box, its points and its dispersion, in any number of dimensions.
      cutoff: Largest |k| in 1/bohr; infinity takes all waves that the grid holds along its axes.
      above: Only waves with |k| > above, in 1/bohr, without the constant; None takes all.

    Raises:
      ValueError: For a cutoff below the longest wave, or beyond what the grid holds.

    >>> band = Band(Grid((16, 16), (2.0, 2.0)), cutoff=5.0)
    >>> band.n_wave, band.modes.tolist()
    (9, [[0, 0, 1, 1, 1], [0, 1, 0, -1, 1]])
    """

    grid: Grid
    cutoff: float = math.inf
    above: float | None = None

    def __post_init__(self) -> None:  # noqa: D105
        if self.cutoff != math.inf:
            require_positive(cutoff=self.cutoff)
            lowest, highest = _range(self.grid)
            if self.cutoff < lowest * (1 - _SLIVER):
                refuse("cutoff", f"at least {lowest:.6g}, of the longest wave", self.cutoff)
            if self.cutoff >= highest * (1 - _SLIVER):
                refuse("cutoff", f"below {highest:.6g} on this grid", f"{self.cutoff:.6g}")
        if self.above is not None:
            require_positive(above=self.above)
            if not self.modes.size:
                refuse("above", "below the cutoff and the waves of the grid", f"{self.above:.6g}")

    @classmethod
    def below(cls, grid: Grid, edge: float) -> "Band":
        """Return the band whose cutoff is the largest wavenumber of an axis below an edge.

        A coarse grid of n points along a box holds the waves below the edge pi n / length.

        >>> Band.below(Grid(64, 2.0), edge=np.pi * 16 / 2.0).n_wave
        15
        """
        require_positive(edge=edge)
        require_shape((), edge=edge)
        units, (lowest, highest) = 2 * np.pi / np.array(grid.lengths), _range(grid)
        cutoff = float(max(units * (np.ceil(edge / units - 1e-6) - 1)))
        if not 0 < cutoff < highest * (1 - _SLIVER):
            refuse("edge", f"above {lowest:.6g} and at most {highest:.6g} on this grid", edge)
        return cls(grid, cutoff)

    @property
    def modes(self) -> Int[np.ndarray, "n_dim n_mode"]:
        """The wave vectors in units of 2 pi / length, one of each pair; the constant is first."""
        return _modes(self.grid, self.cutoff, self.above)

    @property
    def wavenumbers(self) -> Float[np.ndarray, "n_dim n_mode"]:
        """The wave vectors in 1/bohr."""
        return self.modes * (2 * np.pi / np.array(self.grid.lengths))[:, None]

    @property
    def n_wave(self) -> int:
        """Number of waves."""
        return 2 * self.modes.shape[1] - self.has_constant

    @property
    def has_constant(self) -> bool:
        """Whether the constant function is one of the waves."""
        return self.above is None

    def on(self, grid: Grid) -> "Band":
        """Return the same waves on another grid of the same box.

        Raises:
          ValueError: For another box, a grid that does not hold the waves, and, without a cutoff,
            another number of points in several dimensions.
        """
        if not np.allclose(grid.lengths, self.grid.lengths, rtol=_SLIVER):
            refuse("grid", f"a box of {self.grid.lengths} bohr", grid)
        is_whole = self.cutoff == math.inf and grid.shape != self.grid.shape
        if is_whole and grid.n_dim > 1:
            refuse("cutoff", "finite, for another grid of several dimensions", self.cutoff)
        # Without a cutoff the waves are those of the grid.
        cutoff = float(self.wavenumbers[0].max()) if is_whole else self.cutoff
        return dataclasses.replace(self, grid=grid, cutoff=cutoff)

    def places(self, other: "Band") -> Int[np.ndarray, " n_wave"]:
        """Return the indices among these waves of the waves of a narrower band of the same box.

        >>> wide, narrow = (Band(Grid(16, 2 * np.pi), cutoff) for cutoff in (3.0, 2.0))
        >>> wide.places(narrow)
        array([0, 1, 2, 4, 5])
        """
        n, n_other = self.modes.shape[1], other.modes.shape[1]
        is_of_box = other.grid.lengths == self.grid.lengths and n_other <= n
        if not is_of_box or not np.array_equal(self.modes[:, :n_other], other.modes):
            refuse("other", "a narrower band of the same box", other)
        return np.r_[:n_other, n : n + n_other - self.has_constant]

    def flat(self, modes: Int[np.ndarray, "n_dim *n"]) -> Int[np.ndarray, "*n"]:
        """Return the indices of wave vectors among the raveled points of the FFT grid."""
        shape = self.grid.shape
        return np.ravel_multi_index(tuple(m % n for m, n in zip(modes, shape, strict=True)), shape)


@functools.lru_cache(maxsize=64)
def _modes(grid: Grid, cutoff: float, above: float | None) -> Int[np.ndarray, "n_dim n_mode"]:
    unit = 2 * np.pi / np.array(grid.lengths)
    held = (np.array(grid.shape) - 1) // 2
    reach = held
    if cutoff != math.inf:
        reach = np.minimum(held, (cutoff * (1 + _SLIVER) / unit).astype(int))
    axes = [np.arange(-n, n + 1) for n in reach]
    modes = np.stack(np.meshgrid(*axes, indexing="ij")).reshape(grid.n_dim, -1)
    # In units of the finest step, so that squares of a cube are whole numbers.
    square = np.sum((modes * (unit / unit.min())[:, None]) ** 2, axis=0)
    first = modes[0]
    for along in modes[1:]:
        first = np.where(first == 0, along, first)
    lowest = -1.0 if above is None else (above / unit.min()) ** 2 * (1 + 2 * _SLIVER)
    highest = (cutoff / unit.min()) ** 2 * (1 + 2 * _SLIVER)
    kept = (square <= highest) & (square > lowest) & ((first > 0) | (square == 0))
    order = np.lexsort((*modes[::-1, kept], square[kept]))
    found = modes[:, kept][:, order]
    found.flags.writeable = False
    return found


@explained
@functools.partial(jax.jit, static_argnames="band")
def to_waves(band: Band, psi: Complex[Array, "*n_x"]) -> Complex[Array, " n_wave"]:
    """Return the coefficients of psi in the waves of a band.

    The sum of their squared moduli is the probability within the band.

    Raises:
      ValueError: For a psi of another shape.

    >>> grid = Grid(64, 2.0)
    >>> psi = jnp.sin(2 * jnp.pi * grid.positions() / 2.0) + 0j
    >>> abs(to_waves(Band(grid, 2 * np.pi), psi)).round(3)
    Array([0., 0., 0., 1., 0.], dtype=float32)
    """
    require_shape(band.grid.shape, psi=psi)
    waves, turn = jnp.fft.fftn(psi).ravel(), _turn_to_edge(band)
    right = waves[band.flat(band.modes)] * jnp.asarray(turn.conj(), waves.dtype)
    left = waves[band.flat(-band.modes)] * jnp.asarray(turn, waves.dtype)
    weights = jnp.asarray(_norms(band) * band.grid.cell, psi.real.dtype)
    cosines, sines = weights * (right + left) / 2, weights * (right - left) * 0.5j
    return jnp.concatenate([cosines, sines[band.has_constant :]])


@explained
def require_within(band: Band, psi: Complex[Array, "*n_x"], tolerance: float = 0.01) -> None:
    """Refuse a known state with more of its probability than the tolerance beyond a band.

    Raises:
      ValueError: If more lies beyond the band. A traced state is not checked.
    """
    require_between(0, 1, tolerance=tolerance)
    if not is_known(psi):
        return
    require_finite(psi=psi)
    whole = float(jnp.sum(jnp.abs(psi) ** 2)) * band.grid.cell
    within = float(jnp.sum(jnp.abs(to_waves(band, psi)) ** 2))
    if whole - within > tolerance * whole:
        edge = np.max(np.linalg.norm(band.wavenumbers, axis=0))
        refuse(
            "psi",
            f"made of waves with |k| <= {edge:.3g} but for {tolerance:.3g} of its probability",
            f"beyond that band with {1 - within / whole:.3g} of it",
            "Use a slower or wider packet.",
        )


@explained
@functools.partial(jax.jit, static_argnames="band")
def from_waves(band: Band, coefficients: Complex[Array, " n_wave"]) -> Complex[Array, "*n_x"]:
    """Return the state with given coefficients, on the points of the band's grid.

    Use ``band.on(grid)`` for more or fewer points of the same box.

    Raises:
      ValueError: For another number of coefficients.
    """
    require_shape((band.n_wave,), coefficients=coefficients)
    n, n_x, dtype = band.modes.shape[1], math.prod(band.grid.shape), coefficients.dtype
    cosines = coefficients[:n]
    sines = jnp.concatenate([jnp.zeros(band.has_constant, dtype), coefficients[n:]])
    halves = np.where(_is_constant(band), 1, 0.5)
    weights = jnp.asarray(_norms(band) * n_x * halves, coefficients.real.dtype)
    turn = jnp.asarray(_turn_to_edge(band), dtype)
    right = weights * turn * (cosines - 1j * sines)
    left = weights * turn.conj() * (cosines + 1j * sines)
    # Each point of the FFT grid gathers its wave, or the zero at the end: faster than scattering.
    taken = np.full(n_x, 2 * n)
    taken[band.flat(-band.modes)] = np.arange(n, 2 * n)
    taken[band.flat(band.modes)] = np.arange(n)
    waves = jnp.concatenate([right, left, jnp.zeros(1, dtype)])[taken]
    return jnp.fft.ifftn(waves.reshape(band.grid.shape))


@explained
def kinetic(band: Band) -> Float[np.ndarray, " n_wave"]:
    """Return the kinetic energy of each wave, in hartree and float64."""
    omega = band.grid.kinetic_energy().ravel()[band.flat(band.modes)]
    return np.concatenate([omega, omega[band.has_constant :]])


@explained
@functools.partial(jax.jit, static_argnames=("rows", "columns"))
def elements(
    v: Float[Array, "*n_x"], rows: Band, columns: Band
) -> Float[Array, "n_rows n_columns"]:
    """Return the matrix of a potential between waves: <m|v|n>, in hartree.

    It is a sum over the points, exact if the product of the three does not alias on the grid.

    Args:
      v: The potential on the points of the bands' grid.
      rows, columns: Waves m and n.
    """
    require_shape(rows.grid.shape, v=v)
    if rows.grid != columns.grid:
        refuse("columns", f"of the grid of the rows, {rows.grid}", columns.grid)
    waves = jnp.fft.fftn(v) / v.size
    waves = (waves * jnp.asarray(_turn_of_points(rows.grid), waves.dtype)).ravel()
    m, n = rows.modes[:, :, None], columns.modes[:, None]
    (even, odd), (even_sum, odd_sum) = (
        (part.real, -part.imag) for part in (waves[rows.flat(q)] for q in (m - n, m + n))
    )
    # The constant is the cosine of wave 0, but for its norm.
    weights = (np.where(_is_constant(band), 0.5**0.5, 1) for band in (rows, columns))
    norms = jnp.asarray(np.multiply.outer(*weights), v.dtype)
    first, left = int(rows.has_constant), int(columns.has_constant)
    upper = [norms * (even + even_sum), (norms * (odd_sum - odd))[:, left:]]
    lower = [(norms * (odd_sum + odd))[first:], (even - even_sum)[first:, left:]]
    return jnp.block([upper, lower])


@explained
def differentiate(
    band: Band, matrix: Num[Array, "*n"], axis: int, direction: int = 0, unit: float = 1.0
) -> Num[Array, "*n"]:
    """Return a matrix over waves, with one axis mapped to the derivatives of its waves.

    Args:
      band: The waves along the axis.
      matrix, axis: A matrix over these waves, and the axis of it.
      direction: The axis of space along which the derivative is taken.
      unit: The unit of the derivatives, a wavenumber in 1/bohr.
    """
    require_positive(unit=unit)
    band.grid.require_axis(direction)
    return _differentiate(band, matrix, axis, direction, unit)


@functools.partial(jax.jit, static_argnames=("band", "axis", "direction"))
def _differentiate(
    band: Band, matrix: Num[Array, "*n"], axis: int, direction: int, unit: float | Array
) -> Num[Array, "*n"]:
    first = jnp.moveaxis(matrix, axis, 0)
    n, start = band.modes.shape[1], int(band.has_constant)
    dtype = matrix.real.dtype
    k = jnp.asarray(band.wavenumbers[direction, start:], dtype) / jnp.asarray(unit, dtype)
    k = jnp.expand_dims(k, tuple(range(1, matrix.ndim)))
    # The derivative of a cosine is minus a sine, that of a sine a cosine.
    swapped = [jnp.zeros_like(first[:start]), -k * first[n:], k * first[start:n]]
    return jnp.moveaxis(jnp.concatenate(swapped), 0, axis)


@explained
def project(band: Band, v: Float[Array, "*n_x"]) -> Float[Array, "n_wave n_wave"]:
    """Return the Hamiltonian between the waves of a band: kinetic energy and potential.

    Raises:
      ValueError: For a potential that is not real and finite, or of another shape.

    >>> grid = Grid(64, 2.0, "continuum")
    >>> kinetic_of_first = 0.5 * (2 * np.pi / 2.0) ** 2
    >>> expected = np.diag([3, 3 + kinetic_of_first, 3 + kinetic_of_first])
    >>> np.allclose(project(Band(grid, np.pi), jnp.full(64, 3.0)), expected, atol=1e-5)
    True
    """
    v = _as_potential(band.grid, v)
    return elements(v, band, band) + jnp.diag(jnp.asarray(kinetic(band), v.dtype))


@explained
def fold(
    band: Band, v: Float[Array, "*n_x"], energy: float = 7.0, outer: float = math.inf
) -> Float[Array, "n_wave n_wave"]:
    """Return the Loewdin-folded Hamiltonian of a band: the waves beyond it count to second order.

    With P the band, Q the waves beyond it, D their kinetic energy above `energy` and
    X = D^-1 V_QP, it is H = H_PP - V_PQ X - {X^T X, H_PP - V_PQ X - E} / 2, where E is `energy`
    above the mean of V. This is the effective Hamiltonian of Loewdin and des Cloizeaux. It is
    symmetric, and a constant added to V adds exactly that constant.

    Args:
      band: The waves that are kept.
      v: The potential in hartree.
      energy: Kinetic energy in hartree about which it expands, below those of the folded waves.
      outer: Largest |k| that is folded in, in 1/bohr; infinity takes all that the grid holds.

    Raises:
      ValueError: For an energy at or above that of the folded waves, or if there are no such waves.
    """
    v = _as_potential(band.grid, v)
    require_finite(energy=energy)
    try:
        beyond = Band(band.grid, outer, above=band.cutoff)
    except ValueError as error:
        refuse("outer", "so that there are waves beyond the band", outer, str(error))
    gap = kinetic(beyond) - energy
    if gap.min() <= 0:
        refuse("energy", f"below {gap.min() + energy:.3g}, of the first wave left out", energy)
    v_pq = elements(v, band, beyond)
    x = v_pq / jnp.asarray(gap, v.dtype)[None]
    effective = project(band, v) - x @ v_pq.T
    above = effective - (energy + jnp.mean(v)) * jnp.eye(len(effective), dtype=v.dtype)
    overlap = (x @ x.T) @ above / 2
    return effective - overlap - overlap.T


def _range(grid: Grid) -> tuple[float, float]:
    """The wavenumbers of the longest wave of a box, and of the first that an axis does not hold."""
    sizes = zip(grid.shape, grid.lengths, strict=True)
    highest = min(2 * np.pi * ((n_x + 1) // 2) / length for n_x, length in sizes)
    return 2 * np.pi / max(grid.lengths), highest


def _norms(band: Band) -> Float[np.ndarray, " n_mode"]:
    """The factors that normalise 1, cos(k.x), ..."""
    return np.sqrt(np.where(_is_constant(band), 1, 2) / math.prod(band.grid.lengths))


def _is_constant(band: Band) -> Bool[np.ndarray, " n_mode"]:
    return (band.modes == 0).all(axis=0)


def _turn_to_edge(band: Band) -> Complex[np.ndarray, " n_mode"]:
    """exp(i k.dx), as the first point is a spacing away from the lower edge of the box."""
    return np.exp(2j * np.pi * np.sum(band.modes / np.array(band.grid.shape)[:, None], axis=0))


def _turn_of_points(grid: Grid) -> Complex[np.ndarray, "*n_x"]:
    """exp(-i k.dx) on the FFT grid."""
    turns = sum(
        np.fft.fftfreq(n_x).reshape([-1 if a == axis else 1 for a in range(grid.n_dim)])
        for axis, n_x in enumerate(grid.shape)
    )
    return np.exp(-2j * np.pi * turns)


def _as_potential(grid: Grid, v: Array) -> Array:
    require_real(v=v)
    require_shape(grid.shape, v=v)
    require_finite(v=v)
    return as_floating(v)
