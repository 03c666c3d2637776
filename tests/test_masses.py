"""Masses by axis and channel, read from frames of the exact solver and by diagonalisation."""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.discovery import (
    blind_wide,
    discover,
    emulator_laws,
    emulator_masses,
    hidden_wide,
    recording_files,
    recordings,
)
from qdistill.insight import discovery
from qdistill.physics import packets
from qdistill.physics.grid import Grid
from qdistill.system import System, rollout
from qdistill.teacher import chebyshev

RNG = np.random.default_rng(0)


def test_masses_of_a_plane_are_told_apart_by_axis() -> None:
    grid = Grid((24, 24), (14.0, 14.0), "continuum", origin=(-7.0, -7.0), mass=(3.0, 2.1))
    system = System(grid, 0.3, bounds=(-5.0, 5.0))
    x, y = (np.asarray(grid.positions(axis), float) for axis in (0, 1))
    v, psi = [], []
    for _ in range(4):
        bumps = RNG.uniform(-3, 3, (3, 3))
        v.append(sum(a * np.exp(-((x - b) ** 2 + (y - c) ** 2) / 4) for a, b, c in bumps))
        place, speed = RNG.uniform(-1.5, 1.5, 2), RNG.uniform(-1.5, 1.5, 2)
        psi.append(packets.gaussian(grid, tuple(place), (1.2, 1.0), tuple(speed)))
    given, potentials = jnp.stack(psi), jnp.asarray(np.stack(v), float)
    solver = chebyshev(system, 1e-7)
    follow = jax.jit(jax.vmap(lambda psi, v: rollout(solver, psi[None], v, 3)))
    frames = jnp.concatenate([given[:, None], follow(given, potentials)], axis=1)
    # The masses of the grid are not used.
    blind = System(Grid(grid.shape, grid.lengths, "continuum", origin=grid.origin), 0.3)
    found = discovery.find_masses(blind, potentials, frames)
    assert found.form == "by axis"
    np.testing.assert_allclose(found.masses, [[3.0, 2.1]], rtol=3e-5)
    assert found.errors["one mass"] > 100 * found.errors["by axis"]
    assert found.strengths["V"][0] == pytest.approx(1, abs=3e-5)
    assert str(found).splitlines()[0] == "masses: by axis"
    # With V given half as strong as it is.
    weak = discovery.find_masses(blind, potentials / 2, frames, seed=1)
    assert weak.strengths["V"][0] == pytest.approx(2, abs=1e-4)


@pytest.mark.parametrize("masses", [(30.0, 30.0), (30.0, 45.0)])
def test_masses_and_strengths_of_channels_are_those_of_a_diagonalised_hamiltonian(
    masses: tuple[float, float],
) -> None:
    n, dt = 48, 2.0
    grid = Grid(n, 16.0, "continuum", origin=-8.0)
    system = System(grid, dt, n_channel=2)
    x, k = np.asarray(grid.positions(), float), grid.wavenumbers()
    waves = np.exp(1j * np.outer(x, k)) / np.sqrt(n)
    v, frames = [], []
    for _ in range(5):
        gap, lift, speed = RNG.uniform(0.05, 0.15), RNG.uniform(0.1, 0.3), RNG.uniform(-4, 4)
        one = np.zeros((2, 2, n), complex)
        one[0, 0], one[1, 1] = lift * np.tanh(x / 2), -lift * np.tanh(x / 2)
        one[0, 1] = gap * np.exp(-(x**2) / 4) * np.exp(0.3j * x)
        one[1, 0] = one[0, 1].conj()
        h = np.zeros((2, n, 2, n), complex)
        for i in range(2):
            h[i, :, i] = waves @ np.diag(k**2 / 2 / masses[i]) @ waves.conj().T
            for j in range(2):
                # What moves the frames is coupled 20% more strongly than the V that is given.
                h[i, :, j] += np.diag(one[i, j] * (1.2 if i != j else 1.0))
        energies, states = np.linalg.eigh(h.reshape(2 * n, 2 * n))
        packet = np.asarray(packets.gaussian(grid, RNG.uniform(-2, 2), 1.0, speed))
        psi = np.stack([packet, RNG.uniform(0.5, 1) * packet]).ravel()
        steps = np.exp(-1j * dt * np.outer(np.arange(4), energies)) * (states.conj().T @ psi)
        frames.append((steps @ states.T).reshape(4, 2, n))
        v.append(one)
    found = discovery.find_masses(system, np.stack(v), np.stack(frames).astype(np.complex64))
    assert found.form == ("one mass" if masses[0] == masses[1] else "by channel")
    np.testing.assert_allclose(found.masses[:, 0], masses, rtol=1e-4)
    assert np.all((found.low[:, 0] <= masses) & (masses <= found.high[:, 0]))
    assert found.is_explained
    values = {name: value for name, (value, _, _) in found.strengths.items()}
    assert values == pytest.approx({"V00": 1.0, "V01": 1.2, "V11": 1.0}, abs=2e-4)


def test_what_has_no_masses_is_refused(without_checker: None) -> None:
    system = System(Grid(32, 10.0, "continuum"), 0.1)
    psi = np.asarray(packets.gaussian(system.grid, 5.0, 1.0, 1.0)) * np.ones((4, 3, 1))
    v = np.ones((4, 32))
    for wrong, words in (
        ({"psi": psi.real}, "`psi` must be complex"),
        ({"psi": psi[:3], "v": v[:3]}, "`n_run` must be at least 4"),
        ({"psi": psi[:, :1]}, "`n_t` must be at least 2"),
        ({"v": v[:, :31]}, "`v` must be of shape"),
        ({"v": 0 * v}, "`v` must be different from zero"),
        ({"v": v + 1j}, "`v` must be real"),
        ({"terms": "-i"}, "`terms` must be a list of names"),
        ({"terms": ("-i", "-i")}, "`terms` must be different names"),
        ({"terms": ("y",)}, "`terms` must be one of"),
        ({"seed": -1}, "`seed` must be at least 0"),
        ({"psi": psi[0, 0]}, r"`psi` must be of shape \(n_run, n_t, 32\)"),
        ({"psi": psi * np.array([0, 1, 1, 1])[:, None, None]}, "different from zero in each frame"),
    ):
        given: dict[str, Any] = {"system": system, "v": v, "psi": psi}
        with pytest.raises(ValueError, match=words):
            discovery.find_masses(**(given | wrong))
    two = System(system.grid, 0.1, n_channel=2)
    matrix = np.ones((4, 2, 2, 32)) * np.array([[1.0, 1.0], [2.0, 1.0]])[..., None]
    with pytest.raises(ValueError, match="`v` must be Hermitian"):
        discovery.find_masses(two, matrix, np.stack([psi, psi], axis=2))


def test_masses_of_an_emulator_across_channels_are_read_from_its_forecasts(
    tmp_path: pathlib.Path,
) -> None:
    args = emulator_laws.smoke(emulator_laws.Args(runs=("tully",), out=tmp_path))
    results = emulator_laws.read_laws(args)
    found, (ax,) = results.metrics["summary"], results.figures["masses"].axes
    drawn = [line.get_ydata() for line in ax.lines if line.get_linestyle() == "None"]
    np.testing.assert_allclose(np.concatenate(drawn), 1, atol=2e-2)
    assert list(found) == ["exact solver", "tully", "clamped-2"]
    exact = {name: row["mean"] for name, row in found["exact solver"]["masses"].items()}
    assert exact == pytest.approx({"channel 0": 1.0, "channel 1": 1.0}, abs=1e-4)
    assert found["exact solver"]["strengths"]["V01"]["mean"] == pytest.approx(1, abs=1e-4)
    # Its mass was not given, and is off by less than one of it would be by a frame's error.
    assert found["tully"]["masses"]["channel 0"]["mean"] == pytest.approx(1, abs=1e-3)


def test_an_empty_channel_has_no_mass_and_frames_of_something_else_are_not_explained() -> None:
    system = System(Grid(48, 16.0, "continuum", origin=-8.0, mass=30.0), 2.0, n_channel=2)
    x = np.asarray(system.grid.positions(), float)
    v = np.zeros((4, 2, 2, 48), np.float32)
    v[:, 0, 0] = v[:, 1, 1] = RNG.uniform(-0.3, 0.3, (4, 1)) * np.exp(-(x**2) / 4)
    one = [packets.gaussian(system.grid, c, 1.0, k) for c, k in RNG.uniform(-2, 2, (4, 2))]
    psi = jnp.stack([jnp.stack([each, 0 * each]) for each in one])
    wide = dataclasses.replace(system, bounds=(-1.0, 1.0))
    solver = chebyshev(wide, 1e-7)
    later = jax.vmap(lambda psi, v: rollout(solver, psi[None], v, 2))(psi, jnp.asarray(v))
    frames = np.concatenate([psi[:, None], later], axis=1)
    found = discovery.find_masses(system, v, frames)
    np.testing.assert_allclose(found.masses, [[30.0], [np.nan]], rtol=1e-4)
    assert list(found.strengths) == ["V00"]
    assert found.is_explained
    noise = RNG.normal(size=(2, *frames.shape)) * 1e-4 / np.sqrt(2 * 16.0)
    noisy = discovery.find_masses(system, v, frames + noise[0] + 1j * noise[1])
    assert np.isnan(noisy.masses[1, 0])
    assert noisy.is_explained
    wrong = discovery.find_masses(system, v, frames[:, ::-1] * np.exp(1j * x**2))
    assert not wrong.is_explained
    assert "NOT EXPLAINED" in str(wrong)


def test_a_forecast_that_diverges_has_no_masses() -> None:
    system = System(Grid(32, 10.0, "continuum"), 0.1, n_channel=2)
    frames, v = np.full((4, 3, 2, 32), np.inf + 0j), np.ones((4, 2, 2, 32))
    row = emulator_masses.row(system, jnp.asarray(frames), jnp.asarray(v), jnp.ones((4, 3, 2, 32)))
    assert row["form"] == "diverges"
    found = emulator_masses.summarise([row])
    assert found["forms"] == {"diverges": 1}
    assert "masses" not in found


# Terms that the given potential does not tell, in a plane and across two channels.
HIDDEN = {
    "plane": {"-i": 0.02, "|psi|^2": 0.3, "p^4": 0.01, "x": 0.05, "py": 0.04},
    "channels": {"-i": 0.001, "|psi|^2": 0.1, "x": -0.004, "p": 0.002, "1": 0.03},
}


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("is_hidden", [True, False])
def test_further_terms_of_planes_and_channels_are_found_and_none_besides(
    kind: str, is_hidden: bool, tmp_path: pathlib.Path
) -> None:
    hidden = HIDDEN[kind] if is_hidden else {}
    masses = {"plane": ((1.0, 1.5),), "channels": ((20.0,), (20.0,))}[kind]
    runs = hidden_wide.make(hidden_wide.Hidden(kind, masses, hidden, 1e-5), 4000, 5, 4)
    path = tmp_path / "a.npz"
    axes: dict[str, Any] = dict(zip("xy", runs.axes, strict=False))
    np.savez(path, psi=runs.psi, v=runs.v, t=runs.t, **axes)
    report = discover.discover(discover.Args(frames=path))
    found = report.metrics["law"]
    assert found["dispersion"] == "continuum"
    assert found["by dispersion"]["continuum"] < found["by dispersion"]["lattice"]
    assert found["form"] == ("by axis" if kind == "plane" else "one mass")
    np.testing.assert_allclose(found["masses"], masses, 1e-3)
    assert set(found["terms"]) == set(hidden)
    for name, (value, low, high) in found["terms"].items():
        assert value == pytest.approx(hidden[name], rel=1e-3)
        # Intervals of 95%, of few runs.
        assert abs(value - hidden[name]) < high - low
    assert found["explained"]
    axes_of = ("x", "p") if kind == "channels" else ("x", "y", "px", "py")
    means = {name for name in report.metrics["moves"] if name.startswith("mean")}
    assert means == {f"mean {name}" for name in axes_of}
    assert found["rivals"] == {name: [] for name in hidden}
    assert all(f"\n  {name}: " in report.report for name in hidden)


@pytest.mark.parametrize("kind", ["plane", "channels"])
def test_what_recorded_runs_visit_is_that_of_gaussians(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packets at rest, of other places, widths and momenta along each axis or in each channel."""
    axes = (np.linspace(-8.0, 7.5, 32), np.linspace(-6.0, 5.75, 48))[: 1 + (kind == "plane")]
    places = [(2.0, 0.7, 1.0), (-1.0, 0.9, -0.5)]

    def packet(x: np.ndarray, middle: float, width: float, k: float) -> np.ndarray:
        density = np.exp(-0.5 * ((x - middle) / width) ** 2) / (width * np.sqrt(2 * np.pi))
        return np.sqrt(density) * np.exp(1j * k * x)

    v_shape: tuple[int, ...]
    if kind == "plane":
        one, other = (packet(x, *place) for x, place in zip(axes, places, strict=True))
        psi, v_shape = one[:, None] * other, (32, 48)
    else:
        one, other = (packet(axes[0], *place) for place in places)
        psi, v_shape = np.stack([np.sqrt(0.6) * one, np.sqrt(0.4) * other]), (2, 2, 32)
    psi = np.broadcast_to(psi, (4, 8, *psi.shape)).astype(np.complex64)
    runs = recording_files.Runs(axes, 0.1 * np.arange(8), np.ones((4, *v_shape), np.float32), psi)
    asked: dict[str, np.ndarray] = {}

    def find(names: list[str], numbers: np.ndarray) -> discovery.Charges:
        asked.update(zip(names, numbers, strict=True))
        return found_before

    found_before = discovery.find_charges(["1", "x"], RNG.normal(size=(2, 5, 9)) + 0j)
    monkeypatch.setattr(recordings, "ENOUGH", 1)
    monkeypatch.setattr(discovery, "find_charges", find)
    found = recordings.look(runs)
    seen = found["seen"]
    # 99.9% of a normal distribution, to the spacing of the points.
    for axis, ends in enumerate(seen["x"]):
        own = [places[axis]] if kind == "plane" else places
        low = min(middle - 3.3 * width for middle, width, _ in own)
        high = max(middle + 3.3 * width for middle, width, _ in own)
        assert ends == pytest.approx([low, high], abs=0.6)
    for axis, ends in enumerate(seen["k"]):
        own = [places[axis]] if kind == "plane" else places
        low = min(k - 3.3 / (2 * width) for _, width, k in own)
        high = max(k + 3.3 / (2 * width) for _, width, k in own)
        assert ends == pytest.approx([low, high], abs=0.5)
    cell = np.prod([axis[1] - axis[0] for axis in axes])
    density = np.abs(psi[0, 0]) ** 2
    density = density.sum(axis=0) if kind == "channels" else density
    assert seen["largest |psi|^2"] == pytest.approx(density.max(), rel=1e-5)
    # The total density acts on each channel.
    np.testing.assert_allclose(asked["|psi|^2"].real, np.sum(density**2) * cell, rtol=1e-5)
    mean = {"plane": 2.0, "channels": 0.6 * 2.0 - 0.4 * 1.0}[kind]
    assert found["moves"]["mean x"] == pytest.approx([mean] * 2, abs=1e-4)


def test_a_part_of_the_potential_that_is_not_given_is_not_explained() -> None:
    runs = hidden_wide.make(hidden_wide.Hidden("plane", ((1.0, 1.0),), {}, 1e-5), 4001, 4, 3)
    x, y = np.meshgrid(*runs.axes, indexing="ij")
    hill = 0.15 * np.exp(-((x - 1) ** 2 + y**2) / 2)
    for v, is_explained in ((runs.v, True), (runs.v - hill, False)):
        system = recordings.system_of(runs, "continuum")
        found = discovery.find_masses(system, v, runs.psi, recordings.terms_of(2))
        assert found.is_explained == is_explained
        assert ("NOT EXPLAINED" in str(found)) != is_explained


def test_a_blind_file_is_scored_against_what_is_hidden_in_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make = hidden_wide.make
    monkeypatch.setattr(hidden_wide, "make", lambda truth, seed: make(truth, seed, 4, 3))
    truth = hidden_wide.Hidden("plane", ((1.2, 1.2),), {"y": 0.01}, 2e-5)
    monkeypatch.setattr(hidden_wide, "draw", lambda seed: truth)
    row = blind_wide.read_one(4002)
    assert (row["found"], row["missed"], row["false"]) == (["y"], [], [])
    assert row["has one mass"]
    assert row["claims one mass"]
    assert "claims y" in blind_wide.line(row)
    monkeypatch.undo()
    wrong = row | {"false": ["p^4"], "claims one mass": False, "kind": "channels"}
    assert blind_wide.line(wrong).endswith("WRONG FALSE p^4")
    summary = blind_wide.summarise([row, wrong])
    assert summary["all"]["files"] == 2
    assert summary["plane"]["files with a false claim"] == 0
    assert summary["channels"]["one mass"] == [0, 1]
    assert summary["channels"]["bound"] == 1
    nothing = [hidden_wide.draw(seed).strengths for seed in range(2000, 2200)]
    assert sum(not each for each in nothing) == pytest.approx(60, abs=20)
