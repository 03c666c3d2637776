"""A learned splitting of several channels: what is built in holds whatever its parameters are."""

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jaxtyping import PyTree
from steps import evolve, relative_error

from qdistill.physics.grid import Grid
from qdistill.students import Splitting, UnitaryConfig, phases
from qdistill.system import System
from qdistill.teacher import split_step

DT = 0.1
LINE, PLANE = Grid(128, 12.5), Grid((16, 16), (4.0, 4.0), "continuum")
# Rounding of complex64 in one frame of a few FFTs.
ROUNDING = 3e-6


def make(grid: Grid = LINE, n_channel: int = 2, **form: Any) -> Splitting:
    return UnitaryConfig(**({"reach": 2} | form)).build(System(grid, DT, n_channel=n_channel))


def disturbed(student: Splitting, seed: int = 1) -> PyTree:
    leaves, tree = jax.tree.flatten(jax.jit(student.init)(jax.random.key(0)))
    keys = jax.random.split(jax.random.key(seed), len(leaves))
    noisy = [p + 0.3 * jax.random.normal(k, p.shape) for p, k in zip(leaves, keys, strict=True)]
    return jax.tree.unflatten(tree, noisy)


@functools.cache
def random(grid: Grid, n: int = 2) -> tuple[jax.Array, jax.Array, jax.Array]:
    """A Hermitian potential, a state of norm one, and a unitary matrix."""
    one, two, three = jax.random.split(jax.random.key(3), 3)
    v = 3 * jax.random.normal(one, (n, n, *grid.shape), jnp.complex64)
    psi = jax.random.normal(two, (n, *grid.shape), jnp.complex64)
    unitary, _ = jnp.linalg.qr(jax.random.normal(three, (n, n), jnp.complex64))
    return (v + v.swapaxes(0, 1).conj()) / 2, psi / jnp.linalg.norm(psi.ravel()), unitary


PLACES = pytest.mark.parametrize(
    ("grid", "n"), [(LINE, 2), (PLANE, 2), (LINE, 3)], ids=["line", "plane", "three channels"]
)


@PLACES
def test_a_constant_change_of_basis_has_no_effect(grid: Grid, n: int) -> None:
    student, (v, psi, u) = make(grid, n), random(grid, n)
    emulator = student.bind(disturbed(student))
    later = evolve(emulator, v, psi, 2)
    turned = evolve(
        emulator,
        jnp.einsum("ij,jk...,lk->il...", u, v, u.conj()),
        jnp.einsum("ij,j...->i...", u, psi),
        2,
    )
    assert relative_error(turned, jnp.einsum("ij,j...->i...", u, later)) < 4 * ROUNDING
    assert relative_error(later, psi) > 0.1


@PLACES
def test_the_norm_is_kept(grid: Grid, n: int) -> None:
    student, (v, psi, _) = make(grid, n), random(grid, n)
    assert student.is_unitary
    later = evolve(student.bind(disturbed(student)), v, psi, 2)
    assert float(jnp.linalg.norm(later.ravel())) == pytest.approx(1, abs=10 * ROUNDING)


def test_a_constant_in_v_is_a_phase_and_reversal_holds() -> None:
    student, (v, psi, _) = make(), random(LINE)
    emulator = student.bind(disturbed(student))
    shifted = evolve(emulator, v + 3 * jnp.eye(2)[..., None], psi, 2)
    later = evolve(emulator, v, psi, 2)
    assert relative_error(shifted, np.exp(-6j * DT) * later) < 4 * ROUNDING
    # The complex conjugate of a forecast evolves to that of the start, with conjugate couplings.
    back = jnp.conj(evolve(emulator, jnp.conj(v), jnp.conj(later), 2))
    assert relative_error(back, psi) < 10 * ROUNDING


def test_the_informed_start_is_the_clamped_split_step() -> None:
    student, (v, psi, _) = make(start="informed", kinetic_cap=25.0, reach=8), random(LINE)
    params = jax.jit(student.init)(jax.random.key(0))
    # The state is smooth, because the knots do not follow the kink at the cap.
    x = LINE.positions()
    psi = jnp.stack([jnp.exp(-((x - 6) ** 2)), 0.5j * jnp.exp(-((x - 5) ** 2) + 2j * x)])
    smooth = 0.1 * jnp.real(v[..., :1]) * jnp.cos(x)[None, None]
    expected = evolve(split_step(student.system, 2, kinetic_cap=25.0), smooth, psi, 2)
    assert relative_error(evolve(student.bind(params), smooth, psi, 2), expected) < 1e-3


def test_phases_are_matrices_that_grow_with_the_square_of_slopes() -> None:
    """By hand: the squares are products of matrices, over neighbours at one distance."""
    v, _, _ = random(LINE)
    means = phases.means_over_rings(v, 1, 2)
    right, left = (np.roll(v, s, -1) - v for s in (-1, 1))
    np.testing.assert_allclose(means[..., 0], (right + left) / 2, atol=1e-5)
    squares = sum(np.einsum("ijx,jkx->ikx", d, d) for d in (right, left)) / 8
    np.testing.assert_allclose(means[..., 1], squares, rtol=1e-4, atol=1e-4)
    student = make()
    of_x, of_k = student.phases(disturbed(student), v)
    assert of_x.shape == (3, 2, 2, 128)
    assert of_k.shape == (2, 128)
    np.testing.assert_allclose(of_x, of_x.swapaxes(1, 2).conj(), atol=1e-5)


def test_gradients_are_finite_where_channels_are_degenerate() -> None:
    student, (_, psi, _) = make(), random(LINE)
    params = disturbed(student)

    def loss(params: PyTree, v: jax.Array) -> jax.Array:
        step = student.step(params, v)
        return jnp.sum(jnp.abs(step.advance(psi)) ** 2 * jnp.linspace(0, 1, 128)[None])

    for kind in (jnp.float32, jnp.complex64):
        gradients = jax.jit(jax.grad(loss, (0, 1)))(params, jnp.zeros((2, 2, 128), kind))
        assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradients))


def test_the_parameters_of_one_channel_are_as_they_were() -> None:
    """Emulators in files depend on it."""
    alone = jax.eval_shape(make(n_channel=0).init, jax.random.key(0))
    of_x = alone["landscape"]
    assert set(of_x) == {"share", "hidden_0", "hidden_1", "direct", "output"}
    both = jax.eval_shape(make().init, jax.random.key(0))["landscape"]
    assert set(both) == {"share", "direct"}
    # Means and squares over two rings, for the kicks at the ends and the one between.
    assert both["direct"]["kernel"].shape == (4, 2)


def test_without_the_mirror_it_is_refused() -> None:
    with pytest.raises(
        ValueError, match="`mirror` must be True in more than one dimension and with channels"
    ):
        make(mirror=False)


def test_double_precision_is_kept() -> None:
    with jax.enable_x64(True):
        student = make(Grid(32, 4.0))
        params = jax.eval_shape(student.init, jax.random.key(0))
        v, psi = jnp.zeros((2, 2, 32)), jnp.zeros((2, 32), complex)
        later = jax.eval_shape(lambda p: student.step(p, v).advance(psi), params)
        assert later.dtype == jnp.complex128
        assert all(leaf.dtype == jnp.float64 for leaf in jax.tree.leaves(params))


def test_a_form_is_a_value() -> None:
    assert hash(make()) == hash(dataclasses.replace(make()))
