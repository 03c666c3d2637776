"""Resampling against plane waves, for which it is exact."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import packets, resampling
from qdistill.grid import Grid, norm

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


def test_a_low_passed_landscape_is_real_and_keeps_its_mean() -> None:
    v = jax.random.normal(jax.random.key(0), FINE.shape)
    found = resampling.low_pass(FINE, COARSE, v)
    assert found.dtype == v.dtype
    assert float(found.mean()) == pytest.approx(float(v.mean()), abs=1e-6)


def test_what_is_not_coarser_is_refused() -> None:
    with pytest.raises(ValueError, match="`n_x` must be between 4 and 255, but is 256"):
        resampling.coarse_grid(FINE, 256)
    with pytest.raises(ValueError, match="`fine` must be one-dimensional"):
        resampling.coarse_grid(Grid((8, 8), (1.0, 1.0)), 4)
    with pytest.raises(ValueError, match="`f` must be of shape"):
        resampling.to_coarse(FINE, COARSE, jnp.zeros(60, complex))
