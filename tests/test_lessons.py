import functools
from collections.abc import Callable

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.curriculum import lessons, planes
from qdistill.physics import observables
from qdistill.physics.grid import Grid, norm

GRID = Grid(1024, 100.0)
GRIDS = dict.fromkeys(planes.LESSONS, Grid((48, 48), (12.0, 12.0), "continuum"))


@functools.cache
def drawer(name: str) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Of many experiments; compiled once for each number of them."""
    lesson, grid = lessons.LESSONS[name], GRIDS.get(name, GRID)
    return jax.jit(jax.vmap(lambda key, at: lesson(key, grid, at), (0, None)))


def draw(name: str, n: int = 64, difficulty: float = 1.0) -> tuple[jax.Array, jax.Array]:
    return drawer(name)(jax.random.split(jax.random.key(0), n), difficulty)


@pytest.mark.parametrize("name", lessons.LESSONS)
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_lessons_give_normalised_packets_and_finite_landscapes(
    name: str, difficulty: float
) -> None:
    psi, v = draw(name, difficulty=difficulty)
    assert psi.dtype == jnp.complex64
    assert v.dtype == jnp.float32
    grid = GRIDS.get(name, GRID)
    np.testing.assert_allclose(jax.vmap(lambda p: norm(grid, p))(psi), 1, rtol=1e-5)
    assert jnp.all(jnp.isfinite(v))
    assert v.min() >= -16
    assert v.max() <= 16


@pytest.mark.parametrize("name", lessons.LESSONS)
def test_lessons_are_pure_in_their_key(name: str) -> None:
    first, second = draw(name), draw(name)
    np.testing.assert_array_equal(first[0], second[0])
    assert not jnp.allclose(first[0][0], first[0][1])


@jax.jit
def kinetic(psi: jax.Array) -> jax.Array:
    return jax.vmap(lambda p: observables.energy(GRID, jnp.zeros(1024), p))(psi)


def test_free_and_interference_have_no_landscape() -> None:
    assert jnp.all(draw("free")[1] == 0)
    assert jnp.all(draw("interference")[1] == 0)


def test_scattering_goes_over_and_tunnelling_through() -> None:
    """Carrier energies lie on the right side of the barrier, up to the packet's own spread.

    A packet of width s0 >= 1 adds 1 / (8 s0^2) <= 0.125 to its kinetic energy, and the lattice
    takes at most E^2 dx^2 / 6 < 0.16 away.
    """
    psi, v = draw("scattering")
    assert jnp.all(kinetic(psi) > v.max(axis=1) - 0.2)
    psi, v = draw("tunnelling")
    assert jnp.all(kinetic(psi) < v.max(axis=1) + 0.2)
    assert jnp.all(v.max(axis=1) > 1)


def test_collisions_start_outside_the_barrier_and_fly_towards_it() -> None:
    psi, v = draw("tunnelling")
    inside = jnp.sum(jnp.where(v != 0, jnp.abs(psi) ** 2, 0), axis=1) * GRID.cell
    assert jnp.all(inside < 0.01)
    x0 = jax.vmap(lambda p: observables.position(GRID, p))(psi)
    k0 = jax.vmap(lambda p: observables.momentum(GRID, p))(psi)
    assert jnp.all((50 - x0) * k0 > 0)
    assert jnp.any(k0 > 0)
    assert jnp.any(k0 < 0)


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_from_half_down_to_two_percent_tunnels(difficulty: float) -> None:
    """Of plane waves with the packets' mean momenta, through the points of their barriers."""
    psi, v = draw("tunnelling", 256, difficulty)
    k = np.abs(jax.vmap(lambda p: observables.momentum(GRID, p))(psi))
    n_points = np.sum(np.asarray(v) > 0, axis=1)
    assert n_points.min() >= 3
    through = exact.barrier_transmission(k, np.max(v, axis=1), n_points * GRID.dx[0])
    # Counting whole points makes a barrier up to a quarter thinner or thicker.
    assert through.min() > 0.02
    assert through.max() < 0.6


def test_free_packets_are_slow_at_first() -> None:
    """Carriers up to 2 hartree, then up to 10; a packet's own spread adds up to 0.125."""
    assert kinetic(draw("free", 64, 0.0)[0]).max() < 2.2
    assert kinetic(draw("free", 64, 1.0)[0]).max() > 8


def test_trapped_packets_start_in_a_well_that_holds_them() -> None:
    psi, v = draw("trapping")
    inside = jnp.sum(jnp.where(v < 0, jnp.abs(psi) ** 2, 0), axis=1) * GRID.cell
    assert jnp.all(inside > 0.9)
    # Mean energy below the rim.
    total = jax.vmap(lambda v, p: observables.energy(GRID, v, p))(v, psi)
    assert jnp.all(total < 0)


@pytest.mark.parametrize(
    ("name", "heights"), [("paper-demo", {2.0, 5.0, 10.0}), ("paper-full", set(range(1, 15)))]
)
def test_paper_lessons_hold_the_published_runs(name: str, heights: set) -> None:
    psi, v = draw(name, 512)
    assert set(np.unique(v.max(axis=1))) == heights
    assert jnp.all(jnp.sum(v > 0, axis=1) == jnp.sum(jnp.abs(GRID.positions() - 50) < 3.5))
    momenta = jax.vmap(lambda p: observables.momentum(GRID, p))(psi[:32])
    assert jnp.all(momenta > 0)


def test_difficulty_opens_the_ranges() -> None:
    easy, hard = draw("barrier", 256, 0.0)[1], draw("barrier", 256, 1.0)[1]
    assert jnp.abs(easy).max() <= 2
    assert hard.max() > 12
    assert hard.min() < -9


def test_weights_decide_which_lesson_is_drawn() -> None:
    names = ("free", "barrier", "trapping")
    keys = jax.random.split(jax.random.key(1), 2000)
    weights = jnp.array([0.0, 3.0, 1.0])
    sample = jax.vmap(lambda k: lessons.sample(k, GRID, names, weights, 1.0)[0])
    index = jax.jit(sample)(keys)
    share = np.bincount(index, minlength=3) / 2000
    assert share[0] == 0
    # Three standard deviations of a binomial with p = 3/4 and n = 2000.
    assert share[1] == pytest.approx(0.75, abs=3 * np.sqrt(0.75 * 0.25 / 2000))


def test_changing_weights_does_not_recompile() -> None:
    n_traces = 0

    @jax.jit
    def draw(key: jax.Array, weights: jax.Array) -> tuple:
        nonlocal n_traces
        n_traces += 1
        return lessons.sample(key, GRID, ("free", "barrier"), weights, 1.0)

    draw(jax.random.key(0), jnp.array([1.0, 0.0]))
    draw(jax.random.key(0), jnp.array([0.0, 1.0]))
    assert n_traces == 1


def test_refusals() -> None:
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="`weights` must be of shape"):
        lessons.sample(key, GRID, ("free",), jnp.array([1.0, 2.0]), 1.0)
    with pytest.raises(ValueError, match="`lessons` must be one of 'free'"):
        lessons.sample(key, GRID, ("diving",), jnp.array([1.0]), 1.0)
    for weights in ([0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(ValueError, match="`weights` must be"):
            lessons.sample(key, GRID, ("free", "barrier"), jnp.array(weights), 1.0)
    with pytest.raises(ValueError, match="`grid` must be one-dimensional and 100 bohr long"):
        lessons.sample(key, Grid(64, 50.0), ("free",), jnp.array([1.0]), 1.0)
    with pytest.raises(ValueError, match="`difficulty` must be between 0 and 1"):
        lessons.sample(key, GRID, ("free",), jnp.array([1.0]), 2.0)
