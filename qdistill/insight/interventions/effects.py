"""Effects of an intervention on the exact solution and on the forecasts of a propagator.

Let psi be the exact solution, psi' the one after the intervention, and phi and phi' the forecasts:

    effect = |psi' - psi| / |psi|,
    relative error of the effect = |(phi' - phi) - (psi' - psi)| / |psi' - psi|.

The error of the effect is 0 for an exact propagator, and 1 for one whose forecast ignores the
intervention. The `excess` is its ratio to the error of the usual forecast, |phi - psi| / |psi|. It
can be far above 1 for accurate solvers too, where the effect is small or the state after the
intervention is harder to propagate. So compare it with null models and the exact solver, not with
1.

A deletion acts linearly on the state. The exact evolution is linear and unitary, so the effect of
deleting a part is the norm of that part at all times, and the effect of multiplying it by -1 is
twice that. These effects measure the size of the part, not its influence on the outcome. The
*moved* probability, half the integral of | |psi'|^2 - |psi|^2 |, measures the influence. For a
propagator that is linear by construction, phi' - phi is its forecast of the deleted part.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_at_least, require_each
from qdistill._refusals import explained
from qdistill.forecast.cases import Cases
from qdistill.insight import harness
from qdistill.insight.interventions.table import Intervention, Moment
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Propagator, Step, Wrapped
from qdistill.teacher import Chebyshev

# Smallest exact effect, relative to the norm, whose relative error is evaluated.
LEAST = 0.01

PerCase = Float[np.ndarray, " n_case"]


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Blind(Wrapped):
    """A propagator that ignores the potential, as a negative control."""

    def __call__(self, v: Potential) -> Step:
        """Return the step of empty space."""
        return self.of(jax.tree.map(jnp.zeros_like, v))


class Intervened(NamedTuple):
    """Test cases with and without an intervention.

    Attributes:
      usual: Cases without the intervention, with exact solutions.
      changed: Cases with the intervention, with exact solutions.
      gap: Relative error of the frame before the changed state, if the intervention were applied
        to every given frame and not to the last alone.
    """

    usual: Cases
    changed: Cases
    gap: Float[Array, " n_case"]


@explained
def intervene(
    exact: Chebyshev,
    intervention: Intervention,
    moments: Moment,
    n_given: int,
    n_frames: int,
    family: tuple[str, ...] = (),
) -> Intervened:
    """Return solved cases with and without an intervention at given moments.

    Args:
      exact: The exact solver of a one-dimensional system, for potentials before and after.
      intervention: The intervention.
      moments: States and potentials at the moments, stacked along a first axis.
      n_given: Number of given frames, at least 1.
      n_frames: Number of frames from the moment to the horizon, at least 1.
      family: The family of potentials of each case.
    """
    require_at_least(1, n_given=n_given, n_frames=n_frames)
    require_each("case", moments=moments)
    psi, v = _act(exact.system.grid, intervention, moments)
    n_past = max(2, n_given)
    usual = recall(exact, n_past, moments.psi, moments.v)
    changed = recall(exact, n_past, psi, v)
    before = usual[:, -2]
    frame_by_frame, _ = _act(exact.system.grid, intervention, moments._replace(psi=before))
    gap = jnp.linalg.norm(frame_by_frame - changed[:, -2], axis=-1)
    given, potentials = (usual[:, -n_given:], changed[:, -n_given:]), (moments.v, v)
    futures = _forecast_both(exact, given, potentials, n_frames)
    before, after = (Cases(*each, family) for each in zip(given, potentials, futures, strict=True))
    return Intervened(before, after, gap / jnp.linalg.norm(psi, axis=-1))


@functools.partial(jax.jit, static_argnums=(0, 1))
def _act(grid: Grid, intervention: Intervention, moments: Moment) -> tuple[Array, Array]:
    def act(moment: Moment) -> tuple[Array, Array]:
        return intervention.on_psi(grid, moment, moment.psi), intervention.on_v(grid, moment)

    return jax.vmap(act)(moments)


@explained
@functools.partial(jax.jit, static_argnums=1)
def recall(
    exact: Chebyshev, n_past: int, psi: Complex[Array, "n_case n_x"], v: Float[Array, "n_case n_x"]
) -> Complex[Array, "n_case n_past n_x"]:
    """Return the exact frames that lead to psi in each case; see `harness.recall`."""
    return jax.vmap(lambda psi, v: harness.recall(exact, psi, v, n_past))(psi, v)


def _forecast_both(
    propagator: Propagator, given: tuple[Array, Array], v: tuple[Array, Array], n_frames: int
) -> tuple[Array, Array]:
    """The forecasts without and with the intervention."""
    frames = harness.forecast(propagator, jnp.concatenate(given), jnp.concatenate(v), n_frames)
    return frames[: len(given[0])], frames[len(given[0]) :]


class Effects(NamedTuple):
    """The effects of an intervention on the forecasts of a propagator, by case.

    The docstring of the module defines all quantities.

    Attributes:
      effect: Effect on the exact solution.
      moved: Probability moved or removed by the exact effect, half the L1 norm.
      own_effect: Effect on the propagator's forecasts.
      own_moved: Probability moved or removed by the effect on the forecasts.
      error: Relative error of the usual forecast.
      effect_error: Relative error of the effect; NaN where the exact effect is below `LEAST`.
      excess: Ratio of the error of the effect to that of the usual forecast; NaN likewise.
    """

    effect: PerCase
    moved: PerCase
    own_effect: PerCase
    own_moved: PerCase
    error: PerCase
    effect_error: PerCase
    excess: PerCase


@explained
def measure_effects(propagator: Propagator, done: Intervened) -> Effects:
    """Return the effects of an intervention at the horizon, by a propagator and exactly.

    Args:
      propagator: The propagator.
      done: Cases with and without the intervention, with as many given frames as it needs.

    Raises:
      ValueError: For too few given frames.
    """
    usual, changed = done.usual, done.changed
    own = _forecast_both(
        propagator, (usual.given, changed.given), (usual.v, changed.v), usual.frames.shape[1]
    )
    phi, phi_done = (np.asarray(frames[:, -1], complex) for frames in own)
    psi, psi_done = (np.asarray(each.frames[:, -1], complex) for each in (usual, changed))
    cell = propagator.system.grid.cell

    def moved(before: np.ndarray, after: np.ndarray) -> np.ndarray:
        return np.sum(np.abs(np.abs(after) ** 2 - np.abs(before) ** 2), axis=-1) * cell / 2

    with np.errstate(all="ignore"):
        size, effect = _norm(psi), _norm(psi_done - psi)
        missed = _norm((phi_done - phi) - (psi_done - psi))
        error = _norm(phi - psi) / size
        effect_error = np.where(effect >= LEAST * size, _or_infinite(missed / effect), np.nan)
        return Effects(
            effect / size,
            moved(psi, psi_done),
            _norm(phi_done - phi) / _norm(phi),
            moved(phi, phi_done),
            error,
            effect_error,
            effect_error / error,
        )


def _norm(psi: np.ndarray) -> PerCase:
    return np.linalg.norm(psi, axis=-1)


def _or_infinite(values: np.ndarray) -> np.ndarray:
    """The values, with NaN of diverged forecasts replaced by infinity."""
    return np.where(np.isfinite(values), values, np.inf)
