"""Waves of a disc against plane waves, the Hamiltonian's own action, and a line."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.frontier import plane_contenders
from qdistill.physics import band as projection
from qdistill.physics import plane_band as plane_projection
from qdistill.physics import potentials
from qdistill.physics.grid import Grid
from qdistill.students import PropagatorConfig, effective, plane_effective, propagator
from qdistill.teacher import solvers as solver

BOX = Grid((24, 24), (6.0, 6.0), "continuum")
V = 3 * jax.random.normal(jax.random.key(0), BOX.shape)
N_WAVE = 7
LINE = Grid(24, 6.0, "continuum")
FORM = PropagatorConfig(16)
WEIGHTS = {"weights": jnp.asarray(np.random.default_rng(0).normal(size=(2, 12)), float)}


def test_the_disc_holds_the_waves_within_its_edge() -> None:
    kinetic = plane_projection.kinetic(BOX, N_WAVE)
    # Pairs of whole numbers within a radius of 7.
    assert len(kinetic) == 149
    assert kinetic.max() == pytest.approx((2 * np.pi * 7 / 6) ** 2 / 2)
    x, y = (np.asarray(BOX.positions(axis), float) for axis in (0, 1))
    for m, n, share in ((3, -4, 1.0), (5, 5, 0.0), (7, 0, 1.0)):
        psi = jnp.asarray(np.exp(2j * np.pi * (m * x + n * y) / 6) / 6, jnp.complex64)
        waves = plane_projection.to_waves(BOX, N_WAVE, psi)
        assert float(jnp.sum(jnp.abs(waves) ** 2)) == pytest.approx(share, abs=1e-5)
        back = plane_projection.from_waves(BOX, N_WAVE, waves)
        np.testing.assert_allclose(back, share * psi, atol=1e-5)


def test_the_matrix_is_what_the_hamiltonian_does_to_the_waves() -> None:
    h = solver.hamiltonian(BOX, V)

    def column(waves: jax.Array) -> jax.Array:
        psi = plane_projection.from_waves(BOX, N_WAVE, waves)
        return plane_projection.to_waves(BOX, N_WAVE, h(psi))

    expected = jax.vmap(column)(jnp.eye(149) + 0j).T
    np.testing.assert_allclose(plane_projection.project(BOX, N_WAVE, V), expected.real, atol=5e-5)
    np.testing.assert_allclose(expected.imag, 0, atol=5e-5)


def test_folding_in_brings_the_ground_state_closer() -> None:
    """To second order: what is left is smaller than what was missing by more than half."""
    box = Grid((16, 16), (4.0, 4.0), "continuum")
    weak = jax.random.normal(jax.random.key(2), box.shape) / 2
    h = solver.hamiltonian(box, weak)
    everything = jax.jit(jax.vmap(lambda e: h(e.reshape(16, 16) + 0j).ravel().real))(jnp.eye(256))
    exact = np.linalg.eigvalsh(np.asarray(everything, float))[:8]
    cut, folded = (
        np.linalg.eigvalsh(np.asarray(h, float))[:8]
        for h in (
            plane_projection.project(box, 4, weak),
            plane_projection.fold(box, 4, weak, energy=1.0),
        )
    )
    assert (cut > exact).all()
    assert abs(folded - exact).max() < 0.1 * abs(cut - exact).max()


def test_what_varies_along_one_axis_is_what_it_is_on_a_line() -> None:
    """A wall across x: on waves that are constant along y the Hamiltonian is the line's."""
    wall = potentials.barrier(LINE.positions(), 5.0, 1.5, 3.0)
    on_line = effective.hamiltonian(FORM, LINE, WEIGHTS, wall)
    n_wave = len(on_line) // 2
    along_x = np.flatnonzero(plane_projection.band(n_wave)[1] == 0)
    for v, chosen in (
        (jnp.broadcast_to(wall[:, None], BOX.shape), along_x),
        (
            jnp.broadcast_to(wall[None], BOX.shape),
            np.flatnonzero(plane_projection.band(n_wave)[0] == 0),
        ),
    ):
        h = plane_effective.hamiltonian(FORM, BOX, WEIGHTS, v)
        np.testing.assert_allclose(h[chosen][:, chosen], on_line, atol=2e-3)
    nothing = {"weights": jnp.zeros((2, 12))}
    bare = effective.hamiltonian(FORM, LINE, nothing, wall)
    assert abs(bare - on_line).max() > 0.1


def test_the_learned_hamiltonian_has_the_symmetries_of_the_square() -> None:
    h = plane_effective.hamiltonian(FORM, BOX, WEIGHTS, V)
    np.testing.assert_allclose(h, h.T, atol=2e-4 * float(abs(h).max()))
    raised = plane_effective.hamiltonian(FORM, BOX, WEIGHTS, V + 3)
    np.testing.assert_allclose(raised - h, 3 * np.eye(len(h)), atol=2e-4 * float(abs(h).max()))
    energies = np.linalg.eigvalsh(h)
    for turned in (V.T, V[::-1], V[:, ::-1]):
        others = np.linalg.eigvalsh(plane_effective.hamiltonian(FORM, BOX, WEIGHTS, turned))
        np.testing.assert_allclose(others, energies, atol=2e-4 * float(abs(energies).max()))


def test_the_student_of_lines_steps_in_a_box() -> None:
    """Its step is exp(-i H dt) of the learned Hamiltonian: unitary on the disc."""
    step = propagator.make(FORM, BOX, 0.7).propagator(WEIGHTS)(V)
    n_wave = (16 - 1) // 2
    start = jax.random.normal(jax.random.key(1), (149,)) + 0j
    psi = plane_projection.from_waves(BOX, n_wave, start)
    found = plane_projection.to_waves(BOX, n_wave, step(psi))
    energies, states = np.linalg.eigh(
        np.asarray(plane_effective.hamiltonian(FORM, BOX, WEIGHTS, V), float)
    )
    expected = states @ (np.exp(-0.7j * energies) * (states.T @ np.asarray(start)))
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert float(jnp.linalg.norm(found)) == pytest.approx(float(jnp.linalg.norm(start)), rel=1e-4)


def test_contenders_see_on_their_points_what_they_return() -> None:
    for contender in (
        *plane_contenders.folded(BOX, [7]).values(),
        *plane_contenders.effective(BOX, FORM, WEIGHTS, "student").values(),
    ):
        evolution = contender.evolution(V / 4)
        waves = plane_projection.from_waves(BOX, 3, jnp.arange(29.0) + 0j)
        state = evolution.step(evolution.start(waves[None]))
        assert float(jnp.linalg.norm(state)) == pytest.approx(
            float(jnp.linalg.norm(jnp.arange(29.0))), rel=1e-4
        )
        # The same function on other points: its Fourier sum is the same at the box's end.
        corner = evolution.psi(state)[-1, -1], evolution.look(state)[-1, -1]
        assert abs(corner[0] - corner[1]) < 1e-3 * float(jnp.abs(evolution.psi(state)).max())


def test_other_boxes_are_refused() -> None:
    with pytest.raises(ValueError, match="`grid` must be a square box"):
        plane_projection.project(Grid((24, 20), (6.0, 5.0)), 3, jnp.zeros((24, 20)))
    with pytest.raises(ValueError, match="`n_wave` must be at most 11 on this grid"):
        plane_projection.project(BOX, 12, V)
    with pytest.raises(ValueError, match="`n_wave` must be at least 1"):
        plane_projection.fold(BOX, 0, V)
    with pytest.raises(ValueError, match="`n_wave` must be at most 11 on this grid"):
        plane_projection.fold(BOX, 16, V)
    with pytest.raises(ValueError, match="`energy` must be below"):
        plane_projection.fold(BOX, 3, V, energy=20.0)
    with pytest.raises(ValueError, match="`n_fields` must be at most 2 in two dimensions"):
        propagator.make(PropagatorConfig(16, 3), BOX, 1.0)
    with pytest.raises(ValueError, match="`grid` must be a line or a square box"):
        propagator.make(FORM, Grid((8,) * 3, (4.0,) * 3), 1.0)
    assert projection.fold(LINE, 7, jnp.zeros(24)).shape == (15, 15)
