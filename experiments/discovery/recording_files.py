"""Files of recorded runs: frames, potentials, times and positions, in NumPy's format or NetCDF."""

import pathlib
import zipfile
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from qdistill._checks import refuse
from qdistill._refusals import is_refusal
from qdistill._words import of_array

# Of an absolute value of psi; powers of it have to fit into single precision.
LARGEST = 1e6
# Names of the arrays of a file, and units that they may have.
OTHERS = ("y", "z")
NAMES = {
    "x": ("x", "position", "positions"),
    "t": ("t", "time", "times"),
    "v": ("v", "potential"),
}
UNITS = {
    "x": ("bohr", "a.u."),
    "t": ("a.u.", "a.u. (0.0242 fs)", "hbar/hartree"),
    "v": ("hartree", "a.u."),
}


class Runs(NamedTuple):
    """Recorded runs, of any dimension, with channels or without.

    Attributes:
      axes: Positions along each axis.
      t: Times.
      v: Potential of each run, (n_run, [n_channel, n_channel,] n_x, [n_y, n_z]).
      psi: Frames of each run, (n_run, n_t, [n_channel,] n_x, [n_y, n_z]).
    """

    axes: tuple[np.ndarray, ...]
    t: np.ndarray
    v: np.ndarray
    psi: np.ndarray

    @property
    def n_channel(self) -> int:
        """The number of channels, 0 without."""
        return self.psi.shape[2] if self.psi.ndim > 2 + len(self.axes) else 0

    @property
    def is_line(self) -> bool:
        """Whether they are of a line without channels."""
        return len(self.axes) == 1 and not self.n_channel

    @property
    def of_line(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Positions, times, potentials and frames of runs of a line."""
        if not self.is_line:
            refuse("frames['psi']", "of shape (n_run, n_t, n_x)", f"of shape {self.psi.shape}")
        return self.axes[0], self.t, self.v, self.psi


def read(path: pathlib.Path, name: str = "psi") -> Runs:
    """Read recorded runs from a file: frames, potentials, times and positions, in atomic units.

    The names of the arrays are `NAMES`. Frames are complex, or two arrays of real numbers, such as
    `psi_real` and `psi_imag`, or have a last axis of real and imaginary parts, as in files of
    `qdistill export`. A potential without an axis of runs is that of all of them.

    Args:
      path: A file of NumPy, `.npz`, or NetCDF, `.nc`, whose variables have their units.
      name: Name of the frames.

    Raises:
      ValueError: For another suffix, a damaged file, or one that lacks frames, potential, times or
        positions; for arrays that do not fit together, and other units.
      ImportError: For NetCDF without xarray.
      OSError: If it cannot be read.
    """
    path = pathlib.Path(path)
    if path.suffix not in READERS:
        refuse("frames", "a file that ends in .npz or .nc", f"`{path}`")
    arrays, units = READERS[path.suffix](path)
    found = {"psi": _frames(arrays, name)}
    for key, names in NAMES.items():
        known = next((each for each in names if each in arrays), None)
        if known is None:
            refuse("frames", f"a file with `{'` or `'.join(names)}`", f"one with {sorted(arrays)}")
        found[key] = _plain(known, UNITS[key], arrays, units)
    # An array `y` of something else is no axis.
    n_more = 2 if {"y", "z"} <= set(arrays) else int("y" in arrays)
    n_more = n_more if found["psi"].ndim > 2 + n_more else 0
    others = tuple(_plain(name, UNITS["x"], arrays, units) for name in OTHERS[:n_more])
    has_channels = found["psi"].ndim == 4 + len(others)
    if found["v"].ndim and found["v"].ndim == found["psi"].ndim - 2 + has_channels:
        found["v"] = np.broadcast_to(found["v"], (len(found["psi"]), *found["v"].shape))
    _require_axes(**found, others=others)
    psi = found["psi"].astype(np.complex64)
    if np.max(np.abs(psi)) > LARGEST:
        refuse("frames['psi']", f"of absolute values up to {LARGEST:g}", np.max(np.abs(psi)))
    return Runs((found["x"], *others), found["t"], found["v"].astype(np.float32), psi)


def _plain(
    name: str,
    wanted: tuple[str, ...],
    arrays: Mapping[str, np.ndarray],
    units: Mapping[str, str] | None,
) -> np.ndarray:
    """An array of real numbers, in one of some units if the file has units."""
    if units is not None and units.get(name) not in wanted:
        words = f"in units of {wanted[0]}, by its attribute `units`"
        refuse(f"frames[{name!r}]", words, f"in {units.get(name, 'none')}")
    if arrays[name].dtype.kind not in "fiu":
        refuse(f"frames[{name!r}]", "an array of real numbers", of_array(arrays[name]))
    return arrays[name]


def _from_numpy(path: pathlib.Path) -> tuple[dict[str, np.ndarray], None]:
    """The arrays of a file of NumPy, which has no units."""
    try:
        file = np.load(path)
        if isinstance(file, np.ndarray):
            refuse("frames", "a file of several arrays", f"`{path}`, which has one")
        with file:
            return {key: file[key] for key in file.files}, None
    except (EOFError, zipfile.BadZipFile, ValueError) as error:
        if is_refusal(error):
            raise
        raise ValueError(f"`{path}` is damaged, or no file of NumPy.") from error


def _from_netcdf(path: pathlib.Path) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """The arrays of a NetCDF file, and their units."""
    try:
        import xarray
    except ImportError as error:
        cure = "pip install xarray 'h5netcdf[h5py]'"
        raise ImportError(f"NetCDF needs xarray, the extra `data`: {cure}") from error
    path.open("rb").close()
    try:
        # Times are numbers, whatever their units.
        with xarray.open_dataset(path, decode_times=False) as file:
            data = file.load()
    except (OSError, ValueError) as error:
        raise ValueError(f"`{path}` is damaged, or no NetCDF file.") from error
    arrays = {str(key): np.asarray(data[key].values) for key in data.variables}
    units = {str(key): data[key].attrs.get("units") for key in data.variables}
    return arrays, {key: str(each) for key, each in units.items() if each is not None}


READERS: dict[str, Any] = {".npz": _from_numpy, ".nc": _from_netcdf}


def _frames(arrays: dict[str, np.ndarray], name: str) -> np.ndarray:
    """The frames as complex numbers."""
    parts = [arrays[each] for each in (f"{name}_real", f"{name}_imag") if each in arrays]
    if name in arrays:
        psi = arrays[name]
        if psi.dtype.kind == "f" and psi.ndim > 3 and psi.shape[-1] == 2:
            psi = psi[..., 0] + 1j * psi[..., 1]
    elif len(parts) == 2 and parts[0].shape == parts[1].shape:
        psi = parts[0] + 1j * parts[1]
    else:
        wanted = f"a file with `{name}`, or with `{name}_real` and `{name}_imag`, of one shape"
        refuse("frames", wanted, f"one with {sorted(arrays)}")
    if psi.dtype.kind != "c":
        refuse(f"frames[{name!r}]", "an array of complex numbers", of_array(psi))
    return psi


def _require_axes(
    psi: np.ndarray, x: np.ndarray, t: np.ndarray, v: np.ndarray, others: tuple[np.ndarray, ...]
) -> None:
    """Refuse arrays whose axes do not fit together."""
    names = ("x", *OTHERS[: len(others)])
    for key, axis in zip(("t", *names), (t, x, *others), strict=True):
        if axis.ndim != 1:
            refuse(f"frames[{key!r}]", "of one axis", f"of shape {axis.shape}")
    space = (len(x), *map(len, others))
    n_channel = psi.shape[2:3] if psi.ndim == 4 + len(others) else ()
    if psi.ndim < 3 or psi.shape[1:] != (len(t), *n_channel, *space):
        end = (
            f"{', '.join(map(str, (len(t), *space)))}), by the lengths of t and {', '.join(names)}"
        )
        refuse("frames['psi']", f"of shape (n_run, {end}", f"of shape {psi.shape}")
    matrix = (*n_channel, *n_channel, *space)
    if v.shape != (len(psi), *matrix):
        wanted = f"of shape {(len(psi), *matrix)}, one for each run, or {matrix}"
        if n_channel and not others:
            wanted += ", a matrix between channels (a plane has positions `y` as well)"
        refuse("frames['v']", wanted, f"of shape {v.shape}")
