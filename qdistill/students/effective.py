"""A student for few waves and long frames: a learned effective Hamiltonian, diagonalised."""

import dataclasses
import functools
import itertools
from typing import ClassVar

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_positive,
    require_real,
    require_settings,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.physics.band import (
    Band,
    differentiate,
    elements,
    from_waves,
    project,
    require_within,
    to_waves,
)
from qdistill.physics.eigenbasis import diagonalise, times, turn
from qdistill.physics.grid import Grid
from qdistill.students.base import Student, StudentConfig
from qdistill.students.phases import V_SCALE
from qdistill.system import Potential, Step, System


@explained
@dataclasses.dataclass(frozen=True)
class PropagatorConfig(StudentConfig, name="propagator"):
    """The form H = kinetic energy + V + sum_j (D^j)^T a_j(x) D^j between the waves of a band.

    D is the derivative in units of the band's edge, so a_0 is a potential, and a_1 changes the
    mass. The a_j represent the waves beyond the band. These enter to second order in V, so the a_j
    are quadratic in V with learned coefficients: sums of products of two gradients of V, and of two
    Hessians. The products are tensors. Their trace gives a_0. In a_1 the tensor itself stands
    between two derivatives, so the mass depends on the direction. For a potential that varies along
    one axis only, both reduce to their values on a line, so the same coefficients serve in any
    dimension.

    Attributes:
      n_coarse: Points of a coarse grid along the first axis of the training box. The student has
        the waves of this grid; in several dimensions, those in the largest ball within them.
      n_fields: Number of the a_j; at most 2 in several dimensions. With 0 nothing is learned, and H
        is the projected Hamiltonian.
      widths: Widths in bohr of the Gaussians by which V is smoothed.
    """

    n_coarse: int = 224
    n_fields: int = 2
    widths: tuple[float, ...] = (0.1, 0.25, 0.6)

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(4, n_coarse=self.n_coarse)
        require_at_least(0, n_fields=self.n_fields)
        require_positive(widths=self.widths)

    @property
    def n_terms(self) -> int:
        """The number of products of two gradients or two Hessians in each a_j."""
        return len(self.widths) * (len(self.widths) + 1)

    def build(self, system: System) -> "EffectiveHamiltonian":
        """Return the student of this form, an `EffectiveHamiltonian`."""
        return EffectiveHamiltonian(self, system)


@explained
@dataclasses.dataclass(frozen=True)
class BandStudent(Student):
    """A student whose state is expanded in the waves of a band, in any number of dimensions.

    Encoding drops the part of psi beyond the band; `forecast` refuses more than 1% of its
    probability.

    Attributes:
      taught: The training grid, along whose first axis the form's `n_coarse` points are counted; by
        default that of the system. `on` does not change it, nor the edge of the band.

    Raises:
      ValueError: For a system with channels, or whose Hamiltonian is not real, linear and constant
        in time; more coarse points than the grid has.
    """

    taught: Grid | None = None

    is_linear: ClassVar[bool] = True

    def __post_init__(self) -> None:  # noqa: D105
        if self.taught is None:
            object.__setattr__(self, "taught", self.system.grid)
        require_static(self.system)
        if not hasattr(self.form, "n_coarse"):
            refuse("form", "the config of a student in a band, with `n_coarse`", repr(self.form))
        require_between(4, self._taught.shape[0], n_coarse=self.form.n_coarse)
        # `Band` refuses a grid that does not hold the waves.
        Band.below(self.system.grid, self.edge)

    @property
    def _taught(self) -> Grid:
        return self.taught or self.system.grid

    @property
    def edge(self) -> float:
        """The edge of the band in 1/bohr; all wavenumbers lie below it."""
        return np.pi * self.form.n_coarse / self._taught.lengths[0]

    @property
    def band(self) -> Band:
        """The band of waves."""
        return Band.below(self.system.grid, self.edge)

    def require_frames(self, frames: Complex[Array, "n_t *n_x"]) -> None:
        """Refuse concrete frames with more than 1% of the probability beyond the band."""
        for psi in frames:
            require_within(self.band, psi)


@explained
@dataclasses.dataclass(frozen=True)
class EffectiveHamiltonian(BandStudent):
    """A student that diagonalises a learned effective Hamiltonian.

    Its state is the vector of amplitudes of eigenstates, and a frame multiplies each by a phase.
    The following hold by construction: it is linear, unitary on the band, symmetric under mirrors
    and time reversal; a constant in V gives a phase; and two frames equal one of twice the length.

    Raises:
      ValueError: For systems that `BandStudent` refuses; in several dimensions, for more than 2
        fields.
    """

    form: PropagatorConfig

    def __post_init__(self) -> None:  # noqa: D105
        super().__post_init__()
        if self.system.grid.n_dim > 1 and self.form.n_fields > 2:
            refuse("n_fields", "at most 2 in several dimensions", self.form.n_fields)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return zeros, which give the projected Hamiltonian."""
        del key
        return {"weights": jnp.zeros((self.form.n_fields, self.form.n_terms), float)}

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return the step: a diagonalisation per potential, a phase per eigenstate and frame."""
        h = self.hamiltonian(params, self.system.local(v, 0.0, None))
        return in_eigenbasis(self.band, h, self.system.dt)

    def hamiltonian(self, params: PyTree, v: Float[Array, "*n_x"]) -> Float[Array, "n_wave n_wave"]:
        """Return the learned effective Hamiltonian between the waves, a real matrix in hartree."""
        require_real(v=v)
        require_shape(self.system.grid.shape, v=v)
        v = jnp.asarray(v, jnp.result_type(v.dtype, params["weights"].dtype))
        fields = self.fields(params, v)
        if not len(fields):
            return project(self.band, v)
        h = project(self.band, v + jnp.trace(fields[0]))
        for power, field in enumerate(fields[1:], start=1):
            h = h + self.between_waves(field, power)
        return h

    def fields(
        self, params: PyTree, v: Float[Array, "*n_x"]
    ) -> Float[Array, "n_field n_dim n_dim *n_x"]:
        """Return the tensors that make the learned a_j(x), in hartree."""
        return jnp.tensordot(params["weights"], self.terms(v), 1)

    def terms(self, v: Float[Array, "*n_x"]) -> Float[Array, "n_term n_dim n_dim *n_x"]:
        """Return symmetric tensors: products of two gradients, then two Hessians, of V / 4 hartree.

        With V smoothed over a width s, the gradient is s grad V, the Hessian s^2 grad grad V.
        """
        grid = self.system.grid
        k = np.stack(np.broadcast_arrays(*(grid.wavenumbers(a) for a in range(grid.n_dim))))
        # Axes: widths, one or two of derivatives, and space.
        k = np.reshape(self.form.widths, (-1, *[1] * k.ndim)) * k[None]
        smooth = np.exp(-np.sum(k**2, axis=1, keepdims=True) / 2)
        waves = jnp.fft.fftn(v / V_SCALE)

        def on_points(filters: np.ndarray) -> Array:
            space = tuple(range(-grid.n_dim, 0))
            over_space = jnp.expand_dims(waves, tuple(range(filters.ndim - grid.n_dim)))
            return jnp.fft.ifftn(jnp.asarray(filters, waves.dtype) * over_space, axes=space).real

        slopes = on_points(1j * k * smooth)
        bends = on_points(-k[:, :, None] * k[:, None] * smooth[:, None])
        pairs = itertools.combinations_with_replacement(range(len(self.form.widths)), 2)
        first, second = map(np.array, zip(*pairs, strict=True))
        of_slopes = slopes[first][:, :, None] * slopes[second][:, None]
        of_bends = jnp.sum(bends[first][:, :, :, None] * bends[second][:, None], axis=2)
        squares = jnp.concatenate([of_slopes, of_bends])
        return (squares + squares.swapaxes(1, 2)) / 2

    def between_waves(
        self, tensor: Float[Array, "n_dim n_dim *n_x"], power: int
    ) -> Float[Array, "n_wave n_wave"]:
        """Return the matrix of a tensor's trace (power 0), or of (D^power)^T tensor D^power."""
        band = self.band
        if power == 0:
            return elements(jnp.trace(tensor), band, band)
        h = jnp.zeros((band.n_wave, band.n_wave), tensor.dtype)
        along = functools.partial(differentiate, band, unit=self.edge)
        for i, j in itertools.combinations_with_replacement(range(len(tensor)), 2):
            part = elements(tensor[i, j], band, band)
            for _ in range(power):
                part = along(along(part, axis=0, direction=i), axis=1, direction=j)
            h = h + part if i == j else h + part + part.T
        return h


@explained
def in_eigenbasis(band: Band, h: Float[Array, "n_wave n_wave"], dt: float) -> Step:
    """Return the step of a Hamiltonian between waves; its state is the amplitudes of eigenstates.

    First derivatives are correct, also for degenerate energies.
    """
    spectrum = diagonalise(h)

    def encode(frames: Complex[Array, "n_t *n_x"], n: Array | int) -> Complex[Array, " n_wave"]:
        del n
        return times(spectrum.states.T, to_waves(band, frames[-1]))

    def decode(amplitudes: Complex[Array, " n_wave"]) -> Complex[Array, "*n_x"]:
        return from_waves(band, times(spectrum.states, amplitudes))

    return Step(encode, turn(spectrum, dt), decode)


@explained
def require_static(system: System) -> None:
    """Refuse a system whose Hamiltonian is not one real matrix between waves.

    Raises:
      ValueError: For a system with channels or its own kinetic energy, or that is not linear,
        autonomous and Hermitian.
    """
    is_plain = system.is_linear and system.is_autonomous and system.is_hermitian
    if not is_plain or system.n_channel or not system.has_plain_kinetic:
        wanted = "linear, autonomous, Hermitian, without channels, with its grid's kinetic energy"
        refuse("system", wanted, type(system).__name__)
