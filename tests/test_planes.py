"""Scatterers, and the lessons of two dimensions: from walls to batches."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.curriculum import lessons, planes
from qdistill.physics import scatterers
from qdistill.physics.grid import Grid, norm
from qdistill.teacher import solvers as solver
from qdistill.training import batches
from qdistill.training.batches import BatchConfig

GRID = Grid((64, 64), (16.0, 16.0), "continuum")
X, Y = planes.axes(GRID)
MIDDLE = (8.1, 8.1)


def test_a_turned_wall_is_the_transposed_one() -> None:
    across = scatterers.wall(X, Y, 3.0, 2.0, MIDDLE)
    along = scatterers.wall(X, Y, 3.0, 2.0, MIDDLE, np.pi / 2)
    np.testing.assert_array_equal(along, across.T)
    assert set(np.unique(across)) == {0.0, 3.0}
    assert not np.array_equal(along, across)


def test_a_slit_leaves_its_opening_free() -> None:
    wall = scatterers.wall(X, Y, 3.0, 2.0, MIDDLE)
    slit = scatterers.slit(X, Y, 3.0, 2.0, 1.5, MIDDLE)
    is_open = np.abs(np.asarray(Y) - 8.1) < 0.75
    np.testing.assert_array_equal(slit, np.where(is_open, 0, wall))


@pytest.mark.parametrize(
    ("v", "area"),
    [
        (scatterers.disc(X, Y, 1.0, 3.0, MIDDLE), 9 * np.pi),
        (scatterers.rectangle(X, Y, 1.0, (5.0, 3.0), MIDDLE, 0.4), 15.0),
    ],
    ids=["disc", "rectangle"],
)
def test_areas_are_right(v, area) -> None:
    """To the points along the rim, of which as many lie inside as outside, give or take."""
    rim = np.sqrt(4 * np.pi * area)
    assert abs(float(v.sum()) * GRID.cell - area) < 0.5 * GRID.dx[0] * np.sqrt(rim)


@pytest.mark.parametrize("name", planes.LESSONS)
def test_lessons_give_packets_and_landscapes_within_range(name) -> None:
    lesson = jax.jit(jax.vmap(lambda key: planes.LESSONS[name](key, GRID, 1.0)))
    psi, v = lesson(jax.random.split(jax.random.key(0), 16))
    np.testing.assert_allclose(jax.vmap(lambda psi: norm(GRID, psi))(psi), 1, rtol=1e-5)
    assert v.min() >= (-10 if name == "plane-shape" else 0)
    assert v.max() <= 16
    for each in v:
        assert len(np.unique(each)) == (1 if name == "plane-free" else 2)
    assert (len(np.unique(v)) > 10) == (name != "plane-free")


def test_blocks_hold_runs_of_the_teacher_in_the_plane() -> None:
    config = BatchConfig(n_batch=3, n_block=2, n_runs=2, n_frames=4, n_target=2, examples="frames")
    teacher = solver.chebyshev(GRID, 0.1, 1e-5, (-16.0, 16.0))
    maker = batches.make_block(GRID, teacher, ("plane-slit",), config, n_history=1)
    block = jax.jit(maker)(jax.random.key(1), jnp.ones(1), 1.0)
    batch = batches.cut_batch(block, 1, 3)
    assert batch.psi.shape == (3, 3, 64, 64)
    assert batch.v.shape == (3, 64, 64)
    step = jax.jit(lambda v, psi: teacher(v)(psi))
    for psi, v in zip(batch.psi, batch.v, strict=True):
        np.testing.assert_allclose(step(v, psi[1]), psi[2], atol=1e-6)


def test_lines_and_planes_do_not_mix() -> None:
    weights = jnp.ones(1)
    with pytest.raises(ValueError, match="`grid` must be two-dimensional"):
        lessons.sample(jax.random.key(0), Grid(), ("plane-wall",), weights, 1.0)
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        lessons.sample(jax.random.key(0), GRID, ("barrier",), weights, 1.0)
