"""A double slit: arrivals on a screen, and the theoretical fringes."""

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_at_least, require_between, require_positive, require_settings
from qdistill.curriculum.lessons import Sample, require_plane
from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid


@dataclasses.dataclass(frozen=True)
class FringesConfig:
    """Settings of a packet, a wall with two slits and a screen behind it.

    Attributes:
      shape: Points of the box; the packet flies along the first axis.
      start: Initial position of the packet along the first axis, in bohr; it starts in the middle
        of the second axis.
      width: Position spread of the packet along both axes, in bohr.
      momentum: Mean momentum of the packet, in 1/bohr.
      wall: Position of the middle of the wall, in bohr.
      height: Height of the wall, in hartree.
      thickness: Thickness of the wall, in bohr.
      separation: Distance between the centres of the slits, in bohr.
      slit: Width of a slit, in bohr.
      screen: Position of the screen, in bohr.
      n_frames: Number of frames during which arrivals are counted.
      look: Index of the frame that is drawn.
    """

    shape: tuple[int, int] = (256, 192)
    start: float = 16.0
    width: tuple[float, float] = (2.5, 4.0)
    momentum: float = 3.5
    wall: float = 28.0
    height: float = 15.0
    thickness: float = 1.25
    separation: float = 6.0
    slit: float = 1.25
    screen: float = 50.0
    n_frames: int = 115
    look: int = 88

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(1, n_frames=self.n_frames, look=self.look)
        require_between(1, self.n_frames, look=self.look)
        require_positive(momentum=self.momentum, **{"screen - wall": self.screen - self.wall})

    @property
    def wavelength(self) -> float:
        """The de Broglie wavelength of the packet at its mean momentum, in bohr."""
        return 2 * math.pi / self.momentum


def make(config: FringesConfig, grid: Grid) -> Sample:
    """Return the packet and the potential.

    Raises:
      ValueError: If the screen, or the packet, is not in the box.
    """
    require_plane(grid)
    require_between(0, grid.lengths[0], screen=config.screen)
    x, y = grid.positions(0), grid.positions(1)
    middle = grid.middle[1]
    psi = packets.gaussian(grid, (config.start, middle), config.width, (config.momentum, 0.0))
    v = potentials.double_slit(
        x, y, config.height, config.thickness, config.separation, config.slit,
        (config.wall, middle),
    )  # fmt: skip
    return psi, v


def arrivals(
    grid: Grid, dt: float, frames: Complex[Array, "n_t n_x n_y"], screen: float
) -> Float[Array, " n_y"]:
    """Return the probability per bohr that has passed each point of a screen, in 1/bohr.

    It is the integral over time of the current along x, at the points nearest the screen.

    Args:
      grid: A two-dimensional grid.
      dt: Time between two frames, in atomic units.
      frames: Frames from the beginning.
      screen: Position of the screen along x, in bohr.
    """
    require_positive(dt=dt)
    require_between(grid.dx[0], grid.lengths[0], screen=screen)
    i = round(screen / grid.dx[0]) - 1
    through = jax.lax.map(lambda psi: observables.current(grid, psi)[i], frames)
    return dt * jnp.sum(through, axis=0)


def orders(config: FringesConfig) -> Float[np.ndarray, " n_order"]:
    """Return the theoretical positions of bright fringes on the screen, in bohr from the middle.

    They lie at L tan(theta) with separation sin(theta) = n wavelength, for the distance L of the
    screen: near the middle a wavelength L / separation apart.

    >>> orders(FringesConfig()).round(1)
    array([-44.8, -16.4,  -6.9,   0. ,   6.9,  16.4,  44.8])
    """
    highest = math.ceil(config.separation / config.wavelength) - 1
    sines = np.arange(-highest, highest + 1) * config.wavelength / config.separation
    return (config.screen - config.wall) * sines / np.sqrt(1 - sines**2)
