"""Design by gradients: stationary waves against closed forms, gradients, trials, and the whole."""

import dataclasses
import json
import pathlib
from collections.abc import Iterator

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.design import study
from qdistill import teacher
from qdistill.insight import design
from qdistill.insight.design import ProfileConfig, RolloutConfig, SearchConfig, TaskConfig
from qdistill.insight.probes import scattering
from qdistill.physics import potentials, profiles, stationary
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, Step, System, Wrapped

LINES = {name: Grid(512, 50.0, name) for name in ("lattice", "continuum")}
SYSTEM = System(LINES["lattice"])
DX = 50 / 512
ENERGIES = np.linspace(0.3, 9.0, 60)


def hills(key: int) -> jax.Array:
    """A rough potential between -3 and 6, in the middle fifth."""
    v = jax.random.uniform(jax.random.key(key), (100,), float, -3.0, 6.0)
    return jnp.zeros(512).at[206:306].set(v)


def waves(grid: Grid, v: jax.Array, energies: np.ndarray = ENERGIES) -> design.Scattered:
    at = jnp.asarray(energies, v.dtype)
    return jax.jit(jax.vmap(lambda energy: design.scatter(grid, v, energy)))(at)


@pytest.fixture
def in_double() -> Iterator[None]:
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("height", [4.0, -3.0, 12.0])
@pytest.mark.parametrize("dispersion", LINES)
def test_a_rectangle_transmits_as_in_closed_form(dispersion: str, height: float) -> None:
    grid, n = LINES[dispersion], 20
    v = jnp.zeros(512).at[250 : 250 + n].set(height)
    k = design.wavenumber(grid, ENERGIES)
    if dispersion == "lattice":
        expected = exact.barrier_transmission_on_lattice(k, height, n, DX)
    else:
        expected = exact.barrier_transmission(k, height, n * DX)
    # Rounding of float32 over 512 steps.
    np.testing.assert_allclose(waves(grid, v).transmission, expected, atol=1e-4)


@pytest.mark.parametrize("dispersion", LINES)
def test_two_barriers_are_one_after_the_other(dispersion: str, in_double: None) -> None:
    """t = t1^2 / (1 - r1^2 e^(2 i k d)) for waves that go to and fro, and T = 1 in resonance."""
    grid, n, gap = LINES[dispersion], 10, 14
    energies = np.linspace(3.0, 8.0, 4001)
    one = jnp.zeros(n) + 9.0
    single = waves(grid, one, energies)
    both = waves(grid, jnp.concatenate([one, jnp.zeros(gap), one]), energies)
    phase = design.wavenumber(grid, energies) * DX
    # r refers to the point beside the barrier on the lattice, to its edge on the continuum.
    between = gap - 1 if dispersion == "lattice" else gap
    r = np.asarray(single.back)
    echo = 1 / (1 - r**2 * np.exp(2j * phase * between))
    back_and_forth = np.asarray(single.through) ** 2 * echo
    np.testing.assert_allclose(both.transmission, np.abs(back_and_forth) ** 2, atol=1e-9)
    assert both.transmission.max() > 0.999
    assert single.transmission.max() < 0.7


@pytest.mark.parametrize("dispersion", LINES)
def test_nothing_is_lost(dispersion: str) -> None:
    for key in range(3):
        found = waves(LINES[dispersion], hills(key))
        np.testing.assert_allclose(found.transmission + found.reflection, 1, atol=2e-4)
        # Neither is trivial.
        assert found.transmission.min() < 0.5 < found.transmission.max()


@pytest.mark.parametrize("dispersion", LINES)
def test_from_either_side_the_same_passes(dispersion: str) -> None:
    there, back = (waves(LINES[dispersion], v).through for v in (hills(0), hills(0)[::-1]))
    np.testing.assert_allclose(there, back, atol=1e-4)


@pytest.mark.parametrize("dispersion", LINES)
def test_amplitudes_are_those_of_the_transfer_matrices(dispersion: str) -> None:
    grid, v = LINES[dispersion], hills(3)
    expected = scattering.transmission(grid, v, design.wavenumber(grid, ENERGIES))
    # Beside phases, which differ by the empty points at both ends: they count as empty space.
    np.testing.assert_allclose(waves(grid, v).through, expected, atol=2e-4)


@pytest.mark.parametrize("dispersion", LINES)
def test_wavenumbers_have_their_energies(dispersion: str) -> None:
    k = design.wavenumber(LINES[dispersion], ENERGIES)
    np.testing.assert_allclose(exact.omega(LINES[dispersion], k), ENERGIES, rtol=1e-12)


@pytest.mark.parametrize("dispersion", LINES)
def test_gradients_are_differences(dispersion: str, in_double: None) -> None:
    """Also where the energy is that of a point's height, and in empty space, where R = 0."""
    grid = LINES[dispersion]
    rough = jnp.asarray(hills(5)[206:236], float)

    def both(v: jax.Array) -> jax.Array:
        wave = design.scatter(grid, v, 3.0)
        return jnp.stack([wave.transmission, wave.reflection])

    passes, slopes = jax.jit(lambda v: both(v)[0]), jax.jit(jax.jacrev(both))
    for v in (rough, rough.at[7].set(3.0)):
        analytic = slopes(v)[0]
        h = 1e-5
        steps = h * jnp.eye(len(v))[jnp.array([0, 7, 19])]
        numeric = [(passes(v + step) - passes(v - step)) / (2 * h) for step in steps]
        np.testing.assert_allclose(analytic[jnp.array([0, 7, 19])], jnp.stack(numeric), rtol=1e-5)
    assert jnp.abs(slopes(rough).sum(axis=0)).max() < 1e-11
    assert jnp.abs(slopes(0 * rough)).max() < 1e-12


@pytest.mark.parametrize("dispersion", LINES)
def test_no_barrier_is_too_high_or_too_long(dispersion: str) -> None:
    """Where the wave grows beyond single precision; the decay per step is known for many points."""
    grid, energy = LINES[dispersion], 1.0
    dx, ratio = grid.dx[0], {}
    for height, n in ((5.0, 20), (5.0, 21), (5.0, 200), (1e6, 200)):
        wave = design.scatter(grid, jnp.full(n, height), energy)
        ratio[height, n] = wave.transmission
        assert wave.reflection == pytest.approx(1, abs=1e-3)
    over = np.sqrt(2 * (5.0 - energy))
    decay = over * dx if dispersion == "continuum" else 2 * np.arcsinh(over * dx / 2)
    assert ratio[5.0, 21] / ratio[5.0, 20] == pytest.approx(np.exp(-2 * decay), rel=1e-3)
    assert ratio[1e6, 200] == 0
    slope = jax.grad(lambda v: design.scatter(grid, v, energy).reflection)(jnp.full(200, 5.0))
    assert jnp.all(jnp.isfinite(slope))


PROFILE = ProfileConfig(extent=8.0, low=-1.0, high=5.0)


@pytest.mark.parametrize("size", [0.0, 3.0, 1000.0])
def test_a_profile_never_leaves_its_bounds(size: float) -> None:
    grid = LINES["lattice"]
    u = size * jax.random.normal(jax.random.key(0), (PROFILE.n_knot,))
    v = np.asarray(design.potential(PROFILE, grid, u))
    assert v.min() >= -1
    assert v.max() <= 5
    inside = design.stretch(PROFILE, grid)
    assert not v[: inside.start].any()
    assert not v[inside.stop :].any()
    x = np.asarray(grid.positions())[inside]
    assert np.abs(x - 25).max() < 4 < np.abs(x - 25).max() + DX


def test_a_profile_is_as_smooth_as_it_says() -> None:
    """Between u = 1 on one half and -1 on the other, the step is an error function."""
    wide = ProfileConfig(extent=20.0, low=0.0, high=1.0, smoothing=0.5)
    u = jnp.where(jnp.arange(wide.n_knot) < wide.n_knot // 2, -1.0, 1.0)
    for config in (wide, dataclasses.replace(wide, high=4.0)):
        v = np.asarray(design.potential(config, LINES["lattice"], u))[180:332]
        # The slope of the sum of Gaussians, 2 / (smoothing sqrt(2 pi)), times that of the sigmoid.
        steepest = 2 / (0.5 * np.sqrt(2 * np.pi)) / 4 * config.high
        assert np.abs(np.diff(v)).max() / DX == pytest.approx(steepest, rel=0.1)


def test_packets_pass_as_plane_waves_do() -> None:
    """The exact solver in the time domain, and the average over each packet's spectrum."""
    v = potentials.barrier(LINES["lattice"].positions(), 4.0, 1.0, 25.0)
    verdict = design.verify(SYSTEM, v, [3.0, 5.0], width=2.0, extent=1.5)
    # 6e-5 of a packet may be on the wrong side of either end.
    np.testing.assert_allclose(verdict.transmitted, verdict.expected, atol=5e-4)
    np.testing.assert_allclose(verdict.transmitted + verdict.reflected, 1, atol=1e-3)
    assert verdict.expected[0] < 0.2 < 0.5 < verdict.expected[1]


def test_a_trial_has_room_for_its_packets() -> None:
    trial = design.prepare(SYSTEM, [2.0, 4.0, 6.0], 4.0, 8.0, dwell=10.0)
    grid = trial.system.grid
    assert grid.dx == LINES["lattice"].dx
    x, density = np.asarray(grid.positions()), np.abs(np.asarray(trial.psi)) ** 2
    mean = density @ x / density.sum(axis=1)
    np.testing.assert_array_less(density[:, (x > trial.left)].sum(axis=1) * DX, 1e-4)
    # Faster ones start further away: all reach the middle at one time.
    middle = grid.lengths[0] / 2
    speeds = stationary.group_velocity(grid, design.wavenumber(grid, np.array([2, 4, 6.0])))
    times = (middle - mean) / speeds
    np.testing.assert_allclose(times, times[0], rtol=1e-3)
    end = mean + speeds * trial.duration
    assert end.max() + 4 * 4 < grid.lengths[0]
    assert end.min() - 4 * 4 > trial.right


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Given(Wrapped):
    """A propagator that is given four frames, and uses the last."""

    @property
    def n_history(self) -> int:
        return 4

    def __call__(self, v: jax.Array) -> Step:
        step = self.of(v)
        return step._replace(encode=lambda frames, n: step.encode(frames[-1:], n))


def test_shares_through_forecasts(in_double: None) -> None:
    """Those of the exact evolution, for a student of a history too, with the right gradients."""
    profile = ProfileConfig(extent=4.0, low=0.0, high=6.0, smoothing=0.5)
    trial = design.prepare(System(Grid(256, 25.0), dt=0.1), [5.0], 1.0, 4.0)
    room = trial.system
    one = teacher.split_step(room, 8)
    n_frames = int(trial.duration / 0.1) + 1
    u = jnp.asarray(np.linspace(-1, 2, profile.n_knot))

    def share(propagator: Propagator, n: int, u: jax.Array) -> jax.Array:
        passing = design.passing(propagator, trial, n)
        return passing(design.potential(profile, room.grid, u))[0]

    slope = jax.jit(jax.value_and_grad(lambda u: share(one, n_frames, u)))
    value, gradient = slope(u)
    v = np.asarray(design.potential(profile, room.grid, u))
    last = exact.propagate(room.grid, v, np.asarray(trial.psi[0]), 0.1 * n_frames)
    x = np.asarray(room.grid.positions())
    assert value == pytest.approx((np.abs(last) ** 2)[x > trial.right].sum() * DX, abs=1e-3)
    h = 1e-4 * jnp.eye(len(u))[4]
    numeric = (slope(u + h)[0] - slope(u - h)[0]) / 2e-4
    assert gradient[4] == pytest.approx(float(numeric), rel=1e-4)
    assert abs(gradient[4]) > 1e-3
    # Three frames are given; what is given is solved without the potential, which is far.
    with_history = share(Given(one), n_frames - 3, u)
    assert with_history == pytest.approx(float(value), abs=1e-3)


def test_waves_of_another_mass(in_double: None) -> None:
    """With all energies divided by the mass, the same passes; so it does in the time domain."""
    light, heavy = Grid(512, 50.0), Grid(512, 50.0, mass=2.0)
    v = jnp.asarray(hills(4), float)
    at = jnp.asarray(4.0)
    np.testing.assert_allclose(
        design.scatter(heavy, v / 2, at / 2).through, design.scatter(light, v, at).through
    )
    k = design.wavenumber(heavy, ENERGIES)
    np.testing.assert_allclose(stationary.omega(heavy, k), ENERGIES, rtol=1e-12)
    h = 1e-5
    slope = (stationary.omega(heavy, k + h) - stationary.omega(heavy, k - h)) / (2 * h)
    np.testing.assert_allclose(stationary.group_velocity(heavy, k), slope, rtol=1e-6)
    barrier = potentials.barrier(heavy.positions(), 4.0, 1.0, 25.0)
    verdict = design.verify(System(heavy), barrier, [3.0], width=2.0, extent=1.5)
    np.testing.assert_allclose(verdict.transmitted, verdict.expected, atol=5e-4)


@pytest.fixture(scope="module")
def splitter() -> tuple[TaskConfig, design.Design]:
    task = TaskConfig(ProfileConfig(6.0, 0.0, 6.0), (3.4, 4.6), 9, n_packet=3, packet_width=3.0)
    return task, design.optimise(task, SearchConfig(n_starts=4, n_steps=150), SYSTEM)


def test_a_splitter_is_found_and_splits(splitter: tuple[TaskConfig, design.Design]) -> None:
    task, found = splitter
    np.testing.assert_allclose(found.transmission, 0.5, atol=0.02)
    energies = found.verdict.energy
    assert energies[1] == 4
    assert found.verdict.transmitted[1] == pytest.approx(0.5, abs=0.02)
    report = study.describe(task, found)
    assert report["highest_hartree"] == pytest.approx(found.v.max())
    assert 0 <= report["lowest_hartree"] < report["highest_hartree"] <= 6
    deviation = report["plane_waves"]["worst_deviation"]
    assert deviation == pytest.approx(np.abs(found.transmission - 0.5).max())
    assert report["plane_waves"]["worst_deviation_in_inner_half_of_band"] <= deviation
    assert len(report["losses"]) == 4
    assert report["losses"] == sorted(report["losses"])
    assert "passband" not in report


def test_a_passband_is_measured() -> None:
    energy = np.linspace(2, 6, 81)
    flat = study.measure_passband(energy, np.full(81, 0.3), 1.0)
    assert flat == {"peak": 0.3, "centre_hartree": None, "fwhm_hartree": None, "leak": None}
    # A triangle, whose half maximum lies between points, and a side band.
    triangle = np.maximum(0, 0.8 - np.abs(energy - 4.02))
    band = study.measure_passband(energy, triangle + 0.1 * (energy > 5.5), 1.0)
    assert band["centre_hartree"] == pytest.approx(4.02, abs=0.02)
    assert band["fwhm_hartree"] == pytest.approx(0.8, abs=0.03)
    assert band["leak"] == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: ProfileConfig(extent=0.0), "`extent` must be finite and positive"),
        (lambda: ProfileConfig(low=3.0, high=2.0), "`high - low` must be finite and positive"),
        (lambda: ProfileConfig(low=1.0), "must be between 1 and 12"),
        (lambda: ProfileConfig(extent=2.0), "`extent - 2 flank` must be finite and positive"),
        (lambda: ProfileConfig(smoothing=-1.0), "`smoothing` must be finite and positive"),
        (lambda: TaskConfig(band=(5.0, 3.0)), r"`band` must be \(lowest, highest\)"),
        (lambda: TaskConfig(band=(0.0, 3.0)), "`band` must be finite and positive"),
        (lambda: TaskConfig(share=1.5), "`share` must be between 0 and 1"),
        (lambda: TaskConfig(passband=0.0), "`passband` must be finite and positive"),
        (lambda: TaskConfig(n_energy=1), "`n_energy` must be at least 2"),
        (lambda: RolloutConfig(shares=(0.5,)), "`shares` must be 3 shares, one for each energy"),
        (lambda: RolloutConfig(energies=(1.0, 2.0, -1.0)), "`energies` must be finite and pos"),
        (lambda: SearchConfig(n_starts=0), "`n_starts` must be at least 1"),
        (lambda: SearchConfig(rate=0.0), "`rate` must be finite and positive"),
        (lambda: SearchConfig(roughness=-1.0), "`roughness` must be between 0"),
        (
            lambda: design.stretch(ProfileConfig(extent=40.0), LINES["lattice"]),
            "`extent` must be between 0 and 30, but is 40",
        ),
        (
            lambda: design.stretch(ProfileConfig(smoothing=0.05), LINES["lattice"]),
            "`smoothing` must be at least the spacing 0.09766 bohr, but is 0.05",
        ),
        (
            lambda: design.potential(PROFILE, LINES["lattice"], jnp.zeros(3)),
            r"`u` must be of shape \(27,\), but is of shape \(3,\)",
        ),
        (
            lambda: design.scatter(LINES["lattice"], hills(0), 500.0),
            "`energy` must be between 1e-06 and 209.5",
        ),
        (lambda: design.scatter(LINES["lattice"], hills(0), 0.0), "`energy` must be between"),
        (
            lambda: design.scatter(LINES["lattice"], hills(0) * jnp.nan, 1.0),
            "`v` must be finite",
        ),
        (
            lambda: design.scatter(Grid((8, 8), (1.0, 1.0)), hills(0), 1.0),
            "`grid` must be one-dimensional",
        ),
        (
            lambda: design.wavenumber(LINES["lattice"], np.array([1.0, 300.0])),
            "`energy` must be between 0 and 209.7",
        ),
        (lambda: design.embed(jnp.zeros(8), 6), "`n_x` must be 8, or more by an even number"),
        (
            lambda: design.prepare(SYSTEM, [4.0, -1.0], 3.0, 8.0),
            "`energies` must be finite and positive",
        ),
        (
            lambda: design.passing(
                teacher.split_step(SYSTEM, 10), design.prepare(SYSTEM, [4.0], 3.0, 8.0), 10
            ),
            "`propagator` must be one of Grid",
        ),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("without_checker")
def test_bad_settings_are_refused(make, words: str) -> None:
    with pytest.raises(ValueError, match="Argument .*" + words):
        make()


def test_smoke_run_writes_findings_and_figures(tmp_path: pathlib.Path) -> None:
    done = scripts.run("design", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert list(found["designs"]) == ["splitter", "filter"]
    assert found["designs"]["filter"]["passband"]["peak"] > 0
    packets = found["designs"]["splitter"]["packets"]
    assert len(packets["transmission"]) == 2
    row = found["through"]["splitter"]["designers"]["split step"]
    # Whom it is made through is nearly exact, so what it believes is nearly so.
    assert row["rms_belief_error"] < 2e-3
    assert row["rms_amiss_exact"] == pytest.approx(abs(row["exact"][0] - 0.5), abs=1e-6)
    for name in ("designs.png", "through.png"):
        assert (tmp_path / "out" / name).stat().st_size > 10_000
    assert json.loads((tmp_path / "out" / "config.json").read_text())["smoke"]
    again = scripts.run("design", "--smoke", "--out", str(tmp_path / "out"))
    assert "is not an empty folder" in again.words
    assert again.returncode == 1


def test_a_design_on_an_odd_grid_is_verified() -> None:
    system = System(Grid(513, 50.0))
    v = potentials.barrier(system.grid.positions(), 4.0, 1.0, system.grid.middle[0])
    found = design.verify(system, v, [4.0], 4.0, 2.0)
    assert found.transmitted + found.reflected == pytest.approx(1, abs=1e-3)
    assert found.transmitted == pytest.approx(found.expected, abs=2e-3)


def test_a_profile_of_no_point_and_an_objective_of_no_number_are_refused() -> None:
    narrow = ProfileConfig(extent=0.05, flank=0.01)
    with pytest.raises(ValueError, match="`extent`"):
        profiles.stretch(narrow, Grid(65, 16.0))
    with pytest.raises(ValueError, match="`loss`"):
        design.descend(SearchConfig(n_starts=2, n_steps=2), 3, lambda u: jnp.nan * u.sum())
