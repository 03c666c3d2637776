import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.forecast import metrics
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev


@pytest.fixture
def truth() -> jax.Array:
    return jax.random.normal(jax.random.key(0), (5, 64), jnp.complex64)


def test_perfect_forecasts(truth: jax.Array) -> None:
    np.testing.assert_allclose(metrics.correlation(truth, truth), 1, rtol=1e-6)
    np.testing.assert_array_equal(metrics.mae(truth, truth), 0)
    np.testing.assert_array_equal(metrics.nrmse(truth, truth), 0)


def test_which_metric_sees_norm_and_phase(truth: jax.Array) -> None:
    scaled, turned = 2 * truth, jnp.exp(0.3j) * truth
    np.testing.assert_allclose(metrics.correlation(scaled, truth), 1, rtol=1e-6)
    np.testing.assert_allclose(metrics.correlation(turned, truth), 1, rtol=1e-6)
    np.testing.assert_allclose(metrics.fidelity(turned, truth), 1, rtol=1e-5)
    np.testing.assert_allclose(metrics.phase_correlation(turned, truth), np.cos(0.3), rtol=1e-5)
    np.testing.assert_allclose(metrics.nrmse(scaled, truth), 1, rtol=1e-5)
    np.testing.assert_allclose(metrics.nrmse(turned, truth), 2 * np.sin(0.15), rtol=1e-5)
    np.testing.assert_allclose(metrics.norm_drift(scaled[:1], truth[0]), 1, rtol=1e-5)


def test_correlation_is_the_cosine_of_the_overlap() -> None:
    one = jnp.array([[1.0, 0, 0j]])
    other = jnp.array([[0.6, 0.8j, 0]], jnp.complex64)
    np.testing.assert_allclose(metrics.correlation(other, one), 0.6, rtol=1e-6)
    np.testing.assert_allclose(metrics.fidelity(other, one), 0.36, rtol=1e-6)


def test_mae_is_over_real_and_imaginary_parts(truth: jax.Array) -> None:
    np.testing.assert_allclose(metrics.mae(truth + 0.5 - 1.5j, truth), 1.0, rtol=1e-5)


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_a_forecast_that_blew_up_is_scored_as_such(truth: jax.Array, value: float) -> None:
    broken = truth.at[2, 7].set(value)
    correlation = metrics.correlation(broken, truth)
    assert correlation[2] == 0
    assert jnp.all(correlation[jnp.array([0, 1, 3, 4])] > 0.999)
    assert metrics.mae(broken, truth)[2] == jnp.inf
    assert metrics.nrmse(broken, truth)[2] == jnp.inf
    assert metrics.norm_drift(broken, truth[0])[2] == jnp.inf


@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_where_the_truth_is_not_known_nothing_is(truth: jax.Array, value: float) -> None:
    broken, grid = truth.at[2, 7].set(value), Grid(64, 10.0)
    for score in (
        metrics.correlation, metrics.fidelity, metrics.phase_correlation, metrics.mae,
        metrics.nrmse,
    ):  # fmt: skip
        found = score(truth, broken)
        assert jnp.isnan(found[2]), score
        assert jnp.all(jnp.isfinite(found[jnp.array([0, 1, 3, 4])])), score
    assert jnp.all(jnp.isnan(metrics.norm_drift(truth, broken[2])))
    assert jnp.all(jnp.isnan(metrics.energy_drift(grid, jnp.zeros(64), truth, broken[2])))
    assert jnp.isnan(metrics.horizon(metrics.correlation(truth, broken), 0.1))


def test_nothing_is_relative_to_a_truth_of_zero(truth: jax.Array) -> None:
    empty = truth.at[2].set(0)
    for forecast in (truth, empty):
        assert metrics.correlation(forecast, empty)[2] == 0
        assert metrics.nrmse(forecast, empty)[2] == jnp.inf
        assert jnp.all(metrics.nrmse(forecast, empty)[jnp.array([0, 1, 3, 4])] == 0)
    assert jnp.all(metrics.norm_drift(truth, empty[2]) == jnp.inf)


def test_a_huge_forecast_does_not_overflow_its_correlation(truth: jax.Array) -> None:
    np.testing.assert_allclose(metrics.correlation(1e30 * truth, truth), 1, rtol=1e-5)
    np.testing.assert_array_equal(metrics.correlation(0 * truth, truth), 0)


def test_the_exact_solver_drifts_in_neither_norm_nor_energy() -> None:
    grid = Grid(256, 50.0)
    psi = packets.gaussian(grid, 25.0, 2.0, 2.0)
    v = jnp.where(jnp.abs(grid.positions() - 30) < 2, 3.0, 0.0)
    frames = rollout(chebyshev(System(grid, 0.1), 1e-7), psi[None], v, 50)
    # complex64 rounding over 50 frames of about 10 products each.
    assert metrics.norm_drift(frames, psi).max() < 2e-5
    assert metrics.energy_drift(grid, v, frames, psi).max() < 2e-4


def test_energy_drift_is_the_change_of_energy() -> None:
    grid = Grid(64, 10.0)
    slow, fast = (jnp.exp(2j * jnp.pi * n * grid.positions() / 10) for n in (1, 3))
    omega = grid.kinetic_energy()
    drift = metrics.energy_drift(grid, jnp.full(64, 2.0), fast[None], slow)
    np.testing.assert_allclose(drift, omega[3] - omega[1], rtol=1e-4)


def test_horizon_ends_at_the_first_frame_below() -> None:
    correlations = jnp.array([1.0, 0.999, 0.99, 0.98, 1.0])
    assert metrics.horizon(correlations, 0.1, 0.99) == pytest.approx(0.3)
    assert metrics.horizon(correlations, 0.1, 1.0) == pytest.approx(0.1)
    with pytest.raises(ValueError, match="`threshold` must be between 0 and 1, but is 2"):
        metrics.horizon(correlations, 0.1, 2)


@pytest.mark.usefixtures("without_checker")
def test_the_horizons_of_several_cases_are_taken_one_by_one() -> None:
    correlations = jnp.array([1.0, 0.999, 0.99, 0.98, 1.0])
    many = jnp.stack([correlations, correlations])
    with pytest.raises(ValueError, match=r"of shape \(n_t,\), but is of shape \(2, 5\). Use jax"):
        metrics.horizon(many, 0.1)
    each = jax.vmap(lambda one: metrics.horizon(one, 0.1))(many)
    np.testing.assert_allclose(each, 0.3, rtol=1e-6)


def test_double_precision_is_kept_and_seen() -> None:
    with jax.enable_x64(True):
        grid = Grid(64, 10.0)
        truth = jax.random.normal(jax.random.key(0), (5, 64), jnp.complex128)
        close = truth * (1 + 1e-11)
        v = jnp.ones(64, jnp.float64)
        found = {
            "correlation": metrics.correlation(close, truth),
            "fidelity": metrics.fidelity(close, truth),
            "phase_correlation": metrics.phase_correlation(close, truth),
            "mae": metrics.mae(close, truth),
            "nrmse": metrics.nrmse(close, truth),
            "norm_drift": metrics.norm_drift(close[:1], truth[0]),
            "energy_drift": metrics.energy_drift(grid, v, close[:1], truth[0]),
            "horizon": metrics.horizon(metrics.correlation(close, truth), 0.1),
        }
        for name, values in found.items():
            assert values.dtype == jnp.float64, name
        np.testing.assert_allclose(found["nrmse"], 1e-11, rtol=1e-4)
        np.testing.assert_allclose(found["norm_drift"], 1e-11, rtol=1e-4)
        assert found["energy_drift"][0] < 1e-9


def test_one_frame_without_an_axis_of_time_is_refused() -> None:
    psi = jnp.ones(4, complex)
    for score in (metrics.correlation, metrics.mae, metrics.nrmse, metrics.fidelity):
        with pytest.raises(ValueError, match=r"psi\[None\]"):
            score(psi, psi)
    with pytest.raises(ValueError, match="`forecast`"):
        metrics.norm_drift(psi, psi[0])
