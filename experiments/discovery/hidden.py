"""Recorded runs with hidden physics, from a seed: `experiments/discovery/hidden.py --seed 7`.

They are solved by dense exponentials in double precision, which share no code with the fit of
`insight.discovery.find_law`. Some noise is added. What is hidden is written nowhere in the file.

Hidden physics is one of the terms that the search lists, or, with `--unlisted`, something that has
no form on any list: a potential that the file does not name, losses in one place, a drive, a
potential that acts by another function of V, a nonlinearity of higher order, or a mirror symmetry
that the potential of the file does not have.
"""

import dataclasses
import pathlib
from typing import Any, NamedTuple

import numpy as np
import tyro
from jaxtyping import Complex, Float

from experiments import runner
from qdistill.physics.grid import Grid
from qdistill.runs import export

GRID = Grid(256, 40.0, "continuum", origin=-20.0)
DT, N_FRAME, N_RUN = 0.2, 24, 8
# Strengths are drawn log-uniformly between these, from too weak to be seen to plain.
STRENGTHS: dict[str, tuple[float, float]] = {
    "mass": (3e-5, 0.1),
    "quartic": (3e-6, 3e-3),
    "relativistic": (3e-5, 1e-2),
    "nonlocal": (0.01, 0.12),
    "nonlinear": (1e-3, 1.0),
    "absorber": (3e-5, 3e-2),
    "coupling": (1e-4, 0.2),
    "drift": (1e-4, 0.2),
}
DISPERSIONS = ("mass", "quartic", "relativistic", "lattice")
NOTHING = "nothing unusual"
KINDS = ("lattice", *STRENGTHS)
MIRROR = "hidden mirror"
UNLISTED: dict[str, tuple[float, float]] = {
    "potential": (1e-3, 1.0),
    "local absorber": (3e-4, 0.3),
    "drive": (1e-4, 0.1),
    "shape": (1e-3, 0.3),
    "quintic": (1e-2, 10.0),
    MIRROR: (0.1, 1.0),
}
# Place of the walls, in bohr.
EDGE = 14.5


class Hidden(NamedTuple):
    """What moves the frames of one file.

    Attributes:
      strengths: The hidden terms, with their strengths; empty for k^2 / 2 + V alone.
      noise: Size of the noise of each frame, relative to the frame.
    """

    strengths: dict[str, float]
    noise: float


def draw(seed: int) -> Hidden:
    """Draw hidden physics: nothing in three of ten files, else one kind, or in three of ten two."""
    rng = np.random.default_rng([seed, 0])
    kinds: list[str] = []
    if rng.uniform() >= 0.3:
        kinds.append(KINDS[rng.integers(len(KINDS))])
        if rng.uniform() < 0.3:
            others = [
                kind
                for kind in KINDS
                if kind != kinds[0] and not {kind, kinds[0]} <= set(DISPERSIONS)
            ]
            kinds.append(others[rng.integers(len(others))])
    strengths = {}
    for kind in kinds:
        sign = rng.choice([-1, 1]) if kind in ("mass", "quartic", "nonlinear", "coupling") else 1
        strengths[kind] = _draw(rng, STRENGTHS.get(kind, (1.0, 1.0)), sign)
    return Hidden(strengths, float(10 ** rng.uniform(-5, -3)))


def draw_unlisted(seed: int) -> Hidden:
    """Draw what is on no list: nothing in two of ten files, else one kind.

    In three of ten files there is another mass besides, or the lattice.
    """
    rng = np.random.default_rng([seed, 2])
    strengths = {}
    if rng.uniform() >= 0.2:
        kind = list(UNLISTED)[rng.integers(len(UNLISTED))]
        sign = rng.choice([-1, 1]) if kind in ("potential", "shape", "quintic") else 1
        strengths[kind] = _draw(rng, UNLISTED[kind], sign)
        if rng.uniform() < 0.3:
            other = ("mass", "lattice")[rng.integers(2)]
            strengths[other] = _draw(rng, STRENGTHS.get(other, (1.0, 1.0)), 1)
    return Hidden(strengths, float(10 ** rng.uniform(-5, -3)))


def _draw(rng: np.random.Generator, ends: tuple[float, float], sign: int) -> float:
    return float(sign * np.exp(rng.uniform(*np.log(ends))))


class Shapes(NamedTuple):
    """What is hidden in a file, besides its strength.

    Attributes:
      bumps: Places, widths and signs of a hidden potential or absorber; the first one for those
        of one hill.
      frequency, phase: Those of a drive.
      middle: The mirror.
    """

    bumps: tuple[tuple[float, float, float], ...]
    frequency: float
    phase: float
    middle: float


def shapes(seed: int) -> Shapes:
    """Draw the shapes of a file."""
    rng = np.random.default_rng([seed, 3])
    bumps = tuple(
        (rng.uniform(-7, 7), rng.uniform(1, 2), rng.choice([-1.0, 1.0])) for _ in range(3)
    )
    return Shapes(bumps, rng.uniform(0.5, 4), rng.uniform(0, 2 * np.pi), rng.uniform(-3, 3))


def truths(
    seed: int, hidden: Hidden, x: Any = 0.0, t: Any = 0.0, v: Any = 0.0, density: Any = 0.0
) -> dict[str, np.ndarray]:
    """Return the hidden functions, of x, t, V or |psi|^2, by kind."""
    of, strengths = shapes(seed), hidden.strengths
    hills = [np.exp(-(((x - place) / width) ** 2)) for place, width, _ in of.bumps]
    signed = sum(sign * hill for (*_, sign), hill in zip(of.bumps, hills, strict=True))
    made = {
        "potential": hills[0],
        "local absorber": hills[0],
        "drive": np.cos(of.frequency * t + of.phase),
        "shape": np.sin(2 * v),
        "quintic": density**2,
        MIRROR: signed,
    }
    return {kind: strengths[kind] * each for kind, each in made.items() if kind in strengths}


def make(
    seed: int, hidden: Hidden
) -> tuple[Float[np.ndarray, "n_run n_x"], Complex[np.ndarray, "n_run n_t n_x"]]:
    """Return potentials and noisy frames of all runs."""
    rng = np.random.default_rng([seed, 1])
    x = GRID.origin[0] + np.arange(1, GRID.shape[0] + 1) * GRID.dx[0]
    v = np.stack([_potential(rng, x) for _ in range(N_RUN)])
    if MIRROR in hidden.strengths:
        # What moves the frames is symmetric, and the file lacks a part of it.
        middle = shapes(seed).middle
        v = np.stack([_mirrored(rng, x - middle) for _ in range(N_RUN)])
        v = v - truths(seed, hidden, x)[MIRROR]
    first = np.stack([_packets(rng, x) for _ in range(N_RUN)])
    psi = np.stack([_solve(seed, hidden, x, *each) for each in zip(v, first, strict=True)])
    noise = rng.standard_normal((*psi.shape, 2)) @ np.array([1, 1j])
    size = np.linalg.norm(psi, axis=-1, keepdims=True) / np.sqrt(2 * len(x))
    return v, psi + hidden.noise * size * noise


def _mirrored(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Two pairs of smooth hills or wells inside walls, the same on both sides of 0."""
    v = 12.0 / (1 + np.exp((EDGE - 2 - np.abs(x)) / 0.7))
    for _ in range(2):
        height, place, width = rng.uniform(-2, 2), rng.uniform(0, 8), rng.uniform(1, 3)
        v = v + height * sum(np.exp(-(((x - side * place) / width) ** 2)) for side in (-1, 1))
    return v


def _potential(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Three smooth hills or wells inside walls that keep packets from the edges."""
    v = 12.0 / (1 + np.exp((EDGE - np.abs(x)) / 0.7))
    for _ in range(3):
        height, place = rng.uniform(-3, 3), rng.uniform(-9, 9)
        v = v + height * np.exp(-(((x - place) / rng.uniform(1, 3)) ** 2))
    return v


def _packets(rng: np.random.Generator, x: np.ndarray) -> np.ndarray:
    """Two packets, 1 to 2 bohr wide."""
    psi = np.zeros(len(x), complex)
    for _ in range(2):
        place, width, k = rng.uniform(-8, 8), rng.uniform(1, 2), rng.uniform(-3, 3)
        psi += np.exp(-(((x - place) / (2 * width)) ** 2) + 1j * k * x)
    return psi / np.sqrt(np.sum(np.abs(psi) ** 2) * GRID.dx[0])


def _energies(strengths: dict[str, float]) -> np.ndarray:
    """The kinetic energy of the hidden physics."""
    k = GRID.wavenumbers()
    energies = k**2 / 2 * (1 + strengths.get("mass", 0.0)) + strengths.get("quartic", 0.0) * k**4
    if "lattice" in strengths:
        energies = (1 - np.cos(k * GRID.dx[0])) / GRID.dx[0] ** 2
    if "relativistic" in strengths:
        c = 1 / np.sqrt(strengths["relativistic"])
        energies = np.sqrt(k**2 * c**2 + c**4) - c**2
    return energies + strengths.get("drift", 0.0) * k


def _solve(seed: int, hidden: Hidden, x: np.ndarray, v: np.ndarray, psi: np.ndarray) -> np.ndarray:
    """The frames of one run, exact to 1e-6 or better."""
    strengths, n = hidden.strengths, len(x)
    secret = truths(seed, hidden, x, v=v)
    static = sum(secret.get(kind, 0.0) for kind in ("potential", "shape", MIRROR))
    waves = np.fft.fft(np.eye(n), axis=0) / np.sqrt(n)
    matrix = waves.conj().T @ (_energies(strengths)[:, None] * waves)
    matrix = matrix + np.diag(v * (1 + strengths.get("coupling", 0.0)) + static)
    if "nonlocal" in strengths:
        matrix = matrix + _spread(v, strengths["nonlocal"]) - np.diag(v)
    g, more = (strengths.get(kind, 0.0) for kind in ("nonlinear", "quintic"))
    losses, is_driven = secret.get("local absorber"), "drive" in strengths
    n_step = 64 if g or more or losses is not None or is_driven else 1
    h = DT / n_step
    step = _exponential(matrix, h) * np.exp(-strengths.get("absorber", 0.0) * h)

    def kick(psi: np.ndarray, t: float) -> np.ndarray:
        density = np.abs(psi) ** 2
        field = g * density + more * density**2
        if is_driven:
            field = field + truths(seed, hidden, t=t)["drive"] * x
        # The modulus is conserved by the nonlinear part.
        psi = psi * np.exp(-0.5j * h * field)
        return psi if losses is None else psi * np.exp(-0.5 * h * losses)

    frames = [psi]
    for frame in range(N_FRAME - 1):
        for i in range(n_step):
            middle = frame * DT + (i + 0.5) * h
            psi = step @ psi if n_step == 1 else kick(step @ kick(psi, middle), middle)
        frames.append(psi)
    return np.stack(frames)


def _exponential(matrix: np.ndarray, h: float) -> np.ndarray:
    """exp(-i h matrix) of a Hermitian matrix."""
    values, states = np.linalg.eigh(matrix)
    return (states * np.exp(-1j * h * values)) @ states.conj().T


def _spread(v: np.ndarray, width: float) -> np.ndarray:
    """The nonlocal potential V((x + y) / 2) exp(-(x - y)^2 / width^2), of Perey and Buck.

    It is made from its Weyl symbol V(x) exp(-(p width)^2 / 4), wave by wave, since the kernel is
    narrower than the spacing of the points.
    """
    n = len(v)
    k = GRID.wavenumbers()
    waves = np.fft.fft(v) / n
    i = np.rint(k / k[1]).astype(int)
    change = i[:, None] - i[None]
    mean = (k[:, None] + k[None]) / 2
    # Waves with a transfer beyond the grid have no weight.
    matrix = np.where(np.abs(change) < n // 2, waves[change % n], 0)
    matrix = matrix * np.exp(-((mean * width) ** 2) / 4)
    fourier = np.fft.fft(np.eye(n), axis=0) / np.sqrt(n)
    return fourier.conj().T @ matrix @ fourier


@dataclasses.dataclass(frozen=True)
class Args:
    """Write recorded runs with hidden physics to a file."""

    path: tyro.conf.Positional[pathlib.Path]
    """Path of the file, `.npz` or `.nc`."""
    seed: int = 0
    """Seed of the hidden physics, the potentials, the packets and the noise."""
    unlisted: bool = False
    """Hide what is on no list of terms."""


def write(args: Args) -> str:
    """Write one file."""
    v, psi = make(args.seed, (draw_unlisted if args.unlisted else draw)(args.seed))
    t = DT * np.arange(N_FRAME)
    runs = [str(i) for i in range(N_RUN)]
    frames: dict[str, Any] = {"psi": psi.astype(np.complex64)}
    export.write(args.path, GRID, t, v.astype(np.float32), frames, runs)
    return f"{args.path}: {N_RUN} runs of {N_FRAME} frames"


if __name__ == "__main__":
    runner.call(write, Args)
