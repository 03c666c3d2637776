"""Errors of the solvers against exact diagonalisation, on barriers with sharp edges."""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.throughput.problem import exact
from qdistill import teacher
from qdistill.forecast import metrics
from qdistill.physics import families, packets
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout


def errors(solver: Propagator, v: Array, psi: Array, truth: Array, n: int) -> dict[str, float]:
    """Return the errors of a solver after n frames, over all cases."""
    last = jax.jit(jax.vmap(lambda v, psi: rollout(solver, psi[None], v, n, every=n)[0]))(v, psi)
    relative = metrics.nrmse(last.astype("c16"), truth)
    return {
        "rms_relative_error": float(jnp.sqrt(jnp.mean(relative**2))),
        "worst_relative_error": float(relative.max()),
        "worst_infidelity": float(1 - metrics.correlation(last.astype("c16"), truth).min()),
    }


def compare(dispersion: str, n_cases: int, n_frames: int) -> dict[str, dict[str, float]]:
    """Return the errors of all solvers on one dispersion, in both precisions."""
    system = System(Grid(1024, 100.0, dispersion), dt=0.1, bounds=(0.0, 14.0))
    grid = system.grid
    keys = jax.random.split(jax.random.key(0), (n_cases, 2))
    v = jnp.stack([families.sample(k, grid, "barrier") for k in keys[:, 0]])
    psi = jnp.stack([packets.sample_gaussian(k, grid) for k in keys[:, 1]])
    t = system.dt * n_frames
    pairs = zip(np.asarray(v), np.asarray(psi)[:, None], strict=True)
    truth = jnp.concatenate([exact(grid, *pair, t) for pair in pairs])
    solvers: dict[str, Propagator] = {
        "split_step, 10 substeps": teacher.split_step(system, 10),
        "chebyshev, 1e-6": teacher.chebyshev(system, 1e-6),
        "chebyshev, 1e-12": teacher.chebyshev(system, 1e-12),
    }
    rows = {}
    for real, complex_ in (("f4", "c8"), ("f8", "c16")):
        for name, solver in solvers.items():
            case = v.astype(real), psi.astype(complex_)
            label = f"{dispersion}, {name}, {case[1].dtype}"
            rows[label] = errors(solver, *case, truth, n_frames)
    return rows
