import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import small

from qdistill import batches, runs, solver, students, training
from qdistill.batches import Batch, BatchConfig
from qdistill.students import Student, StudentConfig
from qdistill.training import Stage, TrainState
from qdistill.windows import WindowConfig


@pytest.fixture(scope="module")
def setup() -> runs.Setup:
    return runs.set_up(small.CONFIG)


def train(setup: runs.Setup, state: TrainState | None = None, until: int = 99) -> list:
    state = setup.trainers[0].init(jax.random.key(0)) if state is None else state
    history = []
    for new, metrics in training.fit(setup.trainers, small.CONFIG.training.boundaries, state):
        history.append((new, metrics))
        if metrics["step"] >= until:
            break
    return history


def assert_same_bits(first: TrainState, second: TrainState) -> None:
    def bits(leaf: jax.Array) -> np.ndarray:
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    jax.tree.map(lambda a, b: np.testing.assert_array_equal(bits(a), bits(b)), first, second)


def test_training_is_reproducible_and_can_go_on_from_any_block(setup: runs.Setup) -> None:
    whole = train(setup)
    assert [metrics["step"] for _, metrics in whole] == [4, 8, 12, 16, 18, 20]
    assert [metrics["stage"] for _, metrics in whole] == [0, 0, 0, 0, 1, 1]
    for i in (0, 3, 4):
        later = train(setup, whole[i][0])
        assert_same_bits(later[-1][0], whole[-1][0])


def test_two_seeds_differ(setup: runs.Setup) -> None:
    one, other = (setup.trainers[0].init(jax.random.key(seed)) for seed in (0, 1))
    assert not jnp.allclose(one.params["recurrent"], other.params["recurrent"])


def test_every_leaf_is_single_precision(setup: runs.Setup) -> None:
    state = train(setup, until=4)[-1][0]
    for leaf in jax.tree.leaves((state.params, state.opt_state, state.lesson_losses)):
        assert leaf.dtype in (jnp.float32, jnp.int32)


def test_metrics_say_what_a_log_needs(setup: runs.Setup) -> None:
    metrics = train(setup, until=4)[-1][1]
    assert math.isfinite(metrics["loss"])
    assert sum(metrics["lesson_weights"]) == pytest.approx(1)
    assert len(metrics["lesson_losses"]) == 2
    assert metrics["teacher_seconds"] > 0
    assert metrics["student_seconds"] > 0


def make_batch(n_t: int = 5, n_point: int = 23) -> Batch:
    psi = jax.random.normal(jax.random.key(0), (6, n_t, n_point), jnp.complex64)
    return Batch(psi, jnp.zeros((6, n_point)), jnp.zeros(6, jnp.int32))


def persistence(n_history: int = 4) -> Student:
    """Forecasts the last frame again, whatever its parameters."""
    return Student(
        n_history,
        lambda key: {},
        lambda params: lambda v: lambda history: jnp.concatenate([history[1:], history[-1:]]),
        lambda params, psi, v: psi[-1],
    )


def test_window_loss_is_the_papers_mean_squared_error() -> None:
    batch, window = make_batch(), WindowConfig()
    losses = training.window_loss(persistence(), window, Stage())({}, batch, jax.random.key(0))
    error = batch.psi[:, 3] - batch.psi[:, 4]
    expected = (error.real**2 + error.imag**2).mean(axis=1) / 2
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_relative_window_loss_is_blind_to_the_amplitude() -> None:
    batch = make_batch()
    louder = batch._replace(psi=100 * batch.psi)
    stage = Stage(relative=True, loss_sigma=2.8)
    loss = training.window_loss(persistence(), WindowConfig(gauge=True), stage)
    key = jax.random.key(0)
    np.testing.assert_allclose(loss({}, batch, key), loss({}, louder, key), rtol=1e-4)


def test_noise_disturbs_the_given_frames_by_its_size() -> None:
    """Persistence repeats the noise, so the relative squared error is its variance."""
    n = 400
    psi = jnp.ones((n, 5, 23), jnp.complex64)
    batch = Batch(psi, jnp.zeros((n, 23)), jnp.zeros(n, jnp.int32))
    loss = training.window_loss(persistence(), WindowConfig(), Stage(noise=0.1))
    losses = loss({}, batch, jax.random.key(0))
    # Mean over 400 x 23 complex samples: standard error about 1%.
    assert float(losses.mean()) == pytest.approx(0.1**2 / 2, rel=0.05)


def test_rollout_loss_is_the_mean_relative_error_of_the_frames() -> None:
    batch = make_batch(n_t=7, n_point=64)
    frames = BatchConfig(n_target=3, whole_frames=True)
    losses = training.rollout_loss(persistence(), Stage(batches=frames))(
        {}, batch, jax.random.key(0)
    )
    target = batch.psi[:, 4:]
    error = jnp.sum(jnp.abs(target - batch.psi[:, 3:4]) ** 2, axis=-1)
    expected = (error / jnp.sum(jnp.abs(target) ** 2, axis=-1)).mean(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-5)


def test_gradient_flows_through_a_rollout() -> None:
    """The rollout loss's directional derivative against a central difference, in float64."""
    with jax.enable_x64(True):
        student = students.make(StudentConfig(n_units=6))
        # Off the start, where biases of zero put units that are all off on the kink of ReLU.
        params = jax.tree.map(lambda p: p + 0.1 * jnp.sin(1 + p), student.init(jax.random.key(0)))
        psi = jax.random.normal(jax.random.key(1), (1, 7, 32), jnp.complex128)
        batch = Batch(psi, jnp.ones((1, 32)), jnp.zeros(1, jnp.int32))
        stage = Stage(batches=BatchConfig(n_target=3, whole_frames=True))
        losses = training.rollout_loss(student, stage)
        loss = jax.jit(lambda p: losses(p, batch, jax.random.key(0))[0])
        direction = jax.tree.map(jnp.cos, jax.tree.map(lambda p: 9 * p + 1, params))
        slope = sum(
            jnp.vdot(g, d)
            for g, d in zip(
                jax.tree.leaves(jax.grad(loss)(params)), jax.tree.leaves(direction), strict=True
            )
        )

        def moved(h: float) -> jax.Array:
            return loss(jax.tree.map(lambda p, d: p + h * d, params, direction))

        # ReLU has kinks, but none within a step of 1e-6 here; the difference errs by 1e-9 or so.
        difference = (moved(1e-6) - moved(-1e-6)) / 2e-6
        assert float(slope) == pytest.approx(float(difference), rel=1e-6)


def test_training_learns() -> None:
    """Two hundred steps on one lesson lower the relative error of a window fivefold at least."""
    stage = dataclasses.replace(
        small.WINDOWS,
        n_steps=200,
        batches=BatchConfig(n_batch=64, n_block=100, n_runs=8, n_frames=20, placement="amplitude"),
        peak_rate=5e-3,
        noise=0.0,
    )
    config = dataclasses.replace(
        small.CONFIG,
        training=training.TrainingConfig((stage,)),
        student=StudentConfig(n_units=32, windows=WindowConfig(gauge=True)),
    )
    setup = runs.set_up(config)
    state = setup.trainers[0].init(jax.random.key(0))
    block = setup.trainers[0].make_block(state)
    batch = batches.cut_batch(block, 0, 5, 23)
    loss = training.window_loss(setup.student, config.student.windows, stage)
    before = loss(state.params, batch, jax.random.key(0)).mean()
    for new, _ in training.fit(setup.trainers, [200], state):
        state = new
    after = loss(state.params, batch, jax.random.key(0)).mean()
    assert after < before / 5


def test_learning_rate_warms_up_and_decays() -> None:
    rate = training.learning_rate(Stage(n_steps=10_000, warm_up=0.01))
    assert float(rate(0)) == 0
    assert float(rate(50)) == pytest.approx(0.5e-3)
    assert float(rate(100)) == pytest.approx(1e-3)
    assert float(rate(5050)) == pytest.approx((1e-3 + 1e-6) / 2, rel=1e-3)
    assert float(rate(10_000)) == pytest.approx(1e-6, rel=1e-3)


def test_gradients_are_clipped_per_array() -> None:
    clip = training.clip_each(1.0)
    gradients = {"large": jnp.array([3.0, 4.0]), "small": jnp.array([0.3, 0.4])}
    clipped, _ = clip.update(gradients, clip.init(gradients))
    np.testing.assert_allclose(clipped["large"], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(clipped["small"], [0.3, 0.4], rtol=1e-6)


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_weight_decay_spares_biases(optimiser: training.Optimiser) -> None:
    """With a zero gradient only the decay moves the parameters."""
    stage = Stage(n_steps=1000, optimiser=optimiser, warm_up=0.0, peak_rate=0.1)
    rule = training.make_optimiser(stage)
    params = {"kernel": jnp.ones((3, 3)), "bias": jnp.ones(3)}
    state = rule.init(params)
    nothing = jax.tree.map(jnp.zeros_like, params)
    _, state = rule.update(nothing, state, params)
    updates, _ = rule.update(nothing, state, params)
    np.testing.assert_array_equal(updates["bias"], 0)
    assert jnp.all(updates["kernel"] < 0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_steps": 1500}, "`n_steps` must be a multiple of n_block = 1000, but is 1500"),
        ({"peak_rate": 0.0}, "`peak_rate` must be finite and positive, but is 0.0"),
        ({"noise": -0.1}, "`noise` must be between 0 and inf, but is -0.1"),
        ({"warm_up": 2.0}, "`warm_up` must be between 0 and 1, but is 2.0"),
    ],
)
def test_refusals(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stage(**arguments)


def test_students_without_windows_cannot_learn_from_windows() -> None:
    student = persistence()._replace(forecast_window=None)
    with pytest.raises(ValueError, match="`whole_frames` must be True for this student"):
        training.window_loss(student, WindowConfig(), Stage())


def test_teacher_config_builds_both_solvers() -> None:
    grid, chebyshev = solver.make_teacher(solver.TeacherConfig(n_x=64, length=10.0))
    _, split_step = solver.make_teacher(
        solver.TeacherConfig(n_x=64, length=10.0, solver="split_step", n_substeps=40)
    )
    psi = jnp.exp(2j * jnp.pi * grid.positions() / 10)
    v = jnp.cos(grid.positions())
    # The config's tolerance of 1e-5; Strang's error over one frame at 40 substeps is far below it.
    difference = chebyshev(v)(psi) - split_step(v)(psi)
    assert jnp.linalg.norm(difference) < 1e-5 * jnp.linalg.norm(psi)
    with pytest.raises(ValueError, match="`n_substeps` must be at least 4 on this grid"):
        solver.TeacherConfig(solver="split_step", n_substeps=2)
