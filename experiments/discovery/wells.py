"""Systems with known charges, by the number of axes and channels, and packets in them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.discovery import planes
from qdistill._checks import refuse
from qdistill.physics import crossings, packets
from qdistill.physics.grid import Grid
from qdistill.system import System

# Potentials are cut off here, in hartree, far above the packets.
CEILING = 14.0


class Known(NamedTuple):
    """A potential, and what the exact solver conserves in it.

    Attributes:
      v: The potential.
      n_static: Number of static charges in the dictionary, besides the identity.
      closure: Dimension of the largest closed set, with the identity.
      place, speed: Ranges of the packets' centres, relative to the middle of the box, and momenta.
      width: Range of their widths.
      degree: Degree in x and p of the dictionary, which has T and V as well.
      potential: In a plane, V as a polynomial.
    """

    v: Float[Array, "..."]
    n_static: int
    closure: int
    place: tuple[float, float] = (-4.0, 4.0)
    speed: tuple[float, float] = (-2.0, 2.0)
    width: tuple[float, float] = (1.0, 2.0)
    degree: int = 2
    potential: planes.Potential2 | None = None

    @property
    def is_anharmonic(self) -> bool:
        """Whether only the energy is closed, so that the form of a splitting does not decide."""
        return self.closure == 2


def known(system: System, draw: int = 0) -> dict[str, Known]:
    """Return the systems for a box, by name.

    Args:
      system: Its grid and channels: a line, a plane, or two channels on a line.
      draw: Number of the draw; from 1 on potentials are scaled by up to 20%.

    Raises:
      ValueError: For other numbers of axes and channels.
    """
    grid, kind = system.grid, (system.grid.n_dim, system.n_channel)
    scale = 1.0 if draw == 0 else np.random.default_rng(draw).uniform(0.8, 1.2)
    if kind == (1, 0):
        return _line(grid, scale)
    if kind == (1, 2):
        v = system.as_potential(lambda x: scale * crossings.dual(x))
        return {"Tully 2": Known(v, 1, 2, (-7.0, 3.0), (12.0, 26.0), (0.8, 1.2))}
    if kind == (2, 0):
        return {name: _plane(grid, each, scale) for name, each in planes.SYSTEMS.items()}
    refuse("system", "a line, a plane, or two channels on a line", system)


def _plane(grid: Grid, of: planes.Plane, scale: float) -> Known:
    v = planes.on_grid(grid, of.potential, scale, CEILING)
    n_static, closure = planes.count(planes.hamiltonian(of.potential), of.degree)
    potential = {powers: scale * value for powers, value in of.potential.items()}
    return Known(v, n_static, closure, of.place, of.speed, of.width, of.degree, potential)


def _line(grid: Grid, scale: float) -> dict[str, Known]:
    """The systems on a line.

    On the lattice p is sin(k dx) / dx, and T a function of its own. Packets with k dx = 0.2 feel
    the difference to p^2 / 2 by about 1%.
    """
    x = np.asarray(grid.positions()).astype(np.float64) - grid.middle[0]

    def made(v: np.ndarray) -> Float[Array, " n_x"]:
        return jnp.asarray(np.minimum(scale * v, CEILING), float)

    quartic, double = 0.5 * (x / 4) ** 4, 0.4 * ((x / 4) ** 2 - 2) ** 2
    return {
        "free": Known(made(0 * x), 2, 6),
        "uniform field": Known(made(0.15 * x * np.exp(-((x / 30) ** 8))), 1, 6),
        "harmonic": Known(made(0.5 * 0.35**2 * x**2), 1, 6),
        "quartic": Known(made(quartic), 1, 2),
        "double well": Known(made(double), 1, 2),
        "Poeschl-Teller": Known(made(-3 / np.cosh(x / 1.5) ** 2), 1, 2),
        "barrier": Known(made(5.0 * (np.abs(x) < 3)), 1, 2, (-14.0, -8.0), (1.5, 4.0)),
    }


def draw(system: System, of: Known, n_packet: int, seed: int) -> Complex[Array, "n_packet *n_x"]:
    """Return packets of a system; with channels, each over all of them with random amplitudes."""
    rng, grid = np.random.default_rng(seed), system.grid
    place, width, speed = (
        jnp.asarray(rng.uniform(*r, (n_packet, grid.n_dim)), float)
        for r in (of.place, of.width, of.speed)
    )

    def make(place: Array, width: Array, speed: Array) -> Array:
        centre = jnp.asarray(grid.middle, float) + place
        return packets.gaussian(grid, tuple(centre), tuple(width), tuple(speed))

    psi = jax.vmap(make)(place, width, speed)
    if not system.n_channel:
        return psi
    parts = rng.normal(size=(2, n_packet, system.n_channel))
    amplitudes = parts[0] + 1j * parts[1]
    amplitudes /= np.linalg.norm(amplitudes, axis=1, keepdims=True)
    return jnp.einsum("nc,n...->nc...", jnp.asarray(amplitudes, psi.dtype), psi)
