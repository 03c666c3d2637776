"""Recorded runs in a plane or across two channels, with hidden physics from a seed.

They are solved by a split step of second order with short steps, in NumPy and double precision,
which shares no more than the grid with the fit of `insight.discovery.find_masses`. Some noise is
added.
"""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from jaxtyping import Complex, Float

from experiments.discovery.recording_files import Runs
from qdistill.physics.grid import Grid

GRIDS = {
    "plane": Grid((24, 24), (14.0, 14.0), "continuum", origin=(-7.0, -7.0)),
    "channels": Grid(64, 16.0, "continuum", origin=-8.0),
}
# Duration of a frame, steps of the solver in it, and of files frames and runs.
DT, N_STEP = {"plane": 0.2, "channels": 1.0}, 200
N_FRAME, N_RUN = 6, 8
# Strengths are drawn log-uniformly between these, from too weak to be seen to plain.
STRENGTHS: dict[str, dict[str, tuple[float, float]]] = {
    "plane": {
        "-i": (1e-4, 0.03),
        "|psi|^2": (1e-2, 1.0),
        "p^4": (1e-5, 1e-2),
        "1": (1e-3, 1.0),
        "px": (1e-4, 0.1),
        "py": (1e-4, 0.1),
        "x": (1e-4, 0.1),
        "y": (1e-4, 0.1),
    },
    "channels": {
        "-i": (1e-5, 3e-3),
        "|psi|^2": (1e-3, 0.3),
        "p^4": (1e-7, 1e-4),
        "1": (1e-4, 0.1),
        "p": (1e-5, 1e-2),
        "x": (1e-5, 1e-2),
    },
}
# Masses lie between these; half of the files have two.
MASSES = {"plane": (0.7, 2.0), "channels": (10.0, 40.0)}


class Hidden(NamedTuple):
    """What moves the frames of one file.

    Attributes:
      kind: ``"plane"`` or ``"channels"``.
      masses: Masses by channel and axis.
      strengths: The further terms, with their coefficients.
      noise: Size of the noise of each frame, relative to the frame.
    """

    kind: str
    masses: tuple[tuple[float, ...], ...]
    strengths: dict[str, float]
    noise: float


def draw(seed: int) -> Hidden:
    """Draw hidden physics: no further term in three of ten files, else one, or two in three of ten.

    Even seeds have a plane, odd ones two channels.
    """
    rng, kind = np.random.default_rng([seed, 0]), ("plane", "channels")[seed % 2]
    ranges, chosen = STRENGTHS[kind], []
    if rng.uniform() >= 0.3:
        n = 1 + int(rng.uniform() < 0.3)
        chosen = [list(ranges)[i] for i in rng.choice(len(ranges), n, replace=False)]
    first, second = (_draw(rng, MASSES[kind]) for _ in range(2))
    second = second if rng.uniform() < 0.5 else first
    masses = ((first, second),) if kind == "plane" else ((first,), (second,))
    strengths = {}
    for name in chosen:
        sign = 1 if name == "-i" else int(rng.choice([-1, 1]))
        strengths[name] = sign * _draw(rng, ranges[name])
    return Hidden(kind, masses, strengths, _draw(rng, (1e-5, 1e-3)))


def _draw(rng: np.random.Generator, ends: tuple[float, float]) -> float:
    return float(np.exp(rng.uniform(*np.log(ends))))


def make(hidden: Hidden, seed: int, n_run: int = N_RUN, n_frame: int = N_FRAME) -> Runs:
    """Return recorded runs in single precision, each with a potential and packets of its own."""
    grid, rng = GRIDS[hidden.kind], np.random.default_rng([seed, 1])
    draw_one = _in_plane if hidden.kind == "plane" else _in_channels
    vs, frames = [], []
    for _ in range(n_run):
        v, psi = draw_one(rng, grid)
        made = evolve(hidden, grid, psi / np.sqrt(np.sum(np.abs(psi) ** 2) * grid.cell), v, n_frame)
        real, imaginary = rng.standard_normal((2, *made.shape))
        sizes = np.sqrt(np.mean(np.abs(made) ** 2, axis=tuple(range(1, made.ndim)), keepdims=True))
        frames.append(made + hidden.noise * sizes * (real + 1j * imaginary) / np.sqrt(2))
        vs.append(v)
    psi, v = np.stack(frames).astype(np.complex64), np.stack(vs).astype(np.float32)
    if hidden.kind == "plane":
        psi, v = psi[:, :, 0], v[:, 0, 0]
    axes = tuple(np.ravel(grid.positions(axis)).astype(float) for axis in range(grid.n_dim))
    return Runs(axes, DT[hidden.kind] * np.arange(n_frame), v, psi)


def _in_plane(rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """A potential of three hills, and a packet, as one channel."""
    x, y = (np.asarray(grid.positions(axis), float) for axis in (0, 1))
    v = sum(
        a * np.exp(-((x - b) ** 2 + (y - c) ** 2) / 4) for a, b, c in rng.uniform(-2, 2, (3, 3))
    )
    (a, b), (k, q) = rng.uniform(-1.5, 1.5, (2, 2))
    psi = np.exp(-((x - a) ** 2) / 2.8 - (y - b) ** 2 / 2 + 1j * (k * x + q * y))
    return np.asarray(v)[None, None], psi[None]


def _in_channels(rng: np.random.Generator, grid: Grid) -> tuple[np.ndarray, np.ndarray]:
    """Two crossing potentials with a coupling, and a packet in each channel."""
    x = np.asarray(grid.positions(), float)
    gap, lift = rng.uniform(0.02, 0.1), rng.uniform(0.05, 0.1)
    up, down, between = lift * np.tanh(x), -lift * np.tanh(x / 2), gap * np.exp(-(x**2) / 4)
    places, speeds = rng.uniform(-2, 2, 2)[:, None], rng.uniform(-3, 3, 2)[:, None]
    psi = np.exp(-((x[None] - places) ** 2) / 2 + 1j * speeds * x[None])
    return np.array([[up, between], [between, down]]), psi


def evolve(
    hidden: Hidden,
    grid: Grid,
    psi: Complex[np.ndarray, "n_channel ..."],
    v: Float[np.ndarray, "n_channel n_channel ..."],
    n_frame: int,
) -> Complex[np.ndarray, "n_t n_channel ..."]:
    """Return the frames of one run, the first included."""
    h, space = DT[hidden.kind] / N_STEP, tuple(range(-grid.n_dim, 0))
    is_line = grid.n_dim == 1
    field, energies = _parts(hidden.strengths, hidden.masses, grid, is_line)
    levels, states = np.linalg.eigh(np.moveaxis(v, (0, 1), (-2, -1)))
    crowding, loss = (hidden.strengths.get(name, 0.0) for name in ("|psi|^2", "-i"))

    def kick(psi: np.ndarray) -> np.ndarray:
        density = np.sum(np.abs(psi) ** 2, axis=0)
        turned = np.einsum("...ij,i...->j...", states.conj(), psi)
        turned = turned * np.exp(-0.5j * h * np.moveaxis(levels, -1, 0))
        common = np.exp(-0.5j * h * (field + crowding * density - 1j * loss))
        return np.einsum("...ij,j...->i...", states, turned) * common

    drift, frames = np.exp(-1j * h * energies), [psi]
    for _ in range(n_frame - 1):
        for _ in range(N_STEP):
            psi = kick(np.fft.ifftn(drift * np.fft.fftn(kick(psi), axes=space), axes=space))
        frames.append(psi)
    return np.stack(frames)


def _parts(
    strengths: Mapping[str, float],
    masses: tuple[tuple[float, ...], ...],
    grid: Grid,
    is_line: bool,
) -> tuple[np.ndarray, np.ndarray]:
    """The hidden field, and the energies of waves in each channel."""
    field, energies = (
        np.full(grid.shape, strengths.get("1", 0.0)),
        np.zeros((len(masses), *grid.shape)),
    )
    for axis, name in zip(range(grid.n_dim), "xy", strict=False):
        place = np.asarray(grid.positions(axis), float) - grid.middle[axis]
        field += strengths.get(name, 0.0) * place
        k = np.asarray(grid.wavenumbers(axis), float)
        momentum = strengths.get("p" if is_line else f"p{name}", 0.0)
        common = strengths.get("p^4", 0.0) * k**4 + momentum * k
        for channel, of_axes in enumerate(masses):
            energies[channel] += k**2 / (2 * of_axes[axis]) + common
    return field, energies
