"""The double slit: fringes of theory, arrivals, the held-out test, its figure and its script."""

import dataclasses
import itertools
import json
import pathlib

import exact
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.diffraction import fringes, held_out, scenes
from experiments.diffraction.figure import plot_diffraction
from experiments.diffraction.fringes import FringesConfig
from experiments.diffraction.held_out import DiffractionConfig, Strided
from qdistill import teacher
from qdistill.forecast.cases import Cases, simulate
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout


def test_orders_are_where_the_paths_differ_by_whole_wavelengths() -> None:
    """On a far screen, from the two slits themselves."""
    config = FringesConfig(screen=28.0 + 1e4)
    places, distance = fringes.orders(config), 1e4
    paths = [np.hypot(distance, places + side * config.separation / 2) for side in (1, -1)]
    n = np.arange(len(places)) - len(places) // 2
    np.testing.assert_allclose((paths[0] - paths[1]) / config.wavelength, n, atol=1e-3)


def test_neighbours_near_the_middle_are_a_wavelength_l_over_d_apart() -> None:
    config = FringesConfig(momentum=100.0)
    places = fringes.orders(config)
    middle = len(places) // 2
    expected = config.wavelength * (config.screen - config.wall) / config.separation
    np.testing.assert_allclose(places[middle + 1], expected, rtol=1e-3)
    np.testing.assert_allclose(places[middle], 0, atol=1e-12)


def test_what_arrives_is_the_probability_that_has_passed() -> None:
    """A free packet of the closed form, whose part beyond the screen is a Gaussian's tail."""
    grid, dt, screen = Grid((64, 32), (32.0, 16.0), "continuum"), 0.05, 16.0
    x, y = (np.asarray(grid.positions(a)).ravel() for a in (0, 1))
    frames = [
        np.multiply.outer(exact.gaussian(x, 12.0, 1.5, 2.0, t), exact.gaussian(y, 8.0, 1.5, 0.0, t))
        for t in dt * (np.arange(40) + 0.5)
    ]
    seen = fringes.arrivals(grid, dt, jnp.asarray(np.stack(frames), jnp.complex64), screen)
    beyond = [
        np.sum(np.abs(exact.gaussian(np.linspace(16, 40, 2401), 12.0, 1.5, 2.0, t)) ** 2) * 0.01
        for t in (0.0, 2.0)
    ]
    # The midpoint rule over frames of 0.05.
    np.testing.assert_allclose(jnp.sum(seen) * grid.dx[1], beyond[1] - beyond[0], atol=3e-3)
    np.testing.assert_allclose(seen[:-1], seen[:-1][::-1], atol=1e-5)


CONFIG = DiffractionConfig(2, n_x=16, n_frames=4, every=2, n_repeats=1)
SMALL = System(Grid((16, 16), (4.0, 4.0), "continuum"), dt=0.1, bounds=(-16.0, 16.0))


@pytest.fixture(scope="module")
def cases() -> Cases:
    """Four packets in random potentials of a small box, by the truth."""
    keys = jax.random.split(jax.random.key(0), 2)
    v = 6 * jax.random.normal(keys[0], (4, 16, 16)).clip(-2, 2)
    k = jnp.arange(1.0, 5.0)[:, None, None]
    psi = jnp.exp(1j * 2 * jnp.pi * k / 4 * SMALL.grid.positions()[None])
    psi = jnp.broadcast_to(psi, v.shape) / 4 + 0j
    truth = Strided(teacher.chebyshev(SMALL, 1e-6), 2)
    return simulate(truth, psi, v, 1, 2, ("double slits",) * 2 + ("forests",) * 2)


def test_long_frames_are_those_of_every_look(cases) -> None:
    one = teacher.split_step(SMALL, 4)
    strided = Strided(one, 2)
    assert strided.system.dt == pytest.approx(0.2)
    frames = rollout(one, cases.given[0], cases.v[0], 4)
    looks = rollout(strided, cases.given[0], cases.v[0], 2)
    np.testing.assert_allclose(looks, frames[1::2], atol=1e-6)


def test_the_truth_has_no_error_and_a_loose_solver_has(cases) -> None:
    none, some = (
        held_out.measure(CONFIG, teacher.chebyshev(SMALL, tolerance), cases)
        for tolerance in (1e-6, 1e-1)
    )
    assert none["nrmse"].shape == (4, 2)
    assert none["nrmse"].max() < 1e-6
    assert some["nrmse"].min() > 1e-3
    rows = held_out.summarise(cases.family, some)
    error = np.asarray(some["nrmse"])
    assert list(rows) == ["double slits", "forests"]
    np.testing.assert_allclose(rows["forests"]["nrmse"], error[2:].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(rows["forests"]["nrmse_spread"], error[2:].std(axis=0), rtol=1e-6)
    assert rows["double slits"]["cases_final_nrmse"] == pytest.approx(error[:2, -1].tolist())


@pytest.mark.parametrize("name", ["clamped-2", "takahashi-imada-2"])
def test_a_split_step_has_the_best_cap_and_smoothing_of_each_family(cases, name) -> None:
    scheme, n_substeps = held_out.splittings((2,))[name]
    chosen, found = held_out.best_clamped(SMALL, n_substeps, scheme, cases, CONFIG)
    widths = held_out.SMOOTHINGS if name == "takahashi-imada-2" else (0.0,)
    for cap, width in itertools.product((24.0, 36.0, 48.0, 60.0), widths):
        smoothed = dataclasses.replace(scheme, smoothing=width)
        other = held_out.measure(CONFIG, teacher.split_step(SMALL, 2, cap, smoothed), cases)
        for i, family in enumerate(scenes.FAMILIES):
            mine = slice(2 * i, 2 * i + 2)
            own = found["nrmse"][mine].mean()
            assert own <= other["nrmse"][mine].mean() * (1 + 1e-5), (family, cap, width)
    assert found["norm_drift"].max() < 1e-5
    assert list(chosen) == list(scenes.FAMILIES)


def test_the_baselines_have_as_many_pairs_as_the_students() -> None:
    found = held_out.splittings((2, 3))
    assert list(found) == [
        "clamped-2",
        "takahashi-imada-2",
        "chin-2",
        "clamped-3",
        "takahashi-imada-3",
    ]
    for name, (scheme, n_substeps) in found.items():
        assert scheme.n_pairs * n_substeps == int(name[-1])


def test_held_out_cases_are_packets_before_their_obstacles() -> None:
    grid = Grid((160, 160), (40.0, 40.0), "continuum")
    for name, sample in scenes.FAMILIES.items():
        psi, v = jax.jit(lambda key, sample=sample: sample(key, grid))(jax.random.key(3))
        density = jnp.abs(psi) ** 2 * grid.cell
        np.testing.assert_allclose(density.sum(), 1, rtol=1e-5)
        assert (density * (v != 0)).sum() < 0.1, name
        assert len(np.unique(v)) >= (2 if name == "double slits" else 8)


def test_a_mirrored_scene_has_mirrored_arrivals() -> None:
    config = FringesConfig(
        (64, 32), start=4.0, width=(1.0, 1.5), wall=8.0, screen=12.0, separation=3.0,
        n_frames=20, look=10,
    )  # fmt: skip
    grid = Grid((64, 32), (16.0, 8.0), "continuum")
    psi, v = fringes.make(config, grid)
    exact_one = teacher.chebyshev(System(grid, dt=0.1))
    frames = jax.jit(lambda psi: rollout(exact_one, psi[None], v, config.n_frames))(psi)
    seen = np.asarray(fringes.arrivals(grid, 0.1, frames, config.screen))
    assert seen.sum() * grid.dx[1] > 0.01
    # The middle of 32 points at dx, 2 dx, ... 32 dx lies on the 16th.
    np.testing.assert_allclose(seen[:-1], seen[:-1][::-1], atol=1e-5)


def test_the_figure_draws_both_with_one_scale() -> None:
    grid = Grid((40, 30), (10.0, 7.5), "continuum")
    psi = packets.gaussian(grid, (5.0, 3.5), (1.0, 1.0), (2.0, 0.0))
    x, y = (np.asarray(grid.positions(axis)).ravel() for axis in (0, 1))
    v = np.where(np.abs(np.asarray(grid.positions(0)) - 3) < 0.5, 4.0, 0.0) + 0 * y
    profile = np.exp(-((y - 3.5) ** 2))
    figure = plot_diffraction(
        x, y, v, psi, 0.5 * psi, 7.0, (profile, 0.9 * profile), [3.5, 99.0], "t = 1 a.u."
    )
    upper = figure.subfigs[0].axes
    truth, forecast, error = (np.asarray(ax.images[0].get_array()) for ax in upper[:3])
    assert truth.shape == (30, 40, 3)
    # Half the modulus is darker on one scale.
    assert forecast.sum() < truth.sum()
    np.testing.assert_allclose(error, 0.5 * np.abs(psi).T, rtol=1e-5)
    lines = figure.subfigs[1].axes[0].lines
    np.testing.assert_allclose(np.asarray(lines[-1].get_ydata(), float), 90 * profile)
    assert len(lines) == 3


def test_the_figure_refuses_what_does_not_fit(without_checker: None) -> None:
    x, psi = np.arange(4.0), np.zeros((4, 4), complex)
    with pytest.raises(ValueError, match="`arrivals` must be of shape"):
        plot_diffraction(x, x, psi.real, psi, psi, 2.0, (x, x[:3]), [0.0])
    with pytest.raises(ValueError, match="`screen` must be between 0 and 3"):
        plot_diffraction(x, x, psi.real, psi, psi, 9.0, (x, x), [0.0])


def test_the_script_writes_all_in_small(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "double_slit"
    done = scripts.run("double_slit", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    found = json.loads((out / "metrics.json").read_text())
    assert set(found["scores"]) == {"plane-informed", *held_out.splittings((2, 3))}
    assert found["scores"]["plane-informed"]["forests"]["max_norm_drift"] < 1e-5
    assert found["training"]["plane-informed"]["steps"] == 8
    assert set(found["costs"]) == {*found["scores"], "chebyshev"}
    assert (out / "double_slit.png").stat().st_size > 10_000
    assert (out / "double_slit.gif").read_bytes()[:3] == b"GIF"
    assert json.loads((out / "config.json").read_text())["seed"] == 1
    again = scripts.run("double_slit", "--smoke", "--out", str(out))
    assert again.returncode == 1
    assert "is not an empty folder" in again.words
