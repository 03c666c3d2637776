"""Gauss-Newton steps for a learned splitting, on eigenstates of small boxes and on plane waves.

A splitting has few parameters, and its errors on many boxes are nearly linear in them. So two dozen
steps that solve the linearised least squares replace a thousand steps along the gradient.
"""

import functools
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree
from jaxtyping import Array, Float, PyTree

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.physics.grid import Scalar
from qdistill.students import Splitting, Student
from qdistill.students.phases import complete
from qdistill.students.unitary import SplittingPhases
from qdistill.training.boxes import Spectra, SpectraConfig, box_of

# Damping before the first step, and its bounds, relative to the diagonal of the normal matrix.
DAMPING, DAMPINGS = 0.1, (1e-5, 1e3)
# Smallest diagonal element of the normal matrix, relative to the largest.
SMALLEST = 1e-7
# Frames over which plane waves gather errors, in units of those of a box: a packet meets an edge
# now and then, and is in empty space nearly always.
FREE = 10
# Weight of plane waves above `ceiling`, up to this share of the largest phase: a packet that starts
# near an end of the box, or at an edge, has a few of them.
FAST, FASTEST = 0.003, 0.9
# Added to the losses of boxes, relative to the median, before they become weights.
LEAST = 0.3


class Normal(NamedTuple):
    """The normal equations of a linearised least-squares problem: matrix @ step = -gradient."""

    matrix: Float[Array, "n_param n_param"]
    # Half the gradient of the loss, with the student's eigenstates and all weights held fixed.
    gradient: Float[Array, " n_param"]
    # The loss of each box, without that of plane waves.
    each: Float[Array, " n_box"]
    # The weight of each box.
    weights: Float[Array, " n_box"]
    # The mean weighted loss of the boxes, plus that of plane waves.
    loss: Float[Array, ""]


class LeastSquares(NamedTuple):
    """The loss of a splitting in boxes and in empty space, and its normal equations.

    Attributes:
      loss: ``(params, Spectra, weights of boxes) -> loss``.
      normal: ``(params, Spectra) -> Normal``.
    """

    loss: Callable[[PyTree, Spectra, Array], Float[Array, ""]]
    normal: Callable[[PyTree, Spectra], Normal]


@explained
def least_squares(student: Student, config: SpectraConfig, power: float = 1.0) -> LeastSquares:
    """Return the least-squares problem of a splitting on boxes and on plane waves.

    Let phi_n be an eigenstate of a box with the phase exp(-i E_n dt) per frame, and chi_m one of
    the student with the phase exp(-i theta_m). The student's error on phi_n after one frame has
    the component <chi_m|phi_n> (exp(-i theta_m) - exp(-i E_n dt)). After t frames it is that times
    a sum of t phases; so it has the weight (|exp(-i theta_m) - exp(-i E_n dt)|^2 + horizon^-2)^-1,
    as in `losses.spectral_loss`, but this also sees resonances of the student between fast and slow
    waves. In empty space the error is that of sum_j b_j(k), at all wavenumbers of the grid, most
    of which a small box does not have, over ten times as many frames. The weights of energies are
    those of `spectral_loss`; in empty space faster waves have a small weight too. A sum of b_j(k)
    above 2 pi - V_max dt costs its mean squared excess, and one of the fastest waves below nine
    tenths of that what it lacks: between them no fast wave is in resonance with a slow one.

    Args:
      student: The splitting.
      config: Settings of the boxes.
      power: A box has the weight (loss / median + 0.3)^(power - 1), fixed during a step. With 1 the
        few boxes of high edges dominate.

    Raises:
      ValueError: For a student that is not a splitting on a line with time-reversal symmetry, and
        for a box with an odd number of points.
    """
    is_splitting = isinstance(student, Splitting) and student.system.grid.n_dim == 1
    if not is_splitting or not student.form.reversible:
        wanted = "a reversible splitting on a line, for Gauss-Newton steps"
        refuse("student", wanted, type(student).__name__)
    if config.n_box % 2:
        refuse("n_box", "even for Gauss-Newton steps", config.n_box)
    problem = _Problem(student, config, power)  # type: ignore[arg-type]
    return LeastSquares(problem.loss, problem.normal)


@explained
def softness(student: Student) -> float:
    """Return the largest width in bohr over which boxes are smoothed.

    A student from scratch cannot know gentle slopes from vertical edges; an informed start does.
    """
    is_from_scratch = isinstance(student, Splitting) and student.form.start == "nothing"
    return 1.0 if is_from_scratch else 0.0


class Curvature(NamedTuple):
    """The state between Gauss-Newton steps: damping, and curvature of the batches so far."""

    damping: Scalar
    # The sum of the normal matrices of all batches, with the weights memory^age.
    matrix: Float[Array, "n_param n_param"]


@explained
def no_steps(params: PyTree) -> Curvature:
    """Return what the first step needs."""
    n = sum(leaf.size for leaf in jax.tree.leaves(params))
    return Curvature(jnp.asarray(DAMPING, float), jnp.zeros((n, n), float))


@explained
def step(
    problem: LeastSquares, params: PyTree, past: Curvature, memory: Scalar, spectra: Spectra
) -> tuple[PyTree, Curvature, Float[Array, " n_box"]]:
    """Take a damped step (Levenberg-Marquardt), unless the loss on the same boxes would rise.

    A batch has fewer boxes than determine all parameters. So the gradient of its loss is divided by
    the normal matrices of all batches: where the earlier ones were solved, their gradient is zero,
    and the step is that of recursive least squares. The damping falls where the loss of the batch
    falls as its linearised problem predicts, and rises where not.

    Args:
      problem: The least squares.
      params: The parameters.
      past: What earlier steps left.
      memory: The weight of the batch before, and of each older one relative to the next; below 1.
      spectra: The batch.

    Returns:
      The new parameters, what the next step needs, and the loss of each box before the step.
    """
    flat, unravel = ravel_pytree(params)
    normal = problem.normal(params, spectra)
    matrix = memory * past.matrix + normal.matrix
    diagonal = jnp.diagonal(matrix)
    unit = jnp.sqrt(jnp.maximum(diagonal, SMALLEST * jnp.max(diagonal)) + 1e-30)
    damped = matrix / (unit[:, None] * unit[None]) + past.damping * jnp.eye(len(flat))
    change = -jnp.linalg.solve(damped, normal.gradient / unit) / unit
    new = unravel(flat + change)
    fall = normal.loss - problem.loss(new, spectra, normal.weights)
    expected = -(2 * normal.gradient + normal.matrix @ change) @ change
    factor = jnp.where(fall > 0.7 * expected, 1 / 3, jnp.where(fall > 0.25 * expected, 1.0, 4.0))
    params = jax.tree.map(functools.partial(jnp.where, fall > 0), new, params)
    damping = jnp.clip(past.damping * factor, *DAMPINGS)
    return params, Curvature(damping, matrix), normal.each


class _Problem:
    """The residuals of a splitting, and their derivatives."""

    def __init__(self, student: Splitting, config: SpectraConfig, power: float) -> None:
        self.config, self.power = config, power
        self.dt, self.n_pairs = student.system.dt, student.form.n_pairs
        self.boxed = student.on(box_of(student.system, config).grid)
        self.network = student.network
        # Products with these matrices are as fast as FFTs in boxes that are so small.
        waves = np.fft.fft(np.eye(config.n_box))
        self.to_waves, self.to_points = waves, waves.conj() / config.n_box
        grid = student.system.grid
        self.n_half = grid.shape[0] // 2 + 1
        self.kinetic = np.asarray(grid.kinetic_energy())[: self.n_half]
        self.shape = grid.shape
        # With a larger phase a fast wave on the highest potential would have that of a slow one.
        bounds = student.system.bounds or (0.0, 0.0)
        self.largest = 2 * np.pi - max(bounds[1], 0.0) * abs(self.dt)

    def loss(self, params: PyTree, spectra: Spectra, weights: Array) -> Array:
        in_boxes = jnp.mean(weights * self._each(params, spectra))
        return in_boxes + jnp.sum(self._in_empty_space(params) ** 2)

    def _each(self, params: PyTree, spectra: Spectra) -> Array:
        """The loss of each box."""
        return jax.lax.map(lambda box: self._residuals(params, *box)[1], spectra[:3])

    def _weights(self, each: Array) -> Array:
        """The weight of each box."""
        if self.power == 1:
            return jnp.ones_like(each)
        return (each / jnp.median(each) + LEAST) ** (self.power - 1)

    def normal(self, params: PyTree, spectra: Spectra) -> Normal:
        flat, unravel = ravel_pytree(params)
        found, each = jax.lax.map(lambda box: self._residuals(params, *box), spectra[:3])
        weights = self._weights(each)

        def add(total: tuple[Array, Array], box: tuple) -> tuple[tuple[Array, Array], None]:
            weight, found, states, v = box
            matrix, gradient = self._of_box(flat, unravel, found, states, v)
            return (total[0] + weight * matrix, total[1] + weight * gradient), None

        start = jnp.zeros((len(flat), len(flat)), flat.dtype), jnp.zeros_like(flat)
        boxes = (weights, found, spectra.states, spectra.v)
        (matrix, gradient), _ = jax.lax.scan(add, start, boxes)

        def empty(flat: Array) -> Array:
            return self._in_empty_space(unravel(flat))

        free, slopes = empty(flat), jax.jacfwd(empty)(flat)
        n = len(each)
        return Normal(
            matrix / n + slopes.T @ slopes,
            gradient / n + slopes.T @ free,
            each,
            weights,
            jnp.mean(weights * each) + jnp.sum(free**2),
        )

    def _in_empty_space(self, params: PyTree) -> Array:
        """The weighted errors of plane waves after 10 `horizon` frames; phases out of bounds."""
        phases = self.network.apply(
            {"params": params}, self.shape, method=SplittingPhases.kinetic_phases
        )
        phases = jnp.sum(jnp.asarray(phases), axis=0)[: self.n_half]
        fastest = FASTEST * self.largest / abs(self.dt)
        weights = np.exp(-np.logaddexp(0, self.kinetic - self.config.ceiling))
        weights += FAST * np.exp(-np.logaddexp(0, self.kinetic - fastest))
        share = self.shape[0] / self.config.n_box
        weights = FREE * self.config.horizon * np.sqrt(share * weights / np.sum(weights))
        error = weights * (phases - self.kinetic * self.dt)
        least = np.where(self.kinetic > fastest, FASTEST * self.largest, -np.inf)
        # Backwards in time all phases are negative.
        turned = np.sign(self.dt) * phases
        outside = turned - jnp.clip(turned, least, self.largest)
        return jnp.concatenate([error, outside / self.n_half**0.5])

    def _free_phases(self, params: PyTree, v: Array) -> tuple[Array, Array]:
        """The first half of the palindromes a_j(x) and b_j(k), the latter for k >= 0."""
        phases: Any = self.boxed.network.apply({"params": params}, v)
        kicks, drifts = phases
        n_kicks, n_drifts = (self.n_pairs + 2) // 2, (self.n_pairs + 1) // 2
        return kicks[:n_kicks], drifts[:n_drifts, : len(v) // 2 + 1]

    def _residuals(self, params: PyTree, energies: Array, states: Array, v: Array) -> tuple:
        """The student's eigenstates in a box, weights and residuals of them, and the loss.

        The frame's matrix is symmetric, by the palindrome, so its eigenvectors are real.
        """
        frame = _Frame(self, *self._free_phases(params, v))
        matrix = frame.through(jnp.eye(len(v)) + 0j)[-1]
        matrix = (matrix + matrix.T) / 2
        # Its real and imaginary parts commute; a sum of them has the eigenvectors of both.
        own = jnp.linalg.eigh(np.cos(0.7) * matrix.real + np.sin(0.7) * matrix.imag)[1].T
        turns = jnp.sum(own @ matrix * own, axis=1)[None]
        exact = jnp.exp(-1j * self.dt * energies)[:, None]
        weights = jax.nn.sigmoid(self.config.ceiling - energies)
        weights *= jax.nn.sigmoid(4 * (energies - self.config.floor))
        weights = (weights / (jnp.sum(weights) + 1e-6))[:, None]
        weights /= jnp.abs(turns - exact) ** 2 + self.config.horizon**-2
        error = frame.through(states + 0j)[-1] - exact * states
        residuals = jnp.sqrt(weights) * (error @ own.T)
        return (own, jnp.sqrt(weights), residuals), jnp.sum(jnp.abs(residuals) ** 2)

    def _of_box(
        self, flat: Array, unravel: Callable, found: tuple, states: Array, v: Array
    ) -> tuple[Array, Array]:
        """The normal matrix and half the gradient of a box."""
        own, weights, residuals = found
        frame = _Frame(self, *self._free_phases(unravel(flat), v))

        def phases(flat: Array) -> Array:
            return jnp.concatenate([x.ravel() for x in self._free_phases(unravel(flat), v)])

        by_phase = weights[..., None] * frame.slopes(states + 0j, own + 0j)
        by_phase = by_phase.reshape(-1, by_phase.shape[-1])
        by_phase = jnp.concatenate([by_phase.real, by_phase.imag])
        residuals = jnp.concatenate([residuals.real.ravel(), residuals.imag.ravel()])
        # Backwards: as a rule a box has fewer phases than a student has parameters.
        by_param = jax.jacrev(phases)(flat)
        matrix = by_param.T @ (by_phase.T @ by_phase) @ by_param
        return matrix, by_param.T @ (by_phase.T @ residuals)


class _Frame:
    """One frame of a splitting in a box, with all its intermediate states."""

    def __init__(self, problem: _Problem, kicks: Array, drifts: Array) -> None:
        self.problem = problem
        both = jnp.concatenate([drifts, drifts[:, 1 : problem.config.n_box // 2][:, ::-1]], axis=1)
        self.kicks = jnp.exp(-1j * complete(kicks, problem.n_pairs + 1))
        self.drifts = jnp.exp(-1j * complete(both, problem.n_pairs))

    def through(self, psi: Array) -> list[Array]:
        """The states after no kick, and after each kick and what came before it."""
        kicks = self.kicks[:, None]
        after = [psi, kicks[0] * psi]
        for kick, drift in zip(kicks[1:], self.drifts[:, None], strict=True):
            waves = drift * (after[-1] @ self.problem.to_waves)
            after.append(kick * (waves @ self.problem.to_points))
        return after

    def slopes(self, right: Array, left: Array) -> Array:
        """The derivatives of left @ frame @ right by each free phase, (n_right, n_left, n_phase).

        A phase multiplies a state on its way, so the derivative is -i times a product: what comes
        from the right, times what comes from the left, which by the palindrome goes the same way.
        """
        n, n_pairs = self.problem.config.n_box, self.problem.n_pairs
        ahead, back = self.through(right)[1:], self.through(left)[1:]
        found = []
        for j in range((n_pairs + 2) // 2):
            # After the kick from both sides, hence one kick too many.
            both = [
                (ahead[i] * self.kicks[i].conj()[None])[:, None] * back[n_pairs - i][None]
                for i in {j, n_pairs - j}
            ]
            found.append(functools.reduce(jnp.add, both))
        for j in range((n_pairs + 1) // 2):
            both = [
                ((ahead[i] @ self.problem.to_waves) * self.drifts[i][None])[:, None]
                * (back[n_pairs - 1 - i] @ self.problem.to_points)[None]
                for i in {j, n_pairs - 1 - j}
            ]
            d, half = functools.reduce(jnp.add, both), n // 2
            # A phase belongs to k and to -k.
            found.append(
                jnp.concatenate(
                    [d[..., :1], d[..., 1:half] + d[..., :half:-1], d[..., half : half + 1]],
                    axis=-1,
                )
            )
        return -1j * jnp.concatenate(found, axis=-1)
