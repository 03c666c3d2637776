"""The held-out test of a run: its cases and their exact solutions."""

import dataclasses
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jaxtyping import Array

from qdistill import teacher
from qdistill._checks import (
    refuse,
    require_at_least,
    require_one_of,
    require_positive,
    require_settings,
)
from qdistill._doors import require_sample, require_values
from qdistill._refusals import explained
from qdistill.curriculum import require_lessons
from qdistill.forecast import paper
from qdistill.forecast.cases import Cases, exact, simulate
from qdistill.system import Potential, Propagator, System


@explained
@dataclasses.dataclass(frozen=True)
class BenchmarkConfig:
    """Settings of the held-out test.

    Attributes:
      n_frames: Number of frames to forecast. The given frames before them are not scored.
      n_given: Number of frames given to every emulator, 4 in the paper.
      tolerance: Error per frame of the Chebyshev solver, which is taken as the truth.
      n_substeps: Substeps of the split step, which is the truth for systems to which the Chebyshev
        expansion does not apply.
      n_cases: Number of cases drawn from the run's own lessons, for systems to which the paper's 25
        cases do not apply.
    """

    n_frames: int = 400
    n_given: int = 4
    tolerance: float = 1e-7
    n_substeps: int = 100
    n_cases: int = 24

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(
            1,
            n_frames=self.n_frames,
            n_given=self.n_given,
            n_substeps=self.n_substeps,
            n_cases=self.n_cases,
        )
        require_positive(tolerance=self.tolerance)


class Scored(NamedTuple):
    """The result of an emulator's held-out test: scores, and the arrays behind them.

    Attributes:
      scores: The scores, as in `metrics.json`.
      truth: The test cases with their exact solutions.
      frames: The forecast frames.
      per_frame: Every metric, for each case and frame.
    """

    scores: dict[str, Any]
    truth: Cases
    frames: Array
    per_frame: dict[str, Any]


@explained
def make_truth(config: BenchmarkConfig, system: System, v: Potential) -> Propagator:
    """Return the solver that is taken as the truth, for given potentials."""
    is_static = system.is_linear and system.is_autonomous and system.is_hermitian
    if is_static and system.has_plain_kinetic:
        return exact(system, v, config.tolerance)
    return teacher.split_step(system, config.n_substeps)


@explained
def make_paper_cases(
    config: BenchmarkConfig,
    system: System,
    names: Sequence[str] = tuple(paper.CASES),
    mesh: Mesh | None = None,
) -> Cases:
    """Return some of the paper's 25 cases, scaled to the box, with their exact solutions.

    Args:
      config: Number of frames, and the accuracy of the truth.
      system: A one-dimensional system.
      names: Names of cases.
      mesh: Devices that share the cases.

    Raises:
      ValueError: For an unknown case, or a system with channels, several dimensions, or a potential
        that is not one number for each point.
    """
    require_values(system)
    for name in names:
        require_one_of(paper.CASES, case=name)
    known, psi0, v = paper.make_cases(system.grid)
    chosen = jnp.array([known.index(name) for name in names])
    psi0, v = psi0[chosen], v[chosen]
    solver = make_truth(config, system, v)
    return simulate(solver, psi0, v, config.n_given, config.n_frames, tuple(names), mesh)


@explained
def make_held_out(
    config: BenchmarkConfig, system: System, lessons: tuple[str, ...], mesh: Mesh | None = None
) -> Cases:
    """Return the held-out cases of a run, with their exact solutions.

    For the plain one-dimensional `System` they are the paper's 25 cases, scaled to the box. For
    other systems they are new samples of the run's own lessons, alternating, at difficulty 1.

    Args:
      config: Number of frames and cases, and the accuracy of the truth.
      system: The system that was learned.
      lessons: Names of the lessons of the training.
      mesh: Devices that share the cases.

    Raises:
      ValueError: If cases are to be drawn from lessons, and there are none or unknown ones.
    """
    if type(system) is System and system.grid.n_dim == 1 and not system.n_channel:
        return make_paper_cases(config, system, mesh=mesh)
    names, psi0, v = _draw(config, system, lessons)
    solver = make_truth(config, system, v)
    return simulate(solver, psi0, v, config.n_given, config.n_frames, names, mesh)


def _draw(
    config: BenchmarkConfig, system: System, lessons: tuple[str, ...]
) -> tuple[tuple[str, ...], Array, Potential]:
    if not lessons:
        refuse("lessons", "at least one lesson", lessons)
    require_lessons(system, lessons)
    # A random stream separate from those of trainings, whose seeds are below 2^32.
    keys = jax.random.split(jax.random.fold_in(jax.random.key(2**32 - 1), 2203), config.n_cases)
    drawn, names = [], []
    for i, key in enumerate(keys):
        lesson = lessons[i % len(lessons)]
        drawn.append(require_sample(system, lesson, system.sample(lesson, key, 1.0)))
        names.append(f"{lesson}-{i // len(lessons) + 1}")
    psi0, v = jax.tree.map(lambda *leaves: jnp.stack(leaves), *drawn)
    return tuple(names), psi0, v
