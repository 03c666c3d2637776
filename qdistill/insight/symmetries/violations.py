"""Violations of symmetries by a propagator, compared with its inaccuracy.

An accurate propagator nearly keeps every symmetry, because the exact solution has it. So the
violation is compared with the propagator's own errors. With U the exact solver and F the
propagator, both over n frames, the violation of a map g is

    C_F = F(g psi) - g F(psi),        rho = |C_F - C_U| / (|F(g psi) - U(g psi)| + |g F - g U|),

where C_U, the violation by the exact solver, vanishes if it has the symmetry. By the triangle
inequality rho lies between 0 and 1. Two independent errors of equal size give 1 / sqrt(2); errors
that g maps onto each other give 0. Violations that a propagator shares with the exact solver do not
count.

If g reverses time, its image begins with the end of the forecast, so F and U have different initial
states. The errors are then those of U retracing the frames of F: see `_compare`.

For a conserved q(psi, psi) the violation is |q(F psi) - q(psi)|, and with e = F psi - U psi

    rho = |q(F) - q(U)| / |(|q(e, U)| + |q(U, e)| + |q(e, e)|)|,

the change of q relative to the largest change by an error of other phase. Most of an error cannot
change q at all, so a ratio to |e| would be small for every propagator. A random phase gives
1 / sqrt(2) in the root mean square here too.

A small rho does not show that a symmetry was learned: non-learned solvers can have the same rho on
the same cases. Compare with null models of the same error.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_at_least
from qdistill._refusals import explained
from qdistill.forecast.cases import Cases
from qdistill.insight.symmetries.claims import (
    Claim,
    Composition,
    Frames,
    Invariant,
    Pair,
    Symmetry,
    Transformation,
)
from qdistill.insight.symmetries.trajectories import (
    Images,
    Trajectories,
    forecast,
    forecast_pair,
    recall,
    run,
    transform,
)
from qdistill.physics.grid import Scalar
from qdistill.system import Propagator, System
from qdistill.teacher import Chebyshev


class Violation(NamedTuple):
    """The measured violation of one claim, mean over frames, relative to |psi|.

    Attributes:
      own: |C_F|, the violation by the propagator.
      exact: |C_U|, the violation by the exact solver.
      excess: |C_F - C_U|.
      errors: Upper bound of the excess by the propagator's own errors.
    """

    own: Float[Array, "*n"]
    exact: Float[Array, "*n"]
    excess: Float[Array, "*n"]
    errors: Float[Array, "*n"]

    @property
    def rho(self) -> Float[Array, "*n"]:
        """The ratio excess / errors, between 0 and 1; NaN for a propagator without error."""
        return self.excess / self.errors


@explained
def measure(propagator: Propagator, exact: Chebyshev, claim: Claim, ran: Trajectories) -> Violation:
    """Return the violation of a claim by one pair of trajectories.

    Args:
      propagator: The propagator.
      exact: The exact solver, for the potential and its images.
      claim: The claim of a symmetry.
      ran: The result of `run`; without a potential for a claim about empty space.
    """
    if isinstance(claim, Transformation):
        return _of_transformation(propagator, exact, claim, ran)
    if isinstance(claim, Composition):
        return _of_composition(propagator, exact, claim, ran)
    return _of_invariant(exact.system, propagator.n_history, claim, ran)


def _of_transformation(
    propagator: Propagator, exact: Chebyshev, g: Transformation, ran: Trajectories
) -> Violation:
    v, (given, image), (true_given, true_image) = _transform(
        exact.system, propagator.n_history, g, ran
    )
    n_frames = len(image)
    return _compare(
        forecast(propagator, given, v, n_frames),
        image,
        forecast(exact, given[-1:], v, n_frames),
        true_image,
        # If time runs backwards the given frames differ: they come from the forecasts.
        forecast(exact, true_given[-1:], v, n_frames),
    )


_transform = jax.jit(transform, static_argnums=(0, 1, 2))


def _of_composition(
    propagator: Propagator, exact: Chebyshev, claim: Composition, ran: Trajectories
) -> Violation:
    n_history, v = propagator.n_history, ran.v
    n_frames = ran.own.shape[1] - n_history
    middle = n_history + n_frames // 2
    first = middle + claim.n_lost

    def restart(pair: Pair) -> tuple[Array, Array, Array]:
        """Forecast and exact solution from the middle frame, and the uninterrupted forecast."""
        psi, went_on = pair[0, middle - 1], pair[0, first:]
        given = recall(exact, psi, v, n_history)
        again = (
            forecast(propagator, given, v, n_frames),
            forecast(exact, psi[None], v, n_frames),
        )
        return again[0][: len(went_on)], again[1][: len(went_on)], went_on

    again, reference, went_on = restart(ran.own)
    _, true_again, true_went_on = restart(ran.exact)
    return _compare(again, went_on, reference, true_went_on, true_again)


@jax.jit
def _compare(
    forecast: Frames, image: Frames, reference: Frames, true_image: Frames, true_reference: Frames
) -> Violation:
    violation, exact = forecast - image, true_reference - true_image
    errors = (forecast - reference, (image - true_image) - (reference - true_reference))
    sizes = _norms(true_image)

    def mean(frames: Frames) -> Array:
        return _or_infinite(jnp.mean(_norms(frames) / sizes))

    return Violation(
        mean(violation), mean(exact), mean(violation - exact), mean(errors[0]) + mean(errors[1])
    )


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _of_invariant(system: System, n_history: int, claim: Invariant, ran: Trajectories) -> Violation:
    start = ran.exact[:, n_history - 1]
    q = claim.form(system, ran.v, start)

    @jax.vmap
    def at_frame(psi: Complex[Array, "2 *n_x"], true: Complex[Array, "2 *n_x"]) -> tuple:
        error = psi - true
        bras = jnp.stack([psi, true, start, error, true, error])
        kets = jnp.stack([psi, true, start, true, error, error])
        own, exact, before, *crossed = jax.vmap(q)(bras, kets)
        changes = own - before, exact - before, own - exact
        return *(jnp.linalg.norm(a) for a in changes), jnp.linalg.norm(sum(map(jnp.abs, crossed)))

    pairs = (jnp.swapaxes(pair[:, n_history:], 0, 1) for pair in (ran.own, ran.exact))
    return Violation(*(_or_infinite(jnp.mean(each)) for each in at_frame(*pairs)))


@explained
def measure_lie_derivative(
    propagator: Propagator,
    exact: Chebyshev,
    group: Callable[[Scalar], Transformation],
    ran: Trajectories,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Return the relative violation of a continuous symmetry by its generator, own and exact.

    With g_s the group it is |d/ds (F(g_s psi) - g_s F(psi))| / |d/ds g_s F(psi)| at s = 0, with the
    mean over frames of either norm, by forward differentiation through the forecast. Stopped
    gradients, as through a gauge, do not contribute.
    """
    n = propagator.n_history
    v, (given, image), (true_given, true_image) = _generate(exact.system, n, group, ran)
    own = _push(propagator, (ran.own[0, :n], ran.v), (given, v), len(image))
    true = _push(exact, (ran.exact[0, n - 1 : n], ran.v), (true_given[-1:], v), len(image))
    return _relative(own, image), _relative(true, true_image)


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def _generate(
    system: System, n_history: int, group: Callable[[Scalar], Transformation], ran: Trajectories
) -> Images:
    """The generator's action on a potential and trajectories: d/ds of `transform` at s = 0."""
    zero = jnp.zeros((), ran.own.real.dtype)
    return jax.jvp(
        lambda s: transform(system, n_history, group(s), ran), (zero,), (jnp.ones_like(zero),)
    )[1]


@functools.partial(jax.jit, static_argnums=3)
def _push(propagator: Propagator, at: tuple, tangents: tuple, n_frames: int) -> Frames:
    return jax.jvp(lambda given, v: forecast(propagator, given, v, n_frames), at, tangents)[1]


@jax.jit
def _relative(own: Frames, image: Frames) -> Float[Array, ""]:
    sizes = (jnp.mean(_norms(a)) for a in (own - image, image))
    return _or_infinite(jnp.divide(*sizes))


class Findings(NamedTuple):
    """The measurements of one symmetry for one propagator, each an array over the cases.

    Attributes:
      claim, control: Violation of the claim, and of its negative control.
      lie: Lie derivative, own and exact, if the symmetry is continuous.
    """

    claim: Violation
    control: Violation
    lie: tuple[Array, Array] | None


@explained
def measure_all(
    propagator: Propagator,
    exact: Chebyshev,
    cases: Cases,
    symmetries: dict[str, Symmetry],
    with_lie: bool = True,
) -> dict[str, Findings]:
    """Return the measurements of every symmetry over all cases, by name.

    Args:
      propagator: The propagator.
      exact: The exact solver, for all potentials and their images.
      cases: Test cases in pairs, two packets in one potential, from `sample_cases`.
      symmetries: Symmetries by name.
      with_lie: Whether to measure Lie derivatives.

    Raises:
      ValueError: For fewer given frames than the propagator needs, or fewer than 2 that follow.
    """
    require_at_least(propagator.n_history, n_given=cases.given.shape[1])
    require_at_least(2, n_frames=cases.frames.shape[1])
    given, v, truth = (a.reshape(-1, 2, *a.shape[1:]) for a in (cases.given, cases.v, cases.frames))
    v = v[:, 0]
    every_run = jax.vmap(functools.partial(run, propagator))
    ran = free = every_run(given, v, truth)
    if any(getattr(each.claim, "is_free", False) for each in symmetries.values()):
        free = every_run(*_in_empty_space(exact, given, v, truth.shape[2]))

    def of(claim: Claim) -> Violation:
        cases = free if getattr(claim, "is_free", False) else ran
        return jax.vmap(lambda case: measure(propagator, exact, claim, case))(cases)

    def lie(group: Callable[[Scalar], Transformation] | None) -> tuple[Array, Array] | None:
        if group is None or not with_lie:
            return None
        return jax.vmap(lambda case: measure_lie_derivative(propagator, exact, group, case))(ran)

    return {
        name: Findings(of(each.claim), of(each.control), lie(each.group))
        for name, each in symmetries.items()
    }


def _in_empty_space(
    exact: Chebyshev, given: Complex[Array, "n_case 2 n_given *n_x"], v: Array, n_frames: int
) -> tuple[Array, Array, Array]:
    """The given frames in empty space that end with the same state, and the frames that follow."""
    empty = jnp.zeros_like(v)

    def solve(given: Array, v: Array) -> tuple[Array, Array]:
        before = jnp.stack([recall(exact, each[-1], v, len(each)) for each in given])
        return before, forecast_pair(exact, before, v, n_frames)

    before, truth = jax.vmap(solve)(given, empty)
    return before, empty, truth


def _norms(frames: Frames) -> Float[Array, " n_t"]:
    return jnp.linalg.norm(frames.reshape(len(frames), math.prod(frames.shape[1:])), axis=-1)


def _or_infinite(value: Array) -> Array:
    return jnp.where(jnp.isfinite(value), value, jnp.inf)
