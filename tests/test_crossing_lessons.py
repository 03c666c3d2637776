"""Lessons of two channels: Hermitian, one process each, and placebos without it."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import curriculum
from qdistill.curriculum import LESSONS
from qdistill.physics.grid import Grid
from qdistill.system import System

GRID = Grid(512, 60.0, "continuum", origin=-30.0, mass=400.0)
NAMES = ("crossing", "channel-flight", "channel-step", "channel-coupling", "strong-coupling")
COUPLED = ("crossing", "channel-coupling", "strong-coupling")


@functools.cache
def draw(name: str, difficulty: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    keys = jax.random.split(jax.random.key(0), 64)
    make = jax.jit(jax.vmap(lambda key: LESSONS[name](key, GRID, difficulty)))
    psi, v = map(np.asarray, make(keys))
    return psi, v


@pytest.mark.parametrize("name", [each for one in NAMES for each in (one, f"{one}-placebo")])
def test_lessons_give_normalised_states_and_hermitian_matrices(name: str) -> None:
    psi, v = draw(name)
    assert psi.shape == (64, 2, 512)
    assert v.shape == (64, 2, 2, 512)
    assert psi.dtype == np.complex64
    assert v.dtype == np.float32
    np.testing.assert_allclose((abs(psi) ** 2).sum((1, 2)) * GRID.cell, 1, rtol=1e-5)
    np.testing.assert_array_equal(v, v.swapaxes(1, 2))
    assert abs(v).max() < (0.25 if name.startswith("strong") else 0.15)


@pytest.mark.parametrize("name", NAMES)
def test_a_placebo_has_the_same_packets_without_the_process(name: str) -> None:
    (psi, v), (same, off) = draw(name), draw(f"{name}-placebo")
    if name == "channel-flight":
        k = GRID.wavenumbers()
        share = np.abs(np.fft.fft(same)) ** 2
        mean = (share * k).sum((1, 2)) / share.sum((1, 2))
        np.testing.assert_allclose(mean, 0, atol=0.1)
        np.testing.assert_array_equal(v, off)
        return
    np.testing.assert_array_equal(psi, same)
    if name in COUPLED:
        assert abs(v[:, 0, 1]).max(axis=-1).min() > 1e-4
        assert not off[:, 0, 1].any()
        np.testing.assert_array_equal(v[:, 0, 0], off[:, 0, 0])
    else:
        assert abs(np.diff(v, axis=-1)).max() > 1e-3
        assert not off.any()


@pytest.mark.parametrize("difficulty", [0.0, 1.0])
def test_the_potentials_cross_once_in_the_lesson_of_crossings_alone(difficulty: float) -> None:
    _, v = draw("crossing", difficulty)
    changes = np.diff(np.sign(v[:, 0, 0] - v[:, 1, 1]), axis=-1) != 0
    np.testing.assert_array_equal(changes.sum(axis=-1), 1)
    # The coupling is largest near the crossing: the gap does not close.
    gaps = np.linalg.eigvalsh(np.moveaxis(v, -1, 1))
    assert (gaps[..., 1] - gaps[..., 0]).min() > 0
    for name in ("channel-coupling", "strong-coupling"):
        _, v = draw(name, difficulty)
        assert not (np.diff(np.sign(v[:, 0, 0] - v[:, 1, 1]), axis=-1) != 0).any()


def test_packets_are_in_both_channels_or_in_either() -> None:
    psi, _ = draw("crossing")
    assert (abs(psi) ** 2).sum(-1).min() > 0
    psi, _ = draw("channel-flight")
    filled = (abs(psi) ** 2).sum(-1) > 0
    np.testing.assert_array_equal(filled.sum(axis=1), 1)
    assert 10 < filled[:, 0].sum() < 54


def test_kinetic_energies_do_not_depend_on_the_mass() -> None:
    """Carrier energies are 0.001 to 0.31 hartree; packets of half a bohr add their spread."""
    psi, _ = draw("channel-flight")
    share = (np.abs(np.fft.fft(psi)) ** 2).sum(1)
    energy = (share * GRID.kinetic_energy()).sum(-1) / share.sum(-1)
    spread = 1 / (8 * 0.5**2 * 400)
    assert energy.min() > 0.001
    assert energy.max() < 0.307 + spread


def test_lessons_of_another_number_of_channels_are_refused_by_name() -> None:
    one, weights = jax.random.key(0), jnp.ones(1)
    with pytest.raises(ValueError, match=r"`lesson 'crossing'` .* psi .* of shape \(512,\), but"):
        curriculum.sample(one, System(GRID), ("crossing",), weights, 1.0)
    with pytest.raises(ValueError, match=r"`lesson 'free'` must .* of shape \(2, 1024\), but"):
        curriculum.sample(one, System(n_channel=2), ("free",), weights, 1.0)


def test_small_boxes_planes_and_bad_difficulties_are_refused() -> None:
    key = jax.random.key(0)
    with pytest.raises(
        ValueError, match="`grid` must be at least 40 bohr long for a lesson of two"
    ):
        LESSONS["crossing"](key, Grid(64, 20.0), 1.0)
    with pytest.raises(ValueError, match="`grid` must be one-dimensional"):
        LESSONS["channel-step"](key, Grid((8, 8), (50.0, 50.0)), 1.0)
    with pytest.raises(ValueError, match="`difficulty` must be between 0 and 1"):
        LESSONS["crossing"](key, GRID, 2.0)
