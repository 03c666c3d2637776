"""Crossings by name, propagated: published probabilities, Landau-Zener, Rabi, spectra of wells."""

import functools
import math
from typing import Any

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import relative_error, roll

from qdistill.physics import channels, crossings, observables, packets, stationary
from qdistill.physics.grid import Grid, inner_product, norm
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev, split_step


@pytest.fixture(autouse=True)
def double_precision():
    with jax.enable_x64(True):
        yield


# Tully's models. ---

HEAVY = System(Grid(1440, 88.0, "continuum", origin=-28.0, mass=2000.0), 2.0, n_channel=2)


@jax.jit
def frames_later(v: jax.Array, psi: jax.Array, n: int) -> jax.Array:
    """Psi n frames later, of any n with one program."""
    step = split_step(HEAVY, 1, scheme="chin")(v)
    state = step.encode(psi[None], jnp.asarray(0))
    return step.decode(jax.lax.fori_loop(0, n, lambda _, state: step.advance(state), state))


@functools.cache
def scattered(model: int, momentum: float, width: float, n: int) -> tuple[np.ndarray, ...]:
    """A packet that comes on the lower state, before and after, over the adiabatic states."""
    grid = HEAVY.grid
    energies, states, _ = channels.adiabatic(crossings.TULLY[model](grid.positions()))
    packet = packets.gaussian(grid, -14.0, width, momentum)
    before = jnp.stack([packet, 0 * packet])
    # On the state at the end of the box. That at the packet differs a little in the third model,
    # whose coupling reaches far, and a packet crosses its tail too fast to follow it.
    psi = states[:, 0, :1] * packet[None]
    after = frames_later(crossings.TULLY[model](grid.positions()), psi, n)
    # Unitary to rounding: a few units in the last place for each of the kicks.
    assert abs(float(norm(grid, after)) - 1) < 1e-15 * n
    over = channels.to_adiabatic(states, after)
    return np.asarray(energies), np.asarray(before), np.asarray(over)


def by_momentum(model: int, momentum: float, width: float, n: int, at: float) -> np.ndarray:
    """Reflection and transmission below and above at one momentum, read from a packet.

    A packet is a sum of stationary states, so the ratio of two momentum densities, per energy,
    behind and before, is the probability at that energy.
    """
    energies, before, after = scattered(model, momentum, width, n)
    x, mass = np.asarray(HEAVY.grid.positions()), 2000.0

    def density(part: np.ndarray, k: float) -> float:
        return abs(np.sum(part * np.exp(-1j * k * x))) ** 2 / abs(k)

    total = energies[0, 0] + at**2 / (2 * mass)
    found = []
    for sign, end in ((-1, 0), (1, -1)):
        # A sharp edge would give the slowest waves, which still linger there, all momenta.
        side = (1 + sign * np.tanh(x)) / 2
        for channel in range(2):
            kinetic = total - energies[channel, end]
            if kinetic <= 0:
                found.append(0.0)
                continue
            k = sign * np.sqrt(2 * mass * kinetic)
            found.append(density(after[channel] * side, k) / density(before[0], at))
    return np.array(found)


# Model, momentum of the table, width and frames of 2 a.u. of the packet, and the table.
PLANE_WAVES = [
    (1, 5.0, 2.0, 6300, (0.1331, 0, 0.8669, 0)),
    (1, 20.0, 1.0, 1050, (0, 0, 0.5068, 0.4932)),
    (2, 15.0, 2.0, 2250, (0, 0, None, 0.1328)),
    (2, 20.0, 1.0, 1300, (0, 0, None, 0.0445)),
    (2, 30.0, 1.0, 870, (0, 0, None, 0.6664)),
    (3, 10.0, 1.0, 2700, (0.0900, 0.2100, 0.7000, 0)),
]


@pytest.mark.parametrize(("model", "k", "width", "n", "published"), PLANE_WAVES)
def test_tullys_probabilities_are_read_from_propagated_packets(
    model, k, width, n, published
) -> None:
    found = by_momentum(model, k, width, n, k)
    for value, number in zip(found, published, strict=True):
        if number is not None:
            assert value == pytest.approx(number, abs=1e-3)


# The last is broad, so that it has one momentum, that of the table; its upper part is slow.
PACKETS = [
    (1, 20.0, 1.0, 1050, (0, 0, 0.5070, 0.4930)),
    (2, 30.0, 1.0, 870, (0, 0, 0.3366, 0.6634)),
    (3, 10.0, 1.0, 2700, (0.0896, 0.2098, 0.7005, 0)),
    (3, 30.0, 2.0, 1200, (0, 0, 0.5695, 0.4305)),
]


@pytest.mark.parametrize(("model", "k", "width", "n", "published"), PACKETS)
def test_tullys_packets_have_their_published_probabilities(model, k, width, n, published) -> None:
    grid = HEAVY.grid
    _, _, after = scattered(model, k, width, n)
    beyond, before = channels.sides(grid, jnp.asarray(after), 0.0, 0.0)
    found = np.concatenate([before, beyond])
    np.testing.assert_allclose(found, published, atol=1e-3)
    # Stationary scattering knows neither packets nor time. Its cells of 0.06 bohr are good to 1e-4.
    through, back = stationary.average(
        grid, crossings.TULLY[model](grid.positions()), width, k, n_momentum=100
    )
    np.testing.assert_allclose(found, np.concatenate([back, through]), atol=3e-4)


# Landau and Zener, Rabi. ---


class Rigid(System):
    """All waves move with the speed 1, so that packets keep their shape and speed."""

    def kinetic(self, v: Any, t: Any) -> Any:
        """The momentum."""
        return self.grid.wavenumbers()


@pytest.mark.parametrize("coupling", [0.3, 0.6, 1.0])
def test_landau_and_zeners_probability(coupling) -> None:
    grid = Grid(512, 40.0, "continuum", origin=-20.0)
    v = crossings.linear(grid.positions(), 1.0, coupling)
    states = channels.adiabatic(v).states
    packet = packets.gaussian(grid, -12.0, 1.0, 0.0)
    psi = channels.from_adiabatic(states, jnp.stack([packet, 0 * packet]))
    solver = split_step(Rigid(grid, 24.0, n_channel=2), 3200, scheme="blanes-moan")
    last = channels.to_adiabatic(states, roll(solver, psi[None], v, 1)[0])
    _, jumped = channels.populations(grid, last)
    # At the start and the end, where the gap is 2 x = 24, the adiabatic states still turn; that
    # adds an amplitude of c / 4 x^3 each, which interferes. Both momenta are below the grid's 40.
    assert float(jumped) == pytest.approx(np.exp(-np.pi * coupling**2), abs=coupling / 2 / 12**3)


def test_rabi_oscillations_are_exact() -> None:
    """Kinetic energy and levels commute, so every splitting is exact, to rounding."""
    grid = Grid(64, 10.0, "continuum", mass=3.0)
    gap, coupling = 0.7, 0.4
    v = crossings.levels(grid.positions(), gap, coupling)
    psi = jnp.stack([packets.gaussian(grid, 4.0, 1.0, 2.0), jnp.zeros(64)])
    frames = roll(split_step(System(grid, 0.5, n_channel=2), 6), psi[None], v, 40)
    others = [float(channels.populations(grid, frame)[1]) for frame in frames]
    half = np.sqrt(coupling**2 + gap**2 / 4)
    expected = (coupling / half * np.sin(half * 0.5 * np.arange(1, 41))) ** 2
    # 240 substeps.
    np.testing.assert_allclose(others, expected, atol=1e-13)


# Wells. ---

MASS, STIFFNESS, SHIFT, OFFSET = 2.0, 4.5, 1.2, 0.8
WELLS = System(Grid(96, 12.0, "continuum", origin=-5.4, mass=MASS), 0.25, n_channel=2)


def ground_state(grid: Grid) -> jax.Array:
    """That of the first well, lifted to the second."""
    frequency = np.sqrt(STIFFNESS / MASS)
    psi = jnp.exp(-MASS * frequency * grid.positions() ** 2 / 2)
    psi = psi / norm(grid, psi)
    return jnp.stack([0 * psi, psi + 0j])


@pytest.mark.parametrize("coupling", [0.0, 0.3])
def test_the_spectrum_of_displaced_wells(coupling) -> None:
    grid = WELLS.grid
    v = crossings.wells(grid.positions(), STIFFNESS, SHIFT, OFFSET, coupling)
    psi, n = ground_state(grid), 800
    solver = chebyshev(WELLS, 1e-12)
    later = rollout(solver, psi[None], v, n, observe=lambda each: inner_product(grid, psi, each))
    correlation = jnp.concatenate([jnp.ones(1, complex), later])
    energies = np.linspace(0.5, 12.0, 47)
    # Exact diagonalisation of both wells together.
    one, two = (exact.hamiltonian(grid, np.asarray(v[i, i])) for i in range(2))
    both = np.block([[one, coupling * np.eye(96)], [coupling * np.eye(96), two]])
    levels, states = np.linalg.eigh(both)
    shares = np.abs(states.T @ np.asarray(psi).ravel()) ** 2 * grid.cell
    peaks = np.exp(-((energies[:, None] - levels) ** 2) / (2 * (6 / (n * WELLS.dt)) ** 2))
    found = observables.spectrum(correlation, WELLS.dt, jnp.asarray(energies))
    # The Gaussian is cut off at 6 spreads.
    np.testing.assert_allclose(found, peaks @ shares, atol=1e-7)
    if coupling == 0:
        # Franck and Condon: Poisson's distribution over the levels of the second well.
        frequency = np.sqrt(STIFFNESS / MASS)
        strength = MASS * frequency * SHIFT**2 / 2
        at = OFFSET + frequency * (np.arange(6) + 0.5)
        heights = observables.spectrum(correlation, WELLS.dt, jnp.asarray(at))
        poisson = [np.exp(-strength) * strength**m / math.factorial(m) for m in range(6)]
        np.testing.assert_allclose(heights, poisson, atol=1e-6)


# What they are made of. ---


@pytest.mark.parametrize("crossing", [*crossings.TULLY.values(), crossings.wells])
def test_a_system_takes_a_crossing_by_its_name(crossing) -> None:
    grid = Grid(64, 12.0, "continuum", origin=-6.0, mass=2000.0)
    given = {"stiffness": 1.0, "shift": 1.0} if crossing is crossings.wells else {}
    v = System(grid, n_channel=2).as_potential(functools.partial(crossing, **given))
    assert (v.shape, v.dtype) == ((2, 2, 64), jnp.float64)
    np.testing.assert_array_equal(v, jnp.swapaxes(v, 0, 1))
    assert crossing(grid.positions(dtype=jnp.float32), **given).dtype == jnp.float32
    # Its slopes with respect to a parameter are finite, at x = 0 too.
    name = "stiffness" if given else "coupling"
    given[name] = 0.2
    slope = jax.grad(lambda a: jnp.sum(crossing(grid.positions(), **(given | {name: a}))))(0.2)
    assert np.isfinite(slope)


@pytest.mark.usefixtures("without_checker")
def test_wrong_parameters_are_refused() -> None:
    x = HEAVY.grid.positions()
    with pytest.raises(ValueError, match=r"`steepness` must be finite and positive, but is -1\.0"):
        crossings.single(x, steepness=-1.0)
    with pytest.raises(ValueError, match="`coupling` must be finite, but is nan"):
        crossings.levels(x, 0.1, np.nan)
    with pytest.raises(ValueError, match="`positions` must be an array of real floating-point"):
        crossings.dual(x + 0j)


def test_solvers_of_channels_agree() -> None:
    """Chebyshev's sum and a scheme of fourth order, in double precision."""
    grid = Grid(256, 30.0, "continuum", origin=-15.0, mass=2000.0)
    system = System(grid, 200.0, n_channel=2)
    v = crossings.dual(grid.positions())
    psi = jnp.stack([packets.gaussian(grid, -5.0, 1.0, 16.0), jnp.zeros(256)])
    expected = rollout(chebyshev(system, 1e-12), psi[None], v, 3)[-1]
    found = roll(split_step(system, 100, scheme="blanes-moan"), psi[None], v, 3)[-1]
    assert found.dtype == jnp.complex128
    assert relative_error(found, expected) < 1e-7
