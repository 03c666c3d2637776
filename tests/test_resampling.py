"""Resampling against plane waves, for which it is exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.frontier import resampling
from qdistill.physics import packets
from qdistill.physics.grid import Grid, norm

FINE = Grid(256, 25.0)
COARSE = resampling.coarse_grid(FINE, 60)


def wave(grid: Grid, number: int) -> np.ndarray:
    return np.exp(2j * np.pi * number * np.asarray(grid.positions(), float) / 25).astype(
        np.complex64
    )


@pytest.mark.parametrize("number", [0, 3, 29, -29])
def test_waves_that_fit_are_the_same_on_both_grids(number: int) -> None:
    there = resampling.to_coarse(FINE, COARSE, jnp.asarray(wave(FINE, number)))
    np.testing.assert_allclose(there, wave(COARSE, number), atol=1e-5)
    back = resampling.to_fine(FINE, COARSE, jnp.asarray(wave(COARSE, number)))
    np.testing.assert_allclose(back, wave(FINE, number), atol=1e-5)


@pytest.mark.parametrize("number", [30, -30, 31, 100])
def test_waves_that_do_not_fit_are_dropped(number: int) -> None:
    there = resampling.to_coarse(FINE, COARSE, jnp.asarray(wave(FINE, number)))
    np.testing.assert_allclose(there, np.zeros(60), atol=1e-5)


def test_a_packet_keeps_its_norm_and_its_values() -> None:
    psi, there = (packets.gaussian(grid, 12.0, 1.5, 3.0) for grid in (FINE, COARSE))
    found = resampling.to_coarse(FINE, COARSE, psi)
    assert float(norm(COARSE, found)) == pytest.approx(1, abs=1e-5)
    # Both are samples of one packet; what it has beyond k = 7.4 is exp(-43).
    np.testing.assert_allclose(found, there, atol=1e-5)


@pytest.mark.parametrize("origin", [0.0, -7.3])
def test_there_and_back_is_exact_in_double_precision(origin: float) -> None:
    with jax.enable_x64(True):
        for n_dim in (1, 2, 3):
            coarse = Grid((9,) * n_dim, (5.0,) * n_dim, origin=origin)
            fine = Grid((20,) * n_dim, (5.0,) * n_dim, origin=origin)
            random = np.random.default_rng(0).normal(size=(2, *coarse.shape))
            psi = jnp.asarray(random[0] + 1j * random[1])
            there = resampling.to_fine(fine, coarse, psi)
            assert there.dtype == jnp.complex128
            back = resampling.to_coarse(fine, coarse, there)
            np.testing.assert_allclose(back, psi, atol=1e-14)


def test_a_low_passed_landscape_is_real_and_keeps_its_mean() -> None:
    v = jax.random.normal(jax.random.key(0), FINE.shape)
    found = resampling.low_pass(FINE, COARSE, v)
    assert found.dtype == v.dtype
    assert float(found.mean()) == pytest.approx(float(v.mean()), abs=1e-6)


def test_what_is_not_coarser_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_x` must be between 4 and 255, but is 256"):
        resampling.coarse_grid(FINE, 256)
    with pytest.raises(ValueError, match="`fine` must be a line, square or cube"):
        resampling.coarse_grid(Grid((8, 8), (1.0, 2.0)), 4)
    with pytest.raises(ValueError, match="`f` must be of shape"):
        resampling.to_coarse(FINE, COARSE, jnp.zeros(60, complex))
    with pytest.raises(ValueError, match=r"`coarse` must be of the same lengths, \(25\.0,\)"):
        resampling.to_coarse(FINE, Grid(60, 20.0), jnp.zeros(256, complex))
    with pytest.raises(ValueError, match="`coarse` must be between 4 and 60, but is 256"):
        resampling.to_fine(COARSE, FINE, jnp.zeros(256, complex))


def test_the_share_beyond_the_band_is_that_of_its_waves() -> None:
    psi = jnp.asarray(3 * wave(FINE, 29) + 4 * wave(FINE, -30))
    np.testing.assert_allclose(resampling.out_of_band(FINE, COARSE, psi), 0.8, atol=1e-5)


def test_a_packet_that_does_not_fit_is_refused() -> None:
    slow, fast = (packets.gaussian(FINE, 12.0, 1.5, k) for k in (3.0, 7.0))
    resampling.require_within_band(FINE, COARSE, slow)
    with pytest.raises(ValueError, match=r"within \|k\| < 7\.54 but for 0\.02 of its norm"):
        resampling.require_within_band(FINE, COARSE, fast)
    resampling.require_within_band(FINE, COARSE, fast, tolerance=0.5)
    with pytest.raises(ValueError, match="`psi` must be finite"):
        resampling.require_within_band(FINE, COARSE, slow.at[3].set(jnp.nan))
    # Nothing has nothing beyond.
    resampling.require_within_band(FINE, COARSE, 0 * slow)


def test_waves_of_a_plane_are_those_of_its_axes() -> None:
    fine = Grid((32, 32), (25.0, 25.0))
    coarse = resampling.coarse_grid(fine, 20)

    def plane_wave(grid: Grid, m: int, n: int) -> jnp.ndarray:
        x, y = (np.asarray(grid.positions(axis), float) for axis in (0, 1))
        return jnp.asarray(np.exp(2j * np.pi * (m * x + n * y) / 25).astype(np.complex64))

    # The second is beyond the waves of 20 points along one axis only.
    psi = 3 * plane_wave(fine, 9, -4) + 4 * plane_wave(fine, 2, -10)
    there = resampling.to_coarse(fine, coarse, psi)
    np.testing.assert_allclose(there, 3 * plane_wave(coarse, 9, -4), atol=2e-5)
    back = resampling.to_fine(fine, coarse, there)
    np.testing.assert_allclose(back, 3 * plane_wave(fine, 9, -4), atol=2e-5)
    np.testing.assert_allclose(resampling.out_of_band(fine, coarse, psi), 0.8, atol=1e-5)
