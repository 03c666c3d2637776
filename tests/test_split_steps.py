"""Split steps: their order, resonance and cap, channels, and the matrix of a frame."""

import re

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
from steps import box, evolve, one, relative_error, smooth_problem

from qdistill.physics import packets
from qdistill.physics.eigenstates import evolution
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import chebyshev, dense, kick, phase, split_step

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


@pytest.mark.usefixtures("double_precision")
@both_dispersions
def test_strang_converges_at_second_order(dispersion) -> None:
    system = System(box(dispersion), 0.5)
    v, psi = smooth_problem(system.grid)
    expected = exact.propagate(system.grid, np.asarray(v), np.asarray(psi), t=2.0)
    errors = [
        relative_error(evolve(split_step(system, n), v, psi, 4), expected) for n in (40, 80, 160)
    ]
    slopes = np.diff(np.log2(errors))
    # The next term of the error is of fourth order: 1 / 40^2 of the leading one, or so.
    np.testing.assert_allclose(slopes, -2, atol=0.02)


@pytest.mark.parametrize("dt", [0.1, -0.1, 0.37, 1.0])
@both_dispersions
def test_the_resonance_is_refused_and_the_cure_it_names_is_accepted(dispersion, dt) -> None:
    system = System(Grid(1024, 100.0, dispersion), dt)
    with pytest.raises(ValueError, match="`n_substeps` must be at least") as caught:
        split_step(system, 1)
    n_needed = int(re.findall(r"at least (\d+) ", str(caught.value))[0])
    largest = exact.omega(system.grid, np.pi * 1024 / 100.0)
    assert n_needed == np.ceil(largest * abs(dt) / (2 * np.pi))
    split_step(system, n_needed)
    with pytest.raises(ValueError, match=f"at least {n_needed} on this grid"):
        split_step(system, n_needed - 1)


def test_heavy_particles_need_fewer_substeps() -> None:
    system = System(Grid(1024, 100.0, mass=4.0))
    # 4 of mass 1.
    assert split_step(system, 1).n_substeps == 1


def test_a_kinetic_energy_of_the_systems_own_is_not_measured_by_the_grids() -> None:
    class Slow(System):
        def kinetic(self, v, t):
            return self.grid.kinetic_energy() / 2000

    # With the grid's own kinetic energy 4 substeps are needed.
    slow = split_step(Slow(Grid(1024, 100.0)), 1)
    assert slow.n_substeps == 1
    psi = jnp.exp(3j * 2 * jnp.pi / 100.0 * slow.system.grid.positions()) + 0j
    turned = rollout(slow, psi[None], jnp.zeros(1024), 50)[-1]
    k = 6 * np.pi / 100.0
    omega = exact.omega(slow.system.grid, k) / 2000
    np.testing.assert_allclose(turned, np.exp(-1j * omega * 5.0) * psi, atol=1e-4)


def test_a_kinetic_cap_changes_fast_waves_only() -> None:
    """A slow packet over a smooth hill feels neither the cap nor, with it, so few substeps."""
    system = System(Grid(1024, 100.0))
    x = system.grid.positions()
    psi = packets.gaussian(system.grid, 40.0, 3.0, 2.0)
    v = 2 * jnp.exp(-((x - 50) ** 2) / 8)
    expected = evolve(chebyshev(system), v, psi, 50)
    with pytest.raises(ValueError, match="`n_substeps` must be at least 4"):
        split_step(system, 2)
    capped = evolve(split_step(system, 2, kinetic_cap=40.0), v, psi, 50)
    # Strang's error at h = 0.05.
    assert relative_error(capped, expected) < 1e-3
    uncapped, idle = (
        rollout(split_step(system, 4, kinetic_cap=cap), psi[None], v, 5) for cap in (None, 1e4)
    )
    np.testing.assert_array_equal(uncapped, idle)


def test_a_kinetic_cap_below_the_packet_is_felt() -> None:
    system = System(Grid(1024, 100.0))
    psi = packets.gaussian(system.grid, 40.0, 3.0, 3.0)
    v = jnp.zeros(1024)
    expected = evolve(chebyshev(system), v, psi, 50)
    assert relative_error(evolve(split_step(system, 4, 2.0), v, psi, 50), expected) > 0.5


def test_a_kinetic_cap_may_be_traced_and_is_a_leaf() -> None:
    system = System(box())
    v, psi = smooth_problem(system.grid)

    def last(solver: Propagator) -> jax.Array:
        return evolve(solver, v, psi, 3)

    solver = split_step(system, 20, np.float64(30.0))
    assert jax.tree.leaves(solver) == [30.0]
    made_inside = jax.jit(lambda cap: last(split_step(system, 20, cap)))(30.0)
    for each in (jax.jit(last)(solver), made_inside):
        assert each.dtype == jnp.complex64
        # 60 pairs of FFTs in float32.
        np.testing.assert_allclose(each, last(solver), atol=5e-6)


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan")])
def test_an_impossible_kinetic_cap_is_refused(cap: float) -> None:
    with pytest.raises(ValueError, match="`kinetic_cap` must be finite and positive"):
        split_step(System(Grid(16, 4.0)), 9, kinetic_cap=cap)


@pytest.mark.parametrize(
    ("n_substeps", "words"),
    [(0, "at least 1, but is 0"), (2.0, "an integer"), (True, "an integer")],
)
@pytest.mark.usefixtures("without_checker")
def test_no_substeps_are_refused(n_substeps, words) -> None:
    with pytest.raises(ValueError, match=f"`n_substeps` must be {words}"):
        split_step(System(Grid(16, 4.0)), n_substeps)


def test_a_solver_is_known_by_what_it_is() -> None:
    system = System(box())
    solver = split_step(system, 20)
    assert isinstance(solver, Propagator)
    assert (solver.n_history, solver.is_linear, solver.is_unitary) == (1, True, True)
    assert hash(solver) == hash(split_step(system, 20))
    assert solver == split_step(system, 20)
    assert solver != split_step(system, 40)


# Channels: exp(-i h V) of the matrix at each point.


class Damped(System):
    """Channels of which each absorbs in its own way."""

    is_hermitian = False


def matrices(n_channel: int) -> np.ndarray:
    """Hermitian ones at 8 points, of which the last has degenerate states."""
    rng = np.random.default_rng(n_channel)
    v = rng.normal(size=(2, n_channel, n_channel, 8)) @ np.diag([1, 1, 1, 1, 3, 9, 0.1, 0])
    v = v[0] + 1j * v[1]
    return v + v.swapaxes(0, 1).conj()


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("n_channel", [1, 2, 3])
@pytest.mark.parametrize("kind", [System, Damped])
def test_channels_turn_by_the_exponential_of_their_matrix(n_channel, kind) -> None:
    system = kind(Grid(8, 4.0), n_channel=n_channel)
    v = matrices(n_channel)
    if kind is Damped:
        v = v - 1j * np.diag(np.arange(n_channel))[..., None]
    turn = phase(system, jnp.asarray(v), 0.3)
    for i in range(8):
        expected = scipy.linalg.expm(-0.3j * v[..., i])
        np.testing.assert_allclose(turn[..., i], expected, atol=1e-13)
    psi = jnp.asarray(matrices(n_channel)[0])
    kicked = kick(system, jnp.asarray(v), 0.0, psi, 0.3)
    np.testing.assert_allclose(kicked, np.einsum("ijx,jx->ix", turn, psi), atol=1e-13)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("n_channel", [2, 3])
def test_the_gradient_is_finite_where_channels_are_degenerate(n_channel) -> None:
    system = System(Grid(8, 4.0), n_channel=n_channel)
    v = jnp.asarray(matrices(n_channel).real)

    @jax.jit
    def number(scale):
        return jnp.real(phase(system, scale * v, 0.3)).sum()

    slope, h = float(jax.grad(number)(1.0)), 1e-5
    quotient = float(number(1 + h) - number(1 - h)) / (2 * h)
    # h^2 times a third derivative of some hundreds.
    assert slope == pytest.approx(quotient, rel=1e-6)


# The matrix of a frame.


@pytest.mark.usefixtures("double_precision")
@both_dispersions
def test_dense_step_and_eigenbasis_jump_to_where_frames_lead(dispersion) -> None:
    """Both in a box and, for the step, in two dimensions; one potential, three packets."""
    system = System(box(dispersion), 6.0)
    v, psi = smooth_problem(system.grid)
    psi = jnp.stack([psi, psi.conj(), 1j * jnp.roll(psi, 9)])
    expected = exact.propagate(system.grid, np.asarray(v), np.asarray(psi).T, t=6.0).T
    jump = jax.vmap(one(dense(chebyshev(system, 1e-12)), v))
    assert relative_error(jump(psi), expected) < 1e-10
    in_eigenbasis = jax.vmap(evolution(system.grid, v), (0, None))
    assert relative_error(in_eigenbasis(psi, 6.0), expected) < 1e-10

    system = System(Grid((4, 6), (2.0, 3.0), dispersion))
    v = jnp.arange(24.0).reshape(4, 6) / 10
    psi = jnp.exp(1j * v**2)
    solver = split_step(system, 10)
    assert relative_error(evolve(dense(solver), v, psi, 3), evolve(solver, v, psi, 3)) < 1e-13


@pytest.mark.usefixtures("double_precision")
def test_dense_carries_channels() -> None:
    system = System(Grid(8, 4.0), n_channel=2)
    v = jnp.asarray(matrices(2))
    psi = jnp.exp(1j * jnp.arange(16.0).reshape(2, 8) ** 2)
    solver = split_step(system, 10)
    assert dense(solver).is_unitary
    assert relative_error(evolve(dense(solver), v, psi, 3), evolve(solver, v, psi, 3)) < 1e-13


class Nonlinear(System):
    is_linear = False


class Shaken(System):
    is_autonomous = False


@pytest.mark.parametrize("kind", [Nonlinear, Shaken])
def test_the_matrix_of_a_frame_that_has_none_is_refused(kind) -> None:
    words = "`propagator` must be linear, autonomous and without a history"
    with pytest.raises(ValueError, match=words):
        dense(split_step(kind(Grid(16, 4.0)), 10))


def test_a_dense_matrix_refuses_what_its_solver_would() -> None:
    solver = dense(split_step(System(Grid(16, 4.0)), 10))
    psi = jnp.ones((1, 16), jnp.complex64)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(16,\)"):
        rollout(solver, psi, jnp.zeros(8), 1)
    with pytest.raises(ValueError, match=r"`frames` must be of shape \(n_t, 16\)"):
        rollout(solver, psi[:, :8], jnp.zeros(16), 1)
