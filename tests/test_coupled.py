"""Stationary scattering between channels: published numbers, closed forms, conservation."""

import functools

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import crossings, potentials, stationary
from qdistill.physics.grid import Grid

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


# Published: Tully's three models. Reflection and transmission below and above, by momentum.
PUBLISHED: dict[tuple[int, float], tuple[float | None, ...]] = {
    (1, 5.0): (0.1331, 0, 0.8669, 0),
    (1, 20.0): (0, 0, 0.5068, 0.4932),
    (2, 10.2125): (0.5861, 0, 0.4139, 0),
    (2, 15.0): (0, 0, None, 0.1328),
    (2, 20.0): (0, 0, None, 0.0445),
    (2, 30.0): (0, 0, None, 0.6664),
    (3, 10.0): (0.0900, 0.2100, 0.7000, 0),
    (3, 30.0): (0, 0, 0.5695, 0.4305),
}
FINE = Grid(8192, 30.0, "continuum", origin=-15.0, mass=2000.0)


@functools.cache
def tully() -> dict[tuple[int, float], np.ndarray]:
    """All probabilities at the published momenta, in the order of the table."""
    x = FINE.positions()
    v = jnp.stack([crossings.TULLY[model](x) for model, _ in PUBLISHED])
    k = np.array([k for _, k in PUBLISHED])
    bottom = np.linalg.eigvalsh(np.moveaxis(np.asarray(v[..., 0]), 0, 0))[:, 0]

    @jax.jit
    @jax.vmap
    def solve(v, energy):
        found = stationary.scatter(FINE, v, energy)
        return jnp.concatenate([found.reflection[:, 0], found.transmission[:, 0]])

    found = solve(v, jnp.asarray(bottom + k**2 / 4000))
    return dict(zip(PUBLISHED, np.asarray(found), strict=True))


@pytest.mark.parametrize("case", PUBLISHED)
def test_tullys_models_have_their_published_probabilities(case) -> None:
    found = tully()[case]
    # The table is good to 5e-4, and its resonance is shifted by the spacing, to 2e-4 here.
    for value, published in zip(found, PUBLISHED[case], strict=True):
        if published is not None:
            assert value == pytest.approx(published, abs=5e-4)
    # Rounding of 8192 steps.
    assert found.sum() == pytest.approx(1, abs=1e-11)


def between(grid: Grid, first: jax.Array, second: jax.Array, coupling: jax.Array) -> jax.Array:
    return jnp.stack([jnp.stack([first, coupling]), jnp.stack([coupling, second])])


@both_dispersions
@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_channels_without_coupling_scatter_each_by_itself(dispersion, mass) -> None:
    grid = Grid(128, 10.0, dispersion, mass=mass)
    x = grid.positions()
    v = potentials.barrier(x, 1.3, 2.0, 5.0)
    w = 0.4 * jnp.exp(-((x - 4) ** 2))
    w = w.at[0].set(0.0).at[-1].set(0.0)
    # The second one starts at 0.5, so its kinetic energy is less by that.
    found = stationary.scatter(grid, between(grid, v, w + 0.5, 0 * v), 1.0)
    for channel, one, energy in ((0, v, 1.0), (1, w, 0.5)):
        alone = stationary.scatter(grid, one, energy)
        for part in ("through", "back"):
            value = complex(getattr(found, part)[channel, channel])
            # `through` is at the end of the grid here, and relative to empty space there.
            assert abs(value) == pytest.approx(abs(complex(getattr(alone, part))), abs=1e-11)
    np.testing.assert_allclose(found.through - jnp.diag(jnp.diag(found.through)), 0, atol=1e-13)


@both_dispersions
def test_a_constant_coupling_is_two_barriers_that_interfere(dispersion) -> None:
    """Between channels of one energy, it is a barrier and a well for their sum and difference."""
    grid = Grid(256, 20.0, dispersion)
    zero = jnp.zeros(256)
    inside = zero.at[100:121].set(0.4)
    found = stationary.scatter(grid, between(grid, zero, zero, inside), 0.9)
    up, down = (stationary.scatter(grid, sign * inside, 0.9) for sign in (1, -1))
    same, other = (abs(complex(up.through + sign * down.through)) ** 2 / 4 for sign in (1, -1))
    assert float(found.transmission[0, 0]) == pytest.approx(same, abs=1e-11)
    assert float(found.transmission[1, 0]) == pytest.approx(other, abs=1e-11)
    assert other > 0.1
    # The barrier itself has a closed form.
    k = stationary.wavenumber(grid, np.array([0.9]))[0]
    if dispersion == "lattice":
        closed = exact.barrier_transmission_on_lattice(k, 0.4, 21, grid.dx[0])
    else:
        closed = exact.barrier_transmission(k, 0.4, 21 * grid.dx[0])
    assert float(up.transmission) == pytest.approx(float(closed), abs=1e-11)


def three_channels(grid: Grid) -> jax.Array:
    """Complex and Hermitian, with one channel that is closed behind the potential."""
    rng, x = np.random.default_rng(3), np.asarray(grid.positions())
    parts = rng.normal(size=(2, 3, 3)) + 1j * rng.normal(size=(2, 3, 3))
    one, two = (part + part.conj().T for part in parts)
    v = 0.2 * one[..., None] * np.exp(-((x - 5) ** 2)) + 0.1 * two[..., None] * np.exp(
        -((x - 6) ** 2)
    )
    ends = np.diag([0.0, 0.2, 0.4])[..., None] * (1 + 3 / (1 + np.exp(-4 * (x - 5.5))))
    return jnp.asarray(v + ends)


@both_dispersions
def test_current_is_conserved_and_the_basis_does_not_count(dispersion) -> None:
    grid = Grid(192, 11.0, dispersion)
    v = three_channels(grid)
    found = jax.jit(lambda v: stationary.scatter(grid, v, 1.0))(v)
    total = found.transmission.sum(axis=0) + found.reflection.sum(axis=0)
    np.testing.assert_allclose(total, 1, atol=1e-12)
    np.testing.assert_array_equal(found.through[2], 0)
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)) * (1 + 1j))
    turned = jnp.einsum("ai,ijx,bj->abx", turn, v, np.conj(turn))
    again = stationary.scatter(grid, turned, 1.0)
    np.testing.assert_allclose(again.transmission, found.transmission, atol=1e-11)
    np.testing.assert_allclose(again.reflection, found.reflection, atol=1e-11)
    # Backwards in time the channels are exchanged, with the conjugate potential.
    back = stationary.scatter(grid, jnp.conj(v), 1.0)
    np.testing.assert_allclose(back.reflection, found.reflection.T, atol=1e-11)


@pytest.mark.parametrize("real", [jnp.float32, jnp.float64])
@both_dispersions
def test_deep_barriers_and_closed_channels_are_stable(dispersion, real) -> None:
    """A thick, high barrier, and a channel closed by 50 hartree: growth of exp(1000) and more."""
    grid = Grid(512, 100.0, dispersion)
    x = grid.positions(dtype=real)
    wall = potentials.barrier(x, 20.0, 60.0, 50.0)
    v = between(grid, wall, 50 + 0 * wall, 0.3 * jnp.exp(-((x - 50) ** 2)))
    found = stationary.scatter(grid, v, real(1.0))
    assert found.through.dtype == jnp.result_type(real, jnp.complex64)
    np.testing.assert_allclose(found.reflection, [[1, 0], [0, 0]], atol=1e-5)
    np.testing.assert_allclose(found.transmission, 0, atol=1e-200 if real is jnp.float64 else 1e-30)


def test_many_energies_and_packets() -> None:
    grid = Grid(512, 30.0, "continuum", origin=-15.0, mass=2000.0)
    v = crossings.single(grid.positions())
    energies = -0.01 + np.array([12.0, 20.0]) ** 2 / 4000
    many = stationary.transmissions(grid, v, energies)
    assert many.shape == (2, 2, 2)
    one = stationary.scatter(grid, v, energies[1])
    np.testing.assert_allclose(many[1], one.transmission, atol=1e-13)
    # Compiled, with a potential that is known.
    same = jax.jit(lambda energy: stationary.scatter(grid, v, energy).transmission)(energies[1])
    np.testing.assert_allclose(same, one.transmission, atol=1e-13)
    # A packet that is broad has one momentum.
    through, back = stationary.average(grid, v, 500.0, 20.0, n_momentum=20)
    np.testing.assert_allclose(through, one.transmission[:, 0], atol=1e-4)
    assert float(through.sum() + back.sum()) == pytest.approx(1, abs=1e-12)


@pytest.mark.usefixtures("without_checker")
def test_refusals_name_what_is_wrong() -> None:
    grid = Grid(64, 10.0, "continuum")
    v = crossings.single(grid.positions() - 5)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(n,\), or \(n_channel, n_channel"):
        stationary.scatter(grid, v[0], 1.0)
    with pytest.raises(ValueError, match="`v` must be Hermitian between channels at every point"):
        stationary.scatter(grid, v.at[0, 1, 3].set(2.0), 1.0)
    with pytest.raises(ValueError, match=r"`energy` must be between -0.00999[0-9]* and"):
        stationary.scatter(grid, v, -0.02)
    with pytest.raises(ValueError, match="`energy` must be one number between channels"):
        stationary.scatter(grid, v, jnp.array([0.1, 0.2]))
    with pytest.raises(ValueError, match=r"`coupling` must be real, but is 0\.005j"):
        crossings.single(grid.positions() - 5, coupling=0.005j)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="`channel` must be between 0 and 1, but is 2"):
        stationary.average(grid, v, 1.0, 5.0, channel=2)
    with pytest.raises(ValueError, match="`n_momentum` must be at least 11, but is 2"):
        stationary.average(grid, v, 1.0, 5.0, n_momentum=2)
    with pytest.raises(ValueError, match=r"`momentum` must be between 2\.5 and"):
        stationary.average(grid, v, 1.0, 2.0)


def test_energies_beyond_the_band_of_a_lower_channel_are_refused() -> None:
    grid = Grid(256, 40.0, "lattice", origin=-20.0, mass=2000.0)
    v = crossings.single(grid.positions())
    with pytest.raises(ValueError, match="`energies of the packet`"):
        stationary.average(grid, v, 1.0, 12.0, channel=1, n_momentum=20)
    assert np.all(np.isfinite(stationary.average(grid, v, 1.0, 4.0, channel=1, n_momentum=20)))
