"""The Hamiltonian on long waves against quadrature, dense diagonalisation and closed forms."""

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import band as projection
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Dispersion, Grid

GRID = Grid(128, 20.0, "continuum")
N_WAVE = 15


def functions(grid: Grid, n_wave: int) -> np.ndarray:
    """1, cosines and sines on the points, each of unit length."""
    phase = 2 * np.pi * np.arange(n_wave + 1)[:, None] * np.asarray(grid.positions(), float)
    phase = phase / grid.lengths[0]
    rows = np.concatenate([np.cos(phase), np.sin(phase[1:])])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


def test_waves_are_what_a_sum_over_the_points_finds() -> None:
    psi = random(128) + 1j * random(2, 128)[1]
    rows = functions(GRID, N_WAVE)
    found = projection.to_waves(GRID, N_WAVE, jnp.asarray(psi, jnp.complex64))
    np.testing.assert_allclose(found, rows @ psi * GRID.dx[0] ** 0.5, atol=1e-5)
    back = projection.from_waves(GRID, found)
    np.testing.assert_allclose(back, rows.T @ (rows @ psi), atol=1e-5)
    coarse = Grid(32, 20.0)
    there = projection.from_waves(coarse, found)
    again = projection.to_waves(coarse, N_WAVE, there)
    np.testing.assert_allclose(again, found, atol=1e-5)


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_the_matrix_is_the_block_of_the_dense_hamiltonian(dispersion: Dispersion) -> None:
    grid = Grid(128, 20.0, dispersion)
    v = random(128)
    rows = functions(grid, N_WAVE)
    found = projection.project(grid, N_WAVE, jnp.asarray(v, jnp.float32))
    expected = rows @ exact.hamiltonian(grid, v) @ rows.T
    np.testing.assert_allclose(found, expected, atol=3e-5)
    wide = projection.elements(jnp.asarray(v, jnp.float32), 20, N_WAVE)
    np.testing.assert_allclose(wide, (functions(grid, 20) * v) @ rows.T, atol=1e-5)


def test_energies_err_in_second_order_cut_off_and_in_third_order_folded() -> None:
    errors = []
    for height in (2.0, 4.0):
        v = potentials.barrier(GRID.positions(), height, 3.0, 12.0)
        true = np.linalg.eigvalsh(exact.hamiltonian(GRID, np.asarray(v, float)))[:14]
        for h in (projection.project(GRID, N_WAVE, v), projection.fold(GRID, N_WAVE, v, 2.0)):
            errors.append(np.linalg.eigvalsh(np.asarray(h, float))[:14] - true)
    low_cut, low_folded, high_cut, high_folded = errors
    # A variational principle: what is left out can only raise energies.
    assert min(low_cut.min(), high_cut.min()) > 0
    low, high = (np.linalg.norm(e) for e in (low_folded, high_folded))
    assert np.linalg.norm(high_cut) / np.linalg.norm(low_cut) == pytest.approx(4, rel=0.25)
    assert high / low == pytest.approx(8, rel=0.1)
    assert high < np.linalg.norm(high_cut) / 10


def test_evolution_is_that_of_the_dense_hamiltonian_of_a_smooth_landscape() -> None:
    v = 2 * np.cos(2 * np.pi * np.asarray(GRID.positions(), float) / 20)
    psi = np.asarray(packets.gaussian(GRID, 7.0, 1.2, 1.5))
    energies, states = np.linalg.eigh(exact.hamiltonian(GRID, v))
    true = states @ (np.exp(-10j * energies) * (states.T @ psi))
    spectrum = projection.diagonalise(projection.project(GRID, 31, jnp.asarray(v, jnp.float32)))
    waves = projection.to_waves(GRID, 31, jnp.asarray(psi))
    found = projection.from_waves(GRID, projection.evolve(spectrum, waves, 10.0))
    # 10 a.u. times the rounding of energies up to 50 hartree.
    np.testing.assert_allclose(found, true, atol=3e-4)


def test_a_constant_is_only_a_constant() -> None:
    v = jnp.asarray(potentials.barrier(GRID.positions(), 4.0, 3.0, 12.0))
    for make in (projection.project, projection.fold):
        change = make(GRID, N_WAVE, v + 2) - make(GRID, N_WAVE, v)
        np.testing.assert_allclose(change, 2 * np.eye(2 * N_WAVE + 1), atol=1e-4)


def test_the_frame_is_the_exponential_with_its_derivative() -> None:
    # Without a landscape all waves but one have a twin of the same energy.
    h, change = projection.project(GRID, 4, jnp.zeros(128)), jnp.asarray(random(9, 9), jnp.float32)
    change = change + change.T
    frame, slope = jax.jvp(lambda h: projection.frame(h, 0.7), (h,), (change,))
    expected = jax.scipy.linalg.expm(-0.7j * h)
    np.testing.assert_allclose(frame, expected, atol=1e-5)
    step = 0.01
    ahead, behind = (jax.scipy.linalg.expm(-0.7j * (h + s * change)) for s in (step, -step))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=2e-3)
    gradient = jax.grad(lambda h: jnp.abs(projection.frame(h, 0.7)[1, 2]) ** 2)(h)
    assert np.all(np.isfinite(gradient))


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_wave` must be at most 63 on this grid"):
        projection.project(GRID, 64, jnp.zeros(128))
    with pytest.raises(
        ValueError, match=r"`energy` must be below 12\.6, of the first wave left out"
    ):
        projection.fold(GRID, N_WAVE, jnp.zeros(128), 13.0)
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        projection.kinetic(Grid((8, 8), (1.0, 1.0)), 2)
