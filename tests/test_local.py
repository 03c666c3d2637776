"""The local student: linear, contractive and inside its light cone whatever its parameters are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree

from qdistill import students
from qdistill._rollout import rollout
from qdistill.physics.grid import Grid
from qdistill.students import LocalConfig, Student, StudentConfig, local

GRID = Grid(256, 25.0)
DT = 0.1
FORM = LocalConfig(n_layers=2, kernel_reach=10, reach=4, n_units=8)
V = 3 * jax.random.normal(jax.random.key(8), (256,))


def make(config: LocalConfig = FORM) -> Student:
    return students.make(StudentConfig("local", local=config), GRID, DT)


@pytest.fixture(scope="module")
def disturbed() -> tuple[Student, PyTree]:
    student = make()
    leaves, tree = jax.tree.flatten(jax.jit(student.init)(jax.random.key(0)))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return student, jax.tree.unflatten(tree, noisy)


def states(n: int) -> jax.Array:
    psi = jax.random.normal(jax.random.key(7), (n, 256), jnp.complex64)
    return psi / jnp.linalg.norm(psi, axis=1, keepdims=True)


def test_convolution_is_a_product_in_fourier_space() -> None:
    psi, kernel = states(1)[0], jax.random.normal(jax.random.key(2), (11,), jnp.complex64)
    centred = jnp.zeros(256, jnp.complex64).at[jnp.arange(-5, 6)].set(kernel)
    expected = jnp.fft.ifft(jnp.fft.fft(centred) * jnp.fft.fft(psi))
    np.testing.assert_allclose(local.convolve(psi, kernel), expected, atol=1e-5)


def test_it_begins_as_the_identity() -> None:
    student = make()
    (psi,) = states(1)
    step = student.propagator(jax.jit(student.init)(jax.random.key(0)))(jnp.zeros(256))
    np.testing.assert_allclose(step(psi), psi, atol=1e-6)


def test_it_is_linear_and_a_constant_in_v_is_a_phase(disturbed: tuple[Student, PyTree]) -> None:
    student, params = disturbed
    phi, psi = states(2)
    evolve = jax.jit(lambda v, psi: student.propagator(params)(v)(psi))
    together = evolve(V, 2j * phi - psi)
    np.testing.assert_allclose(together, 2j * evolve(V, phi) - evolve(V, psi), atol=5e-6)
    np.testing.assert_allclose(evolve(V + 3.0, psi), np.exp(-3j * DT) * evolve(V, psi), atol=1e-5)


def test_psi_never_grows(disturbed: tuple[Student, PyTree]) -> None:
    """Kernels of any size are scaled down: the norm falls at every frame."""
    student, params = disturbed
    params = params | {"taps": 10 * params["taps"]}
    (psi,) = states(1)
    frames = jax.jit(lambda psi: rollout(student.propagator(params)(V), psi, 50))(psi)
    norms = jnp.linalg.norm(jnp.concatenate([psi[None], frames]), axis=1)
    # The maximum over wavenumbers is found on a fine grid of them, to 1e-3.
    assert jnp.all(norms[1:] <= 1.001 * norms[:-1])
    assert norms[-1] > 0


def test_it_sees_nothing_beyond_its_light_cone(disturbed: tuple[Student, PyTree]) -> None:
    """Two kernels of 10 points and a network of 4 reach 24 points."""
    student, params = disturbed
    (psi,) = states(1)
    evolve = jax.jit(lambda v, psi: student.propagator(params)(v)(psi))
    elsewhere = jnp.arange(256) > 125
    changed = evolve(jnp.where(elsewhere, V + 1, V), jnp.where(elsewhere, -psi, psi))
    same = np.asarray(changed == evolve(V, psi))
    assert same[24:102].all()
    assert not same[102:126].all()


def test_it_runs_on_any_size_of_box(disturbed: tuple[Student, PyTree]) -> None:
    student, params = disturbed
    psi = jnp.concatenate([states(1)[0]] * 2)
    v = jnp.concatenate([V, V])
    once = student.propagator(params)(V)(psi[:256])
    twice = student.propagator(params)(v)(psi)
    np.testing.assert_allclose(twice, jnp.concatenate([once, once]), atol=1e-6)


@pytest.mark.parametrize(
    ("form", "message"),
    [
        ({"kernel_reach": 0}, "`kernel_reach` must be at least 1, but is 0"),
        ({"n_layers": 0}, "`n_layers` must be at least 1, but is 0"),
        ({"kernel_reach": 128}, "`kernel_reach` must be at most 127 here, but is 128"),
    ],
)
def test_impossible_forms_are_refused(form: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(LocalConfig(**form))


def test_two_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="`grid` must be one-dimensional for this student"):
        local.make(FORM, Grid((64, 64), (1.0, 1.0)), DT)
