"""The unitary student in two dimensions: what is built in holds, whatever it learned."""

from typing import Any

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import students
from qdistill._rollout import repeat
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.students import Student, StudentConfig, UnitaryConfig, phases, unitary
from qdistill.teacher import solvers as solver
from qdistill.training import boxes as spectra

DT = 0.1
GRID = Grid((24, 24), (6.0, 6.0), "continuum")
# Rounding of complex64 in one frame of a few FFTs.
ROUNDING = 3e-6
V = 5 * jax.random.normal(jax.random.key(8), (24, 24))
PSI = jax.random.normal(jax.random.key(7), (2, 24, 24), jnp.complex64)
PSI = PSI / jnp.linalg.norm(PSI, axis=(1, 2), keepdims=True)


def make(grid: Grid = GRID, **form: Any) -> Student:
    config = UnitaryConfig(reach=2, n_units=8, **form)
    return students.make(StudentConfig("unitary", unitary=config), grid, DT)


@pytest.fixture(scope="module")
def evolve() -> Any:
    """Of (v, psi), by a student far from its start."""
    student = make()
    leaves, tree = jax.tree.flatten(jax.jit(student.init)(jax.random.key(0)))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    params = jax.tree.unflatten(tree, noisy)
    return jax.jit(lambda v, psi: student.propagator(params)(v)(psi))


def test_it_is_linear_and_conserves_inner_products(evolve) -> None:
    later = list(PSI)
    for _ in range(20):
        later = [evolve(V, psi) for psi in later]
    gram = [[jnp.vdot(a, b) for b in later] for a in later]
    before = [[jnp.vdot(a, b) for b in PSI] for a in PSI]
    np.testing.assert_allclose(gram, before, atol=20 * ROUNDING)
    together = evolve(V, 2j * PSI[0] - 0.5 * PSI[1])
    apart = 2j * evolve(V, PSI[0]) - 0.5 * evolve(V, PSI[1])
    np.testing.assert_allclose(together, apart, atol=2 * ROUNDING)


def test_a_constant_in_v_is_a_phase(evolve) -> None:
    expected = np.exp(-3j * DT) * evolve(V, PSI[0])
    np.testing.assert_allclose(evolve(V + 3.0, PSI[0]), expected, atol=3 * ROUNDING)


@pytest.mark.parametrize(
    "image",
    [
        lambda a: a[::-1],
        lambda a: a[:, ::-1],
        lambda a: a.T,
        lambda a: jnp.roll(a, (3, -5), (0, 1)),
    ],
    ids=["along x", "along y", "axes exchanged", "shifted"],
)
def test_it_has_the_symmetry_of_the_square_and_of_shifts(evolve, image) -> None:
    there = evolve(image(V), image(PSI[0]))
    assert jnp.linalg.norm(there - image(evolve(V, PSI[0]))) < 2 * ROUNDING
    assert jnp.linalg.norm(there - evolve(V, PSI[0])) > 0.1


def test_it_is_reversible(evolve) -> None:
    back = jnp.conj(evolve(V, jnp.conj(evolve(V, PSI[0]))))
    assert jnp.linalg.norm(back - PSI[0]) < 4 * ROUNDING


@pytest.fixture(scope="module")
def informed() -> tuple[Grid, Any]:
    grid = Grid((96, 64), (24.0, 16.0), "continuum")
    student = make(grid, start="informed", kinetic_cap=30.0)
    return grid, student.propagator(jax.jit(student.init)(jax.random.key(0)))


def test_the_informed_start_is_the_clamped_split_step(informed) -> None:
    grid, propagator = informed
    psi = packets.gaussian(grid, (10.0, 8.0), (1.2, 0.9), (3.0, -1.5))
    v = jnp.where(grid.positions(0) + 0.4 * grid.positions(1) > 14, 5.0, 0.0)
    expected = solver.split_step(grid, DT, 2, kinetic_cap=30.0)(v)(psi)
    error = jnp.linalg.norm(propagator(v)(psi) - expected) / jnp.linalg.norm(psi)
    # The kink of the cap lies between two knots of the slope.
    assert error < 3e-3


def test_the_informed_start_moves_a_free_packet_as_the_closed_form(informed) -> None:
    """Twenty frames; knots follow k^2 / 2 to some 1e-4 of a radian below the cap."""
    grid, propagator = informed
    start, width, momentum = (9.0, 9.0), (1.1, 1.0), (2.5, -1.0)
    psi = packets.gaussian(grid, start, width, momentum)
    later = repeat(propagator(jnp.zeros(grid.shape)), psi, 20)
    along = [
        exact.gaussian(np.asarray(grid.positions(a)).ravel(), start[a], width[a], momentum[a], 2.0)
        for a in (0, 1)
    ]
    truth = np.multiply.outer(*along)
    assert np.linalg.norm(later - truth) / np.linalg.norm(truth) < 5e-3


def test_the_start_from_nothing_knows_no_kinetic_energy() -> None:
    student = make()
    params = jax.jit(student.init)(jax.random.key(0))
    later = student.propagator(params)(jnp.zeros(GRID.shape))(PSI[0])
    np.testing.assert_allclose(later, PSI[0], atol=ROUNDING)
    form = UnitaryConfig(reach=2, n_units=8)
    assert not unitary.dispersion(form, GRID, DT, params).any()


def test_rings_hold_every_point_within_reach_once() -> None:
    rings = phases.rings(3, 2)
    steps = [step for ring in rings for step in ring]
    assert len(set(steps)) == len(steps) == 28
    for ring in rings:
        images = {(s * a, t * b) for a, b in ring for s in (1, -1) for t in (1, -1)}
        assert images | {(b, a) for a, b in images} == set(ring)


def test_means_over_the_nearest_ring_are_laplacian_and_squared_gradient() -> None:
    """Of a quadratic landscape, in the middle of the box: exact."""
    x, y = jnp.arange(9.0)[:, None], jnp.arange(9.0)[None]
    v = 0.5 * x**2 + 0.25 * y**2 + x
    means = phases.means_over_rings(v, 1)
    laplacian, squares = 1.0 + 0.5, (5.0 + 1) ** 2 + (0.5 * 4) ** 2
    np.testing.assert_allclose(means[5, 4, 0], laplacian / 4, rtol=1e-6)
    # Beside the square of the gradient, those of the halved curvatures.
    expected = (2 * squares + 2 * (0.5**2 + 0.25**2)) / 4 / phases.V_SCALE
    np.testing.assert_allclose(means[5, 4, 1], expected, rtol=1e-6)


@pytest.mark.parametrize(
    ("grid", "form", "words"),
    [
        (Grid((8, 8), (1.0, 1.0)), {}, "`grid` must be a continuum of equal spacings"),
        (Grid((8, 8), (1.0, 2.0), "continuum"), {}, "`grid` must be a continuum of equal"),
        (GRID, {"mirror": False}, "`mirror` must be True in more than one dimension"),
    ],
)
def test_what_singles_out_a_direction_is_refused(grid, form, words) -> None:
    with pytest.raises(ValueError, match=words):
        make(grid, **form)


def test_a_line_is_refused_by_a_student_of_the_plane(without_checker, evolve) -> None:
    student = make()
    params = student.init(jax.random.key(0))
    with pytest.raises(ValueError, match="`v` must be 2-dimensional, but is 1-dimensional"):
        student.propagator(params)(V[0])


def test_the_solver_agrees_with_diagonalisation_in_the_plane() -> None:
    grid = Grid((12, 10), (4.0, 3.0), "continuum")
    v = 4 * jax.random.normal(jax.random.key(2), grid.shape)
    psi = jax.random.normal(jax.random.key(3), grid.shape, jnp.complex64)
    evolved = spectra.evolution(grid, v)(psi, 1.0)
    stepped = repeat(solver.chebyshev(grid, DT)(v), psi, 10)
    # float32 holds energies to 1e-7 of the largest, some 60 hartree, over 1 a.u.
    assert jnp.linalg.norm(evolved - stepped) / jnp.linalg.norm(psi) < 1e-4
