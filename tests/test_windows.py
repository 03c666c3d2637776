import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.students import windows
from qdistill.students.windows import WindowConfig


@pytest.fixture
def frame() -> jax.Array:
    return jax.random.normal(jax.random.key(0), (64,), jnp.complex64)


def test_windows_wrap_around_the_box(frame: jax.Array) -> None:
    around_first = windows.around(frame, jnp.array([0]), 5)[0]
    np.testing.assert_array_equal(around_first, frame[jnp.array([62, 63, 0, 1, 2])])


def test_a_window_does_not_wrap_over_itself(frame: jax.Array) -> None:
    assert windows.around_all(frame[:5], 5).shape == (5, 5)
    with pytest.raises(ValueError, match="`n_window` must be at most 4, the points of the box"):
        windows.around_all(frame[:4], 5)


def test_around_all_is_around_every_point(frame: jax.Array) -> None:
    every = windows.around_all(frame, 23)
    np.testing.assert_array_equal(every, windows.around(frame, jnp.arange(64), 23))
    np.testing.assert_array_equal(every[:, 11], frame)


def test_a_numpy_field_may_be_known_inside_jit(frame: jax.Array) -> None:
    known = np.asarray(frame)
    inside = jax.jit(lambda centre: windows.around(known, centre[None], 5))(jnp.array(3))
    np.testing.assert_array_equal(inside[0], known[1:6])


def test_stitching_keeps_the_precision() -> None:
    with jax.enable_x64(True):
        for dtype in (jnp.complex64, jnp.complex128):
            assert windows.stitch(jnp.ones((64, 23), dtype), 2.8).dtype == dtype


def test_stitching_weights_are_the_papers_gaussian() -> None:
    weights = windows.stitching_weights(23, 2.8)
    assert weights.sum() == pytest.approx(1)
    assert weights[11 + 4] / weights[11] == pytest.approx(np.exp(-(4**2) / (2 * 2.8**2)))
    np.testing.assert_allclose(weights, weights[::-1])


def test_stitching_perfect_windows_gives_the_frame(frame: jax.Array) -> None:
    stitched = windows.stitch(windows.around_all(frame, 23), 2.8)
    np.testing.assert_allclose(stitched, frame, atol=1e-6)


def test_stitching_puts_one_windows_forecast_at_its_points_by_weight() -> None:
    """Only the window around point 10 forecasts something, at its offset +3: point 13."""
    forecasts = jnp.zeros((64, 23), jnp.complex64).at[10, 11 + 3].set(1.0)
    stitched = windows.stitch(forecasts, 2.8)
    weight = windows.stitching_weights(23, 2.8)[11 + 3]
    np.testing.assert_allclose(stitched, jnp.zeros(64).at[13].set(weight), atol=1e-7)


def test_encode_without_gauge_is_the_papers_input(frame: jax.Array) -> None:
    config = WindowConfig(v_scale=10.0)
    psi, v = frame[: 4 * 10].reshape(4, 10), jnp.linspace(0, 5, 10)
    inputs, unit = windows.encode(config, psi, v)
    assert inputs.shape == (4, 10, 3)
    assert unit == 1
    np.testing.assert_array_equal(inputs[..., 0] + 1j * inputs[..., 1], psi)
    np.testing.assert_allclose(inputs[..., 2], np.tile(v / 10, (4, 1)))


@pytest.mark.parametrize("factor", [3.0, 0.2, 1j, 0.5 - 2j])
def test_gauge_removes_amplitude_and_phase(frame: jax.Array, factor: complex) -> None:
    config = WindowConfig(n_window=5, gauge=True)
    psi, v = frame[:20].reshape(4, 5), jnp.zeros(5)
    inputs, unit = windows.encode(config, psi, v)
    scaled_inputs, scaled_unit = windows.encode(config, factor * psi, v)
    # The floor of the amplitude, 3e-4, enters squared beside amplitudes of order 1.
    np.testing.assert_allclose(scaled_inputs, inputs, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scaled_unit, factor * unit, rtol=1e-5)


@pytest.mark.parametrize("gauge", [False, True])
def test_decode_undoes_encode(frame: jax.Array, gauge: bool) -> None:
    config = WindowConfig(n_window=5, gauge=gauge)
    psi = frame[:20].reshape(4, 5)
    inputs, unit = windows.encode(config, psi, jnp.zeros(5))
    np.testing.assert_allclose(windows.decode(inputs[-1, :, :2], unit), psi[-1], rtol=1e-5)


def test_gauge_survives_empty_space() -> None:
    config = WindowConfig(n_window=5, gauge=True)
    inputs, _ = windows.encode(config, jnp.zeros((4, 5), jnp.complex64), jnp.zeros(5))
    np.testing.assert_array_equal(inputs, 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_window": 22}, "Argument `n_window` must be odd, but is 22."),
        ({"n_window": 1}, "Argument `n_window` must be at least 3, but is 1."),
        ({"n_history": 0}, "Argument `n_history` must be at least 1, but is 0."),
        ({"sigma": -1.0}, "Argument `sigma` must be finite and positive, but is -1.0."),
        ({"v_scale": 0.0}, "Argument `v_scale` must be finite and positive, but is 0.0."),
    ],
)
def test_refusals(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WindowConfig(**arguments)
