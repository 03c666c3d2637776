"""How far a student breaks each symmetry, and whether it is more than its inaccuracy.

An accurate student nearly keeps every symmetry, because the solution has it. To tell a symmetry
that is built in or learned from mere accuracy, its violation is set against the student's own
errors. With U the exact solver and F the student, both over n frames, the violation of a map g is

    C_F = F(g psi) - g F(psi),        rho = |C_F - C_U| / (|F(g psi) - U(g psi)| + |g F - g U|),

and C_U, the teacher's own violation, vanishes wherever the teacher has the symmetry. By the
triangle inequality rho lies between 0 and 1. Two errors that know nothing of each other, of equal
size, give 1 / sqrt(2); errors that g maps onto each other give 0. A student that breaks what its
teacher breaks is not blamed for it.

Where g turns time round, its image begins with the end of the forecast, so that F and U begin at
different places; the errors are then those of U's retracing of F's frames: see `_compare`.

For a conserved q(psi, psi) the violation is |q(F psi) - q(psi)|, and with e = F psi - U psi

    rho = |q(F) - q(U)| / |(|q(e, U)| + |q(U, e)| + |q(e, e)|)|,

the share of the error that changes q, of what it could change if its phase were another: most of an
error cannot change q at all, so a ratio to |e| would praise every student. A random phase gives
1 / sqrt(2) in the root mean square here too.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PyTree

from qdistill._checks import refuse, require_at_least
from qdistill._rollout import rollout
from qdistill.insight.symmetries.table import (
    SYMMETRIES,
    Claim,
    Composition,
    Frames,
    Invariant,
    Landscape,
    Pair,
    Symmetry,
    Transformation,
)
from qdistill.physics.grid import Grid, Scalar
from qdistill.students import Student
from qdistill.teacher import solvers as solver


class Setting(NamedTuple):
    """What a forecast is of.

    Attributes:
      grid: One-dimensional.
      dt: Duration of a frame, in atomic units.
      n_history: Frames that are given.
      n_frames: Frames that are forecast.
    """

    grid: Grid
    dt: float
    n_history: int
    n_frames: int

    @property
    def times(self) -> Float[np.ndarray, " n_t"]:
        """Of given frames and forecast, in a.u.; 0 at the newest given one."""
        return self.dt * np.arange(1 - self.n_history, self.n_frames + 1)


class Laboratory(NamedTuple):
    """A student and the exact solver side by side, both compiled once.

    Attributes:
      setting: Static.
      params: The student's.
      forecast: ``(params, given, v) -> frames``, the student's.
      exact: ``(psi, v) -> frames``, the exact solver's from the newest given frame.
      past: ``(psi, v) -> frames`` up to psi, as many as the student needs, by the exact solver.
    """

    setting: Setting
    params: PyTree
    forecast: Callable[[PyTree, Frames, Landscape], Frames]
    exact: Callable[[Complex[Array, " n_x"], Landscape], Frames]
    past: Callable[[Complex[Array, " n_x"], Landscape], Frames]


def make_laboratory(
    grid: Grid,
    dt: float,
    student: Student,
    params: PyTree,
    n_frames: int,
    v_range: tuple[float, float],
    tolerance: float = 1e-7,
) -> Laboratory:
    """Set a student beside the exact solver.

    Args:
      grid: One-dimensional.
      dt: Duration of a frame, in atomic units.
      student: Its form; a solver's is ``students.from_propagator``.
      params: The student's; {} for a solver.
      n_frames: Frames to forecast, at least 2.
      v_range: Of all landscapes and their images, in hartree: `table.v_range`.
      tolerance: Of the exact solver, per frame.

    Raises:
      ValueError: For a grid of more than one dimension, or fewer than 2 frames.
    """
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional", grid)
    require_at_least(2, n_frames=n_frames)
    setting = Setting(grid, dt, student.n_history, n_frames)
    forecast = _forecast_with(student, n_frames)
    return Laboratory(setting, params, forecast, *_solve_exactly(setting, v_range, tolerance))


# What is compiled is kept: seeds of a student share it, and students share the exact solver.


@functools.cache
def _forecast_with(student: Student, n_frames: int) -> Callable[..., Frames]:
    def forecast(params: PyTree, given: Frames, v: Landscape) -> Array:
        step = student.propagator(params)(v)
        return rollout(step, student.state(given), n_frames, student.psi)

    return jax.jit(forecast)


@functools.cache
def _solve_exactly(
    setting: Setting, v_range: tuple[float, float], tolerance: float
) -> tuple[Callable[..., Frames], Callable[..., Frames]]:
    """Forwards and backwards."""
    grid, dt, n_history, n_frames = setting
    forwards = solver.chebyshev(grid, dt, tolerance, v_range)
    backwards = solver.chebyshev(grid, -dt, tolerance, v_range)

    def past(psi: Complex[Array, " n_x"], v: Landscape) -> Frames:
        if n_history == 1:
            return psi[None]
        return jnp.concatenate([psi[None], rollout(backwards(v), psi, n_history - 1)])[::-1]

    return jax.jit(lambda psi, v: rollout(forwards(v), psi, n_frames)), jax.jit(past)


class Trajectories(NamedTuple):
    """Given frames and forecast of a pair of packets on one landscape, student's and exact."""

    v: Landscape
    student: Pair
    exact: Pair


def run(lab: Laboratory, given: Complex[Array, "2 n_given n_x"], v: Landscape) -> Trajectories:
    """Both forecasts of a pair of packets from the same given frames."""
    given = given[:, given.shape[1] - lab.setting.n_history :]
    student = jnp.stack([lab.forecast(lab.params, frames, v) for frames in given])
    exact = jnp.stack([lab.exact(frames[-1], v) for frames in given])
    return Trajectories(v, *(jnp.concatenate([given, later], 1) for later in (student, exact)))


class Violation(NamedTuple):
    """What is measured of one claim, mean over frames; relative to |psi|, so without unit.

    Attributes:
      student: |C_F|, the student's violation.
      teacher: |C_U|, that of the exact solver.
      excess: |C_F - C_U|.
      errors: What the excess is at most, by the student's own errors.
    """

    student: Float[Array, "*n"]
    teacher: Float[Array, "*n"]
    excess: Float[Array, "*n"]
    errors: Float[Array, "*n"]

    @property
    def rho(self) -> Float[Array, "*n"]:
        """excess / errors, between 0 and 1; NaN for a student without error."""
        return self.excess / self.errors


def measure(lab: Laboratory, claim: Claim, ran: Trajectories) -> Violation:
    """The violation of a claim by one pair of trajectories.

    Args:
      lab: Student and exact solver.
      claim: Of a symmetry.
      ran: What `run` made of given frames; on an empty landscape for a claim that is free.
    """
    if isinstance(claim, Transformation):
        return _of_transformation(lab, claim, ran)
    if isinstance(claim, Composition):
        return _of_composition(lab, claim, ran)
    return _of_invariant(lab.setting, claim, ran)


def _of_transformation(lab: Laboratory, g: Transformation, ran: Trajectories) -> Violation:
    v, (given, image), (true_given, true_image) = _jitted_images(lab.setting, g, ran)
    return _compare(
        lab.forecast(lab.params, given, v),
        image,
        lab.exact(given[-1], v),
        true_image,
        # Not the same given frames where time runs backwards: then they come from the forecasts.
        lab.exact(true_given[-1], v),
    )


def _images(
    setting: Setting, g: Transformation, ran: Trajectories
) -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    """Of the landscape, and of both trajectories, each cut after the newest given frame."""

    def image(pair: Pair) -> tuple[Array, Array]:
        frames = g.frames(setting.grid, setting.times, pair)
        return frames[: setting.n_history], frames[setting.n_history :]

    return g.landscape(setting.grid, ran.v), image(ran.student), image(ran.exact)


_jitted_images = jax.jit(_images, static_argnums=(0, 1))


def _of_composition(lab: Laboratory, claim: Composition, ran: Trajectories) -> Violation:
    middle = lab.setting.n_history + lab.setting.n_frames // 2
    first = middle + claim.n_lost

    def restart(pair: Pair) -> tuple[Array, Array, Array]:
        """Forecast and exact solution from the frame before the middle, and what went on."""
        psi, went_on = pair[0, middle - 1], pair[0, first:]
        given = lab.past(psi, ran.v)
        n = len(went_on)
        return lab.forecast(lab.params, given, ran.v)[:n], lab.exact(psi, ran.v)[:n], went_on

    again, reference, went_on = restart(ran.student)
    _, true_again, true_went_on = restart(ran.exact)
    return _compare(again, went_on, reference, true_went_on, true_again)


@jax.jit
def _compare(
    forecast: Frames, image: Frames, reference: Frames, true_image: Frames, true_reference: Frames
) -> Violation:
    violation, teachers = forecast - image, true_reference - true_image
    errors = (forecast - reference, (image - true_image) - (reference - true_reference))
    sizes = jnp.linalg.norm(true_image, axis=-1)

    def mean(frames: Frames) -> Array:
        return _or_infinite(jnp.mean(jnp.linalg.norm(frames, axis=-1) / sizes))

    return Violation(
        mean(violation),
        mean(teachers),
        mean(violation - teachers),
        mean(errors[0]) + mean(errors[1]),
    )


@functools.partial(jax.jit, static_argnums=(0, 1))
def _of_invariant(setting: Setting, claim: Invariant, ran: Trajectories) -> Violation:
    start = ran.exact[:, setting.n_history - 1]
    q = claim.form(setting.grid, ran.v, start)

    @jax.vmap
    def at_frame(psi: Complex[Array, "2 n_x"], true: Complex[Array, "2 n_x"]) -> tuple:
        error = psi - true
        bras = jnp.stack([psi, true, start, error, true, error])
        kets = jnp.stack([psi, true, start, true, error, error])
        ours, exact, before, *crossed = jax.vmap(q)(bras, kets)
        changes = ours - before, exact - before, ours - exact
        return *(jnp.linalg.norm(a) for a in changes), jnp.linalg.norm(sum(map(jnp.abs, crossed)))

    pairs = (jnp.swapaxes(pair[:, setting.n_history :], 0, 1) for pair in ran[1:])
    return Violation(*(_or_infinite(jnp.mean(each)) for each in at_frame(*pairs)))


def measure_lie_derivative(
    lab: Laboratory, group: Callable[[Scalar], Transformation], ran: Trajectories
) -> tuple[Float[Array, ""], Float[Array, ""]]:
    """Relative violation of a continuous symmetry by its generator: of the student, and exact.

    With g_s the group, |d/ds (F(g_s psi) - g_s F(psi))| / |d/ds g_s F(psi)| at s = 0, the mean over
    frames of either, by forward differentiation through the forecast. It is what the gradients
    of a training would see: a gauge that is stopped there is not seen here either.
    """
    v, (given, image), (true_given, true_image) = _generate(lab.setting, group, ran)
    n = lab.setting.n_history
    ours = _push(lab.forecast, (lab.params,), (ran.student[0, :n], ran.v), (given, v))
    exact = _push(lab.exact, (), (ran.exact[0, n - 1], ran.v), (true_given[-1], v))
    return _relative(ours, image), _relative(exact, true_image)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _generate(
    setting: Setting, group: Callable[[Scalar], Transformation], ran: Trajectories
) -> tuple[Array, tuple[Array, Array], tuple[Array, Array]]:
    """What the generator makes of landscape and trajectories: d/ds of `_images` at s = 0."""
    zero = jnp.zeros((), ran.v.dtype)
    return jax.jvp(lambda s: _images(setting, group(s), ran), (zero,), (jnp.ones_like(zero),))[1]


@functools.partial(jax.jit, static_argnums=0)
def _push(forecast: Callable[..., Frames], params: tuple, at: tuple, tangents: tuple) -> Frames:
    return jax.jvp(functools.partial(forecast, *params), at, tangents)[1]


@jax.jit
def _relative(ours: Frames, image: Frames) -> Float[Array, ""]:
    sizes = (jnp.mean(jnp.linalg.norm(a, axis=-1)) for a in (ours - image, image))
    return _or_infinite(jnp.divide(*sizes))


class Findings(NamedTuple):
    """What one student's runs showed of a symmetry, each array over its cases.

    Attributes:
      claim, control: The violation of the claim, and of its negative control.
      lie: The Lie derivative of student and exact solver, if the symmetry is continuous.
    """

    claim: Violation
    control: Violation
    lie: tuple[Array, Array] | None


def measure_all(
    lab: Laboratory,
    given: Complex[Array, "n_case 2 n_given n_x"],
    v: Float[Array, "n_case n_x"],
    symmetries: dict[str, Symmetry] = SYMMETRIES,
    with_lie: bool = True,
) -> dict[str, Findings]:
    """Every symmetry, its control and its Lie derivative, over all cases.

    Args:
      lab: Student and exact solver.
      given: Frames of a pair of packets in each case, oldest first, of a solution.
      v: Landscape of each case, in hartree.
      symmetries: By name.
      with_lie: Whether to take Lie derivatives.

    Raises:
      ValueError: For fewer given frames than the student needs.
    """
    require_at_least(lab.setting.n_history, n_given=given.shape[2])
    every_run = jax.vmap(lambda given, v: run(lab, given, v))
    ran = every_run(given, v)
    is_free = any(getattr(s.claim, "is_free", False) for s in symmetries.values())
    free = every_run(_freely(lab, given), jnp.zeros_like(v)) if is_free else ran

    def of(claim: Claim) -> Violation:
        cases = free if getattr(claim, "is_free", False) else ran
        return jax.vmap(lambda case: measure(lab, claim, case))(cases)

    def lie(group: Callable[[Scalar], Transformation] | None) -> tuple[Array, Array] | None:
        if group is None or not with_lie:
            return None
        return jax.vmap(lambda case: measure_lie_derivative(lab, group, case))(ran)

    return {
        name: Findings(of(each.claim), of(each.control), lie(each.group))
        for name, each in symmetries.items()
    }


def _freely(lab: Laboratory, given: Complex[Array, "n_case 2 n_given n_x"]) -> Array:
    """The frames that would end where the given ones do, had there been no landscape."""
    empty = jnp.zeros(lab.setting.grid.shape, given.real.dtype)
    return jax.vmap(jax.vmap(lambda frames: lab.past(frames[-1], empty)))(given)


def _or_infinite(value: Array) -> Array:
    return jnp.where(jnp.isfinite(value), value, jnp.inf)
