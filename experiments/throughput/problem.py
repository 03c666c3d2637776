"""Random packets among sharp edges, and what exact diagonalisation makes of them."""

from typing import NamedTuple

import jax
import numpy as np

from qdistill._checks import refuse, require_at_least, require_shape
from qdistill.physics import families, packets
from qdistill.physics.grid import Grid

SHARP = ("barrier", "double", "triple", "steps", "well")


class Problem(NamedTuple):
    """Packets to evolve by `n_frames` frames of `dt`, in float64 and in no library's format."""

    grid: Grid
    dt: float
    n_frames: int
    # (n_packets, n_x): landscapes, first states, and the exact last ones.
    v: np.ndarray
    psi: np.ndarray
    truth: np.ndarray

    @property
    def n_packets(self) -> int:
        """How many packets."""
        return len(self.psi)


def sample(
    grid: Grid, dt: float, n_frames: int, n_packets: int, n_landscapes: int, seed: int = 0
) -> Problem:
    """Random packets over as many random landscapes, of the sharp families in turn.

    Args:
      grid: A line.
      dt: Duration of a frame, in atomic units.
      n_frames: Frames of a run.
      n_packets: Packets.
      n_landscapes: Landscapes, a divisor of `n_packets`; each is diagonalised.
      seed: Of all.

    Raises:
      ValueError: For numbers that do not fit.
    """
    require_at_least(1, n_frames=n_frames, n_packets=n_packets, n_landscapes=n_landscapes)
    if n_packets % n_landscapes:
        refuse("n_packets", f"a multiple of {n_landscapes} landscapes", n_packets)
    key_v, key_psi = jax.random.split(jax.random.key(seed))
    landscapes = [
        np.asarray(families.sample(key, grid, SHARP[i % len(SHARP)]), "f8")
        for i, key in enumerate(jax.random.split(key_v, n_landscapes))
    ]
    keys = jax.random.split(key_psi, n_packets)
    psi = np.asarray(jax.vmap(lambda key: packets.sample_gaussian(key, grid))(keys), "c16")
    each = psi.reshape(n_landscapes, -1, psi.shape[-1])
    truth = [exact(grid, v, some, dt * n_frames) for v, some in zip(landscapes, each, strict=True)]
    v = np.repeat(np.stack(landscapes), each.shape[1], axis=0)
    return Problem(grid, dt, n_frames, v, psi, np.concatenate(truth))


def exact(grid: Grid, v: np.ndarray, psi: np.ndarray, t: float) -> np.ndarray:
    """exp(-i H t) of every row of psi, by diagonalising H in float64 with the grid's dispersion."""
    row = np.fft.ifft(grid.kinetic_energy()).real
    i = np.arange(len(row))
    energies, states = np.linalg.eigh(row[(i[:, None] - i) % len(row)] + np.diag(v))
    return ((psi @ states) * np.exp(-1j * energies * t)) @ states.T


def relative_error(problem: Problem, last: np.ndarray) -> float:
    """The root mean square of |last - truth| / |truth| over the first packets."""
    truth = problem.truth[: len(last)]
    require_shape(truth.shape, last=last)
    wrong = np.linalg.norm(last - truth, axis=1) / np.linalg.norm(truth, axis=1)
    return float(np.sqrt(np.mean(wrong**2)))
