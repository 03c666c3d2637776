"""A student that is linear and unitary by construction: a learned splitting."""

import dataclasses
from typing import Literal, TypeAlias, get_args

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import (
    refuse,
    require_at_least,
    require_one_of,
    require_positive,
    require_shape,
)
from qdistill.physics.grid import Grid
from qdistill.students.base import Student, require_line
from qdistill.students.phases import LandscapePhases, complete
from qdistill.teacher.solvers import Propagator, Step

Start: TypeAlias = Literal["nothing", "informed"]


@dataclasses.dataclass(frozen=True)
class UnitaryConfig:
    """A learned splitting, exp(-i a_n(x)) F^-1 exp(-i b_n(k)) F ... exp(-i a_0(x)).

    Attributes:
      n_pairs: FFT pairs a frame, the number of b_j(k).
      start: ``"nothing"``: all b_j are zero, so that whatever it comes to know of the kinetic
        energy it learned. ``"informed"``: the split step with its kinetic energy clamped.
      kinetic_cap: Largest kinetic energy of the informed start, in hartree. Phases above it are
        learned fastest, those below the slower the slower the packet, b_j(0) = 0 not at all.
      reach: Points on either side that the local network of the a_j sees, or those within this
        distance.
      n_units: Width of the local network.
      mirror: Build the mirror symmetry in: mirrored psi and v give the mirrored forecast; in two
        dimensions it is always there, with the symmetry of the square.
      reversible: Build the symmetry under time reversal in: the phases form a palindrome, so
        that the complex conjugate of a forecast evolves back to that of the start.
      knot_spacing: Of the learned group velocities, in 1/bohr.
      smooth: Build in that the b_j(k) are smooth at k = 0, where their slope, which is odd in k,
        must vanish. Below 1/bohr it is learned in units of |k|: few packets are so slow, and what
        is rarely seen must not wander. An informed start has its own units, smooth in any case.
    """

    n_pairs: int = 2
    start: Start = "nothing"
    kinetic_cap: float = 40.0
    reach: int = 8
    n_units: int = 16
    mirror: bool = True
    reversible: bool = True
    knot_spacing: float = 0.25
    smooth: bool = False

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, n_pairs=self.n_pairs, reach=self.reach, n_units=self.n_units)
        require_one_of(get_args(Start), start=self.start)
        require_positive(kinetic_cap=self.kinetic_cap, knot_spacing=self.knot_spacing)


class Splitting(nn.Module):
    """The phases a_j(x) and b_j(k) of a landscape, in radians a frame.

    b_j(k) = b_j(0) + integral of its slope, which is piecewise linear over |k|: in two dimensions
    no direction is singled out. The slope is the
    group velocity times the time; a phase that grows out of its slope from k = 0 upwards cannot
    end up on another branch, 2 pi away, than its neighbours.

    Attributes:
      config: Its form.
      dx: Spacing of the grid, in bohr.
      dt: Duration of a frame, in atomic units.
      dispersion: Whose kinetic energy an informed start has.
      n_dim: Dimensions of space.
    """

    config: UnitaryConfig
    dx: float
    dt: float
    dispersion: str
    n_dim: int = 1

    def setup(self) -> None:  # noqa: D102
        config = self.config
        n_free = (config.n_pairs + 1) // 2 if config.reversible else config.n_pairs
        zeros = nn.initializers.zeros
        self.slope = self.param("slope", zeros, (n_free, len(self.knots())), float)
        self.offset = self.param("offset", zeros, (n_free,), float)
        self.landscape = LandscapePhases(
            config.n_pairs + 1,
            self.dt,
            _shares_at_start(config),
            config.reach,
            config.n_units,
            config.mirror,
            config.reversible,
            1.0 if config.start == "nothing" else config.n_pairs**-2,
            self.n_dim,
        )

    def __call__(
        self, v: Float[Array, "*n_x"]
    ) -> tuple[Float[Array, "n_a *n_x"], Float[Array, "n_b *n_x"]]:
        """All a_j(x), and all b_j(k) in FFT order."""
        return self.landscape(v), self.kinetic_phases(v.shape)

    def knots(self) -> Float[np.ndarray, " n_knot"]:
        """The |k| between which slopes are interpolated, up to the largest on the grid."""
        return knots(self.config, self.dx, self.n_dim)

    def kinetic_phases(self, shape: tuple[int, ...]) -> Float[Array, "n_b *n_x"]:
        """All b_j(k) on a box of so many points, in FFT order."""
        axes = np.ix_(*(2 * np.pi * np.fft.fftfreq(n_x, self.dx) for n_x in shape))
        k = np.sqrt(sum(component**2 for component in axes)).ravel()
        # On a plane many k have one length, and big constants would slow the compiler down.
        k, where = (k, slice(None)) if self.n_dim == 1 else np.unique(k, return_inverse=True)
        integrals = jnp.asarray(_hat_integrals(k, self.knots()), self.slope.dtype)
        start, unit = (jnp.asarray(f(self), float) for f in (_slopes_at_start, _units_of_learning))
        slopes = start[None] + unit[None] * self.slope
        phases = unit[0] * self.offset[:, None] + slopes @ integrals.T
        return complete(phases[:, where].reshape(-1, *shape), self.config.n_pairs)


def make(config: UnitaryConfig, grid: Grid, dt: float) -> Student:
    """The student of a learned splitting.

    It runs on a periodic box of any number of points with the spacing of the grid.

    Args:
      config: Its form.
      grid: It gives the spacing, and the dispersion of an informed start.
      dt: Duration of a frame, in atomic units.

    Raises:
      ValueError: In more than one dimension for a grid that singles a direction out: the lattice,
        or unequal spacings.
    """
    network = _network(config, grid, dt)

    def init(key: Key[Array, ""]) -> PyTree:
        return network.init(key, jnp.zeros(grid.shape, float))["params"]

    def propagator(params: PyTree) -> Propagator:
        def make_step(v: Float[Array, "*n_x"]) -> Step:
            require_line(v, grid.n_dim)
            phases = network.apply({"params": params}, v)
            kicks, drifts = (jnp.exp(-1j * jnp.asarray(phase)) for phase in phases)

            def step(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
                require_shape(v.shape, psi=psi)
                psi = kicks[0] * psi
                for kick, drift in zip(kicks[1:], drifts, strict=True):
                    psi = kick * jnp.fft.ifftn(drift * jnp.fft.fftn(psi))
                return psi

            return step

        return make_step

    return Student(1, init, propagator, is_linear=True)


def _network(config: UnitaryConfig, grid: Grid, dt: float) -> Splitting:
    is_alike = grid.dispersion == "continuum" and np.allclose(grid.dx, grid.dx[0])
    if grid.n_dim > 1 and not is_alike:
        refuse("grid", "a continuum of equal spacings, or one-dimensional, for this student", grid)
    if grid.n_dim > 1 and not config.mirror:
        refuse("mirror", "True in more than one dimension", config.mirror)
    return Splitting(config, grid.dx[0], dt, grid.dispersion, grid.n_dim)


def dispersion(
    config: UnitaryConfig, grid: Grid, dt: float, params: PyTree
) -> Float[np.ndarray, "*n_k"]:
    """The learned dispersion sum_j b_j(k) / dt in hartree, at the grid's k in FFT order."""
    network = _network(config, grid, dt)
    phases = network.apply({"params": params}, grid.shape, method=Splitting.kinetic_phases)
    return np.sum(np.asarray(phases, float), axis=0) / dt


def phases(
    config: UnitaryConfig, grid: Grid, dt: float, params: PyTree, v: Float[Array, "*n_x"]
) -> tuple[Float[np.ndarray, "n_a *n_x"], Float[np.ndarray, "n_b *n_x"]]:
    """The a_j(x) of a landscape and the b_j(k) in FFT order, in radians a frame.

    sum_j a_j / dt is the potential that the student acts with, sum_j b_j / dt its kinetic energy.
    """
    require_shape(grid.shape, v=v)
    network = _network(config, grid, dt)
    kicks, drifts = network.apply({"params": params}, v)
    return np.asarray(kicks, float), np.asarray(drifts, float)


def knots(config: UnitaryConfig, dx: float, n_dim: int = 1) -> Float[np.ndarray, " n_knot"]:
    """The |k| between which slopes are interpolated, from 0 to sqrt(n_dim) pi / dx, the largest."""
    largest = n_dim**0.5 * np.pi / dx
    return np.linspace(0, largest, max(2, round(largest / config.knot_spacing) + 1))


def _hat_integrals(
    k: Float[np.ndarray, " n_k"], at: Float[np.ndarray, " n_knot"]
) -> Float[np.ndarray, "n_k n_knot"]:
    """Integrals from 0 to k of the piecewise linear functions that are 1 at one knot only."""

    def from_left_end(u: np.ndarray) -> np.ndarray:
        u = np.clip(u, -1, 1)
        return np.where(u < 0, (1 + u) ** 2 / 2, 1 - (1 - u) ** 2 / 2)

    spacing = at[1] - at[0]
    here, start = (k[:, None] - at[None]) / spacing, -at[None] / spacing
    return spacing * (from_left_end(here) - from_left_end(start))


def _slopes_at_start(network: Splitting) -> Float[np.ndarray, " n_knot"]:
    """Zero, or the slopes whose integral is nearest the clamped kinetic phase of a substep."""
    config, at = network.config, network.knots()
    if config.start == "nothing":
        return np.zeros(len(at))
    spacing = np.pi / at[-1] if network.n_dim > 1 else network.dx
    fine = Grid(16 * len(at), 16 * len(at) * spacing, network.dispersion)
    kinetic = fine.kinetic_energy()
    phase = np.minimum(kinetic, config.kinetic_cap) * network.dt / config.n_pairs
    # The kink at the cap, which knots cannot follow, must not spoil what lies below it.
    weights = np.where(kinetic < config.kinetic_cap, 1.0, 0.03)
    integrals = _hat_integrals(np.abs(fine.wavenumbers()), at)
    return np.linalg.lstsq(weights[:, None] * integrals, weights * phase, rcond=1e-6)[0]


def _units_of_learning(network: Splitting) -> Float[np.ndarray, " n_knot"]:
    """By how much a slope changes where its parameter changes by one.

    An informed start moves in small units: in empty space its phases are right below the cap, and
    what the commutators with a landscape ask for rises with the third power of the time.
    """
    config, at = network.config, network.knots()
    if config.start == "nothing":
        return np.minimum(at, 1.0) if config.smooth else np.ones(len(at))
    return 0.02 * np.minimum(at**2 / 2 / config.kinetic_cap, 1) ** 3 / config.n_pairs**2


def _shares_at_start(config: UnitaryConfig) -> tuple[float, ...]:
    """Of the landscape among the kicks: equal ones, or those of the split step."""
    n_pairs = config.n_pairs
    if config.start == "nothing":
        return (1 / (n_pairs + 1),) * (n_pairs + 1)
    return (0.5 / n_pairs, *(1 / n_pairs,) * (n_pairs - 1), 0.5 / n_pairs)
