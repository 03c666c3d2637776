"""The best filters of V and (V')^2 without a network, by regularised least squares."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.corrections.filters import Filters
from experiments.corrections.optimum import EVERY, Problem
from experiments.corrections.splittings import Splitting, square_of_slope

# Wave numbers in 1/bohr between which filters are linear; the last one is that of the grid.
KNOTS = np.array([0.0, 2.0, 4.0, 6.0, 8.0, 10.0, 12.0, 14.0, 17.0, 20.0, 25.0, 33.0])
# Weight of the distance from the splitting's own shares, relative to that of a typical coefficient:
# it holds those of waves that hardly matter.
RIDGE = 1e-5
N_ITERATIONS = 6
# Parts of a Gauss-Newton step, of which the first that lowers the error is taken.
PARTS = 0.5 ** np.arange(6)


def find(splitting: Splitting, problem: Problem) -> Filters:
    """Return the filters with the least mean square error over cases and frames, by Gauss-Newton.

    Args:
      splitting: The splitting whose kinetic phases are kept. The search starts at its shares.
      problem: Packets crossed with potentials, and their exact frames.
    """
    n_a, n_q = len(splitting.shares), len(KNOTS)
    grid, dt = splitting.system.grid, splitting.system.dt
    hats = np.stack([np.interp(np.abs(grid.wavenumbers()), KNOTS, row) for row in np.eye(n_q)])
    sources = (problem.v, splitting.unit * square_of_slope(grid, problem.v))
    fields = np.stack([_filter(hats, dt * source) for source in sources], axis=1)
    phases = jnp.asarray(splitting.drifts(grid), jnp.float32)
    cases = (jnp.asarray(fields, jnp.float32), problem.psi, problem.truth)
    free = -(-n_a // 2)
    start = np.zeros((free, 2, n_q))
    start[:, 0] = splitting.shares[:free, None]

    def linearise(theta: np.ndarray) -> list[np.ndarray]:
        found = _linearise(jnp.asarray(theta, jnp.float32), phases, *cases)
        return [np.asarray(each, float).sum(axis=0) for each in found]

    theta = start
    square, slope, curve = linearise(theta)
    for _ in range(N_ITERATIONS):
        weight = RIDGE * np.median(np.diag(curve))
        change = np.linalg.solve(
            curve + weight * np.eye(len(curve)), slope + weight * (theta - start).ravel()
        ).reshape(theta.shape)
        held = square + weight * np.sum((theta - start) ** 2)
        # From a poor start a whole step may raise the error.
        for part in PARTS:
            trial = theta - part * change
            found = linearise(trial)
            if found[0] + weight * np.sum((trial - start) ** 2) < held:
                theta, (square, slope, curve) = trial, found
                break
    every = np.stack([theta[min(j, n_a - 1 - j)] for j in range(n_a)])
    return Filters(KNOTS, every[:, 0], every[:, 1])


def _filter(
    hats: Float[np.ndarray, "n_q n_x"], field: Float[np.ndarray, "n_case n_x"]
) -> Float[np.ndarray, "n_case n_q n_x"]:
    """The part of a field around each knot."""
    return np.fft.ifft(hats * np.fft.fft(field)[:, None]).real


@jax.jit
def _linearise(
    theta: Float[Array, "n_free 2 n_q"],
    phases: Float[Array, "n_b n_x"],
    fields: Float[Array, "n_case 2 n_q n_x"],
    psi: Complex[Array, "n_case n_x"],
    truth: Complex[Array, "n_case n_t n_x"],
) -> tuple[Array, Array, Array]:
    """The square error of each case, half its gradient, and its Gauss-Newton matrix."""
    drifts = jnp.exp(-1j * phases)
    n_a = len(phases) + 1

    def residual(theta: Array, fields: Array, psi: Array, truth: Array) -> Array:
        turns = jnp.exp(-1j * jnp.einsum("jsq,sqx->jx", theta, fields))

        def frame(psi: Array, _: None) -> tuple[Array, None]:
            psi = turns[0] * psi
            for j, drift in enumerate(drifts, 1):
                psi = turns[min(j, n_a - 1 - j)] * jnp.fft.ifft(drift * jnp.fft.fft(psi))
            return psi, None

        def several(psi: Array, _: None) -> tuple[Array, Array]:
            psi, _ = jax.lax.scan(frame, psi, None, EVERY)
            return psi, psi

        _, frames = jax.lax.scan(several, psi, None, len(truth))
        return frames - truth

    def linearise(case: tuple[Array, ...]) -> tuple[Array, Array, Array]:
        rest = residual(theta, *case).ravel()
        jacobian = jax.jacfwd(residual)(theta, *case).reshape(len(rest), -1)
        slope = jnp.real(rest.conj() @ jacobian)
        square = jnp.real(rest.conj() @ rest)
        return square, slope, jnp.real(jacobian.conj().T @ jacobian)

    return jax.lax.map(linearise, (fields, psi, truth))
