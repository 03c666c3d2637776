"""How far a propagator breaks a symmetry, and whether it is more than its inaccuracy.

An accurate propagator nearly keeps every symmetry, because the solution has it. To tell a symmetry
that is built in or learned from mere accuracy, its violation is set against the propagator's own
errors. With U the exact solver and F the propagator, both over n frames, the violation of a map g
is

    C_F = F(g psi) - g F(psi),        rho = |C_F - C_U| / (|F(g psi) - U(g psi)| + |g F - g U|),

and C_U, the exact solver's own violation, vanishes wherever it has the symmetry. By the triangle
inequality rho lies between 0 and 1. Two independent errors of equal size give 1 / sqrt(2); errors
that g maps onto each other give 0. What breaks a symmetry as its teacher does is not blamed for it.

Where g reverses time, its image begins with the end of the forecast, so that F and U begin at
different places; the errors are then those of U's retracing of F's frames: see `_compare`.

For a conserved q(psi, psi) the violation is |q(F psi) - q(psi)|, and with e = F psi - U psi

    rho = |q(F) - q(U)| / |(|q(e, U)| + |q(U, e)| + |q(e, e)|)|,

the share of the error that changes q, of what it could change if its phase were another: most of an
error cannot change q at all, so a ratio to |e| would praise every propagator. A random phase gives
1 / sqrt(2) in the root mean square here too.
"""

import functools
import math
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float

from qdistill._checks import require_at_least
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
    """What is measured of one claim, mean over frames; relative to |psi|, so without unit.

    Attributes:
      own: |C_F|, the propagator's violation.
      exact: |C_U|, that of the exact solver.
      excess: |C_F - C_U|.
      errors: What the excess is at most, by the propagator's own errors.
    """

    own: Float[Array, "*n"]
    exact: Float[Array, "*n"]
    excess: Float[Array, "*n"]
    errors: Float[Array, "*n"]

    @property
    def rho(self) -> Float[Array, "*n"]:
        """excess / errors, between 0 and 1; NaN for a propagator without error."""
        return self.excess / self.errors


def measure(propagator: Propagator, exact: Chebyshev, claim: Claim, ran: Trajectories) -> Violation:
    """Measure the violation of a claim by one pair of trajectories.

    Args:
      propagator: What is asked.
      exact: The exact solver, for the potential and its images.
      claim: Of a symmetry.
      ran: From `run`; in an empty potential for a claim that is free.
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
        # Not the same given frames where time runs backwards: then they come from the forecasts.
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
        """Forecast and exact solution from the frame before the middle, and what went on."""
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


def measure_lie_derivative(
    propagator: Propagator,
    exact: Chebyshev,
    group: Callable[[Scalar], Transformation],
    ran: Trajectories,
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Measure the relative violation of a continuous symmetry by its generator, own and exact.

    With g_s the group, |d/ds (F(g_s psi) - g_s F(psi))| / |d/ds g_s F(psi)| at s = 0, the mean over
    frames of either, by forward differentiation through the forecast. It is what the gradients
    of a training would see: a gauge that is stopped there is not seen here either.
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
    """What the generator makes of a potential and its trajectories: d/ds of `transform`, s = 0."""
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
    """What one propagator's forecasts showed of a symmetry, each array over the cases.

    Attributes:
      claim, control: The violation of the claim, and of its negative control.
      lie: The Lie derivative, own and exact, if the symmetry is continuous.
    """

    claim: Violation
    control: Violation
    lie: tuple[Array, Array] | None


def measure_all(
    propagator: Propagator,
    exact: Chebyshev,
    cases: Cases,
    symmetries: dict[str, Symmetry],
    with_lie: bool = True,
) -> dict[str, Findings]:
    """Measure every symmetry, its control and its Lie derivative, over all cases.

    Args:
      propagator: What is asked.
      exact: The exact solver, for all potentials and their images.
      cases: In pairs, two packets in one potential: from `sample_cases`.
      symmetries: By name.
      with_lie: Whether to take Lie derivatives.

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
    """Given frames that end where these do, but without any potential, and what follows them."""
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
