import dataclasses
import math
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import small

from qdistill.curriculum import schedules as curriculum
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.physics.grid import Grid
from qdistill.runs import folder
from qdistill.runs.checkpoints import Checkpoints, find_newest
from qdistill.runs.folder import Setup
from qdistill.students import UnitaryConfig, WindowConfig, WindowedConfig
from qdistill.system import System
from qdistill.teacher import chebyshev
from qdistill.training import batches, loop, losses, stages
from qdistill.training.batches import Batch, BatchConfig
from qdistill.training.loop import TrainState
from qdistill.training.stages import Stage


@pytest.fixture(scope="module")
def setup() -> Setup:
    return folder.set_up(small.CONFIG)


def train(setup: Setup, state: TrainState | None = None, until: int = 99) -> list:
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


def test_training_is_reproducible_and_can_go_on_from_any_block(setup: Setup) -> None:
    whole = train(setup)
    assert [metrics["step"] for _, metrics in whole] == [4, 8, 12, 16, 18, 20]
    assert [metrics["stage"] for _, metrics in whole] == [0, 0, 0, 0, 1, 1]
    for i in (0, 3, 4):
        later = train(setup, whole[i][0])
        assert_same_bits(later[-1][0], whole[-1][0])


def test_an_adaptive_training_goes_on_to_the_bit_from_a_checkpoint(tmp_path: pathlib.Path) -> None:
    """Weights and difficulty come from the state alone, and the lessons' own losses move both."""
    system = System(Grid(64, 20.0), bounds=(-16.0, 16.0))
    plan = CurriculumConfig(("free", "trapping"), plan="adaptive", difficulty=(0.0, 1.0))
    stage = dataclasses.replace(STAGE, n_steps=8)
    config = stages.TrainingConfig((stage,))
    student = UnitaryConfig(n_units=4).build(system)
    trainers = loop.make_trainers(student, chebyshev(system), plan, config)
    start = trainers[0].init(jax.random.key(0))
    whole = list(loop.fit(trainers, [8], start))
    with Checkpoints(tmp_path) as kept:
        kept.save(whole[1][0], 1.0)
    found = find_newest(tmp_path, lambda step: start).state
    assert found is not None
    later = list(loop.fit(trainers, [8], found))
    assert_same_bits(later[-1][0], whole[-1][0])
    assert whole[0][1]["difficulty"] == 0
    weights = [metrics["lesson_weights"] for _, metrics in whole]
    assert weights[0] == pytest.approx([0.5, 0.5])
    assert weights[-1] != weights[0]
    assert whole[0][0].lesson_losses.shape == (2, 2)
    assert len(whole[0][1]["lesson_losses"]) == 2
    # A student that knows both lessons gets the hardest examples.
    able = start._replace(lesson_losses=jnp.full((2, 2), 1e-9))
    _, metrics = trainers[0].train_block(able, trainers[0].make_block(able))
    assert float(metrics["difficulty"]) == pytest.approx(1)


def test_training_sees_the_batches_that_make_batch_gives(setup: Setup) -> None:
    """The second block of the first stage, begun at step 4, is folded in by that step."""
    state = train(setup, until=4)[-1][0]
    block = setup.trainers[0].make_block(state)
    stage = small.WINDOWS
    maker = batches.make_block(setup.teacher, small.CONFIG.curriculum.lessons, stage.batches, 4, 23)
    weights = curriculum.loss_driven(2).weights(state.lesson_losses)
    batch = batches.make_batch(
        jax.jit(maker), stage.batches, 4, 23, state.key, 6, weights / weights.sum(), 1.0
    )
    expected = batches.cut_batch(block, 2, 4, 1, 23)
    np.testing.assert_array_equal(batch.lesson, expected.lesson)
    # The weights went through one more rounding, the runs did not.
    np.testing.assert_array_equal(batch.psi, expected.psi)


def test_the_second_stage_too_sees_the_batches_that_make_batch_gives(setup: Setup) -> None:
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


def test_the_logged_learning_rate_is_that_of_the_blocks_last_step(setup: Setup) -> None:
    rate = stages.learning_rate(small.WINDOWS)
    _, metrics = train(setup, until=4)[-1]
    assert metrics["learning_rate"] == pytest.approx(float(rate(3)))


def test_two_seeds_differ(setup: Setup) -> None:
    one, other = (setup.trainers[0].init(jax.random.key(seed)) for seed in (0, 1))
    assert not jnp.allclose(one.params["recurrent"], other.params["recurrent"])


def test_every_leaf_is_single_precision(setup: Setup) -> None:
    state = train(setup, until=4)[-1][0]
    for leaf in jax.tree.leaves((state.params, state.opt_state, state.lesson_losses)):
        assert leaf.dtype in (jnp.float32, jnp.int32)


def test_metrics_say_what_a_log_needs(setup: Setup) -> None:
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
    batch = batches.cut_batch(block, 0, 4, 1, 23)
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
    no = jnp.zeros(3, jnp.int32)
    batch = Batch(jnp.zeros((3, 1, 1), jnp.complex64), jnp.zeros((3, 1)), no, no)
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


STAGE = Stage(
    n_steps=2,
    batches=BatchConfig(n_batch=2, n_block=2, n_runs=2, n_frames=8, n_target=2, examples="frames"),
)
ONE_STAGE, LESSONS = stages.TrainingConfig((STAGE,)), CurriculumConfig(("barrier",))


@pytest.mark.parametrize(
    ("system", "examples"),
    [
        (System(Grid(512, 40.0), bounds=(-16.0, 16.0)), "windows"),
        (
            System(Grid(128, 20.0, "continuum", origin=-10.0, mass=2.0), 0.2, bounds=(-16.0, 16.0)),
            "frames",
        ),
    ],
    ids=["40 bohr", "heavy, around zero"],
)
def test_any_line_trains(system: System, examples: batches.Examples) -> None:
    stage = small.WINDOWS if examples == "windows" else STAGE
    student = WindowedConfig(n_units=4, windows=WindowConfig(n_window=9)).build(system)
    config = stages.TrainingConfig((stage,))
    trainers = loop.make_trainers(student, chebyshev(system, 1e-5), LESSONS, config)
    state = trainers[0].init(jax.random.key(0))
    history = list(loop.fit(trainers, config.boundaries, state))
    assert all(metrics["is_finite"] for _, metrics in history)
    assert all(math.isfinite(metrics["loss"]) for _, metrics in history)
    new, _ = history[-1]
    assert not np.allclose(new.params["recurrent"], state.params["recurrent"])


def test_training_in_double_precision_has_it_in_every_leaf() -> None:
    with jax.enable_x64(True):
        system = System(Grid(128, 20.0), bounds=(-16.0, 16.0))
        student = UnitaryConfig(n_units=4).build(system)
        (trainer,) = loop.make_trainers(student, chebyshev(system, 1e-9), LESSONS, ONE_STAGE)
        state = trainer.init(jax.random.key(0))
        block = trainer.make_block(state)
        assert block.frames.dtype == jnp.complex128
        new, metrics = trainer.train_block(state, block)
        assert metrics["loss"].dtype == jnp.float64
        for leaf in jax.tree.leaves((new.params, new.opt_state, new.lesson_losses)):
            assert leaf.dtype in (jnp.float64, jnp.int32, jnp.int64)


def test_a_teacher_of_another_system_is_refused() -> None:
    """Shapes would fit; what it learned would not."""
    system = System(Grid(128, 20.0))
    student = UnitaryConfig(n_units=4).build(system)
    for other in (
        dataclasses.replace(system, dt=0.2),
        dataclasses.replace(system, grid=Grid(128, 25.0)),
    ):
        with pytest.raises(ValueError, match="`teacher` must be a solver of the system that the"):
            loop.make_trainers(student, chebyshev(other), LESSONS, ONE_STAGE)
    # Bounds are the solver's own business.
    bounded = dataclasses.replace(system, bounds=(-16.0, 16.0))
    assert len(loop.make_trainers(student, chebyshev(bounded), LESSONS, ONE_STAGE)) == 1


def test_weights_that_are_not_one_for_each_lesson_are_refused() -> None:
    student = UnitaryConfig().build(System())
    teacher = chebyshev(System(bounds=(-16.0, 16.0)))
    with pytest.raises(ValueError, match=r"`weights` must be of shape \(1,\)"):
        loop.make_trainers(student, teacher, LESSONS, ONE_STAGE, weights=jnp.ones(2))


def test_examples_outside_the_bounds_stop_the_training() -> None:
    system = System(Grid(128, 20.0), bounds=(-0.1, 0.1))
    trainers = loop.make_trainers(
        UnitaryConfig(n_units=4).build(system), chebyshev(system), LESSONS, ONE_STAGE
    )
    with pytest.raises(FloatingPointError, match=r"or lies outside `system\.bounds`"):
        list(loop.fit(trainers, [2], trainers[0].init(jax.random.key(0))))


def test_windows_ask_for_a_student_made_of_windows() -> None:
    system = System(Grid(128, 20.0), bounds=(-16.0, 16.0))
    config = stages.TrainingConfig((small.WINDOWS,))
    with pytest.raises(ValueError, match="`examples` must be frames for this student"):
        loop.make_trainers(UnitaryConfig().build(system), chebyshev(system), LESSONS, config)
