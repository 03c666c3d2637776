"""The Hamiltonian between plane waves: quadrature, dense diagonalisation, orders of errors."""

import math

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import box

from qdistill.physics import band, potentials
from qdistill.physics.band import Band
from qdistill.physics.grid import Dispersion, Grid
from qdistill.physics.hamiltonian import hamiltonian

GRID = Grid(128, 20.0, "continuum")
N = 15
BAND = Band(GRID, 2 * np.pi * N / 20)
SQUARE = Grid((24, 24), (6.0, 6.0), "continuum")
DISC = Band(SQUARE, 2 * np.pi * 7 / 6)
# No two axes alike, none begins at zero.
BRICK = Grid((12, 10, 14), (5.0, 4.0, 6.0), "continuum", (-1.0, 2.0, 0.5), (1.0, 2.0, 0.7))
BANDS = {
    "line": BAND,
    "shifted line": Band(Grid(64, 9.0, "lattice", origin=-3.0, mass=1.7), 9.0),
    "disc": DISC,
    "box": Band(Grid((20, 16), (6.0, 4.0), "lattice", mass=(1.0, 3.0)), 8.0),
    "ball": Band(BRICK, 4.5),
}


def functions(band: Band) -> np.ndarray:
    """1, cosines and sines on the points, each of unit length, in rows."""
    grid = band.grid
    x = np.stack(
        np.broadcast_arrays(
            *(
                np.asarray(grid.positions(a, float), float) - grid.origin[a]
                for a in range(grid.n_dim)
            )
        )
    ).reshape(grid.n_dim, -1)
    phase = band.wavenumbers.T @ x
    rows = np.concatenate([np.cos(phase), np.sin(phase[int(band.has_constant) :])])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def random(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).normal(size=shape)


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def test_a_ball_holds_the_waves_within_its_radius() -> None:
    """On a line 2 n + 1; in a disc pairs of whole numbers within a radius of 7; in a ball of 2."""
    cube = Band(Grid((8, 8, 8), (2.0, 2.0, 2.0)), 2 * np.pi)
    assert (BAND.n_wave, DISC.n_wave, cube.n_wave) == (31, 149, 33)
    for each in BANDS.values():
        lengths = np.linalg.norm(each.wavenumbers, axis=0)
        assert lengths[0] == 0
        assert np.all(np.diff(lengths) > -1e-12)
        assert lengths[-1] <= each.cutoff * (1 + 1e-9)
        assert len({*map(tuple, each.modes.T), *map(tuple, -each.modes.T)}) == each.n_wave


def test_the_edge_of_a_band_counts_the_points_of_a_coarse_grid() -> None:
    """As many waves as an odd number of points; an even number holds one less."""
    for n_coarse, n_wave in ((31, 31), (32, 31), (33, 33)):
        assert Band.below(GRID, np.pi * n_coarse / 20).n_wave == n_wave
    long = Band.below(Grid(256, 40.0, "continuum"), np.pi * 32 / 20)
    assert long.n_wave == 63
    assert Band.below(SQUARE, np.pi * 15 / 6) == DISC


@pytest.mark.parametrize("name", BANDS)
@pytest.mark.usefixtures("double_precision")
def test_waves_are_what_a_sum_over_the_points_finds(name: str) -> None:
    b = BANDS[name]
    psi = random(*b.grid.shape) + 1j * random(2, *b.grid.shape)[1]
    rows = functions(b)
    np.testing.assert_allclose(rows @ rows.T, np.eye(b.n_wave), atol=1e-12)
    found = band.to_waves(b, jnp.asarray(psi))
    np.testing.assert_allclose(found, rows @ psi.ravel() * b.grid.cell**0.5, atol=1e-12)
    back = band.from_waves(b, found)
    np.testing.assert_allclose(back.ravel(), rows.T @ (rows @ psi.ravel()), atol=1e-12)


@pytest.mark.usefixtures("double_precision")
def test_other_points_of_the_box_show_the_same_waves() -> None:
    waves = jnp.asarray(random(31) + 1j * random(2, 31)[1])
    for n_x in (32, 300):
        there = BAND.on(Grid(n_x, 20.0))
        np.testing.assert_allclose(band.to_waves(there, band.from_waves(there, waves)), waves)
    fine, coarse = (band.from_waves(BAND.on(Grid(n_x, 20.0)), waves) for n_x in (128, 32))
    np.testing.assert_allclose(fine[3::4], coarse, atol=1e-12)
    # Without a cutoff the waves are those of the first grid.
    whole = Band(Grid(16, 20.0))
    np.testing.assert_array_equal(whole.on(Grid(64, 20.0)).modes, whole.modes)
    assert whole.on(Grid(16, 20.0, "continuum")).cutoff == whole.cutoff
    with pytest.raises(ValueError, match="`cutoff` must be below"):
        whole.on(Grid(12, 20.0))
    with pytest.raises(ValueError, match="`cutoff` must be finite"):
        Band(Grid((8, 8), (4.0, 4.0))).on(Grid((16, 16), (4.0, 4.0)))


@pytest.mark.usefixtures("double_precision")
def test_plane_waves_of_a_disc_are_whole_in_it_or_not_at_all() -> None:
    x, y = (np.asarray(SQUARE.positions(axis), float) for axis in (0, 1))
    for m, n, share in ((3, -4, 1.0), (5, 5, 0.0), (7, 0, 1.0)):
        psi = jnp.asarray(np.exp(2j * np.pi * (m * x + n * y) / 6) / 6)
        waves = band.to_waves(DISC, psi)
        assert float(jnp.sum(jnp.abs(waves) ** 2)) == pytest.approx(share, abs=1e-12)
        np.testing.assert_allclose(band.from_waves(DISC, waves), share * psi, atol=1e-12)


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_the_matrix_is_the_block_of_the_dense_hamiltonian(dispersion: Dispersion) -> None:
    grid = Grid(128, 20.0, dispersion)
    b, wide = Band(grid, BAND.cutoff), Band(grid, 2 * np.pi * 20 / 20)
    v = random(128)
    rows = functions(b)
    found = band.project(b, jnp.asarray(v, jnp.float32))
    expected = rows @ exact.hamiltonian(grid, v) @ rows.T
    np.testing.assert_allclose(found, expected, atol=3e-5)
    found = band.elements(jnp.asarray(v, jnp.float32), wide, b)
    np.testing.assert_allclose(found, (functions(wide) * v) @ rows.T, atol=1e-5)


@pytest.mark.parametrize("name", BANDS)
@pytest.mark.usefixtures("double_precision")
def test_the_matrix_is_what_the_hamiltonian_does_to_the_waves(name: str) -> None:
    b = BANDS[name]
    v = jnp.asarray(random(*b.grid.shape))
    h = hamiltonian(b.grid, v)

    def column(waves: jax.Array) -> jax.Array:
        return band.to_waves(b, h(band.from_waves(b, waves)))

    expected = jax.jit(jax.vmap(column))(jnp.eye(b.n_wave) + 0j).T
    np.testing.assert_allclose(band.project(b, v), expected, atol=1e-11)


@pytest.mark.usefixtures("double_precision")
def test_all_waves_of_a_grid_have_its_whole_spectrum() -> None:
    """An odd number of points has no wave that is left out."""
    grid = Grid((5, 7, 3), (2.0, 3.0, 1.0), "lattice", origin=0.3, mass=(1.0, 2.0, 3.0))
    v = jnp.asarray(random(*grid.shape))
    points = jnp.eye(v.size).reshape(-1, *grid.shape)
    dense = jax.jit(jax.vmap(lambda e: hamiltonian(grid, v)(e + 0j).ravel().real))(points)
    found = band.project(Band(grid), v)
    np.testing.assert_allclose(np.linalg.eigvalsh(found), np.linalg.eigvalsh(dense), atol=1e-11)


@pytest.mark.usefixtures("double_precision")
def test_the_origin_of_the_box_changes_no_matrix() -> None:
    moved = Grid(128, 20.0, "continuum", origin=-7.123)
    v = jnp.asarray(random(128))
    here, there = (band.fold(Band(g, BAND.cutoff), v, 2.0) for g in (GRID, moved))
    np.testing.assert_array_equal(here, there)


@pytest.mark.parametrize("name", ["line", "disc"])
@pytest.mark.usefixtures("double_precision")
def test_derivatives_stand_in_the_place_of_waves(name: str) -> None:
    b = BANDS[name]
    h = jnp.asarray(random(3, b.n_wave))
    for axis in range(b.grid.n_dim):
        psi = jax.jit(jax.vmap(lambda waves: band.from_waves(b, waves + 0j)))
        k = np.asarray(b.grid.wavenumbers(axis))
        slope = np.fft.ifft(1j * k * np.fft.fft(psi(h), axis=axis + 1), axis=axis + 1)
        # sum_n h_n phi_n' = sum_n (D h)_n phi_n, for an antisymmetric D.
        found = -band.differentiate(b, h, 1, axis, unit=2.0)
        np.testing.assert_allclose(psi(found) * 2.0, slope, atol=1e-10)


def test_energies_err_in_second_order_truncated_and_in_third_order_folded() -> None:
    errors = []
    for height in (2.0, 4.0):
        v = potentials.barrier(GRID.positions(), height, 3.0, 12.0)
        true = np.linalg.eigvalsh(exact.hamiltonian(GRID, np.asarray(v, float)))[:14]
        for h in (band.project(BAND, v), band.fold(BAND, v, 2.0)):
            errors.append(np.linalg.eigvalsh(np.asarray(h, float))[:14] - true)
    low_cut, low_folded, high_cut, high_folded = errors
    # A variational principle: what is left out can only raise energies.
    assert min(low_cut.min(), high_cut.min()) > 0
    low, high = (np.linalg.norm(e) for e in (low_folded, high_folded))
    assert np.linalg.norm(high_cut) / np.linalg.norm(low_cut) == pytest.approx(4, rel=0.25)
    assert high / low == pytest.approx(8, rel=0.1)
    assert high < np.linalg.norm(high_cut) / 10


@pytest.mark.parametrize("n_dim", [2, 3])
@pytest.mark.usefixtures("double_precision")
def test_folding_in_brings_the_low_energies_closer(n_dim: int) -> None:
    """To second order: what is left is smaller than what was missing by more than half."""
    # A band holds no wave of half an even number of points: in three dimensions, many.
    n, n_kept = {2: (16, 4), 3: (7, 2)}[n_dim]
    grid = Grid((n,) * n_dim, (n / 4,) * n_dim, "continuum")
    b = Band(grid, 2 * np.pi * n_kept / (n / 4))
    weak = jnp.asarray(random(*grid.shape) / 2)
    h = hamiltonian(grid, weak)
    points = jnp.eye(weak.size).reshape(-1, *grid.shape)
    everything = jax.jit(jax.vmap(lambda e: h(e + 0j).ravel().real))(points)
    true = np.linalg.eigvalsh(everything)[:6]
    cut, folded = (
        np.linalg.eigvalsh(h)[:6] for h in (band.project(b, weak), band.fold(b, weak, energy=1.0))
    )
    assert (cut > true).all()
    assert abs(folded - true).max() < 0.1 * abs(cut - true).max()


def test_a_constant_is_only_a_constant() -> None:
    v = jnp.asarray(potentials.barrier(GRID.positions(), 4.0, 3.0, 12.0))
    for make in (band.project, band.fold):
        change = make(BAND, v + 2) - make(BAND, v)
        np.testing.assert_allclose(change, 2 * np.eye(31), atol=1e-4)


def test_waves_of_a_narrower_band_are_found_among_others() -> None:
    wide = Band(SQUARE, 2 * np.pi * 11 / 6)
    at = wide.places(DISC)
    np.testing.assert_allclose(functions(wide)[at], functions(DISC), atol=1e-12)
    with pytest.raises(ValueError, match="`other` must be a narrower band of the same box"):
        DISC.places(wide)


def test_what_cannot_be_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`cutoff` must be below 20\.1062 on this grid, but is"):
        Band(GRID, 2 * np.pi * 64 / 20)
    # Of the coarser of two axes.
    with pytest.raises(ValueError, match=r"`cutoff` must be below 12\.5664 on this grid"):
        Band(Grid((24, 8), (6.0, 2.0)), 12.6)
    with pytest.raises(ValueError, match=r"`cutoff` must be at least 0\.314159, of the longest"):
        Band(GRID, 0.3)
    for edge in (0.3, 21.0):
        with pytest.raises(
            ValueError, match=r"`edge` must be above 0\.314159 and at most 20\.1062"
        ):
            Band.below(GRID, edge)
    with pytest.raises(ValueError, match="`cutoff` must be finite and positive"):
        Band(GRID, math.nan)
    with pytest.raises(ValueError, match=r"`energy` must be below 12\.6, of the first wave left"):
        band.fold(BAND, jnp.zeros(128), 13.0)
    with pytest.raises(ValueError, match="`above` must be below the cutoff and the waves"):
        band.fold(Band(GRID, 2 * np.pi * 63 / 20), jnp.zeros(128))
    with pytest.raises(ValueError, match=r"`grid` must be a box of \(20\.0,\) bohr"):
        BAND.on(Grid(128, 25.0))
    with pytest.raises(ValueError, match="`columns` must be of the grid of the rows"):
        band.elements(jnp.zeros(128), BAND, Band(box(), 3.0))
    with pytest.raises(ValueError, match=r"`coefficients` must be of shape \(31,\)"):
        band.from_waves(BAND, jnp.zeros(29, complex))


def test_a_band_of_another_box_has_no_places() -> None:
    with pytest.raises(ValueError, match="`other`"):
        Band(Grid(16, 2 * np.pi), 3.0).places(Band(Grid(16, 20.0), 0.7))


@pytest.mark.parametrize("outer", [4.0, 400.0])
def test_folding_names_its_own_arguments(outer: float) -> None:
    with pytest.raises(ValueError, match="`outer`"):
        band.fold(BAND, jnp.zeros(128), 1.0, outer=outer)
    with pytest.raises(ValueError, match="`outer`"):
        band.fold(Band(GRID), jnp.zeros(128), 1.0)
