"""Adiabatic states and their gauge, and what is measured of a psi with channels."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import channels, crossings
from qdistill.physics.grid import Grid, inner_product, norm
from qdistill.physics.observables import probability

LINE = Grid(64, 16.0, "continuum", origin=-8.0)


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def matrices(n: int, is_complex: bool = True) -> jax.Array:
    """Smooth Hermitian matrices along the line."""
    rng, x = np.random.default_rng(n), np.asarray(LINE.positions())
    parts = rng.normal(size=(3, n, n)) + 1j * is_complex * rng.normal(size=(3, n, n))
    one, two, three = parts[..., None]
    v = one + two * np.tanh(x) + three * np.exp(-(x**2) / 8)
    return jnp.asarray(v + v.swapaxes(0, 1).conj() if is_complex else (v + v.swapaxes(0, 1)).real)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
@pytest.mark.parametrize("is_complex", [False, True])
def test_adiabatic_states_are_eigenstates_in_the_parallel_transport_gauge(n, is_complex) -> None:
    v = matrices(n, is_complex)
    energies, states, is_degenerate = jax.jit(channels.adiabatic)(v)
    assert energies.dtype == float
    assert states.dtype == v.dtype
    made = np.einsum("iax,ax,jax->ijx", states, energies, np.conj(states))
    np.testing.assert_allclose(made, v, atol=1e-13)
    np.testing.assert_allclose(energies, np.sort(energies, axis=0))
    overlaps = np.einsum("iax,iax->ax", np.conj(states[..., :-1]), states[..., 1:])
    # Real and positive, to rounding.
    np.testing.assert_allclose(overlaps.imag, 0, atol=1e-14)
    assert overlaps.real.min() > 0.3
    assert not is_degenerate.any()


def test_the_gauge_does_not_turn_along_a_closed_loop_by_itself() -> None:
    """Around a crossing the sign of a real state changes: it is geometry, and is kept."""
    angle = jnp.linspace(0, 2 * jnp.pi, 65)
    v = jnp.stack([jnp.stack([jnp.cos(angle), jnp.sin(angle)]),
                   jnp.stack([jnp.sin(angle), -jnp.cos(angle)])])  # fmt: skip
    states = channels.adiabatic(v).states
    np.testing.assert_allclose(states[..., -1], -states[..., 0], atol=1e-14)


@pytest.mark.parametrize("n", [2, 3])
def test_states_go_on_through_points_where_energies_are_one(n) -> None:
    """The matrix is a multiple of one at three points, where any states would do."""
    x = np.asarray(LINE.positions())
    is_flat = (x > -1.1) & (x < -0.4)
    here = np.asarray(matrices(n))[..., 40, None]
    found = channels.adiabatic(jnp.asarray(here * ~is_flat + 0.1 * np.eye(n)[..., None]))
    assert is_flat.sum() == 3
    np.testing.assert_array_equal(found.is_degenerate, is_flat)
    same = np.broadcast_to(found.states[..., :1], found.states.shape)
    np.testing.assert_allclose(found.states, same, atol=1e-13)


def test_uncoupled_states_are_exchanged_where_they_cross() -> None:
    found = channels.adiabatic(crossings.linear(LINE.positions(), slope=0.1, coupling=0.0))
    # Exactly at the crossing the two are one.
    assert np.flatnonzero(found.is_degenerate).tolist() == [31]
    np.testing.assert_allclose(abs(found.states[:, 0, [0, -1]]), [[1, 0], [0, 1]])


def test_to_and_from_adiabatic_states_are_inverse() -> None:
    v = matrices(3)
    states = channels.adiabatic(v).states
    parts = np.random.default_rng(0).normal(size=(2, 3, 64))
    psi = jnp.asarray(parts[0] + 1j * parts[1])
    over = channels.to_adiabatic(states, psi)
    np.testing.assert_allclose(channels.from_adiabatic(states, over), psi, atol=1e-13)
    total = channels.populations(LINE, psi).sum()
    assert float(channels.populations(LINE, over).sum()) == pytest.approx(float(total), rel=1e-13)
    assert float(total) == pytest.approx(float(norm(LINE, psi)) ** 2, rel=1e-13)
    assert float(total) == pytest.approx(float(probability(LINE, psi)), rel=1e-13)


def test_measures_of_a_known_state() -> None:
    """Two boxes of constant amplitude, in two dimensions too."""
    grid = Grid((8, 4), (8.0, 2.0), origin=-4.0)
    psi = jnp.zeros((2, 8, 4), complex).at[0, :4].set(0.5).at[1, 2:6].set(0.5j)
    # 16 points of 1/4 in each channel, 8 of them shared, in cells of 1/2.
    np.testing.assert_allclose(channels.populations(grid, psi), [2.0, 2.0])
    expected = [[2.0, -1.0j], [1.0j, 2.0]]
    np.testing.assert_allclose(channels.density_matrix(grid, psi), expected)
    assert complex(inner_product(grid, psi[::-1], psi)) == pytest.approx(1j - 1j)
    beyond, before = channels.sides(grid, psi, -0.5, 0.5)
    # Points lie at -3, -2, ... 4.
    np.testing.assert_allclose(beyond, [0.0, 1.0])
    np.testing.assert_allclose(before, [1.5, 0.5])


def test_views_pass_through_vmap_and_keep_precision() -> None:
    v = jnp.stack([matrices(3), 2 * matrices(3)])
    together = jax.jit(jax.vmap(channels.adiabatic))(v)
    for i in range(2):
        alone = channels.adiabatic(v[i])
        np.testing.assert_allclose(together.states[i], alone.states, atol=1e-12)
    single = channels.adiabatic(v[0].astype(jnp.complex64))
    assert (single.energies.dtype, single.states.dtype) == (jnp.float32, jnp.complex64)
    psi = jnp.ones((3, 64), jnp.complex64)
    assert channels.to_adiabatic(single.states, psi).dtype == jnp.complex64
    assert channels.populations(LINE, psi).dtype == jnp.float32


@pytest.mark.parametrize(
    ("v", "words"),
    [
        (np.zeros((2, 3, 8)), r"of shape \(n_channel, n_channel, n_x\), but is of shape \(2, 3, 8"),
        (np.full((2, 2, 8), np.nan), "finite"),
        (1j * np.ones((2, 2, 8)), r"Hermitian .* point 0 its element \(0, 0\) is 0\+1j, and"),
        (np.arange(4.0).reshape(2, 2, 1), r"Hermitian .* \(0, 1\) is 1, and .* of \(1, 0\) is 2\."),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_what_is_no_matrix_of_channels_is_refused(v, words) -> None:
    with pytest.raises(ValueError, match=f"`v` must be {words}"):
        channels.adiabatic(jnp.asarray(v))


@pytest.mark.usefixtures("without_checker")
def test_a_psi_of_another_count_of_channels_is_refused() -> None:
    states = channels.adiabatic(matrices(3)).states
    psi = jnp.ones((2, 64), complex)
    for change in (channels.to_adiabatic, channels.from_adiabatic):
        with pytest.raises(ValueError, match=r"`psi` must be of shape \(3, 64\), but is of shape"):
            change(states, psi)
    with pytest.raises(ValueError, match=r"`psi` must be of shape \(n_channel, 64\), but is of"):
        channels.populations(LINE, psi[0])
