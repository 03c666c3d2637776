import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid
from qdistill.physics.hamiltonian import hamiltonian
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


def rough_state(shape: tuple[int, ...]) -> jax.Array:
    parts = np.random.default_rng(0).normal(size=(2, *shape))
    return jnp.asarray(parts[0] + 1j * parts[1])


@both_dispersions
def test_energy_of_an_eigenstate_is_its_eigenvalue(dispersion) -> None:
    grid = Grid(64, 12.0, dispersion)
    v = potentials.barrier(grid.positions(), -3.0, 4.0, 6.0)
    energies, states = np.linalg.eigh(exact.hamiltonian(grid, np.asarray(v)))
    for level in (0, 3, 63):
        # Whatever the norm and the phase.
        psi = jnp.asarray((2 - 1j) * states[:, level])
        assert float(observables.energy(grid, v, psi)) == pytest.approx(energies[level], abs=1e-11)


@pytest.mark.parametrize(
    ("v", "words"),
    [
        (np.zeros(63), r"`v` must be of shape \(64,\)"),
        (np.where(np.arange(64) == 5, np.nan, 0.0), "`v` must be finite"),
        (np.zeros(64, int), "`v` must be an array of real floating-point numbers"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_energy_in_what_is_no_potential_is_refused(v: np.ndarray, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        observables.energy(Grid(64, 12.0), jnp.asarray(v), rough_state((64,)))


def test_energy_takes_the_real_part_of_an_absorber() -> None:
    grid, psi = Grid(64, 12.0), rough_state((64,))
    v = rough_state((64,)).real
    absorbing = observables.energy(grid, v - 2j, psi)
    assert float(absorbing) == pytest.approx(float(observables.energy(grid, v, psi)), rel=1e-13)


def test_energy_of_the_trapped_ground_state_is_half_a_quantum() -> None:
    grid = Grid(256, 40.0, "continuum")
    x = grid.positions()
    psi = jnp.asarray(exact.coherent(np.asarray(x) - 20, 0.8, 0.0, 0.0, 0.0))
    v = potentials.harmonic(x, 0.8, 20.0)
    assert float(observables.energy(grid, v, psi)) == pytest.approx(0.4, abs=1e-12)


def test_probability_is_the_sum_of_squares_times_the_cell() -> None:
    grid = Grid((4, 5), (2.0, 10.0))
    psi = rough_state((4, 5))
    expected = np.sum(np.abs(np.asarray(psi)) ** 2) * 0.5 * 2.0
    assert float(observables.probability(grid, psi)) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shape", "lengths", "mass"), [((32,), (4.0,), 1.0), ((12, 10), (2.0, 3.0), (0.5, 4.0))]
)
def test_continuity_equation_is_exact_on_the_lattice(shape, lengths, mass) -> None:
    """For any state, however rough: d|psi|^2/dt = 2 Im(conj(psi) H psi) = -div j."""
    grid = Grid(shape, lengths, "lattice", mass=mass)
    psi = rough_state(shape)
    v = 5 * rough_state(shape).real
    change = 2 * jnp.imag(jnp.conj(psi) * hamiltonian(grid, v)(psi))
    divergence = jnp.zeros(shape)
    for axis in range(grid.n_dim):
        j = observables.current(grid, psi, axis)
        divergence += (j - jnp.roll(j, 1, axis)) / grid.dx[axis]
    assert float(abs(change).max()) > 10
    # Rounding of terms of 1 / m dx^2, 72 hartree at most.
    np.testing.assert_allclose(change, -divergence, atol=1e-12)


@pytest.mark.parametrize("mass", [1.0, 3.0])
def test_continuity_equation_holds_on_the_continuum_for_a_resolved_state(mass: float) -> None:
    grid = Grid(256, 40.0, "continuum", mass=mass)
    x = grid.positions()
    pair = [packets.gaussian(grid, 18.0, 1.5, 2.0), packets.gaussian(grid, 22.0, 2.0, -1.0)]
    psi = packets.superpose(grid, jnp.stack(pair), jnp.array([1.0, 0.7j]))
    v = potentials.harmonic(x, 0.3, 20.0)
    change = 2 * jnp.imag(jnp.conj(psi) * hamiltonian(grid, v)(psi))
    k = grid.wavenumbers()
    divergence = np.fft.ifft(1j * k * np.fft.fft(observables.current(grid, psi))).real
    assert float(abs(change).max()) > 0.1
    # No wavenumber of |psi|^2 reaches the edge pi / dx = 20; tails are 1e-12 or so.
    np.testing.assert_allclose(change, -divergence, atol=1e-9)


@both_dispersions
def test_current_of_a_plane_wave_is_its_group_velocity(dispersion) -> None:
    grid = Grid((16, 20), (4.0, 5.0), dispersion, mass=(1.0, 2.0))
    k = 2 * np.pi / 5.0 * 3
    psi = jnp.exp(1j * k * grid.positions(1)) * jnp.ones((16, 1))
    velocity = (np.sin(k * 0.25) / 0.25 if dispersion == "lattice" else k) / 2
    np.testing.assert_allclose(observables.current(grid, psi, 1), velocity, atol=1e-12)
    np.testing.assert_allclose(observables.current(grid, psi, 0), 0, atol=1e-12)


@both_dispersions
@pytest.mark.parametrize("n_x", [16, 17])
def test_a_real_state_stands_still(n_x: int, dispersion) -> None:
    """The wave of two points too, which only an even number of points holds."""
    grid = Grid(n_x, 4.0, dispersion)
    for psi in (rough_state((n_x,)).real + 0j, (-1.0) ** np.arange(n_x) + 0j):
        assert abs(float(observables.momentum(grid, jnp.asarray(psi)))) < 1e-12
        np.testing.assert_allclose(observables.current(grid, jnp.asarray(psi)), 0, atol=1e-12)


def test_ehrenfest() -> None:
    """d<x>/dt = <k> and d<k>/dt = -<v'>, on the continuum and off the edges of the box."""
    grid = Grid(512, 60.0, "continuum")
    x = grid.positions()
    v, slope = 3 * jnp.exp(-((x - 32.0) ** 2) / 8), -3 * (x - 32.0) / 4
    psi = packets.gaussian(grid, 28.0, 1.5, 2.0)
    dt = 1e-3
    before, after = (
        rollout(chebyshev(System(grid, t), 1e-13), psi[None], v, 1)[0] for t in (-dt, dt)
    )
    velocity = (observables.position(grid, after) - observables.position(grid, before)) / (2 * dt)
    force = (observables.momentum(grid, after) - observables.momentum(grid, before)) / (2 * dt)
    expected_force = -jnp.sum(slope * v / 3 * abs(psi) ** 2) * grid.cell
    # The quotient's own dt^2 / 6 times a third derivative of order one, and 1e-13 / dt.
    assert float(velocity) == pytest.approx(2.0, abs=1e-6)
    assert float(force) == pytest.approx(float(expected_force), abs=1e-6)
    assert abs(float(force)) > 0.1


def test_momentum_is_that_of_each_axis() -> None:
    grid = Grid((16, 12), (4.0, 6.0))
    waves = [np.exp(2j * np.pi * m * np.arange(n) / n) for m, n in ((3, 16), (-2, 12))]
    psi = jnp.asarray(np.outer(*waves))
    assert float(observables.momentum(grid, psi, 0)) == pytest.approx(2 * np.pi * 3 / 4)
    assert float(observables.momentum(grid, psi, 1)) == pytest.approx(-2 * np.pi * 2 / 6)


def test_position_is_the_densitys_mean_whatever_the_norm() -> None:
    grid = Grid((8, 4), (8.0, 2.0))
    psi = jnp.zeros((8, 4), complex).at[1, 3].set(2j).at[5, 3].set(2.0)
    assert float(observables.position(grid, psi, 0)) == pytest.approx(4.0)
    assert float(observables.position(grid, psi, 1)) == pytest.approx(2.0)


def test_transmitted_reflected_and_remaining_probability_sum_to_all() -> None:
    grid = Grid(100, 10.0)
    psi = rough_state((100,))
    density = np.abs(np.asarray(psi)) ** 2 * 0.1
    transmitted, reflected = observables.transmission_reflection(grid, psi, 3.95, 6.05)
    # Points lie at 0.1, 0.2, ...: 39 before 3.95 and 40 beyond 6.05.
    assert float(reflected) == pytest.approx(density[:39].sum())
    assert float(transmitted) == pytest.approx(density[60:].sum())
    total = observables.probability(grid, psi)
    rest = density[39:60].sum()
    assert float(transmitted + reflected) + rest == pytest.approx(float(total))


def test_transmission_respects_the_origin_of_the_box() -> None:
    grid, moved = Grid(100, 10.0), Grid(100, 10.0, origin=-5.0)
    psi = rough_state((100,))
    expected = observables.transmission_reflection(grid, psi, 3.95, 6.05)
    here = observables.transmission_reflection(moved, psi, -1.05, 1.05)
    np.testing.assert_allclose(here, expected, rtol=1e-14)
    with pytest.raises(ValueError, match=r"`right` must be between -5 and 5, but is 6.05"):
        observables.transmission_reflection(moved, psi, 3.95, 6.05)


@pytest.mark.parametrize("side", ["left", "right"])
def test_an_end_of_the_scatterer_outside_the_box_is_refused(side) -> None:
    ends = {"left": 2.0, "right": 4.0} | {side: 10.5}
    with pytest.raises(ValueError, match=f"`{side}` must be between 0 and 10, but is 10.5"):
        observables.transmission_reflection(Grid(16, 10.0), rough_state((16,)), **ends)


def test_a_scatterer_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match=r"`left` must be at most right = 2\.0, but is 4\.0"):
        observables.transmission_reflection(Grid(16, 10.0), rough_state((16,)), 4.0, 2.0)


@both_dispersions
@pytest.mark.parametrize(
    "observe",
    [
        observables.position,
        observables.momentum,
        observables.current,
        lambda grid, psi, axis: observables.transmission_reflection(grid, psi, 2.0, 4.0, axis),
    ],
    ids=["position", "momentum", "current", "transmission_reflection"],
)
def test_an_axis_that_is_not_there_is_refused(observe, dispersion) -> None:
    with pytest.raises(ValueError, match="`axis` must be between 0 and 0, but is 1"):
        observe(Grid(16, 10.0, dispersion), rough_state((16,)), axis=1)


def test_a_packet_that_came_around_the_box_is_no_reflection() -> None:
    """Half a box after the barrier the transmitted part is at the other edge, and beyond."""
    grid = Grid(256, 40.0, "continuum")
    moving = {k: packets.gaussian(grid, 8.0, 1.5, k) for k in (3.0, -3.0)}
    beyond = {k: packets.gaussian(grid, 32.0, 1.5, k) for k in (3.0, -3.0)}
    through, back = observables.transmission_reflection(grid, beyond[3.0], 18.0, 22.0)
    assert float(through) == pytest.approx(1, abs=1e-9)
    assert float(back) == pytest.approx(0, abs=1e-9)
    assert float(observables.transmission_reflection(grid, moving[-3.0], 18.0, 22.0)[1]) > 0.999
    for psi, side in ((moving[3.0], "before `left`"), (beyond[-3.0], "beyond `right`")):
        with pytest.raises(ValueError, match=f"`psi` must be .* flying towards .* {side}, with a"):
            observables.transmission_reflection(grid, psi, 18.0, 22.0)
    # Most went through and around the box, some is on its way.
    mixed = packets.superpose(grid, jnp.stack([moving[3.0], beyond[3.0]]), jnp.array([3.0, 1.0]))
    with pytest.raises(ValueError, match="Use an earlier or later frame, or a longer box"):
        observables.transmission_reflection(grid, mixed, 18.0, 22.0)
    # Traced, nothing is known.
    jax.jit(lambda psi: observables.transmission_reflection(grid, psi, 18.0, 22.0))(mixed)
