"""The local student: linear, contractive and inside its light cone whatever its parameters are."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.ladder import local
from experiments.ladder.local import LocalConfig
from qdistill.physics.grid import Grid
from qdistill.students import FORMS, Emulator
from qdistill.system import System, rollout

SYSTEM = System(Grid(256, 25.0), dt=0.1)
FORM = LocalConfig(n_layers=2, kernel_reach=10, reach=4, n_units=8)
STUDENT = FORM.build(SYSTEM)
V = 3 * jax.random.normal(jax.random.key(8), (256,))


@jax.jit
def frame(emulator: Emulator, v: jax.Array, psi: jax.Array) -> jax.Array:
    return rollout(emulator, psi[None], v, 1)[0]


@pytest.fixture(scope="module")
def disturbed() -> Emulator:
    leaves, tree = jax.tree.flatten(jax.jit(STUDENT.init)(jax.random.key(0)))
    keys = jax.random.split(jax.random.key(1), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return STUDENT.bind(jax.tree.unflatten(tree, noisy))


def states(n: int) -> jax.Array:
    psi = jax.random.normal(jax.random.key(7), (n, 256), jnp.complex64)
    return psi / jnp.linalg.norm(psi, axis=1, keepdims=True)


def test_convolution_is_a_product_in_fourier_space() -> None:
    psi, kernel = states(1)[0], jax.random.normal(jax.random.key(2), (11,), jnp.complex64)
    centred = jnp.zeros(256, jnp.complex64).at[jnp.arange(-5, 6)].set(kernel)
    expected = jnp.fft.ifft(jnp.fft.fft(centred) * jnp.fft.fft(psi))
    np.testing.assert_allclose(local.convolve(psi, kernel), expected, atol=1e-5)


def test_it_begins_as_the_identity() -> None:
    (psi,) = states(1)
    emulator = STUDENT.bind(jax.jit(STUDENT.init)(jax.random.key(0)))
    np.testing.assert_allclose(frame(emulator, jnp.zeros(256), psi), psi, atol=1e-6)


def test_it_is_linear_and_a_constant_in_v_is_a_phase(disturbed: Emulator) -> None:
    phi, psi = states(2)
    together = frame(disturbed, V, 2j * phi - psi)
    parts = 2j * frame(disturbed, V, phi) - frame(disturbed, V, psi)
    np.testing.assert_allclose(together, parts, atol=5e-6)
    turned = np.exp(-3j * SYSTEM.dt) * frame(disturbed, V, psi)
    np.testing.assert_allclose(frame(disturbed, V + 3.0, psi), turned, atol=1e-5)
    assert disturbed.is_linear


def test_psi_never_grows(disturbed: Emulator) -> None:
    """Kernels of any size are scaled down: the norm falls at every frame."""
    large = STUDENT.bind(disturbed.params | {"taps": 10 * disturbed.params["taps"]})
    (psi,) = states(1)
    frames = jax.jit(lambda psi: rollout(large, psi[None], V, 50))(psi)
    norms = jnp.linalg.norm(jnp.concatenate([psi[None], frames]), axis=1)
    # The maximum over wavenumbers is found on a fine grid of them, to 1e-3.
    assert jnp.all(norms[1:] <= 1.001 * norms[:-1])
    assert norms[-1] > 0


def test_it_sees_nothing_beyond_its_light_cone(disturbed: Emulator) -> None:
    """Two kernels of 10 points and a network of 4 reach 24 points."""
    (psi,) = states(1)
    elsewhere = jnp.arange(256) > 125
    changed = frame(disturbed, jnp.where(elsewhere, V + 1, V), jnp.where(elsewhere, -psi, psi))
    same = np.asarray(changed == frame(disturbed, V, psi))
    assert same[24:102].all()
    assert not same[102:126].all()


def test_it_runs_on_any_size_of_box(disturbed: Emulator) -> None:
    psi, v = jnp.concatenate([states(1)[0]] * 2), jnp.concatenate([V, V])
    once = frame(disturbed, V, psi[:256])
    twice = frame(disturbed.on(Grid(512, 50.0)), v, psi)
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
        LocalConfig(**form).build(SYSTEM)


def test_two_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match="`grid` must be one-dimensional for this student"):
        FORM.build(System(Grid((64, 64), (1.0, 1.0))))


def test_it_is_known_by_its_name() -> None:
    assert FORMS["local"] is LocalConfig
