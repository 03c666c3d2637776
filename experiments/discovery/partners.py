"""Random pairs of supersymmetric potentials on a line, and packets that meet them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill.physics import packets
from qdistill.physics.grid import Grid

# W is looked for within this distance of the middle, on knots this far apart, in bohr.
REACH, GAP = 13.0, 0.5
# The true partner, scaled by this, is the closest decoy.
SCALE = 1.1


class Pair(NamedTuple):
    """A superpotential and its two potentials, (W^2 -+ dW/dx) / 2 without their common limit."""

    w: Float[np.ndarray, " n_x"]
    first: Float[np.ndarray, " n_x"]
    second: Float[np.ndarray, " n_x"]


def knots(grid: Grid) -> Float[np.ndarray, " n_knot"]:
    """Return the knots of W."""
    return grid.middle[0] + np.arange(-REACH, REACH + GAP / 2, GAP)


def draw_pair(grid: Grid, draw: int) -> Pair:
    """Return a random pair, the same for a number of the draw on every grid.

    W rises or falls between +-a, and has three bumps in between. All pairs have the same a, and so
    the same limits of their potentials.
    """
    rng = np.random.default_rng(1000 + draw)
    x = np.asarray(grid.positions(), float).astype(np.float64) - grid.middle[0]
    a, sign, kappa = 1.2, rng.choice((-1.0, 1.0)), rng.uniform(0.5, 1.0)
    place = rng.uniform(-1.5, 1.5)
    w = sign * a * np.tanh(kappa * (x - place))
    slope = sign * a * kappa / np.cosh(np.clip(kappa * (x - place), -50, 50)) ** 2
    for _ in range(3):
        height, width, c = rng.uniform(-0.5, 0.5), rng.uniform(0.8, 1.6), rng.uniform(-3, 3)
        bump = height * np.exp(-(((x - c) / width) ** 2))
        w, slope = w + bump, slope - 2 * (x - c) / width**2 * bump
    middle = (w**2 - a**2) / 2
    return Pair(w, middle - slope / 2, middle + slope / 2)


def draw_packets(grid: Grid, n_packet: int, seed: int) -> Complex[Array, "n_packet n_x"]:
    """Return packets that meet the middle."""
    rng = np.random.default_rng(seed)
    ranges = ((-4.0, 4.0), (1.0, 1.6), (-2.0, 2.0))
    drawn = (jnp.asarray(rng.uniform(*r, n_packet), float) for r in ranges)
    make = jax.vmap(lambda x, w, k: packets.gaussian(grid, grid.middle[0] + x, w, k))
    return make(*drawn)
