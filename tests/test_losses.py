from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree

from qdistill.physics.grid import Grid
from qdistill.students import Student, UnitaryConfig, WindowConfig, Windowed, WindowedConfig
from qdistill.system import Potential, Step, System, rollout
from qdistill.teacher import split_step
from qdistill.training import losses
from qdistill.training.batches import Batch

NOTHING = jnp.zeros(6, jnp.int32)


def make_batch(n_t: int = 5, n_point: int = 23) -> Batch:
    psi = jax.random.normal(jax.random.key(0), (6, n_t, n_point), jnp.complex64)
    return Batch(psi, jnp.zeros((6, n_point)), NOTHING, NOTHING)


class Persistence(Windowed):
    """Forecasts the last frame again, whatever its parameters."""

    def forecast_window(self, params: PyTree, psi: jax.Array, v: jax.Array) -> jax.Array:
        return psi[-1]

    def step(self, params: PyTree, v: Potential) -> Step:
        return Step(lambda frames, n: frames[-1], lambda psi: psi, lambda psi: psi)


def persistence(n_x: int = 64, gauge: bool = False) -> Persistence:
    return Persistence(WindowedConfig(windows=WindowConfig(gauge=gauge)), System(Grid(n_x, 6.0)))


def test_window_loss_is_the_papers_mean_squared_error() -> None:
    batch = make_batch()
    each = losses.window_loss(persistence())({}, batch, jax.random.key(0))
    error = batch.psi[:, 3] - batch.psi[:, 4]
    expected = (error.real**2 + error.imag**2).mean(axis=1) / 2
    np.testing.assert_allclose(each, expected, rtol=1e-5)


@pytest.mark.parametrize("gauge", [False, True])
def test_relative_window_loss_is_blind_to_the_amplitude(gauge: bool) -> None:
    batch = make_batch()
    louder = batch._replace(psi=100 * batch.psi)
    loss = losses.window_loss(persistence(gauge=gauge), relative=True, loss_sigma=2.8)
    key = jax.random.key(0)
    np.testing.assert_allclose(loss({}, batch, key), loss({}, louder, key), rtol=1e-4)


def test_noise_disturbs_the_given_frames_by_its_size() -> None:
    """Persistence repeats the noise, so the relative squared error is its variance."""
    n = 400
    psi = jnp.ones((n, 5, 23), jnp.complex64)
    none = jnp.zeros(n, jnp.int32)
    batch = Batch(psi, jnp.zeros((n, 23)), none, none)
    loss = losses.window_loss(persistence(), noise=0.1)
    each = loss({}, batch, jax.random.key(0))
    # Mean over 400 x 23 complex samples: standard error about 1%.
    assert float(each.mean()) == pytest.approx(0.1**2 / 2, rel=0.05)


def test_rollout_loss_is_the_mean_relative_error_of_the_frames() -> None:
    batch = make_batch(n_t=7, n_point=64)
    each = losses.rollout_loss(persistence(), 3)({}, batch, jax.random.key(0))
    target = batch.psi[:, 4:]
    error = jnp.sum(jnp.abs(target - batch.psi[:, 3:4]) ** 2, axis=-1)
    expected = (error / jnp.sum(jnp.abs(target) ** 2, axis=-1)).mean(axis=1)
    np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_gradient_flows_through_a_rollout() -> None:
    """The rollout loss's directional derivative against a central difference, in float64."""
    with jax.enable_x64(True):
        student = WindowedConfig(n_units=6).build(System(Grid(32, 3.125)))
        # Off the start, where biases of zero put units that are all off on the kink of ReLU.
        start = jax.jit(student.init)(jax.random.key(0))
        params = jax.tree.map(lambda p: p + 0.1 * jnp.sin(1 + p), start)
        psi = jax.random.normal(jax.random.key(1), (1, 7, 32), jnp.complex128)
        batch = Batch(psi, jnp.ones((1, 32)), NOTHING[:1], NOTHING[:1])
        of_batch = losses.rollout_loss(student, 3)
        loss = jax.jit(lambda p: of_batch(p, batch, jax.random.key(0))[0])
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


def test_students_without_windows_cannot_learn_from_windows() -> None:
    student = UnitaryConfig().build(System(Grid(64, 6.0)))
    with pytest.raises(ValueError, match="`examples` must be frames for this student"):
        losses.window_loss(student)


def test_a_driven_rollout_starts_at_the_time_of_its_example() -> None:
    """The loss of exact frames of a driven system vanishes only at the right index."""

    class Shaken(System):
        is_autonomous = False

        def local(self, v: Potential, t: Any, psi: Any) -> Any:
            return v * jnp.cos(3 * t)

    system = Shaken(Grid(32, 8.0), 0.1)

    class Exact(Student):
        def step(self, params: PyTree, v: Potential) -> Step:
            return split_step(system, 20)(v)

    student = Exact(None, system)
    psi = jax.random.normal(jax.random.key(0), (1, 32), jnp.complex64)
    v = 5 * jnp.sin(system.grid.positions())
    frames = jnp.concatenate([psi, rollout(split_step(system, 20), psi, v, 6)])
    batch = Batch(frames[None, 3:], v[None], jnp.array([3]), NOTHING[:1])
    loss = losses.rollout_loss(student, 3)
    key = jax.random.key(0)
    assert float(loss({}, batch, key)[0]) < 1e-9
    assert float(loss({}, batch._replace(n=jnp.array([0])), key)[0]) > 1e-3
