"""Forecast errors of splittings whose local phases are removed, or replaced by the formula."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.corrections.splittings import Splitting
from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.physics.families import SHARP
from qdistill.system import System


def make_cases(system: System, n_case: int, seed: int, n_frames: int) -> Cases:
    """Return held-out potentials of every family with one packet each, and their exact frames."""
    names, psi, v = baselines.sample_cases(jax.random.key(seed), system.grid, n_case)
    return cases.simulate(cases.exact(system, v), psi, v, 1, n_frames, names)


def errors(splitting: Splitting, truth: Cases) -> Float[np.ndarray, " n_case"]:
    """Return the relative L2 error of each case, mean over its frames."""
    grid = splitting.system.grid
    v = np.asarray(truth.v, float)
    # Phases in double precision, so that large ones keep their digits.
    kicks = np.exp(-1j * splitting.kicks(grid, v))
    drifts = np.exp(-1j * splitting.drifts(grid))
    arrays = (jnp.asarray(each, jnp.complex64) for each in (kicks, drifts))
    return np.asarray(_errors(*arrays, truth.given[:, -1], truth.frames), float)


@jax.jit
def _errors(
    kicks: Complex[Array, "n_case n_a n_x"],
    drifts: Complex[Array, "n_b n_x"],
    psi: Complex[Array, "n_case n_x"],
    frames: Complex[Array, "n_case n_t n_x"],
) -> Float[Array, " n_case"]:
    def error(kicks: Array, psi: Array, frames: Array) -> Array:
        def frame(psi: Array, true: Array) -> tuple[Array, Array]:
            psi = kicks[0] * psi
            for kick, drift in zip(kicks[1:], drifts, strict=True):
                psi = kick * jnp.fft.ifft(drift * jnp.fft.fft(psi))
            return psi, jnp.linalg.norm(psi - true) / jnp.linalg.norm(true)

        return jnp.mean(jax.lax.scan(frame, psi, frames)[1])

    return jax.vmap(error)(kicks, psi, frames)


def intervene(splitting: Splitting, fitted: Mapping[str, Any], truth: Cases) -> dict[str, Any]:
    """Return the errors on smooth and on sharp potentials, with and without the local phases.

    Args:
      splitting: A learned splitting.
      fitted: The coefficients of its kicks, from `fits.fit`.
      truth: The held-out cases.
    """
    zero = np.zeros(len(splitting.shares))
    rows = {key: [kick[key] for kick in fitted["kicks"]] for key in ("gradient", "curvature")}
    versions = {
        "as learned": splitting,
        "local phases zero": splitting.replaced(zero, zero),
        "formula": splitting.replaced(rows["gradient"], zero),
        "formula with V''": splitting.replaced(rows["gradient"], rows["curvature"]),
    }
    return {name: by_kind(errors(each, truth), truth) for name, each in versions.items()}


def by_kind(each: Float[np.ndarray, " n_case"], truth: Cases) -> dict[str, Any]:
    """Return the median error on smooth and on sharp potentials, and the error of every case."""
    is_sharp = np.array([family in SHARP for family in truth.family])
    return {
        kind: {"median": float(np.median(each[chosen])), "cases": each[chosen].tolist()}
        for kind, chosen in (("smooth", ~is_sharp), ("sharp", is_sharp))
    }


@dataclasses.dataclass(frozen=True)
class Edges:
    """One barrier or well in a box, with edges of the form of a hyperbolic tangent.

    Attributes:
      width: Width of the edges in bohr; 0 for the rectangular ones of the lesson `barrier`.
    """

    width: float

    def sample(self, rng: np.random.Generator, system: System, n: int) -> np.ndarray:
        """Return `n` potentials, with heights as in the lesson."""
        length, x = system.grid.lengths[0], np.asarray(system.grid.positions(), float)
        height = rng.uniform(-12, 15, (n, 1))
        half = rng.uniform(0.02, 0.12, (n, 1)) * length
        inside = half - np.abs(x - system.grid.origin[0] - length / 2)
        if not self.width:
            return height * (inside > 0)
        return height / 2 * (1 + np.tanh(inside / self.width))
