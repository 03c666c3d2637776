"""Scaling of cost with packets, points, frames and devices, and of memory with frames."""

import dataclasses
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from experiments.throughput.problem import Problem
from experiments.throughput.teachers import TEACHERS, prepare
from experiments.timing import interleave
from qdistill import teacher
from qdistill.physics import observables, packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Step, System, Wrapped, rollout

DX = 100 / 1024
# Bounds of potentials in hartree, as in a training.
BOUNDS = (-16.0, 16.0)


@dataclasses.dataclass(frozen=True)
class ScalingConfig:
    """The sizes of the study; one is varied at a time.

    Attributes:
      n_packets: Numbers of packets.
      n_x: Numbers of points at the same spacing: the box grows with them.
      n_frames: Numbers of frames.
      memory_frames: Frames of the runs whose memory is measured; they are compiled only.
      fixed: Packets, points and frames while they are not varied.
      teachers: Names of the solvers on the lattice and on the continuum.
    """

    n_packets: tuple[int, ...] = (8, 16, 32, 64, 128, 256)
    n_x: tuple[int, ...] = (256, 512, 1024, 2048, 4096)
    n_frames: tuple[int, ...] = (20, 40, 80, 160)
    memory_frames: tuple[int, ...] = (100, 1000, 10_000)
    fixed: tuple[int, int, int] = (64, 1024, 40)
    teachers: tuple[str, str] = ("chebyshev, 1e-5, 16 at a time", "clamped, 4 substeps")


def measure_scaling(config: ScalingConfig, n_repeats: int) -> dict[str, Any]:
    """Measure seconds against every size, with a fitted exponent, on both dispersions."""
    found = {}
    for dispersion, name in zip(("lattice", "continuum"), config.teachers, strict=True):
        n_all, solver = len(jax.devices()), TEACHERS[name]
        sizes = {"n_packets": config.n_packets, "n_x": config.n_x, "n_frames": config.n_frames}
        cases = {
            f"{what} {size}": (*_replaced(config.fixed, i, size), n_all)
            for i, (what, several) in enumerate(sizes.items())
            for size in several
        }
        counts = [n for n in range(1, n_all + 1) if config.fixed[0] % n == 0]
        cases |= {f"n_devices {n}": (*config.fixed, n) for n in counts}
        prepared = {
            label: prepare(_problem(dispersion, *size), solver, n)
            for label, (*size, n) in cases.items()
        }
        for run in prepared.values():
            run()
        seconds = interleave(prepared, n_repeats)
        found[dispersion] = {"teacher": name} | {
            what: _fit(several, [seconds[f"{what} {size}"] for size in several])
            for what, several in (sizes | {"n_devices": tuple(counts)}).items()
        }
    return found


def measure_memory(config: ScalingConfig, dt: float = 0.1) -> dict[str, Any]:
    """Measure the bytes that the compiler allocates for frames, observables and their mean.

    Outputs grow with the number of frames, temporary memory does not; a mean has no such outputs.
    """
    n_packets, n_x, _ = config.fixed
    grid = Grid(n_x, n_x * DX)
    propagator = teacher.chebyshev(System(grid, dt, bounds=(0.0, 14.0)), 1e-5)
    v = jax.ShapeDtypeStruct((n_packets, n_x), jnp.float32)
    psi = jax.ShapeDtypeStruct((n_packets, n_x), jnp.complex64)

    def observe(psi: Array) -> Array:
        return jnp.stack([observables.probability(grid, psi), observables.position(grid, psi)])

    def mean(v: Array, psi: Array, n: int) -> Array:
        total = rollout(Summing(propagator, observe), psi[None], v, n, every=n)[0]
        return total / n

    runs: dict[str, Callable] = {
        "frames": lambda v, psi, n: rollout(propagator, psi[None], v, n),
        "observables": lambda v, psi, n: rollout(propagator, psi[None], v, n, observe=observe),
        "mean observables": mean,
    }
    found: dict[str, Any] = {"n_frames": list(config.memory_frames)}
    for name, run in runs.items():
        analyses: list[Any] = []
        for n in config.memory_frames:
            mapped = jax.vmap(lambda v, psi, run=run, n=n: run(v, psi, n))
            analyses.append(jax.jit(mapped).lower(v, psi).compile().memory_analysis())
        found[name] = {
            "in_between_bytes": [each.temp_size_in_bytes for each in analyses],
            "kept_bytes": [each.output_size_in_bytes for each in analyses],
        }
    return found


@dataclasses.dataclass(frozen=True)
class Summing(Wrapped):
    """A propagator that carries the sum of an observable instead of psi.

    Attributes:
      observe: Function of psi.
    """

    observe: Callable[[Array], Array]

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state is the propagator's state and the sum."""
        encode, advance, decode = self.of(v)

        def start(frames: Array, n: Array) -> tuple[Any, Array]:
            return encode(frames, n), 0 * self.observe(frames[-1])

        def add(state: tuple[Any, Array]) -> tuple[Any, Array]:
            inner = advance(state[0])
            return inner, state[1] + self.observe(decode(inner))

        return Step(start, add, lambda state: state[1])


def _problem(dispersion: str, n_packets: int, n_x: int, n_frames: int) -> Problem:
    """A problem with equal packets, for timing only, without the truth."""
    length = n_x * DX
    grid = Grid(n_x, length, dispersion)
    v = np.asarray(potentials.barrier(grid.positions(), 5.0, 0.1 * length, 0.5 * length))
    psi = np.asarray(packets.gaussian(grid, 0.3 * length, 0.04 * length, 2.0))
    many, system = (n_packets, 1), System(grid, 0.1, bounds=BOUNDS)
    return Problem(system, n_frames, np.tile(v, many), np.tile(psi, many), np.empty((0, n_x)))


def _replaced(fixed: tuple[int, ...], i: int, size: int) -> tuple[int, ...]:
    return (*fixed[:i], size, *fixed[i + 1 :])


def _fit(sizes: tuple[int, ...], seconds: list[float]) -> dict[str, Any]:
    """The slope of log(seconds) over log(size), and its standard error; None for few points."""
    found: dict[str, Any] = {"sizes": list(sizes), "seconds": seconds}
    if len(sizes) < 3:
        return found | {"exponent": None, "exponent_error": None}
    x, y = np.log(sizes), np.log(seconds)
    line, covariance = np.polyfit(x, y, 1, cov="unscaled")
    slope, variance = line[0], np.sum((y - np.polyval(line, x)) ** 2) / (len(sizes) - 2)
    error = np.sqrt(variance * covariance[0, 0])
    return found | {"exponent": float(slope), "exponent_error": float(error)}
