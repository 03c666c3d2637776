"""A learned effective Hamiltonian between the long waves of a line."""

import dataclasses
import functools
import itertools
from collections.abc import Callable
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, PyTree

from qdistill._checks import refuse, require_at_least
from qdistill.physics import band as projection
from qdistill.physics.grid import Grid
from qdistill.students.base import require_line
from qdistill.students.phases import V_SCALE


@dataclasses.dataclass(frozen=True)
class PropagatorConfig:
    """H = kinetic energy + landscape between the waves of a band, + sum_j (D^j)^T a_j(x) D^j.

    D is the derivative in units of the band's edge, so that a_0 is a potential, and a_1 changes the
    mass. They stand for the waves beyond the band, which to lowest order act twice, by leaving it
    and by coming back: so the a_j are quadratic in the landscape, with learned coefficients.

    Attributes:
      n_coarse: Points of the coarse grid along an axis of the box; its band are the waves that the
        student has, in two dimensions those of the disc that fits into it.
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


class Waves(NamedTuple):
    """The waves of a band on one landscape: into them, out of them, and the Hamiltonian there."""

    coefficients: Callable[[Array], Array]
    psi: Callable[[Array], Array]
    hamiltonian: Float[Array, "n_band n_band"]


def waves(config: PropagatorConfig, grid: Grid, params: PyTree, v: Float[Array, " n_x"]) -> Waves:
    """What a step is made of."""
    line, n_wave = band(config.n_coarse, grid, v)
    return Waves(
        functools.partial(projection.to_waves, line, n_wave),
        functools.partial(projection.from_waves, line),
        hamiltonian(config, grid, params, v),
    )


def hamiltonian(
    config: PropagatorConfig, grid: Grid, params: PyTree, v: Float[Array, " n_x"]
) -> Float[Array, "n_band n_band"]:
    """The learned effective Hamiltonian between the waves of the band; real and symmetric."""
    line, n_wave = band(config.n_coarse, grid, v)
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
    line, _ = band(config.n_coarse, grid, v)
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
    line, n_wave = band(config.n_coarse, grid, field)
    h = projection.elements(field, n_wave, n_wave)
    edge = config.n_coarse * line.lengths[0] / grid.lengths[0] / 2
    for axis in (0, 1) * power:
        h = projection.differentiate(h, axis, edge)
    return h


def band(n_coarse: int, grid: Grid, v: Float[Array, " n_x"]) -> tuple[Grid, int]:
    """The line on which a landscape lives, and the highest wave of the band there."""
    require_line(v)
    line = Grid(len(v), len(v) * grid.dx[0], grid.dispersion)
    # The edge itself is not in the band.
    return line, (n_coarse * len(v) - 1) // (2 * grid.shape[0])
