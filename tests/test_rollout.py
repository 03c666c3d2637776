import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill._rollout import repeat, rollout
from qdistill.physics import packets
from qdistill.physics.grid import Grid, norm
from qdistill.teacher import solvers as solver

GRID = Grid(32, 8.0)


def step_and_state() -> tuple[solver.Step, jax.Array]:
    step = solver.split_step(GRID, 0.1, 4)(jnp.zeros(32))
    return step, packets.gaussian(GRID, 4.0, 0.7, 1.0)


def test_rollout_is_repeated_application_without_the_start() -> None:
    step, psi = step_and_state()
    frames = rollout(step, psi, 3)
    assert frames.shape == (3, 32)
    for frame in frames:
        psi = jax.jit(step)(psi)
        # Three frames of float32 rounding.
        np.testing.assert_allclose(frame, psi, atol=1e-6)


def test_observe_sees_every_frame_and_may_return_a_tree() -> None:
    step, psi = step_and_state()
    frames = rollout(step, psi, 4)
    seen = rollout(step, psi, 4, lambda psi: {"first": psi[0], "density": abs(psi) ** 2})
    np.testing.assert_allclose(seen["first"], frames[:, 0], atol=1e-6)
    np.testing.assert_allclose(seen["density"], abs(frames) ** 2, atol=1e-6)


def test_the_state_may_be_a_tree() -> None:
    fibonacci = rollout(lambda pair: (pair[1], pair[0] + pair[1]), (0, 1), 6)
    np.testing.assert_array_equal(fibonacci[0], [1, 1, 2, 3, 5, 8])


def test_memory_is_that_of_what_is_observed() -> None:
    """A million frames of 8 million bytes each would not fit; their norms do."""
    step, psi = step_and_state()

    def n_bytes(observe) -> int:
        run = jax.jit(lambda psi: rollout(step, psi, 1000, observe))
        memory = run.lower(psi).compile().memory_analysis()
        assert memory is not None
        return memory.output_size_in_bytes + memory.temp_size_in_bytes

    all_frames = 1000 * 32 * 8
    assert n_bytes(lambda psi: psi) >= all_frames
    assert n_bytes(lambda psi: norm(GRID, psi)) < all_frames / 10
    assert rollout(step, psi, 1000, lambda psi: norm(GRID, psi)).shape == (1000,)


@pytest.mark.parametrize(
    ("n_frames", "words"), [(0, "at least 1, but is 0"), (-3, "at least 1, but is -3")]
)
def test_no_frames_are_refused(n_frames, words) -> None:
    with pytest.raises(ValueError, match=f"`n_frames` must be {words}"):
        rollout(lambda n: n, 1, n_frames)


def test_every_third_frame_is_that_of_the_whole_rollout() -> None:
    step, psi = step_and_state()
    frames = rollout(step, psi, 6)
    np.testing.assert_allclose(rollout(step, psi, 6, every=3), frames[2::3], atol=1e-6)
    np.testing.assert_allclose(repeat(step, psi, 6), frames[-1], atol=1e-6)
    with pytest.raises(ValueError, match="`n_frames` must be a multiple of every = 4, but is 6"):
        rollout(step, psi, 6, every=4)
