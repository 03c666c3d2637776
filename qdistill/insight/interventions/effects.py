"""Effects of an intervention on the future: by the exact solver, and by a propagator.

With psi the exact future and psi' that after the intervention, phi and phi' the propagator's,

    effect = |psi' - psi| / |psi|,
    relative error of the effect = |(phi' - phi) - (psi' - psi)| / |psi' - psi|.

The error of the effect is near 0 for a propagator that knows the cause, and 1 for one that
forecasts the usual outcome whatever is done. Its ratio to the error of the usual forecast,
|phi - psi| / |psi|, is near 1 for a propagator that knows the cause as well as the outcome, and far
above 1 for one that knows the outcome only.

What a deletion does is linear in the state. The exact evolution is linear and unitary, so the
effect of deleting a part is, at all times, the norm of that part, and the effect of turning its
phase by pi is twice that: these effects say how much there is of a process, not where it matters.
Where it matters, the *moved* probability tells, half the integral of | |psi'|^2 - |psi|^2 |. And
for a propagator that is linear by construction, phi' - phi is its forecast of the part deleted.
"""

import dataclasses
import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_at_least
from qdistill.forecast.cases import Cases
from qdistill.insight import harness
from qdistill.insight.interventions.table import Intervention, Moment
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Propagator, Step, Wrapped
from qdistill.teacher import Chebyshev

# Of the norm: where the exact effect is smaller, its relative error is not looked at.
LEAST = 0.01

PerCase = Float[np.ndarray, " n_case"]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Blind(Wrapped):
    """The propagator that sees no potential: a negative control."""

    def __call__(self, v: Potential) -> Step:
        """The step of empty space."""
        return self.of(jax.tree.map(jnp.zeros_like, v))


class Intervened(NamedTuple):
    """An intervention in every case, with and without it.

    Attributes:
      usual: Cases as they were, with the exact future.
      changed: The same after the intervention.
      gap: How far the frame before the changed state would be from the truth, relative, had the
        intervention been done to every given frame in place of the last alone.
    """

    usual: Cases
    changed: Cases
    gap: Float[Array, " n_case"]


def intervene(
    exact: Chebyshev,
    intervention: Intervention,
    moments: Moment,
    n_given: int,
    n_frames: int,
    family: tuple[str, ...] = (),
) -> Intervened:
    """Intervene at given moments, and solve what follows.

    Args:
      exact: The exact solver of a line, for potentials before and after.
      intervention: What is done.
      moments: Stacked along a first axis.
      n_given: Frames that propagators need, at least 1.
      n_frames: From the moment to the horizon, at least 1.
      family: The family of potentials of each case.
    """
    require_at_least(1, n_given=n_given, n_frames=n_frames)
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


@functools.partial(jax.jit, static_argnums=1)
def recall(
    exact: Chebyshev, n_past: int, psi: Complex[Array, "n_case n_x"], v: Float[Array, "n_case n_x"]
) -> Complex[Array, "n_case n_past n_x"]:
    """The frames that lead to psi in each case; see `harness.recall`."""
    return jax.vmap(lambda psi, v: harness.recall(exact, psi, v, n_past))(psi, v)


def _forecast_both(
    propagator: Propagator, given: tuple[Array, Array], v: tuple[Array, Array], n_frames: int
) -> tuple[Array, Array]:
    """The frames that follow, with and without the intervention."""
    frames = harness.forecast(propagator, jnp.concatenate(given), jnp.concatenate(v), n_frames)
    return frames[: len(given[0])], frames[len(given[0]) :]


class Effects(NamedTuple):
    """Of one intervention on one propagator's forecasts, by case; see the top of the file.

    Attributes:
      effect: The exact one.
      moved: Probability that the exact effect moves elsewhere, or takes away: half the L1 norm.
      own_effect: On the propagator's own forecasts.
      own_moved: The same.
      error: Of the usual forecast, relative.
      effect_error: Relative error of the effect; NaN where the exact effect is below `LEAST`.
      excess: The error of the effect over that of the forecast; likewise.
    """

    effect: PerCase
    moved: PerCase
    own_effect: PerCase
    own_moved: PerCase
    error: PerCase
    effect_error: PerCase
    excess: PerCase


def measure_effects(propagator: Propagator, done: Intervened) -> Effects:
    """Compare a propagator's effect of an intervention with the exact one, at the horizon.

    Args:
      propagator: What is asked.
      done: With as many given frames as it needs.

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
    """What diverges is infinitely wrong."""
    return np.where(np.isfinite(values), values, np.inf)
