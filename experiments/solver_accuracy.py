"""Errors of the teachers against exact diagonalisation, over sharp-edged landscapes."""

import dataclasses
import json
import pathlib
import sys

import jax
import jax.numpy as jnp
import numpy as np
import tyro
from jaxtyping import Array

from qdistill._checks import require_at_least
from qdistill._rollout import rollout
from qdistill.forecast import metrics
from qdistill.physics import families, packets
from qdistill.physics.grid import Grid
from qdistill.teacher import solvers as solver


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare both solvers, on both dispersions, in both precisions, with the exact evolution."""

    out: pathlib.Path = pathlib.Path("runs/solver_accuracy")
    """Folder for metrics.json; it must be new or empty."""
    n_cases: int = 6
    """How many random pairs of a packet and a barrier."""
    n_frames: int = 100
    """Frames of 0.1 a.u."""
    smoke: bool = False
    """Seconds instead of a minute: two cases of ten frames."""


def exact(grid: Grid, v: Array, psi: Array, t: float) -> Array:
    """exp(-i H t) psi by diagonalising H in float64, with the dispersion of the grid."""
    plane_waves = np.fft.fft(np.eye(len(v)), norm="ortho")
    kinetic = (plane_waves.conj().T * grid.kinetic_energy()) @ plane_waves
    energies, states = np.linalg.eigh(kinetic.real + np.diag(v))
    return jnp.asarray(states @ (np.exp(-1j * energies * t) * (states.T @ psi)))


def errors(teacher: solver.Propagator, v: Array, psi: Array, truth: Array, n: int) -> dict:
    """Errors of a teacher's last frame after n, over all cases."""
    last = jax.jit(jax.vmap(lambda v, psi: rollout(teacher(v), psi, n)[-1]))(v, psi).astype("c16")
    relative = metrics.nrmse(last, truth)
    return {
        "rms_relative_error": float(jnp.sqrt(jnp.mean(relative**2))),
        "worst_relative_error": float(relative.max()),
        "worst_infidelity": float(1 - metrics.correlation(last, truth).min()),
    }


def main() -> None:
    """Parse, run, write."""
    args = tyro.cli(Args)
    try:
        require_at_least(1, n_cases=args.n_cases, n_frames=args.n_frames)
    except ValueError as error:
        sys.exit(f"solver_accuracy.py: {error}")
    if args.out.exists() and (not args.out.is_dir() or any(args.out.iterdir())):
        sys.exit(f"solver_accuracy.py: `{args.out}` is not an empty folder. Choose another.")
    n_cases, n_frames = (2, 10) if args.smoke else (args.n_cases, args.n_frames)
    jax.config.update("jax_enable_x64", True)
    keys = jax.random.split(jax.random.key(0), (n_cases, 2))
    rows = {}
    for dispersion in ("lattice", "continuum"):
        grid = Grid(1024, 100.0, dispersion)
        v = jnp.stack([families.sample(k, grid, "barrier") for k in keys[:, 0]])
        psi = jnp.stack([packets.sample_gaussian(k, grid) for k in keys[:, 1]])
        truth = jnp.stack([exact(grid, *case, 0.1 * n_frames) for case in zip(v, psi, strict=True)])
        teachers = {
            "split_step, 10 substeps": solver.split_step(grid, 0.1, 10),
            "chebyshev, 1e-6": solver.chebyshev(grid, 0.1, 1e-6, (0.0, 14.0)),
            "chebyshev, 1e-12": solver.chebyshev(grid, 0.1, 1e-12, (0.0, 14.0)),
        }
        for real, complex_ in (("f4", "c8"), ("f8", "c16")):
            for name, teacher in teachers.items():
                row = errors(teacher, v.astype(real), psi.astype(complex_), truth, n_frames)
                label = f"{dispersion}, {name}, {psi.astype(complex_).dtype}"
                rows[label] = row
                print(f"{label:46} rms {row['rms_relative_error']:.1e}")
    args.out.mkdir(parents=True, exist_ok=True)
    result = {"t_au": 0.1 * n_frames, "n_cases": n_cases, "errors": rows}
    (args.out / "metrics.json").write_text(json.dumps(result, indent=2) + "\n")


if __name__ == "__main__":
    main()
