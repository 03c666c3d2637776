import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import students
from qdistill.physics.grid import Grid
from qdistill.students import FNOConfig, StudentConfig, fno

GRID = Grid(128, 12.5)
SMALL = FNOConfig(n_channels=4, n_layers=2, n_modes=20)


def test_it_scales_with_psi_and_sees_the_landscape() -> None:
    student = students.make(StudentConfig("fno", fno=SMALL), GRID, 0.1)
    params = jax.jit(student.init)(jax.random.key(0))
    psi = jax.random.normal(jax.random.key(1), (128,), jnp.complex64)
    v = jax.random.normal(jax.random.key(2), (128,))
    step = jax.jit(student.propagator(params)(v))
    np.testing.assert_allclose(step(3 * psi), 3 * step(psi), rtol=1e-4, atol=1e-4)
    assert not jnp.allclose(step(psi), student.propagator(params)(0 * v)(psi))


def test_it_is_translation_covariant() -> None:
    student = students.make(StudentConfig("fno", fno=SMALL), GRID, 0.1)
    params = jax.jit(student.init)(jax.random.key(0))
    evolve = jax.jit(lambda v, psi: student.propagator(params)(v)(psi))
    psi = jax.random.normal(jax.random.key(1), (128,), jnp.complex64)
    v = jax.random.normal(jax.random.key(2), (128,))
    moved = evolve(jnp.roll(v, 17), jnp.roll(psi, 17))
    np.testing.assert_allclose(moved, jnp.roll(evolve(v, psi), 17), atol=1e-4)


def test_the_number_of_parameters_is_that_of_the_layers() -> None:
    student = students.make(StudentConfig("fno", fno=SMALL), GRID, 0.1)
    lift, layers = 4 * 4, 2 * (2 * 20 * 16 + 16 + 4)
    project = 4 * 16 + 16 + 16 * 2 + 2
    params = jax.jit(student.init)(jax.random.key(0))
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
        fno.make(FNOConfig(**form), GRID)
