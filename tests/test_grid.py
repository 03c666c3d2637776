import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics.grid import Grid, inner_product, norm

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def test_the_standard_grid_is_the_papers() -> None:
    grid = Grid()
    assert grid == Grid(1024, 100.0, "lattice")
    assert (grid.n_dim, grid.dx, grid.cell) == (1, (100 / 1024,), 100 / 1024)


def test_points_lie_at_i_dx_from_one_to_n() -> None:
    grid = Grid((4, 5), (2.0, 10.0))
    np.testing.assert_array_equal(grid.positions(0), [[0.5], [1.0], [1.5], [2.0]])
    np.testing.assert_array_equal(grid.positions(1), [[2.0, 4.0, 6.0, 8.0, 10.0]])
    assert grid.cell == 1.0


@pytest.mark.parametrize("n_x", [8, 9])
def test_wavenumbers_are_those_of_the_fft(n_x) -> None:
    grid = Grid(n_x, 4.0)
    x = np.asarray(grid.positions(), float)
    for index, k in enumerate(grid.wavenumbers()):
        spectrum = np.fft.fft(np.exp(1j * k * x))
        assert np.argmax(abs(spectrum)) == index
        assert abs(k) <= np.pi / grid.dx[0] + 1e-12


@both_dispersions
def test_kinetic_energy_is_the_closed_form_summed_over_axes(dispersion) -> None:
    grid = Grid((8, 6), (4.0, 5.0), dispersion)
    k_x = 2 * np.pi / 4.0 * np.array([0, 1, 2, 3, 4, 3, 2, 1])
    k_y = 2 * np.pi / 5.0 * np.array([0, 1, 2, 3, 2, 1])
    expected = exact.omega(grid, k_x, 0)[:, None] + exact.omega(grid, k_y, 1)[None, :]
    np.testing.assert_allclose(grid.kinetic_energy(), expected, rtol=1e-13, atol=1e-13)
    assert grid.kinetic_energy().dtype == np.float64


def test_the_largest_kinetic_energies() -> None:
    dx = 100 / 1024
    assert Grid(1024, 100.0, "lattice").kinetic_energy().max() == pytest.approx(2 / dx**2)
    largest = Grid(1024, 100.0, "continuum").kinetic_energy().max()
    assert largest == pytest.approx(np.pi**2 / (2 * dx**2))


def test_the_lattice_follows_the_continuum_at_small_k_up_to_k4_dx2_over_24() -> None:
    lattice, continuum = (Grid(1024, 100.0, name) for name in ("lattice", "continuum"))
    k, dx = lattice.wavenumbers()[1:20], lattice.dx[0]
    difference = (continuum.kinetic_energy() - lattice.kinetic_energy())[1:20]
    # The next term of the cosine is (k dx)^2 / 30 < 5e-4 of this one; 1 - cos is rounded to
    # 1e-16 / dx^2 = 1e-14 hartree.
    np.testing.assert_allclose(difference, k**4 * dx**2 / 24, rtol=6e-4, atol=5e-14)


@pytest.mark.usefixtures("double_precision")
def test_inner_product_is_conjugate_linear_in_its_first_slot() -> None:
    grid = Grid((4, 6), (2.0, 3.0))
    parts = np.random.default_rng(0).normal(size=(2, 2, 4, 6))
    phi, psi = jnp.asarray(parts[0] + 1j * parts[1])
    expected = np.sum(np.conj(np.asarray(phi)) * np.asarray(psi)) * 0.25
    assert complex(inner_product(grid, phi, psi)) == pytest.approx(expected)
    assert complex(inner_product(grid, 2j * phi, psi)) == pytest.approx(-2j * expected)
    assert complex(inner_product(grid, phi, 2j * psi)) == pytest.approx(2j * expected)
    assert complex(inner_product(grid, psi, phi)) == pytest.approx(np.conj(expected))
    squared = complex(inner_product(grid, psi, psi))
    assert float(norm(grid, psi)) ** 2 == pytest.approx(squared)


def test_inner_product_of_real_states() -> None:
    ones = jnp.ones(8)
    assert complex(inner_product(Grid(8, 2.0), ones, ones)) == pytest.approx(2.0)


def test_grids_are_values() -> None:
    grid = Grid((8, 4), (2.0, 1.0), "continuum")
    assert grid == Grid((8, 4), (2.0, 1.0), "continuum")
    assert hash(grid) == hash(Grid((8, 4), (2, 1), "continuum"))
    others = [
        Grid((8, 4), (2.0, 1.0)),
        Grid((8, 4), (2.0, 1.5), "continuum"),
        Grid((4, 8), (2.0, 1.0), "continuum"),
    ]
    assert len({grid, *others}) == 4
    n_traced = 0

    def count(grid: Grid, x: jax.Array) -> jax.Array:
        nonlocal n_traced
        n_traced += 1
        return x * grid.cell

    counted = jax.jit(count, static_argnums=0)
    counted(grid, jnp.ones(2))
    counted(Grid((8, 4), (2.0, 1.0), "continuum"), jnp.ones(2))
    assert n_traced == 1


def test_a_grid_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="cannot assign"):
        Grid().shape = (3,)  # type: ignore[misc]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 1.0), "`shape` must be at least 2, but is 0"),
        (((8, 1), (1.0, 1.0)), "`shape` must be at least 2, but is 1"),
        (((), ()), "`shape` must be at least one axis"),
        ((8, -1.0), "`lengths` must be finite and positive"),
        ((8, 0), "`lengths` must be finite and positive"),
        ((8, float("nan")), "`lengths` must be finite and positive"),
        (((8, 8), 1.0), "`lengths` must be one value for each of 2 axes"),
        ((8, (1.0, 1.0)), "`lengths` must be one value for each of 1 axes"),
        ((8, [1.0]), "`lengths` must be a number, or a tuple of them, but is \\[1.0\\]"),
        ((8, "100"), "`lengths` must be a number, or a tuple of them, but is '100'"),
        ((8, 1.0, "cubic"), "`dispersion` must be one of 'lattice', 'continuum', but is 'cubic'"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_senseless_grids_are_refused(arguments, message) -> None:
    with pytest.raises(ValueError, match=message):
        Grid(*arguments)


@pytest.mark.parametrize("axis", [1, -1])
def test_an_axis_that_is_not_there_is_refused(axis) -> None:
    with pytest.raises(ValueError, match="`axis` must be between 0 and 0"):
        Grid(8, 1.0).positions(axis)


@pytest.mark.usefixtures("without_checker")
def test_a_traced_length_is_refused() -> None:
    with pytest.raises(ValueError, match="known numbers"):
        jax.jit(lambda length: Grid(8, length).dx[0])(2.0)
