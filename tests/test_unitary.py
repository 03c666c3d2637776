"""The unitary student: its symmetries hold to rounding whatever its parameters are.

On a line and in a plane; what differs between them stands at the end.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from jaxtyping import PyTree
from steps import evolve, one, relative_error

from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.runs import folder
from qdistill.students import Splitting, UnitaryConfig, phases, unitary
from qdistill.system import System, rollout
from qdistill.teacher import split_step
from qdistill.training import loop

DT = 0.1
LINE, PLANE = Grid(256, 25.0), Grid((24, 24), (6.0, 6.0), "continuum")
# Rounding of complex64 in one frame of a few FFTs.
ROUNDING = 3e-6


def make(grid: Grid = LINE, system: type[System] = System, **form: Any) -> Splitting:
    reach = {} if grid.n_dim == 1 else {"reach": 2}
    return UnitaryConfig(n_units=8, **(reach | form)).build(system(grid, DT))


def init(student: Splitting) -> PyTree:
    return jax.jit(student.init)(jax.random.key(0))


def disturbed(student: Splitting, seed: int = 1) -> PyTree:
    """Parameters away from every special value."""
    leaves, tree = jax.tree.flatten(init(student))
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, noisy)


@functools.cache
def trained() -> tuple[Splitting, PyTree]:
    """After real training, from nothing."""
    setup = folder.set_up(small.UNITARY)
    state = setup.trainers[0].init(jax.random.key(0))
    for new, _ in loop.fit(setup.trainers, small.UNITARY.training.boundaries, state):
        state = new
    assert not np.allclose(state.params["slope"], 0)
    # The small run's student, in a smaller box of its spacing.
    student = small.UNITARY.student.build(System(LINE, DT))
    assert isinstance(student, Splitting)
    return student, state.params


ON_LINE: list[dict[str, Any]] = [
    {},
    {"n_pairs": 1, "start": "informed", "kinetic_cap": 25.0},
    {"n_pairs": 3, "mirror": False, "reversible": False},
]
IN_PLANE: list[dict[str, Any]] = [{}, {"n_pairs": 3, "reversible": False}]

# (v, psi) -> psi, one frame later.
Evolution: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]


class Where(NamedTuple):
    """A potential, two states, and what students do there: at their start, far from it, trained."""

    v: jax.Array
    psi: jax.Array
    evolutions: list[Evolution]


@pytest.fixture(scope="module", params=["line", "plane"])
def where(request: pytest.FixtureRequest) -> Where:
    grid, forms = (LINE, ON_LINE) if request.param == "line" else (PLANE, IN_PLANE)
    v = 5 * jax.random.normal(jax.random.key(8), grid.shape)
    psi = jax.random.normal(jax.random.key(7), (2, *grid.shape), jnp.complex64)
    psi = psi / jnp.linalg.norm(psi.reshape(2, -1), axis=1).reshape(2, *[1] * grid.n_dim)
    students = [make(grid, **form) for form in forms]
    every = [(s, params) for s in students for params in (init(s), disturbed(s))]
    every += [trained()] * (grid is LINE)
    frame = jax.jit(lambda emulator, v, psi: rollout(emulator, psi[None], v, 1)[0])
    return Where(v, psi, [functools.partial(frame, s.bind(params)) for s, params in every])


def test_it_conserves_norms_and_inner_products(where: Where) -> None:
    first = np.asarray(where.psi).reshape(2, -1)
    for frame in where.evolutions:
        later = list(where.psi)
        for _ in range(20):
            later = [frame(where.v, psi) for psi in later]
        last = np.stack(later).reshape(2, -1)
        np.testing.assert_allclose(last.conj() @ last.T, first.conj() @ first.T, atol=20 * ROUNDING)


def test_it_is_linear(where: Where) -> None:
    phi, psi = where.psi
    for frame in where.evolutions:
        together = frame(where.v, 2j * phi - 0.5 * psi)
        apart = 2j * frame(where.v, phi) - 0.5 * frame(where.v, psi)
        np.testing.assert_allclose(together, apart, atol=2 * ROUNDING)


def test_a_constant_in_v_is_a_phase(where: Where) -> None:
    for frame in where.evolutions:
        shifted = frame(where.v + 3.0, where.psi[0])
        # v + 3 rounds at 1e-6, which the network's steepest response may multiply.
        expected = np.exp(-3j * DT) * frame(where.v, where.psi[0])
        np.testing.assert_allclose(shifted, expected, atol=3 * ROUNDING)


def test_it_does_not_see_where_it_is(where: Where) -> None:
    for frame in where.evolutions:
        axes = tuple(range(where.v.ndim))
        moved = [jnp.roll(each, (3, -5)[: len(axes)], axes) for each in (where.v, where.psi[0])]
        expected = jnp.roll(frame(where.v, where.psi[0]), (3, -5)[: len(axes)], axes)
        assert jnp.linalg.norm((frame(*moved) - expected).ravel()) < 2 * ROUNDING


def random(grid: Grid) -> tuple[jax.Array, jax.Array]:
    """A potential, and a state of norm one."""
    psi = jax.random.normal(jax.random.key(7), grid.shape, jnp.complex64)
    v = 5 * jax.random.normal(jax.random.key(8), grid.shape)
    return v, psi / jnp.linalg.norm(psi.ravel())


@pytest.mark.parametrize("grid", [LINE, PLANE], ids=["line", "plane"])
def test_time_reversal_is_there_if_built_in(grid: Grid) -> None:
    """The complex conjugate of a forecast evolves to that of the start."""
    v, psi = random(grid)
    for reversible in (True, False):
        student = make(grid, reversible=reversible)
        frame = one(student.bind(disturbed(student)), v)
        back = jnp.conj(frame(jnp.conj(frame(psi))))
        assert (jnp.linalg.norm((back - psi).ravel()) < 4 * ROUNDING) == reversible


@pytest.mark.parametrize("grid", [LINE, PLANE], ids=["line", "plane"])
def test_the_start_from_nothing_knows_no_kinetic_energy(grid: Grid) -> None:
    student, (v, psi) = make(grid), random(grid)
    params = init(student)
    later = evolve(student.bind(params), 0 * v, psi, 1)
    np.testing.assert_allclose(later, psi, atol=ROUNDING)
    assert not student.dispersion(params).any()


@pytest.mark.parametrize("n_pairs", [1, 2, 3])
@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
@pytest.mark.parametrize("mass", [1.0, 2.0])
def test_the_informed_start_is_the_clamped_split_step(
    n_pairs: int, dispersion: str, mass: float
) -> None:
    system = System(Grid(1024, 100.0, dispersion, mass=mass), DT)
    config = UnitaryConfig(n_pairs=n_pairs, start="informed", kinetic_cap=30.0)
    student, x = config.build(system), system.grid.positions()
    params = init(student)
    psi = jnp.exp(-((x - 50) ** 2) / 8 + 3j * x)
    psi = psi / jnp.linalg.norm(psi)
    v = jnp.where(jnp.abs(x - 52) < 3, 5.0, 0.0)
    expected = evolve(split_step(system, n_pairs, kinetic_cap=30.0), v, psi, 1)
    # The kink of the cap lies between two knots of the slope.
    np.testing.assert_allclose(evolve(student.bind(params), v, psi, 1), expected, atol=2e-4)
    omega = student.dispersion(params)
    slow = np.abs(system.grid.wavenumbers()) < 6
    np.testing.assert_allclose(omega[slow], system.grid.kinetic_energy()[slow], atol=2e-4)


@pytest.mark.parametrize(("mass", "length", "cap"), [(1.0, 100.0, 30.0), (2000.0, 20.0, 3.0)])
def test_units_of_learning_are_small_below_the_cap(mass: float, length: float, cap: float) -> None:
    system = System(Grid(1024, length, "continuum", mass=mass), DT)
    network = UnitaryConfig(n_pairs=2, start="informed", kinetic_cap=cap).build(system).network
    k = np.sqrt(2 * mass * cap * np.array([0.25, 0.5, 1.1]))
    units = np.interp(k, network.knots(), unitary._units_of_learning(network))
    np.testing.assert_allclose(units, 0.02 / 4 * np.array([1 / 64, 1 / 8, 1]), rtol=0.05)


def test_phases_say_what_a_frame_does() -> None:
    """By hand: kicks and drifts in turn."""
    student, (v, psi) = make(), random(LINE)
    params = disturbed(student)
    kicks, drifts = student.phases(params, v)
    assert kicks.shape == (3, 256)
    assert drifts.shape == (2, 256)
    dispersion = student.dispersion(params)
    np.testing.assert_allclose(drifts.sum(axis=0) / DT, dispersion, rtol=1e-6, atol=ROUNDING)
    expected = np.exp(-1j * kicks[0]) * psi
    for kick, drift in zip(kicks[1:], drifts, strict=True):
        expected = np.exp(-1j * kick) * np.fft.ifft(np.exp(-1j * drift) * np.fft.fft(expected))
    np.testing.assert_allclose(evolve(student.bind(params), v, psi, 1), expected, atol=ROUNDING)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(256,\)"):
        student.phases(params, v[:-1])


# Systems whose local part changes, absorbs or has channels: shares of it, and nothing else.


class Constant(System):
    """Said to depend on time, which it does not."""

    is_autonomous = False


def test_shares_of_the_local_part_are_all_that_a_start_has() -> None:
    """There the network is silent, so that both ways give the same frame."""
    v, psi = random(LINE)
    plain, shared = (make(LINE, kind, start="informed") for kind in (System, Constant))
    params = init(plain)
    jax.tree.map(np.testing.assert_array_equal, params, init(shared))
    two = evolve(shared.bind(params), v, psi, 2)
    assert relative_error(two, evolve(plain.bind(params), v, psi, 2)) < 2 * ROUNDING


def test_channels_share_the_phases_of_waves_and_keep_the_norm() -> None:
    """Where the local part is said to depend on time."""
    student = UnitaryConfig(n_units=8).build(Constant(LINE, DT, n_channel=2))
    alone = UnitaryConfig(n_units=8).build(Constant(LINE, DT))
    assert student.is_unitary
    params = disturbed(alone)
    landscape = init(student)["landscape"] | {"share": params["landscape"]["share"]}
    emulator = student.bind(params | {"landscape": landscape})
    v, psi = random(LINE)
    both = jnp.stack([psi, jnp.roll(psi, 9)])
    matrix = jnp.stack([jnp.stack([v, 0.4j * v]), jnp.stack([-0.4j * v, 2 * v])])
    later = evolve(emulator, matrix, both, 5)
    assert float(jnp.linalg.norm(later)) == pytest.approx(2**0.5, abs=20 * ROUNDING)
    # Without coupling the channels are two systems of one channel.
    apart = evolve(emulator, matrix.at[0, 1].set(0).at[1, 0].set(0), both, 2)
    single = alone.bind(params)
    expected = jnp.stack([evolve(single, v, both[0], 2), evolve(single, 2 * v, both[1], 2)])
    assert relative_error(apart, expected) < 10 * ROUNDING


# On a line.


def test_mirror_symmetry_is_there_if_built_in() -> None:
    v, psi = random(LINE)
    for mirror in (True, False):
        student = make(mirror=mirror)
        emulator = student.bind(disturbed(student))
        mirrored = evolve(emulator, v[::-1], psi[::-1], 1)[::-1]
        violation = jnp.linalg.norm(mirrored - evolve(emulator, v, psi, 1))
        assert (violation < 2 * ROUNDING) == mirror


def test_the_slowest_waves_stand_still_if_built_in() -> None:
    """Whatever the parameters are, b(k) has no cusp at k = 0."""
    grid = Grid(1024, 100.0)
    for smooth in (True, False):
        student = make(grid, smooth=smooth)
        omega = student.dispersion(disturbed(student))
        # A parabola up to the first knot, 0.25, of which the grid has k = 0.06, 0.13, 0.19.
        curved = omega[1:4] / grid.wavenumbers()[1:4] ** 2
        assert np.allclose(curved, curved[0], rtol=1e-3) == smooth
        assert (omega[0] == 0) == smooth


def test_phases_do_not_depend_on_the_size_of_the_box() -> None:
    """A packet in the middle does not see whether the box is 25 or 50 bohr long."""
    student = make()
    params = init(student)
    x = jnp.arange(512) * LINE.dx[0]
    params = params | {"slope": 0.05 * jnp.arange(params["slope"].shape[1])[None]}
    psi = jnp.exp(-((x - 25) ** 2) + 2j * x)
    v = 4 * jnp.exp(-((x - 26) ** 2))
    emulator = student.bind(params)
    in_small = evolve(emulator, v[128:384], psi[128:384], 1)
    in_large = evolve(emulator.on(Grid(512, 50.0)), v, psi, 1)[128:384]
    np.testing.assert_allclose(in_small, in_large, atol=1e-5)


def test_the_integral_of_the_slope_is_exact() -> None:
    """A linear slope integrates to a parabola, at and between the knots."""
    config = UnitaryConfig(knot_spacing=0.5)
    at = unitary.knots(config, 0.1)
    k = np.linspace(0, at[-1], 77)
    np.testing.assert_allclose(unitary._hat_integrals(k, at) @ at, k**2 / 2, rtol=1e-12, atol=1e-12)


# In a plane.


@pytest.mark.parametrize(
    "image",
    [lambda a: a[::-1], lambda a: a[:, ::-1], lambda a: a.T],
    ids=["along x", "along y", "axes exchanged"],
)
def test_it_has_the_symmetry_of_the_square(image: Callable) -> None:
    v, psi = random(PLANE)
    student = make(PLANE)
    emulator = student.bind(disturbed(student))
    there, here = evolve(emulator, image(v), image(psi), 1), evolve(emulator, v, psi, 1)
    assert jnp.linalg.norm(there - image(here)) < 2 * ROUNDING
    assert jnp.linalg.norm(there - here) > 0.1


@pytest.fixture(scope="module")
def informed() -> Splitting:
    grid = Grid((96, 64), (24.0, 16.0), "continuum")
    return make(grid, start="informed", kinetic_cap=30.0)


def test_the_informed_start_is_the_clamped_split_step_in_the_plane(informed: Splitting) -> None:
    grid = informed.system.grid
    psi = packets.gaussian(grid, (10.0, 8.0), (1.2, 0.9), (3.0, -1.5))
    v = jnp.where(grid.positions(0) + 0.4 * grid.positions(1) > 14, 5.0, 0.0)
    expected = evolve(split_step(informed.system, 2, kinetic_cap=30.0), v, psi, 1)
    # The kink of the cap lies between two knots of the slope.
    assert relative_error(evolve(informed.bind(init(informed)), v, psi, 1), expected) < 3e-3


def test_the_informed_start_moves_a_free_packet_as_the_closed_form(informed: Splitting) -> None:
    """Twenty frames; knots follow k^2 / 2 to some 1e-4 of a radian below the cap."""
    grid = informed.system.grid
    start, width, momentum = (9.0, 9.0), (1.1, 1.0), (2.5, -1.0)
    psi = packets.gaussian(grid, start, width, momentum)
    later = evolve(informed.bind(init(informed)), jnp.zeros(grid.shape), psi, 20)
    along = [
        exact.gaussian(np.asarray(grid.positions(a)).ravel(), start[a], width[a], momentum[a], 2.0)
        for a in (0, 1)
    ]
    assert relative_error(later, np.multiply.outer(*along)) < 5e-3


def test_rings_hold_every_point_within_reach_once() -> None:
    rings = phases.rings(3, 2)
    steps = [step for ring in rings for step in ring]
    assert len(set(steps)) == len(steps) == 28
    for ring in rings:
        images = {(s * a, t * b) for a, b in ring for s in (1, -1) for t in (1, -1)}
        assert images | {(b, a) for a, b in images} == set(ring)


def test_means_over_the_nearest_ring_are_laplacian_and_squared_gradient() -> None:
    """Of a quadratic potential, in the middle of the box: exact."""
    x, y = jnp.arange(9.0)[:, None], jnp.arange(9.0)[None]
    v = 0.5 * x**2 + 0.25 * y**2 + x
    means = phases.means_over_rings(v, 1)
    laplacian, squares = 1.0 + 0.5, (5.0 + 1) ** 2 + (0.5 * 4) ** 2
    np.testing.assert_allclose(means[5, 4, 0], laplacian / 4, rtol=1e-6)
    # To the square of the gradient come those of the halved curvatures.
    expected = (2 * squares + 2 * (0.5**2 + 0.25**2)) / 4 / phases.V_SCALE
    np.testing.assert_allclose(means[5, 4, 1], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("grid", "form", "words"),
    [
        (Grid((8, 8), (1.0, 1.0)), {}, "`grid` must be a continuum of equal spacings"),
        (Grid((8, 8), (1.0, 2.0), "continuum"), {}, "`grid` must be a continuum of equal"),
        (
            Grid((8, 8), (1.0, 1.0), "continuum", mass=(1.0, 2.0)),
            {},
            "of equal spacings and masses",
        ),
        (PLANE, {"mirror": False}, "`mirror` must be True in more than one dimension"),
    ],
)
def test_what_singles_out_a_direction_is_refused(grid: Grid, form: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        make(grid, **form)


def test_a_line_is_refused_by_a_student_of_the_plane() -> None:
    student, (v, psi) = make(PLANE), random(PLANE)
    emulator = student.bind(init(student))
    with pytest.raises(
        ValueError, match=r"`v` must be of shape \(24, 24\), but is of shape \(24,\)"
    ):
        rollout(emulator, psi[None], v[0], 1)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"n_pairs": 0}, "`n_pairs` must be at least 1, but is 0"),
        ({"reach": 0}, "`reach` must be at least 1, but is 0"),
        ({"kinetic_cap": -1.0}, "`kinetic_cap` must be finite and positive, but is -1"),
        ({"knot_spacing": 0.0}, "`knot_spacing` must be finite and positive, but is 0"),
    ],
)
def test_impossible_forms_are_refused(form: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        UnitaryConfig(**form)
