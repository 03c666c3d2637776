"""The learned kernel: what is exact whatever its parameters are, and that it learns."""

import dataclasses
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree
from steps import evolve, one

from experiments.frontier import kernel
from experiments.frontier.kernel import Kernel, KernelConfig
from qdistill.physics import band, packets, potentials
from qdistill.physics.eigenstates import eigenstates
from qdistill.physics.grid import Grid, norm
from qdistill.runs import extensions, presets
from qdistill.system import System
from qdistill.teacher import chebyshev
from qdistill.training import losses
from qdistill.training.boxes import Spectra, SpectraConfig

TAUGHT = System(Grid(1024, 100.0, "continuum"), 1.0)
BOX = Grid(128, 12.5, "continuum")
FORM = KernelConfig(256, n_units=8)
V = potentials.double(BOX.positions(), (5.0, 8.0), 1.3, 2.1, 6.25)


def student(form: KernelConfig = FORM, dt: float = 1.0) -> Kernel:
    """On the box, with the band of the grid where it is taught."""
    return form.build(dataclasses.replace(TAUGHT, dt=dt)).on(BOX)


@pytest.fixture(scope="module")
def noisy() -> PyTree:
    """Parameters with which every field counts."""
    params = jax.jit(FORM.build(TAUGHT).init)(jax.random.key(0))
    leaves, tree = jax.tree.flatten(params)
    keys = jax.random.split(jax.random.key(1), len(leaves))
    leaves = [p + 0.05 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, leaves)


def matrix(params: PyTree, v: jax.Array, dt: float = 1.0, form: KernelConfig = FORM) -> np.ndarray:
    return np.asarray(jax.jit(lambda v: student(form, dt).matrix(params, v))(v))


def test_the_polynomials_are_the_exponential() -> None:
    m = np.random.default_rng(0).normal(size=(40, 40))
    m = m + m.T
    m *= kernel.MAX_ANGLE / np.abs(np.linalg.eigvalsh(m)).max()
    energies, states = np.linalg.eigh(m)
    re, im = kernel.exponential(jnp.asarray(m, jnp.float32))
    np.testing.assert_allclose(re, (states * np.cos(energies)) @ states.T, atol=5e-6)
    np.testing.assert_allclose(im, -(states * np.sin(energies)) @ states.T, atol=5e-6)


def test_offsets_stand_between_translations() -> None:
    """c cos(d k), with k the mean of both waves: half a step of d, c, half a step; both ways."""
    phase = 2 * np.pi * np.arange(16)[:, None] / 12.5
    x = np.asarray(BOX.positions(), float)
    c = np.random.default_rng(0).normal(size=(3, 128))

    def waves(shift: float) -> np.ndarray:
        rows = np.concatenate([np.cos(phase * (x + shift)), np.sin(phase[1:] * (x + shift))])
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    expected = np.zeros((31, 31))
    for i in range(3):
        half = i * 100 / 256 / 2
        right, left = waves(half), waves(-half)
        expected += (right * c[i]) @ left.T / 2 + (left * c[i]) @ right.T / 2
    found = student().between_offsets(jnp.asarray(c, jnp.float32))
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_free_packets_are_exact(noisy: PyTree) -> None:
    t = band.kinetic(student().band)
    free = matrix(noisy, jnp.zeros(128))
    # A phase of up to 32 radians, by three squares.
    np.testing.assert_allclose(free, np.diag(np.exp(-1j * t)), atol=2e-5)


def test_a_constant_is_a_phase_and_frames_are_symmetric_and_unitary(noisy: PyTree) -> None:
    frame = matrix(noisy, V)
    assert np.abs(frame - matrix(jax.jit(student().init)(jax.random.key(0)), V)).max() > 0.01
    np.testing.assert_allclose(matrix(noisy, V + 3), np.exp(-3j) * frame, atol=5e-5)
    np.testing.assert_allclose(frame, frame.T, atol=1e-6)
    np.testing.assert_allclose(frame.conj().T @ frame, np.eye(31), atol=3e-5)


def test_a_mirrored_landscape_has_the_mirrored_kernel(noisy: PyTree) -> None:
    """x -> 12.5 - x: cosines stay, sines turn."""
    turn = np.where(np.arange(31) > 15, -1, 1)
    mirrored = matrix(noisy, jnp.roll(V[::-1], -1))
    np.testing.assert_allclose(mirrored, turn[:, None] * matrix(noisy, V) * turn, atol=3e-5)


def test_frames_of_half_the_length_compose(noisy: PyTree) -> None:
    half = matrix(noisy, V, 0.5, KernelConfig(256, n_doublings=2, n_units=8))
    np.testing.assert_allclose(half @ half, matrix(noisy, V), atol=1e-5)


def test_it_is_right_to_first_order(noisy: PyTree) -> None:
    """The error falls with the square of the potential, whatever was learned."""
    psi = packets.gaussian(BOX, 6.25, 0.9, 2.0)
    solver = chebyshev(System(BOX, 1.0, bounds=(0.0, 8.0)), 1e-6)

    @jax.jit
    def error(v: jax.Array) -> jax.Array:
        found = evolve(student().bind(noisy), v, psi, 1)
        return norm(BOX, found - evolve(solver, v, psi, 1))

    smooth = jnp.exp(-((BOX.positions() - 5) ** 2))
    large, small = (float(error(height * smooth)) for height in (2.0, 0.5))
    assert 10 * small < large < 0.02


def test_the_network_sees_as_far_as_it_reaches(noisy: PyTree) -> None:
    """1 bohr is 10 points."""
    here, there = (student().fields(noisy, v) for v in (V, V.at[64].add(1.0)))
    changed = np.flatnonzero(np.any(np.asarray(here != there), axis=0))
    assert (changed.min(), changed.max()) == (64 - 10, 64 + 10)


def test_no_potential_makes_psi_grow(noisy: PyTree) -> None:
    with pytest.raises(ValueError, match="`v` must be within 32 hartree from its lowest"):
        student().matrix(noisy, 9 * V)
    size = np.linalg.norm(matrix(jax.tree.map(lambda p: 9 * p, noisy), 9 * V), 2)
    np.testing.assert_allclose(size, 1, atol=1e-4)


def test_a_frame_is_a_product_with_the_matrix(noisy: PyTree) -> None:
    """Between the waves; nothing is stepped on the points."""
    step = student().step(noisy, V)
    psi = packets.gaussian(BOX, 6.25, 0.9, 2.0)
    state = step.encode(psi[None], jnp.asarray(0))
    assert state.shape == (31,)
    np.testing.assert_allclose(step.advance(state), matrix(noisy, V) @ state, atol=1e-5)
    found = one(student().bind(noisy), V)(psi)
    expected = band.from_waves(student().band, jnp.asarray(matrix(noisy, V)) @ state)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_training_lowers_the_error() -> None:
    energies, states = eigenstates(BOX, V, 28)
    given = Spectra(energies[None], states[None], V[None], jnp.zeros(1, int))
    config = SpectraConfig(n_box=128, n_states=28, horizon=20)
    loss = losses.spectral_loss(FORM.build(TAUGHT), config)

    @jax.jit
    def descend(params: PyTree) -> tuple[jax.Array, PyTree]:
        value, slope = jax.value_and_grad(lambda p: loss(p, given, jax.random.key(0))[0])(params)
        return value, jax.tree.map(lambda p, s: p - 3e-3 * jnp.sign(s), params, slope)

    params, values = jax.jit(FORM.build(TAUGHT).init)(jax.random.key(0)), []
    for _ in range(12):
        value, params = descend(params)
        values.append(float(value))
    assert values[-1] < 0.3 * values[0], values


def test_its_presets_are_known_once_their_file_is_loaded() -> None:
    path = pathlib.Path(kernel.__file__).with_name("kernel_presets.py")
    extensions.load(path)
    for name in ("kernel", "kernel-trajectories"):
        config = presets.PRESETS[name][1]
        assert config.student == KernelConfig()
        assert (config.system.dt, config.system.grid.dispersion) == (1.0, "continuum")
    stage = presets.PRESETS["kernel"][1].training.stages[0]
    assert stage.batches.examples == "spectra"
    assert stage.batches.spectra == SpectraConfig(n_states=60, horizon=20)


def test_what_cannot_be_is_refused() -> None:
    for name, value in (("n_coarse", 2), ("n_doublings", -1), ("n_offsets", 0), ("n_units", 0)):
        with pytest.raises(ValueError, match=f"`{name}` must be at least"):
            KernelConfig(**{name: value})
    with pytest.raises(ValueError, match="`reach` must be finite and positive"):
        KernelConfig(reach=0.0)
    with pytest.raises(ValueError, match="`n_coarse` must be between 4 and 1024"):
        KernelConfig(2048).build(TAUGHT)
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        KernelConfig().build(System(Grid((8, 8), (2.0, 2.0), "continuum")))


def test_a_network_that_sees_less_than_a_point_is_refused() -> None:
    with pytest.raises(
        ValueError, match=r"`reach` must be at least the spacing of the grid, 0\.0977"
    ):
        KernelConfig(reach=0.05).build(TAUGHT)
