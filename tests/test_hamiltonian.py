"""The Hamiltonian as a function of psi, against dense matrices."""

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import box, relative_error, smooth_problem

from qdistill.physics.grid import Grid
from qdistill.physics.hamiltonian import hamiltonian

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


@both_dispersions
@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_hamiltonian_equals_the_dense_one(dispersion, mass) -> None:
    with jax.enable_x64(True):
        grid = Grid(128, 20.0, dispersion, mass=mass)
        v, psi = smooth_problem(grid)
        expected = exact.hamiltonian(grid, np.asarray(v)) @ np.asarray(psi)
        assert relative_error(hamiltonian(grid, v)(psi), expected) < 1e-12


@both_dispersions
def test_in_the_plane_each_axis_has_its_own_mass(dispersion) -> None:
    grid = Grid((12, 10), (3.0, 4.0), dispersion, mass=(1.0, 2.5))
    along = [
        exact.hamiltonian(Grid(n_x, length, dispersion, mass=mass), np.zeros(n_x))
        for n_x, length, mass in zip(grid.shape, grid.lengths, grid.mass, strict=True)
    ]
    with jax.enable_x64(True):
        psi = jnp.asarray(np.random.default_rng(0).normal(size=(12, 10)) + 0j)
        v = jnp.asarray(np.random.default_rng(1).normal(size=(12, 10)))
        expected = along[0] @ psi + psi @ along[1].T + v * psi
        assert relative_error(hamiltonian(grid, v)(psi), expected) < 1e-12


@both_dispersions
def test_channels_are_coupled_by_their_matrix(dispersion) -> None:
    with jax.enable_x64(True):
        grid = box(dispersion)
        v, psi = smooth_problem(grid)
        matrix = jnp.stack([jnp.stack([v, 0.3j * v]), jnp.stack([-0.3j * v, 2 * v])])
        both = jnp.stack([psi, jnp.roll(psi, 7)])
        free = exact.hamiltonian(grid, np.zeros(128))
        expected = both @ free.T + np.einsum("ijx,jx->ix", matrix, both)
        assert relative_error(hamiltonian(grid, matrix)(both), expected) < 1e-12


@both_dispersions
@pytest.mark.parametrize("real", [jnp.float32, jnp.float64])
def test_dtype_follows_the_inputs(dispersion, real) -> None:
    with jax.enable_x64(True):
        grid = box(dispersion)
        psi = jnp.ones(128, jnp.result_type(real, jnp.complex64))
        assert hamiltonian(grid, jnp.ones(128, real))(psi).dtype == psi.dtype


@pytest.mark.parametrize(
    ("v", "words"),
    [
        (jnp.zeros(17), r"of shape \(16,\), or between channels, but is of shape \(17,\)"),
        (jnp.zeros((16, 1)), r"of shape \(16,\), or between channels, but is of shape \(16, 1\)"),
        (jnp.zeros((2, 16)), "of shape"),
        (jnp.full(16, jnp.nan), "finite"),
        (jnp.zeros(16, int), "an array of real floating-point numbers, but is of type int32"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_what_is_no_potential_is_refused(v, words) -> None:
    with pytest.raises(ValueError, match=f"`v` must be {words}"):
        hamiltonian(Grid(16, 4.0), v)


@both_dispersions
def test_a_potential_of_space_acts_on_each_channel(dispersion: str) -> None:
    grid = Grid(16, 4.0, dispersion)
    v = jnp.asarray(np.random.default_rng(0).normal(size=16), jnp.float32)
    psi = jnp.asarray(np.random.default_rng(1).normal(size=(2, 16)), jnp.complex64)
    h = hamiltonian(grid, v)
    np.testing.assert_allclose(h(psi), jnp.stack([h(row) for row in psi]), atol=1e-4)
    with pytest.raises(ValueError, match="`psi`"):
        h(jnp.ones(1))
