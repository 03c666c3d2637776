"""Families of potentials: random parameters within their ranges, in boxes of any length."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import families
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import Grid

sample = jax.jit(families.sample, static_argnames=("grid", "family"))
GRID = Grid(1024, 100.0)
BOXES = [GRID, Grid(512, 40.0), Grid(512, 40.0, origin=-20.0), Grid(300, 7.0, origin=3.0)]


@pytest.mark.parametrize("grid", BOXES, ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_samples_are_different_potentials_within_their_ranges(family, grid) -> None:
    keys = jax.random.split(jax.random.key(0), 64)
    v = np.asarray(jax.vmap(lambda key: sample(key, grid, family))(keys))
    ranges = FAMILIES[family].ranges
    low, high = next(ranges[name] for name in ("height", "heights", "depth") if name in ranges)
    extreme = abs(v).max(axis=1)
    assert np.unique(v, axis=0).shape == v.shape
    assert (extreme <= np.max(high)).all()
    if family != "random":  # Its sigmoid may stay far below the height.
        assert (extreme > 0.9 * np.max(low)).all()
    assert extreme.max() > 0.7 * np.max(high)
    # The widest potential there is, at the ends of the centres' range.
    bound = {"double": 0.13, "triple": 0.15}.get(family, np.max(ranges["width"]) / 2)
    is_outside = abs(grid.positions() - grid.middle[0]) > (0.05 + bound) * grid.lengths[0] + 1e-5
    assert np.all(v[:, is_outside] == 0)
    assert np.all(v <= 0) if family == "well" else np.all(v >= 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sample_scales_and_moves_with_its_box(family) -> None:
    with jax.enable_x64(True):
        boxes = Grid(500, 100.0), Grid(500, 32.0), Grid(500, 32.0, origin=-16.0)
        first, *others = (sample(jax.random.key(5), grid, family) for grid in boxes)
        for v in others:
            # An edge may fall on the other side of a point that it nearly hits.
            assert np.mean(abs(v - first) > 1e-8) < 0.005
        assert float(abs(first).max()) > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_a_sample_follows_its_key_and_nothing_else(family) -> None:
    one, same, other = (sample(jax.random.key(seed), GRID, family) for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, same)
    assert float(abs(one - other).max()) > 0
    mapped = jax.vmap(lambda key: sample(key, GRID, family))(
        jnp.stack([jax.random.key(4), jax.random.key(3)])
    )
    # An edge may fall on the other side of a point that it nearly hits.
    assert np.mean(abs(mapped[1] - one) > 1e-3) < 0.005


def test_parameters_make_the_sample() -> None:
    grid, key = BOXES[2], jax.random.key(1)
    parameters = families.sample_parameters(key, grid, "steps")
    assert set(parameters) == {"heights", "width", "centre"}
    assert -2 <= float(parameters["centre"]) <= 2
    assert 4 <= float(parameters["width"]) <= 12
    v = FAMILIES["steps"].potential(grid.positions(), **parameters)
    np.testing.assert_array_equal(families.sample(key, grid, "steps"), v)


def test_precision_is_double_where_it_is_enabled() -> None:
    with jax.enable_x64(True):
        for family in FAMILIES:
            made = jax.eval_shape(lambda key, of=family: sample(key, GRID, of), jax.random.key(0))
            assert made.dtype == jnp.float64


def test_an_unknown_family_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(ValueError, match=r"`family` must be one of 'barrier', 'double', .*'cliff'"):
        families.sample(jax.random.key(0), GRID, "cliff")


def test_a_plane_is_refused() -> None:
    with pytest.raises(ValueError, match="`grid` must be one-dimensional, but is 2-dimensional"):
        families.sample(jax.random.key(0), Grid((8, 8), (8.0, 8.0)), "barrier")
