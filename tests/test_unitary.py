"""The unitary student: its symmetries hold to rounding whatever its parameters are."""

import functools
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small
from jaxtyping import PyTree

from qdistill import students
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.students import Student, StudentConfig, UnitaryConfig, unitary
from qdistill.teacher import solvers as solver
from qdistill.training import loop as training

GRID = Grid(256, 25.0)
DT = 0.1
# Rounding of complex64 in one frame of a few FFTs.
ROUNDING = 3e-6


def make(**form: Any) -> Student:
    return students.make(
        StudentConfig("unitary", unitary=UnitaryConfig(n_units=8, **form)), GRID, DT
    )


def disturbed(student: Student, seed: int = 1) -> PyTree:
    """Parameters away from every special value."""
    params = jax.jit(student.init)(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, noisy)


@pytest.fixture(scope="module")
def trained() -> tuple[Student, PyTree]:
    """After real training, from nothing."""
    setup = runs.set_up(small.UNITARY)
    state = setup.trainers[0].init(jax.random.key(0))
    for new, _ in training.fit(setup.trainers, small.UNITARY.training.boundaries, state):
        state = new
    assert not np.allclose(state.params["slope"], 0)
    return setup.student, state.params


FORMS: list[dict[str, Any]] = [
    {},
    {"n_pairs": 1, "start": "informed", "kinetic_cap": 25.0},
    {"n_pairs": 3, "mirror": False, "reversible": False},
]


# (v, psi) -> psi, one frame later.
Evolution: TypeAlias = Callable[[jax.Array, jax.Array], jax.Array]


@pytest.fixture(scope="module")
def each_state(trained: tuple[Student, PyTree]) -> list[Evolution]:
    """What students do at their start, far from it, and trained."""
    forms = [make(**form) for form in FORMS]
    evolutions: list[Evolution] = []
    for student, every in (
        *[(s, (jax.jit(s.init)(jax.random.key(0)), disturbed(s))) for s in forms],
        (trained[0], (trained[1],)),
    ):
        evolve = jax.jit(lambda params, v, psi, s=student: s.propagator(params)(v)(psi))
        evolutions += [functools.partial(evolve, params) for params in every]
    return evolutions


def states(n: int) -> jax.Array:
    psi = jax.random.normal(jax.random.key(7), (n, 256), jnp.complex64)
    return psi / jnp.linalg.norm(psi, axis=1, keepdims=True)


V = 5 * jax.random.normal(jax.random.key(8), (256,))


def test_it_conserves_norms_and_inner_products(each_state: list[Evolution]) -> None:
    first = np.asarray(states(2))
    for evolve in each_state:
        later = list(first)
        for _ in range(20):
            later = [evolve(V, psi) for psi in later]
        gram = np.conj(later) @ np.transpose(later)
        np.testing.assert_allclose(gram, np.conj(first) @ first.T, atol=20 * ROUNDING)


def test_it_is_linear(each_state: list[Evolution]) -> None:
    phi, psi = states(2)
    for evolve in each_state:
        together = evolve(V, 2j * phi - 0.5 * psi)
        apart = 2j * evolve(V, phi) - 0.5 * evolve(V, psi)
        np.testing.assert_allclose(together, apart, atol=2 * ROUNDING)


def test_a_constant_in_v_is_a_phase(each_state: list[Evolution]) -> None:
    (psi,) = states(1)
    for evolve in each_state:
        shifted = evolve(V + 3.0, psi)
        # v + 3 rounds at 1e-6, which the network's steepest response may multiply.
        expected = np.exp(-3j * DT) * evolve(V, psi)
        np.testing.assert_allclose(shifted, expected, atol=3 * ROUNDING)


def test_mirror_symmetry_is_there_if_built_in() -> None:
    (psi,) = states(1)
    for mirror in (True, False):
        student = make(mirror=mirror)
        propagator = student.propagator(disturbed(student))
        violation = jnp.linalg.norm(propagator(V[::-1])(psi[::-1])[::-1] - propagator(V)(psi))
        assert (violation < 2 * ROUNDING) == mirror


def test_time_reversal_is_there_if_built_in() -> None:
    """The complex conjugate of a forecast evolves to that of the start."""
    (psi,) = states(1)
    for reversible in (True, False):
        student = make(reversible=reversible)
        step = student.propagator(disturbed(student))(V)
        back = jnp.conj(step(jnp.conj(step(psi))))
        assert (jnp.linalg.norm(back - psi) < 4 * ROUNDING) == reversible


@pytest.mark.parametrize("n_pairs", [1, 2, 3])
@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_the_informed_start_is_the_clamped_split_step(n_pairs: int, dispersion: str) -> None:
    grid = Grid(1024, 100.0, dispersion)
    config = UnitaryConfig(n_pairs=n_pairs, start="informed", kinetic_cap=30.0)
    student = unitary.make(config, grid, DT)
    params = jax.jit(student.init)(jax.random.key(0))
    psi = jnp.exp(-((grid.positions() - 50) ** 2) / 8 + 3j * grid.positions())
    psi = psi / jnp.linalg.norm(psi)
    v = jnp.where(jnp.abs(grid.positions() - 52) < 3, 5.0, 0.0)
    expected = solver.split_step(grid, DT, n_pairs, kinetic_cap=30.0)(v)(psi)
    # The kink of the cap lies between two knots of the slope.
    np.testing.assert_allclose(student.propagator(params)(v)(psi), expected, atol=2e-4)
    omega = unitary.dispersion(config, grid, DT, params)
    slow = np.abs(grid.wavenumbers()) < 6
    np.testing.assert_allclose(omega[slow], grid.kinetic_energy()[slow], atol=2e-4)


def test_the_start_from_nothing_knows_no_kinetic_energy() -> None:
    student = make()
    params = jax.jit(student.init)(jax.random.key(0))
    (psi,) = states(1)
    np.testing.assert_allclose(student.propagator(params)(jnp.zeros(256))(psi), psi, atol=ROUNDING)
    assert not unitary.dispersion(UnitaryConfig(n_units=8), GRID, DT, params).any()


def test_the_slowest_waves_stand_still_if_built_in() -> None:
    """Whatever the parameters are, b(k) has no cusp at k = 0."""
    grid = Grid(1024, 100.0)
    for smooth in (True, False):
        config = UnitaryConfig(n_units=8, smooth=smooth)
        params = disturbed(make(smooth=smooth))
        omega = unitary.dispersion(config, grid, DT, params)
        # A parabola up to the first knot, 0.25, of which the grid has k = 0.06, 0.13, 0.19.
        curved = omega[1:4] / grid.wavenumbers()[1:4] ** 2
        assert np.allclose(curved, curved[0], rtol=1e-3) == smooth
        assert (omega[0] == 0) == smooth


def test_phases_do_not_depend_on_the_size_of_the_box() -> None:
    """A packet in the middle does not see whether the box is 25 or 50 bohr long."""
    student = make()
    params = jax.jit(student.init)(jax.random.key(0))
    x = jnp.arange(512) * GRID.dx[0]
    params = params | {"slope": 0.05 * jnp.arange(params["slope"].shape[1])[None]}
    psi = jnp.exp(-((x - 25) ** 2) + 2j * x)
    v = 4 * jnp.exp(-((x - 26) ** 2))
    step = student.propagator(params)
    small_box, large_box = step(v[128:384])(psi[128:384]), step(v)(psi)[128:384]
    np.testing.assert_allclose(small_box, large_box, atol=1e-5)


def test_the_integral_of_the_slope_is_exact() -> None:
    """A linear slope integrates to a parabola, at and between the knots."""
    config = UnitaryConfig(knot_spacing=0.5)
    at = unitary.knots(config, 0.1)
    k = np.linspace(0, at[-1], 77)
    np.testing.assert_allclose(unitary._hat_integrals(k, at) @ at, k**2 / 2, rtol=1e-12, atol=1e-12)


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
