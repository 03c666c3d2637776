"""Measure errors of the solvers against exact diagonalisation, for potentials with sharp edges."""

import dataclasses
import pathlib
from typing import Any

import jax

from experiments import runner
from experiments.throughput import accuracy
from qdistill._checks import require_at_least


@dataclasses.dataclass(frozen=True)
class Args:
    """Compare both solvers, on both dispersions, in both precisions, with the exact evolution."""

    out: pathlib.Path = pathlib.Path("runs/solver_accuracy")
    """Folder of the results."""
    n_cases: int = 6
    """Number of random pairs of a packet and a barrier."""
    n_frames: int = 100
    """Number of frames of 0.1 a.u."""
    smoke: bool = False
    """Run two cases of ten frames, in seconds."""


def measure(args: Args) -> runner.Results:
    """Compare the solvers on both dispersions, with exact values in float64."""
    require_at_least(1, n_cases=args.n_cases, n_frames=args.n_frames)
    with jax.enable_x64(True):
        rows: dict[str, Any] = {}
        for dispersion in ("lattice", "continuum"):
            rows |= accuracy.compare(dispersion, args.n_cases, args.n_frames)
    lines = [f"{label:46} rms {row['rms_relative_error']:.1e}" for label, row in rows.items()]
    found = {"t_au": 0.1 * args.n_frames, "n_cases": args.n_cases, "errors": rows}
    return runner.Results(found, "\n".join(lines))


if __name__ == "__main__":
    runner.main(measure, Args, lambda args: dataclasses.replace(args, n_cases=2, n_frames=10))
