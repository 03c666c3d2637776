import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small

from qdistill.curriculum import schedules as curriculum
from qdistill.runs import folder
from qdistill.students import WindowConfig, WindowedConfig
from qdistill.training import batches, loop, losses, stages
from qdistill.training.batches import Batch, BatchConfig
from qdistill.training.loop import TrainState
from qdistill.training.stages import Stage


@pytest.fixture(scope="module")
def setup() -> folder.Setup:
    return folder.set_up(small.CONFIG)


def train(setup: folder.Setup, state: TrainState | None = None, until: int = 99) -> list:
    state = setup.trainers[0].init(jax.random.key(0)) if state is None else state
    history = []
    for new, metrics in loop.fit(setup.trainers, small.CONFIG.training.boundaries, state):
        history.append((new, metrics))
        if metrics["step"] >= until:
            break
    return history


def assert_same_bits(first: TrainState, second: TrainState) -> None:
    def bits(leaf: jax.Array) -> np.ndarray:
        is_key = jax.dtypes.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        return np.asarray(jax.random.key_data(leaf) if is_key else leaf)

    jax.tree.map(lambda a, b: np.testing.assert_array_equal(bits(a), bits(b)), first, second)


def test_training_is_reproducible_and_can_go_on_from_any_block(setup: folder.Setup) -> None:
    whole = train(setup)
    assert [metrics["step"] for _, metrics in whole] == [4, 8, 12, 16, 18, 20]
    assert [metrics["stage"] for _, metrics in whole] == [0, 0, 0, 0, 1, 1]
    for i in (0, 3, 4):
        later = train(setup, whole[i][0])
        assert_same_bits(later[-1][0], whole[-1][0])


def test_training_sees_the_batches_that_make_batch_gives(setup: folder.Setup) -> None:
    """The second block of the first stage, begun at step 4, is folded in by that step."""
    state = train(setup, until=4)[-1][0]
    block = setup.trainers[0].make_block(state)
    stage = small.WINDOWS
    maker = batches.make_block(setup.teacher, small.CONFIG.curriculum.lessons, stage.batches, 4, 23)
    weights = curriculum.loss_driven(2).weights(state.lesson_losses)
    batch = batches.make_batch(
        jax.jit(maker), stage.batches, 4, 23, state.key, 6, weights / weights.sum(), 1.0
    )
    expected = batches.cut_batch(block, 2, 4, n_window=23)
    np.testing.assert_array_equal(batch.lesson, expected.lesson)
    # The weights went through one more rounding, the runs did not.
    np.testing.assert_array_equal(batch.psi, expected.psi)


def test_the_second_stage_too_sees_the_batches_that_make_batch_gives(setup: folder.Setup) -> None:
    """The second block of the second stage, which begins at step 16, begins at step 18."""
    state = train(setup, until=18)[-1][0]
    expected = batches.cut_batch(setup.trainers[1].make_block(state), 1, 4, 2)
    stage = small.FRAMES
    maker = batches.make_block(setup.teacher, small.CONFIG.curriculum.lessons, stage.batches, 4)
    weights = curriculum.loss_driven(2).weights(state.lesson_losses)
    weights = weights / weights.sum()
    batch = batches.make_batch(
        jax.jit(maker), stage.batches, 4, 23, state.key, 19, weights, 1.0, begin=16
    )
    np.testing.assert_array_equal(batch.psi, expected.psi)


def test_the_logged_learning_rate_is_that_of_the_blocks_last_step(setup: folder.Setup) -> None:
    rate = stages.learning_rate(small.WINDOWS)
    _, metrics = train(setup, until=4)[-1]
    assert metrics["learning_rate"] == pytest.approx(float(rate(3)))


def test_two_seeds_differ(setup: folder.Setup) -> None:
    one, other = (setup.trainers[0].init(jax.random.key(seed)) for seed in (0, 1))
    assert not jnp.allclose(one.params["recurrent"], other.params["recurrent"])


def test_every_leaf_is_single_precision(setup: folder.Setup) -> None:
    state = train(setup, until=4)[-1][0]
    for leaf in jax.tree.leaves((state.params, state.opt_state, state.lesson_losses)):
        assert leaf.dtype in (jnp.float32, jnp.int32)


def test_metrics_say_what_a_log_needs(setup: folder.Setup) -> None:
    metrics = train(setup, until=4)[-1][1]
    assert math.isfinite(metrics["loss"])
    assert sum(metrics["lesson_weights"]) == pytest.approx(1)
    assert len(metrics["lesson_losses"]) == 2
    assert metrics["teacher_seconds"] > 0
    assert metrics["student_seconds"] > 0


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
        training=stages.TrainingConfig((stage,)),
        student=WindowedConfig(n_units=32, windows=WindowConfig(gauge=True)),
    )
    setup = folder.set_up(config)
    state = setup.trainers[0].init(jax.random.key(0))
    block = setup.trainers[0].make_block(state)
    batch = batches.cut_batch(block, 0, 4, n_window=23)
    loss = losses.window_loss(setup.student, relative=True)
    before = loss(state.params, batch, jax.random.key(0)).mean()
    for new, _ in loop.fit(setup.trainers, [200], state):
        state = new
    after = loss(state.params, batch, jax.random.key(0)).mean()
    assert after < before / 5


def test_learning_rate_warms_up_and_decays() -> None:
    rate = stages.learning_rate(Stage(n_steps=10_000, warm_up=0.01))
    assert float(rate(0)) == 0
    assert float(rate(50)) == pytest.approx(0.5e-3)
    assert float(rate(100)) == pytest.approx(1e-3)
    assert float(rate(5050)) == pytest.approx((1e-3 + 1e-6) / 2, rel=1e-3)
    assert float(rate(10_000)) == pytest.approx(1e-6, rel=1e-3)


def test_gradients_are_clipped_per_array() -> None:
    clip = stages.clip_each(1.0)
    gradients = {"large": jnp.array([3.0, 4.0]), "small": jnp.array([0.3, 0.4])}
    clipped, _ = clip.update(gradients, clip.init(gradients))
    np.testing.assert_allclose(clipped["large"], [0.6, 0.8], rtol=1e-6)
    np.testing.assert_allclose(clipped["small"], [0.3, 0.4], rtol=1e-6)


@pytest.mark.parametrize("optimiser", ["adam", "muon"])
def test_weight_decay_spares_biases(optimiser: stages.Optimiser) -> None:
    """With a zero gradient only the decay moves the parameters."""
    stage = Stage(n_steps=1000, optimiser=optimiser, warm_up=0.0, peak_rate=0.1)
    rule = stages.make_optimiser(stage)
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
        (
            {"batches": BatchConfig(examples="frames"), "relative": True},
            "`relative` must be False with frames, but is True",
        ),
        (
            {"batches": BatchConfig(examples="frames"), "loss_sigma": 2.8},
            "`loss_sigma` must be 0 with frames, but is 2.8",
        ),
        (
            {"batches": BatchConfig(n_target=2)},
            "`n_target` must be 1 with windows, but is 2",
        ),
        ({"warm_up": 2.0}, "`warm_up` must be between 0 and 1, but is 2.0"),
    ],
)
def test_refusals(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stage(**arguments)


def test_power_decides_who_pulls() -> None:
    """With loss (p - target)^2 and power 1/2 all targets pull alike; with 1 by their distance."""
    targets = jnp.array([1.0, 2.0, -9.0])
    none = jnp.zeros(3, jnp.int32)
    batch = Batch(jnp.zeros((3, 1, 1), jnp.complex64), jnp.zeros((3, 1)), none, none)
    descent = optax.sgd(1.0)
    params = jnp.array(0.0)
    state = TrainState(jnp.array(0), params, descent.init(params), jnp.zeros(1), jax.random.key(0))
    moved = {}
    for power in (1.0, 0.5):
        new, each = loop.train_step(lambda p, *_: (p - targets) ** 2, power, descent, state, batch)
        np.testing.assert_allclose(each, targets**2)
        moved[power] = float(new.params)
    assert moved[1.0] == pytest.approx(2 * (1 + 2 - 9) / 3)
    assert moved[0.5] == pytest.approx((1 + 1 - 1) / 3)
