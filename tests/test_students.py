import flax.linen as nn
import jax
import jax.numpy as jnp
import jaxtyping
import numpy as np
import pytest

from qdistill import students
from qdistill._rollout import rollout
from qdistill.physics.grid import Grid
from qdistill.students import StudentConfig, windowed, windows
from qdistill.students.feedforward import Conv, Linear
from qdistill.students.gru import GRU
from qdistill.students.windows import WindowConfig


def test_gru_has_the_papers_size() -> None:
    """The published 40,204, less 69 x 46 rows for a doubled state and 2 x 69 doubled biases."""
    params = jax.eval_shape(students.make(StudentConfig(), Grid(), 0.1).init, jax.random.key(0))
    assert students.count_parameters(params) == 40_204 - 69 * 46 - 2 * 69


def test_gru_equals_flax_gru_cell() -> None:
    """The fused kernels give what `nn.GRUCell` with ReLU candidates gives, run frame by frame."""
    network = GRU()
    window = jax.random.normal(jax.random.key(1), (4, 23, 3))
    params = jax.jit(network.init)(jax.random.key(0), window)["params"]
    params["candidate_bias"] = jax.random.normal(jax.random.key(2), (69,))

    kernels = jnp.split(params["input"]["kernel"], 3, axis=1)
    biases = jnp.split(params["input"]["bias"], 3)
    recurrent = jnp.split(params["recurrent"], 3, axis=1)
    cell_params = {
        **{
            f"i{gate}": {"kernel": kernel, "bias": bias}
            for gate, kernel, bias in zip("rzn", kernels, biases, strict=True)
        },
        **{f"h{gate}": {"kernel": k} for gate, k in zip("rzn", recurrent, strict=True)},
    }
    cell_params["hn"]["bias"] = params["candidate_bias"]
    cell = nn.GRUCell(69, activation_fn=nn.relu)
    state = jnp.zeros(69)
    for frame in window.reshape(4, 69):
        encoder = params["encoder"]
        encoded = nn.relu(frame @ encoder["kernel"] + encoder["bias"])
        state, _ = cell.apply({"params": cell_params}, state, encoded)
    decoder = params["decoder"]
    expected = (state @ decoder["kernel"] + decoder["bias"]).reshape(23, 2)
    forecast = jnp.asarray(network.apply({"params": params}, window))
    np.testing.assert_allclose(forecast, expected, rtol=1e-4, atol=1e-5)


def test_recurrent_kernels_start_orthogonal() -> None:
    params = jax.jit(students.make(StudentConfig(), Grid(), 0.1).init)(jax.random.key(0))
    for kernel in jnp.split(params["recurrent"], 3, axis=1):
        np.testing.assert_allclose(kernel.T @ kernel, np.eye(69), atol=1e-5)


class Persistence(nn.Module):
    """Forecasts the last given frame again."""

    @nn.compact
    def __call__(self, window: jax.Array) -> jax.Array:
        return window[-1, :, :2]


@pytest.mark.parametrize("gauge", [False, True])
def test_windowed_student_stitches_what_its_network_says(gauge: bool) -> None:
    student = windowed.make(Persistence(), WindowConfig(gauge=gauge))
    history = jax.random.normal(jax.random.key(0), (4, 64), jnp.complex64)
    step = student.propagator({})(jnp.zeros(64))
    later = rollout(step, history, 5, student.psi)
    np.testing.assert_allclose(later, jnp.tile(history[-1], (5, 1)), rtol=1e-4, atol=1e-5)


def test_step_moves_the_history_on() -> None:
    student = students.make(StudentConfig(n_units=8), Grid(), 0.1)
    params = jax.jit(student.init)(jax.random.key(0))
    history = jax.random.normal(jax.random.key(1), (4, 64), jnp.complex64)
    v = jax.random.normal(jax.random.key(2), (64,))
    new = student.propagator(params)(v)(history)
    np.testing.assert_array_equal(new[:3], history[1:])
    # Point 20 by hand: every window that covers it, weighted.
    assert student.forecast_window is not None
    forecast_window = jax.jit(student.forecast_window)
    total = jnp.zeros((), jnp.complex64)
    for offset, weight in zip(windows.offsets(23), windows.stitching_weights(23, 2.8), strict=True):
        centre = jnp.array([20 - offset])
        forecast = forecast_window(
            params, windows.around(history, centre, 23)[:, 0], windows.around(v, centre, 23)[0]
        )
        total += weight * forecast[11 + offset]
    np.testing.assert_allclose(new[-1, 20], total, rtol=1e-4)


def test_windowed_students_are_translation_invariant() -> None:
    student = students.make(StudentConfig(n_units=8), Grid(), 0.1)
    propagator = student.propagator(jax.jit(student.init)(jax.random.key(0)))
    history = jax.random.normal(jax.random.key(1), (4, 64), jnp.complex64)
    v = jax.random.normal(jax.random.key(2), (64,))
    moved = propagator(jnp.roll(v, 7))(jnp.roll(history, 7, axis=1))
    np.testing.assert_allclose(moved, jnp.roll(propagator(v)(history), 7, axis=1), atol=1e-6)


def test_gauged_students_are_homogeneous() -> None:
    student = students.make(StudentConfig(n_units=8, windows=WindowConfig(gauge=True)), Grid(), 0.1)
    step = student.propagator(jax.jit(student.init)(jax.random.key(0)))(jnp.ones(64))
    history = jax.random.normal(jax.random.key(1), (4, 64), jnp.complex64)
    factor = 0.3 - 0.7j
    # The floor of 3e-4 enters squared: relative deviations of about 1e-6.
    np.testing.assert_allclose(step(factor * history), factor * step(history), rtol=1e-4, atol=1e-5)


def test_student_state_is_history_or_psi() -> None:
    frames = jnp.arange(6.0)[:, None] * jnp.ones(3, jnp.complex64)[None]
    student = students.make(StudentConfig(), Grid(), 0.1)
    np.testing.assert_array_equal(student.state(frames), frames[-4:])
    np.testing.assert_array_equal(student.psi(frames[-4:]), frames[-1])
    memoryless = student._replace(n_history=1)
    np.testing.assert_array_equal(memoryless.state(frames), frames[-1])
    np.testing.assert_array_equal(memoryless.psi(frames[-1]), frames[-1])


def test_a_student_with_a_history_of_one_frame_is_used_like_a_teacher() -> None:
    student = windowed.make(Persistence(), WindowConfig(n_history=1))
    frames = jax.random.normal(jax.random.key(0), (3, 64), jnp.complex64)
    later = rollout(student.propagator({})(jnp.zeros(64)), student.state(frames), 5, student.psi)
    np.testing.assert_allclose(later, jnp.tile(frames[-1], (5, 1)), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", students.STUDENTS)
def test_a_config_knows_whether_its_student_is_made_of_windows(name: str) -> None:
    config = StudentConfig(name)
    student = students.make(config, Grid(), 0.1)
    assert config.is_windowed == (student.forecast_window is not None)


@pytest.mark.usefixtures("without_checker")
def test_windowed_students_refuse_what_they_cannot_forecast_from() -> None:
    student = windowed.make(Persistence(), WindowConfig())
    propagator = student.propagator({})
    frames = jnp.zeros((3, 64), jnp.complex64)
    with pytest.raises(ValueError, match="`frames` must be at least 4 frames, but is 3"):
        student.state(frames)
    with pytest.raises(ValueError, match=r"`state` must be of shape \(4, 64\), but is .*\(3, 64\)"):
        propagator(jnp.zeros(64))(frames)
    with pytest.raises(ValueError, match="`v` must be finite"):
        propagator(jnp.full(64, jnp.nan))
    with pytest.raises(ValueError, match="`v` must be one-dimensional, but is 2-dimensional"):
        propagator(jnp.zeros((64, 64)))
    with pytest.raises(ValueError, match="`v` must be an array of real floating-point numbers"):
        propagator(jnp.zeros(64, int))


def test_refusals() -> None:
    with pytest.raises(ValueError, match=r"`name` must be one of 'linear'.*, but is 'oracle'"):
        StudentConfig("oracle")
    with pytest.raises(ValueError, match="`n_units` must be at least 1, but is 0"):
        StudentConfig(n_units=0)


@pytest.mark.parametrize(
    ("name", "n_parameters"),
    [
        ("linear", 69 * 46 + 46),
        ("dense", (69 * 69 + 69) + (4 * 69 * 69 + 69) + (69 * 46 + 46)),
        ("conv", (4 * 16 + 16) + (16 * 69 * 69 + 69) + (69 * 46 + 46)),
        ("lstm", (69 * 69 + 69) + (2 * 69 * 4 * 69 + 4 * 69) + (69 * 46 + 46)),
    ],
)
def test_the_papers_other_students_have_its_sizes(name: str, n_parameters: int) -> None:
    student = students.make(StudentConfig(name), Grid(), 0.1)
    params = jax.eval_shape(student.init, jax.random.key(0))
    assert students.count_parameters(params) == n_parameters


def test_the_linear_student_is_affine_and_sees_the_last_frame_only() -> None:
    network = Linear()
    one, other = jax.random.normal(jax.random.key(1), (2, 4, 23, 3))
    params = jax.jit(network.init)(jax.random.key(0), one)

    @jax.jit
    def forecast(window: jax.Array) -> jax.Array:
        return jnp.asarray(network.apply(params, window))

    mean = (forecast(one) + forecast(other)) / 2
    np.testing.assert_allclose(forecast((one + other) / 2), mean, atol=1e-6)
    np.testing.assert_array_equal(forecast(one.at[:3].set(0)), forecast(one))


def test_the_convolution_is_one_over_the_frames() -> None:
    """Its filters equal those of a convolution with a (4, 1) kernel over (frames, features)."""
    network = Conv()
    window = jax.random.normal(jax.random.key(1), (4, 23, 3))
    params = jax.jit(network.init)(jax.random.key(0), window)["params"]
    convolution = nn.Conv(16, (4, 1), padding="VALID")
    kernel = params["filters"]["kernel"].reshape(4, 1, 1, 16)
    filtered = convolution.apply(
        {"params": {"kernel": kernel, "bias": params["filters"]["bias"]}},
        window.reshape(1, 4, 69, 1),
    )
    hidden = (
        nn.relu(jnp.asarray(filtered)).reshape(-1) @ params["dense"]["kernel"]
        + params["dense"]["bias"]
    )
    expected = nn.relu(hidden) @ params["decoder"]["kernel"] + params["decoder"]["bias"]
    forecast = jnp.asarray(network.apply({"params": params}, window))
    np.testing.assert_allclose(forecast.ravel(), expected, atol=1e-5)


@pytest.mark.parametrize("name", students.STUDENTS)
def test_every_student_makes_a_step(name: str) -> None:
    student = students.make(StudentConfig(name, n_units=8), Grid(256, 25.0), 0.1)
    frames = jax.random.normal(jax.random.key(1), (4, 256), jnp.complex64)
    state = student.state(frames)

    @jax.jit
    def advance(state: jax.Array) -> jax.Array:
        return student.propagator(student.init(jax.random.key(0)))(jnp.ones(256))(state)

    new = advance(state)
    assert new.shape == state.shape
    assert student.psi(new).dtype == jnp.complex64
    assert jnp.all(jnp.isfinite(new))


@pytest.mark.parametrize("name", students.STUDENTS)
def test_landscapes_that_are_none_are_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)
    student = students.make(StudentConfig(name, n_units=8), Grid(256, 25.0), 0.1)
    propagator = student.propagator(jax.jit(student.init)(jax.random.key(0)))
    for v, message in (
        (jnp.full(256, jnp.nan), "`v` must be finite"),
        (jnp.zeros((256, 2)), "`v` must be one-dimensional, but is 2-dimensional"),
        (jnp.zeros(256, int), "`v` must be an array of real floating-point numbers"),
    ):
        with pytest.raises(ValueError, match=message):
            propagator(v)
    short = jnp.zeros((4, 250), jnp.complex64)
    with pytest.raises(ValueError, match="must be of shape"):
        propagator(jnp.zeros(256))(student.state(short))
