"""Lessons: sound packets and potentials, in boxes of any length, origin and dimension."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import Array

from qdistill import curriculum
from qdistill.curriculum import LESSONS
from qdistill.forecast import held_out
from qdistill.physics import observables
from qdistill.physics.grid import Grid, Scalar, norm
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev
from qdistill.training import batches
from qdistill.training.batches import BatchConfig

GRID = Grid(1024, 100.0)
SYSTEM = System(GRID)
KEY = jax.random.key(0)
EVEN = jnp.array([0.5, 0.5])
PLANE = Grid((64, 64), (16.0, 16.0), "continuum")
IN_PLANE = ("wall", "slit", "shape")
# Those of two channels have tests of their own.
OF_CHANNELS = ("crossing", "channel-flight", "channel-step", "channel-coupling", "strong-coupling")
OF_ONE = tuple(name for name in LESSONS if not name.startswith(OF_CHANNELS))
ON_LINE = tuple(name for name in OF_ONE if name not in (*IN_PLANE, "packets"))
GRIDS = dict.fromkeys(("packets", *IN_PLANE), PLANE)
MOVED = Grid(512, 40.0, "continuum", origin=-20.0)
# Samples that are drawn at once, so that all tests of a lesson share one program.
AT_ONCE = 64


@functools.cache
def drawer(name: str, grid: Grid) -> Callable[..., tuple[jax.Array, jax.Array]]:
    """Of many samples; compiled once for each lesson and grid."""
    return jax.jit(jax.vmap(lambda key, at: LESSONS[name](key, grid, at), (0, None)))


@functools.cache
def of_each(measure: Callable[..., jax.Array], grid: Grid) -> Callable[..., jax.Array]:
    """What is measured of each of many states."""
    return jax.jit(jax.vmap(lambda *of: measure(grid, *of)))


def draw(
    name: str, n: int = 64, difficulty: float = 1.0, grid: Grid | None = None
) -> tuple[np.ndarray, np.ndarray]:
    make = drawer(name, grid or GRIDS.get(name, GRID))
    keys = jax.random.split(jax.random.key(0), (-(-n // AT_ONCE), AT_ONCE))
    drawn = [jax.tree.map(np.asarray, make(some, difficulty)) for some in keys]
    psi, v = (np.concatenate(parts)[:n] for parts in zip(*drawn, strict=True))
    return psi, v


@pytest.mark.parametrize("name", OF_ONE)
@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_lessons_give_normalised_packets_and_finite_potentials(
    name: str, difficulty: float
) -> None:
    psi, v = draw(name, difficulty=difficulty)
    assert psi.dtype == jnp.complex64
    assert v.dtype == jnp.float32
    grid = GRIDS.get(name, GRID)
    np.testing.assert_allclose(of_each(norm, grid)(psi), 1, rtol=1e-5)
    assert np.all(np.isfinite(v))
    assert v.min() >= -16
    assert v.max() <= 16


@pytest.mark.parametrize("name", OF_ONE)
def test_lessons_are_pure_in_their_key(name: str) -> None:
    first, second = draw(name), draw(name)
    np.testing.assert_array_equal(first[0], second[0])
    assert not np.allclose(first[0][0], first[0][1])


@jax.jit
def kinetic(psi: jax.Array) -> jax.Array:
    return jax.vmap(lambda p: observables.energy(GRID, jnp.zeros(1024), p))(psi)


def test_free_and_interference_have_no_potential() -> None:
    assert np.all(draw("free")[1] == 0)
    assert np.all(draw("interference")[1] == 0)


def test_scattering_goes_over_and_tunnelling_through() -> None:
    """Carrier energies lie on the right side of the barrier, up to the packet's own spread.

    A packet of width s0 >= 1 adds 1 / (8 s0^2) <= 0.125 to its kinetic energy, and the lattice
    takes at most E^2 dx^2 / 6 < 0.16 away.
    """
    psi, v = draw("scattering")
    assert np.all(kinetic(psi) > v.max(axis=1) - 0.2)
    psi, v = draw("tunnelling")
    assert np.all(kinetic(psi) < v.max(axis=1) + 0.2)
    assert np.all(v.max(axis=1) > 1)


def test_collisions_start_outside_the_barrier_and_fly_towards_it() -> None:
    psi, v = draw("tunnelling")
    inside = np.sum(np.where(v != 0, np.abs(psi) ** 2, 0), axis=1) * GRID.cell
    assert np.all(inside < 0.01)
    x0 = of_each(observables.position, GRID)(psi)
    k0 = of_each(observables.momentum, GRID)(psi)
    assert np.all((50 - x0) * k0 > 0)
    assert np.any(k0 > 0)
    assert np.any(k0 < 0)


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_from_half_down_to_two_percent_tunnels(difficulty: float) -> None:
    """Of plane waves with the packets' mean momenta, through the points of their barriers."""
    psi, v = draw("tunnelling", 256, difficulty)
    k = np.abs(of_each(observables.momentum, GRID)(psi))
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
    inside = np.sum(np.where(v < 0, np.abs(psi) ** 2, 0), axis=1) * GRID.cell
    assert np.all(inside > 0.9)
    # Mean energy below the rim.
    total = of_each(observables.energy, GRID)(v, psi)
    assert np.all(total < 0)


@pytest.mark.parametrize(
    ("name", "heights"), [("paper-demo", {2.0, 5.0, 10.0}), ("paper-full", set(range(1, 15)))]
)
def test_paper_lessons_hold_the_published_runs(name: str, heights: set) -> None:
    psi, v = draw(name, 512)
    assert set(np.unique(v.max(axis=1))) == heights
    assert np.all(np.sum(v > 0, axis=1) == np.sum(np.abs(GRID.positions() - 50) < 3.5))
    momenta = of_each(observables.momentum, GRID)(psi[:32])
    assert np.all(momenta > 0)


def test_difficulty_opens_the_ranges() -> None:
    easy, hard = draw("barrier", 256, 0.0)[1], draw("barrier", 256, 1.0)[1]
    assert np.abs(easy).max() <= 2
    assert hard.max() > 12
    assert hard.min() < -9


# Boxes of any length, origin and dimension.


@pytest.mark.parametrize("name", [*ON_LINE, "packets"])
def test_lessons_on_a_line_take_any_box_and_scale_with_it(name: str) -> None:
    """The same shares of a box: densities and potentials as functions of x / length.

    Barriers that tunnel are some decay lengths thick in any box. Momenta stay, so packets are
    compared by their density; that of superpositions depends on momenta, and v alone is compared.
    """
    grids = Grid(2000, 100.0), Grid(2000, 40.0, "continuum", origin=-20.0)
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(1), AT_ONCE)
        drawn = [jax.tree.map(np.asarray, drawer(name, grid)(keys, 1.0)) for grid in grids]
    densities = [np.abs(psi) ** 2 * grid.cell for grid, (psi, _) in zip(grids, drawn, strict=True)]
    (_, v_one), (psi, v_two) = drawn
    assert psi.shape == v_two.shape == (AT_ONCE, 2000)
    for density in densities:
        np.testing.assert_allclose(density.sum(axis=1), 1, rtol=1e-12)
    assert v_two.min() >= -16
    assert v_two.max() <= 16
    # Potentials stay off the edges, and packets are where they are on 100 bohr.
    assert np.all(v_two[:, 0] == 0)
    assert float(densities[1][:, :40].sum(axis=1).mean()) < 0.02
    if name == "packets":
        return
    if name != "tunnelling":
        # An edge may fall on the other side of a point that it nearly hits.
        assert np.mean(abs(v_one - v_two) > 1e-8) < 0.001
    if name in ("free", "scattering", "trapping", "encounters", "paper-demo", "paper-full"):
        np.testing.assert_allclose(densities[0], densities[1], atol=1e-12)
        assert densities[0].max() > 1e-3


def test_collisions_in_a_moved_box_fly_towards_their_barrier() -> None:
    psi, v = draw("tunnelling", grid=MOVED)
    inside = np.sum(np.where(v != 0, np.abs(psi) ** 2, 0), axis=1) * MOVED.cell
    assert np.all(inside < 0.01)
    x0 = of_each(observables.position, MOVED)(psi)
    k0 = of_each(observables.momentum, MOVED)(psi)
    assert np.all(x0 * k0 < 0)


def test_packets_take_any_number_of_dimensions() -> None:
    for grid in (MOVED, Grid((24,) * 3, (12.0, 10.0, 9.0), "continuum", origin=-3.0)):
        psi, v = draw("packets", 8, grid=grid)
        assert psi.shape == (8, *grid.shape)
        assert np.all(v == 0)
        np.testing.assert_allclose(of_each(norm, grid)(psi), 1, rtol=1e-5)


@pytest.mark.parametrize("name", ["packets", *IN_PLANE])
def test_lessons_in_a_plane_give_packets_and_potentials_within_range(name: str) -> None:
    psi, v = draw(name)
    np.testing.assert_allclose(of_each(norm, PLANE)(psi), 1, rtol=1e-5)
    assert v.min() >= (-10 if name == "shape" else 0)
    assert v.max() <= 16
    for each in v:
        assert len(np.unique(each)) == (1 if name == "packets" else 2)
    assert (len(np.unique(v)) > 10) == (name != "packets")


@pytest.mark.parametrize("name", ["packets", *IN_PLANE])
def test_lessons_in_a_plane_move_with_its_origin(name: str) -> None:
    here, there = (Grid((40, 32), (16.0, 12.0), "continuum", x) for x in (0.0, (-8.0, 5.0)))
    with jax.enable_x64(True):
        keys = jax.random.split(jax.random.key(2), 4)
        drawn = [drawer(name, grid)(keys, 1.0) for grid in (here, there)]
    (one, v_one), (two, v_two) = jax.tree.map(np.asarray, drawn)
    np.testing.assert_allclose(one, two, atol=1e-12)
    # An edge may fall on the other side of a point that it nearly hits.
    assert np.mean(abs(v_one - v_two) > 1e-8) < 0.001


@pytest.mark.parametrize("name", OF_ONE)
def test_lessons_are_double_where_that_is_enabled(name: str) -> None:
    with jax.enable_x64(True):
        psi, v = jax.eval_shape(lambda k: LESSONS[name](k, GRIDS.get(name, GRID), 0.5), KEY)
    assert psi.dtype == jnp.complex128
    assert v.dtype == jnp.float64


@pytest.mark.parametrize("name", ["scattering", "encounters", "paper-full"])
def test_a_heavy_particle_has_the_energy_that_is_asked_for(name: str) -> None:
    measure = of_each(observables.momentum, GRID)
    light, slow = (draw(name, 16, grid=Grid(1024, 100.0, mass=mass))[0] for mass in (1.0, 4.0))
    np.testing.assert_allclose(measure(slow), 2 * measure(light), rtol=1e-3)


def test_blocks_hold_runs_of_the_teacher_in_the_plane() -> None:
    config = BatchConfig(n_batch=3, n_block=2, n_runs=2, n_frames=4, n_target=2, examples="frames")
    teacher = chebyshev(System(PLANE, 0.1, bounds=(-16.0, 16.0)), 1e-5)
    maker = batches.make_block(teacher, ("slit",), config, n_history=1)
    block = jax.jit(maker)(jax.random.key(1), jnp.ones(1), 1.0)
    batch = batches.cut_batch(block, 1, n_history=1, n_target=2)
    assert batch.psi.shape == (3, 3, 64, 64)
    assert batch.v.shape == (3, 64, 64)
    step = jax.jit(lambda v, psi: rollout(teacher, psi[None], v, 1)[0])
    for psi, v in zip(batch.psi, batch.v, strict=True):
        np.testing.assert_allclose(step(v, psi[1]), psi[2], atol=1e-6)


# Drawing from several lessons.


def test_weights_decide_which_lesson_is_drawn() -> None:
    names = ("free", "barrier", "trapping")
    keys = jax.random.split(jax.random.key(1), 2000)
    weights = jnp.array([0.0, 3.0, 1.0])
    sample = jax.vmap(lambda k: curriculum.sample(k, SYSTEM, names, weights, 1.0)[0])
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
        return curriculum.sample(key, SYSTEM, ("free", "barrier"), weights, 1.0)

    draw(jax.random.key(0), jnp.array([1.0, 0.0]))
    draw(jax.random.key(0), jnp.array([0.0, 1.0]))
    assert n_traces == 1


@dataclasses.dataclass(frozen=True)
class OwnLessons(System):
    """A system with lessons and a potential of its own: a pytree of two numbers."""

    def sample(self, name: str, key: Array, difficulty: Scalar) -> tuple[Array, dict]:
        psi, v = LESSONS["free"](key, self.grid, difficulty)
        height = {"low": 1.0, "high": 2.0}[name] * jax.random.uniform(key, ())
        return psi, {"field": v, "height": height}

    def local(self, v: dict, t: Scalar, psi: Array | None) -> Array:
        return v["field"] + v["height"]


def test_a_system_may_have_lessons_of_its_own() -> None:
    system = OwnLessons(GRID)
    sample = jax.jit(jax.vmap(lambda k: curriculum.sample(k, system, ("low", "high"), EVEN, 1.0)))
    index, (psi, v) = sample(jax.random.split(KEY, 64))
    assert psi.shape == (64, 1024)
    assert set(np.unique(index)) == {0, 1}
    assert v["field"].shape == (64, 1024)
    assert v["height"][index == 0].max() <= 1 < v["height"].max()
    curriculum.require_lessons(system, ("low", "high"))


@pytest.fixture
def own(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lessons that are wrong, each in its way."""
    sound = LESSONS["free"]
    wrong = {
        "psi-only": lambda key, grid, difficulty: sound(key, grid, difficulty)[0],
        "short": lambda key, grid, difficulty: sound(key, Grid(64, 40.0), difficulty),
        "real": lambda key, grid, difficulty: (jnp.ones(1024), jnp.zeros(1024)),
        "wide": lambda key, grid, difficulty: (sound(key, grid, difficulty)[0], jnp.zeros((2, 8))),
        "tree": lambda key, grid, difficulty: (sound(key, grid, difficulty)[0], {"v": 0.0}),
        "whole": lambda key, grid, difficulty: (
            sound(key, grid, difficulty)[0], jnp.zeros(1024, int)
        ),
    }  # fmt: skip
    for name, lesson in wrong.items():
        monkeypatch.setitem(LESSONS, name, lesson)


@pytest.mark.usefixtures("own", "without_checker")
@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("psi-only", r"\(psi, v\), but is one that returns complex64\[1024\]"),
        ("short", r"psi complex and of shape \(1024,\), but is one that returns complex64\[64\]"),
        ("real", r"psi complex and of shape \(1024,\), but is one that returns float32"),
        ("wide", r"v of shape \(1024,\), but is one that returns float32\[2, 8\]"),
        ("tree", r"v of shape \(1024,\), but is one that returns {'v'"),
        ("whole", r"v as 'free' does, float32\[1024\], but is one that returns int32\[1024\]"),
    ],
)
def test_lessons_that_do_not_fit_are_refused_by_name(name: str, words: str) -> None:
    with pytest.raises(ValueError, match=f"`lesson '{name}'` must be one that returns .*{words}"):
        curriculum.sample(KEY, SYSTEM, ("free", name), EVEN, 1.0)


@pytest.mark.usefixtures("own", "without_checker")
def test_a_lesson_that_returns_only_psi_is_refused_wherever_it_is_drawn() -> None:
    words = r"`lesson 'psi-only'` must be one that returns \(psi, v\)"
    with pytest.raises(ValueError, match=words):
        SYSTEM.sample("psi-only", KEY, 1.0)

    class Another(System):
        """Not plain, so that its held-out cases are drawn from lessons."""

        def sample(self, name: str, key: Array, difficulty: Scalar) -> Any:
            return LESSONS[name](key, self.grid, difficulty)

    test = held_out.BenchmarkConfig(2, 1)
    with pytest.raises(ValueError, match=words):
        held_out.make_held_out(test, Another(GRID), ("psi-only",))


def test_lessons_without_channels_are_refused_where_there_are_some() -> None:
    system = System(GRID, n_channel=2)
    with pytest.raises(ValueError, match=r"psi complex and of shape \(2, 1024\)"):
        curriculum.sample(KEY, system, ("free",), jnp.ones(1), 1.0)


def test_refusals() -> None:
    with pytest.raises(ValueError, match="`weights` must be of shape"):
        curriculum.sample(KEY, SYSTEM, ("free",), jnp.array([1.0, 2.0]), 1.0)
    with pytest.raises(ValueError, match="`lessons` must be one of 'free'"):
        curriculum.sample(KEY, SYSTEM, ("diving",), jnp.array([1.0]), 1.0)
    with pytest.raises(ValueError, match="`lessons` must be one of 'free'"):
        curriculum.require_lessons(SYSTEM, ("free", "diving"))
    for weights in ([0.0, 0.0], [-1.0, 2.0]):
        with pytest.raises(ValueError, match="`weights` must be"):
            curriculum.sample(KEY, SYSTEM, ("free", "barrier"), jnp.array(weights), 1.0)
    with pytest.raises(ValueError, match="`difficulty` must be between 0 and 1"):
        curriculum.sample(KEY, SYSTEM, ("free",), jnp.array([1.0]), 2.0)


@pytest.mark.parametrize("name", ON_LINE)
def test_lessons_on_a_line_refuse_planes(name: str) -> None:
    with pytest.raises(ValueError, match=r"`grid` must be one-dimensional .* is 2-dimensional"):
        LESSONS[name](KEY, PLANE, 1.0)
    with pytest.raises(ValueError, match="`difficulty` must be between 0 and 1"):
        LESSONS[name](KEY, GRID, 2.0)


@pytest.mark.parametrize("name", IN_PLANE)
def test_lessons_in_a_plane_refuse_lines_and_small_boxes(name: str) -> None:
    for grid in (GRID, Grid((8, 8), (1.0, 9.0)), Grid((4, 4, 4), (9.0, 9.0, 9.0))):
        with pytest.raises(ValueError, match="`grid` must be two-dimensional and at least 8 bohr"):
            LESSONS[name](KEY, grid, 1.0)


def test_packets_refuse_small_boxes() -> None:
    for grid in (Grid(64, 5.0), Grid((8, 8), (1.0, 9.0))):
        with pytest.raises(ValueError, match="`grid` must be at least 8 bohr along each axis"):
            LESSONS["packets"](KEY, grid, 1.0)
