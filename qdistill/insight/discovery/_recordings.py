"""Frames of several runs, with what their generators are made of."""

from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Complex, Float

from qdistill.insight.discovery._terms import Ranges, fields
from qdistill.physics.grid import Grid

# Share of the probability outside of the ranges in which unknown functions are fitted, and read.
OUTSIDE, UNSEEN = 1e-5, 4e-3


class Recording(NamedTuple):
    """Frames of several runs, on a line, with what their generators are made of.

    Attributes:
      grid: The grid; its dispersion is not used.
      dt: Time from one frame to the next.
      largest: Largest wave number that occurs.
      ranges, seen: Ranges in which unknown functions are fitted, and read.
      fields: `FIELDS` at the points, for each run.
      v: The potential of each run.
      psi: The frames.
      n_substep: Substeps of a frame.
    """

    grid: Grid
    dt: float
    largest: float
    ranges: Ranges
    seen: Ranges
    fields: Complex[np.ndarray, "n_run n_field n_x"]
    v: Float[np.ndarray, "n_run n_x"]
    psi: Complex[np.ndarray, "n_run n_t n_x"]
    n_substep: int = 1


def record(grid: Grid, dt: float, v: Any, psi: Any, largest: float) -> Recording:
    """Return a recording, with the slopes of the potentials by Fourier transforms.

    Frames lose what is beyond the largest wave number: noise there would enter with high powers of
    k.
    """
    dtype = jnp.asarray(psi).real.dtype
    x, v = places(grid), np.asarray(v, float)
    slope = np.fft.ifft(1j * grid.odd_wavenumbers() * np.fft.fft(v)).real
    # The precision is that of the frames.
    psi = np.fft.ifft(np.fft.fft(np.asarray(psi)) * (np.abs(grid.wavenumbers()) <= largest))
    kind = np.result_type(dtype, np.complex64)
    ranges, seen = (_ranges(x, dt, v, psi, share) for share in (OUTSIDE, UNSEEN))
    made = [fields(np, ranges, x, *each) for each in zip(v, slope, strict=True)]
    return Recording(
        grid,
        dt,
        largest,
        ranges,
        seen,
        np.stack(made).astype(kind),
        v.astype(dtype),
        psi.astype(kind),
    )


def places(grid: Grid) -> Float[np.ndarray, " n_x"]:
    """Return the points relative to the middle of the box, where a force has no energy."""
    return grid.origin[0] - grid.middle[0] + np.arange(1, grid.shape[0] + 1) * grid.dx[0]


def _ranges(x: np.ndarray, dt: float, v: np.ndarray, psi: np.ndarray, outside: float) -> Ranges:
    density = np.abs(psi) ** 2

    def ends(values: np.ndarray) -> tuple[float, float]:
        order, of_runs = np.argsort(values.ravel()), density.sum(axis=1).ravel()
        share = np.cumsum(of_runs[order]) / of_runs.sum()
        first, last = np.searchsorted(share, [outside / 2, 1 - outside / 2])
        last = min(last, len(order) - 1)
        return float(values.ravel()[order[first]]), float(values.ravel()[order[last]])

    duration = dt * (psi.shape[1] - 1)
    return Ranges(
        ends(np.broadcast_to(x, v.shape)),
        ends(v),
        (min(duration, 0.0), max(duration, 0.0)),
        (0.0, float(density.max())),
    )


def find_noise(grid: Grid, psi: Any, largest: float) -> float:
    """Return the error of one frame by noise, from what frames have beyond a wave number."""
    frames = np.asarray(psi).reshape(-1, grid.shape[0])
    density = np.mean(np.abs(np.fft.fft(frames)) ** 2, axis=0)
    is_beyond = np.abs(grid.wavenumbers()) > largest
    n_beyond = int(np.sum(is_beyond))
    # Without noise it is what is cut from the frames.
    share = max((len(density) - n_beyond) / n_beyond, 1.0) if n_beyond else 0.0
    # A frame and the one that it is compared with both have it.
    return float(np.sqrt(2 * share * density[is_beyond].sum() / density.sum()))
