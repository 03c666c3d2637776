"""Evolution in an eigenbasis, and its derivatives where energies agree."""

from typing import Any

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import band, eigenbasis, packets
from qdistill.physics.band import Band
from qdistill.physics.grid import Grid

GRID = Grid(128, 20.0, "continuum")
# Without a potential all waves but one have a twin of the same energy.
FREE = Band(GRID, 2 * np.pi * 4 / 20)


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def symmetric(n: int) -> jax.Array:
    change = jnp.asarray(np.random.default_rng(0).normal(size=(n, n)))
    return change + change.T


def test_evolution_is_that_of_the_dense_hamiltonian_of_a_smooth_potential() -> None:
    v = 2 * np.cos(2 * np.pi * np.asarray(GRID.positions(), float) / 20)
    psi = np.asarray(packets.gaussian(GRID, 7.0, 1.2, 1.5))
    energies, states = np.linalg.eigh(exact.hamiltonian(GRID, v))
    true = states @ (np.exp(-10j * energies) * (states.T @ psi))
    b = Band(GRID, 2 * np.pi * 31 / 20)

    @jax.jit
    def evolve(v: jax.Array, psi: jax.Array) -> jax.Array:
        spectrum = eigenbasis.diagonalise(band.project(b, v))
        return band.from_waves(b, eigenbasis.evolve(spectrum, band.to_waves(b, psi), 10.0))

    found = evolve(jnp.asarray(v, jnp.float32), jnp.asarray(psi))
    # 10 a.u. times the rounding of energies up to 50 hartree.
    np.testing.assert_allclose(found, true, atol=3e-4)


@pytest.mark.usefixtures("double_precision")
def test_the_frame_is_the_exponential_with_its_derivative() -> None:
    h = band.project(FREE, jnp.zeros(128))
    change = symmetric(9)
    frame, slope = jax.jit(lambda h: jax.jvp(lambda h: eigenbasis.frame(h, 0.7), (h,), (change,)))(
        h
    )
    np.testing.assert_allclose(frame, jax.scipy.linalg.expm(-0.7j * h), atol=1e-12)
    step = 1e-5
    ahead, behind = (jax.scipy.linalg.expm(-0.7j * (h + s * change)) for s in (step, -step))
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), atol=1e-8)
    gradient = jax.jit(jax.grad(lambda h: jnp.abs(eigenbasis.frame(h, 0.7)[1, 2]) ** 2))(h)
    assert np.all(np.isfinite(gradient))


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("is_flat", [True, False], ids=["degenerate", "simple"])
def test_derivatives_by_matrix_state_and_time_are_those_of_the_exponential(is_flat: bool) -> None:
    """Through many steps in the eigenbasis, forwards and backwards."""
    v = jnp.zeros(128) if is_flat else jnp.cos(GRID.positions())
    h, change = band.project(FREE, v), symmetric(9)
    start, d_start = np.random.default_rng(1).normal(size=(2, 2, 9)) @ np.diag([1.0] * 9)
    start, d_start = (jnp.asarray(pair[0] + 1j * pair[1]) for pair in (start, d_start))

    def later(h: jax.Array, start: jax.Array, t: jax.Array) -> jax.Array:
        spectrum = eigenbasis.diagonalise(h)
        advance = eigenbasis.turn(spectrum, t)
        amplitudes = eigenbasis.times(spectrum.states.T, start)
        amplitudes, seen = jax.lax.scan(
            lambda a, _: (advance(a), eigenbasis.times(spectrum.states, a)), amplitudes, None, 3
        )
        return jnp.sum(seen) + jnp.vdot(seen[1], eigenbasis.times(spectrum.states, amplitudes))

    @jax.jit
    def by_exponential(h: jax.Array, start: jax.Array, t: jax.Array) -> jax.Array:
        frame = jax.scipy.linalg.expm(-1j * t * h)
        seen = [start, frame @ start, frame @ frame @ start]
        return sum(map(jnp.sum, seen)) + jnp.vdot(seen[1], frame @ seen[2])

    t = jnp.asarray(0.7)
    at, along = (h, start, t), (change, d_start, jnp.asarray(0.3))
    value, slope = jax.jit(lambda at, along: jax.jvp(later, at, along))(at, along)
    np.testing.assert_allclose(value, by_exponential(*at), atol=1e-11)
    step = 1e-5
    ahead, behind = (
        by_exponential(*(x + s * d for x, d in zip(at, along, strict=True))) for s in (step, -step)
    )
    np.testing.assert_allclose(slope, (ahead - behind) / (2 * step), rtol=1e-7)
    real = lambda h: later(h, start, t).real  # noqa: E731
    gradient = jax.jit(jax.grad(real))(h)
    only_h = jax.jit(lambda h: jax.jvp(real, (h,), (change,))[1])(h)
    np.testing.assert_allclose(jnp.sum(gradient * change), only_h, rtol=1e-10)


def test_second_derivatives_are_refused_rather_than_wrong() -> None:
    h = jnp.diag(jnp.arange(3.0))

    def value(s: jax.Array) -> jax.Array:
        return jnp.abs(eigenbasis.frame(h + s * jnp.ones((3, 3)), 1.0)[0, 1]) ** 2

    assert np.isfinite(jax.jit(jax.grad(value))(0.5))
    for twice in (jax.grad(jax.grad(value)), jax.hessian(value), jax.jacfwd(jax.jacfwd(value))):
        with pytest.raises(NotImplementedError, match="no second derivative with respect"):
            twice(0.5)


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("h", "words"),
    [
        (jnp.array([[0.0, 1.0], [2.0, 0.0]]), "`h` must be symmetric, but is asymmetric by 1"),
        (jnp.ones((2, 3)), r"`h` must be a square matrix, but is of shape \(2, 3\)"),
        (jnp.array([[0, 1j], [-1j, 0]]), "`h` must be an array of real floating-point numbers"),
        (jnp.full((2, 2), jnp.nan), "`h` must be finite"),
    ],
)
def test_what_has_no_real_eigenstates_has_no_frame(h: jax.Array, words: str) -> None:
    for call in (lambda h: eigenbasis.frame(h, 1.0), eigenbasis.diagonalise):
        with pytest.raises(ValueError, match=words):
            call(h)


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize("t", [1j, np.nan, jnp.ones(2), "1"])
def test_a_time_is_one_real_number(t: Any) -> None:
    with pytest.raises(ValueError, match="`t` must be"):
        eigenbasis.frame(jnp.eye(2), t)
