import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.curriculum import sampling
from qdistill.curriculum import schedules as curriculum
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.physics.grid import Grid
from qdistill.system import System


def test_staged_changes_at_its_boundaries() -> None:
    schedule = curriculum.staged([1.0, 2.0, 4.0], [10, 20])
    assert [float(schedule(s)) for s in (0, 9, 10, 19, 20, 99)] == [1, 1, 2, 2, 4, 4]
    assert float(jax.jit(schedule)(jnp.array(15))) == 2


def test_schedules_compose() -> None:
    schedule = curriculum.mixed(
        curriculum.staged([0.0, 1.0], [50]),
        curriculum.constant(0.5),
        curriculum.ramped(0.0, 1.0, 100),
    )
    assert float(schedule(0)) == 0
    assert float(schedule(50)) == pytest.approx(0.5 * 1 + 0.5 * 0.5)
    assert float(schedule(100)) == 0.5


@pytest.mark.parametrize("plan", ["constant", "staged", "ramped", "mixed", "adaptive"])
def test_every_plan_gives_weights_that_sum_to_one(plan: curriculum.Plan) -> None:
    config = CurriculumConfig(plan=plan, difficulty=(0.2, 1.0))
    weights, difficulty = curriculum.make_schedules(config, 1000)
    for step in (0, 150, 500, 999):
        assert float(weights(step).sum()) == pytest.approx(1)
        assert jnp.all(weights(step) >= 0)
    assert float(difficulty(0)) == pytest.approx(0.2)
    assert float(difficulty(999)) == 1


def test_ramped_plan_starts_with_the_first_lesson_alone() -> None:
    weights, _ = curriculum.make_schedules(CurriculumConfig(plan="ramped", ramp=0.5), 100)
    np.testing.assert_allclose(weights(0), [1, 0, 0, 0, 0])
    np.testing.assert_allclose(weights(50), [0.2] * 5, rtol=1e-6)


def test_loss_driven_teaches_what_is_learned_worst() -> None:
    driven = curriculum.loss_driven(3, power=1.0, floor=0.3, memory=0.5)
    state = driven.init()
    np.testing.assert_allclose(driven.weights(state), [1 / 3] * 3, rtol=1e-6)
    state = driven.update(state, jnp.array([1.0, 3.0, jnp.nan]))
    state = driven.update(state, jnp.array([3.0, 3.0, jnp.nan]))
    np.testing.assert_allclose(state[:2], [2.0, 3.0])
    # The lesson not yet seen counts like the worst: pulls 2, 3, 3.
    expected = 0.1 + 0.7 * np.array([2, 3, 3]) / 8
    np.testing.assert_allclose(driven.weights(state), expected, rtol=1e-6)


@pytest.mark.parametrize("losses", [(0.0, 0.0), (math.inf, 1.0)])
def test_losses_that_tell_nothing_give_equal_weights(losses: tuple[float, float]) -> None:
    driven = curriculum.loss_driven(2)
    weights = driven.weights(driven.update(driven.init(), jnp.array(losses)))
    np.testing.assert_allclose(weights, [0.5, 0.5])


def test_adaptive_follows_progress_and_competence() -> None:
    driven = curriculum.adaptive(4, goal=1e-4, floor=0.0, memories=(0.0, 0.5))
    state = driven.init()
    np.testing.assert_allclose(driven.weights(state), [1 / 4] * 4, rtol=1e-6)
    np.testing.assert_array_equal(driven.competence(state), 0)
    state = driven.update(state, jnp.array([1.0, 1.0, 0.01, jnp.nan]))
    # The first loss is the mean of either memory, so there is no progress yet.
    np.testing.assert_allclose(driven.weights(state), [1 / 4] * 4, rtol=1e-6)
    np.testing.assert_allclose(driven.competence(state), [0, 0, 0.5, 0], atol=1e-6)
    state = driven.update(state, jnp.array([1e-6, 2.0, jnp.nan, jnp.nan]))
    # Means of the long memory: (1 + 1e-6) / 2, 3 / 2, 0.01. Forgetting counts as progress does.
    progress = np.array([math.log(0.5 / 1e-6), math.log(2 / 1.5), 0, math.log(0.5 / 1e-6)]) + 1e-3
    np.testing.assert_allclose(driven.weights(state), progress / progress.sum(), rtol=1e-5)
    np.testing.assert_allclose(driven.competence(state), [1, 0, 0.5, 0], atol=1e-6)


def test_adaptive_shares_its_long_memory_with_loss_driven() -> None:
    one, other = curriculum.adaptive(2), curriculum.loss_driven(2)
    first, second = one.init(), other.init()
    for losses in ([1.0, 2.0], [0.5, math.nan], [0.1, 3.0]):
        first = one.update(first, jnp.array(losses))
        second = other.update(second, jnp.array(losses))
        np.testing.assert_array_equal(first[-1], second)
    assert jnp.all(other.competence(second) == 1)


def test_each_lesson_has_its_own_difficulty() -> None:
    """Depths of wells are at most 5 hartree at difficulty 0, and at most 12 at 1."""
    names, weights = ("trapping", "free"), jnp.array([1.0, 0.0])
    keys = jax.random.split(jax.random.key(0), 8)

    def deepest(difficulty: jax.Array | float) -> jax.Array:
        def depth(key: jax.Array) -> jax.Array:
            _, (_, v) = sampling.sample(key, System(Grid(128, 50.0)), names, weights, difficulty)
            return -jnp.min(v)

        return jax.vmap(depth)(keys)

    both = jax.jit(deepest)
    easy, hard = both(jnp.array([0.0, 1.0])), both(jnp.array([1.0, 0.0]))
    assert jnp.all(easy <= 5)
    assert jnp.any(hard > 5)
    np.testing.assert_array_equal(easy, deepest(0.0))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: curriculum.staged([1.0, 2.0], []), "`boundaries` must be 1 steps for 2 values"),
        (lambda: curriculum.staged([1.0, 2.0, 3.0], [20, 10]), "increasing"),
        (lambda: curriculum.ramped(0.0, 1.0, 0), "`n_steps` must be at least 1, but is 0"),
        (lambda: curriculum.ramped([0.0], [1.0, 2.0], 5), "`end` must be of shape"),
        (lambda: curriculum.constant(float("nan")), "`value` must be finite, but is nan"),
        (lambda: curriculum.loss_driven(2, floor=1.5), "`floor` must be between 0 and 1"),
        (lambda: curriculum.loss_driven(2, memory=1.0), "`memory` must be below 1, but is 1.0"),
        (lambda: curriculum.adaptive(2, goal=1.0), "`goal` must be below 1, but is 1.0"),
        (lambda: curriculum.adaptive(2, memories=(0.9, 0.5)), "`memories` must be a shorter and a"),
        (
            lambda: curriculum.make_schedules(CurriculumConfig(plan="mixed"), 2),
            "`n_steps` must be at least 5, the number of lessons one by one, but is 2",
        ),
        (lambda: CurriculumConfig(lessons=()), "`lessons` must be not empty"),
        (lambda: CurriculumConfig(lessons=("free", "")), "`lessons` must be names"),
        (lambda: CurriculumConfig(weights=(1.0,)), "`weights` must be of shape"),
        (lambda: CurriculumConfig(difficulty=(0.0, 2.0)), "`difficulty` must be between 0 and 1"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
