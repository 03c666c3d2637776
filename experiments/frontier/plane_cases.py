"""Work and precision in two dimensions: double slits and scatterers in boxes that packets fill.

The boxes are periodic and small, so that after a few atomic units a packet has met its landscape
several times over.
"""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key
from qdistill._rollout import rollout
from qdistill.forecast.benchmark import Runs

from experiments.frontier import cases as frontier
from experiments.frontier import plane_contenders
from experiments.frontier.cases import FrontierConfig
from experiments.frontier.contenders import UNIT, Contender
from qdistill._checks import require_between
from qdistill.curriculum.lessons import Sample, require_plane
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.teacher import solvers as solver

# Square bohr for each scatterer.
ROOM = 32.0
# Of the truth, per atomic unit.
TOLERANCE = 1e-6


def sample_double_slit(key: Key[Array, ""], grid: Grid) -> Sample:
    """A packet that flies onto a wall with two slits, at an angle of up to 0.2 radians.

    Args:
      key: Random key.
      grid: Two-dimensional, at least 12 bohr along both axes.
    """
    _require_room(grid)
    keys = jax.random.split(key, 8)
    low = jnp.array([8.0, 0.75, 3.0, 1.0, -1.0, 2.2, -0.2, 1.5])
    high = jnp.array([15.0, 2.0, 6.0, 2.0, 1.0, 4.0, 0.2, 2.0])
    height, thickness, separation, slit, aside, speed, angle, width = (
        jax.random.uniform(k, (), float, a, b) for k, a, b in zip(keys, low, high, strict=True)
    )
    right, middle = (0.25 * grid.lengths[0], grid.lengths[1] / 2)
    momentum = (speed * jnp.cos(angle), speed * jnp.sin(angle))
    psi = packets.gaussian(grid, (right, middle + aside), (width, width), momentum)
    x, y = grid.positions(0), grid.positions(1)
    centre = (0.6 * grid.lengths[0], middle)
    return psi, potentials.double_slit(x, y, height, thickness, separation, slit, centre)


def sample_scatterers(key: Key[Array, ""], grid: Grid) -> Sample:
    """A packet among discs of any place, size and height, which add up where they overlap.

    Args:
      key: Random key.
      grid: Two-dimensional, at least 12 bohr along both axes.
    """
    _require_room(grid)
    n_discs = round(grid.lengths[0] * grid.lengths[1] / ROOM)
    key_place, key_size, key_speed, key_angle = jax.random.split(key, 4)
    places = jax.random.uniform(key_place, (n_discs, 2)) * jnp.array([grid.lengths])
    low, high = jnp.array([[0.5, -6.0]]), jnp.array([[2.0, 9.0]])
    sizes = low + (high - low) * jax.random.uniform(key_size, (n_discs, 2))
    x, y = grid.positions(0), grid.positions(1)
    v = jnp.zeros(grid.shape)
    for (right, up), (radius, height) in zip(places, sizes, strict=True):
        v = v + potentials.disc(x, y, height, radius, (right, up))
    speed = jax.random.uniform(key_speed, (), float, 2.0, 4.0)
    angle = jax.random.uniform(key_angle, (), float, 0.0, 2 * jnp.pi)
    momentum = (speed * jnp.cos(angle), speed * jnp.sin(angle))
    middle = (grid.lengths[0] / 2, grid.lengths[1] / 2)
    # Overlapping discs must not leave the range of the lessons.
    return packets.gaussian(grid, middle, (2.0, 2.0), momentum), jnp.clip(v, -10.0, 15.0)


FAMILIES: dict[str, Callable[[Key[Array, ""], Grid], Sample]] = {
    "double slits": sample_double_slit,
    "scatterers": sample_scatterers,
}


def make_truth(grid: Grid, config: FrontierConfig) -> Runs:
    """Packets on fresh landscapes of both families by turns, and psi after each a.u.

    Args:
      grid: Two-dimensional.
      config: How many.
    """
    samples = list(FAMILIES.values())
    keys = jax.random.split(jax.random.key(config.seed), config.n_landscapes)
    drawn = [samples[i % len(samples)](key, grid) for i, key in enumerate(keys)]
    psi0, v = (jnp.stack(each) for each in zip(*drawn, strict=True))
    exact = solver.chebyshev(grid, UNIT, TOLERANCE, (-10.0, 15.0))
    one_by_one = jax.jit(
        lambda *cases: jax.lax.map(
            lambda case: rollout(exact(case[1]), case[0], config.n_units), cases
        )
    )
    return Runs(psi0[:, None], v, one_by_one(psi0, v))


def line_up(
    grid: Grid,
    truth: Runs,
    pairs: Sequence[int],
    coarse: Sequence[int],
    discs: Sequence[int],
) -> tuple[dict[str, Contender], dict[str, float]]:
    """What works without learning, and the caps of the clamped split steps in hartree.

    Args:
      grid: Two-dimensional.
      truth: The runs on which caps are chosen.
      pairs: FFT pairs an a.u.
      coarse: Points along an axis of the split steps on fewer points.
      discs: Highest waves of the Hamiltonians that are cut off, or folded.
    """
    few = [(n_coarse, n) for n_coarse in coarse for n in pairs]
    splits, caps = frontier.clamped(grid, truth, pairs, few)
    return {
        **splits,
        **plane_contenders.cut_off(grid, discs),
        **plane_contenders.folded(grid, discs),
    }, caps


def _require_room(grid: Grid) -> None:
    require_plane(grid)
    require_between(12, float("inf"), lengths=grid.lengths)
