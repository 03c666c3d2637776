"""Splitting students with one learned part replaced, and their errors on the usual cases."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float

from experiments.corrections import replacements, splittings
from experiments.corrections.splittings import Splitting
from experiments.order.traits import K_MAX
from qdistill.forecast.cases import Cases
from qdistill.insight import probes
from qdistill.physics.grid import Grid
from qdistill.students import Emulator

# Faster than the packets of all lessons, in 1/bohr; above it are the waves that edges make.
FAST = 6.0


def versions(splitting: Splitting) -> dict[str, Splitting]:
    """Return a learned splitting as it is, and with one part replaced at a time.

    - ``"local phases zero"``: kicks by shares of V alone.
    - ``"mass alone"``: the parabola with the learned mass, up to waves that no packet has.
    - ``"fast waves clamped"``: constant phases above these.
    """
    zero = np.zeros(len(splitting.shares))
    return {
        "as learned": splitting,
        "local phases zero": splitting.replaced(zero, zero),
        "mass alone": dataclasses.replace(splitting, drifts=_with(splitting, _parabola)),
        "fast waves clamped": dataclasses.replace(splitting, drifts=_with(splitting, _clamped)),
    }


def _with(
    splitting: Splitting, change: Callable[[np.ndarray, np.ndarray], np.ndarray]
) -> Callable[[Grid], Float[np.ndarray, "n_b n_x"]]:
    """The kinetic phases with a change of each curve, a function of |k| and of the phases."""

    def drifts(grid: Grid) -> Float[np.ndarray, "n_b n_x"]:
        k = np.abs(grid.wavenumbers())
        return np.stack([change(k, phase) for phase in splitting.drifts(grid)])

    return drifts


def _parabola(k: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """The phases as a parabola up to `FAST`; above, they are shifted to join it."""
    order = np.argsort(k)
    fit = probes.fit_dispersion(k[order], phase[order], K_MAX).value
    parabola = fit.offset + k**2 / (2 * fit.mass)
    first = np.argmin(np.abs(k - FAST))
    shift = parabola[first] - phase[first]
    return np.where(k <= k[first], parabola, phase + shift)


def _clamped(k: np.ndarray, phase: np.ndarray) -> np.ndarray:
    """The phases, constant above `FAST`."""
    return np.where(k > FAST, phase[np.argmin(np.abs(k - FAST))], phase)


def measure(members: Sequence[Emulator], truth: Cases) -> dict[str, Any]:
    """Return the median error of each version, for each training."""
    found: dict[str, list[float]] = {}
    for member in members:
        for name, version in versions(splittings.of_emulator(member)).items():
            each = replacements.errors(version, truth)
            found.setdefault(name, []).append(float(f"{np.median(each):.4g}"))
    return found
