"""The substeps that are chosen reach the stated error, and one fewer does not."""

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill import packets, potentials, solver, substeps
from qdistill.grid import Grid
from qdistill.rollout import rollout

DT, N_FRAMES = 0.2, 5


@pytest.fixture(scope="module")
def sample():
    """Two packets on two hills, and what diagonalisation makes of them."""
    grid = Grid(64, 10.0, "continuum")
    x = grid.positions()
    v = jnp.stack([potentials.barrier(x, 3.0, 2.0, 5.0), potentials.quadratic(x, 4.0, 4.0, 5.0)])
    psi = jnp.stack([packets.gaussian(grid, 4.0, 0.8, k) for k in (2.0, -1.0)])
    truth = np.stack(
        [
            exact.propagate(grid, np.asarray(each, float), np.asarray(start)[:, None], 1.0)[:, 0]
            for each, start in zip(v, psi, strict=True)
        ]
    )
    return grid, v, psi, truth


def measured(sample, n_substeps: int, cap: float | None) -> float:
    grid, v, psi, truth = sample
    propagator = solver.split_step(grid, DT, n_substeps, cap)
    last = jax.jit(jax.vmap(lambda v, psi: rollout(propagator(v), psi, N_FRAMES)[-1]))(v, psi)
    wrong = np.linalg.norm(last - truth, axis=1) / np.linalg.norm(truth, axis=1)
    return float(np.sqrt(np.mean(wrong**2)))


@pytest.mark.parametrize("error", [3e-3, 6e-4])
def test_the_error_is_reached_and_not_with_one_substep_fewer(sample, error: float) -> None:
    grid, v, psi, _ = sample
    found = substeps.choose(grid, DT, error, v, psi, N_FRAMES)
    assert found.kinetic_cap is None
    # The reference has a hundredth of the error.
    assert measured(sample, found.n_substeps, None) < 1.02 * error
    assert measured(sample, found.n_substeps - 1, None) > 0.98 * error
    assert found.error == pytest.approx(measured(sample, found.n_substeps, None), abs=0.02 * error)


def test_a_cap_needs_fewer_substeps_for_the_same_error(sample) -> None:
    grid, v, psi, _ = sample
    plain = substeps.choose(grid, DT, 3e-2, v, psi, N_FRAMES)
    capped = substeps.choose(grid, DT, 3e-2, v, psi, N_FRAMES, is_capped=True)
    assert measured(sample, capped.n_substeps, capped.kinetic_cap) < 1.02 * 3e-2
    assert capped.n_substeps < plain.n_substeps


def test_what_cannot_be_reached_is_refused(sample) -> None:
    grid, v, psi, _ = sample
    with pytest.raises(ValueError, match="`error` must be reachable with 8 substeps"):
        substeps.choose(grid, DT, 1e-6, v, psi, N_FRAMES, most=8)
    with pytest.raises(ValueError, match="`error` must be finite and positive"):
        substeps.choose(grid, DT, 0.0, v, psi)
