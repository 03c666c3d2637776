"""A learned splitting: a student that is linear and unitary by construction."""

import dataclasses
import functools
from typing import Literal, TypeAlias, get_args

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, Key, PyTree

from qdistill._checks import (
    refuse,
    require_at_least,
    require_one_of,
    require_positive,
    require_settings,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Grid
from qdistill.physics.hamiltonian import apply, over_channels
from qdistill.students.base import Student, StudentConfig
from qdistill.students.phases import PotentialPhases, complete
from qdistill.system import Potential, Step, System
from qdistill.teacher import kick
from qdistill.teacher.split_steps import phase

Start: TypeAlias = Literal["nothing", "informed"]


@explained
@dataclasses.dataclass(frozen=True)
class UnitaryConfig(StudentConfig, name="unitary"):
    """The form of a learned splitting, exp(-i a_n(x)) F^-1 exp(-i b_n(k)) F ... exp(-i a_0(x)).

    Attributes:
      n_pairs: FFT pairs per frame, the number of b_j(k).
      start: Initial phases. ``"nothing"``: all b_j are zero, so the kinetic energy is learned from
        scratch. ``"informed"``: the clamped split step.
      kinetic_cap: Largest kinetic energy of the informed start, in hartree. Phases above it have
        the largest learning rate. Below it the rate falls with the speed, and b_j(0) = 0 is fixed.
      reach: Largest offset, in points, that the local network of the a_j sees.
      n_units: Width of the local network; without effect with channels.
      mirror: Whether to build in the mirror symmetry: mirrored psi and v give the mirrored
        forecast. In two dimensions it is always built in, with the symmetry of the square, and
        so it is with channels.
      reversible: Whether to build in time-reversal symmetry: the phases form a palindrome, so the
        complex conjugate of a forecast evolves back to that of the initial state.
      knot_spacing: Distance in 1/bohr between the knots of the learned group velocities.
      smooth: Whether to build in that the b_j(k) are smooth at k = 0, where their slope, odd in k,
        must vanish. The slope below 1/bohr is then learned in units of |k|, because the lessons
        contain few packets that are so slow. An informed start is smooth in any case.
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
        require_settings(self)
        require_at_least(1, n_pairs=self.n_pairs, reach=self.reach, n_units=self.n_units)
        require_one_of(get_args(Start), start=self.start)
        require_positive(kinetic_cap=self.kinetic_cap, knot_spacing=self.knot_spacing)

    def build(self, system: System) -> "Splitting":
        """Return the student of this form, a `Splitting`."""
        return Splitting(self, system)


class SplittingPhases(nn.Module):
    """The phases a_j(x) and b_j(k) of a potential, in radians per frame.

    b_j(k) is b_j(0) plus the integral of its slope, which is piecewise linear in |k|; so in two
    dimensions no direction is preferred. The slope is group velocity times time. Integrating it
    from k = 0 keeps neighbouring phases on one branch, without jumps by 2 pi.

    Attributes:
      config: The form of the splitting.
      grid: The grid, for its spacing, and for the dispersion of an informed start.
      dt: Duration of a frame, in atomic units.
      n_channel: Number of channels. The a_j(x) are then matrices, and the b_j(k) are common to all
        channels, whatever basis these have.
    """

    config: UnitaryConfig
    grid: Grid
    dt: float
    n_channel: int = 0

    def setup(self) -> None:  # noqa: D102
        config = self.config
        n_free = (config.n_pairs + 1) // 2 if config.reversible else config.n_pairs
        zeros = nn.initializers.zeros
        self.slope = self.param("slope", zeros, (n_free, len(self.knots())), float)
        self.offset = self.param("offset", zeros, (n_free,), float)
        self.landscape = PotentialPhases(
            config.n_pairs + 1,
            self.dt,
            _shares_at_start(config),
            config.reach,
            config.n_units,
            config.mirror,
            config.reversible,
            1.0 if config.start == "nothing" else config.n_pairs**-2,
            self.grid.n_dim,
            self.n_channel,
        )

    def __call__(
        self, v: Inexact[Array, "*n_x"]
    ) -> tuple[Inexact[Array, "n_a *n_x"], Float[Array, "n_b ..."]]:
        """Return all a_j(x), and all b_j(k) in FFT order."""
        return self.landscape(v), self.kinetic_phases(v.shape[-self.grid.n_dim :])

    def shares(self) -> Float[Array, " n_a"]:
        """Return the shares of the potential among the kicks; they sum to one."""
        return self.landscape.shares_of_kicks()

    def knots(self) -> Float[np.ndarray, " n_knot"]:
        """Return the |k| between which slopes are interpolated, up to the largest on the grid."""
        return knots(self.config, self.grid.dx[0], self.grid.n_dim)

    def kinetic_phases(self, shape: tuple[int, ...]) -> Float[Array, "n_b *n_x"]:
        """Return all b_j(k) on a box of the given shape, in FFT order."""
        axes = np.ix_(*(2 * np.pi * np.fft.fftfreq(n_x, self.grid.dx[0]) for n_x in shape))
        k = np.sqrt(sum(component**2 for component in axes)).ravel()
        # In a plane many k have equal |k|, and large constants would slow down compilation.
        k, where = (k, slice(None)) if self.grid.n_dim == 1 else np.unique(k, return_inverse=True)
        dtype = self.slope.dtype
        integrals = jnp.asarray(_hat_integrals(k, self.knots()), dtype)
        start, unit = (jnp.asarray(f(self), dtype) for f in (_slopes_at_start, _units_of_learning))
        slopes = start[None] + unit[None] * self.slope
        phases = unit[0] * self.offset[:, None] + slopes @ integrals.T
        return complete(phases[:, where].reshape(-1, *shape), self.config.n_pairs)


@explained
@dataclasses.dataclass(frozen=True)
class Splitting(Student):
    """A student that is a learned splitting.

    Its kicks are shares of the system's local part, which sum to one. For a static real or
    Hermitian potential a learned function of the potential nearby is added.

    Raises:
      ValueError: In several dimensions for a grid with a preferred direction: the lattice, unequal
        spacings or unequal masses. In several dimensions or with channels without the mirror.
    """

    form: UnitaryConfig

    @property
    def is_linear(self) -> bool:  # type: ignore[override]
        """Whether the system is linear."""
        return self.system.is_linear

    @property
    def is_unitary(self) -> bool:  # type: ignore[override]
        """Whether the system is Hermitian."""
        return self.system.is_hermitian

    def __post_init__(self) -> None:  # noqa: D105
        if not isinstance(self.form, UnitaryConfig):
            refuse("form", "a UnitaryConfig", repr(self.form))
        grid = self.system.grid
        is_alike = grid.dispersion == "continuum" and np.allclose(grid.dx, grid.dx[0])
        if grid.n_dim > 1 and not (is_alike and len(set(grid.mass)) == 1):
            requirement = "a continuum of equal spacings and masses, or one-dimensional, for this "
            refuse("grid", requirement + "student", grid)
        if (grid.n_dim > 1 or self.system.n_channel) and not self.form.mirror:
            refuse("mirror", "True in more than one dimension and with channels", self.form.mirror)

    @property
    def network(self) -> SplittingPhases:
        """The Flax module that makes the phases."""
        grid = self.system.grid
        return SplittingPhases(self.form, grid, self.system.dt, self.system.n_channel)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return zero phases, or those of the informed start, and a random local network."""
        return self.network.init(key, jnp.zeros(self._shape_of_v, float))["params"]

    @property
    def _shape_of_v(self) -> tuple[int, ...]:
        n = self.system.n_channel
        return (n, n) * bool(n) + self.system.grid.shape

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return the step: kicks and drifts alternate."""
        system = self.system
        if not (system.is_linear and system.is_autonomous and system.is_hermitian):
            return self._step_of_shares(params, v)
        phases = self.network.apply({"params": params}, self.system.local(v, 0.0, None))
        of_x, of_k = map(jnp.asarray, phases)
        drifts, space = jnp.exp(-1j * of_k), tuple(range(-system.grid.n_dim, 0))
        if system.n_channel:
            kicks = jax.vmap(lambda each: phase(system, each, 1.0))(of_x)
        else:
            kicks = jnp.exp(-1j * of_x)

        def advance(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
            psi = apply(kicks[0], psi)
            for turn, drift in zip(kicks[1:], drifts, strict=True):
                waves = over_channels(drift, psi) * jnp.fft.fftn(psi, axes=space)
                psi = apply(turn, jnp.fft.ifftn(waves, axes=space))
            return psi

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)

    def _step_of_shares(self, params: PyTree, v: Potential) -> Step:
        """The step with kicks of the local part alone, which may change or absorb."""
        system, network, variables = self.system, self.network, {"params": params}
        shares = jnp.asarray(network.apply(variables, method=SplittingPhases.shares))
        phases = jnp.asarray(
            network.apply(variables, system.grid.shape, method=SplittingPhases.kinetic_phases)
        )
        dtype = jnp.result_type(*jax.tree.leaves(v), jnp.complex64)
        drifts = jnp.asarray(jnp.exp(-1j * phases), dtype)
        space = tuple(range(-system.grid.n_dim, 0))

        def advance(state: tuple[Array, Array]) -> tuple[Array, Array]:
            psi, n = state
            psi = kick(system, v, n * system.dt, psi, shares[0] * system.dt)
            for j, drift in enumerate(drifts):
                waves = over_channels(drift, psi) * jnp.fft.fftn(psi, axes=space)
                psi = jnp.fft.ifftn(waves, axes=space)
                t = (n + (j + 1) / len(drifts)) * system.dt
                psi = kick(system, v, t, psi, shares[j + 1] * system.dt)
            return psi, n + 1

        return Step(lambda frames, n: (frames[-1], n), advance, lambda state: state[0])

    def dispersion(self, params: PyTree) -> Float[np.ndarray, "*n_k"]:
        """Return the learned dispersion sum_j b_j(k) / dt in hartree, at the k in FFT order."""
        self.require_params(params)
        shape = self.system.grid.shape
        phases = self.network.apply(
            {"params": params}, shape, method=SplittingPhases.kinetic_phases
        )
        return np.sum(np.asarray(phases, float), axis=0) / self.system.dt

    def phases(
        self, params: PyTree, v: Inexact[Array, "*n_x"]
    ) -> tuple[Inexact[np.ndarray, "n_a *n_x"], Float[np.ndarray, "n_b ..."]]:
        """Return the a_j(x) of a potential and the b_j(k) in FFT order, in radians per frame.

        sum_j a_j / dt is the student's potential energy, sum_j b_j / dt its kinetic energy. With
        channels v and the a_j have two axes of these before those of space.
        """
        self.require_params(params)
        require_shape(self._shape_of_v, v=v)
        kicks, drifts = _phases(self, params, v)
        kind = complex if jnp.iscomplexobj(kicks) else float
        return np.asarray(kicks, kind), np.asarray(drifts, float)


@functools.partial(jax.jit, static_argnums=0)
def _phases(student: Splitting, params: PyTree, v: Array) -> tuple[Array, Array]:
    kicks, drifts = student.network.apply({"params": params}, v)
    return kicks, jnp.asarray(drifts)


@explained
def knots(config: UnitaryConfig, dx: float, n_dim: int = 1) -> Float[np.ndarray, " n_knot"]:
    """Return the |k| between which slopes are interpolated, from 0 to sqrt(n_dim) pi / dx."""
    largest = n_dim**0.5 * np.pi / dx
    return np.linspace(0, largest, max(2, round(largest / config.knot_spacing) + 1))


def _hat_integrals(
    k: Float[np.ndarray, " n_k"], at: Float[np.ndarray, " n_knot"]
) -> Float[np.ndarray, "n_k n_knot"]:
    """Integrals from 0 to k of the piecewise linear hat functions of all knots."""

    def from_left_end(u: np.ndarray) -> np.ndarray:
        u = np.clip(u, -1, 1)
        return np.where(u < 0, (1 + u) ** 2 / 2, 1 - (1 - u) ** 2 / 2)

    spacing = at[1] - at[0]
    here, start = (k[:, None] - at[None]) / spacing, -at[None] / spacing
    return spacing * (from_left_end(here) - from_left_end(start))


def _slopes_at_start(network: SplittingPhases) -> Float[np.ndarray, " n_knot"]:
    """Zero, or the slopes whose integral best fits the clamped kinetic phase of a substep."""
    config, at = network.config, network.knots()
    if config.start == "nothing":
        return np.zeros(len(at))
    spacing = np.pi / at[-1] if network.grid.n_dim > 1 else network.grid.dx[0]
    fine = Grid(
        16 * len(at), 16 * len(at) * spacing, network.grid.dispersion, mass=network.grid.mass[0]
    )
    kinetic = fine.kinetic_energy()
    phase = np.minimum(kinetic, config.kinetic_cap) * network.dt / config.n_pairs
    # The kink at the cap, which the knots cannot represent, must not spoil the fit below it.
    weights = np.where(kinetic < config.kinetic_cap, 1.0, 0.03)
    integrals = _hat_integrals(np.abs(fine.wavenumbers()), at)
    return np.linalg.lstsq(weights[:, None] * integrals, weights * phase, rcond=1e-6)[0]


def _units_of_learning(network: SplittingPhases) -> Float[np.ndarray, " n_knot"]:
    """The change of a slope per unit change of its parameter.

    The units of an informed start are small: below the cap its phases are correct in empty space,
    and corrections by commutators with a potential are of third order in time.
    """
    config, at = network.config, network.knots()
    if config.start == "nothing":
        return np.minimum(at, 1.0) if config.smooth else np.ones(len(at))
    kinetic = at**2 / (2 * network.grid.mass[0])
    return 0.02 * np.minimum(kinetic / config.kinetic_cap, 1) ** 3 / config.n_pairs**2


def _shares_at_start(config: UnitaryConfig) -> tuple[float, ...]:
    """The shares of the potential among the kicks: equal, or those of the split step."""
    n_pairs = config.n_pairs
    if config.start == "nothing":
        return (1 / (n_pairs + 1),) * (n_pairs + 1)
    return (0.5 / n_pairs, *(1 / n_pairs,) * (n_pairs - 1), 0.5 / n_pairs)
