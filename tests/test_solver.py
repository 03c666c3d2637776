import functools
import re

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from qdistill._rollout import rollout
from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid, norm
from qdistill.teacher import solvers as solver
from qdistill.training import boxes as spectra

DISPERSIONS = ("lattice", "continuum")
SOLVERS = {
    "split_step": lambda grid, dt, v_range=None: solver.split_step(grid, dt, n_substeps=20),
    "chebyshev": lambda grid, dt, v_range=None: solver.chebyshev(grid, dt, 1e-12, v_range),
}
both_dispersions = pytest.mark.parametrize("dispersion", DISPERSIONS)
both_solvers = pytest.mark.parametrize("name", SOLVERS)
both_precisions = pytest.mark.parametrize("is_double", [False, True], ids=["c64", "c128"])


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


def relative_error(psi, expected) -> float:
    return float(np.linalg.norm(np.asarray(psi) - expected) / np.linalg.norm(expected))


@functools.partial(jax.jit, static_argnums=(0, 2))
def evolve(step, psi, n_frames: int) -> jax.Array:
    return rollout(step, psi, n_frames)[-1]


def as_numpy(x) -> np.ndarray:
    return np.asarray(x, dtype=np.float64)


# Closed forms, to 1e-9: float64 rounding (1e-12 was seen, in 1e3 operations) and packet tails
# of 1e-11 at the edge of the box. Strang has no error without a landscape.


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
def test_free_packet_follows_the_closed_form(name, dispersion) -> None:
    grid = Grid(256, 40.0, dispersion)
    x = as_numpy(grid.positions())
    psi = exact.gaussian(x, x0=14.0, s0=1.4, k0=3.0)
    if dispersion == "continuum":
        expected = exact.gaussian(x, x0=14.0, s0=1.4, k0=3.0, t=3.0)
    else:
        expected = exact.free_on_lattice(psi, 40.0 / 256, t=3.0)
    step = SOLVERS[name](grid, 0.3)(jnp.zeros(256))
    assert relative_error(evolve(step, psi, 10), expected) < 1e-9


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("mode", [1, -40, 64, 128])
@both_solvers
@both_dispersions
def test_plane_wave_turns_at_omega_plus_v(name, dispersion, mode) -> None:
    grid = Grid(256, 40.0, dispersion)
    k = 2 * np.pi * mode / 40.0
    wave = np.exp(1j * k * as_numpy(grid.positions()))
    step = SOLVERS[name](grid, 0.3)(jnp.full(256, -1.7))
    expected = wave * np.exp(-0.3j * (exact.omega(grid, k) - 1.7))
    assert relative_error(step(jnp.asarray(wave)), expected) < 1e-11


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("dt", [0.3, -0.3])
@both_solvers
def test_coherent_state_swings_in_its_trap(name, dt) -> None:
    grid = Grid(256, 40.0, "continuum")
    x = as_numpy(grid.positions()) - 20.0
    step = SOLVERS[name](grid, dt)(potentials.harmonic(grid.positions(), 0.8, 20.0))
    stiffness, angle = 0.8, 0.8 * dt
    if name == "split_step":
        # Strang is exact for the trap with cos(angle) = 1 - (frequency h)^2 / 2 a substep.
        substep_angle = np.arccos(1 - (0.8 * dt / 20) ** 2 / 2)
        stiffness, angle = np.sin(substep_angle) / abs(dt / 20), 20 * substep_angle * np.sign(dt)
    before = exact.coherent(x, stiffness, x0=-4.0, k0=1.0, t=0.0)
    expected = exact.coherent(x, stiffness, x0=-4.0, k0=1.0, t=20 * angle / stiffness)
    assert relative_error(evolve(step, before, 20), expected) < 1e-9


# Dense diagonalisation on the grid of the experiments.

GRID_X = np.arange(1, 1025) * 100.0 / 1024
SHARP = (
    14.0 * (abs(GRID_X - 47) < 1.5)
    + 9.0 * (abs(GRID_X - 53) < 0.5)
    - 10.0 * (abs(GRID_X - 60) < 3)
    + 4.0 * (abs(GRID_X - 70) < 4)
)


@functools.cache
def diagonalised(dispersion: str) -> tuple[np.ndarray, np.ndarray]:
    """Two packets among sharp barriers and a well, and what diagonalisation makes of them."""
    pair = [exact.gaussian(GRID_X, 36.0, 2.5, 3.0), exact.gaussian(GRID_X, 80.0, 1.5, -4.0)]
    grid = Grid(1024, 100.0, dispersion)
    return np.stack(pair), exact.propagate(grid, SHARP, np.stack(pair, axis=1), t=10.0).T


@both_dispersions
@both_precisions
def test_chebyshev_equals_dense_diagonalisation(dispersion, is_double) -> None:
    before, expected = diagonalised(dispersion)
    with jax.enable_x64(is_double):
        grid = Grid(1024, 100.0, dispersion)
        step = solver.chebyshev(grid, 0.1, 1e-12 if is_double else 1e-6)(jnp.asarray(SHARP, float))
        for psi, wanted in zip(before, expected, strict=True):
            # 100 frames of tolerance 1e-6, or of 1e-12 and float64's rounding in 1e4 products.
            error = relative_error(evolve(step, jnp.asarray(psi, complex), 100), wanted)
            assert error < (1e-9 if is_double else 1e-4)


@pytest.mark.parametrize("v_range", [(0.0, 14.0), (-10.0, 4.0), (-10.0, 14.0)])
@both_dispersions
def test_chebyshev_keeps_a_plane_waves_phase_in_float32(dispersion, v_range) -> None:
    grid = Grid(1024, 100.0, dispersion)
    k = 2 * np.pi * 48 / 100.0
    wave = np.exp(1j * k * GRID_X)
    step = solver.chebyshev(grid, 0.1, 1e-6, v_range)(jnp.zeros(1024))
    psi = evolve(step, jnp.asarray(wave, jnp.complex64), 100)
    # The figure of the dense test above: a spectrum of 260 hartree offset by a constant that is
    # rounded to 3e-8 of it would shift the energy by 8e-6, in each of its roundings.
    assert relative_error(psi, wave * np.exp(-10j * exact.omega(grid, k))) < 1e-4


# Scattering. Broad packets, exact plane-wave formulas averaged over their spectrum.


SCATTERERS = {"tunnelling": 2.5, "above the barrier": 1.2, "over a well": -3.0}


def measured_and_expected_transmission(grid: Grid, height: float, n_points: int) -> np.ndarray:
    """Of a broad packet of k = 2, by running it and by the formula, for `n_points` of `height`."""
    n_x, dx, k0, s0 = grid.shape[0], grid.dx[0], 2.0, 8.0
    centre = (n_x // 2 + 0.5 * (n_points % 2 == 0)) * dx
    barrier = potentials.barrier(grid.positions(), height, n_points * dx, centre)
    assert int(jnp.sum(barrier != 0)) == n_points
    psi = packets.gaussian(grid, centre=60.0, width=s0, momentum=k0)
    psi = solver.chebyshev(grid, 45.0, 1e-9)(barrier)(psi)
    transmitted, reflected = observables.transmission_reflection(grid, psi, 99.0, 101.0)

    k = 2 * np.pi * np.arange(1, n_x // 2) / 200.0
    weight = exact.gaussian_spectrum(k, s0, k0) * 2 * np.pi / 200.0
    if grid.dispersion == "lattice":
        plane = exact.barrier_transmission_on_lattice(k, height, n_points, dx)
    else:
        plane = exact.barrier_transmission(k, height, n_points * dx)
    expected = np.sum(weight * plane)
    return np.array([[transmitted, expected], [reflected, 1 - expected]])


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("scatterer", SCATTERERS)
def test_transmission_on_the_lattice_is_the_plane_waves_average(scatterer) -> None:
    measured, expected = measured_and_expected_transmission(
        Grid(2048, 200.0, "lattice"), SCATTERERS[scatterer], n_points=11
    ).T
    # The formula is the lattice's own; what is left is the 3e-7 of the packet that starts
    # beyond five widths, on the barrier.
    assert abs(measured - expected).max() < 1e-6


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("scatterer", SCATTERERS)
def test_transmission_on_the_continuum_is_approached_at_second_order(scatterer) -> None:
    coarse, fine = (
        measured_and_expected_transmission(
            Grid(n_x, 200.0, "continuum"), SCATTERERS[scatterer], n_points
        )
        for n_x, n_points in ((1024, 5), (2048, 10))
    )
    # A sharp edge on points is wrong by about (k dx)^2 / 12, here 1e-2 and 3e-3; extrapolation
    # leaves the square of that.
    assert abs(coarse[:, 0] - coarse[:, 1]).max() < 1e-2
    extrapolated = (4 * fine[:, 0] - coarse[:, 0]) / 3
    assert abs(extrapolated - fine[:, 1]).max() < 1e-4


# Properties. The landscapes here are smooth, and grids small.


def box(dispersion: str = "lattice") -> Grid:
    return Grid(128, 20.0, dispersion)


def smooth_problem(grid: Grid, momentum: float = 2.0) -> tuple[jax.Array, jax.Array]:
    x = grid.positions()
    v = potentials.quadratic(x, 4.0, 9.0, 11.0) - potentials.half_circle(x, 2.0, 6.0, 5.0)
    return v, packets.gaussian(grid, centre=7.0, width=1.0, momentum=momentum)


@pytest.mark.usefixtures("double_precision")
@both_dispersions
def test_strang_converges_at_second_order(dispersion) -> None:
    grid = box(dispersion)
    v, psi = smooth_problem(grid)
    expected = exact.propagate(grid, as_numpy(v), np.asarray(psi), t=2.0)
    errors = [
        relative_error(evolve(solver.split_step(grid, 0.5, n)(v), psi, 4), expected)
        for n in (40, 80, 160)
    ]
    slopes = np.diff(np.log2(errors))
    # The next term of the error is of fourth order: 1 / 40^2 of the leading one, or so.
    np.testing.assert_allclose(slopes, -2, atol=0.02)


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9, 1e-13])
@both_dispersions
def test_chebyshev_error_of_a_frame_is_below_its_tolerance(dispersion, tolerance) -> None:
    grid = box(dispersion)
    v, psi = smooth_problem(grid)
    expected = exact.propagate(grid, as_numpy(v), np.asarray(psi), t=0.7)
    error = relative_error(solver.chebyshev(grid, 0.7, tolerance)(v)(psi), expected)
    # Not far below it either: that would be work for nothing. 1e-12 is the oracle's rounding.
    assert error < tolerance + 1e-12
    assert error > 1e-3 * tolerance


@pytest.mark.usefixtures("double_precision")
@both_dispersions
def test_the_two_solvers_agree(dispersion) -> None:
    grid = box(dispersion)
    v, psi = smooth_problem(grid)
    coarse, fine = (evolve(solver.split_step(grid, 0.5, n)(v), psi, 4) for n in (160, 320))
    other = evolve(solver.chebyshev(grid, 0.5, 1e-12)(v), psi, 4)
    # Extrapolation removes Strang's second order; 1e-8 is its fourth, (h T)^4 / 100 or so.
    assert relative_error((4 * fine - coarse) / 3, np.asarray(other)) < 1e-8


@pytest.mark.usefixtures("double_precision")
@both_dispersions
def test_dense_step_and_eigenbasis_jump_to_where_frames_lead(dispersion) -> None:
    """Both in a box and, for the step, in two dimensions; one landscape, three packets."""
    grid = box(dispersion)
    v, psi = smooth_problem(grid)
    psi = jnp.stack([psi, psi.conj(), 1j * jnp.roll(psi, 9)])
    expected = exact.propagate(grid, as_numpy(v), np.asarray(psi).T, t=6.0).T
    jump = jax.jit(jax.vmap(solver.dense(grid, solver.chebyshev(grid, 6.0, 1e-12))(v)))
    assert relative_error(jump(psi), expected) < 1e-10
    evolve = jax.vmap(spectra.evolution(grid, v), (0, None))
    assert relative_error(evolve(psi, 6.0), expected) < 1e-10

    grid = Grid((4, 6), (2.0, 3.0), dispersion)
    v = jnp.arange(24.0).reshape(4, 6) / 10
    psi = jnp.exp(1j * v**2)
    solve = solver.split_step(grid, 0.1, 10)
    assert relative_error(solver.dense(grid, solve)(v)(psi), np.asarray(solve(v)(psi))) < 1e-13


def rounding_of_40_frames(is_double: bool) -> float:
    """One machine epsilon for each of the 800 substeps, or products, that 40 frames of 0.1 take.

    And the truncation 1e-12 of each frame in float64.
    """
    return 800 * 2.2e-16 + 40 * 1e-12 if is_double else 800 * 1.2e-7


@both_precisions
@both_solvers
@both_dispersions
def test_backwards_undoes_forwards(dispersion, name, is_double) -> None:
    with jax.enable_x64(is_double):
        grid = box(dispersion)
        v, psi = smooth_problem(grid)
        there = evolve(SOLVERS[name](grid, 0.1)(v), psi, 20)
        back = evolve(SOLVERS[name](grid, -0.1)(v), there, 20)
        assert relative_error(there, np.asarray(psi)) > 1
        assert relative_error(back, np.asarray(psi)) < rounding_of_40_frames(is_double)


@both_precisions
@both_solvers
@both_dispersions
def test_norm_and_energy_are_kept(dispersion, name, is_double) -> None:
    with jax.enable_x64(is_double):
        grid = box(dispersion)
        v, psi = smooth_problem(grid)
        before = float(observables.energy(grid, v, psi))
        psi = evolve(SOLVERS[name](grid, 0.1)(v), psi, 40)
        after = float(observables.energy(grid, v, psi))
        assert abs(float(norm(grid, psi)) - 1) < rounding_of_40_frames(is_double)
        # Strang keeps another energy, which differs by h^2 / 24 <v'^2> - h^2 / 12 <k v'' k>.
        strang = (0.1 / 20) ** 2 / 12 if name == "split_step" else 0.0
        assert abs(after / before - 1) < rounding_of_40_frames(is_double) + strang


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
def test_separable_landscape_gives_the_outer_product(dispersion, name) -> None:
    grid = Grid((32, 48), (8.0, 10.0), dispersion)
    grid_x, grid_y = Grid(32, 8.0, dispersion), Grid(48, 10.0, dispersion)
    v_x = potentials.quadratic(grid_x.positions(), 3.0, 4.0, 5.0)
    v_y = potentials.barrier(grid_y.positions(), -2.0, 3.0, 6.0)
    psi_x = packets.gaussian(grid_x, 3.0, 0.6, 1.5)
    psi_y = packets.gaussian(grid_y, 4.0, 0.8, -1.0)
    one_x = evolve(SOLVERS[name](grid_x, 0.2)(v_x), psi_x, 5)
    one_y = evolve(SOLVERS[name](grid_y, 0.2)(v_y), psi_y, 5)
    both = SOLVERS[name](grid, 0.2)(v_x[:, None] + v_y[None, :])
    psi = evolve(both, psi_x[:, None] * psi_y[None, :], 5)
    # All parts of the two axes commute, so even Strang factors, to rounding.
    assert relative_error(psi, np.outer(one_x, one_y)) < 1e-11


@pytest.mark.usefixtures("double_precision")
@both_solvers
@both_dispersions
def test_gradient_with_respect_to_a_height_is_the_difference_quotient(dispersion, name) -> None:
    grid = box(dispersion)
    x = grid.positions()
    psi = packets.gaussian(grid, centre=7.0, width=1.0, momentum=2.0)
    solve = SOLVERS[name](grid, 0.3, v_range=(-1.0, 4.0))

    @jax.jit
    def transmitted(height):
        step = solve(potentials.barrier(x, height, 2.0, 11.0))
        return jnp.sum(jnp.where(x > 12, abs(rollout(step, psi, 10)[-1]) ** 2, 0)) * grid.cell

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
    solve = SOLVERS[name](grid, 0.1, v_range=(-4.0, 4.0))
    loop = np.stack([solve(v[n])(psi[n]) for n in range(3)])
    jitted_solve = jax.jit(lambda v, psi: solve(v)(psi))
    mapped = jax.vmap(lambda v, psi: solve(v)(psi))(v, psi)
    jitted = np.stack([jitted_solve(v[n], psi[n]) for n in range(3)])
    # A few roundings of float32 each way, over 20 FFT pairs or 1e2 products.
    assert relative_error(mapped, loop) < 5e-6
    assert relative_error(jitted, loop) < 5e-6


def test_a_wider_v_range_gives_the_same_state() -> None:
    grid = box()
    v, psi = smooth_problem(grid)
    tight = solver.chebyshev(grid, 0.1)(v)(psi)
    wide = solver.chebyshev(grid, 0.1, v_range=(-30.0, 50.0))(v)(psi)
    # Two truncations of 1e-6, and float32.
    assert relative_error(wide, np.asarray(tight)) < 5e-6


@pytest.mark.parametrize(
    ("x64", "real", "result"),
    [
        (False, jnp.float32, jnp.complex64),
        (True, jnp.float32, jnp.complex64),
        (True, jnp.float64, jnp.complex128),
    ],
)
@pytest.mark.parametrize("dt", [0.1, np.float64(0.1)], ids=["float", "numpy"])
@both_solvers
@both_dispersions
def test_dtype_follows_the_inputs(dispersion, name, dt, x64, real, result) -> None:
    with jax.enable_x64(x64):
        grid = Grid(16, 4.0, dispersion)
        step = SOLVERS[name](grid, dt)(jnp.zeros(16, real))
        # Traced only: nothing has to be compiled for a dtype.
        assert jax.eval_shape(step, jnp.ones(16, result)).dtype == result


# Refusals.


@pytest.mark.parametrize("dt", [0.1, -0.1, 0.37, 1.0])
@both_dispersions
def test_the_resonance_is_refused_and_the_cure_it_names_is_accepted(dispersion, dt) -> None:
    grid = Grid(1024, 100.0, dispersion)
    with pytest.raises(ValueError, match="`n_substeps` must be at least") as caught:
        solver.split_step(grid, dt, 1)
    n_needed = int(re.findall(r"at least (\d+) ", str(caught.value))[0])
    largest = exact.omega(grid, np.pi * 1024 / 100.0)
    assert n_needed == np.ceil(largest * abs(dt) / (2 * np.pi))
    solver.split_step(grid, dt, n_needed)
    with pytest.raises(ValueError, match=f"at least {n_needed} on this grid"):
        solver.split_step(grid, dt, n_needed - 1)


def test_a_kinetic_cap_changes_fast_waves_only() -> None:
    """A slow packet over a smooth hill feels neither the cap nor, with it, so few substeps."""
    grid = Grid(1024, 100.0)
    x = grid.positions()
    psi = packets.gaussian(grid, 40.0, 3.0, 2.0)
    v = 2 * jnp.exp(-((x - 50) ** 2) / 8)
    expected = evolve(solver.chebyshev(grid, 0.1)(v), psi, 50)
    with pytest.raises(ValueError, match="`n_substeps` must be at least 4"):
        solver.split_step(grid, 0.1, 2)
    capped = evolve(solver.split_step(grid, 0.1, 2, kinetic_cap=40.0)(v), psi, 50)
    # Strang's error at h = 0.05.
    assert relative_error(capped, expected) < 1e-3
    uncapped, idle = (
        evolve(solver.split_step(grid, 0.1, 4, kinetic_cap=cap)(v), psi, 5) for cap in (None, 1e4)
    )
    np.testing.assert_array_equal(uncapped, idle)


def test_a_kinetic_cap_below_the_packet_is_felt() -> None:
    grid = Grid(1024, 100.0)
    psi = packets.gaussian(grid, 40.0, 3.0, 3.0)
    v = jnp.zeros(1024)
    exact = evolve(solver.chebyshev(grid, 0.1)(v), psi, 50)
    assert relative_error(evolve(solver.split_step(grid, 0.1, 4, 2.0)(v), psi, 50), exact) > 0.5


@pytest.mark.parametrize("cap", [0.0, -1.0, float("nan")])
def test_an_impossible_kinetic_cap_is_refused(cap: float) -> None:
    with pytest.raises(ValueError, match="`kinetic_cap` must be finite and positive"):
        solver.split_step(Grid(16, 4.0), 0.1, 9, kinetic_cap=cap)


def test_a_landscape_outside_v_range_is_refused() -> None:
    grid = Grid(16, 4.0)
    solve = solver.chebyshev(grid, 0.1, v_range=(-1.0, 2.0))
    for height in (2.1, -1.1):
        with pytest.raises(ValueError, match=r"`v` must be within v_range = \(-1.0, 2.0\)"):
            solve(jnp.full(16, height))


@pytest.mark.parametrize("height", [0.1, 14.1, -0.3])
def test_a_landscape_at_the_end_of_v_range_is_accepted(height) -> None:
    """Also where its float32 value lies a rounding beyond."""
    solve = solver.chebyshev(Grid(16, 4.0), 0.1, v_range=(min(height, 0), max(height, 0)))
    psi = jnp.ones(16, jnp.complex64)
    eager = solve(jnp.full(16, height))(psi)
    traced = jax.jit(lambda v: solve(v)(psi))(jnp.full(16, height))
    assert jnp.all(jnp.isfinite(eager))
    assert jnp.all(jnp.isfinite(traced))


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap], ids=["jit", "vmap"])
def test_chebyshev_without_v_range_is_refused_under_tracing(transform) -> None:
    grid = Grid(16, 4.0)
    solve = solver.chebyshev(grid, 0.1)
    v = jnp.zeros((2, 16) if transform is jax.vmap else 16)
    with pytest.raises(ValueError, match=r"Pass chebyshev\(..., v_range=\(lowest, highest\)\)"):
        transform(lambda v: solve(v)(jnp.ones(16, jnp.complex64)))(v)


@both_dispersions
def test_a_traced_landscape_outside_v_range_gives_nan_and_only_it(dispersion) -> None:
    grid = Grid(16, 4.0, dispersion)
    solve = solver.chebyshev(grid, 0.1, v_range=(-1.0, 2.0))
    v = jnp.zeros((4, 16)).at[1, 3].set(2.1).at[2, 5].set(-1.1).at[3].set(2.0)
    psi = jax.jit(jax.vmap(lambda v: solve(v)(jnp.ones(16, jnp.complex64))))(v)
    is_nan = np.isnan(psi)
    assert is_nan[[1, 2]].all()
    assert not is_nan[[0, 3]].any()


@pytest.mark.parametrize(
    "make",
    [
        lambda dt: solver.split_step(Grid(16, 4.0), dt, 9),
        lambda dt: solver.chebyshev(Grid(16, 4.0), dt),
    ],
)
@pytest.mark.parametrize(
    ("dt", "words"), [(0.0, "different from zero"), (np.nan, "finite"), (np.inf, "finite")]
)
def test_a_duration_that_is_none_is_refused(make, dt, words) -> None:
    with pytest.raises(ValueError, match=f"`dt` must be {words}"):
        make(dt)


@both_solvers
def test_wrong_shapes_types_and_values_are_refused(name) -> None:
    solve = SOLVERS[name](Grid(16, 4.0), 0.1)
    with pytest.raises(ValueError, match=r"`v` must be of shape \(16,\), but is of shape \(17,\)"):
        solve(jnp.zeros(17))
    with pytest.raises(ValueError, match="`v` must be finite"):
        solve(jnp.full(16, jnp.nan))
    step = solve(jnp.zeros(16))
    with pytest.raises(ValueError, match=r"`psi` must be of shape \(16,\), but is of shape \(8,\)"):
        step(jnp.zeros(8, jnp.complex64))
    with (
        jax.enable_x64(True),
        pytest.raises(ValueError, match="`psi` must be of type complex64, since v is float32"),
    ):
        solve(jnp.zeros(16, jnp.float32))(jnp.zeros(16, jnp.complex128))


@both_solvers
@pytest.mark.usefixtures("without_checker")
@pytest.mark.parametrize(
    ("v", "kind"),
    [
        ([0.0] * 16, "list"),
        (jnp.zeros(16, int), "int32"),
        (jnp.zeros(16, jnp.complex64), "complex64"),
    ],
)
def test_a_landscape_that_is_no_array_of_real_numbers_is_refused(name, v, kind) -> None:
    solve = SOLVERS[name](Grid(16, 4.0), 0.1)
    words = f"`v` must be an array of real floating-point numbers, but is of type {kind}"
    with pytest.raises(ValueError, match=words):
        solve(v)


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"tolerance": 0.0}, "`tolerance` must be finite and positive"),
        ({"tolerance": 1.0}, "`tolerance` must be below 1, but is 1.0"),
        ({"v_range": (2.0, 1.0)}, r"`v_range` must be \(lowest, highest\)"),
        ({"v_range": (0.0, np.inf)}, "`v_range` must be finite"),
    ],
)
def test_chebyshev_refuses_senseless_settings(setting, words) -> None:
    with pytest.raises(ValueError, match=words):
        solver.chebyshev(Grid(16, 4.0), 0.1, **setting)


def test_no_substeps_are_refused() -> None:
    with pytest.raises(ValueError, match="`n_substeps` must be at least 1, but is 0"):
        solver.split_step(Grid(16, 4.0), 0.1, 0)


@both_dispersions
def test_hamiltonian_equals_the_dense_one(dispersion) -> None:
    with jax.enable_x64(True):
        grid = box(dispersion)
        v, psi = smooth_problem(grid)
        expected = exact.hamiltonian(grid, as_numpy(v)) @ np.asarray(psi)
        assert relative_error(solver.hamiltonian(grid, v)(psi), expected) < 1e-12
