"""Eigenstates of small boxes against closed forms and the solvers."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import evolve, one, relative_error

from qdistill.physics import potentials
from qdistill.physics.eigenstates import eigenstates, evolution
from qdistill.physics.grid import Dispersion, Grid
from qdistill.system import System
from qdistill.teacher import chebyshev


@pytest.mark.parametrize("mass", [1.0, 2.0])
def test_the_harmonic_oscillator_has_its_levels(mass: float) -> None:
    """v = omega^2 x^2 / 2 has the frequency omega / sqrt(mass)."""
    grid = Grid(128, 12.5, "continuum", origin=-6.25, mass=mass)
    v = potentials.harmonic(grid.positions(), omega=3.0, centre=0.0)
    energies, states = eigenstates(grid, v, 8)
    # In float32 the matrix, of norm 1e3, has lost 1e-4.
    np.testing.assert_allclose(energies, 3 / mass**0.5 * (np.arange(8) + 0.5), atol=1e-4)
    np.testing.assert_allclose(states @ states.T, np.eye(8), atol=1e-5)


def test_energies_and_states_in_double_precision() -> None:
    with jax.enable_x64(True):
        grid = Grid(128, 12.5, "continuum", origin=-6.25)
        v = potentials.harmonic(grid.positions(), omega=3.0, centre=0.0)
        energies, states = eigenstates(grid, v, 8)
        assert energies.dtype == states.dtype == jnp.float64
        np.testing.assert_allclose(energies, 3 * (np.arange(8) + 0.5), rtol=1e-12)
        psi = states[0] + 1j * states[1]
        later = evolution(grid, v)(psi, 2.0)
        assert later.dtype == jnp.complex128
        expected = np.exp(-3j) * states[0] + 1j * np.exp(-9j) * states[1]
        assert relative_error(later, expected) < 1e-10


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_the_solver_turns_eigenstates_by_their_energies(dispersion: Dispersion) -> None:
    system = System(Grid(128, 12.5, dispersion), bounds=(0.0, 5.0))
    v = potentials.barrier(system.grid.positions(), 5.0, 3.0, 6.0)
    energies, states = eigenstates(system.grid, v, 24)
    expected = jnp.exp(-0.1j * energies)[:, None] * states
    frames = jax.vmap(one(chebyshev(system, 1e-7), v))(states + 0j)
    np.testing.assert_allclose(frames, expected, atol=1e-5)


def test_the_solver_agrees_with_diagonalisation_in_the_plane() -> None:
    system = System(Grid((12, 10), (4.0, 3.0), "continuum", mass=(1.0, 1.5)))
    v = 4 * jax.random.normal(jax.random.key(2), system.shape)
    psi = jax.random.normal(jax.random.key(3), system.shape, jnp.complex64)
    evolved = evolution(system.grid, v)(psi, 1.0)
    stepped = evolve(chebyshev(system), v, psi, 10)
    # float32 holds energies to 1e-7 of the largest, some 60 hartree, over 1 a.u.
    assert jnp.linalg.norm(evolved - stepped) / jnp.linalg.norm(psi) < 1e-4


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("v", "n_states", "words"),
    [
        (jnp.zeros(128, int), 3, "`v` must be an array of real floating-point numbers"),
        (jnp.full(128, jnp.nan), 3, "`v` must be finite"),
        (jnp.zeros(127), 3, r"`v` must be of shape \(128,\)"),
        (jnp.zeros(128), 129, "`n_states` must be between 1 and 128, but is 129"),
        (jnp.zeros(128), 0, "`n_states` must be at least 1, but is 0"),
    ],
)
def test_refusals(v: jax.Array, n_states: int, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        eigenstates(Grid(128, 12.5), v, n_states)


def test_a_state_of_another_shape_is_refused() -> None:
    evolve_to = evolution(Grid(16, 4.0), jnp.zeros(16))
    with pytest.raises(ValueError, match=r"`psi` must be of shape \(16,\)"):
        evolve_to(jnp.ones(8, jnp.complex64), 1.0)


@pytest.mark.usefixtures("without_checker")
def test_times_are_taken_one_by_one() -> None:
    evolve = evolution(Grid(8, 2.0), jnp.zeros(8))
    with pytest.raises(ValueError, match="`t`"):
        evolve(jnp.ones(8, complex), jnp.arange(3.0))
