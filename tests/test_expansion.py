"""The layout is nobody's business: every way to map and to derive gives what a loop gives."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics.grid import Grid
from qdistill.teacher import expansion

A = jnp.arange(24.0).reshape(2, 3, 4) / 10
B = jnp.cos(A)


def wants_batch_last(a, b):
    """Would not broadcast, nor roll the right axis, with the batch anywhere else."""
    assert a.ndim == b.ndim == 2
    assert a.shape[1] in (1, b.shape[1])
    return a * jnp.roll(b, 1, 0) ** 2


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0), (1, 0)])
def test_mapped_equals_a_loop(in_axes) -> None:
    f = expansion.batch_last(wants_batch_last)
    a, b = (x[0] if axis is None else x for x, axis in zip((A[0], B[0]), in_axes, strict=True))
    a = jnp.eye(4)[:, :3] if in_axes[0] == 1 else a
    sizes = [x.shape[axis] for x, axis in zip((a, b), in_axes, strict=True) if axis is not None]
    one = [
        f(
            *(
                x if axis is None else jnp.take(x, i, axis)
                for x, axis in zip((a, b), in_axes, strict=True)
            )
        )
        for i in range(min(sizes))
    ]
    np.testing.assert_allclose(jax.vmap(f, in_axes)(a, b), np.stack(one), rtol=1e-6)


def test_maps_nest() -> None:
    f = expansion.batch_last(wants_batch_last)
    nested = jax.vmap(jax.vmap(f))(A, B)
    for i, j in itertools.product(range(2), range(3)):
        np.testing.assert_allclose(nested[i, j], f(A[i, j], B[i, j]), rtol=1e-6)


def test_derivatives_in_both_modes_and_mapped() -> None:
    f = expansion.batch_last(wants_batch_last)
    plain = lambda a, b: a * jnp.roll(b, 1) ** 2  # noqa: E731
    for derive in (jax.jacfwd, jax.jacrev):
        for argument in (0, 1):
            mine, truth = (jax.vmap(derive(g, argument))(A[0], B[0]) for g in (f, plain))
            np.testing.assert_allclose(mine, truth, atol=1e-6)
    mine, truth = (
        jax.grad(lambda b, g=g: jnp.sum(jax.vmap(g)(A[0], b) ** 2))(B[0]) for g in (f, plain)
    )
    np.testing.assert_allclose(mine, truth, rtol=1e-5)


def test_under_vmap_the_lattice_is_carried_with_its_packets_last() -> None:
    """What the speed rests on: no array of the loop has the packets first."""
    grid, terms = Grid(16, 4.0), expansion.coefficients(3.0, 1e-5)

    def one(v, psi):
        return expansion.expand(grid, v, 1.0, 10.0, terms, psi)

    jaxpr = jax.make_jaxpr(jax.vmap(one))(jnp.zeros((5, 16)), jnp.zeros((5, 16), jnp.complex64))
    text = str(jaxpr)
    assert "f32[16,2,5]" in text
    assert "f32[5,16,2]" not in text
    assert "f32[5,2,16]" not in text
