"""Null models of emulators, in which nothing is learned.

The null model of a linear, unitary student is a solver of the same error, such as a clamped split
step. That of any other student is `Disturbed`: the exact step plus a network of the same form with
random parameters, scaled until the errors match. `randomise` tells what is built in: a claim that
a student keeps with random parameters is a property of its form.
"""

import dataclasses
from typing import TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Key

from qdistill._checks import refuse, require_each, require_positive
from qdistill._doors import require_potential
from qdistill._refusals import explained
from qdistill.forecast import metrics
from qdistill.insight.harness.frames import forecast, recall
from qdistill.system import Potential, Propagator, Step, System
from qdistill.teacher import Chebyshev

P = TypeVar("P", bound=Propagator)

# Steps of the search for a scale: errors are nearly proportional to it.
N_SEARCH = 8
# Largest relative difference of matched errors.
MATCHED = 0.05


@explained
def randomise(propagator: P, key: Key[Array, ""]) -> P:
    """Return a propagator of the same form, with random parameters.

    Each array of parameters becomes normal numbers with the same root mean square.
    """
    leaves, structure = jax.tree.flatten(propagator)
    keys = jax.random.split(key, max(len(leaves), 1))
    drawn = [
        jnp.sqrt(jnp.mean(jnp.abs(leaf) ** 2)) * jax.random.normal(k, leaf.shape, leaf.dtype)
        for leaf, k in zip(map(jnp.asarray, leaves), keys[: len(leaves)], strict=True)
    ]
    return jax.tree.unflatten(structure, drawn)


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Disturbed:
    """The exact step plus a small multiple of another propagator's step.

    Attributes:
      exact: The exact solver.
      network: The propagator whose step is added.
      scale: The multiple.
    """

    exact: Propagator
    network: Propagator
    scale: float | Array

    @property
    def system(self) -> System:
        """The system of both."""
        return self.exact.system

    @property
    def n_history(self) -> int:
        """The number of given frames that the network needs."""
        return self.network.n_history

    @property
    def is_linear(self) -> bool:
        """Whether both steps are linear."""
        return self.exact.is_linear and self.network.is_linear

    @property
    def is_unitary(self) -> bool:
        """False: a sum of two unitary steps is not unitary."""
        return False

    @property
    def is_differentiable(self) -> bool:
        """Whether gradients through both are correct."""
        return self.exact.is_differentiable and self.network.is_differentiable

    def __call__(self, v: Potential) -> Step:
        """Return the step; its state is the last frames and the index of the newest.

        Raises:
          ValueError: For a potential that is not finite or not of the system.
        """
        require_potential(self.system, v)
        exact, network = self.exact(v), self.network(v)

        def one(step: Step, frames: Array, n: Array) -> Array:
            return step.decode(step.advance(step.encode(frames, n)))

        def advance(state: tuple[Array, Array]) -> tuple[Array, Array]:
            frames, n = state
            psi = one(exact, frames[-self.exact.n_history :], n)
            psi = psi + jnp.asarray(self.scale, psi.real.dtype) * one(network, frames, n)
            later = jnp.concatenate([frames[1:], psi[None].astype(frames.dtype)])
            return later, n + 1

        return Step(lambda frames, n: (frames, n), advance, lambda state: state[0][-1])


@explained
def disturb(
    emulator: Propagator,
    exact: Chebyshev,
    psi: Complex[Array, "n_case *n_x"],
    v: Potential,
    n_frames: int,
    key: Key[Array, ""],
) -> Disturbed:
    """Return the exact step, disturbed until it errs as much as an emulator.

    The network is the emulator's own form with random parameters. Errors are medians over the given
    cases of the relative L2 error after `n_frames` frames; they agree within 5%.

    Args:
      emulator: The emulator that is matched.
      exact: The exact solver of its system.
      psi: Newest given frame of each case.
      v: Potential of each case.
      n_frames: Number of frames after which the errors are compared.
      key: Random key of the parameters.

    Raises:
      ValueError: For other than one potential for each psi; for an emulator without error, or whose
        forecast is not finite; if no scale of the random network gives its error.
    """
    require_each("case", psi=psi, v=v)
    network = randomise(emulator, key)
    given = jax.jit(jax.vmap(lambda psi, v: recall(exact, psi, v, emulator.n_history)))(psi, v)
    true = forecast(exact, given[:, -1:], v, n_frames)[:, -1]

    def error(propagator: Propagator) -> float:
        last = forecast(propagator, given, v, n_frames)[:, -1]
        return float(np.median(metrics.nrmse(last, true)))

    wanted = error(emulator)
    if not np.isfinite(wanted) or wanted == 0:
        refuse("emulator", "one whose forecasts have an error that is finite and not zero", wanted)
    scale = 1e-3 * wanted
    for _ in range(N_SEARCH):
        null = Disturbed(exact, network, jnp.asarray(scale, psi.real.dtype))
        found = error(null)
        if abs(found / wanted - 1) < MATCHED:
            return null
        # Not more than a factor of 30 at once: a network may diverge, and its error saturates.
        ratio = wanted / found if np.isfinite(found) and found > 0 else 0.1
        scale *= float(np.clip(ratio, 1 / 30, 30))
        require_positive(scale=scale)
    refuse("emulator", f"matched within {MATCHED:.0%} by a scale", f"of error {wanted:.3g}")
