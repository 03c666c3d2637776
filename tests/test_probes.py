"""Probes on the exact solver give the known answer, and find what is planted in it."""

import dataclasses
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

from qdistill.forecast import cases
from qdistill.insight import probes
from qdistill.insight.harness import EXACT
from qdistill.insight.probes import response as responses
from qdistill.insight.probes import waves
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid, Scalar
from qdistill.physics.stationary import group_velocity
from qdistill.runs import folder
from qdistill.students import UnitaryConfig
from qdistill.system import Potential, Propagator, Step, System
from qdistill.teacher import Chebyshev, chebyshev, split_step

GRID = Grid(512, 50.0)
CONTINUUM = Grid(512, 50.0, "continuum")
DT = 0.1
# Of a frame in complex64, over dt: what a phase can tell of an energy.
ROUNDING = 1e-5
FEW = probes.ProbeConfig(n_energy=2, bump_momenta=(3.0,), uniform_momenta=(2.0,))


def keep(each: jax.Array) -> jax.Array:
    """Nothing is planted."""
    return each


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Planted:
    """A solver in which something is planted: before it, in the potential, or after each frame.

    `share` is a factor of the potential and `factor` one of each frame: all share one program.

    It gives itself out as a propagator of `system`.
    """

    of: Propagator
    share: float
    factor: complex
    system: System = dataclasses.field(metadata={"static": True})
    before: Callable[[jax.Array], jax.Array] = dataclasses.field(
        default=keep, metadata={"static": True}
    )
    after: Callable[[jax.Array], jax.Array] = dataclasses.field(
        default=keep, metadata={"static": True}
    )
    n_history: int = dataclasses.field(default=1, metadata={"static": True})
    is_linear: bool = dataclasses.field(default=False, metadata={"static": True})
    is_unitary: bool = dataclasses.field(default=False, metadata={"static": True})
    is_differentiable: bool = dataclasses.field(default=True, metadata={"static": True})

    def __call__(self, v: jax.Array) -> Step:
        step = self.of(self.share * self.before(v))
        return step._replace(advance=lambda psi: self.factor * self.after(step.advance(psi)))


# Media are kept, and so is what has been compiled for them.


@functools.cache
def solve(grid: Grid = GRID, dt: float = DT) -> Chebyshev:
    return chebyshev(System(grid, dt, bounds=(-32.0, 32.0)), tolerance=1e-7)


@functools.cache
def plant(
    before: Callable = keep,
    after: Callable = keep,
    grid: Grid = GRID,
    dt: float = DT,
    share: float = 1.0,
    factor: complex = 1.0,
) -> Propagator:
    """Into the exact solver of frames of dt, which then gives itself out as one of DT."""
    return Planted(solve(grid, dt), share, factor, System(grid, DT), before, after)


@functools.cache
def heavy(mass: float) -> Propagator:
    """exp(-i (omega / m + v) dt)."""
    return plant(share=mass, dt=DT / mass)


@functools.cache
def absorbing(rate: float) -> Propagator:
    return plant(factor=float(np.exp(-rate * DT)))


@functools.cache
def deaf(share: float) -> Propagator:
    """Which feels only a share of v."""
    return plant(share=share)


def disperse(propagator: Propagator) -> probes.WaveResponse:
    return probes.measure_dispersion(propagator, 12.8)


def fit(propagator: Propagator) -> probes.SeriesFit:
    response = disperse(propagator)
    return probes.fit_dispersion(response.k, response.omega, 8.0)


def couple(propagator: Propagator) -> probes.UniformResponse:
    return probes.measure_uniform(propagator, (1.0, 5.0), 10.0)


def bump(propagator: Propagator) -> probes.BumpResponse:
    return probes.measure_bump(propagator, (3.0, 4.0, 5.0), 0.05, 0.15, packet_width=2.0)


def spread(propagator: Propagator, k_band: float = 8.0) -> probes.LightCone:
    return probes.measure_light_cone(propagator, k_band)


# Dispersion ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_dispersion_of_the_exact_solver_is_the_grids(grid: Grid) -> None:
    response = disperse(solve(grid))
    # The phase of the fastest wave has wrapped by then.
    assert response.omega[-1] * DT > 2 * np.pi
    np.testing.assert_allclose(response.omega, exact.omega(grid, response.k), atol=2 * ROUNDING)
    for nothing in (response.damping, response.asymmetry):
        np.testing.assert_allclose(nothing, 0, atol=ROUNDING)
    np.testing.assert_allclose(response.leakage, 0, atol=ROUNDING)


def test_dispersion_is_sharp_in_double_precision() -> None:
    with jax.enable_x64(True):
        response = disperse(chebyshev(System(GRID, DT, bounds=(0.0, 0.0)), 1e-12))
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
    found = fit(solve(grid))
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
    response = disperse(plant(after=lambda psi: jnp.roll(psi, 1)))
    # Moved by dx in a frame, which adds k dx to the phase of one direction.
    np.testing.assert_allclose(response.asymmetry, response.k * GRID.dx[0] / DT, atol=ROUNDING)
    np.testing.assert_allclose(response.omega, exact.omega(GRID, response.k), atol=2 * ROUNDING)


def test_scattering_into_other_waves_is_leakage() -> None:
    grating = 1 + 0.1 * np.cos(2 * np.pi * 50 * np.arange(1, 513) / 512).astype(np.float32)
    response = disperse(plant(after=lambda psi: grating * psi))
    expected = np.sqrt(0.1**2 / 2 / (1 + 0.1**2 / 2))
    np.testing.assert_allclose(response.leakage, expected, rtol=1e-2)


def test_beyond_a_lost_branch_there_is_no_omega_and_no_fit() -> None:
    rng = np.random.default_rng(0)
    scramble = np.exp(1j * np.where(np.abs(GRID.wavenumbers()) > 6, rng.uniform(0, 6, 512), 0))

    turn = scramble.astype(np.complex64)
    response = disperse(plant(after=lambda psi: jnp.fft.ifft(turn * jnp.fft.fft(psi))))
    known = response.k < 5.9
    np.testing.assert_allclose(
        response.omega[known], exact.omega(GRID, response.k[known]), atol=2 * ROUNDING
    )
    assert np.isnan(response.omega[response.k > 8]).all()
    probes.fit_dispersion(response.k, response.omega, 5.0)
    with pytest.raises(ValueError, match="`omega` must be finite"):
        probes.fit_dispersion(response.k, response.omega, 8.0)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Extrapolator:
    """A propagator with a history of two frames."""

    system: System = dataclasses.field(metadata={"static": True})
    n_history: int = dataclasses.field(default=2, metadata={"static": True})
    is_linear: bool = dataclasses.field(default=False, metadata={"static": True})
    is_unitary: bool = dataclasses.field(default=False, metadata={"static": True})
    is_differentiable: bool = dataclasses.field(default=True, metadata={"static": True})

    def __call__(self, v: jax.Array) -> Step:
        return Step(
            lambda frames, n: frames,
            lambda frames: jnp.stack([frames[1], frames[1] ** 2 / frames[0]]),
            lambda frames: frames[1],
        )


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
        found = waves.least_squares(terms, terms @ [1.0, -2.0, 3.0] + 0.1 * noise)
        pulls.append((found.value - [1.0, -2.0, 3.0]) / found.error)
    size = np.sqrt(np.mean(np.square(pulls), axis=0))
    # Correlations are measured from the residuals themselves, a little too short.
    assert np.all((size > 0.7) & (size < 1.5))


def test_students_are_given_the_exact_history() -> None:
    """Psi of the next frame is psi^2 / psi of the last: right for a plane wave alone."""

    propagator = Extrapolator(System(GRID, DT))
    response = probes.measure_dispersion(propagator, 8.0)
    np.testing.assert_allclose(response.omega, exact.omega(GRID, response.k), atol=3 * ROUNDING)
    uniform = couple(propagator)
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)


# Response to a potential --------------------------------------------------------------------------


def test_the_exact_solver_feels_a_uniform_potential_once() -> None:
    uniform = couple(solve())
    np.testing.assert_allclose(uniform.shift, np.tile(uniform.v, (2, 1)), atol=2 * ROUNDING)
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)


def test_the_shift_is_followed_through_many_turns() -> None:
    uniform = probes.measure_uniform(split_step(System(GRID, DT), 4), (2.0,), 100.0, n_v=20)
    assert uniform.shift[0, -1] * DT > 3 * np.pi
    np.testing.assert_allclose(uniform.coupling, 1, atol=1e-5)


def test_a_weaker_potential_is_found_by_its_coupling_alone() -> None:
    planted = deaf(0.97)
    np.testing.assert_allclose(couple(planted).coupling, 0.97, atol=1e-5)
    felt, full = bump(planted), bump(solve())
    np.testing.assert_allclose(felt.forward / full.forward, 0.97, atol=1e-3)
    np.testing.assert_allclose(felt.backward / full.backward, 0.97, atol=1e-3)
    assert abs(fit(planted).value.mass - 1) < 1e-4
    assert spread(planted).speed == pytest.approx(spread(solve()).speed, abs=1e-4)


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_the_exact_solver_answers_a_bump_as_perturbation_theory_says(grid: Grid) -> None:
    response = bump(solve(grid))
    speed = group_velocity(grid, response.k)
    third_order = 2 * (0.05 / speed) ** 2
    for gain in (response.forward, response.backward):
        assert np.all(np.abs(gain - 1) < third_order + 2e-4)
    # Born's reflected wave, -i V(2 k) / speed, over the momenta of the packet.
    k = np.linspace(1.0, 8.0, 4001)
    area = 0.05 * np.exp(-((2 * k * 0.15) ** 2) / 2)
    reflection = (area / group_velocity(grid, k)) ** 2
    for k0, reflected in zip(response.k, response.reflected, strict=True):
        spectrum = exact.gaussian_spectrum(k, 2.0, k0)
        assert reflected == pytest.approx(np.trapezoid(spectrum * reflection, k), rel=2e-3)


# Light cone ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_the_front_is_the_closed_form_and_nears_the_fastest_waves(grid: Grid) -> None:
    cone = spread(solve(grid))
    np.testing.assert_allclose(cone.front, cone.expected_front, atol=2e-3)
    assert cone.speed == pytest.approx(cone.expected, abs=1e-3)
    assert cone.limit == pytest.approx(group_velocity(grid, np.array([8.0]))[0], rel=1e-6)
    # After long times the front moves at the speed that a hundredth of the waves exceed.
    k = np.linspace(0, 8, 4001)
    weights = np.cos(np.pi / 2 * np.clip((k / 8 - 0.8) / 0.2, 0, 1)) ** 4
    below = np.cumsum(weights) / weights.sum()
    asymptotic = np.interp(0.99, below, group_velocity(grid, k))
    assert cone.speed == pytest.approx(asymptotic, rel=0.03)
    assert cone.speed < cone.limit


def test_all_waves_of_the_lattice_make_its_own_light_cone() -> None:
    cone = spread(solve(), k_band=np.pi / GRID.dx[0])
    assert cone.limit == pytest.approx(1 / GRID.dx[0], rel=1e-5)
    assert cone.speed == pytest.approx(1 / GRID.dx[0], rel=5e-3)


def test_a_delayed_light_cone_is_found_by_the_front() -> None:
    half = plant(dt=DT / 2)
    late = spread(half)
    assert late.speed / late.expected == pytest.approx(0.5, rel=0.03)
    np.testing.assert_allclose(couple(half).coupling, 0.5, atol=1e-5)
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
    found = probes.measure_scattering(solve(grid), v, momenta, packet_width=2.0)
    np.testing.assert_allclose(found.transmitted, found.expected, atol=tolerance)
    # The tails of the slowest packet, some 4 widths out, are still between the sides.
    np.testing.assert_allclose(found.transmitted + found.reflected, 1, atol=3e-4)
    assert found.expected[0] < 0.2 < 0.6 < found.expected[-1]


def test_lost_probability_shows_in_transmission_and_reflection() -> None:
    v = potentials.barrier(GRID.positions(), 4.0, 1.0, 25.0)
    planted = absorbing(0.02)
    found = probes.measure_scattering(planted, v, [3.0], packet_width=2.0)
    extent = float(jnp.sum(v != 0)) * GRID.dx[0]
    n_frames = responses.crossing_frames(planted.system, [3.0], 2.0, n_given=4, extent=extent)
    kept = found.transmitted[0] + found.reflected[0]
    assert kept == pytest.approx(np.exp(-2 * 0.02 * DT * n_frames), rel=1e-2)


def test_resonances_are_those_of_transfer_matrices_and_of_what_is_planted() -> None:
    grid = Grid()
    x = grid.positions()
    v = potentials.double(x, (5.0, 5.0), 0.5, 4.0, 50.0)
    found = probes.measure_resonances(solve(grid), v, 2.6, 0.8)
    np.testing.assert_allclose(found.transmission, found.expected, atol=5e-3)
    assert len(found.expected_peaks) == 3
    # A fiftieth of their width, since the frames end.
    np.testing.assert_allclose(found.peaks, found.expected_peaks, atol=0.02)
    # A symmetric pair of barriers lets all pass at resonance, if one waits.
    assert found.sharp.max() == pytest.approx(1, abs=1e-3)
    wider = potentials.double(x, (5.0, 5.0), 0.5, 4.6, 50.0)
    other = plant(before=lambda v: jnp.where(jnp.any(v != 0), wider, v), grid=grid)
    planted = probes.measure_resonances(other, v, 2.6, 0.8)
    truth = probes.measure_resonances(solve(grid), wider, 2.6, 0.8)
    np.testing.assert_allclose(planted.peaks, truth.expected_peaks, atol=0.02)
    assert np.min(np.abs(planted.peaks[:, None] - found.peaks[None])) > 0.3


# Refusals and failures ----------------------------------------------------------------------------


@pytest.mark.parametrize("value", [np.nan, 1e30])
def test_a_propagator_that_blows_up_is_reported_not_raised(value: float) -> None:
    broken = plant(factor=value)
    report = probes.evaluate({"broken": broken}, FEW)
    assert list(report.found) == [EXACT, "broken"]
    assert not np.isfinite(report.numbers["broken"]["light_cone"]["front_speed_bohr_per_au"])
    assert '"front_speed_bohr_per_au": null' in report.to_json()
    assert "nan" in str(report)


def test_a_propagator_that_does_nothing_has_no_mass() -> None:
    still = dataclasses.replace(solve(), system=System(GRID, 1e-9, bounds=(-32.0, 32.0)))
    response = disperse(Planted(still, 1.0, 1.0, System(GRID, DT)))
    found = probes.fit_dispersion(response.k, response.omega, 8.0)
    assert not np.isfinite(found.value.mass) or abs(found.value.mass) > 1e4


def test_bad_questions_are_refused() -> None:
    good = solve()
    plane, short = solve(Grid((8, 8), (1.0, 1.0))), solve(Grid(64, 2.0, "continuum"))
    slow = solve(dt=0.5)
    two = dataclasses.replace(good, system=System(GRID, DT, n_channel=2))
    v = potentials.barrier(GRID.positions(), 4.0, 1.0, 25.0)
    for call, message in (
        (lambda: probes.measure_dispersion(plane, 1.0), "`grid` must be one-dim"),
        (lambda: probes.measure_dispersion(two, 1.0), "`system` must be a plain System"),
        (lambda: probes.measure_dispersion(good, 99.0), "`k_max` must be between"),
        (lambda: probes.measure_dispersion(short, 50.0), "`dt` must be below"),
        (lambda: probes.fit_dispersion(np.arange(9.0), np.arange(9.0), 8.0), "at least 10 waves"),
        (lambda: probes.measure_uniform(good, (1.0,), 100.0, n_v=2), "`n_v` must be above"),
        (
            lambda: probes.measure_bump(good, (1.0, 5.0), 0.05, 0.15, 2.0),
            "`momenta` must be positive",
        ),
        (lambda: probes.measure_light_cone(slow, 8.0), "`dt` must be below"),
        (
            lambda: probes.measure_scattering(good, jnp.zeros(512), [3.0], 3.0),
            "`v` must be not zero everywhere",
        ),
        (
            lambda: probes.measure_scattering(good, jnp.roll(v, 200), [3.0], 3.0),
            "`v` must be zero outside the middle",
        ),
        (lambda: probes.transmission(GRID, v, np.array([0.0])), "`k` must be above 0"),
        (lambda: probes.transmission(GRID, v + 1, np.array([1.0])), "`v` must be zero at both"),
        (lambda: probes.ProbeConfig(k_max=3.0), "`k_max` must be between 8 and inf"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


# Any box ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dispersion", ["lattice", "continuum"])
def test_a_box_of_40_bohr_is_probed_as_one_of_100(dispersion: str) -> None:
    grid = Grid(512, 40.0, dispersion)
    solver = split_step(System(grid, DT), n_substeps=40)
    # Slower packets would spread around a box of this length before the fastest ones have crossed.
    report = probes.evaluate({"split step": solver}, probes.ProbeConfig(energies=(3.0, 8.5)))
    assert list(report.found) == [EXACT, "split step"]
    for numbers in report.numbers.values():
        assert numbers["dispersion"]["mass_au"] == pytest.approx(1, abs=1e-4)
        quartic = 1.0 if dispersion == "lattice" else 0.0
        assert numbers["dispersion"]["quartic_over_lattice"] == pytest.approx(quartic, abs=2e-2)
        np.testing.assert_allclose(numbers["uniform"]["coupling"], 1, atol=1e-4)
        # The bump is of third order in its area over the speed, and packets are broad in momentum.
        np.testing.assert_allclose(numbers["bump"]["forward"], 1, atol=5e-3)
        np.testing.assert_allclose(numbers["bump"]["backward"], 1, atol=5e-3)
        cone = numbers["light_cone"]
        assert cone["front_speed_bohr_per_au"] == pytest.approx(
            cone["expected_front_speed_bohr_per_au"], abs=5e-3
        )
        barrier = numbers["barrier"]
        np.testing.assert_allclose(barrier["transmitted"], barrier["expected"], atol=1e-2)
        # The frames end soon after the packet has passed.
        assert numbers["double_barrier"]["rms_error"] < 3e-2
    assert "split step" in str(report)


def test_where_the_box_begins_does_not_matter_and_the_mass_does() -> None:
    here, there = Grid(512, 40.0), Grid(512, 40.0, origin=-20.0)
    found = [
        probes.probe(split_step(System(grid, DT), n_substeps=40), FEW) for grid in (here, there)
    ]
    for one, other in zip(jax.tree.leaves(found[0]), jax.tree.leaves(found[1]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=2e-3)
    grid = Grid(512, 40.0, mass=2.0)
    half = probes.measure_dispersion(split_step(System(grid, DT), n_substeps=40), 12.8)
    np.testing.assert_allclose(2 * half.omega, found[0].dispersion.omega, atol=1e-4)
    assert probes.fit_dispersion(half.k, half.omega, 8.0).value.mass == pytest.approx(2, rel=1e-4)
    v = potentials.barrier(grid.positions(), 4.0, 1.0, 20.0)
    momenta = np.sqrt(2 * 2 * np.array([3.0, 5.0])).tolist()
    scattered = probes.measure_scattering(split_step(System(grid, DT), 80), v, momenta, 1.2)
    np.testing.assert_allclose(scattered.energy, [3.0, 5.0], rtol=2e-2)
    np.testing.assert_allclose(scattered.transmitted, scattered.expected, atol=2e-3)


# Order of learning --------------------------------------------------------------------------------


def test_cases_hold_each_process_and_do_not_change() -> None:
    system = System(Grid(), DT)
    truth = probes.sample_lessons(system, 5, 2, 6, ("free", "trapping"))
    assert truth.frames.shape == (4, 6, 1024)
    assert truth.family == ("free", "free", "trapping", "trapping")
    assert not np.any(truth.v[:2])
    assert np.all(truth.v[2:].min(axis=1) < -1)
    again = probes.sample_lessons(system, 5, 2, 6, ("free", "trapping"))
    np.testing.assert_array_equal(again.given, truth.given)
    errors = probes.forecast_errors(solve(Grid()), truth)
    np.testing.assert_allclose(errors, 0, atol=1e-5)
    # A wrong mass is a mistake in every process; deafness to v only in one.
    errors = probes.forecast_errors(plant(share=0.9, grid=Grid()), truth)
    assert np.all(errors[:2] < 1e-5)
    assert np.all(errors[2:] > 1e-3)


def test_cases_of_lessons_are_those_of_any_box() -> None:
    solver = split_step(System(Grid(512, 40.0), DT), n_substeps=40)
    truth = probes.sample_lessons(solver.system, 5, 1, 4)
    assert truth.family == probes.PROCESSES
    np.testing.assert_allclose(probes.forecast_errors(solver, truth), 0, atol=5e-3)


class Rolled(System):
    """A potential that swings in time."""

    is_autonomous = False

    def local(self, v: Potential, t: Scalar, psi: jax.Array | None) -> jax.Array:
        """V cos(5 t)."""
        return jnp.cos(5 * t) * v


def test_errors_on_a_driven_system_begin_at_the_time_of_the_last_given_frame() -> None:
    solver = split_step(Rolled(Grid(64, 20.0), DT), 10)
    x = solver.system.grid.positions()
    psi = packets.gaussian(solver.system.grid, 9.0, 1.0, 2.0)
    v = 4 * jnp.exp(-((x - 10) ** 2))
    truth = cases.simulate(solver, psi[None], v[None], 4, 5)
    np.testing.assert_allclose(probes.forecast_errors(solver, truth), 0, atol=1e-5)


def test_learning_follows_a_training_and_tells_who_came_last() -> None:
    setup = folder.set_up(small.UNITARY)
    truth = probes.sample_lessons(setup.student.system, 5, 1, 3, ("free", "scattering"))
    state = setup.trainers[0].init(jax.random.key(0))
    boundaries = small.UNITARY.training.boundaries
    seen: list[int] = []
    learning = probes.measure_learning(
        setup.student,
        setup.trainers,
        boundaries,
        state,
        truth,
        every=3,
        level=10.0,
        progress=lambda log: seen.append(log["step"]),
    )
    assert learning.step.tolist() == [0, 4]
    assert seen == [2, 4]
    assert learning.error.shape == (2, 2)
    start = probes.forecast_errors(setup.student.bind(state.params), truth)
    np.testing.assert_allclose(learning.error[0], start, rtol=1e-5)
    assert learning.reached.tolist() == [0, 0]
    assert set(learning.numbers["steps_until_learned"]) == {"free", "scattering"}


def test_a_level_that_is_never_reached_is_null_in_numbers_and_never_in_the_table() -> None:
    error = np.array([[1.0, 1.0], [0.05, 0.2], [0.01, 0.2]])
    learning = probes.describe_learning(np.array([0, 10, 20]), error, ("a", "b"), 10.0, 0.1)
    assert learning.reached.tolist() == [10, -1]
    assert learning.numbers["steps_until_level"] == {"a": 10, "b": None}
    assert "a 10, b never" in str(learning)


def test_steps_until_an_error_stays_near_its_last_value() -> None:
    step = np.array([0, 10, 20, 30])
    error = np.array([[1.0, 1.0, np.inf], [0.05, 1.0, 1.0], [1.0, 1.0, 1.0], [0.1, 1.0, np.nan]])
    np.testing.assert_array_equal(probes.steps_until(step, error, 5.0), [30, 0, 30])
    np.testing.assert_array_equal(probes.steps_until(step, error, 10.0), [0, 0, 30])


# The whole ----------------------------------------------------------------------------------------


def test_double_precision_is_kept_throughout() -> None:
    with jax.enable_x64(True):
        found = probes.probe(chebyshev(System(GRID, DT, bounds=(-10.0, 10.0)), 1e-12), FEW)
    np.testing.assert_allclose(found.uniform.coupling, 1, atol=1e-10)
    np.testing.assert_allclose(found.dispersion.leakage, 0, atol=1e-10)
    np.testing.assert_allclose(found.light_cone.front, found.light_cone.expected_front, atol=1e-5)


def test_seeds_of_a_training_and_null_models_are_told_apart() -> None:
    system = System(GRID, DT)
    fine, coarse = split_step(system, 40), split_step(system, 10)
    report = probes.evaluate({"fine": [fine, fine]}, FEW, nulls={"coarse": coarse})
    assert list(report.found) == [EXACT, "fine, seed 1", "fine, seed 2", "coarse"]
    assert report.numbers["fine, seed 1"] == report.numbers["fine, seed 2"]
    assert "coarse (null model)" in str(report)


def test_smoke_run_writes_numbers_figures_and_words(tmp_path: pathlib.Path) -> None:
    run = tmp_path / "small-unitary"
    folder.open_folder(run, small.UNITARY, resume=False)
    folder.train(small.UNITARY, run)
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
    assert "order of learning" in done.stdout
    again = scripts.run("probes", *options)
    assert again.returncode == 1
    assert "is not an empty folder" in again.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "There is no run in `nowhere`"),
        (["demo", "unitary", "gru"], "`runs` must be 1 to 2 emulators, apart from seeds"),
        (["demo", "demo"], "`runs` must be at least one emulator, each given once"),
        (["a", "--probes.k-max", "3"], "`k_max` must be between 8 and inf"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    arguments: list[str], message: str, tmp_path: pathlib.Path
) -> None:
    done = scripts.run("probes", *arguments, "--out", str(tmp_path / "out"))
    assert done.returncode != 0
    assert message in done.words


# Inside a student ---------------------------------------------------------------------------------


def test_phases_of_a_unitary_student_are_its_potential_and_kinetic_energy() -> None:
    student = UnitaryConfig(start="informed", kinetic_cap=25.0).build(System(GRID, DT))
    params = jax.jit(student.init)(jax.random.key(0))
    v = potentials.barrier(GRID.positions(), 4.0, 10.0, 25.0)
    kicks, drifts = student.phases(params, v)
    # It starts as the clamped split step.
    np.testing.assert_allclose(kicks.sum(axis=0) / DT, v, atol=1e-5)
    slow = GRID.kinetic_energy() < 15
    np.testing.assert_allclose(
        drifts.sum(axis=0)[slow] / DT, GRID.kinetic_energy()[slow], atol=5e-2
    )
    np.testing.assert_allclose(drifts.sum(axis=0) / DT, student.dispersion(params), rtol=1e-6)


def test_packets_cross_forwards_in_time_only() -> None:
    back = chebyshev(System(GRID, -DT))
    v = potentials.barrier(GRID.positions(), 4.0, 1.0, 25.0)
    with pytest.raises(ValueError, match="`dt`"):
        probes.measure_scattering(back, v, [3.0], 2.0)
    with pytest.raises(ValueError, match="`dt`"):
        probes.measure_bump(back, [3.0], 0.1, 0.5, 2.0)


def test_resonances_name_the_settings_that_do_not_fit() -> None:
    v = potentials.barrier(GRID.positions(), 4.0, 1.0, 25.0)
    with pytest.raises(ValueError, match="`packet_width`"):
        probes.measure_resonances(chebyshev(System(GRID, DT)), v, 4.0, 4.0)
    with pytest.raises(ValueError, match="`dt`"):
        probes.measure_resonances(chebyshev(System(GRID, 30.0)), v, 4.0, 1.0)


@pytest.mark.parametrize("grid", [GRID, CONTINUUM], ids=["lattice", "continuum"])
def test_a_wave_behind_a_high_wall_vanishes(grid: Grid) -> None:
    v = potentials.barrier(grid.positions(), 100.0, 40.0, 25.0)
    found = probes.transmission(grid, v, np.array([3.0]))
    assert np.all(np.abs(found) < 1e-200)
