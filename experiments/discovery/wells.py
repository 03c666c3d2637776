"""Systems on a line with known charges, and packets in them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill.physics import packets
from qdistill.physics.grid import Grid

# Potentials are cut off here, in hartree, far above the packets.
CEILING = 14.0
# Systems in which the form of a splitting does not decide what is conserved.
ANHARMONIC = ("quartic", "double well", "Poeschl-Teller", "barrier")


class Known(NamedTuple):
    """A potential, and what the exact solver conserves in it.

    Attributes:
      v: The potential.
      n_static: Number of static charges of degree 2 in x and p, T and V, besides the identity.
      closure: Dimension of the largest closed set, with the identity.
      place, speed: Ranges of the packets' centres, relative to the middle of the box, and momenta.
    """

    v: Float[Array, " n_x"]
    n_static: int
    closure: int
    place: tuple[float, float] = (-4.0, 4.0)
    speed: tuple[float, float] = (-2.0, 2.0)


def known(grid: Grid, draw: int = 0) -> dict[str, Known]:
    """Return the systems, by name.

    On the lattice p is sin(k dx) / dx, and T a function of its own. Packets with k dx = 0.2 feel
    the difference to p^2 / 2 by about 1%.

    Args:
      grid: The grid.
      draw: Number of the draw; from 1 on potentials are scaled by up to 20%.
    """
    x = np.asarray(grid.positions()).astype(np.float64) - grid.middle[0]
    scale = 1.0 if draw == 0 else np.random.default_rng(draw).uniform(0.8, 1.2)

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


def draw(grid: Grid, system: Known, n_packet: int, seed: int) -> Complex[Array, "n_packet n_x"]:
    """Return packets, 1 to 2 bohr wide."""
    rng = np.random.default_rng(seed)
    ranges = (system.place, (1.0, 2.0), system.speed)
    place, width, speed = (jnp.asarray(rng.uniform(*r, n_packet), float) for r in ranges)
    return jax.vmap(lambda x, w, k: packets.gaussian(grid, grid.middle[0] + x, w, k))(
        place, width, speed
    )
