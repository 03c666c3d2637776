"""Intertwiners of first order: supersymmetric partners are found among decoys."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.discovery import partners
from qdistill.insight import discovery
from qdistill.physics.grid import Grid
from qdistill.system import System
from qdistill.teacher import chebyshev

GRID = Grid(256, 40.0, "continuum", origin=-20.0)
SOLVER = chebyshev(System(GRID, dt=0.2, bounds=(-6.0, 6.0)), 1e-7)
TERMS = discovery.make_terms(GRID, partners.knots(GRID))
X = np.asarray(GRID.positions(), float)
PSI = partners.draw_packets(GRID, 4, 0)


def evolve(v: np.ndarray) -> discovery.scans.Evolve:
    return discovery.follow(SOLVER, jnp.asarray(v, float), 8)


def find(first: np.ndarray, second: np.ndarray) -> discovery.Intertwiner:
    states = discovery.apply_terms(TERMS, PSI)
    targets = discovery.apply_terms(TERMS, evolve(first)(PSI[:, None])[:, -1])
    return discovery.intertwine(states, discovery.advance(states, evolve(second)), targets)


@pytest.mark.parametrize("draw", range(2))
def test_the_superpotential_of_a_random_pair_is_found(draw: int) -> None:
    pair = partners.draw_pair(GRID, draw)
    found = find(pair.first, pair.second)
    assert found.residual < 3e-3
    inside = np.abs(X) < 5
    error = np.abs(found.potential(TERMS) - pair.w)[inside].max()
    assert error < 0.01 * np.abs(pair.w).max()


def test_the_true_partner_is_the_first_of_its_decoys() -> None:
    pairs = [partners.draw_pair(GRID, draw) for draw in range(3)]
    decoys = [*(pair.second for pair in pairs[1:]), partners.SCALE * pairs[0].second]
    residuals = [find(pairs[0].first, v).residual for v in decoys]
    assert find(pairs[0].first, pairs[0].second).residual < min(residuals) / 5


def test_the_partner_of_empty_space_is_that_of_poeschl_and_teller() -> None:
    well = -0.64 / np.cosh(0.8 * X) ** 2
    found = find(0 * X, well)
    assert found.residual < 1e-3
    inside = np.abs(X) < 5
    w = found.potential(TERMS)
    np.testing.assert_allclose(w[inside], -0.8 * np.tanh(0.8 * X)[inside], atol=2e-3)
    # And back: with the opposite sign.
    back = find(well, 0 * X)
    np.testing.assert_allclose(back.potential(TERMS)[inside], -w[inside], atol=4e-3)
    assert find(0 * X, 0.8 * well).residual > 10 * found.residual


def test_what_has_no_intertwiner_is_refused() -> None:
    states = discovery.apply_terms(TERMS, PSI)
    with pytest.raises(ValueError, match="Argument `targets` must be packets that move"):
        discovery.intertwine(states, states, states)
    with pytest.raises(ValueError, match="Argument `knots` must be equidistant"):
        discovery.make_terms(GRID, np.array([0.0, 1.0, 3.0]))
    with pytest.raises(ValueError, match="Argument `psi`"):
        discovery.apply_terms(TERMS, jnp.zeros((2, 8), complex))


@pytest.mark.usefixtures("without_checker")
def test_real_arrays_and_others_of_another_form_are_refused() -> None:
    states = discovery.apply_terms(TERMS, PSI)
    wanted = "must be an array of complex numbers of shape"
    with pytest.raises(ValueError, match=f"`states` {wanted}"):
        discovery.intertwine(states.real, states.real, states.real)
    with pytest.raises(ValueError, match=f"`targets` {wanted}"):
        discovery.intertwine(states, states, states[0])
    with pytest.raises(ValueError, match=f"`psi` {wanted}"):
        discovery.apply_terms(TERMS, np.asarray(PSI).real)
    with pytest.raises(ValueError, match=r"`psi` must be finite, but is not in 1 of"):
        discovery.apply_terms(TERMS, PSI.at[0, 3].set(np.nan))
    fewer = discovery.make_terms(GRID, np.linspace(-12, 12, 5))
    with pytest.raises(ValueError, match=r"`terms\.bumps` must be of shape"):
        find(0 * X, -0.64 / np.cosh(0.8 * X) ** 2).potential(fewer)


def test_pairs_fit_the_box_and_differ() -> None:
    first, second = (partners.draw_pair(GRID, draw) for draw in (0, 1))
    for pair in (first, second):
        slope = np.gradient(pair.w, GRID.dx[0])
        np.testing.assert_allclose(pair.second - pair.first, slope, atol=0.02)
        for v in (pair.first, pair.second):
            assert np.abs(v[np.abs(X) > 15]).max() < 1e-2
            assert np.abs(v).max() < 6
    assert np.abs(first.second - second.second).max() > 0.1
    assert isinstance(partners.draw_packets(GRID, 4, 0), jax.Array)
