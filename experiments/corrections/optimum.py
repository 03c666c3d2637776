"""The null model: the best few coefficients of the same form, by nonlinear least squares."""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.corrections.splittings import Potentials, Splitting, square_of_slope
from qdistill.forecast import cases
from qdistill.physics import packets
from qdistill.physics.packets import PacketRanges
from qdistill.system import System

# The error is nearly a quadratic form of the coefficients.
N_ITERATIONS = 4


class Problem(NamedTuple):
    """Packets crossed with potentials, and their exact frames.

    Attributes:
      v: Potentials in hartree, (n_case, n_x).
      psi: Initial packets, superpositions as in the lessons.
      truth: Exact frames 5, 10, ..., in units of the norm of the packet.
    """

    v: Potentials
    psi: Complex[Array, "n_case n_x"]
    truth: Complex[Array, "n_case n_t n_x"]


EVERY = 5
PACKETS = PacketRanges((0.2, 0.8), (0.015, 0.05), (0.2, 8.0))


def pose(system: System, v: Potentials, seed: int, n_frames: int = 40) -> Problem:
    """Return the problem of given potentials, with one random superposition each.

    Args:
      system: The system, which defines the exact frames.
      v: Potentials in hartree, (n_case, n_x).
      seed: Random seed of the packets.
      n_frames: Number of frames, a multiple of 5.
    """
    keys = jax.random.split(jax.random.key(seed), len(v))
    grid = system.grid
    psi = jax.vmap(lambda key: packets.sample_superposition(key, grid, 4, PACKETS))(keys)
    psi = psi / jnp.linalg.norm(psi, axis=-1, keepdims=True)
    solver = cases.exact(system, jnp.asarray(v))
    solved = cases.simulate(solver, psi, jnp.asarray(v), 1, n_frames)
    return Problem(v, psi, solved.frames[:, EVERY - 1 :: EVERY])


class Optimum(NamedTuple):
    """The best splitting of a form.

    Attributes:
      splitting: The splitting.
      gradient: Coefficient of (V')^2 / m in the sum of the kicks, in units of h^2 / 24.
      interval: Its 95% bootstrap interval over the cases.
      error: Root mean square of the relative L2 errors of all frames.
      start: The same for a coefficient of zero, with the shares as given.
    """

    splitting: Splitting
    gradient: float
    interval: tuple[float, float]
    error: float
    start: float


def find(splitting: Splitting, problem: Problem, with_shares: bool = False) -> Optimum:
    """Return the best splitting with kicks c_j (V + w (h^2 / 24) (V')^2 / m), by Gauss-Newton.

    What is minimised over w, and over the share of the first and the last kick, is the mean square
    of the relative L2 errors of all frames, as in the trainings from scratch.

    Args:
      splitting: The splitting whose kinetic phases and shares are used. Its own local phases are
        set to zero.
      problem: The cases.
      with_shares: Whether the share is varied too. One pair has none to vary.
    """
    n, dt = splitting.n_pairs, splitting.system.dt
    move = np.zeros(n + 1)
    if with_shares and n > 1:
        move[1:-1] = -2 / (n - 1)
        move[[0, -1]] = 1.0
    v, slopes = problem.v, square_of_slope(splitting.system.grid, problem.v)
    phases = splitting.drifts(splitting.system.grid)
    form = (dt * v, dt * splitting.unit * slopes, splitting.shares, move, phases)
    arrays = tuple(jnp.asarray(each, jnp.float32) for each in form)
    theta, start, free = np.zeros(2), 0.0, slice(0, 1 + bool(move.any()))
    for i in range(N_ITERATIONS + 1):
        found = _linearise(jnp.asarray(theta, jnp.float32), arrays, *problem[1:])
        square, slope, curve = (np.asarray(each, float) for each in found)
        start = start if i else float(square.mean())
        slope, curve = slope[:, free], curve[:, free, free]
        if i < N_ITERATIONS:
            theta[free] -= np.linalg.solve(curve.sum(axis=0), slope.sum(axis=0))
    kicks = splitting.shares + theta[1] * move
    best = dataclasses.replace(splitting, shares=kicks)
    low, high = theta[0] + np.quantile(_resample(slope, curve)[:, 0], (0.025, 0.975))
    return Optimum(
        best.replaced(theta[0] * kicks, np.zeros(n + 1)),
        float(theta[0]),
        (float(low), float(high)),
        float(np.sqrt(square.mean())),
        float(np.sqrt(start)),
    )


def _resample(
    slope: Float[np.ndarray, "n_case n"], curve: Float[np.ndarray, "n_case n n"], n: int = 400
) -> Float[np.ndarray, "n_draw n"]:
    """The change of the optimum for resampled cases, from the normal equations of each case."""
    drawn = np.random.default_rng(0).integers(0, len(slope), (n, len(slope)))
    return -np.stack([np.linalg.solve(curve[d].sum(axis=0), slope[d].sum(axis=0)) for d in drawn])


@jax.jit
def _linearise(
    theta: Float[Array, " 2"],
    form: tuple[Array, ...],
    psi: Complex[Array, "n_case n_x"],
    truth: Complex[Array, "n_case n_t n_x"],
) -> tuple[Array, Array, Array]:
    """The mean square error of each case, half its gradient, and its Gauss-Newton matrix."""
    v, slopes, shares, move, phases = form
    drifts = jnp.exp(-1j * phases)

    def residual(theta: Array, v: Array, slopes: Array, psi: Array, truth: Array) -> Array:
        kicks = (shares + theta[1] * move)[:, None] * (v + theta[0] * slopes)[None]
        turns = jnp.exp(-1j * kicks)

        def frame(psi: Array, _: None) -> tuple[Array, None]:
            psi = turns[0] * psi
            for turn, drift in zip(turns[1:], drifts, strict=True):
                psi = turn * jnp.fft.ifft(drift * jnp.fft.fft(psi))
            return psi, None

        def several(psi: Array, _: None) -> tuple[Array, Array]:
            psi, _ = jax.lax.scan(frame, psi, None, EVERY)
            return psi, psi

        _, frames = jax.lax.scan(several, psi, None, len(truth))
        return frames - truth

    def linearise(*case: Array) -> tuple[Array, Array, Array]:
        rest = residual(theta, *case).ravel()
        jacobian = jax.jacfwd(residual)(theta, *case).reshape(len(rest), -1)
        n_t = len(case[-1])
        slope = jnp.real(rest.conj() @ jacobian) / n_t
        curve = jnp.real(jacobian.conj().T @ jacobian) / n_t
        return jnp.sum(jnp.abs(rest) ** 2) / n_t, slope, curve

    return jax.vmap(linearise)(v, slopes, psi, truth)
