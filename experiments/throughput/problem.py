"""Random packets among sharp edges, and their exact evolution by diagonalisation."""

from typing import NamedTuple

import jax
import numpy as np
from jax.typing import ArrayLike

from qdistill._checks import refuse, require_at_least, require_shape
from qdistill.physics import families, packets
from qdistill.physics.grid import Grid
from qdistill.system import System


class Problem(NamedTuple):
    """A set of packets to evolve by `n_frames` frames, as NumPy arrays in float64.

    Attributes:
      system: A one-dimensional system, with the duration of a frame.
      n_frames: Frames of a run.
      v: Potentials, (n_packets, n_x).
      psi: Initial states, (n_packets, n_x).
      truth: Exact final states, (n_packets, n_x).
    """

    system: System
    n_frames: int
    v: np.ndarray
    psi: np.ndarray
    truth: np.ndarray

    @property
    def grid(self) -> Grid:
        """The one-dimensional grid."""
        return self.system.grid

    @property
    def dt(self) -> float:
        """The duration of a frame, in atomic units."""
        return self.system.dt

    @property
    def n_packets(self) -> int:
        """The number of packets."""
        return len(self.psi)


def sample(
    system: System, n_frames: int, n_packets: int, n_potentials: int, seed: int = 0
) -> Problem:
    """Sample packets and potentials; the families with sharp edges alternate.

    Args:
      system: A one-dimensional system.
      n_frames: Frames of a run.
      n_packets: Number of packets.
      n_potentials: Number of potentials, a divisor of `n_packets`; each is diagonalised.
      seed: Random seed.

    Raises:
      ValueError: For an `n_packets` that is not a multiple of `n_potentials`.
    """
    require_at_least(1, n_frames=n_frames, n_packets=n_packets, n_potentials=n_potentials)
    if n_packets % n_potentials:
        refuse("n_packets", f"a multiple of {n_potentials} potentials", n_packets)
    key_v, key_psi = jax.random.split(jax.random.key(seed))
    grid = system.grid
    each_v = [
        np.asarray(families.sample(key, grid, families.SHARP[i % len(families.SHARP)]), "f8")
        for i, key in enumerate(jax.random.split(key_v, n_potentials))
    ]
    keys = jax.random.split(key_psi, n_packets)
    psi = np.asarray(jax.vmap(lambda key: packets.sample_gaussian(key, grid))(keys), "c16")
    each = psi.reshape(n_potentials, -1, psi.shape[-1])
    t = system.dt * n_frames
    truth = [exact(grid, v, some, t) for v, some in zip(each_v, each, strict=True)]
    v = np.repeat(np.stack(each_v), each.shape[1], axis=0)
    return Problem(system, n_frames, v, psi, np.concatenate(truth))


def exact(grid: Grid, v: np.ndarray, psi: np.ndarray, t: float) -> np.ndarray:
    """Return exp(-i H t) applied to every row of psi, by diagonalising H in float64."""
    energies, states = np.linalg.eigh(dense_hamiltonian(grid, v))
    return ((psi @ states) * np.exp(-1j * energies * t)) @ states.T


def dense_hamiltonian(grid: Grid, v: np.ndarray) -> np.ndarray:
    """Return the Hamiltonian of a line as a matrix in float64, with the grid's dispersion."""
    row = np.fft.ifft(grid.kinetic_energy()).real
    i = np.arange(len(row))
    return row[(i[:, None] - i) % len(row)] + np.diag(v)


def relative_error(problem: Problem, last: ArrayLike) -> float:
    """Return the root mean square of |last - truth| / |truth| over the first packets."""
    last = np.asarray(last)
    truth = problem.truth[: len(last)]
    require_shape(truth.shape, last=last)
    wrong = np.linalg.norm(last - truth, axis=1) / np.linalg.norm(truth, axis=1)
    return float(np.sqrt(np.mean(wrong**2)))
