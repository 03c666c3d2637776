"""Time split steps with the method and the implementation apart, in one run.

Every solver runs Strang's splitting and the cheaper ones of this package. The same solver with two
methods has the gain of the method, two solvers with the same method that of the implementation.
"""

import dataclasses
import functools
import pathlib
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from experiments import runner
from experiments.throughput import peers, problem, study
from experiments.throughput.peers import splittings
from experiments.throughput.peers.splittings import AS_IT_COMES, Method
from experiments.throughput.problem import Problem, relative_error
from experiments.throughput.scaling import BOUNDS
from experiments.throughput.teachers import Teacher, prepare
from experiments.timing import seconds_by_round
from qdistill._checks import require_at_least
from qdistill.physics.grid import Grid
from qdistill.runs import provenance
from qdistill.system import Propagator, System
from qdistill.teacher import SCHEMES, split_step

_CORRECTED = dataclasses.replace(SCHEMES["takahashi-imada"], smoothing=0.1)
METHODS: dict[str, Method] = {
    "Strang, 10": AS_IT_COMES,
    "Strang, clamped, 4": Method(4, 72.0),
    "Takahashi-Imada, clamped, 3": Method(3, 72.0, _CORRECTED),
}
"""Name with the FFT pairs per frame, and method; with these caps all errors are about equal."""
OURS, BEST, PLAIN = "qdistill", "Takahashi-Imada, clamped, 3", "Strang, 10"


@dataclasses.dataclass(frozen=True)
class Args:
    """Time split steps of this package, of pyFFTW and of matterwave on the continuum."""

    n_packets: int = 64
    """Number of packets."""
    n_potentials: int = 16
    """Number of potentials, over which packets are distributed."""
    n_frames: int = 200
    """Number of frames of 0.1 a.u."""
    n_x: int = 1024
    """Points of the box of 100 bohr."""
    n_repeats: int = 11
    """Number of rounds; each runs every solver once."""
    seed: int = 0
    """Random seed of packets and potentials."""
    devices: int = 2
    """Devices over which JAX splits the packets; on a CPU, parts of it."""
    out: pathlib.Path = pathlib.Path("runs/equal_method")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(
        args, n_packets=4, n_potentials=2, n_frames=3, n_x=512, n_repeats=2, devices=1
    )


def measure(args: Args) -> runner.Results:
    """Measure seconds and errors of every solver with every method."""
    require_at_least(1, n_repeats=args.n_repeats)
    system = System(Grid(args.n_x, 100.0, "continuum"), 0.1, bounds=BOUNDS)
    given = problem.sample(system, args.n_frames, args.n_packets, args.n_potentials, args.seed)
    runs = make_runs(given, tqdm.write)
    errors = {name: relative_error(given, run()) for name, run in runs.items()}
    seconds = seconds_by_round(runs, args.n_repeats)
    done = args.n_packets * args.n_frames
    rows = {
        name: {
            "seconds": each,
            "packet_frames_per_second": done / float(np.median(each)),
            "rms_relative_error": errors[name],
        }
        for name, each in seconds.items()
    }
    found = {
        "solvers": rows,
        "gains": gains(seconds),
        "methods": {name: dataclasses.asdict(method) for name, method in METHODS.items()},
        "environment": provenance.environment() | study.machine() | peers.versions(),
    }
    return runner.Results(found, table(found))


def make_runs(given: Problem, tell: Callable[[str], object]) -> dict[str, Callable]:
    """Return the compiled runs by name, "solver: method"; what is not installed is left out."""
    runs: dict[str, Callable] = {}
    others: dict[str, Callable] = {
        "pyFFTW": splittings.pyfftw_split,
        "pyFFTW, 16 at a time": splittings.pyfftw_by_packets,
        "matterwave, given": splittings.matterwave_given,
    }
    n_cores = study.n_cores()
    for name, method in METHODS.items():
        runs[f"{OURS}: {name}"] = prepare(
            given, Teacher(functools.partial(_solver, method), n_chunk=splittings.N_CHUNK)
        )
        for package, peer in others.items():
            try:
                runs[f"{package}: {name}"], _ = peer(given, n_cores, method)
            except ImportError as error:
                tell(f"left out: {package} ({error})")
    try:
        runs[f"matterwave: {PLAIN}"], _ = splittings.matterwave_split(given, n_cores)
    except ImportError as error:
        tell(f"left out: matterwave ({error})")
    return runs


def _solver(method: Method, system: System) -> Propagator:
    return split_step(system, method.n_substeps, method.kinetic_cap, method.scheme)


def gains(seconds: Mapping[str, list[float]]) -> dict[str, dict[str, dict[str, float]]]:
    """Return ratios of seconds, median and range over the rounds.

    "as it comes" compares this package's cheapest method with a peer as its users write it,
    "method" the two methods of one solver, and "implementation" a peer with this package at the
    same method.

    >>> found = gains({"qdistill: Strang, 10": [1.0, 2.0], "pyFFTW: Strang, 10": [2.0, 4.0]})
    >>> found["implementation"]
    {'pyFFTW: Strang, 10': {'median': 2.0, 'low': 2.0, 'high': 2.0}}
    """
    found: dict[str, dict[str, dict[str, float]]] = {
        "as it comes": {}, "method": {}, "implementation": {}
    }  # fmt: skip

    def compare(kind: str, name: str, slow: str, fast: str) -> None:
        if slow in seconds and fast in seconds:
            ratios = np.divide(seconds[slow], seconds[fast])
            numbers = np.median(ratios), ratios.min(), ratios.max()
            found[kind][name] = dict(
                zip(("median", "low", "high"), map(float, numbers), strict=True)
            )

    for name in seconds:
        solver, method = name.split(": ")
        if method == PLAIN:
            compare("method", solver, name, f"{solver}: {BEST}")
        if solver != OURS:
            compare("implementation", name, name, f"{OURS}: {method}")
            if method == PLAIN and "," not in solver:
                compare("as it comes", solver, name, f"{OURS}: {BEST}")
    return found


def table(found: Mapping[str, Any]) -> str:
    """Return the numbers as a text table."""
    lines = [f"{'':52} {'packet-frames/s':>16} {'error':>9}"]
    for name, row in found["solvers"].items():
        rate, error = row["packet_frames_per_second"], row["rms_relative_error"]
        lines.append(f"{name:52} {rate:16,.0f} {error:9.1e}")
    for kind, rows in found["gains"].items():
        for name, row in rows.items():
            median, low, high = (row[key] for key in ("median", "low", "high"))
            lines.append(f"gain, {kind}: {name}: {median:.2f} ({low:.2f} to {high:.2f})")
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
