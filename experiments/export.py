"""Write a student's forecasts beside the truth: `python experiments/export.py demo --out FILE.nc`.

NetCDF is for xarray (`pip install xarray 'h5netcdf[h5py]'`); FILE.npz needs no extra.
"""

import dataclasses
import pathlib
import sys
from typing import Annotated

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from qdistill._checks import require_at_least, require_one_of
from qdistill.forecast import benchmark
from qdistill.runs import config, pretrained
from qdistill.runs import export as datasets


@dataclasses.dataclass(frozen=True)
class Args:
    """Forecast runs of the paper's test, and write truth and forecast to one file."""

    student: Annotated[str, tyro.conf.Positional]
    """A name of the package's students, a file of `publish.py`, or the folder of a run."""
    out: pathlib.Path
    """File to write, a new one: .nc or .npz."""
    cases: tuple[str, ...] = tuple(benchmark.CASES)
    """Which of the 25 runs."""
    every: int = 4
    """Write one frame in so many."""
    smoke: bool = False
    """Seconds instead of minutes: one case, a few frames."""


def export(args: Args) -> None:
    """Simulate, forecast, write."""
    for case in args.cases:
        require_one_of(benchmark.CASES, cases=case)
    require_at_least(1, every=args.every)
    datasets.require_writable(args.out)
    if args.out.exists():
        raise FileExistsError(f"`{args.out}` exists. Choose another with --out.")
    found = pretrained.find(args.student)
    settings, grid, dt = found.config.benchmark, found.grid, found.config.teacher.dt
    cases = args.cases[:1] if args.smoke else args.cases
    if args.smoke:
        settings = dataclasses.replace(settings, n_frames=2 * args.every)
    chosen = jnp.array([list(benchmark.CASES).index(case) for case in cases])
    psi0, v = (array[chosen] for array in benchmark.make_cases(grid))
    truth = benchmark.simulate(grid, dt, psi0, v, settings)
    forecast = benchmark.forecast(found.student, found.propagator, truth)
    kept = slice(args.every - 1, None, args.every)
    t = dt * np.arange(settings.n_given, settings.n_given + settings.n_frames)[kept]
    frames = {"truth": truth.frames[:, kept], "forecast": forecast.frames[:, kept]}
    about = {
        "title": f"{found.config.preset}: forecasts beside the solver",
        "config": config.to_json(found.config),
        "commit": found.commit,
        "provenance": found.provenance,
        "score": found.score,
    }
    datasets.write(args.out, grid, t, v, frames, cases, about)
    print(
        f"{args.out}: {len(cases)} runs of {len(t)} frames, {args.out.stat().st_size / 1e6:.1f} MB"
    )


def main() -> None:
    """Parse and export."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        export(tyro.cli(Args, prog="export.py"))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"export.py: {error}")


if __name__ == "__main__":
    main()
