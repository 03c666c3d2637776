import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import observables, packets
from qdistill.physics.grid import Grid, norm

GRID = Grid(1024, 100.0, "continuum")


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("momentum", [3.0, -1.5, 0.0])
def test_gaussian_is_the_closed_form(momentum) -> None:
    psi = packets.gaussian(GRID, centre=30.0, width=2.0, momentum=momentum)
    expected = exact.gaussian(np.asarray(GRID.positions()), 30.0, 2.0, momentum)
    # The sum over the grid is the integral to exp(-2 (pi s0 / dx)^2), which is nothing.
    np.testing.assert_allclose(psi, expected, atol=1e-12)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("momentum", [3.0, -1.5])
def test_gaussian_has_the_moments_asked_for(momentum) -> None:
    psi = packets.gaussian(GRID, centre=30.0, width=2.0, momentum=momentum)
    x = GRID.positions()
    spread = jnp.sqrt(jnp.sum((x - 30.0) ** 2 * abs(psi) ** 2) * GRID.cell)
    kinetic = observables.energy(GRID, jnp.zeros(1024), psi)
    assert float(norm(GRID, psi)) == pytest.approx(1.0, abs=1e-13)
    assert float(observables.position(GRID, psi)) == pytest.approx(30.0, abs=1e-10)
    assert float(observables.momentum(GRID, psi)) == pytest.approx(momentum, abs=1e-10)
    assert float(spread) == pytest.approx(2.0, abs=1e-10)
    # The carrier's k0^2 / 2 and the spread's 1 / (8 s0^2).
    assert float(kinetic) == pytest.approx(momentum**2 / 2 + 1 / 32, abs=1e-10)


def test_gaussian_in_two_dimensions_has_its_own_moments_per_axis() -> None:
    grid = Grid((64, 48), (20.0, 30.0), "continuum")
    psi = packets.gaussian(grid, (8.0, 17.0), (1.0, 2.0), (2.0, -1.0))
    assert psi.shape == (64, 48)
    assert float(norm(grid, psi)) == pytest.approx(1.0, abs=1e-5)
    for axis, (x0, k0) in enumerate([(8.0, 2.0), (17.0, -1.0)]):
        assert float(observables.position(grid, psi, axis)) == pytest.approx(x0, abs=1e-3)
        assert float(observables.momentum(grid, psi, axis)) == pytest.approx(k0, abs=1e-4)
    spread = [
        float(jnp.sqrt(jnp.sum((grid.positions(a) - x0) ** 2 * abs(psi) ** 2) * grid.cell))
        for a, x0 in ((0, 8.0), (1, 17.0))
    ]
    assert spread == pytest.approx([1.0, 2.0], abs=1e-4)


@pytest.mark.parametrize(("x64", "dtype"), [(False, jnp.float32), (True, jnp.float64)])
def test_precision_is_the_one_asked_for(x64, dtype) -> None:
    with jax.enable_x64(x64):
        psi = packets.gaussian(GRID, 30.0, 2.0, 3.0, dtype)
        assert psi.dtype == jnp.result_type(dtype, jnp.complex64)
        assert packets.gaussian(GRID, 30.0, 2.0, 3.0, jnp.float32).dtype == jnp.complex64


@pytest.mark.usefixtures("double_precision")
def test_superposition_is_linear_up_to_its_norm() -> None:
    pair = jnp.stack([packets.gaussian(GRID, x0, 2.0, 1.0) for x0 in (20.0, 70.0)])
    psi = packets.superpose(GRID, pair, jnp.array([3.0, 4.0j]))
    # The two do not overlap: exp(-50^2 / 32).
    np.testing.assert_allclose(psi, 0.6 * pair[0] + 0.8j * pair[1], atol=1e-12)
    assert float(norm(GRID, psi)) == pytest.approx(1.0, abs=1e-13)


def test_samples_are_normalised_packets_within_their_ranges_in_both_directions() -> None:
    ranges = packets.PacketRanges(centre=(0.4, 0.6), width=(0.02, 0.03), energy=(1.0, 4.0))

    @jax.jit
    @jax.vmap
    def measure(key):
        psi = packets.sample_gaussian(key, GRID, ranges)
        x0, k0 = observables.position(GRID, psi), observables.momentum(GRID, psi)
        s0 = jnp.sqrt(jnp.sum((GRID.positions() - x0) ** 2 * abs(psi) ** 2) * GRID.cell)
        return x0, k0, s0, norm(GRID, psi)

    x0, k0, s0, norms = map(np.asarray, measure(jax.random.split(jax.random.key(0), 200)))
    np.testing.assert_allclose(norms, 1, atol=1e-5)
    for values, low, high in ((x0, 40, 60), (s0, 2, 3), (k0**2 / 2, 1, 4)):
        # Uniform: 200 draws leave out a tenth at an end with probability 1e-9.
        assert low - 1e-3 < values.min() < low + (high - low) / 10
        assert high + 1e-3 > values.max() > high - (high - low) / 10
    # Fair: 100 +- 4 standard deviations of 7.
    assert 72 <= np.sum(k0 > 0) <= 128


@pytest.mark.usefixtures("double_precision")
def test_a_sample_scales_and_moves_with_its_box() -> None:
    """The same shares of another box, and the same energy of another mass."""
    ranges = packets.PacketRanges(width=(0.03, 0.04), energy=(1.0, 4.0))
    here, there = GRID, Grid(512, 40.0, "continuum", origin=-20.0, mass=4.0)
    for seed in range(5):
        one, two = (
            packets.sample_gaussian(jax.random.key(seed), grid, ranges) for grid in (here, there)
        )
        x0, k0 = observables.position(here, one), observables.momentum(here, one)
        x1, k1 = observables.position(there, two), observables.momentum(there, two)
        # Tails beyond the edge, 0.1 of the box from the mean, are 2.5 widths or more away.
        assert float(x1) == pytest.approx(-20 + 0.4 * float(x0), abs=0.05)
        assert float(k1) == pytest.approx(2 * float(k0), abs=0.05)


@pytest.mark.parametrize("n_dim", [2, 3])
def test_samples_in_several_dimensions_fly_in_all_directions(n_dim: int) -> None:
    grid = Grid((24,) * n_dim, (12.0, 16.0, 14.0)[:n_dim], "continuum", origin=-6.0)
    ranges = packets.PacketRanges(centre=(0.45, 0.55), width=(0.07, 0.09), energy=(1.0, 4.0))

    @jax.jit
    @jax.vmap
    def measure(key):
        psi = packets.sample_gaussian(key, grid, ranges)
        axes = range(n_dim)
        x0 = jnp.stack([observables.position(grid, psi, axis) for axis in axes])
        k0 = jnp.stack([observables.momentum(grid, psi, axis) for axis in axes])
        return x0, k0, norm(grid, psi)

    x0, k0, norms = map(np.asarray, measure(jax.random.split(jax.random.key(0), 200)))
    np.testing.assert_allclose(norms, 1, atol=1e-5)
    shares = (x0 + 6) / np.array(grid.lengths)
    assert shares.min() > 0.449
    assert shares.max() < 0.551
    energy = np.sum(k0**2, axis=1) / 2
    assert 0.99 < energy.min() < 1.3
    assert 3.7 < energy.max() < 4.01
    # Fair along every axis: 100 +- 4 standard deviations of 7.
    assert np.all(np.abs(np.sum(k0 > 0, axis=0) - 100) < 28)


def test_superpositions_in_several_dimensions() -> None:
    grid = Grid((32, 40), (12.0, 16.0))
    ranges = packets.PacketRanges(width=(0.06, 0.1))
    psi = packets.sample_superposition(jax.random.key(0), grid, 3, ranges)
    assert psi.shape == (32, 40)
    assert float(norm(grid, psi)) == pytest.approx(1.0, abs=1e-5)


def test_samples_have_the_precision_that_is_enabled() -> None:
    for grid in (GRID, Grid((32, 32), (16.0, 16.0))):
        ranges = packets.PacketRanges(width=(0.06, 0.1))
        with jax.enable_x64(True):
            psi = packets.sample_superposition(jax.random.key(0), grid, 2, ranges)
            assert psi.dtype == jnp.complex128
            assert float(norm(grid, psi)) == pytest.approx(1.0, abs=1e-13)


def test_a_sample_follows_its_key_and_nothing_else() -> None:
    sample = jax.jit(lambda key: packets.sample_superposition(key, GRID, 3))
    one, same, other = (sample(jax.random.key(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert float(abs(one - other).max()) > 0.01
    assert float(norm(GRID, one)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: packets.gaussian(GRID, 50.0, 0.0, 1.0), "`width` must be finite and positive"),
        (lambda: packets.gaussian(GRID, 50.0, -2.0, 1.0), "`width` must be finite and positive"),
        (lambda: packets.gaussian(GRID, float("nan"), 2.0, 1.0), "`centre` must be finite"),
        (lambda: packets.gaussian(GRID, 50.0, 2.0, float("inf")), "`momentum` must be finite"),
        (
            lambda: packets.gaussian(GRID, 500.0, 2.0, 1.0),
            "`centre` must be between 0 and 100, but is 500",
        ),
        (
            lambda: packets.gaussian(GRID, 50.0, 1e-3, 1.0),
            "`width` must be at least dx / 2 = 0.0488281, but is 0.001",
        ),
        (
            lambda: packets.gaussian(GRID, 50.0, 2.0, -40.0),
            "`momentum` must be between -32.1699 and 32.1699, but is -40",
        ),
        (
            lambda: packets.gaussian(GRID, (1.0, 2.0), 2.0, 1.0),
            "`centre` must be one value for each of 1 axes",
        ),
        (
            lambda: packets.gaussian(Grid((8, 8), (1.0, 1.0)), (1.0, 1.0), (1.0, 1.0), 1.0),
            "`momentum` must be one value for each of 2 axes",
        ),
        (
            lambda: packets.gaussian(Grid(64, 10.0, origin=-5.0), 6.0, 1.0, 1.0),
            "`centre` must be between -5 and 5, but is 6",
        ),
        (
            lambda: packets.sample_gaussian(
                jax.random.key(0), GRID, packets.PacketRanges(centre=(10.0, 90.0))
            ),
            "`centre` must be between 0 and 1, but is \\(10.0, 90.0\\)",
        ),
        (lambda: packets.carrier_momentum(GRID, -1.0), "`energy` must be between 0 and inf"),
        (lambda: packets.carrier_momentum(GRID, 1.0, axis=1), "`axis` must be between 0 and 0"),
        (
            lambda: packets.sample_superposition(jax.random.key(0), GRID, 0),
            "`n_packets` must be at least 1, but is 0",
        ),
    ],
)
def test_senseless_packets_are_refused(make, message) -> None:
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("grid", "ranges", "message"),
    [
        (Grid(128, 100.0), packets.ANYWHERE, r"`energy` must be at most 8.085, .* \(0.5, 10.0\)"),
        # The same packets of a heavier particle are faster: sqrt(2 m E) = pi / dx = 8.04.
        (
            Grid(256, 100.0, mass=4.0),
            packets.PacketRanges(energy=(1.0, 8.1)),
            r"`energy` must be at most 8.085, .* \(1.0, 8.1\)",
        ),
        (Grid(49, 20.0), packets.ANYWHERE, r"`width` must be at least dx / 2 = 0.0102 of the box"),
        (
            Grid((64, 64), (20.0, 30.0)),
            packets.ANYWHERE,
            r"`width` must be at least dx / 2 = 0.01172 of the box, but is \(0.01, 0.05\)",
        ),
    ],
)
def test_packets_that_are_not_resolved_are_refused_though_they_are_traced(
    grid, ranges, message
) -> None:
    for sample in (
        lambda key: packets.sample_gaussian(key, grid, ranges),
        lambda key: packets.sample_superposition(key, grid, 2, ranges),
    ):
        for trace in (sample, jax.jit(sample)):
            with pytest.raises(ValueError, match=message):
                trace(jax.random.key(0))


def test_packets_up_to_the_highest_momentum_are_drawn() -> None:
    grid = Grid(128, 100.0, "continuum")
    highest = (np.pi / grid.dx[0]) ** 2 / 2
    sample = jax.jit(packets.sample_gaussian, static_argnums=1)
    psi = sample(jax.random.key(0), grid, packets.PacketRanges(energy=(highest, highest)))
    assert float(norm(grid, psi)) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.usefixtures("without_checker")
def test_complex_amplitudes_of_real_packets_keep_their_phases() -> None:
    pair = jnp.stack([packets.gaussian(GRID, x0, 2.0, 0.0) for x0 in (20.0, 70.0)])
    amplitudes = jnp.array([3.0, 4.0j])
    expected = packets.superpose(GRID, pair, amplitudes)
    np.testing.assert_allclose(packets.superpose(GRID, pair.real, amplitudes), expected, atol=1e-7)
    assert packets.superpose(GRID, pair.real, jnp.ones(2)).dtype == jnp.complex64


@pytest.mark.usefixtures("without_checker")
def test_what_has_no_sum_is_no_superposition() -> None:
    psi = packets.gaussian(GRID, 50.0, 2.0, 1.0)
    with pytest.raises(ValueError, match="`packets` must be at least one packet, but is none"):
        packets.superpose(GRID, jnp.zeros((0, 1024), complex), jnp.zeros(0))
    for amplitudes in ([1.0, -1.0], [1e-20, -1e-20]):
        with pytest.raises(ValueError, match=r"`packets` must be .* not zero, but is cancelling"):
            packets.superpose(GRID, jnp.stack([psi, psi]), jnp.array(amplitudes))
    # What nearly cancels is a state.
    small = packets.superpose(GRID, jnp.stack([psi, 1.01 * psi]), jnp.array([1.0, -1.0]))
    np.testing.assert_allclose(small, -psi, atol=1e-3)
    with pytest.raises(ValueError, match=r"`packets` must be of shape \(2, 1024\)"):
        packets.superpose(GRID, jnp.stack([psi, psi])[:, 1:], jnp.ones(2))


@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"dtype": int}, "`dtype` must be a real floating-point type, but is"),
        ({"dtype": complex}, "`dtype` must be a real floating-point type, but is"),
        ({"centre": jnp.array([50.0])}, r"`centre` must be of shape \(\), but is of shape \(1,\)"),
        ({"width": np.full(1024, 2.0)}, r"`width` must be of shape \(\)"),
        ({"momentum": [1.0]}, r"`momentum` must be of shape \(\)"),
        ({"momentum": 1.0 + 1j}, "`momentum` must be made of real numbers"),
    ],
)
def test_packets_take_plain_numbers(given: dict, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        packets.gaussian(GRID, **({"centre": 50.0, "width": 2.0, "momentum": 1.0} | given))
