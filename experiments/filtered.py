"""Null models that see the potential through a filter, in which nothing is learned.

Emulators see the potential on several points. So do these split steps: one smooths V, the other
replaces it by what first-order perturbation theory says at sharp edges.
"""

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.corrections import filters, splittings
from experiments.emulators import NULLS
from qdistill._checks import refuse, require_positive
from qdistill._doors import require_potential
from qdistill.physics.grid import Grid, require_line
from qdistill.system import Potential, Step, System
from qdistill.teacher import schemes


class Theory(NamedTuple):
    """What perturbation theory of first order leaves open, for one number of FFT pairs.

    Attributes:
      phase: Largest kinetic phase of an FFT pair in radians.
      smoothing: Width in bohr of the Gaussian that smooths V before its slope is taken.
      corrections: Coefficients of (V')^2 in the kicks, in units of h^2 / 24.
    """

    phase: float
    smoothing: float
    corrections: tuple[float, ...]


# Phase and smoothing are near those with the least 1 - correlation on the paper's test, see
# `shelf.py`, and were fixed before the null models were used. For slow waves the filters of two
# pairs are 1/6, 2/3, 1/6, Simpson's rule and the shares of Chin's scheme 4A, whose correction they
# have; that of one pair is Takahashi and Imada's.
THEORY = {1: Theory(2.8, 0.1, (-0.5, -0.5)), 2: Theory(2.5, 0.075, (0.0, -4 / 3, 0.0))}


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

    Every width has the cap of none, `NULLS["clamped"]`. Smoothing lowers the best cap: at 0.05 bohr
    from a phase of 2.6 to 2.2 with one FFT pair and from 2.0 to 1.6 with two. That would lower
    1 - correlation on the paper's test, on the lattice, by 14% and 6%, and by less at 0.02 bohr.

    Args:
      system: The system of the emulators, one-dimensional.
      pairs: Numbers of FFT pairs per frame, 1 to 3.
      widths: Standard deviations in bohr of the Gaussians.
    """
    _require_line(system)
    found = {}
    phases = NULLS["clamped"][1]
    for n in pairs:
        if n not in phases:
            refuse("pairs", "numbers of FFT pairs from 1 to 3", n)
        plain = _strang(system, n, phases[n] * n / system.dt)
        for width in widths:
            require_positive(widths=width)
            gaussian = np.exp(-0.5 * (width * _waves(system)) ** 2)
            shares = plain.shares[:, None] * gaussian
            found[f"smoothed-{width:g}-{n}"] = _filtered(plain, shares)
    return found


def make_theory(system: System, pairs: Sequence[int] = tuple(THEORY)) -> dict[str, Filtered]:
    """Return split steps with the filters of first-order perturbation theory by name.

    Args:
      system: The system of the emulators, one-dimensional.
      pairs: Numbers of FFT pairs per frame, 1 or 2.
    """
    return {f"theory-{n}": theory(system, n) for n in pairs}


def theory(
    system: System, n: int, cap: float | None = None, smoothing: float | None = None
) -> Filtered:
    """Return the split step whose filters are those of first-order perturbation theory.

    They are made for packets of up to 5/bohr and 40 frames, as those of `perturbation_theory`. It
    has a correction by (V')^2 too, which makes it of fourth order at slow waves.

    Args:
      system: A line without channels.
      n: Number of FFT pairs per frame, 1 or 2.
      cap: Largest kinetic energy in hartree; by default from the phase in `THEORY`.
      smoothing: Width in bohr of the Gaussian that smooths V before its slope is taken; by default
        that of `THEORY`.

    Raises:
      ValueError: For another system or number of pairs, or a cap that is not positive.
    """
    _require_line(system)
    if n not in THEORY:
        refuse("n", f"a number of FFT pairs among {list(THEORY)}", n)
    cap = THEORY[n].phase * n / system.dt if cap is None else cap
    require_positive(cap=cap)
    smoothing = THEORY[n].smoothing if smoothing is None else smoothing
    if not 0 <= smoothing < np.inf:
        refuse("smoothing", "a length of at least 0", smoothing)
    plain = _strang(system, n, cap)
    shares = filters.perturbation_theory(plain).at(_waves(system)).shares
    gradients = plain.unit * np.array(THEORY[n].corrections)
    return _filtered(plain, shares, gradients, smoothing)


def _require_line(system: System) -> None:
    require_line(system.grid)
    if system.n_channel:
        refuse("system", "without channels", f"of {system.n_channel}")


def _strang(system: System, n: int, cap: float) -> splittings.Splitting:
    """Strang's splitting of n substeps, with clamped kinetic energy."""
    shares = np.full(n + 1, 1 / n)
    shares[[0, -1]] /= 2
    return splittings.of_solver(system, shares, [1 / n] * n, cap=cap)


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
