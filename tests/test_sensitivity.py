"""Derivatives of forecasts: those of the exact solver are its kernel and perturbation theory."""

from collections.abc import Callable, Iterator
from typing import Any

import exact as closed_forms
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from planted import Planted

from qdistill.insight import harness, interventions
from qdistill.insight.interventions import Derivatives, maps
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System
from qdistill.teacher import Chebyshev

SYSTEM, REACH, AHEAD = System(Grid(64, 8.0), 0.1), 20, (1, 3)
GRID = SYSTEM.grid
PLACES = np.array([[24, 33], [30, 36]])


@pytest.fixture(autouse=True, scope="module")
def double_precision() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def solver() -> Chebyshev:
    return harness.solve_exactly(SYSTEM, (-1.0, 8.0), 1e-13)


@pytest.fixture(scope="module")
def case(solver: Chebyshev) -> tuple[jax.Array, jax.Array]:
    """Two given frames of two packets, each at a barrier."""
    x = GRID.positions()
    psi = jnp.stack([packets.gaussian(GRID, c, 0.6, k) for c, k in ((3.6, 3.0), (4.2, -2.0))])
    v = jnp.stack([potentials.barrier(x, h, 1.0, 4.1) for h in (4.0, 6.0)])
    return jnp.stack([harness.recall(solver, psi[i], v[i], 2) for i in range(2)]), v


@pytest.fixture(scope="module")
def ask(solver: Chebyshev, case: tuple[jax.Array, jax.Array]) -> Callable[..., Derivatives]:
    def ask(propagator: Propagator, **options: Any) -> Derivatives:
        return interventions.measure_derivatives(
            propagator, solver, *case, PLACES, AHEAD, REACH, **options
        )

    return ask


@pytest.fixture(scope="module")
def truth(solver: Chebyshev, ask: Callable[..., Derivatives]) -> Derivatives:
    return ask(solver)


def error(found: Derivatives, truth: Derivatives, channel: str, region: str = "all") -> float:
    return interventions.compare([found], truth)[channel][region][0]["value"]


def at_offsets(columns: np.ndarray, place: Any, offset: np.ndarray) -> np.ndarray:
    return columns[(place - offset) % 64]


def test_derivatives_of_the_exact_solver_are_its_kernel(
    truth: Derivatives, case: tuple[jax.Array, jax.Array]
) -> None:
    for i, j in np.ndindex(2, 2):
        for n, ahead in enumerate(AHEAD):
            unit = np.eye(64)[PLACES[i, j]]
            kernel = closed_forms.propagate(GRID, np.asarray(case[1][i]), unit, ahead * SYSTEM.dt)
            kernel = at_offsets(kernel, PLACES[i, j], truth.offset)
            re, im, moved_re, moved_im, *_ = truth.columns[i, j, n]
            for got, expected in ((re, kernel), (im, 1j * kernel)):
                np.testing.assert_allclose(got, expected, atol=1e-11)
            np.testing.assert_array_equal(moved_re, re)
            np.testing.assert_array_equal(moved_im, im)


def test_derivatives_by_the_potential_are_perturbation_theory(
    truth: Derivatives, case: tuple[jax.Array, jax.Array]
) -> None:
    """The integral over time is closed in the eigenstates (Daleckii and Krein, 1965)."""
    for i in range(2):
        v, psi = np.asarray(case[1][i]), np.asarray(case[0][i, -1])
        energies, states = np.linalg.eigh(closed_forms.hamiltonian(GRID, v))
        for n, ahead in enumerate(AHEAD):
            t = ahead * SYSTEM.dt
            gap = np.subtract.outer(energies, energies)
            # -i int_0^t exp(-i E_m (t - s) - i E_n s) ds, without a pole.
            mean = np.add.outer(energies, energies) / 2
            kernel = -1j * t * np.exp(-1j * mean * t) * np.sinc(gap * t / (2 * np.pi))
            for j in range(2):
                place = PLACES[i, j]
                coupling = np.outer(states[place], states[place])
                expected = states @ ((kernel * coupling) @ (states.T @ psi))
                got = truth.columns[i, j, n, -2]
                expected = at_offsets(expected, place, truth.offset)
                np.testing.assert_allclose(got, expected, atol=1e-11)
                # The potential as a whole is the sum of all its places.
                whole = states @ ((kernel * (states.T @ (v[:, None] * states))) @ (states.T @ psi))
                got, whole = truth.columns[i, j, n, -1], at_offsets(whole, place, truth.offset)
                np.testing.assert_allclose(got, whole, atol=1e-11)


def test_differences_agree_with_derivatives(
    solver: Chebyshev, ask: Callable[..., Derivatives], truth: Derivatives
) -> None:
    nudged = ask(solver, by_differences=True)
    # A cubic term of (0.01 V t)^2 / 6, with V = 6 and t = 0.3.
    np.testing.assert_allclose(nudged.columns, truth.columns, atol=1e-4)


def test_a_gauge_that_is_stopped_needs_differences(
    solver: Chebyshev, ask: Callable[..., Derivatives], truth: Derivatives
) -> None:
    def gauged(v: jax.Array) -> Callable:
        step = solver(v).advance

        def advance(psi: jax.Array) -> jax.Array:
            unit = jax.lax.stop_gradient(psi[30])
            return step(psi / unit * jnp.abs(unit)) * unit / jnp.abs(unit)

        return advance

    def squared(v: jax.Array) -> Callable:
        """Nothing but its gauge."""
        step = solver(v).advance
        return lambda psi: step(jax.lax.stop_gradient(psi))

    assert error(ask(Planted(SYSTEM, gauged)), truth, "psi") < 1e-12
    frozen = Planted(SYSTEM, squared)
    assert error(ask(frozen), truth, "psi") == 1
    assert error(ask(frozen, by_differences=True), truth, "psi") < 1e-6


def test_a_history_is_shared_in_any_way_but_its_sum_along_the_past_is_unique(
    solver: Chebyshev,
    ask: Callable[..., Derivatives],
    truth: Derivatives,
    case: tuple[jax.Array, jax.Array],
) -> None:
    def shared(share: float) -> Planted:
        def make(v: jax.Array) -> Callable:
            step = solver(v).advance

            def advance(state: jax.Array) -> jax.Array:
                psi = share * step(state[1]) + (1 - share) * step(step(state[0]))
                return jnp.stack([state[1], psi])

            return advance

        return Planted(SYSTEM, make, 2)

    psi, v = np.asarray(case[0][:, -1]), np.asarray(case[1])
    sizes = interventions.measure_sizes(psi, v)
    newest = []
    for share in (0.3, 1.0):
        found = ask(shared(share))
        assert error(found, truth, "psi") < 1e-10
        older, new, alike, past = maps.draw_maps(found, sizes)["Re psi"]
        (kernel, *_) = maps.draw_maps(truth, sizes)["Re psi"]
        np.testing.assert_allclose(new, share * kernel, atol=1e-11)
        np.testing.assert_allclose(past, kernel, atol=1e-10)
        newest.append(maps.total(new[None])[0])
        assert (share == 1.0) == np.allclose(older, 0)
        assert (share == 1.0) == np.allclose(alike, kernel)
    # A unitary kernel hands half of the square to either component.
    assert newest[1] == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert maps.frame_names(2) == ["t - 1", "t", maps.ALIKE, maps.WITH_PAST]


def test_planted_faults_are_caught_by_their_input(
    solver: Chebyshev, ask: Callable[..., Derivatives], truth: Derivatives
) -> None:
    def blind(v: jax.Array) -> Callable:
        return solver(jax.lax.stop_gradient(v)).advance

    def turned(v: jax.Array) -> Callable:
        """Waves beyond k = 12 are lost."""
        step = solver(v).advance
        kept = jnp.asarray(np.abs(GRID.wavenumbers()) < 12.0)
        return lambda psi: step(jnp.fft.ifft(kept * jnp.fft.fft(psi)))

    found = ask(Planted(SYSTEM, blind))
    assert error(found, truth, "psi") < 1e-12
    assert error(found, truth, "v") == pytest.approx(1)
    cut = Planted(SYSTEM, turned)
    points, waves = ask(cut), ask(cut, k_band=8.0)
    assert error(points, truth, "psi") > 0.5
    assert error(waves, ask(solver, k_band=8.0), "psi") < 1e-10
    # A fault at some places only is found there only.
    half = found.columns * (1 - 0.5 * found.is_inside[:, :, None, None])
    assert error(truth._replace(columns=half), found, "psi", "inside") == pytest.approx(0.5)
    assert error(truth._replace(columns=half), found, "psi", "outside") < 1e-10


def test_inside_is_told_of_the_forecast_point(
    truth: Derivatives, case: tuple[jax.Array, jax.Array]
) -> None:
    for i, j in np.ndindex(2, 2):
        points = (PLACES[i, j] - truth.offset) % 64
        np.testing.assert_array_equal(truth.is_inside[i, j], np.asarray(case[1][i])[points] > 0)


def test_places_are_where_psi_is(case: tuple[jax.Array, jax.Array]) -> None:
    psi = np.asarray(case[0][:, -1])
    places = interventions.choose_places(psi, 20, seed=0)
    density = np.abs(psi) ** 2
    for row, chosen in zip(density, places, strict=True):
        assert np.all(row[chosen] > 0.05 * row.max())
    np.testing.assert_array_equal(places, interventions.choose_places(psi, 20, seed=0))
