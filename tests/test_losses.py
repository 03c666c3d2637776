import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.students import (
    UnitaryConfig,
    WindowConfig,
    Windowed,
    WindowedConfig,
    register,
    windowed,
)
from qdistill.students.base import FORMS
from qdistill.system import System, rollout
from qdistill.teacher import split_step
from qdistill.training import losses
from qdistill.training.batches import Batch


def make_batch(n_t: int = 5, n_point: int = 23) -> Batch:
    psi = jax.random.normal(jax.random.key(0), (6, n_t, n_point), jnp.complex64)
    no = jnp.zeros(6, jnp.int32)
    return Batch(psi, jnp.zeros((6, n_point)), no, no)


class LastFrame(nn.Module):
    """Forecasts the last given frame again."""

    @nn.compact
    def __call__(self, window: jax.Array) -> jax.Array:
        return window[-1, :, :2]


@pytest.fixture(autouse=True)
def known(monkeypatch: pytest.MonkeyPatch) -> None:
    """For the time of a test."""
    for table in (windowed.NETWORKS, FORMS):
        monkeypatch.setitem(table, "last-frame", None)
        # Its removal is what the monkeypatch takes back.
        del table["last-frame"]
    register("last-frame", LastFrame)


def persistence(gauge: bool = False, n_x: int = 64) -> Windowed:
    """Forecasts the last frame again; it has no parameters."""
    form = WindowedConfig("last-frame", windows=WindowConfig(gauge=gauge))
    return form.build(System(Grid(n_x, 10.0)))


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
    loss = losses.window_loss(persistence(gauge), relative=True, loss_sigma=2.8)
    key = jax.random.key(0)
    np.testing.assert_allclose(loss({}, batch, key), loss({}, louder, key), rtol=1e-4)


def test_noise_disturbs_the_given_frames_by_its_size() -> None:
    """Persistence repeats the noise, so the relative squared error is its variance."""
    n = 400
    psi = jnp.ones((n, 5, 23), jnp.complex64)
    batch = Batch(psi, jnp.zeros((n, 23)), *jnp.zeros((2, n), jnp.int32))
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
        batch = Batch(psi, jnp.ones((1, 32)), *jnp.zeros((2, 1), jnp.int32))
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
    student = UnitaryConfig().build(System())
    with pytest.raises(ValueError, match="`examples` must be frames for this student"):
        losses.window_loss(student)


class Channels(System):
    """Two channels, coupled by a field that changes in time."""

    is_autonomous = False

    def local(self, v, t, psi):
        """The coupling at time t."""
        off = v["field"] * jnp.cos(3 * t) * jnp.ones(self.grid.shape, v["field"].dtype)
        return jnp.stack([jnp.stack([0 * off, off]), jnp.stack([off, -off])])


def test_a_rollout_of_any_system_begins_at_the_time_of_its_example() -> None:
    """The loss of the solver on its own frames; a clock that is wrong is a loss."""
    system = Channels(Grid(64, 16.0, "continuum"), 0.2, n_channel=2)
    solver, student = split_step(system, 40), UnitaryConfig(40, "informed").build(system)
    params = jax.jit(student.init)(jax.random.key(0))
    psi = packets.gaussian(system.grid, 8.0, 1.0, 1.0)
    v = {"field": jnp.array([0.7, -0.4])}
    frames = jax.vmap(lambda v: rollout(solver, jnp.stack([psi, 0 * psi])[None], v, 6))(v)
    n = jnp.array([3, 2])
    cut = jnp.stack([frames[0, 2:6], frames[1, 1:5]])
    loss, key = jax.jit(losses.rollout_loss(student, 3)), jax.random.key(0)
    # Strang's error of two solvers and the learned phases' kinks: squared, below 1e-5.
    assert float(loss(params, Batch(cut, v, n, 0 * n), key).max()) < 1e-5
    assert float(loss(params, Batch(cut, v, n - 2, 0 * n), key).min()) > 1e-3


@pytest.mark.parametrize("name", ["windows", "frames"])
def test_losses_in_double_precision(name: str) -> None:
    with jax.enable_x64(True):
        student = WindowedConfig(n_units=6).build(System(Grid(64, 10.0)))
        loss = losses.window_loss(student, relative=True, noise=0.1, loss_sigma=2.0)
        n_point = 23
        if name == "frames":
            loss, n_point = losses.rollout_loss(student, 1, noise=0.1), 64
        psi = jax.random.normal(jax.random.key(1), (2, 5, n_point), jnp.complex128)
        batch = Batch(psi, jnp.ones((2, n_point)), *jnp.zeros((2, 2), int))
        params = jax.eval_shape(student.init, jax.random.key(0))
        each = jax.eval_shape(loss, params, batch, jax.random.key(0))
        assert each.dtype == jnp.float64
