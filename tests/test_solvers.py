"""What both solvers of the teacher must show: closed forms, conservation, derivatives, dtypes."""

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import SOLVERS, box, evolve, one, relative_error, smooth_problem

from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid, norm
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev, split_step

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
both_solvers = pytest.mark.parametrize("name", SOLVERS)
both_precisions = pytest.mark.parametrize("is_double", [False, True], ids=["c64", "c128"])


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def as_numpy(x) -> np.ndarray:
    return np.asarray(x, dtype=np.float64)


# Closed forms, to 1e-9: float64 rounding (1e-12 was seen, in 1e3 operations) and packet tails
# of 1e-11 at the edge of the box. Strang has no error without a potential.


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
@pytest.mark.parametrize(("mass", "origin"), [(1.0, 0.0), (1.7, -12.5)])
def test_free_packet_follows_the_closed_form(name, dispersion, mass, origin) -> None:
    grid = Grid(256, 40.0, dispersion, origin, mass)
    x, x0 = as_numpy(grid.positions()), origin + 14.0
    psi = exact.gaussian(x, x0, s0=1.4, k0=3.0)
    if dispersion == "continuum":
        expected = exact.gaussian(x, x0, s0=1.4, k0=3.0, t=3.0, mass=mass)
    else:
        expected = exact.free_on_lattice(psi, 40.0 / 256, t=3.0, mass=mass)
    solver = SOLVERS[name](System(grid, 0.3))
    assert relative_error(evolve(solver, jnp.zeros(256), psi, 10), expected) < 1e-9


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("mode", [1, -40, 64, 128])
@both_solvers
@both_dispersions
def test_plane_wave_turns_at_omega_plus_v(name, dispersion, mode) -> None:
    grid = Grid(256, 40.0, dispersion, mass=0.8)
    k = 2 * np.pi * mode / 40.0
    wave = np.exp(1j * k * as_numpy(grid.positions()))
    later = evolve(SOLVERS[name](System(grid, 0.2)), jnp.full(256, -1.7), wave, 1)
    expected = wave * np.exp(-0.2j * (exact.omega(grid, k) - 1.7))
    assert relative_error(later, expected) < 1e-11


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("dt", [0.3, -0.3])
@both_solvers
def test_coherent_state_swings_in_its_trap(name, dt) -> None:
    grid = Grid(256, 40.0, "continuum")
    x = as_numpy(grid.positions()) - 20.0
    v = potentials.harmonic(grid.positions(), 0.8, 20.0)
    stiffness, angle = 0.8, 0.8 * dt
    if name == "split_step":
        # Strang is exact for the trap with cos(angle) = 1 - (frequency h)^2 / 2 a substep.
        substep_angle = np.arccos(1 - (0.8 * dt / 20) ** 2 / 2)
        stiffness, angle = np.sin(substep_angle) / abs(dt / 20), 20 * substep_angle * np.sign(dt)
    before = exact.coherent(x, stiffness, x0=-4.0, k0=1.0, t=0.0)
    expected = exact.coherent(x, stiffness, x0=-4.0, k0=1.0, t=20 * angle / stiffness)
    assert relative_error(evolve(SOLVERS[name](System(grid, dt)), v, before, 20), expected) < 1e-9


# Properties. The potentials here are smooth, and grids small.


@pytest.mark.usefixtures("double_precision")
@both_dispersions
def test_the_two_solvers_agree(dispersion) -> None:
    system = System(box(dispersion), 0.5)
    v, psi = smooth_problem(system.grid)
    coarse, fine = (evolve(split_step(system, n), v, psi, 4) for n in (160, 320))
    other = evolve(chebyshev(system, 1e-12), v, psi, 4)
    # Extrapolation removes Strang's second order; 1e-8 is its fourth, (h T)^4 / 100 or so.
    assert relative_error((4 * fine - coarse) / 3, other) < 1e-8


def rounding_of_40_frames(is_double: bool) -> float:
    """One machine epsilon for each of the 800 substeps, or products, that 40 frames of 0.1 take.

    In place of an epsilon the rounding of a pair of FFTs on this device, if that is more; and the
    truncation 1e-12 of each frame in float64.
    """
    if is_double:
        return 800 * 2.2e-16 + 40 * 1e-12
    x = jax.random.normal(jax.random.key(0), (256,), "c8")
    pair = float(relative_error(jnp.fft.ifft(jnp.fft.fft(x)), x))
    return 800 * max(1.2e-7, pair)


@both_precisions
@both_solvers
@both_dispersions
def test_backwards_undoes_forwards(dispersion, name, is_double) -> None:
    with jax.enable_x64(is_double):
        grid = box(dispersion)
        v, psi = smooth_problem(grid)
        there = evolve(SOLVERS[name](System(grid, 0.1)), v, psi, 20)
        back = evolve(SOLVERS[name](System(grid, -0.1)), v, there, 20)
        assert relative_error(there, psi) > 1
        assert relative_error(back, psi) < rounding_of_40_frames(is_double)


@both_precisions
@both_solvers
@both_dispersions
def test_norm_and_energy_are_kept(dispersion, name, is_double) -> None:
    with jax.enable_x64(is_double):
        grid = box(dispersion)
        v, psi = smooth_problem(grid)
        before = float(observables.energy(grid, v, psi))
        psi = evolve(SOLVERS[name](System(grid, 0.1)), v, psi, 40)
        after = float(observables.energy(grid, v, psi))
        assert abs(float(norm(grid, psi)) - 1) < rounding_of_40_frames(is_double)
        # Strang keeps another energy, which differs by h^2 / 24 <v'^2> - h^2 / 12 <k v'' k>.
        strang = (0.1 / 20) ** 2 / 12 if name == "split_step" else 0.0
        assert abs(after / before - 1) < rounding_of_40_frames(is_double) + strang


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
def test_separable_potential_gives_the_outer_product(dispersion, name) -> None:
    solver = SOLVERS[name]
    grid = Grid((32, 48), (8.0, 10.0), dispersion, mass=(1.0, 1.5))
    grid_x, grid_y = Grid(32, 8.0, dispersion), Grid(48, 10.0, dispersion, mass=1.5)
    v_x = potentials.quadratic(grid_x.positions(), 3.0, 4.0, 5.0)
    v_y = potentials.barrier(grid_y.positions(), -2.0, 3.0, 6.0)
    psi_x = packets.gaussian(grid_x, 3.0, 0.6, 1.5)
    psi_y = packets.gaussian(grid_y, 4.0, 0.8, -1.0)
    one_x = evolve(solver(System(grid_x, 0.2)), v_x, psi_x, 5)
    one_y = evolve(solver(System(grid_y, 0.2)), v_y, psi_y, 5)
    both = v_x[:, None] + v_y[None, :]
    psi = evolve(solver(System(grid, 0.2)), both, psi_x[:, None] * psi_y[None, :], 5)
    # All parts of the two axes commute, so even Strang factors, to rounding.
    assert relative_error(psi, np.outer(one_x, one_y)) < 1e-11


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
def test_gradient_with_respect_to_a_height_is_the_difference_quotient(dispersion, name) -> None:
    grid = box(dispersion)
    x = grid.positions()
    psi = packets.gaussian(grid, centre=7.0, width=1.0, momentum=2.0)
    solver = SOLVERS[name](System(grid, 0.3, bounds=(-1.0, 4.0)))

    @jax.jit
    def transmitted(height):
        v = potentials.barrier(x, height, 2.0, 11.0)
        last = evolve(solver, v, psi, 10)
        return jnp.sum(jnp.where(x > 12, abs(last) ** 2, 0)) * grid.cell

    slope = float(jax.grad(transmitted)(2.0))
    quotient = float(transmitted(2.0 + 1e-4) - transmitted(2.0 - 1e-4)) / 2e-4
    # Truncation 1e-4^2 / 6, rounding 1e-13 / 1e-4.
    assert abs(slope) > 1e-2
    assert abs(slope - quotient) < 1e-8


# What JAX makes of it.


@both_solvers
@both_dispersions
def test_vmap_equals_a_loop_and_jit_equals_none(dispersion, name) -> None:
    grid = box(dispersion)
    v, psi = smooth_problem(grid)
    v, psi = jnp.stack([v, 0.5 * v, -v]), jnp.stack([psi, psi.conj(), 1j * psi])
    solver = SOLVERS[name](System(grid, 0.1, bounds=(-4.0, 4.0)))

    def frame(v, psi):
        return evolve(solver, v, psi, 1)

    def by_hand(v, psi):
        step = solver(v)
        return step.decode(step.advance(step.encode(psi[None], jnp.array(0))))

    loop = np.stack([by_hand(v[n], psi[n]) for n in range(3)])
    jitted_frame = jax.jit(frame)
    jitted = np.stack([jitted_frame(v[n], psi[n]) for n in range(3)])
    # A few roundings of float32 each way, over 20 FFT pairs or 1e2 products.
    assert relative_error(jax.vmap(frame)(v, psi), loop) < 5e-6
    assert relative_error(jitted, loop) < 5e-6


@pytest.mark.parametrize(
    ("x64", "real", "psi", "result"),
    [
        (False, jnp.float32, jnp.complex64, jnp.complex64),
        (True, jnp.float32, jnp.complex64, jnp.complex64),
        (True, jnp.float64, jnp.complex128, jnp.complex128),
        (True, jnp.float32, jnp.complex128, jnp.complex128),
        (True, jnp.float64, jnp.complex64, jnp.complex128),
    ],
)
@pytest.mark.parametrize("dt", [0.1, np.float64(0.1)], ids=["float", "numpy"])
@both_solvers
@both_dispersions
def test_dtype_follows_the_inputs(dispersion, name, dt, x64, real, psi, result) -> None:
    with jax.enable_x64(x64):
        solver = SOLVERS[name](System(Grid(16, 4.0, dispersion), dt))
        v = jnp.zeros(16, real)
        # Traced only: nothing has to be compiled for a dtype.
        assert jax.eval_shape(one(solver, v), jnp.ones(16, psi)).dtype == result


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
def test_a_frame_of_double_precision_has_it_throughout(dispersion, name) -> None:
    """Also where the potential was given in single precision."""
    grid = box(dispersion)
    v, psi = smooth_problem(grid)
    single = v.astype(jnp.float32)
    solver = SOLVERS[name](System(grid, 0.1))
    later = evolve(solver, single, psi, 4)
    assert later.dtype == jnp.complex128
    # Rounding of float64 in 80 substeps.
    assert relative_error(later, evolve(solver, single.astype(float), psi, 4)) < 1e-13
    assert relative_error(later, evolve(solver, v, psi, 4)) > 1e-9


def test_numpy_potentials_are_taken_without_a_warning() -> None:
    """Also those of float64, where warnings are errors."""
    for dispersion in ("lattice", "continuum"):
        grid = box(dispersion)
        v, psi = (np.asarray(each) for each in smooth_problem(grid))
        for solver in SOLVERS.values():
            plain = evolve(solver(System(grid)), jnp.asarray(v), jnp.asarray(psi), 2)
            for numpy in (v, v.astype(np.float64)):
                later = rollout(solver(System(grid)), psi[None], numpy, 2)[-1]
                assert later.dtype == jnp.complex64
                np.testing.assert_allclose(later, plain, atol=1e-6)


# Refusals, at the doors.


@pytest.mark.parametrize(
    ("dt", "words"),
    [
        (0.0, "different from zero"),
        (np.nan, "finite"),
        (np.inf, "finite"),
        (jnp.ones(3), r"of shape \(\)"),
        ("2", "made of numbers"),
        (None, "made of numbers"),
        (0.1j, "made of real numbers"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_a_duration_that_is_none_is_refused(dt, words) -> None:
    with pytest.raises(ValueError, match=f"`dt` must be {words}"):
        System(Grid(16, 4.0), dt)


@both_solvers
def test_wrong_shapes_and_values_are_refused(name) -> None:
    solver, psi = SOLVERS[name](System(Grid(16, 4.0))), jnp.ones(16, jnp.complex64)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(16,\), but is of shape \(17,\)"):
        rollout(solver, psi[None], jnp.zeros(17), 1)
    with pytest.raises(ValueError, match="`v` must be finite"):
        rollout(solver, psi[None], jnp.full(16, jnp.nan), 1)
    with pytest.raises(ValueError, match=r"`frames` must be of shape \(n_t, 16\), but is .*\(1, 8"):
        rollout(solver, psi[None, :8], jnp.zeros(16), 1)
    with pytest.raises(ValueError, match=r"is of shape \(16,\). One is psi\[None\]."):
        rollout(solver, psi, jnp.zeros(16), 1)


@both_solvers
@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("v", "kind"),
    [
        ([0.0] * 16, "list"),
        (None, "NoneType"),
        (jnp.zeros(16, int), "int32"),
        (jnp.zeros(16, jnp.complex64), "complex64"),
    ],
)
def test_a_potential_that_is_no_array_of_real_numbers_is_refused(name, v, kind) -> None:
    solver = SOLVERS[name](System(Grid(16, 4.0)))
    words = f"`v` must be an array of real floating-point numbers, but is of type {kind}"
    with pytest.raises(ValueError, match=words):
        rollout(solver, jnp.ones((1, 16), jnp.complex64), v, 1)
