"""Losses of a student on a batch: for the next window, a whole rollout, or an operator."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Key, PyTree

from qdistill._checks import refuse, require_at_least, require_between, require_shape
from qdistill._doors import require_psi, require_step
from qdistill._refusals import explained
from qdistill.students import Student, Windowed, windows
from qdistill.system import Potential, rollout
from qdistill.training.batches import Batch
from qdistill.training.boxes import Spectra, SpectraConfig, box_of

# Arguments: parameters, a batch, and one random key or one for each example.
Loss: TypeAlias = Callable[[PyTree, Any, Key[Array, "..."]], Float[Array, " n_batch"]]


@explained
def window_loss(
    student: Student,
    *,
    relative: bool = False,
    loss_sigma: float = 0.0,
    noise: float = 0.0,
) -> Loss:
    """Return the loss of a window student: the squared error, mean over points, Re and Im.

    With channels it is the sum over them.

    Args:
      student: A window student.
      relative: Whether to divide by the squared amplitude of the window's last given frame.
      loss_sigma: Width in points of a Gaussian that weights the points; 0 weights them equally.
      noise: Size of the complex white noise on the given frames, relative to their amplitude.

    Raises:
      ValueError: For a student that does not forecast windows.
    """
    require_shape((), loss_sigma=loss_sigma, noise=noise)
    require_between(0, math.inf, loss_sigma=loss_sigma, noise=noise)
    if not isinstance(student, Windowed):
        refuse("examples", "frames for this student, which does not forecast windows", "windows")
    window = student.form.windows
    weights = windows.stitching_weights(window.n_window, loss_sigma or math.inf)

    def loss(params: PyTree, psi: Array, v: Array, n: Array, key: Key[Array, ""]) -> Array:
        given, target = psi[: window.n_history], psi[window.n_history]
        forecast = student.forecast_window(params, _disturb(key, given, noise), v)
        each = jnp.abs(forecast - target) ** 2
        error = jnp.sum(np.broadcast_to(weights, each.shape) * each) / 2
        if relative:
            error = error / jnp.abs(windows.gauge_unit(window, given[-1])) ** 2
        return error

    return _over_batch(loss)


@explained
def rollout_loss(student: Student, n_target: int, *, noise: float = 0.0) -> Loss:
    """Return the loss of a rollout: the squared relative error, mean over `n_target` frames.

    The gradient flows through the whole rollout.
    """
    require_at_least(1, n_target=n_target)
    require_between(0, math.inf, noise=noise)

    def loss(params: PyTree, psi: Array, v: Potential, n: Array, key: Key[Array, ""]) -> Array:
        given, target = psi[: student.n_history], psi[student.n_history :]
        given = _disturb(key, given, noise)
        forecast = rollout(student.bind(params), given, v, n_target, n0=n)
        space = tuple(range(1, target.ndim))
        error = jnp.sum(jnp.abs(forecast - target) ** 2, axis=space)
        return jnp.mean(error / jnp.sum(jnp.abs(target) ** 2, axis=space))

    return _over_batch(loss)


@explained
def spectral_loss(student: Student, config: SpectraConfig, *, start: PyTree | None = None) -> Loss:
    """Return the spectral loss: the squared error after many frames, predicted from one frame.

    Let r_n be the error of one frame on the eigenstate phi_n. To first order the error after t
    frames is the sum over m of <phi_m|r_n> times a sum of t phases exp(i (E_m - E_n) dt s). It
    grows with t for equal energies, and is otherwise at most 2 / |exp(i (E_m - E_n) dt) - 1|. So
    matrix elements have the weight (|exp(i (E_m - E_n) dt) - 1|^2 + horizon^-2)^-1; the part of r_n
    outside the given states has weight 1. The mean is over the states between floor and ceiling.
    First order does not see a resonance between fast and slow waves of the student.

    Args:
      student: A linear student.
      config: Settings of the boxes and states.
      start: Initial parameters. If given, the loss of each box is relative to their loss.

    Raises:
      ValueError: For a student that is not linear: errors on eigenstates then do not determine
        errors on packets.
    """
    if not student.is_linear:
        refuse("examples", "windows or frames for a student that is not linear", "spectra")
    if start is not None:
        student.require_params(start)

    dt, boxed = student.system.dt, student.on(box_of(student.system, config).grid)

    def absolute(params: PyTree, spectra: Spectra) -> Array:
        energies, states = spectra.energies, spectra.states + 0j
        phases = jnp.exp(-1j * dt * energies)
        step, first = boxed.step(params, spectra.v), jnp.asarray(0)
        require_step(boxed, step)

        def frame(psi: Array) -> Array:
            after = step.decode(step.advance(step.encode(psi[None], first)))
            require_psi(boxed, after)
            return after

        forecast = jax.vmap(frame)(states)
        error = forecast - phases[:, None] * states
        elements = jnp.abs(error @ states.T) ** 2
        beats = jnp.abs(phases[:, None] - phases[None]) ** 2
        grown = jnp.sum(elements / (beats + config.horizon**-2), axis=1)
        beyond = jnp.sum(jnp.abs(error) ** 2, axis=1) - jnp.sum(elements, axis=1)
        weights = jax.nn.sigmoid(config.ceiling - energies)
        weights *= jax.nn.sigmoid(4 * (energies - config.floor))
        each = grown + jnp.maximum(beyond, 0)
        return jnp.sum(weights * each) / (jnp.sum(weights) + 1e-6)

    def loss(params: PyTree, spectra: Spectra) -> Array:
        if start is None:
            return absolute(params, spectra)
        return absolute(params, spectra) / (absolute(start, spectra) + 1e-8)

    def losses(params: PyTree, batch: Spectra, key: Key[Array, "..."]) -> Array:
        _require_examples(batch)
        return jax.vmap(loss, (None, 0))(params, batch)

    return losses


def _disturb(key: Key[Array, ""], psi: Array, noise: float) -> Array:
    if noise == 0:
        return psi
    amplitude = jnp.sqrt(jnp.mean(jnp.abs(psi) ** 2))
    return psi + noise * amplitude * jax.random.normal(key, psi.shape, psi.dtype)


def _require_examples(batch: Batch | Spectra) -> None:
    """Refuse a batch whose arrays do not have one first axis of the same length."""
    shapes = [np.shape(leaf) for leaf in jax.tree.leaves(tuple(batch))]
    if () in shapes or len({shape[0] for shape in shapes}) != 1:
        refuse("batch", "made of arrays with as many examples each", f"of shapes {shapes}")


def _over_batch(loss: Callable[..., Array]) -> Loss:
    def losses(params: PyTree, batch: Batch, key: Key[Array, "..."]) -> Array:
        _require_examples(batch)
        keys = key if key.ndim else jax.random.split(key, len(batch.lesson))
        return jax.vmap(loss, (None, 0, 0, 0, 0))(params, batch.psi, batch.v, batch.n, keys)

    return losses
