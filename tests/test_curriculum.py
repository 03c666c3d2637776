import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.curriculum import schedules as curriculum
from qdistill.curriculum.schedules import CurriculumConfig


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


@pytest.mark.parametrize("plan", ["constant", "staged", "ramped", "mixed", "loss-driven"])
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


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: curriculum.staged([1.0, 2.0], []), "`boundaries` must be 1 steps for 2 values"),
        (lambda: curriculum.staged([1.0, 2.0, 3.0], [20, 10]), "increasing and positive"),
        (lambda: curriculum.ramped(0.0, 1.0, 0), "`n_steps` must be at least 1, but is 0"),
        (lambda: curriculum.ramped([0.0], [1.0, 2.0], 5), "`end` must be of shape"),
        (lambda: curriculum.constant(float("nan")), "`value` must be finite, but is nan"),
        (lambda: curriculum.loss_driven(2, floor=1.5), "`floor` must be between 0 and 1"),
        (lambda: curriculum.loss_driven(2, memory=1.0), "`memory` must be below 1, but is 1.0"),
        (lambda: CurriculumConfig(lessons=()), "`lessons` must be not empty"),
        (lambda: CurriculumConfig(lessons=("free", "")), "`lessons` must be names"),
        (lambda: CurriculumConfig(weights=(1.0,)), "`weights` must be of shape"),
        (lambda: CurriculumConfig(difficulty=(0.0, 2.0)), "`difficulty` must be between 0 and 1"),
    ],
)
def test_refusals(call: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        call()  # type: ignore[operator]
