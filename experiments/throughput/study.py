"""The comparison: all solvers interleaved, trainings, scaling and memory."""

import dataclasses
import functools
import os
import pathlib
import platform
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import jax
import numpy as np
from jax.typing import ArrayLike

from experiments.throughput.problem import Problem, relative_error, sample
from experiments.throughput.scaling import BOUNDS, ScalingConfig, measure_memory, measure_scaling
from experiments.throughput.teachers import TEACHERS, prepare
from experiments.throughput.trainings import measure_training
from experiments.timing import interleave
from qdistill._checks import require_at_least, require_one_of
from qdistill.physics.grid import Grid
from qdistill.runs import presets
from qdistill.system import System

# (problem, cores) -> (run, number of packets); ImportError or OSError if it is not installed.
Peer: TypeAlias = Callable[[Problem, int], tuple[Callable[[], np.ndarray], int]]
DISPERSIONS = ("lattice", "continuum")


@dataclasses.dataclass(frozen=True)
class Study:
    """The settings of the comparison.

    Attributes:
      n_packets: Number of packets, an even number per device.
      n_potentials: Number of potentials, over which packets are distributed.
      n_frames: Number of frames of 0.1 a.u.
      n_x: Points of the box of 100 bohr.
      n_repeats: Number of rounds, of which the median is taken.
      seed: Random seed of packets and potentials.
      teachers: Names of solvers of this package, in `TEACHERS`.
      trainings: Names of presets whose trainings are timed.
      n_blocks: Number of timed blocks of each stage.
      scaling: Sizes for the scaling.
      is_small: Whether trainings are in their smoke form.
    """

    n_packets: int = 64
    n_potentials: int = 16
    n_frames: int = 100
    n_x: int = 1024
    n_repeats: int = 7
    seed: int = 0
    teachers: tuple[str, ...] = tuple(TEACHERS)
    trainings: tuple[str, ...] = ("gru", "unitary")
    n_blocks: int = 3
    scaling: ScalingConfig = dataclasses.field(default_factory=ScalingConfig)
    is_small: bool = False

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, n_repeats=self.n_repeats, n_blocks=self.n_blocks)
        require_at_least(0, seed=self.seed)
        for name in self.teachers:
            require_one_of(TEACHERS, teachers=name)
        for name in self.trainings:
            require_one_of(presets.PRESETS, trainings=name)


def smoke(study: Any) -> Any:
    """Return a small study that takes seconds: few packets, points, frames and sizes, one round."""
    sizes = ScalingConfig((2, 4), (64, 128), (2, 4), (5, 10), (2, 64, 2))
    return dataclasses.replace(
        study,
        n_packets=4,
        n_potentials=2,
        n_frames=5,
        n_x=160,
        n_repeats=1,
        teachers=("chebyshev, 1e-5", "clamped, 3 substeps", "dense, one potential"),
        trainings=study.trainings[:1],
        n_blocks=1,
        scaling=sizes,
        is_small=True,
    )


def run(
    study: Study,
    peers: Mapping[str, Peer],
    tell: Callable[[str], object] = lambda line: None,
) -> dict[str, Any]:
    """Return all numbers of the study.

    Args:
      study: Settings.
      peers: Other solvers by name, `Peer` functions; those that are not installed are left out.
      tell: Function called with progress messages, also on missing peers.
    """
    found: dict[str, Any] = {"solvers": {}}
    for dispersion in DISPERSIONS:
        tell(f"solvers on the {dispersion}")
        found["solvers"][dispersion] = _compare(study, dispersion, peers, tell)
    found["trainings"] = {}
    for name in study.trainings:
        tell(f"training: {name}")
        settings = presets.PRESETS[name][1]
        settings = presets.smoke(settings) if study.is_small else settings
        found["trainings"][name] = measure_training(settings, study.n_blocks)
    tell("scaling")
    found["scaling"] = measure_scaling(study.scaling, study.n_repeats)
    tell("memory")
    found["memory"] = measure_memory(study.scaling)
    return found


def _compare(
    study: Study,
    dispersion: str,
    peers: Mapping[str, Peer],
    tell: Callable[[str], object],
) -> dict[str, dict[str, Any]]:
    """The speed and error of every solver on one dispersion, those of this package first."""
    system = System(Grid(study.n_x, 100.0, dispersion), 0.1, bounds=BOUNDS)
    draw = functools.partial(sample, system, study.n_frames, study.n_packets, seed=study.seed)
    problem, alone = draw(n_potentials=study.n_potentials), draw(n_potentials=1)
    runs: dict[str, Callable[[], ArrayLike]] = {}
    rows: dict[str, dict[str, Any]] = {}
    for name in study.teachers:
        where = alone if TEACHERS[name].is_dense else problem
        try:
            runs[name] = prepare(where, TEACHERS[name])
        except ValueError as error:  # A split step beyond its resonance.
            tell(f"{name}: {error}")
            continue
        rows[name] = {"is_ours": True, "n_packets": problem.n_packets}
    for name, peer in peers.items():
        try:
            runs[name], n_packets = peer(problem, n_cores())
        except (ImportError, OSError) as error:
            tell(f"left out: {name} ({error})")
            continue
        rows[name] = {"is_ours": False, "n_packets": n_packets}
    for name, solve in runs.items():
        where = alone if name in TEACHERS and TEACHERS[name].is_dense else problem
        rows[name]["rms_relative_error"] = relative_error(where, solve())
    for name, seconds in interleave(runs, study.n_repeats).items():
        rate = rows[name]["n_packets"] * study.n_frames / seconds
        rows[name] |= {"median_seconds": seconds, "packet_frames_per_second": rate}
    return rows


def n_cores() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def machine() -> dict[str, Any]:
    """Return the processor, the backend and the number of devices."""
    info = pathlib.Path("/proc/cpuinfo")
    names = [line.split(":")[1].strip() for line in _lines(info) if line.startswith("model name")]
    return {
        "cpu": names[0] if names else platform.processor(),
        "cores": n_cores(),
        "backend": jax.default_backend(),
        "n_devices": len(jax.devices()),
    }


def _lines(path: pathlib.Path) -> list[str]:
    return path.read_text().splitlines() if path.exists() else []


def table(found: Mapping[str, Any]) -> str:
    """Return the numbers as a text table."""
    lines = []
    for dispersion, rows in found["solvers"].items():
        lines.append(f"{dispersion:46} {'packet-frames/s':>16} {'error':>9}")
        for name, row in rows.items():
            rate, error = row["packet_frames_per_second"], row["rms_relative_error"]
            lines.append(f"  {name:44} {rate:16,.0f} {error:9.1e}")
    for name, training in found["trainings"].items():
        speeds = ", ".join(f"{stage['steps_per_second']:.3g}" for stage in training["stages"])
        share = training["teacher_share"]
        lines.append(f"{name}: the teacher takes {share:.0%}; {speeds} steps/s in its stages")
    for dispersion, sweeps in found["scaling"].items():
        exponents = [
            f"{what} {sweep['exponent']:.2f}"
            for what, sweep in sweeps.items()
            if what != "teacher" and sweep["exponent"] is not None
        ]
        lines.append(f"{dispersion}: cost grows with the power of " + ", ".join(exponents))
        devices, seconds = (sweeps["n_devices"][key] for key in ("sizes", "seconds"))
        gains = [f"{n}: {seconds[0] / each:.2f}" for n, each in zip(devices, seconds, strict=True)]
        lines.append(f"{dispersion}: speed by devices, " + ", ".join(gains))
    memory = found["memory"]
    for name in ("frames", "observables", "mean observables"):
        between, kept = (
            ", ".join(f"{each / 2**20:.3g}" for each in memory[name][f"{what}_bytes"])
            for what in ("in_between", "kept")
        )
        lines.append(f"MiB for {memory['n_frames']} frames, {name}: {kept}; in between {between}")
    return "\n".join(lines)
