"""The families of the held-out test: double slits, and many discs."""

import jax
from jaxtyping import Array, Key

from experiments.scenes import sample_discs, sample_double_slit
from qdistill._checks import require_between
from qdistill.curriculum.lessons import Sample, require_plane
from qdistill.physics import packets
from qdistill.physics.grid import Grid


def double_slit(key: Key[Array, ""], grid: Grid) -> Sample:
    """Sample a packet at x = 12 bohr and a double slit at 20, in a box of at least 40 bohr."""
    require_plane(grid)
    require_between(40, float("inf"), lengths=grid.lengths)
    return sample_double_slit(key, grid, start=12.0, wall=20.0)


def forest(key: Key[Array, ""], grid: Grid, n_discs: int = 12) -> Sample:
    """Sample a packet that flies into an array of random discs, in a box of at least 40 bohr."""
    require_plane(grid)
    require_between(40, float("inf"), lengths=grid.lengths)
    key_places, key_sizes, key_speed = jax.random.split(key, 3)
    middle = grid.middle[1]
    low, high = (16.0, middle - 10.0), (36.0, middle + 10.0)
    v = sample_discs(key_places, key_sizes, grid, n_discs, low, high)
    speed = jax.random.uniform(key_speed, (), float, 2.0, 4.0)
    return packets.gaussian(grid, (11.0, middle), (2.5, 2.5), (speed, 0.0)), v


FAMILIES = {"double slits": double_slit, "forests": forest}
