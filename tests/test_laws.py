"""Discovery: the law of recorded frames, against frames of exact diagonalisation."""

import functools
import json
import pathlib
from typing import Any, TypeAlias

import jax.numpy as jnp
import numpy as np
import pytest
import scripts

from experiments.discovery import blind, discover, hidden, recording_files, recordings
from experiments.discovery.hidden import NOTHING, Hidden
from qdistill.insight import discovery
from qdistill.insight.discovery import Law, laws
from qdistill.insight.discovery import _generators as generators
from qdistill.insight.discovery import _recordings as recordings_of
from qdistill.insight.discovery import _terms as terms
from qdistill.physics.grid import Grid
from qdistill.runs import export

# Fewer points, runs and frames than the study.
GRID = Grid(128, 40.0, "continuum", origin=-20.0)
X = np.asarray(GRID.positions(), float)
T = hidden.DT * np.arange(hidden.N_FRAME)
N_RUN, N_T = 5, 5


Recorded: TypeAlias = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]


def recorded(strengths: dict[str, float], noise: float = 1e-5) -> Recorded:
    v, psi = made(tuple(strengths.items()), noise)
    return X, T[:N_T], v.astype(np.float32), psi.astype(np.complex64)


@functools.cache
def made(strengths: tuple[tuple[str, float], ...], noise: float) -> tuple[np.ndarray, np.ndarray]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hidden, "GRID", GRID)
        patch.setattr(hidden, "N_FRAME", N_T)
        patch.setattr(hidden, "N_RUN", N_RUN)
        return hidden.make(7, Hidden(dict(strengths), noise))


@functools.cache
def law_of(*strengths: tuple[str, float]) -> Law:
    return discovery.find_law(*recorded(dict(strengths)))


# Hidden physics, what is claimed, and the coefficient that is found with its tolerance.
CASES: dict[str, tuple[dict[str, float], list[tuple[str, ...]], float]] = {
    NOTHING: ({}, [], 0.0),
    "mass": ({"mass": 0.05}, [("mass",)], 1e-4),
    "lattice": ({"lattice": 1.0}, [("lattice",)], 0.0),
    "quartic": ({"quartic": 2e-3}, [("quartic",)], 1e-5),
    "relativistic": ({"relativistic": 1e-2}, [("relativistic",)], 1e-5),
    # Of the kernel the leading order is found, and the next one is (k width)^2 / 8 as large.
    "nonlocal": ({"nonlocal": 0.06}, [("nonlocal",)], 3e-5),
    "nonlinear and drift": (
        {"nonlinear": 0.5, "drift": 0.05},
        [("nonlinear",), ("drift",)],
        1e-3,
    ),
    "absorber and coupling": (
        {"absorber": 0.01, "coupling": -0.1},
        [("coupling",), ("absorber",)],
        1e-4,
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_hidden_physics_is_found_and_nothing_else(name: str) -> None:
    strengths, claims, tolerance = CASES[name]
    law = law_of(*strengths.items())
    assert sorted(blind.claims_of(law)) == sorted(claims)
    for kind, strength in strengths.items():
        if kind == "lattice":
            continue
        coefficient, value = blind.COEFFICIENTS[kind]
        found = law.values[law.names.index(coefficient)]
        assert found == pytest.approx(value(strength), abs=tolerance)
    assert np.all((law.low <= law.values) & (law.values <= law.high))


def test_the_kinetic_energy_is_found_without_a_form() -> None:
    # A linear dispersion at large k, of no named form, in units of the mass.
    law = discovery.find_law(*recorded({"relativistic": 0.08}, 0.0))
    seen = law.k < 4
    c = 1 / np.sqrt(0.08)
    expected = np.sqrt(c**2 * law.k**2 + c**4) - c**2
    found = law.energies - law.energies[0]
    np.testing.assert_allclose(found[seen], expected[seen], atol=2e-3)


def test_frames_far_apart_are_no_obstacle() -> None:
    # Three frames of 0.2 a.u. are one: kinetic phases of 15 radians.
    x, t, v, psi = recorded({"mass": 0.02})
    longer = discovery.find_law(x, t[::3], v, psi[:, ::3])
    assert blind.claims_of(longer) == [("mass",)]
    assert longer.values[0] == pytest.approx(1.02, abs=1e-4)


def test_nothing_is_claimed_below_the_noise() -> None:
    law = discovery.find_law(*recorded({"mass": 1e-5, "drift": 1e-5}, 1e-3))
    assert blind.claims_of(law) == []
    assert law.is_explained


@pytest.mark.parametrize(
    "kind",
    [
        *terms.LOCAL,
        "p",
        terms.DENSITY,
        terms.NONLOCAL,
        *(columns[len(columns) // 2] for columns in terms.COLUMNS.values()),
    ],
)
def test_derivatives_are_those_of_the_propagator(kind: str) -> None:
    _, _, v, psi = recorded({})
    recording = recordings_of.record(GRID, 0.2, v[:1], psi[:1, :2], 8.0)
    step = 1e-2
    # To second order, between two models on both sides.
    model = generators.begin(terms.USUAL, (kind,))
    up, down = (
        generators.linearise(recording, model._replace(values=model.values + side * step))
        for side in (1, -1)
    )
    middle = generators.linearise(recording, model)
    slope = (up.rest - down.rest) / (2 * step)
    assert -2 * middle.image[0, 0] == pytest.approx(slope[0], rel=0.02, abs=1e-5)


def test_a_density_that_losses_thin_out_acts_with_its_mean() -> None:
    # The same everywhere, so nothing moves.
    strength, loss, amplitude, dt = 2.0, 0.3, 0.8, 0.5
    psi = np.full((1, 2, *GRID.shape), amplitude, np.complex64)
    recording = recordings_of.record(GRID, dt, np.zeros((1, *GRID.shape), np.float32), psi, 8.0)
    model = generators.begin(terms.USUAL, (terms.LOSS, terms.DENSITY))
    model = model._replace(values=np.array([*model.values[:-2], loss, strength]))
    passed = -np.expm1(-2 * loss * dt) / (2 * loss)
    expected = amplitude * np.exp(-loss * dt - 1j * strength * amplitude**2 * passed)
    errors = []
    for n_substep in (1, 2, 4):
        found = generators._one(
            generators.parameters_of(recording, model),
            psi[0, 0],
            np.zeros((2, terms.UNKNOWN[terms.DRIVE].n), np.float32),
            recording.fields[0],
            recording.v[0],
            generators._settings(recording),
            n_substep,
        )
        errors.append(np.abs(np.asarray(found) - expected).max())
    # Of second order in the losses of a kick.
    assert errors[0] < (loss * dt) ** 2 / 100
    assert errors[1] < errors[0] / 3
    assert errors[2] < 1.5e-5


def test_files_are_read_as_they_were_written(tmp_path: pathlib.Path) -> None:
    x, t, v, psi = recorded({})
    for name in ("a.npz", "a.nc"):
        path = tmp_path / name
        runs = [str(i) for i in range(len(psi))]
        export.write(path, GRID, t, v, {"forecast": psi}, runs)
        found = recording_files.read(path, "forecast")
        np.testing.assert_array_equal(found.psi, psi)
        np.testing.assert_array_equal(found.v, v)
        np.testing.assert_allclose(found.t, t)
        np.testing.assert_allclose(found.axes[0], x, atol=1e-6)
    words = r"Argument `frames` must be a file with `psi`, or with `psi_real` and `psi_imag`"
    with pytest.raises(ValueError, match=words):
        recording_files.read(tmp_path / "a.npz")
    with pytest.raises(ValueError, match="Argument `frames` must be a file that ends in"):
        recording_files.read(tmp_path / "a.csv")


def test_files_of_ones_own_have_plain_names(tmp_path: pathlib.Path) -> None:
    xarray = pytest.importorskip("xarray")
    x, t, v, psi = recorded({})
    axes = ("run", "time", "position")
    own: dict[str, Any] = {
        "psi": (axes, psi, {}),
        "potential": (("position",), v[0], {"units": "hartree"}),
        "times": (("time",), t, {"units": "a.u."}),
        "positions": (("position",), x, {"units": "bohr"}),
    }
    parts: dict[str, Any] = {"psi_real": (axes, psi.real, {}), "psi_imag": (axes, psi.imag, {})}
    split = parts | {name: each for name, each in own.items() if name != "psi"}
    np.savez(tmp_path / "a.npz", **{name: values for name, (_, values, _) in own.items()})
    np.savez(tmp_path / "b.npz", **{name: values for name, (_, values, _) in split.items()})
    xarray.Dataset(split).to_netcdf(tmp_path / "c.nc", engine="h5netcdf")
    for name in ("a.npz", "b.npz", "c.nc"):
        found = recording_files.read(tmp_path / name)
        np.testing.assert_array_equal(found.psi, psi)
        np.testing.assert_array_equal(found.v, np.stack([v[0]] * len(psi)))
        np.testing.assert_array_equal(found.t, t)
        np.testing.assert_array_equal(found.axes[0], x)

    def written(changed: dict[str, Any], name: str = "bad.npz") -> pathlib.Path:
        path, content = tmp_path / name, split | changed
        if name.endswith(".nc"):
            path.unlink(missing_ok=True)
            xarray.Dataset(content).to_netcdf(path, engine="h5netcdf")
        else:
            np.savez(path, **{key: each[1] for key, each in content.items() if each})
        return path

    in_time = ("time",)
    cases: list[tuple[dict[str, Any], str]] = [
        ({"times": None}, "`frames` must be a file with `t` or `time` or `times`, but is one with"),
        ({"positions": None}, "`frames` must be a file with `x` or `position` or `positions`"),
        ({"potential": None}, "`frames` must be a file with `v` or `potential`, but is one with"),
        ({"psi_imag": None}, "`frames` must be a file with `psi`, or with `psi_real` and"),
        ({"psi": (axes, psi.real)}, r"`frames\['psi'\]` must be an array of complex numbers, but"),
        ({"potential": (axes, v + 1j)}, r"`frames\['potential'\]` must be an array of real numb"),
        ({"psi": (axes, psi[0])}, rf"`frames\['psi'\]` must be of shape \(n_run, {N_T}, 128\), by"),
        ({"psi": (axes, psi.swapaxes(0, 2))}, r"`frames\['psi'\]` must be of shape \(n_run, "),
        ({"times": (axes, psi.real)}, r"`frames\['t'\]` must be of one axis"),
        (
            {"potential": (axes, v[:2])},
            r"`frames\['v'\]` must be of shape \(5, 128\), one for each",
        ),
    ]
    for changed, words in cases:
        with pytest.raises(ValueError, match=f"Argument {words}"):
            recording_files.read(written(changed))
    for units, words in (({}, "none"), ({"units": "fs"}, "fs"), ({"units": "s"}, "s")):
        path = written({"times": (in_time, t, units)}, "bad.nc")
        wanted = r"`frames\['times'\]` must be in units of a\.u\., by its attribute `units`, but is"
        with pytest.raises(ValueError, match=rf"Argument {wanted} in {words}\."):
            recording_files.read(path)
    (tmp_path / "words.nc").write_text("words")
    with pytest.raises(ValueError, match="is damaged, or no NetCDF file"):
        recording_files.read(tmp_path / "words.nc")


def test_bad_frames_are_refused() -> None:
    x, t, v, psi = recorded({})
    uneven, broken, falling = t.copy(), psi.copy(), x[::-1]
    uneven[2] += 0.05
    broken[0, 0, 0] = np.nan
    bad: list[tuple[str, tuple]] = [
        ("`t` must be equally spaced", (x, uneven, v, psi)),
        ("`t` must be finite", (x, np.full_like(t, np.nan), v, psi)),
        ("`psi` must be finite", (x, t, v, broken)),
        ("`x` must be rising", (falling, t, v, psi)),
        ("`v` must be of shape", (x, t, v[:2], psi)),
        ("`t` must be of shape", (x, t[:3], v, psi)),
        ("`psi` must be of shape", (x, t, v, psi[0])),
        ("`n_run` must be at least 4", (x, t, v[:2], psi[:2])),
        ("`n_t` must be at least 2", (x, t[:1], v, psi[:, :1])),
        ("`psi` must be different from zero", (x, t, v, 0 * psi)),
    ]
    # Numbers in double precision that were rounded to single.
    assert laws.equal_step("t", t.astype(np.float32).astype(float)) == pytest.approx(t[1] - t[0])
    assert laws.equal_step("t", -np.arange(3)) == -1
    for message, given in bad:
        # Of the function itself the types are checked before.
        with pytest.raises(ValueError, match=f"Argument {message}"):
            laws._recorded(*given)


def test_a_seed_below_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="`seed` must be at least 0, but is -7"):
        discovery.find_law(*recorded({}), seed=-7)


def test_what_occurs_ends_where_noise_begins() -> None:
    _, _, _, psi = recorded({}, 1e-3)
    largest = discovery.largest_wavenumber(GRID, psi)
    assert 3 < largest < 9


def test_the_nonlocal_matrix_of_a_constant_is_a_function_of_k(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hidden, "GRID", GRID)
    matrix = hidden._spread(np.full(128, 2.0), 0.3)
    waves = np.exp(1j * GRID.wavenumbers()[5] * X)
    expected = 2 * np.exp(-((GRID.wavenumbers()[5] * 0.3) ** 2) / 4)
    np.testing.assert_allclose(matrix @ waves, expected * waves, atol=1e-9)
    # Without a width it is V, for waves that V does not move beyond the grid.
    v, psi = made((), 0.0)
    first = psi[0, 0]
    rest = hidden._spread(v[0], 0.0) @ first - v[0] * first
    assert np.linalg.norm(rest) < 1e-5 * np.linalg.norm(first)


def test_what_is_not_on_the_list_is_not_explained() -> None:
    # A force that depends on the place and on time.
    x, t, v, psi = recorded({})
    turns = np.exp(0.3j * np.cos(3 * T[:N_T, None]) * np.exp(-((X - 3) ** 2)))
    law = discovery.find_law(x, t, v, (psi * turns).astype(np.complex64))
    assert not law.is_explained
    assert "NOT EXPLAINED" in str(law)
    known = law_of()
    assert known.is_explained
    assert "NOT EXPLAINED" not in str(known)


def test_noise_is_that_of_the_frames() -> None:
    # White noise of one frame is on all wave numbers; an error of one frame has that of two.
    x, _, _, psi = recorded({}, 1e-3)
    grid = Grid(len(x), float(np.ptp(x)) * len(x) / (len(x) - 1), "continuum")
    largest = discovery.largest_wavenumber(grid, psi)
    share = np.mean(np.abs(grid.wavenumbers()) <= largest)
    found = recordings_of.find_noise(grid, psi, largest)
    # What is cut from the frames, up to three times the density of noise, counts as noise too.
    assert 0.95 < found / (np.sqrt(2 * share) * 1e-3) < np.sqrt(3)


@pytest.mark.parametrize(
    ("name", "words"),
    [("v", "`v` must be real"), ("psi", "`psi` must be complex"), ("still", "frames that move")],
)
def test_frames_that_have_no_law_are_refused(name: str, words: str) -> None:
    x, t, v, psi = recorded({})
    if name == "v":
        v = v - 0.05j
    elif name == "psi":
        psi = psi.real + 0j
    else:
        psi = np.repeat(psi[:, :1], len(t), axis=1)
    # Of the function itself the types are checked before.
    with pytest.raises(ValueError, match=words):
        laws._recorded(x, t, v, psi)


def test_a_lost_norm_hides_no_charges() -> None:
    def look(x: np.ndarray, t: np.ndarray, v: np.ndarray, psi: np.ndarray) -> dict[str, Any]:
        return recordings.look(recording_files.Runs((x,), t, v, psi))

    found = look(*recorded({"absorber": 0.1}))
    assert found["conserved"] == []
    assert "norm" in found["why"]
    # Positions are means of normalised frames.
    low, high = found["moves"]["mean x"]
    x, t, v, psi = recorded({})
    assert low < high
    assert look(x, t, v, 2 * psi)["moves"]["mean x"] == pytest.approx(
        look(x, t, v, psi)["moves"]["mean x"], rel=1e-5
    )


def test_damaged_files_are_refused_in_words(tmp_path: pathlib.Path) -> None:
    empty, text = tmp_path / "empty.npz", tmp_path / "text.npz"
    empty.write_bytes(b"")
    text.write_bytes(b"no archive of arrays")
    for path in (empty, text):
        with pytest.raises(ValueError, match="is damaged, or no file of NumPy"):
            recording_files.read(path)
    one = tmp_path / "one.npy"
    np.save(one, np.zeros(3))
    one.rename(tmp_path / "one.npz")
    with pytest.raises(ValueError, match="a file of several arrays"):
        recording_files.read(tmp_path / "one.npz")


def test_seeds_draw_every_kind() -> None:
    drawn = [hidden.draw(seed) for seed in range(200)]
    kinds = {kind for each in drawn for kind in each.strengths}
    assert kinds == set(hidden.KINDS)
    assert any(not each.strengths for each in drawn)
    assert hidden.draw(3) == hidden.draw(3)


def test_claims_that_fit_alike_are_one() -> None:
    law = Law(
        form="k^2/2m + b k^4",
        alike=("relativistic, mass",),
        names=("1/m", "b", "V^2"),
        values=np.ones(3),
        low=np.ones(3),
        high=np.ones(3),
        functions={"W(x)": discovery.Function("x", *np.ones((4, 3)))},
        rivals={"V^2": ("V",), "W(x)": ("f(V)",)},
        error=0.1,
        errors={},
        fits={},
        floor=0.0,
        noise=0.0,
        k=np.zeros(1),
        energies=np.zeros(1),
        emulator=law_of().emulator,
    )
    claims = [("mass",), ("quartic", "relativistic"), ("V^2", "coupling"), ("potential", "shape")]
    assert blind.claims_of(law) == claims
    assert "not distinguished from relativistic, mass" in str(law)


def test_the_bound_of_no_false_claim_is_the_rule_of_three() -> None:
    assert blind.upper_bound(0, 50) == pytest.approx(1 - 0.05 ** (1 / 50))
    assert blind.upper_bound(50, 50) == 1


def test_a_file_is_reported_in_words(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "hidden.npz"
    # One of `CASES`, so that nothing more is compiled for it.
    _, t, v, psi = recorded({"absorber": 0.01, "coupling": -0.1})
    runs = [str(i) for i in range(len(psi))]
    export.write(path, GRID, t, v, {"psi": jnp.asarray(psi)}, runs)
    report = discover.discover(discover.Args(frames=path))
    found = report.metrics
    # exp(-2 w t)
    expected = np.exp(-2 * 0.01 * t[-1])
    assert found["moves"]["norm squared, end over start"] == pytest.approx(expected, rel=1e-3)
    assert set(found["law"]["coefficients"]) == {"V", "-i"}
    assert found["seen"]["duration"] == pytest.approx(t[-1], rel=1e-3)
    assert "T: k^2/2" in report.report


def test_laws_of_emulators_and_of_controls_are_read(tmp_path: pathlib.Path) -> None:
    done = scripts.run("emulator_laws", "demo", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())["summary"]
    # The exact solver has the lattice's dispersion and the mass 1, to the held-out error.
    exact = found["exact solver"]
    assert exact["forms"] == {"lattice": 1}
    assert exact["mass"]["mean"] == pytest.approx(1, abs=1e-5)
    assert exact["terms"] == {}
    assert {"demo", "clamped-2"} <= set(found)
