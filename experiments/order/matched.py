"""Test cases of matched difficulty: those on which one fixed model errs by the same amount."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill.forecast import metrics
from qdistill.forecast.cases import Cases
from qdistill.insight import harness, probes, symmetries
from qdistill.insight.probes import PROCESSES
from qdistill.physics.grid import Grid
from qdistill.system import Potential, Propagator, System, rollout
from qdistill.teacher import Chebyshev, SplitStep, split_step

# The symmetries that the form of the student does not contain.
FREE = ("translation, fractions", "energy")
# Those of its form; they are measured to show that they hold at every step.
BUILT_IN = ("superposition", "mirror", "time reversal", "inner products")
# Kinetic phase of a substep at which the fixed model is clamped, in radians.
CAP_PHASE = 2.0


@dataclasses.dataclass(frozen=True)
class CaseSizes:
    """The sizes of the test sets.

    Attributes:
      n_pool: Cases of each kind from which those of matched difficulty are chosen.
      n_case: Cases of each process.
      n_pair: Pairs of packets of each kind, for symmetries.
      n_frames: Frames of a forecast.
      seed: Random seed.
    """

    n_pool: int = 24
    n_case: int = 6
    n_pair: int = 4
    n_frames: int = 40
    seed: int = 0


class Errors(NamedTuple):
    """The errors of each case, mean over its frames."""

    infidelity: Float[Array, " n_case"]
    nrmse: Float[Array, " n_case"]


class Sets(NamedTuple):
    """The test sets of the study.

    Attributes:
      exact: The exact solver, for all potentials and their images.
      processes: Cases of every process; the family of each is its process.
      pairs: Pairs of packets in one potential, of every kind of `symmetries.sample_cases`.
      difficulty: The errors of the fixed model on the chosen cases, by process and kind.
    """

    exact: Chebyshev
    processes: Cases
    pairs: Cases
    difficulty: dict[str, Any]


def fixed_model(system: System) -> SplitStep:
    """Return the model that calibrates the difficulty: one FFT pair, and a wrong dispersion.

    It is the clamped split step with the dispersion of the continuum. With that of the lattice it
    would make no error in empty space, and free packets could not be matched.
    """
    grid = system.grid
    wrong = Grid(grid.shape[0], grid.lengths[0], "continuum", grid.origin[0], grid.mass[0])
    return split_step(System(wrong, system.dt), 1, CAP_PHASE / system.dt)


@jax.jit
def measure_errors(propagator: Propagator, truth: Cases) -> Errors:
    """Return the errors of a propagator on each case."""
    n_frames = truth.frames.shape[1]

    def of_case(case: tuple[Array, Potential, Array]) -> Errors:
        given, v, frames = case
        forecast = rollout(propagator, given, v, n_frames)
        infidelity = 1 - metrics.correlation(forecast, frames)
        return Errors(jnp.mean(infidelity), jnp.mean(metrics.nrmse(forecast, frames)))

    return jax.lax.map(of_case, (truth.given, truth.v, truth.frames), batch_size=6)


def make(system: System, sizes: CaseSizes) -> Sets:
    """Return the test sets of a one-dimensional system on the lattice."""
    system = dataclasses.replace(system, bounds=None)
    claims = {
        name: each
        for name, each in symmetries.make_symmetries(system.grid).items()
        if name in (*FREE, *BUILT_IN)
    }
    key = jax.random.key(sizes.seed)
    model = fixed_model(system)
    pool = probes.sample_lessons(system, sizes.seed, sizes.n_pool, sizes.n_frames)
    one = dataclasses.replace(pool, given=pool.given[:, -1:])
    of_process = _relative(model, one)
    exact, kinds = symmetries.sample_cases(key, system, sizes.n_pool, 1, sizes.n_frames, claims)
    of_kind = {
        # Both packets of a pair count.
        kind: np.sqrt(np.prod(_relative(model, cases).reshape(-1, 2), axis=1))
        for kind, cases in kinds.items()
    }
    names = np.array(pool.family)
    levels = [np.median(of_process[names == name]) for name in PROCESSES]
    target = float(np.exp(np.mean(np.log(levels))))
    chosen = [
        np.flatnonzero(names == name)[_nearest(of_process[names == name], target, sizes.n_case)]
        for name in PROCESSES
    ]
    processes = _take(one, np.concatenate(chosen))
    rows = {kind: _nearest(each, target, sizes.n_pair) for kind, each in of_kind.items()}
    pairs = [
        _take(kinds[kind], np.stack([2 * row, 2 * row + 1], axis=1).ravel(), kind)
        for kind, row in rows.items()
    ]
    difficulty = {
        "target_nrmse": target,
        "processes": {
            name: of_process[row].tolist() for name, row in zip(PROCESSES, chosen, strict=True)
        },
        "pairs": {kind: of_kind[kind][row].tolist() for kind, row in rows.items()},
    }
    return Sets(exact, processes, _join(pairs), difficulty)


def _relative(model: Propagator, truth: Cases) -> Float[np.ndarray, " n_case"]:
    return np.asarray(measure_errors(model, truth).nrmse, float)


def _nearest(errors: Float[np.ndarray, " n"], target: float, n: int) -> np.ndarray:
    """The cases whose errors are the nearest to the target, by their ratio."""
    return np.argsort(np.abs(np.log(errors / target)), kind="stable")[:n]


def _take(cases: Cases, rows: np.ndarray, family: str | None = None) -> Cases:
    names = [cases.family[i] if family is None else family for i in rows]
    given, v, frames = (jnp.asarray(each)[rows] for each in (cases.given, cases.v, cases.frames))
    return Cases(given, v, frames, tuple(names))


def _join(parts: Sequence[Cases]) -> Cases:
    given, v, frames = (
        jnp.concatenate([getattr(part, name) for part in parts])
        for name in ("given", "v", "frames")
    )
    return Cases(given, v, frames, sum((part.family for part in parts), ()))


def rounding(sizes: CaseSizes) -> float:
    """Return the violation that rounding alone may cause."""
    return harness.rounding(sizes.n_frames)
