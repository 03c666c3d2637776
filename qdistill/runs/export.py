"""Export of frames: an xarray Dataset, NetCDF, or NumPy's `.npz`."""

import dataclasses
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill import _files
from qdistill._checks import (
    refuse,
    require_at_least,
    require_finite,
    require_one_of,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.forecast import paper
from qdistill.forecast.cases import forecast
from qdistill.forecast.held_out import make_paper_cases
from qdistill.physics.grid import Grid
from qdistill.runs import records
from qdistill.runs.config import to_json
from qdistill.students import Emulator

if TYPE_CHECKING:
    import xarray

SUFFIXES = (".nc", ".npz")
AXES = ("x", "y", "z")
RESERVED = {*AXES, "t", "v", "run", "ri", "about"}
# Dimensions, values and attributes by name.
Variables = dict[str, tuple[tuple[str, ...], np.ndarray, dict[str, str]]]


@explained
def to_dataset(
    grid: Grid,
    t: Float[Array | np.ndarray, " n_t"],
    v: Float[Array | np.ndarray, "*n_run_x"],
    psi: Mapping[str, Complex[Array | np.ndarray, "*n_run_t_x"]],
    runs: Sequence[str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> "xarray.Dataset":
    """Return frames, potentials and their provenance, with named coordinates and units.

    Args:
      grid: A grid of one to three dimensions; its points become the coordinates x, y and z.
      t: Times of the frames in a.u.
      v: Potential in hartree, of the grid's shape, or (n_run, *n_x) for several runs.
      psi: Frames in bohr^(-d/2) of shape (n_t, *n_x), or (n_run, n_t, *n_x), by name, such as
        ``"truth"`` and ``"forecast"``.
      runs: Names of the runs, if there are several.
      about: Further attributes, such as config and commit. Values other than text become JSON.

    Raises:
      ValueError: For shapes that do not match, and reserved names.
      ImportError: Without xarray, with the command that installs it.

    >>> import jax.numpy as jnp
    >>> frames = jnp.zeros((3, 64), complex)
    >>> data = to_dataset(Grid(64, 10.0), 0.1 * jnp.arange(3), jnp.zeros(64), {"psi": frames})
    >>> data.psi.sel(t=0.1, x=5.0, method="nearest").dims, data.psi.units, data.dispersion
    ((), 'bohr^(-1/2)', 'lattice')
    """
    xarray = _xarray()
    variables = _variables(grid, t, v, psi, runs)
    coordinates = {name: variables.pop(name) for name in (*AXES, "t", "run") if name in variables}
    return xarray.Dataset(variables, coordinates, _attributes(grid, about))


@explained
def write(
    path: pathlib.Path,
    grid: Grid,
    t: Float[Array | np.ndarray, " n_t"],
    v: Float[Array | np.ndarray, "*n_run_x"],
    psi: Mapping[str, Complex[Array | np.ndarray, "*n_run_t_x"]],
    runs: Sequence[str] | None = None,
    about: Mapping[str, Any] | None = None,
) -> None:
    """Write the content of `to_dataset` to a file: NetCDF for `.nc`, NumPy arrays for `.npz`.

    An `.npz` needs no extra package. It has an array for each coordinate and variable, with the
    same names; `about` is the JSON of the attributes. NetCDF has no complex numbers: psi is written
    with a last axis `ri` of real and imaginary parts, and `read_netcdf` combines them.

    Raises:
      ValueError: As `to_dataset` does, and for another suffix.
      ImportError: For NetCDF without xarray and h5netcdf, with the command that installs them.
      OSError: If the file cannot be written; what was there before is left as it was.
    """
    require_writable(path)
    if path.suffix == ".npz":
        variables = _variables(grid, t, v, psi, runs)
        arrays: dict[str, Any] = {name: values for name, (_, values, _) in variables.items()}
        with _files.whole(path) as new, new.open("wb") as file:
            np.savez_compressed(file, about=json.dumps(_attributes(grid, about)), **arrays)
        return
    data = to_dataset(grid, t, v, psi, runs, about)
    for name in psi:
        parts = np.stack([data[name].values.real, data[name].values.imag], axis=-1)
        data[name] = ((*data[name].dims, "ri"), parts, data[name].attrs)
    # In memory first: HDF5 crashes the process where a disk is full.
    content = data.assign_coords(ri=["re", "im"]).to_netcdf(engine="h5netcdf")
    with _files.whole(path) as new:
        new.write_bytes(content)


@explained
def write_forecasts(
    path: pathlib.Path,
    emulator: Emulator,
    names: Sequence[str] = tuple(paper.CASES),
    every: int = 4,
    n_frames: int | None = None,
) -> str:
    """Write an emulator's forecasts of the paper's cases, and the truth, to one new file.

    Args:
      path: Path of the file; see `write`.
      emulator: A one-dimensional emulator with the config of its run.
      names: Names of the cases.
      every: Write every `every`-th frame only.
      n_frames: Number of frames to forecast; by default that of the run's held-out test.

    Returns:
      A text with the size of the file.

    Raises:
      FileExistsError: If the file exists.
      ValueError: For an unknown case, fewer frames than `every`, an emulator without a config, a
        system with channels or several dimensions, and as `write` does.
      ImportError: As `write` does.
    """
    require_at_least(1, every=every)
    for name in names:
        require_one_of(paper.CASES, cases=name)
    require_writable(path)
    if path.exists():
        raise FileExistsError(f"`{path}` exists. Choose another with --out.")
    config, system = emulator.config, emulator.system
    if config is None:
        refuse("emulator", "one with the config of its run", "without", "`qdistill.load` has it.")
    n_frames = config.benchmark.n_frames if n_frames is None else n_frames
    require_at_least(1, n_frames=n_frames)
    if every > n_frames:
        refuse("every", f"at most n_frames = {n_frames}", every)
    test = dataclasses.replace(config.benchmark, n_frames=n_frames)
    truth = make_paper_cases(test, system, names)
    kept = slice(every - 1, None, every)
    t = system.dt * np.arange(test.n_given, test.n_given + test.n_frames)[kept]
    frames = {"truth": truth.frames[:, kept], "forecast": forecast(emulator, truth)[:, kept]}
    about = {
        "title": f"{config.preset}: forecasts and the solver's frames",
        "config": to_json(config),
        "commit": emulator.commit,
        "provenance": list(emulator.provenance),
        "score": records.plain(emulator.score),
    }
    write(path, system.grid, t, truth.v, frames, names, about)
    size = path.stat().st_size / 1e6
    return f"{path}: {len(names)} cases of {len(t)} frames, {size:.1f} MB"


@explained
def read_netcdf(path: pathlib.Path) -> "xarray.Dataset":
    """Return the Dataset of a file that `write` wrote, with complex psi.

    Raises:
      FileNotFoundError: If it is not there.
      OSError: If it cannot be read, or is not NetCDF.
      ValueError: If it is another NetCDF file.
      ImportError: Without xarray and h5netcdf, with the command that installs them.
    """
    xarray = _xarray()
    # HDF5 does not name the file in its errors.
    pathlib.Path(path).open("rb").close()
    try:
        with xarray.open_dataset(path, engine="h5netcdf") as file:
            data = file.load()
    except OSError as error:
        raise OSError(f"`{path}` cannot be read as NetCDF: {error}") from error
    if "ri" not in data:
        raise ValueError(f"`{path}` is not a file that `write` wrote: it has no `ri`.")
    for name in [name for name in data if "ri" in data[name].dims]:
        parts = data[name]
        # Bit for bit, also for infinite parts.
        pairs = np.ascontiguousarray(parts.values)
        psi = pairs.view(np.result_type(pairs.dtype, np.complex64))[..., 0]
        data[name] = (parts.dims[:-1], psi, parts.attrs)
    return data.drop_vars("ri")


@explained
def require_writable(path: pathlib.Path) -> None:
    """Refuse the name of a file that `write` cannot write.

    Raises:
      ValueError: For another suffix than `.nc` and `.npz`.
      ImportError: For NetCDF without xarray and h5netcdf, with the command that installs them.
    """
    require_one_of(SUFFIXES, **{"path.suffix": path.suffix})
    if path.suffix == ".nc":
        _xarray()


def _variables(
    grid: Grid, t: Any, v: Any, psi: Mapping[str, Any], runs: Sequence[str] | None
) -> Variables:
    """The coordinates and variables: dimensions, values, attributes."""
    if not psi:
        refuse("psi", "frames by their names", psi)
    if taken := sorted(RESERVED & set(psi)):
        refuse("psi", f"of names other than {sorted(RESERVED)}", f"of the name {taken[0]!r}")
    if len(grid.shape) > len(AXES):
        refuse("grid", "of at most three dimensions", f"of {len(grid.shape)}")
    axes, several = AXES[: len(grid.shape)], () if runs is None else ("run",)
    n_run = () if runs is None else (len(runs),)
    require_shape((np.size(t),), t=t)
    require_finite(t=t, v=v)
    require_shape((*n_run, *grid.shape), v=v)
    require_shape((*n_run, np.size(t), *grid.shape), **{f"psi[{n!r}]": f for n, f in psi.items()})
    found: Variables = {}
    for axis, name in enumerate(axes):
        attributes = {"units": "bohr", "long_name": "position"}
        found[name] = ((name,), np.ravel(grid.positions(axis)), attributes)
    found["t"] = (("t",), np.asarray(t), {"units": "a.u. (0.0242 fs)", "long_name": "time"})
    if runs is not None:
        found["run"] = (("run",), np.array(runs, str), {})
    attributes = {"units": "hartree", "long_name": "potential"}
    found["v"] = ((*several, *axes), np.asarray(v), attributes)
    for name, frames in psi.items():
        attributes = {"units": f"bohr^(-{len(axes)}/2)", "long_name": f"wave function, {name}"}
        found[name] = ((*several, "t", *axes), np.asarray(frames), attributes)
    return found


def _attributes(grid: Grid, about: Mapping[str, Any] | None) -> dict[str, Any]:
    """The attributes in types of NetCDF: texts and lists of numbers."""
    attributes = {
        name: value if isinstance(value, str) else json.dumps(value)
        for name, value in records.plain(dict(about or {}), "about").items()
    }
    axes = {"length_bohr": grid.lengths, "origin_bohr": grid.origin, "mass": grid.mass}
    lists = {name: [float(x) for x in values] for name, values in axes.items()}
    return attributes | {"dispersion": grid.dispersion} | lists


def _xarray() -> Any:
    try:
        import h5netcdf  # noqa: F401
        import h5py  # noqa: F401
        import xarray
    except ImportError as error:
        raise ImportError(
            "Datasets need xarray, h5netcdf and h5py, the extra `data`: "
            "pip install xarray 'h5netcdf[h5py]'"
        ) from error
    return xarray
