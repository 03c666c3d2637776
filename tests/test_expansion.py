"""The Chebyshev solver: its error, the bounds of its potentials, scattering, and its layout."""

import dataclasses
import functools
import itertools

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from steps import box, evolve, one, relative_error, smooth_problem

from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid, norm
from qdistill.system import SYSTEMS, System, rollout
from qdistill.teacher import bounds_of, chebyshev, expansion

both_dispersions = pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
both_precisions = pytest.mark.parametrize("is_double", [False, True], ids=["c64", "c128"])


@pytest.fixture
def double_precision():
    with jax.enable_x64(True):
        yield


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
        system = System(Grid(1024, 100.0, dispersion))
        solver = chebyshev(system, 1e-12 if is_double else 1e-6)
        for psi, wanted in zip(before, expected, strict=True):
            # 100 frames of tolerance 1e-6, or of 1e-12 and float64's rounding in 1e4 products.
            last = evolve(solver, jnp.asarray(SHARP, float), jnp.asarray(psi, complex), 100)
            assert relative_error(last, wanted) < (1e-9 if is_double else 1e-4)


@pytest.mark.parametrize("bounds", [(0.0, 14.0), (-10.0, 4.0), (-10.0, 14.0)])
@both_dispersions
def test_chebyshev_keeps_a_plane_waves_phase_in_float32(dispersion, bounds) -> None:
    system = System(Grid(1024, 100.0, dispersion), bounds=bounds)
    k = 2 * np.pi * 48 / 100.0
    wave = np.exp(1j * k * GRID_X)
    psi = jnp.asarray(wave, jnp.complex64)
    last = evolve(chebyshev(system, 1e-6), jnp.zeros(1024), psi, 100)
    # The figure of the dense test above: a spectrum of 260 hartree offset by a constant that is
    # rounded to 3e-8 of it would shift the energy by 8e-6, in each of its roundings.
    assert relative_error(last, wave * np.exp(-10j * exact.omega(system.grid, k))) < 1e-4


@pytest.mark.usefixtures("double_precision")
@pytest.mark.parametrize("tolerance", [1e-2, 1e-5, 1e-9, 1e-13])
@both_dispersions
def test_chebyshev_error_of_a_frame_is_below_its_tolerance(dispersion, tolerance) -> None:
    system = System(box(dispersion), 0.7)
    v, psi = smooth_problem(system.grid)
    expected = exact.propagate(system.grid, np.asarray(v), np.asarray(psi), t=0.7)
    error = relative_error(evolve(chebyshev(system, tolerance), v, psi, 1), expected)
    # Not far below it either: that would be work for nothing. 1e-12 is the oracle's rounding.
    assert error < tolerance + 1e-12
    assert error > 1e-3 * tolerance


# Scattering. Broad packets, exact plane-wave formulas averaged over their spectrum.


SCATTERERS = {"tunnelling": 2.5, "above the barrier": 1.2, "over a well": -3.0}


def measured_and_expected_transmission(grid: Grid, height: float, n_points: int) -> np.ndarray:
    """Of a broad packet of k = 2, by running it and by the formula, for `n_points` of `height`."""
    n_x, dx, k0, s0 = grid.shape[0], grid.dx[0], 2.0, 8.0
    centre = (n_x // 2 + 0.5 * (n_points % 2 == 0)) * dx
    barrier = potentials.barrier(grid.positions(), height, n_points * dx, centre)
    assert int(jnp.sum(barrier != 0)) == n_points
    psi = packets.gaussian(grid, centre=60.0, width=s0, momentum=k0)
    psi = evolve(chebyshev(System(grid, 45.0), 1e-9), barrier, psi, 1)
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


# The bounds of a potential.


def test_wider_bounds_give_the_same_state() -> None:
    system = System(box())
    v, psi = smooth_problem(system.grid)
    tight = evolve(chebyshev(system), v, psi, 1)
    wide = evolve(chebyshev(dataclasses.replace(system, bounds=(-30.0, 50.0))), v, psi, 1)
    # Two truncations of 1e-6, and float32.
    assert relative_error(wide, tight) < 5e-6


def test_a_potential_outside_the_bounds_is_refused() -> None:
    system = System(Grid(16, 4.0), bounds=(-1.0, 2.0))
    solver, psi = chebyshev(system), jnp.ones((1, 16), jnp.complex64)
    for height in (2.1, -1.1):
        words = rf"`v` must be within the system's bounds \(-1.0, 2.0\), but is between {height}"
        with pytest.raises(ValueError, match=words):
            rollout(solver, psi, jnp.full(16, height), 1)
        with pytest.raises(ValueError, match=r"`v` must be within \(-1.0, 2.0\), but is between"):
            system.as_potential(jnp.full(16, height))


@pytest.mark.parametrize("height", [0.1, 14.1, -0.3])
def test_a_potential_at_the_end_of_the_bounds_is_accepted(height) -> None:
    """Also where its float32 value lies a rounding beyond."""
    system = System(Grid(16, 4.0), bounds=(min(height, 0), max(height, 0)))
    solver, psi = chebyshev(system), jnp.ones((1, 16), jnp.complex64)
    v = system.as_potential(jnp.full(16, height))
    assert jnp.all(jnp.isfinite(rollout(solver, psi, v, 1)))
    assert jnp.all(jnp.isfinite(jax.jit(lambda v: rollout(solver, psi, v, 1))(v)))


@pytest.mark.parametrize("transform", [jax.jit, jax.vmap], ids=["jit", "vmap"])
def test_a_traced_potential_without_bounds_is_refused(transform) -> None:
    solver, psi = chebyshev(System(Grid(16, 4.0))), jnp.ones((1, 16), jnp.complex64)
    v = jnp.zeros((2, 16) if transform is jax.vmap else 16)
    with pytest.raises(ValueError, match=r"Use System\(..., bounds=\(lowest, highest\)\)"):
        transform(lambda v: rollout(solver, psi, v, 1))(v)


@pytest.mark.parametrize("precision", [jnp.complex64, jnp.complex128])
def test_a_known_potential_stays_known_inside_jit(precision) -> None:
    """Whatever the precision in which it is used."""
    with jax.enable_x64(True):
        solver = chebyshev(System(box()))
        v, psi = smooth_problem(solver.system.grid)
        single, psi = v.astype(jnp.float32), psi.astype(precision)
        frame = one(solver, single)(psi)
        assert frame.dtype == precision
        np.testing.assert_allclose(frame, evolve(solver, single, psi, 1), atol=2e-6)


@pytest.mark.parametrize("bounds", [None, (-1.0, 1.0), (-0.1, 0.1)])
def test_a_known_potential_of_channels_stays_known_inside_jit(bounds) -> None:
    """Its range is read, or compared with the bounds, as outside of `jit`."""
    solver = chebyshev(System(Grid(8, 4.0), n_channel=2, bounds=bounds))
    v = jnp.asarray(0.2 * np.ones((2, 2, 8)) - 0.3 * np.eye(2)[..., None], float)
    psi = jnp.ones((2, 8), jnp.complex64)
    frame = jax.jit(lambda psi: rollout(solver, psi[None], v, 1))
    if bounds == (-0.1, 0.1):
        with pytest.raises(ValueError, match=r"`v` must be within the system's bounds \(-0.1, 0.1"):
            frame(psi)
    else:
        np.testing.assert_allclose(frame(psi), rollout(solver, psi[None], v, 1), atol=1e-6)


@both_dispersions
def test_a_traced_potential_outside_the_bounds_gives_nan_and_only_it(dispersion) -> None:
    solver = chebyshev(System(Grid(16, 4.0, dispersion), bounds=(-1.0, 2.0)))
    v = jnp.zeros((4, 16)).at[1, 3].set(2.1).at[2, 5].set(-1.1).at[3].set(2.0)
    psi = jnp.ones((1, 16), jnp.complex64)
    is_nan = np.isnan(jax.jit(jax.vmap(lambda v: rollout(solver, psi, v, 1)[0]))(v))
    assert is_nan[[1, 2]].all()
    assert not is_nan[[0, 3]].any()


def test_bounds_of_channels_hold_every_eigenvalue() -> None:
    """Of many potentials, each a matrix at every point; and no more than that."""
    system = System(Grid(8, 4.0), n_channel=3)
    random = np.random.default_rng(0).normal(size=(5, 3, 3, 8))
    v = jnp.asarray(random + random.swapaxes(1, 2), float)
    low, high = bounds_of(system, v)
    values = np.linalg.eigvalsh(np.moveaxis(np.asarray(v), -1, 1))
    assert low <= values.min() < values.max() <= high
    assert high - low < 1.0001 * np.ptp(values)
    tight = dataclasses.replace(system, bounds=(low, high))
    psi = jnp.ones((1, 3, 8), jnp.complex64)
    later = jax.jit(jax.vmap(lambda v: rollout(chebyshev(tight), psi, v, 1)))(v)
    assert jnp.all(jnp.isfinite(later))


@pytest.mark.parametrize("shape", [(0, 8), ()])
def test_bounds_of_no_potential_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"`v` must be stacked along a first axis.* of shape \("):
        bounds_of(System(Grid(8, 4.0)), jnp.zeros(shape))


@pytest.mark.parametrize(
    ("bounds", "words"),
    [
        ((2.0, 1.0), r"\(lowest, highest\)"),
        ((0.0, np.inf), "finite"),
        ((np.nan, 1.0), "finite"),
        ((0.0, 1.0, 2.0), r"\(lowest, highest\)"),
        (3.0, r"\(lowest, highest\)"),
        ((0.0, "2"), "made of"),
        ((0.0, 1j), "made of real"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_senseless_bounds_are_refused(bounds, words) -> None:
    with pytest.raises(ValueError, match=f"`bounds` must be {words}"):
        System(Grid(16, 4.0), bounds=bounds)


@pytest.mark.parametrize(
    ("tolerance", "words"),
    [
        (0.0, "finite and positive"),
        (np.nan, "finite and positive"),
        (1.0, "below 1, but is 1.0"),
        ("2", "made of real numbers"),
    ],
)
@pytest.mark.usefixtures("without_checker")
def test_a_senseless_tolerance_is_refused(tolerance, words) -> None:
    with pytest.raises(ValueError, match=f"`tolerance` must be {words}"):
        chebyshev(System(Grid(16, 4.0)), tolerance)


def test_a_frame_of_minutes_is_refused_before_it_begins() -> None:
    grid = Grid(1024, 100.0)
    with pytest.raises(ValueError, match=r"at most 1\.91e\+03 .* 200,000 terms, .* 1e\+06"):
        chebyshev(System(grid, 1e6))
    with pytest.raises(ValueError, match="`dt` must be at most"):
        chebyshev(System(grid, -1500.0, bounds=(-16.0, 100.0)))
    # What a potential adds is known when it is.
    solver = chebyshev(System(grid, 1500.0))
    with pytest.raises(ValueError, match="`dt` must be at most"):
        solver(jnp.full(1024, 100.0).at[0].set(0.0))
    solver(jnp.zeros(1024))


class Fast(System):
    """A system with a kinetic energy of its own."""

    def kinetic(self, v, t):
        """c sqrt(k^2 + c^2) - c^2."""
        return 137 * (np.sqrt(self.grid.wavenumbers() ** 2 + 137**2) - 137)


def test_a_kinetic_energy_that_is_not_the_grids_is_refused() -> None:
    with pytest.raises(ValueError, match="`system` must be of the grid's own kinetic energy"):
        chebyshev(Fast(Grid(16, 4.0)))


# The layout is nobody's business: every way to map and to derive gives what a loop gives.

A = jnp.arange(24.0).reshape(2, 3, 4) / 10
B = jnp.cos(A)


def wants_batch_last(a, b):
    """Would not broadcast, nor roll the right axis, with the batch anywhere else."""
    assert a.ndim == b.ndim == 2
    assert a.shape[1] in (1, b.shape[1])
    return a * jnp.roll(b, 1, 0) ** 2


@pytest.mark.parametrize("in_axes", [(0, 0), (0, None), (None, 0), (1, 0)])
def test_mapped_equals_a_loop(in_axes) -> None:
    f = expansion.batch_last(wants_batch_last)
    a, b = (x[0] if axis is None else x for x, axis in zip((A[0], B[0]), in_axes, strict=True))
    a = jnp.eye(4)[:, :3] if in_axes[0] == 1 else a
    sizes = [x.shape[axis] for x, axis in zip((a, b), in_axes, strict=True) if axis is not None]
    one = [
        f(
            *(
                x if axis is None else jnp.take(x, i, axis)
                for x, axis in zip((a, b), in_axes, strict=True)
            )
        )
        for i in range(min(sizes))
    ]
    np.testing.assert_allclose(jax.vmap(f, in_axes)(a, b), np.stack(one), rtol=1e-6)


def test_maps_nest() -> None:
    f = expansion.batch_last(wants_batch_last)
    nested = jax.vmap(jax.vmap(f))(A, B)
    for i, j in itertools.product(range(2), range(3)):
        np.testing.assert_allclose(nested[i, j], f(A[i, j], B[i, j]), rtol=1e-6)


def test_derivatives_in_both_modes_and_mapped() -> None:
    f = expansion.batch_last(wants_batch_last)
    plain = lambda a, b: a * jnp.roll(b, 1) ** 2  # noqa: E731
    for derive in (jax.jacfwd, jax.jacrev):
        for argument in (0, 1):
            mine, truth = (jax.vmap(derive(g, argument))(A[0], B[0]) for g in (f, plain))
            np.testing.assert_allclose(mine, truth, atol=1e-6)
    mine, truth = (
        jax.grad(lambda b, g=g: jnp.sum(jax.vmap(g)(A[0], b) ** 2))(B[0]) for g in (f, plain)
    )
    np.testing.assert_allclose(mine, truth, rtol=1e-5)


def test_under_vmap_the_lattice_is_carried_with_its_packets_last() -> None:
    """What the speed rests on: no array of the loop has the packets first."""
    grid, terms = Grid(16, 4.0), expansion.coefficients(3.0, 1e-5)

    def one(v, psi):
        return expansion.expand(grid, v, 1.0, 10.0, terms, psi)

    jaxpr = jax.make_jaxpr(jax.vmap(one))(jnp.zeros((5, 16)), jnp.zeros((5, 16), jnp.complex64))
    text = str(jaxpr)
    assert "f32[16,2,5]" in text
    assert "f32[5,16,2]" not in text
    assert "f32[5,2,16]" not in text


@pytest.mark.parametrize("height", [15.18, 3.7, 11.02, 19.34])
def test_long_frames_do_not_leave_the_range_of_the_expansion(height: float) -> None:
    # 10,000 terms, in which the smallest excess beyond [-1, 1] grows to infinity.
    system = System(Grid(256, 25.0), dt=100.0)
    psi = packets.gaussian(system.grid, 12.0, 1.0, 2.0)
    (last,) = rollout(chebyshev(system), psi[None], jnp.full(256, height), 1)
    assert float(norm(system.grid, last)) == pytest.approx(1, abs=1e-3)


def test_bounds_are_those_of_the_real_part() -> None:
    class Decaying(System):
        is_hermitian = False

    assert bounds_of(Decaying(Grid(4, 2.0)), jnp.array([[3 - 1j, 0, 1, 1]])) == (0, 3)
    SYSTEMS.pop("Decaying")
