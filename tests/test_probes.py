"""Probes on the exact solver give the known answer, and find what is planted in it."""

import functools
import json
import pathlib
from collections.abc import Callable

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
import small

from qdistill import students
from qdistill.insight import probes
from qdistill.insight.probes import fits, waves
from qdistill.physics import potentials
from qdistill.physics.grid import Grid
from qdistill.runs import folder as runs
from qdistill.students import Student, from_propagator
from qdistill.teacher import solvers as solver
from qdistill.teacher.solvers import Propagator

GRID = Grid(512, 50.0)
CONTINUUM = Grid(512, 50.0, "continuum")
DT = 0.1
# Of a frame in complex64, over dt: what a phase can tell of an energy.
ROUNDING = 1e-5


# Media are kept, and so is what has been compiled for them.


@functools.cache
def chebyshev(grid: Grid, dt: float) -> Propagator:
    return solver.chebyshev(grid, dt, 1e-7, (-32.0, 32.0))


def solve(grid: Grid = GRID, dt: float = DT) -> Propagator:
    return chebyshev(grid, dt)


@functools.cache
def heavy(mass: float) -> Propagator:
    """exp(-i (omega / m + v) dt)."""
    exact_solver = solve(dt=DT / mass)
    return lambda v: exact_solver(mass * v)


@functools.cache
def absorbing(rate: float) -> Propagator:
    exact_solver = solve()

    def propagator(v: jax.Array) -> Callable:
        step = exact_solver(v)
        return lambda psi: np.exp(-rate * DT) * step(psi)

    return propagator


@functools.cache
def deaf(share: float) -> Propagator:
    """Which feels only a share of v."""
    exact_solver = solve()
    return lambda v: exact_solver(share * v)


@functools.cache
def student(propagator: Propagator) -> Student:
    return from_propagator(propagator)


def disperse(propagator: Propagator, grid: Grid = GRID) -> probes.WaveResponse:
    return probes.measure_dispersion(student(propagator), propagator, grid, DT, 12.8)


def fit(propagator: Propagator, grid: Grid = GRID) -> probes.SeriesFit:
    response = disperse(propagator, grid)
    return probes.fit_dispersion(response.k, response.omega, 8.0)


def couple(propagator: Propagator) -> probes.UniformResponse:
    return probes.measure_uniform(student(propagator), propagator, GRID, DT, (1.0, 5.0), 10.0)


def bump(propagator: Propagator, grid: Grid = GRID) -> probes.BumpResponse:
    return probes.measure_bump(student(propagator), propagator, grid, DT, (3.0, 4.0, 5.0))


def spread(propagator: Propagator, grid: Grid = GRID, k_band: float = 8.0) -> probes.LightCone:
    return probes.measure_light_cone(student(propagator), propagator, grid, DT, k_band)


# Dispersion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_dispersion_of_the_exact_solver_is_the_grids(grid: Grid) -> None:
    response = disperse(solve(grid), grid)
    # The phase of the fastest wave has wrapped by then.
    assert response.omega[-1] * DT > 2 * np.pi
    np.testing.assert_allclose(response.omega, exact.omega(grid, response.k), atol=2 * ROUNDING)
    for nothing in (response.damping, response.asymmetry):
        np.testing.assert_allclose(nothing, 0, atol=ROUNDING)
    np.testing.assert_allclose(response.leakage, 0, atol=ROUNDING)


def test_dispersion_is_sharp_in_double_precision() -> None:
    with jax.enable_x64(True):
        response = disperse(solver.chebyshev(GRID, DT, 1e-12, (0.0, 0.0)))
        found = probes.fit_dispersion(response.k, response.omega, 8.0)
    np.testing.assert_allclose(response.omega, exact.omega(GRID, response.k), atol=1e-9)
    # What is left is the series' next term, and the error knows it.
    assert abs(found.value.mass - 1) < 3 * found.error.mass < 1e-4


@pytest.mark.parametrize(
    ("grid", "quartic"),
    [(GRID, -(GRID.dx[0] ** 2) / 24), (CONTINUUM, 0.0)],
    ids=["lattice", "continuum"],
)
def test_the_fit_tells_lattice_from_continuum(grid: Grid, quartic: float) -> None:
    found = fit(solve(grid), grid)
    assert abs(found.value.mass - 1) < 3 * found.error.mass < 1e-4
    assert abs(found.value.quartic - quartic) < 3 * found.error.quartic < 3e-6
    assert abs(found.value.offset) < 3 * found.error.offset + ROUNDING


def test_a_wrong_mass_is_found_within_its_error_and_by_the_dispersion_alone() -> None:
    found = fit(heavy(1.1))
    assert abs(found.value.mass - 1.1) < 3 * found.error.mass < 1e-4
    assert abs(found.value.quartic + GRID.dx[0] ** 2 / 24 / 1.1) < 3 * found.error.quartic
    np.testing.assert_allclose(couple(heavy(1.1)).coupling, 1, atol=1e-5)


def test_an_absorber_is_found_by_the_damping_alone() -> None:
    planted = absorbing(0.02)
    response = disperse(planted)
    np.testing.assert_allclose(response.damping, 0.02, atol=ROUNDING)
    np.testing.assert_allclose(response.omega, exact.omega(GRID, response.k), atol=2 * ROUNDING)
    uniform = couple(planted)
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)
    np.testing.assert_allclose(uniform.damping, 0, atol=2 * ROUNDING)
    cone = spread(planted)
    assert cone.speed == pytest.approx(cone.expected, abs=1e-3)


def test_a_wind_is_found_by_the_asymmetry_alone() -> None:
    exact_solver = solve()

    def propagator(v: jax.Array) -> Callable:
        step = exact_solver(v)
        return lambda psi: jnp.roll(step(psi), 1)

    response = disperse(propagator)
    # Moved by dx in a frame, which adds k dx to the phase of one direction.
    np.testing.assert_allclose(response.asymmetry, response.k * GRID.dx[0] / DT, atol=ROUNDING)
    np.testing.assert_allclose(response.omega, exact.omega(GRID, response.k), atol=2 * ROUNDING)


def test_scattering_into_other_waves_is_leakage() -> None:
    exact_solver = solve()

    def propagator(v: jax.Array) -> Callable:
        step = exact_solver(v)
        grating = 1 + 0.1 * jnp.cos(2 * jnp.pi * 50 * GRID.positions() / 50.0)
        return lambda psi: grating * step(psi)

    expected = np.sqrt(0.1**2 / 2 / (1 + 0.1**2 / 2))
    np.testing.assert_allclose(disperse(propagator).leakage, expected, rtol=1e-2)


def test_beyond_a_lost_branch_there_is_no_omega_and_no_fit() -> None:
    rng = np.random.default_rng(0)
    scramble = np.exp(1j * np.where(np.abs(GRID.wavenumbers()) > 6, rng.uniform(0, 6, 512), 0))

    def propagator(v: jax.Array) -> Callable:
        step = solve()(v)
        turn = jnp.asarray(scramble, jnp.complex64)
        return lambda psi: jnp.fft.ifft(turn * jnp.fft.fft(step(psi)))

    response = disperse(propagator)
    known = response.k < 5.9
    np.testing.assert_allclose(
        response.omega[known], exact.omega(GRID, response.k[known]), atol=2 * ROUNDING
    )
    assert np.isnan(response.omega[response.k > 8]).all()
    probes.fit_dispersion(response.k, response.omega, 5.0)
    with pytest.raises(ValueError, match="`omega` must be finite"):
        probes.fit_dispersion(response.k, response.omega, 8.0)


@pytest.mark.parametrize("memory", [0.0, 0.8])
def test_errors_of_a_fit_are_those_of_its_scatter(memory: float) -> None:
    """Pulls have unit size, whether neighbouring residuals are independent or not."""
    rng = np.random.default_rng(3)
    x = np.linspace(0, 1, 200)
    terms = np.stack([np.ones_like(x), x, x**2], axis=1)
    pulls = []
    for _ in range(300):
        noise = rng.normal(size=x.size)
        for i in range(1, x.size):
            noise[i] = memory * noise[i - 1] + np.sqrt(1 - memory**2) * noise[i]
        found = fits.least_squares(terms, terms @ [1.0, -2.0, 3.0] + 0.1 * noise)
        pulls.append((found.value - [1.0, -2.0, 3.0]) / found.error)
    size = np.sqrt(np.mean(np.square(pulls), axis=0))
    # Correlations are measured from the residuals themselves, a little too short.
    assert np.all((size > 0.7) & (size < 1.5))


def test_students_are_given_the_exact_history() -> None:
    """Psi of the next frame is psi^2 / psi of the last: right for a plane wave alone."""

    def propagator(v: jax.Array) -> Callable:
        return lambda state: jnp.stack([state[1], state[1] ** 2 / state[0]])

    student = Student(2, lambda key: {}, lambda params: propagator)
    response = probes.measure_dispersion(student, propagator, GRID, DT, 8.0)
    np.testing.assert_allclose(response.omega, exact.omega(GRID, response.k), atol=3 * ROUNDING)
    uniform = probes.measure_uniform(student, propagator, GRID, DT, (1.0, 5.0), 10.0)
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)


# Response to the landscape ------------------------------------------------------------------------


def test_the_exact_solver_feels_a_uniform_landscape_once() -> None:
    uniform = couple(solve())
    np.testing.assert_allclose(uniform.shift, np.tile(uniform.v, (2, 1)), atol=2 * ROUNDING)
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)


def test_the_shift_is_followed_through_many_turns() -> None:
    wide = solver.split_step(GRID, DT, 4)
    uniform = probes.measure_uniform(from_propagator(wide), wide, GRID, DT, (2.0,), 100.0, n_v=20)
    assert uniform.shift[0, -1] * DT > 3 * np.pi
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)


def test_a_weaker_landscape_is_found_by_its_coupling_alone() -> None:
    planted = deaf(0.97)
    np.testing.assert_allclose(couple(planted).coupling, 0.97, atol=1e-5)
    felt, full = bump(planted), bump(solve())
    np.testing.assert_allclose(felt.forward / full.forward, 0.97, atol=1e-3)
    np.testing.assert_allclose(felt.backward / full.backward, 0.97, atol=1e-3)
    assert abs(fit(planted).value.mass - 1) < 1e-4
    assert spread(planted).speed == pytest.approx(spread(solve()).speed, abs=1e-4)


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_the_exact_solver_answers_a_bump_as_perturbation_theory_says(grid: Grid) -> None:
    response = bump(solve(grid), grid)
    speed = waves.group_velocity(grid, response.k)
    third_order = 2 * (0.05 / speed) ** 2
    for gain in (response.forward, response.backward):
        assert np.all(np.abs(gain - 1) < third_order + 2e-4)
    # Born's reflected wave, -i V(2 k) / speed, over the momenta of the packet.
    k = np.linspace(1.0, 8.0, 4001)
    area = 0.05 * np.exp(-((2 * k * 0.15) ** 2) / 2)
    reflection = (area / waves.group_velocity(grid, k)) ** 2
    for k0, reflected in zip(response.k, response.reflected, strict=True):
        spectrum = exact.gaussian_spectrum(k, 2.0, k0)
        assert reflected == pytest.approx(np.trapezoid(spectrum * reflection, k), rel=2e-3)


# Light cone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_the_front_is_the_closed_form_and_nears_the_fastest_waves(grid: Grid) -> None:
    cone = spread(solve(grid), grid)
    np.testing.assert_allclose(cone.front, cone.expected_front, atol=2e-3)
    assert cone.speed == pytest.approx(cone.expected, abs=1e-3)
    assert cone.limit == pytest.approx(waves.group_velocity(grid, np.array([8.0]))[0], rel=1e-6)
    # After long times the front moves at the speed that a hundredth of the waves exceed.
    k = np.linspace(0, 8, 4001)
    weights = np.cos(np.pi / 2 * np.clip((k / 8 - 0.8) / 0.2, 0, 1)) ** 4
    below = np.cumsum(weights) / weights.sum()
    asymptotic = np.interp(0.99, below, waves.group_velocity(grid, k))
    assert cone.speed == pytest.approx(asymptotic, rel=0.03)
    assert cone.speed < cone.limit


def test_all_waves_of_the_lattice_make_its_own_light_cone() -> None:
    cone = spread(solve(), k_band=np.pi / GRID.dx[0])
    assert cone.limit == pytest.approx(1 / GRID.dx[0], rel=1e-5)
    assert cone.speed == pytest.approx(1 / GRID.dx[0], rel=5e-3)


def test_a_delayed_light_cone_is_found_by_the_front() -> None:
    late = spread(solve(dt=DT / 2))
    assert late.speed / late.expected == pytest.approx(0.5, rel=0.03)
    np.testing.assert_allclose(couple(solve(dt=DT / 2)).coupling, 0.5, atol=1e-5)
    slow = spread(heavy(2.0))
    np.testing.assert_allclose(slow.front, late.front, atol=1e-2)
    np.testing.assert_allclose(couple(heavy(2.0)).coupling, 1, atol=1e-5)


# Scattering ---------------------------------------------------------------------------------------


def test_transfer_matrices_give_the_closed_forms_of_a_barrier() -> None:
    k = np.linspace(0.3, 6, 40)
    for height in (5.0, -3.0):
        v = potentials.barrier(GRID.positions(), height, 1.0, 25.0)
        n = int(jnp.sum(v != 0))
        passed = np.abs(probes.transmission(GRID, v, k)) ** 2
        expected = exact.barrier_transmission_on_lattice(k, height, n, GRID.dx[0])
        np.testing.assert_allclose(passed, expected, rtol=1e-9)
        passed = np.abs(probes.transmission(CONTINUUM, v, k)) ** 2
        expected = exact.barrier_transmission(k, height, n * GRID.dx[0])
        np.testing.assert_allclose(passed, expected, rtol=1e-9)
    for grid in (GRID, CONTINUUM):
        np.testing.assert_allclose(probes.transmission(grid, jnp.zeros(512), k), 1, rtol=1e-12)


@pytest.mark.parametrize(
    ("grid", "tolerance"), [(GRID, 3e-4), (CONTINUUM, 1e-2)], ids=["lattice", "continuum"]
)
def test_the_exact_solver_transmits_what_transfer_matrices_say(
    grid: Grid, tolerance: float
) -> None:
    v = potentials.barrier(grid.positions(), 4.0, 1.0, 25.0)
    momenta = np.sqrt(2 * np.array([2.5, 4.0, 5.5])).tolist()
    propagator = solve(grid)
    found = probes.measure_scattering(
        student(propagator), propagator, grid, DT, v, momenta, packet_width=2.0
    )
    np.testing.assert_allclose(found.transmitted, found.expected, atol=tolerance)
    # The tails of the slowest packet, some 4 widths out, are still between the sides.
    np.testing.assert_allclose(found.transmitted + found.reflected, 1, atol=3e-4)
    assert found.expected[0] < 0.2 < 0.6 < found.expected[-1]


def test_lost_probability_shows_in_transmission_and_reflection() -> None:
    v = potentials.barrier(GRID.positions(), 4.0, 1.0, 25.0)
    planted = absorbing(0.02)
    found = probes.measure_scattering(
        student(planted), planted, GRID, DT, v, [3.0], packet_width=2.0
    )
    n_frames = probes.response.crossing_frames(
        GRID, DT, [3.0], 2.0, float(jnp.sum(v != 0)) * GRID.dx[0]
    )
    kept = found.transmitted[0] + found.reflected[0]
    assert kept == pytest.approx(np.exp(-2 * 0.02 * DT * n_frames), rel=1e-2)


def test_resonances_are_those_of_transfer_matrices_and_of_what_is_planted() -> None:
    grid = Grid()
    x = grid.positions()
    v = potentials.double(x, (5.0, 5.0), 0.5, 4.0)
    propagator = solve(grid)
    found = probes.measure_resonances(student(propagator), propagator, grid, DT, v)
    np.testing.assert_allclose(found.transmission, found.expected, atol=5e-3)
    assert len(found.expected_peaks) == 3
    # A fiftieth of their width, since the frames end.
    np.testing.assert_allclose(found.peaks, found.expected_peaks, atol=0.02)
    # A symmetric pair of barriers lets all pass at resonance, if one waits.
    assert found.sharp.max() == pytest.approx(1, abs=1e-3)
    wider = potentials.double(x, (5.0, 5.0), 0.5, 4.6)
    planted = probes.measure_resonances(
        student(propagator),
        lambda v: propagator(jnp.where(jnp.any(v != 0), wider, v)),
        grid,
        DT,
        v,
    )
    truth = probes.measure_resonances(student(propagator), propagator, grid, DT, wider)
    np.testing.assert_allclose(planted.peaks, truth.expected_peaks, atol=0.02)
    assert np.min(np.abs(planted.peaks[:, None] - found.peaks[None])) > 0.3


# Refusals and failures ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_a_propagator_that_blows_up_is_reported_not_raised(value: float) -> None:
    grid = Grid()

    def propagator(v: jax.Array) -> Callable:
        return lambda psi: value * psi

    config = probes.ProbeConfig(n_energy=2, bump_momenta=(3.0,), uniform_momenta=(2.0,))
    found = probes.probe(from_propagator(propagator), propagator, grid, DT, config)
    numbers = probes.describe(grid, config, found)
    assert not np.isfinite(numbers["light_cone"]["front_speed_bohr_per_au"])
    assert "nan" in probes.words("broken", grid, config, found)


def test_a_propagator_that_does_nothing_has_no_mass() -> None:
    response = disperse(lambda v: lambda psi: psi)
    found = probes.fit_dispersion(response.k, response.omega, 8.0)
    assert not np.isfinite(found.value.mass) or abs(found.value.mass) > 1e4


def test_bad_questions_are_refused() -> None:
    propagator = solve()
    subject = student(propagator), propagator
    plane = Grid((8, 8), (1.0, 1.0))
    short = Grid(64, 2.0, "continuum")
    v = potentials.barrier(GRID.positions(), 4.0, 1.0, 25.0)
    for call, message in (
        (lambda: probes.measure_dispersion(*subject, plane, DT, 1.0), "`grid` must be one-dim"),
        (lambda: probes.measure_dispersion(*subject, GRID, DT, 99.0), "`k_max` must be between"),
        (lambda: probes.measure_dispersion(*subject, short, DT, 50.0), "`dt` must be below"),
        (lambda: probes.fit_dispersion(np.arange(9.0), np.arange(9.0), 8.0), "at least 10 waves"),
        (
            lambda: probes.measure_uniform(*subject, GRID, DT, (1.0,), 100.0, n_v=2),
            "`n_v` must be above",
        ),
        (lambda: probes.measure_bump(*subject, GRID, DT, (1.0, 5.0)), "`momenta` must be positive"),
        (lambda: probes.measure_light_cone(*subject, GRID, 0.5, 8.0), "`dt` must be below"),
        (
            lambda: probes.measure_scattering(*subject, GRID, DT, jnp.zeros(512), [3.0]),
            "`v` must be not zero everywhere",
        ),
        (
            lambda: probes.measure_scattering(*subject, GRID, DT, jnp.roll(v, 200), [3.0]),
            "`v` must be zero outside the middle",
        ),
        (lambda: probes.transmission(GRID, v, np.array([0.0])), "`k` must be above 0"),
        (lambda: probes.transmission(GRID, v + 1, np.array([1.0])), "`v` must be zero at both"),
        (lambda: probes.ProbeConfig(k_max=3.0), "`k_max` must be between 8 and inf"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# Order of learning --------------------------------------------------------------------------------


def test_exams_hold_each_process_and_do_not_change() -> None:
    exams = probes.make_exams(Grid(), DT, 5, 2, 6, ("free", "trapping"))
    assert exams.runs.frames.shape == (4, 6, 1024)
    assert not np.any(exams.runs.v[:2])
    assert np.all(exams.runs.v[2:].min(axis=1) < -1)
    again = probes.make_exams(Grid(), DT, 5, 2, 6, ("free", "trapping"))
    np.testing.assert_array_equal(again.runs.given, exams.runs.given)
    exact_solver = solve(Grid())
    errors = probes.examine(from_propagator(exact_solver), exams)({})
    np.testing.assert_allclose(errors, 0, atol=1e-5)
    # A wrong mass is a mistake in every process; deafness to v only in one.
    errors = probes.examine(from_propagator(lambda v: exact_solver(0.9 * v)), exams)({})
    assert errors[0] < 1e-5 < 1e-3 < errors[1]


def test_learning_follows_a_training_and_tells_who_came_last() -> None:
    setup = runs.set_up(small.UNITARY)
    exams = probes.make_exams(setup.grid, DT, 5, 1, 3, ("free", "scattering"))
    state = setup.trainers[0].init(jax.random.key(0))
    boundaries = small.UNITARY.training.boundaries
    seen: list[int] = []
    learning = probes.measure_learning(
        setup.student,
        setup.trainers,
        boundaries,
        state,
        exams,
        every=3,
        level=10.0,
        progress=lambda log: seen.append(log["step"]),
    )
    assert learning.step.tolist() == [0, 4]
    assert seen == [2, 4]
    assert learning.error.shape == (2, 2)
    start = probes.examine(setup.student, exams)(state.params)
    np.testing.assert_allclose(learning.error[0], start, rtol=1e-5)
    assert learning.reached.tolist() == [0, 0]
    numbers = probes.describe_learning(learning)
    assert set(numbers["steps_until_learned"]) == {"free", "scattering"}
    never = learning._replace(reached=np.array([0, -1]))
    assert probes.describe_learning(never)["steps_until_level"]["scattering"] is None
    assert "free 0, scattering never" in probes.words_of_learning("small", never)


def test_steps_until_an_error_stays_near_its_last_value() -> None:
    step = np.array([0, 10, 20, 30])
    error = np.array([[1.0, 1.0, np.inf], [0.05, 1.0, 1.0], [1.0, 1.0, 1.0], [0.1, 1.0, np.nan]])
    np.testing.assert_array_equal(probes.steps_until(step, error, 5.0), [30, 0, 30])
    np.testing.assert_array_equal(probes.steps_until(step, error, 10.0), [0, 0, 30])


# The whole ----------------------------------------------------------------------------------------


def test_smoke_run_writes_numbers_figures_and_words(tmp_path: pathlib.Path) -> None:
    run = tmp_path / "small-unitary"
    runs.open_folder(run, small.UNITARY, resume=False)
    runs.train(small.UNITARY, run)
    out = tmp_path / "probes"
    options = (str(run), "--smoke", "--out", str(out))
    done = scripts.run("probes", *options)
    assert done.returncode == 0, done.stderr
    metrics = json.loads((out / "metrics.json").read_text())
    control = metrics["probes"]["exact solver"]
    assert control["dispersion"]["mass_au"] == pytest.approx(1, abs=1e-4)
    assert control["dispersion"]["quartic_over_lattice"] == pytest.approx(1, abs=5e-3)
    np.testing.assert_allclose(control["barrier"]["transmitted"], control["barrier"]["expected"],
                               atol=1e-4)  # fmt: skip
    assert metrics["learning"]["run"] == "small-unitary"
    assert set(metrics["learning"]["error"]) == set(probes.PROCESSES)
    assert {path.stem for path in out.glob("*.png")} == {
        "dispersion", "response", "light_cone", "transmission", "phases-small-unitary", "order",
    }  # fmt: skip
    assert "quartic term" in done.stdout
    assert "order of learning of small-unitary" in done.stdout
    again = scripts.run("probes", *options)
    assert again.returncode == 1
    assert "is not an empty folder. Choose another with --out." in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There is no run in `nowhere`"),
        (["a", "b", "c", "d"], "`runs` must be of 1 to 3 folders with different names"),
        (["a/run", "b/run"], "`runs` must be of 1 to 3 folders with different names"),
        (["a", "--probes.k-max", "3"], "`k_max` must be between 8 and inf"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(arguments: list[str], message: str) -> None:
    done = scripts.run("probes", *arguments)
    assert done.returncode != 0
    assert message in done.words


def test_phases_of_a_unitary_student_are_its_potential_and_kinetic_energy() -> None:
    config = students.UnitaryConfig(start="informed", kinetic_cap=25.0)
    student = students.unitary.make(config, GRID, DT)
    params = jax.jit(student.init)(jax.random.key(0))
    v = potentials.barrier(GRID.positions(), 4.0, 10.0, 25.0)
    kicks, drifts = students.unitary.phases(config, GRID, DT, params, v)
    # It starts as the clamped split step.
    np.testing.assert_allclose(kicks.sum(axis=0) / DT, v, atol=1e-5)
    slow = GRID.kinetic_energy() < 15
    np.testing.assert_allclose(
        drifts.sum(axis=0)[slow] / DT, GRID.kinetic_energy()[slow], atol=5e-2
    )
    np.testing.assert_allclose(
        drifts.sum(axis=0) / DT,
        students.unitary.dispersion(config, GRID, DT, params),
        rtol=1e-6,
    )
