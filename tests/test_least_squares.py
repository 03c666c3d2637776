"""An effective Hamiltonian fitted to eigenstates of boxes by least squares."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import evolve, relative_error

from experiments.frontier import least_squares
from experiments.frontier.least_squares import OperatorsConfig
from qdistill.physics import packets, potentials
from qdistill.physics.band import to_waves
from qdistill.physics.eigenstates import eigenstates
from qdistill.physics.grid import Grid
from qdistill.students import PropagatorConfig
from qdistill.system import System
from qdistill.teacher import chebyshev

TAUGHT = System(Grid(1024, 100.0, "continuum"), 5.0)
BOX = Grid(128, 12.5, "continuum")
STUDENT = PropagatorConfig(256).build(TAUGHT)


def test_least_squares_find_a_planted_law() -> None:
    config = OperatorsConfig(("barrier",), n_boxes=3, n_box=128, n_states=20, ridge=1e-9)
    planted = np.random.default_rng(1).normal(size=24)
    a = np.random.default_rng(2).normal(size=(3, 400, 24))
    b = a @ planted
    normal = (
        np.einsum("bpi,bpj->bij", a, a),
        np.einsum("bpi,bp->bi", a, b),
        np.sum(b**2, axis=1),
    )
    found, errors = least_squares._solve(config, *normal)
    np.testing.assert_allclose(found, planted, rtol=1e-4)
    assert errors.max() < 1e-6 * normal[2].min()


def test_equations_are_those_of_the_hamiltonian_with_any_weights() -> None:
    """What they predict of weights is what these change between the eigenstates of the box."""
    config = OperatorsConfig(n_box=128, n_states=20)
    with jax.enable_x64(True):
        v = potentials.double(BOX.positions(dtype=float), (5.0, 8.0), 1.3, 2.1, 6.25)
        boxed = STUDENT.on(BOX)
        a, b = least_squares.equations(config, boxed, v)
        energies, states = eigenstates(BOX, v, 20)
        p = jax.vmap(lambda psi: to_waves(boxed.band, psi + 0j).real)(states) / BOX.cell**0.5
        start = boxed.hamiltonian({"weights": jnp.zeros((2, 12))}, v)
        importance = []
        for weights in np.random.default_rng(0).normal(size=(2, 2, 12)):
            change = boxed.hamiltonian({"weights": jnp.asarray(weights)}, v) - start
            importance.append((a @ weights.ravel()).reshape(20, 20) / (p @ change @ p.T))
        np.testing.assert_allclose(importance[1], importance[0], rtol=1e-6)
        assert importance[0].min() > 0
        mean = (energies[:, None] + energies[None]) / 2
        missing = mean * (p @ p.T) - p @ start @ p.T
        np.testing.assert_allclose(b.reshape(20, 20), importance[0] * missing, atol=1e-9)


def test_a_law_learned_from_barriers_mends_a_double_barrier() -> None:
    config = OperatorsConfig(("barrier",), n_boxes=48, n_box=128, n_states=20)
    emulator, report = least_squares.distil(config, STUDENT, jax.random.key(0))
    assert report["foretold_error"] < 0.4 * report["foretold_error_before"]
    assert np.shape(report["weights"]) == (2, 12)
    v = potentials.double(BOX.positions(), (5.0, 8.0), 1.3, 2.1, 6.25)
    psi = packets.gaussian(BOX, 2.5, 0.8, 2.5)
    true = evolve(chebyshev(System(BOX, 5.0, bounds=(0.0, 8.0)), 1e-6), v, psi, 1)
    nothing = STUDENT.bind(jax.jit(STUDENT.init)(jax.random.key(0)))
    before, after = (
        relative_error(evolve(each.on(BOX), v, psi, 1), true) for each in (nothing, emulator)
    )
    assert after < 0.6 * before


@pytest.mark.parametrize("lessons", [("barrier",), ("wall", "shape")], ids=["line", "square"])
def test_boxes_have_the_spacing_of_the_grid(lessons: tuple[str, ...]) -> None:
    system = TAUGHT if len(lessons) == 1 else System(Grid((64, 64), (16.0, 16.0), "continuum"))
    config = OperatorsConfig(lessons, n_boxes=3, n_box=40, n_states=10)
    v = least_squares.sample_boxes(config, system, jax.random.key(1))
    assert v.shape == (3,) + (40,) * system.grid.n_dim
    assert np.all(np.ptp(v.reshape(3, -1), axis=1) > 0)
    assert least_squares.box_of(system.grid, 40).dx == pytest.approx(system.grid.dx)


def test_what_cannot_be_is_refused() -> None:
    key = jax.random.key(0)
    with pytest.raises(ValueError, match="`n_states` must be at most 31, the waves of the band"):
        least_squares.fit(OperatorsConfig(n_box=128), STUDENT, key)
    with pytest.raises(ValueError, match="`n_fields` must be at least 1"):
        least_squares.fit(OperatorsConfig(), PropagatorConfig(256, 0).build(TAUGHT), key)
    with pytest.raises(ValueError, match="`n_box` must be between 4 and 1024"):
        least_squares.fit(OperatorsConfig(n_box=2048), STUDENT, key)
