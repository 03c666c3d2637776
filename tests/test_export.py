"""Frames for other programs: what is written is what is read, with names, units and origin."""

import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scripts
import xarray

from qdistill.forecast import metrics, paper
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.runs import config, export, pretrained
from qdistill.system import System, rollout
from qdistill.teacher import split_step

LINE = Grid(64, 20.0, origin=-10.0, mass=2.0)
ABOUT = {"title": "a test", "commit": None, "score": {"error": 0.5}}


@pytest.fixture(scope="module")
def frames() -> dict:
    """Two runs of five frames."""
    v = jnp.stack([potentials.barrier(LINE.positions(), h, 2.0, 0.0) for h in (1.0, 3.0)])
    psi = packets.gaussian(LINE, -5.0, 1.0, 2.0)
    solver = split_step(System(LINE, 0.1), 5)
    truth = jax.jit(jax.vmap(lambda v: rollout(solver, psi[None], v, 5)))(v)
    return {
        "grid": LINE,
        "t": 0.1 * np.arange(1, 6),
        "v": v,
        "psi": {"truth": truth, "forecast": truth.at[1, 2, 3].set(complex(2, jnp.inf))},
        "runs": ("low", "high"),
        "about": ABOUT,
    }


def assert_holds(data: xarray.Dataset, frames: dict) -> None:
    assert data.truth.dims == ("run", "t", "x")
    assert data.v.dims == ("run", "x")
    for name, values in frames["psi"].items():
        np.testing.assert_array_equal(data[name], values)
        assert data[name].dtype == np.complex64
        assert data[name].units == "bohr^(-1/2)"
    assert (data.x.units, data.v.units, data.t.units[:4]) == ("bohr", "hartree", "a.u.")
    np.testing.assert_array_equal(data.x, LINE.positions())
    np.testing.assert_array_equal(data.v, frames["v"])
    assert list(data.run.values) == ["low", "high"]
    assert data.title == "a test"
    assert json.loads(data.score) == {"error": 0.5}
    assert json.loads(data.commit) is None
    length, origin, mass = (
        float(np.squeeze(data.attrs[name])) for name in ("length_bohr", "origin_bohr", "mass")
    )
    assert Grid(data.sizes["x"], length, data.dispersion, origin, mass) == LINE


def test_a_dataset_is_asked_by_name(frames) -> None:
    data = export.to_dataset(**frames)
    assert_holds(data, frames)
    picked = data.truth.sel(run="high").sel(t=0.3, x=0.0, method="nearest")
    assert picked == frames["psi"]["truth"][1, 2, 31]
    # Probability is kept, as xarray's own sums find.
    np.testing.assert_allclose((np.abs(data.truth) ** 2).sum("x") * LINE.dx[0], 1, rtol=1e-4)


def test_netcdf_holds_what_was_written(frames, tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "frames.nc"
    export.write(path, **frames)
    assert_holds(export.read_netcdf(path), frames)
    # Any NetCDF reader meets plain real numbers.
    with xarray.open_dataset(path, engine="h5netcdf") as plain:
        assert plain.truth.dims == ("run", "t", "x", "ri")
        assert plain.truth.dtype == np.float32
        assert list(plain.ri.values) == ["re", "im"]


def test_npz_holds_what_was_written_and_needs_no_extra(
    frames, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "xarray", None)
    export.write(tmp_path / "frames.npz", **frames)
    with np.load(tmp_path / "frames.npz") as file:
        arrays = dict(file)
    about = json.loads(arrays.pop("about").item())
    assert about["dispersion"] == "lattice"
    assert json.loads(about["score"]) == {"error": 0.5}
    assert sorted(arrays) == ["forecast", "run", "t", "truth", "v", "x"]
    for name, values in frames["psi"].items():
        np.testing.assert_array_equal(arrays[name], values)


def test_without_the_extra_the_command_that_installs_it_is_named(
    frames, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "h5py", None)
    for act in (
        lambda: export.to_dataset(**frames),
        lambda: export.require_writable(tmp_path / "frames.nc"),
    ):
        with pytest.raises(ImportError, match="pip install xarray 'h5netcdf"):
            act()


def test_one_run_in_two_dimensions_has_no_axis_of_runs() -> None:
    plane = Grid((4, 6), (2.0, 3.0), "continuum")
    data = export.to_dataset(
        plane, jnp.arange(2.0), jnp.zeros((4, 6)), {"psi": jnp.ones((2, 4, 6), complex)}
    )
    assert data.psi.dims == ("t", "x", "y")
    assert data.psi.units == "bohr^(-2/2)"
    np.testing.assert_allclose(data.y, 0.5 * np.arange(1, 7))


@pytest.mark.usefixtures("without_checker")
def test_what_does_not_fit_is_refused(frames, tmp_path: pathlib.Path) -> None:
    truth = frames["psi"]["truth"]
    for wrong, words in (
        ({"v": frames["v"][0]}, "`v` must be of shape"),
        ({"t": frames["t"][1:]}, r"`psi\['truth'\]` must be of shape"),
        ({"t": frames["t"][None]}, "`t` must be of shape"),
        ({"t": frames["t"] * np.nan}, "`t` must be finite"),
        ({"runs": None}, "`v` must be of shape"),
        ({"psi": {}}, "`psi` must be frames by their names"),
        ({"psi": {"x": truth}}, "but is of the name 'x'"),
    ):
        with pytest.raises(ValueError, match=words):
            export.to_dataset(**frames | wrong)
    with pytest.raises(ValueError, match=r"`path\.suffix` must be one of '\.nc', '\.npz', but is"):
        export.write(tmp_path / "frames.csv", **frames)
    assert not list(tmp_path.iterdir())


def test_forecasts_of_an_emulator_are_written_with_their_origin(tmp_path: pathlib.Path) -> None:
    path, case = tmp_path / "demo.nc", next(iter(paper.CASES))
    words = ("--cases", case, "--frames", "4", "--every", "2")
    command = ("export", "demo", "--out", str(path), *words)
    done = scripts.run(*command)
    assert done.returncode == 0, done.stderr
    assert "1 cases of 2 frames" in done.stdout
    data = export.read_netcdf(path)
    np.testing.assert_allclose(data.t, [0.5, 0.7])
    assert list(data.run.values) == [case]
    assert config.from_json(data.config).preset == "demo"
    assert len(data.commit) == 40
    error = metrics.nrmse(*(jnp.asarray(data[name][0].values) for name in ("forecast", "truth")))
    # After a few frames it errs by little, but not by nothing.
    assert (error > 1e-6).all()
    assert (error < 1e-2).all()
    again = scripts.run(*command)
    assert "exists. Choose another with --out" in again.words
    for wrong, text in (
        (
            ("oracle", "--out", str(tmp_path / "a.nc")),
            "There is no run in `oracle`, and no emulator",
        ),
        (("demo", "--out", str(tmp_path / "a.txt")), "`path.suffix` must be one of"),
        (("demo", "--out", str(tmp_path / "a.nc"), "--cases", "moon"), "`cases` must be one of"),
        (("demo", "--out", str(tmp_path / "a.nc"), "--every", "0"), "`every` must be at least 1"),
    ):
        done = scripts.run("export", *wrong)
        assert done.returncode == 1
        assert text in done.words


def test_forecasts_of_an_emulator_without_its_run_are_refused(tmp_path: pathlib.Path) -> None:
    emulator = pretrained.load("demo")
    alone = emulator.student.bind(emulator.params)
    with pytest.raises(ValueError, match="`emulator` must be one with the config of its run"):
        export.write_forecasts(tmp_path / "frames.npz", alone)
    with pytest.raises(ValueError, match="`n_frames` must be at least 1, but is 0"):
        export.write_forecasts(tmp_path / "frames.npz", emulator, n_frames=0)
    assert not list(tmp_path.iterdir())


def test_an_emulator_itself_is_written_to_a_file(tmp_path: pathlib.Path) -> None:
    path = tmp_path / "new" / "demo.npz"
    done = scripts.run("export", "demo", "--out", str(path), "--emulator-file")
    assert done.returncode == 0, done.stderr
    assert "Emulator 'demo'" in done.stdout
    here, there = pretrained.read(path), pretrained.load("demo")
    assert (here.config, here.score, here.provenance) == (
        there.config, there.score, there.provenance,
    )  # fmt: skip
    again = scripts.run("export", "demo", "--out", str(path), "--emulator-file")
    assert "exists. Choose another with --out" in again.words
