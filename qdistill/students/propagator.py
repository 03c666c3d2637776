"""A student with few points and long frames: a learned effective Hamiltonian of long waves."""

import dataclasses
import itertools

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill import projection
from qdistill.arguments import refuse, require_at_least, require_between, require_shape
from qdistill.grid import Grid
from qdistill.solver import Propagator, Step
from qdistill.students.phases import V_SCALE
from qdistill.students.student import Student, require_line


@dataclasses.dataclass(frozen=True)
class PropagatorConfig:
    """H = kinetic energy + landscape between the waves of a band, + sum_j (D^j)^T a_j(x) D^j.

    D is the derivative in units of the band's edge, so that a_0 is a potential, and a_1 changes the
    mass. They stand for the waves beyond the band, which to lowest order act twice, by leaving it
    and by coming back: so the a_j are quadratic in the landscape, with learned coefficients.

    Attributes:
      n_coarse: Points of the coarse grid in the box; its band are the waves that the student has.
      n_fields: How many a_j. With 0 nothing is learned: the projected Hamiltonian.
      widths: In bohr, of the Gaussians over which slope and curvature of the landscape are taken.
    """

    n_coarse: int = 224
    n_fields: int = 2
    widths: tuple[float, ...] = (0.1, 0.25, 0.6)

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(4, n_coarse=self.n_coarse)
        require_at_least(0, n_fields=self.n_fields)
        if not self.widths or min(self.widths) <= 0:
            refuse("widths", "positive numbers", self.widths)

    @property
    def n_terms(self) -> int:
        """Products of two slopes or of two curvatures, of which each a_j is a sum."""
        return len(self.widths) * (len(self.widths) + 1)


def make(config: PropagatorConfig, grid: Grid, dt: float) -> Student:
    """The student of a learned effective Hamiltonian.

    Its step takes psi on the fine grid, and gives it there; what lies beyond the band is dropped by
    the first step. It is linear, unitary on the band, has a constant in v as a phase, the mirror
    symmetry and time reversal, and two frames are one of twice the length. It runs on a periodic
    line of any number of points with the spacing of the grid.

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

    def init(key: Key[Array, ""]) -> PyTree:
        del key  # It starts from what is known: the projected Hamiltonian.
        return {"weights": jnp.zeros((config.n_fields, config.n_terms), float)}

    def propagator(params: PyTree) -> Propagator:
        def make_step(v: Float[Array, " n_x"]) -> Step:
            line, n_wave = band(config, grid, v)
            frame = projection.frame(hamiltonian(config, grid, params, v), dt)

            def step(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
                require_shape(v.shape, psi=psi)
                return projection.from_waves(line, frame @ projection.to_waves(line, n_wave, psi))

            return step

        return make_step

    return Student(1, init, propagator, is_linear=True)


def hamiltonian(
    config: PropagatorConfig, grid: Grid, params: PyTree, v: Float[Array, " n_x"]
) -> Float[Array, "n_band n_band"]:
    """The learned effective Hamiltonian between the waves of the band; real and symmetric."""
    line, n_wave = band(config, grid, v)
    h = projection.project(line, n_wave, v)
    for power, field in enumerate(fields(config, grid, params, v)):
        h = h + between_derivatives(config, grid, field, power)
    return h


def fields(
    config: PropagatorConfig, grid: Grid, params: PyTree, v: Float[Array, " n_x"]
) -> Float[Array, "n_field n_x"]:
    """The learned a_j(x), in hartree."""
    return jnp.asarray(params["weights"], v.dtype) @ terms(config, grid, v)


def terms(
    config: PropagatorConfig, grid: Grid, v: Float[Array, " n_x"]
) -> Float[Array, "n_term n_x"]:
    """Products of two slopes, then of two curvatures, of the landscape in units of 4 hartree.

    A slope is s dv/dx, a curvature s^2 d^2v/dx^2, of the landscape smoothed over a width s.
    """
    line, _ = band(config, grid, v)
    scaled = np.array(config.widths)[:, None] * line.wavenumbers()
    smooth = np.exp(-(scaled**2) / 2)
    waves = jnp.fft.fft(v / V_SCALE)
    kinds = (
        jnp.fft.ifft(jnp.asarray(filters, waves.dtype) * waves[None]).real
        for filters in (1j * scaled * smooth, -(scaled**2) * smooth)
    )
    pairs = itertools.combinations_with_replacement(range(len(config.widths)), 2)
    first, second = map(np.array, zip(*pairs, strict=True))
    return jnp.concatenate([kind[first] * kind[second] for kind in kinds])


def between_derivatives(
    config: PropagatorConfig, grid: Grid, field: Float[Array, " n_x"], power: int
) -> Float[Array, "n_band n_band"]:
    """(D^power)^T field(x) D^power between the waves of the band."""
    line, n_wave = band(config, grid, field)
    h = projection.elements(field, n_wave, n_wave)
    if power % 2:
        # The derivative of a cosine is minus a sine, that of a sine a cosine.
        h = _swap(_swap(h).T).T
    edge = config.n_coarse * line.lengths[0] / grid.lengths[0] / 2
    n = np.arange(n_wave + 1) / edge
    scale = jnp.asarray(np.concatenate([n, n[1:]]) ** power, field.dtype)
    return scale[:, None] * h * scale[None]


def band(config: PropagatorConfig, grid: Grid, v: Float[Array, " n_x"]) -> tuple[Grid, int]:
    """The line on which a landscape lives, and the highest wave of the band there."""
    require_line(v)
    line = Grid(len(v), len(v) * grid.dx[0], grid.dispersion)
    # The edge itself is not in the band.
    return line, (config.n_coarse * len(v) - 1) // (2 * grid.shape[0])


def _swap(h: Float[Array, "n_band n_band"]) -> Float[Array, "n_band n_band"]:
    """Rows of cosines become those of minus sines, and rows of sines those of cosines."""
    n_wave = len(h) // 2
    return jnp.concatenate([jnp.zeros_like(h[:1]), -h[n_wave + 1 :], h[1 : n_wave + 1]])
