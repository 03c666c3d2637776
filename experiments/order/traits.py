"""What is measured of a propagator at one step of a training: its traits, for its error."""

import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.order.matched import BUILT_IN, FREE, Sets, measure_errors
from qdistill.forecast.cases import Cases
from qdistill.insight import probes, symmetries
from qdistill.insight.probes import PROCESSES
from qdistill.insight.symmetries import violations
from qdistill.insight.symmetries.trajectories import run
from qdistill.system import Propagator, System
from qdistill.teacher import Chebyshev

# Largest wavenumber of the fit of the dispersion, in 1/bohr: most packets are slower.
K_MAX = 4.0


def of_dispersion(propagator: Propagator) -> dict[str, float]:
    """Return the relative errors of the mass and of the k^4 term of the dispersion.

    They are infinite where the branch of a phase is lost.
    """
    found = probes.measure_dispersion(propagator, K_MAX)
    if not np.all(np.isfinite(found.omega)):
        return {"mass": float("inf"), "k^4 term": float("inf")}
    value = probes.fit_dispersion(found.k, found.omega, K_MAX).value
    grid = propagator.system.grid
    quartic = -(grid.dx[0] ** 2) / (24 * grid.mass[0])
    return {
        "mass": abs(value.mass / grid.mass[0] - 1),
        "k^4 term": abs(value.quartic / quartic - 1),
    }


@functools.partial(jax.jit, static_argnums=(0, 1))
def _violations(
    system: System, names: tuple[str, ...], propagator: Propagator, exact: Chebyshev, pairs: Cases
) -> dict[str, tuple[Array, Array]]:
    claims = symmetries.make_symmetries(system.grid)
    given, v, frames = (
        leaf.reshape(-1, 2, *leaf.shape[1:]) for leaf in (pairs.given, pairs.v, pairs.frames)
    )
    ran = jax.vmap(functools.partial(run, propagator))(given, v[:, 0], frames)

    def measure(name: str) -> tuple[Array, Array]:
        def of(pair: Any) -> Any:
            return violations.measure(propagator, exact, claims[name].claim, pair)

        found = jax.lax.map(of, ran, batch_size=4)
        return found.excess, found.errors

    return {name: measure(name) for name in names}


def measure(propagator: Propagator, sets: Sets, names: tuple[str, ...] = FREE) -> dict:
    """Return all traits of a propagator.

    Returns:
      `infidelity` and `nrmse`, medians over all cases; `dispersion`; the infidelity of each
      process divided by that of all, in `processes`; rho in `symmetries`, and in `violations` the
      violation itself, geometric means over pairs.
    """
    found = {**errors(propagator, sets.processes), "dispersion": of_dispersion(propagator)}
    bare = jnp.finfo(jnp.float32).tiny
    each = _violations(propagator.system, names, propagator, sets.exact, sets.pairs)
    means = {
        name: [float(jnp.exp(jnp.mean(jnp.log(jnp.maximum(x, bare))))) for x in pair]
        for name, pair in each.items()
    }
    found["violations"] = {name: excess for name, (excess, _) in means.items()}
    found["symmetries"] = {
        name: excess / bound for name, (excess, bound) in means.items() if name in FREE
    }
    return found


def with_built_in(propagator: Propagator, sets: Sets) -> dict:
    """Return all traits, with the violations of the symmetries that are built in."""
    return measure(propagator, sets, (*FREE, *BUILT_IN))


def errors(propagator: Propagator, truth: Cases) -> dict[str, Any]:
    """Return the median errors over all cases, and over those of each process relative to it."""
    each = measure_errors(propagator, truth)
    infidelity, nrmse = (np.asarray(values, float) for values in each)
    family = np.array(truth.family)
    return {
        "infidelity": float(np.median(infidelity)),
        "nrmse": float(np.median(nrmse)),
        "processes": {
            name: float(np.median(nrmse[family == name]) / np.median(nrmse)) for name in PROCESSES
        },
    }
