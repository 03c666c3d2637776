import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.ladder.fno import FNOConfig
from qdistill import students
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout

SYSTEM = System(Grid(128, 12.5))
STUDENT = FNOConfig(n_channels=4, n_layers=2, n_modes=20).build(SYSTEM)


@jax.jit
def frame(params, v: jax.Array, psi: jax.Array) -> jax.Array:
    return rollout(STUDENT.bind(params), psi[None], v, 1)[0]


def test_it_scales_with_psi_and_sees_the_potential() -> None:
    params = jax.jit(STUDENT.init)(jax.random.key(0))
    psi = jax.random.normal(jax.random.key(1), (128,), jnp.complex64)
    v = jax.random.normal(jax.random.key(2), (128,))
    np.testing.assert_allclose(
        frame(params, v, 3 * psi), 3 * frame(params, v, psi), rtol=1e-4, atol=1e-4
    )
    assert not jnp.allclose(frame(params, v, psi), frame(params, 0 * v, psi))


def test_it_is_translation_covariant() -> None:
    params = jax.jit(STUDENT.init)(jax.random.key(0))
    psi = jax.random.normal(jax.random.key(1), (128,), jnp.complex64)
    v = jax.random.normal(jax.random.key(2), (128,))
    moved = frame(params, jnp.roll(v, 17), jnp.roll(psi, 17))
    np.testing.assert_allclose(moved, jnp.roll(frame(params, v, psi), 17), atol=1e-4)


def test_the_number_of_parameters_is_that_of_the_layers() -> None:
    lift, layers = 4 * 4, 2 * (2 * 20 * 16 + 16 + 4)
    project = 4 * 16 + 16 + 16 * 2 + 2
    params = jax.jit(STUDENT.init)(jax.random.key(0))
    assert students.count_parameters(params) == lift + layers + project


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"n_modes": 65}, "`n_modes` must be at most 64 on this grid, but is 65"),
        ({"n_layers": 0}, "`n_layers` must be at least 1, but is 0"),
        ({"v_scale": -1.0}, "`v_scale` must be finite and positive, but is -1"),
    ],
)
def test_impossible_forms_are_refused(form: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FNOConfig(**form).build(SYSTEM)


def test_two_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="`grid` must be one-dimensional for this student"):
        FNOConfig().build(System(Grid((64, 64), (1.0, 1.0))))


def test_it_is_known_by_its_name() -> None:
    assert students.FORMS["fno"] is FNOConfig
