from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import potentials
from qdistill.physics.families import FAMILIES
from qdistill.physics.grid import Grid

# Each shape around 50 with a foot 10 wide, its values at 44.9, 46, 48, 50, 52, 53.75 and 55.1.
POINTS = np.array([44.9, 46.0, 48.0, 50.0, 52.0, 53.75, 55.1])
TABLE: dict[str, tuple[Callable[..., jax.Array], dict[str, Any], list[float]]] = {
    "barrier": (potentials.barrier, {"height": 4.0, "width": 10.0}, [0, 4, 4, 4, 4, 4, 0]),
    "well": (potentials.well, {"depth": 4.0, "width": 10.0}, [0, -4, -4, -4, -4, -4, 0]),
    "double": (
        potentials.double,
        {"heights": (3.0, 5.0), "width": 3.0, "gap": 4.0},
        [0, 3, 0, 0, 0, 5, 0],
    ),
    "triple": (
        potentials.triple,
        {"heights": (3.0, 4.0, 5.0), "width": 2.0, "gap": 2.0},
        [0, 3, 0, 4, 0, 5, 0],
    ),
    "half-circle": (
        potentials.half_circle,
        {"height": 4.0, "width": 10.0},
        [0, 2.4, 4 * 0.84**0.5, 4, 4 * 0.84**0.5, 7**0.5, 0],
    ),
    "quadratic": (
        potentials.quadratic,
        {"height": 4.0, "width": 10.0},
        [0, 1.44, 3.36, 4, 3.36, 1.75, 0],
    ),
    "random": (
        potentials.random,
        {"amplitudes": jnp.zeros(3), "phases": jnp.zeros(3), "height": 4.0, "width": 10.0},
        # The sigmoid of nothing is 1/2.
        [0, *(2 * np.sin(np.pi * np.array([0.1, 0.3, 0.5, 0.7, 0.875])) ** 2), 0],
    ),
    "steps": (
        potentials.steps,
        {"heights": (1.0, 2.0, 3.0, 5.0), "width": 10.0},
        [0, 1, 2, 3, 3, 5, 0],
    ),
    "trapezoid": (
        potentials.trapezoid,
        {"height": 4.0, "width": 10.0, "top": 0.5},
        [0, 1.6, 4, 4, 4, 2, 0],
    ),
    "triangle": (
        potentials.triangle,
        {"height": 4.0, "width": 10.0, "skew": 0.5},
        # The peak is at 52.5.
        [0, 8 / 15, 1.6, 8 / 3, 56 / 15, 2, 0],
    ),
}
X = Grid(1024, 100.0).positions()
PLANE = Grid((64, 64), (16.0, 16.0), "continuum")
AXES = PLANE.positions(0), PLANE.positions(1)
MIDDLE = (8.1, 8.1)


def test_every_family_has_its_row_in_the_table() -> None:
    assert set(TABLE) == set(FAMILIES)


@pytest.mark.parametrize("family", TABLE)
def test_shape_has_the_values_of_the_table(family) -> None:
    shape, parameters, expected = TABLE[family]
    assert FAMILIES[family].potential is shape
    v = shape(jnp.asarray(POINTS, jnp.float32), **parameters, centre=50.0)
    # Positions near 50 are rounded to 4e-6, the steepest slope here is 4 / 1.
    np.testing.assert_allclose(v, expected, atol=2e-5)


@pytest.mark.parametrize("family", TABLE)
def test_shape_moves_with_its_centre(family) -> None:
    shape, parameters, expected = TABLE[family]
    v = shape(jnp.asarray(POINTS - 20, jnp.float32), **parameters, centre=30.0)
    np.testing.assert_allclose(v, expected, atol=2e-5)


@pytest.mark.parametrize("family", ["barrier", "well", "half-circle", "quadratic", "trapezoid"])
def test_hill_is_its_own_mirror_image(family) -> None:
    shape, parameters, _ = TABLE[family]
    distance = jnp.linspace(0.03, 6.0, 40)
    right, left = (shape(50 + side * distance, **parameters, centre=50.0) for side in (1, -1))
    assert float(abs(right).max()) > 1
    # At the rim of an arch the slope is infinite: 4 sqrt(2 * 4e-6 / 5) at most.
    np.testing.assert_allclose(left, right, atol=6e-3)


@pytest.mark.parametrize(
    ("shape", "parameter", "mirrored"),
    [
        (potentials.double, {"heights": (3.0, 5.0), "gap": 1.0}, {"heights": (5.0, 3.0)}),
        (potentials.triple, {"heights": (3.0, 4.0, 5.0), "gap": 1.0}, {"heights": (5.0, 4.0, 3.0)}),
        (potentials.steps, {"heights": (3.0, 4.0, 5.0)}, {"heights": (5.0, 4.0, 3.0)}),
        (potentials.triangle, {"height": 4.0, "skew": 0.7}, {"skew": -0.7}),
        (potentials.trapezoid, {"height": 4.0, "skew": 0.7, "top": 0.3}, {"skew": -0.7}),
    ],
)
def test_mirrored_parameters_mirror_the_shape(shape, parameter, mirrored) -> None:
    distance = jnp.linspace(-6.0, 6.0, 40)
    v = shape(50 + distance, width=3.1, centre=50.0, **parameter)
    image = shape(50 - distance, width=3.1, centre=50.0, **(parameter | mirrored))
    assert float(abs(v - v[::-1]).max()) > 0.1
    np.testing.assert_allclose(image, v, atol=1e-4)


@pytest.mark.parametrize("skew", [-1.0, 1.0])
def test_a_fully_skewed_triangle_has_an_upright_flank(skew) -> None:
    v = potentials.triangle(jnp.array([45.001, 54.999]), 4.0, 10.0, centre=50.0, skew=skew)
    np.testing.assert_allclose(v, [0, 4] if skew == 1 else [4, 0], atol=2e-3)


def test_a_trapezoid_that_is_all_top_is_a_barrier() -> None:
    v = potentials.trapezoid(X, 4.0, 10.0, top=1.0, centre=50.0)
    np.testing.assert_allclose(v, potentials.barrier(X, 4.0, 10.0, 50.0), atol=1e-6)


def test_harmonic_trap_fills_the_axis() -> None:
    x = jnp.array([40.0, 50.0, 56.0])
    np.testing.assert_allclose(potentials.harmonic(x, omega=0.5, centre=50.0), [12.5, 0.0, 4.5])


def test_random_potential_stays_between_zero_and_its_height() -> None:
    loud = {"amplitudes": jnp.full(12, 20.0), "phases": jnp.zeros(12)}
    v = potentials.random(X, **loud, height=5.0, width=30.0, centre=50.0)
    assert float(v.min()) >= 0
    assert 4 < float(v.max()) <= 5


def test_double_slit_is_a_wall_with_two_openings() -> None:
    grid = Grid((20, 40), (10.0, 20.0))
    v = potentials.double_slit(
        grid.positions(0), grid.positions(1), 7.0, 2.0, 6.0, 1.2, centre=(5.0, 10.0)
    )
    is_wall = np.zeros((20, 40), bool)
    is_wall[8:11] = True  # |x - 5| < 1 holds at x = 4.5, 5 and 5.5.
    for y in (6.5, 7.0, 7.5, 12.5, 13.0, 13.5):  # ||y - 10| - 3| < 0.6.
        is_wall[:, round(y / 0.5) - 1] = False
    np.testing.assert_array_equal(v, np.where(is_wall, 7.0, 0.0))


def test_a_turned_double_slit_is_the_transposed_one() -> None:
    across = potentials.double_slit(*AXES, 7.0, 2.0, 6.0, 1.2, MIDDLE)
    along = potentials.double_slit(*AXES, 7.0, 2.0, 6.0, 1.2, MIDDLE, np.pi / 2)
    np.testing.assert_array_equal(along, across.T)
    assert not np.array_equal(along, across)


def test_slits_that_touch_are_refused() -> None:
    x = jnp.zeros((1, 1))
    with pytest.raises(ValueError, match="`spacing` must be finite and positive, but is -1"):
        potentials.double_slit(x, x, 7.0, 2.0, 1.0, 2.0, centre=(0.0, 0.0))


@pytest.mark.parametrize(
    ("centre", "message"),
    [
        ((0.0, float("nan")), "`centre` must be finite"),
        ((0.0,), "`centre` must be one value for each of 2 axes"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_slits_without_a_middle_are_refused(centre, message) -> None:
    x = jnp.zeros((1, 1))
    with pytest.raises(ValueError, match=message):
        potentials.double_slit(x, x, 7.0, 2.0, 3.0, 1.0, centre)


@pytest.mark.parametrize("width", [0.0, -1.0, float("nan")])
@pytest.mark.parametrize("family", TABLE)
def test_a_width_that_is_not_positive_is_refused(family, width) -> None:
    shape, parameters, _ = TABLE[family]
    with pytest.raises(ValueError, match="`width` must be finite and positive"):
        shape(X, **({"centre": 50.0} | parameters | {"width": width}))


@pytest.mark.parametrize(
    ("family", "wrong", "message"),
    [
        ("barrier", {"height": float("inf")}, "`height` must be finite"),
        ("barrier", {"centre": float("nan")}, "`centre` must be finite"),
        ("well", {"depth": -1.0}, "`depth` must be finite and positive"),
        ("double", {"gap": -1.0}, "`gap` must be finite and positive"),
        ("double", {"heights": (1.0,)}, "`heights` must be 2 heights"),
        ("triple", {"heights": (1.0, 2.0)}, "`heights` must be 3 heights"),
        ("steps", {"heights": ()}, "`heights` must be at least one height"),
        ("random", {"phases": (1.0,)}, "`phases` must be . phases, one for each amplitude"),
        ("trapezoid", {"top": 1.1}, "`top` must be between 0 and 1, but is 1.1"),
        ("triangle", {"skew": -1.1}, "`skew` must be between -1 and 1, but is -1.1"),
    ],
)
def test_senseless_parameters_are_refused(family, wrong, message) -> None:
    shape, parameters, _ = TABLE[family]
    with pytest.raises(ValueError, match=message):
        shape(X, **({"centre": 50.0} | parameters | wrong))


def test_a_trap_without_frequency_is_refused() -> None:
    with pytest.raises(ValueError, match="`omega` must be finite and positive"):
        potentials.harmonic(X, 0.0, 50.0)


@pytest.mark.parametrize("family", TABLE)
def test_gradients_are_finite_at_and_beyond_the_edges(family) -> None:
    shape, parameters, _ = TABLE[family]
    x = jnp.array([40.0, 45.0, 45.0 + 4e-6, 50.0, 52.5, 55.0, 60.0])
    total = jax.jit(jax.grad(lambda p: jnp.sum(shape(x, **p))))
    gradients = total(jax.tree.map(jnp.asarray, parameters) | {"centre": jnp.array(50.0)})
    assert all(np.isfinite(g).all() for g in jax.tree.leaves(gradients))
    strength = next(g for name, g in gradients.items() if name in ("height", "heights", "depth"))
    assert np.abs(np.asarray(strength)).sum() > 0


# In a plane.


def test_a_turned_wall_is_the_transposed_one() -> None:
    across = potentials.wall(*AXES, 3.0, 2.0, MIDDLE)
    along = potentials.wall(*AXES, 3.0, 2.0, MIDDLE, np.pi / 2)
    np.testing.assert_array_equal(along, across.T)
    assert set(np.unique(across)) == {0.0, 3.0}
    assert not np.array_equal(along, across)


def test_a_slit_leaves_its_opening_free() -> None:
    wall = potentials.wall(*AXES, 3.0, 2.0, MIDDLE)
    slit = potentials.slit(*AXES, 3.0, 2.0, 1.5, MIDDLE)
    is_open = np.abs(np.asarray(AXES[1]) - 8.1) < 0.75
    np.testing.assert_array_equal(slit, np.where(is_open, 0, wall))


@pytest.mark.parametrize(
    ("v", "area"),
    [
        (potentials.disc(*AXES, 1.0, 3.0, MIDDLE), 9 * np.pi),
        (potentials.rectangle(*AXES, 1.0, (5.0, 3.0), MIDDLE, 0.4), 15.0),
    ],
    ids=["disc", "rectangle"],
)
def test_areas_are_right(v, area) -> None:
    """To the points along the rim, of which as many lie inside as outside, give or take."""
    rim = np.sqrt(4 * np.pi * area)
    assert abs(float(v.sum()) * PLANE.cell - area) < 0.5 * PLANE.dx[0] * np.sqrt(rim)


@pytest.mark.parametrize("family", TABLE)
def test_precision_is_that_of_the_positions(family) -> None:
    shape, parameters, expected = TABLE[family]
    with jax.enable_x64(True):
        wide = jax.tree.map(lambda a: jnp.asarray(a, jnp.float64), parameters)
        v = shape(jnp.asarray(POINTS), **wide, centre=50.0)
        assert v.dtype == jnp.float64
        np.testing.assert_allclose(v, expected, atol=1e-13)


def test_precision_in_a_plane_is_that_of_the_positions() -> None:
    with jax.enable_x64(True):
        axes = PLANE.positions(0), PLANE.positions(1)
        for v in (
            potentials.wall(*axes, 3.0, 2.0, MIDDLE, 0.3),
            potentials.slit(*axes, 3.0, 2.0, 1.5, MIDDLE, 0.3),
            potentials.double_slit(*axes, 3.0, 2.0, 4.0, 1.5, MIDDLE, 0.3),
            potentials.rectangle(*axes, 3.0, (5.0, 3.0), MIDDLE, 0.3),
            potentials.disc(*axes, 3.0, 2.0, MIDDLE),
        ):
            assert v.dtype == jnp.float64
