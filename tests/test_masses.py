"""Masses by axis and channel, read from frames of the exact solver and by diagonalisation."""

import dataclasses
import pathlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from experiments.discovery import emulator_laws, emulator_masses
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


# Hidden terms of a plane and of two channels, which the given potential does not tell.
HIDDEN = {
    "plane": {"-i": 0.02, "|psi|^2": 0.3, "p^4": 0.01, "x": 0.05, "py": 0.04},
    "channels": {"-i": 0.001, "|psi|^2": 0.1, "x": -0.004, "p": 0.002},
}


def evolved(
    system: System, psi: np.ndarray, v: np.ndarray, hidden: dict[str, float], n_frames: int
) -> np.ndarray:
    """Frames by a split step of second order with 400 steps a frame, in NumPy and double precision.

    Without channels `v` and `psi` have an axis of one channel.
    """
    grid, n = system.grid, 400
    h, space = system.dt / n, tuple(range(-grid.n_dim, 0))
    k = [np.asarray(grid.wavenumbers(axis), float) for axis in range(grid.n_dim)]
    x = [np.asarray(grid.positions(axis), float) - grid.middle[axis] for axis in range(grid.n_dim)]
    names = [("x", "y"), ("p",) if grid.n_dim == 1 else ("px", "py")]
    of_x = sum(hidden.get(name, 0.0) * each for name, each in zip(names[0], x, strict=False))
    energy = sum(each**2 / (2 * m) for each, m in zip(k, grid.mass, strict=True))
    energy = energy + hidden.get("p^4", 0.0) * sum(each**4 for each in k)
    for name, each in zip(names[1], k, strict=True):
        energy = energy + hidden.get(name, 0.0) * each
    levels, states = np.linalg.eigh(np.moveaxis(v, (0, 1), (-2, -1)))

    def kick(psi: np.ndarray) -> np.ndarray:
        density = np.sum(np.abs(psi) ** 2, axis=0)
        turned = np.einsum("...ij,i...->j...", states.conj(), psi)
        turned = turned * np.exp(-0.5j * h * np.moveaxis(levels, -1, 0))
        common = of_x + hidden.get("|psi|^2", 0.0) * density - 1j * hidden.get("-i", 0.0)
        return np.einsum("...ij,j...->i...", states, turned) * np.exp(-0.5j * h * common)

    frames = [psi]
    for _ in range(n_frames):
        for _ in range(n):
            waves = np.fft.fftn(kick(psi), axes=space)
            psi = kick(np.fft.ifftn(np.exp(-1j * h * energy) * waves, axes=space))
        frames.append(psi)
    return np.stack(frames)


@pytest.mark.parametrize("kind", HIDDEN)
@pytest.mark.parametrize("is_hidden", [True, False])
def test_further_terms_of_planes_and_channels_are_found_and_none_besides(
    kind: str, is_hidden: bool
) -> None:
    hidden, rng = HIDDEN[kind] if is_hidden else {}, np.random.default_rng(3)
    in_plane = kind == "plane"
    grid = (
        Grid((24, 24), (14.0, 14.0), "continuum", origin=(-7.0, -7.0), mass=(1.0, 1.5))
        if in_plane
        else Grid(64, 16.0, "continuum", origin=-8.0, mass=20.0)
    )
    system = System(grid, 0.2 if in_plane else 1.0, n_channel=0 if in_plane else 2)
    where = [np.asarray(grid.positions(axis), float) for axis in range(grid.n_dim)]
    v, frames = [], []
    for _ in range(6):
        hills = rng.uniform(-2, 2, (3, 3))
        if in_plane:
            one = sum(
                a * np.exp(-((where[0] - b) ** 2 + (where[1] - c) ** 2) / 4) for a, b, c in hills
            )[None, None]
            places, speeds = rng.uniform(-1.5, 1.5, (2, 2))
            psi = np.asarray(packets.gaussian(grid, tuple(places), (1.2, 1.0), tuple(speeds)))[None]
        else:
            gap, lift = rng.uniform(0.02, 0.1), rng.uniform(0.05, 0.1)
            (x,) = where
            one = np.stack([
                np.stack([lift * np.tanh(x), gap * np.exp(-(x**2) / 4)]),
                np.stack([gap * np.exp(-(x**2) / 4), -lift * np.tanh(x / 2)]),
            ])  # fmt: skip
            each = [
                np.asarray(packets.gaussian(grid, rng.uniform(-2, 2), 1.0, rng.uniform(-3, 3)))
                for _ in range(2)
            ]
            psi = np.stack(each) / np.sqrt(2)
        made = evolved(system, psi.astype(complex), one, hidden, 3)
        noise = rng.normal(size=(2, *made.shape))
        scale = 1e-5 * np.linalg.norm(made[0]) / np.sqrt(2 * made[0].size)
        made = made + scale * (noise[0] + 1j * noise[1])
        v.append(one[0, 0] if in_plane else one)
        frames.append(made[:, 0] if in_plane else made)
    offered = discovery.masses.terms_of(grid.n_dim)
    found = discovery.find_masses(system, np.stack(v), np.stack(frames), offered)
    assert found.form == ("by axis" if in_plane else "one mass")
    np.testing.assert_allclose(found.masses, np.broadcast_to(grid.mass, found.masses.shape), 1e-3)
    assert set(found.terms) == set(hidden)
    for name, (value, low, high) in found.terms.items():
        assert value == pytest.approx(hidden[name], rel=1e-3)
        # Intervals of 95%, of few runs.
        assert abs(value - hidden[name]) < 2 * (high - low)
    assert found.is_explained
    assert found.rivals == dict.fromkeys(hidden, ())
    assert all(f"\n{name}: " in str(found) for name in hidden)
