"""Null models that see the potential through a filter, in which nothing is learned.

Emulators see the potential on several points. So do these split steps: one smooths V, the other
replaces it by what first-order perturbation theory says at sharp edges.
"""

import dataclasses
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.corrections import filters, splittings
from experiments.emulators import NULLS
from qdistill._checks import refuse
from qdistill._doors import require_potential
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Step, System
from qdistill.teacher import schemes

# Of the split steps with filters of perturbation theory, by the number of FFT pairs: the largest
# kinetic phase of a pair in radians and the smoothing in bohr of the V whose slope is taken, those
# with the least 1 - correlation on the paper's test; and the coefficients of (V')^2 in units of
# h^2 / 24. For slow waves the filters of two pairs are 1/6, 2/3, 1/6, Simpson's rule and the
# shares of Chin's scheme 4A, whose coefficients these are; those of one pair are Takahashi-Imada's.
THEORY = {1: (2.8, 0.1, (-0.5, -0.5)), 2: (2.5, 0.075, (0.0, -4 / 3, 0.0))}


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Filtered:
    """A split step on a line, each of whose kicks has its own filter of V.

    Attributes:
      system: The system.
      shares: Factors of the Fourier series of V, one row for each kick.
      drifts: Phases of the waves in radians, in FFT order, one row for each drift.
      gradients: Coefficients of (V')^2 / m of each kick, in 1/hartree.
      smoothing: Width in bohr of the Gaussian that smooths V before the slope is taken.
    """

    system: System = dataclasses.field(metadata={"static": True})
    shares: Float[Array, "n_kick n_q"]
    drifts: Float[Array, "n_drift n_x"]
    gradients: Float[Array, " n_kick"]
    smoothing: float = dataclasses.field(default=0.0, metadata={"static": True})

    @property
    def n_history(self) -> int:
        """One: the state is psi itself."""
        return 1

    @property
    def is_linear(self) -> bool:
        """True."""
        return True

    @property
    def is_unitary(self) -> bool:
        """True: all factors are phases."""
        return True

    @property
    def is_differentiable(self) -> bool:
        """True."""
        return True

    def __call__(self, v: Potential) -> Step:
        """Return the step of one frame."""
        require_potential(self.system, v)
        grid, dt = self.system.grid, self.system.dt
        kicks = jnp.fft.irfft(self.shares * jnp.fft.rfft(v)[None], v.shape[-1])
        slope = _square_of_slope(grid, schemes.smooth(grid, v, self.smoothing))
        kicks += self.gradients[:, None] * slope[None]
        turns, drifts = jnp.exp(-1j * dt * kicks), jnp.exp(-1j * self.drifts)

        def advance(psi: Array) -> Array:
            waves = turns[0] * psi
            for turn, drift in zip(turns[1:], drifts, strict=True):
                waves = turn * jnp.fft.ifft(drift * jnp.fft.fft(waves))
            return waves.astype(psi.dtype)

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)


def make_smoothed(
    system: System, pairs: Sequence[int], widths: Sequence[float]
) -> dict[str, Filtered]:
    """Return clamped split steps of a smoothed potential by name.

    Args:
      system: The system of the emulators, one-dimensional.
      pairs: Numbers of FFT pairs per frame, 1 to 3.
      widths: Standard deviations in bohr of the Gaussians.
    """
    found = {}
    for n in pairs:
        phases = NULLS["clamped"][1]
        if n not in phases:
            refuse("nulls", "numbers of FFT pairs from 1 to 3", n)
        plain = _strang(system, n, phases[n])
        for width in widths:
            gaussian = np.exp(-0.5 * (width * _waves(system)) ** 2)
            shares = plain.shares[:, None] * gaussian
            found[f"smoothed-{width:g}-{n}"] = _filtered(plain, shares)
    return found


def make_theory(system: System, pairs: Sequence[int] = tuple(THEORY)) -> dict[str, Filtered]:
    """Return split steps with the filters of first-order perturbation theory by name.

    They have a correction by (V')^2 too, which makes them of fourth order at slow waves.

    Args:
      system: The system of the emulators, one-dimensional.
      pairs: Numbers of FFT pairs per frame, 1 or 2.
    """
    found = {}
    for n in pairs:
        if n not in THEORY:
            refuse("nulls", f"numbers of FFT pairs among {list(THEORY)}", n)
        phase, smoothing, corrections = THEORY[n]
        plain = _strang(system, n, phase)
        shares = filters.perturbation_theory(plain).at(_waves(system)).shares
        gradients = plain.unit * np.array(corrections)
        found[f"theory-{n}"] = _filtered(plain, shares, gradients, smoothing)
    return found


def _strang(system: System, n: int, phase: float) -> splittings.Splitting:
    """Strang's splitting of n substeps, with clamped kinetic energy."""
    shares = np.full(n + 1, 1 / n)
    shares[[0, -1]] /= 2
    return splittings.of_solver(system, shares, [1 / n] * n, cap=phase * n / system.dt)


def _square_of_slope(grid: Grid, v: Float[Array, " n_x"]) -> Float[Array, " n_x"]:
    """(V')^2 / m in hartree^2; on the lattice as in `corrections.splittings`."""
    if grid.dispersion == "continuum":
        return schemes.square_of_gradient(grid, v)
    step = (jnp.roll(v, -1) - v) ** 2
    return (step + jnp.roll(step, 1)) / (2 * grid.mass[0] * grid.dx[0] ** 2)


def _waves(system: System) -> Float[np.ndarray, " n_q"]:
    """The wave numbers of a real Fourier series, in 1/bohr."""
    n = system.grid.shape[0]
    return np.abs(np.asarray(system.grid.wavenumbers(), float))[: n // 2 + 1]


def _filtered(
    plain: splittings.Splitting,
    shares: Float[np.ndarray, "n_kick n_q"],
    gradients: Float[np.ndarray, " n_kick"] | None = None,
    smoothing: float = 0.0,
) -> Filtered:
    """The propagator with the drifts of a splitting."""
    if gradients is None:
        gradients = np.zeros(len(plain.shares))
    drifts = plain.drifts(plain.system.grid)
    return Filtered(
        plain.system,
        jnp.asarray(shares, float),
        jnp.asarray(drifts, float),
        jnp.asarray(gradients, float),
        smoothing,
    )
