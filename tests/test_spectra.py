"""Eigenstates of boxes against closed forms, and what the loss on them foretells."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill._rollout import rollout
from qdistill.physics import potentials
from qdistill.physics.grid import Dispersion, Grid
from qdistill.students import Student, from_propagator
from qdistill.teacher import solvers as solver
from qdistill.training import boxes as spectra
from qdistill.training import losses
from qdistill.training.boxes import Spectra, SpectraConfig

DT = 0.1
GRID = Grid(1024, 100.0)
BOX = Grid(128, 12.5)
SMALL = SpectraConfig(n_box=64, n_states=24, horizon=50)


def as_student(propagator: solver.Propagator) -> Student:
    return from_propagator(propagator)._replace(is_linear=True)


def spectra_of(v: jax.Array, n_states: int) -> Spectra:
    energies, states = spectra.eigenstates(BOX, v, n_states)
    return Spectra(energies[None], states[None], v[None], jnp.zeros(1, int))


def loss_of(propagator: solver.Propagator, batch: Spectra, config: SpectraConfig) -> float:
    loss = losses.spectral_loss(as_student(propagator), DT, config)
    return float(loss({}, batch, jax.random.key(0))[0])


def test_the_harmonic_oscillator_has_its_levels() -> None:
    grid = Grid(128, 12.5, "continuum")
    v = potentials.harmonic(grid.positions(), omega=3.0, centre=6.25)
    energies, states = spectra.eigenstates(grid, v, 8)
    # In float32 the matrix, of norm 1e3, has lost 1e-4.
    np.testing.assert_allclose(energies, 3 * (np.arange(8) + 0.5), atol=1e-4)
    np.testing.assert_allclose(states @ states.T, np.eye(8), atol=1e-5)


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_the_solver_turns_eigenstates_by_their_energies(dispersion: Dispersion) -> None:
    grid = Grid(128, 12.5, dispersion)
    v = potentials.barrier(grid.positions(), 5.0, 3.0, 6.0)
    energies, states = spectra.eigenstates(grid, v, 24)
    step = solver.chebyshev(grid, DT, 1e-7, (0.0, 5.0))(v)
    expected = jnp.exp(-1j * DT * energies)[:, None] * states
    np.testing.assert_allclose(jax.vmap(step)(states + 0j), expected, atol=1e-5)


def test_a_box_lies_around_an_edge() -> None:
    v = potentials.barrier(GRID.positions(), 5.0, 3.0, 50.0)
    keys = jax.random.split(jax.random.key(0), 6400)
    boxes = np.asarray(jax.vmap(lambda key: spectra.cut_out(key, v, 64))(keys))
    # A box may be drawn around flat ground: by the weights 4 of 6400, give or take 2.
    assert np.sum(np.ptp(boxes, axis=1) == 0) < 12
    # The barrier at every place, cut by either end or whole.
    assert len(np.unique(boxes, axis=0)) > 64


def test_a_flat_landscape_has_flat_boxes() -> None:
    assert not np.any(spectra.cut_out(jax.random.key(0), jnp.zeros(1024), 64))


def test_the_exact_propagator_has_no_loss() -> None:
    v = potentials.barrier(BOX.positions(), 5.0, 3.0, 6.0)
    exact = solver.chebyshev(BOX, DT, 1e-7, (0.0, 5.0))
    config = SpectraConfig(n_box=128, n_states=24, horizon=100)
    # Rounding of 1e-6 a frame, a hundredfold and squared.
    assert loss_of(exact, spectra_of(v, 24), config) < 1e-8


def test_the_loss_foretells_the_error_of_a_rollout() -> None:
    """A wrong constant in v is an error of phase, which adds up over all frames."""
    v = potentials.barrier(BOX.positions(), 5.0, 3.0, 6.0)
    exact = solver.chebyshev(BOX, DT, 1e-7, (0.0, 6.0))
    shifted = lambda v: exact(v + 1e-3)  # noqa: E731
    config = SpectraConfig(n_box=128, n_states=24, horizon=100)
    foretold = loss_of(shifted, spectra_of(v, 24), config) ** 0.5
    psi = jnp.exp(-((BOX.positions() - 3) ** 2) + 2j * BOX.positions())
    late = [rollout(propagator(v), psi, 100)[-1] for propagator in (exact, shifted)]
    seen = jnp.linalg.norm(late[1] - late[0]) / jnp.linalg.norm(late[0])
    assert float(seen) == pytest.approx(100 * DT * 1e-3, rel=1e-2)
    assert foretold == pytest.approx(float(seen), rel=1e-2)


def test_a_relative_loss_counts_from_where_the_student_began() -> None:
    """The error of a constant in v grows with the square of the constant."""
    exact = solver.chebyshev(BOX, DT, 1e-7, (0.0, 6.0))
    student = Student(
        1, lambda key: jnp.zeros(()), lambda c: lambda v: exact(v + c), is_linear=True
    )
    batch = spectra_of(potentials.barrier(BOX.positions(), 5.0, 3.0, 6.0), 24)
    config = SpectraConfig(n_box=128, n_states=24, horizon=100)
    loss = losses.spectral_loss(student, DT, config, start=jnp.array(1e-2))
    for constant, expected in ((1e-2, 1.0), (5e-3, 0.25)):
        found = float(loss(jnp.array(constant), batch, jax.random.key(0))[0])
        assert found == pytest.approx(expected, rel=1e-2)


def test_an_error_between_far_levels_does_not_add_up() -> None:
    """Seen through a fixed rotation of the states, the error stays what it is in one frame."""
    v = potentials.barrier(BOX.positions(), 5.0, 3.0, 6.0)
    exact = solver.chebyshev(BOX, DT, 1e-7, (0.0, 6.0))

    def rotated(v: jax.Array) -> solver.Step:
        turn = jnp.exp(1e-3j * jnp.cos(2 * jnp.pi * 10 * BOX.positions() / 12.5))
        step = exact(v)
        return lambda psi: step(psi * turn) * turn.conj()

    config = SpectraConfig(n_box=128, n_states=64, horizon=200)
    foretold = loss_of(rotated, spectra_of(v, 64), config) ** 0.5
    # At most both ends of the rotation, each 1e-3 / sqrt(2): it does not grow with the horizon.
    assert 3e-4 < foretold < 2e-3


def test_a_block_is_a_pure_function_of_its_key() -> None:
    make = jax.jit(spectra.make_block(GRID, ("barrier", "landscapes"), SMALL, 3, (4, 2)))
    weights = jnp.array([1.0, 1.0])
    one, same = make(jax.random.key(1), weights, 1.0), make(jax.random.key(1), weights, 1.0)
    jax.tree.map(np.testing.assert_array_equal, one, same)
    other = make(jax.random.key(2), weights, 1.0)
    assert np.any(other.spectra.v != one.spectra.v)
    batch = spectra.cut_batch(one, 2)
    assert batch.states.shape == (2, 24, 64)
    np.testing.assert_array_equal(batch.v, one.spectra.v[one.run[2]])


def test_integers_are_refused(without_checker: None) -> None:
    with pytest.raises(ValueError, match="`v` must be an array of real floating-point numbers"):
        spectra.eigenstates(BOX, jnp.zeros(128, int), 3)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_box` must be at most n_x = 1024, but is 2048"):
        spectra.make_block(GRID, ("barrier",), SpectraConfig(n_box=2048), 2, (2, 2))
    square = Grid((8, 8), (2.0, 2.0))
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        spectra.make_block(square, ("plane-wall",), SMALL, 2, (2, 2))
    with pytest.raises(ValueError, match="`n_states` must be at most n_box = 32, but is 64"):
        SpectraConfig(n_box=32)
    with pytest.raises(ValueError, match="`n_states` must be between 1 and 128, but is 129"):
        spectra.eigenstates(BOX, jnp.zeros(128), 129)
    with pytest.raises(ValueError, match="`n_box` must be between 2 and 32, but is 33"):
        spectra.cut_out(jax.random.key(0), jnp.zeros(32), 33)
    student = from_propagator(solver.chebyshev(BOX, DT))
    with pytest.raises(ValueError, match="`examples` must be windows or frames"):
        losses.spectral_loss(student, DT, SMALL)
