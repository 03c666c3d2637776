"""Trainings on all coalitions of processes, and their errors and violations on matched tests."""

import dataclasses
import functools
import hashlib
import json
import pathlib
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, PyTree

from experiments import runner
from experiments.placebos import processes
from experiments.placebos.processes import PROCESSES
from qdistill import teacher
from qdistill._checks import require_one_of
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast.cases import Cases
from qdistill.insight import harness, importance
from qdistill.insight.importance import games, short_stage, trainings
from qdistill.insight.probes.learning import sample_lessons
from qdistill.insight.symmetries import Transformation, make_symmetries
from qdistill.runs import presets
from qdistill.students import Student, StudentConfig, UnitaryConfig
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import TeacherConfig
from qdistill.training.stages import Stage, TrainingConfig

SYSTEM = System(bounds=(-16.0, 16.0))
SYMMETRIES = (
    "translation, fractions", "energy", "translation, whole cells", "mirror", "time reversal",
    "inner products",
)  # fmt: skip
# Images of potentials by Fourier interpolation exceed the range of the potentials.
WIDE = (-24.0, 24.0)
# Violations below are rounding.
ROUNDING = 1e-5


@dataclasses.dataclass(frozen=True)
class Budget:
    """A student and how long it is trained.

    Attributes:
      student: Form of the student.
      stages: The stages of its training.
    """

    student: StudentConfig
    stages: tuple[Stage, ...]


def _unitary(n_steps: int) -> Budget:
    stages = (
        short_stage(n_steps, 1, 16, 1e-2),
        short_stage(n_steps, 8, 8, 1e-2),
        short_stage(n_steps, 24, 4, 3e-3),
    )
    return Budget(UnitaryConfig(), stages)


BUDGETS = {
    "short": _unitary(80),
    "long": _unitary(240),
    "gru": Budget(presets.PRESETS["gru-demo"][1].student, (presets.gauged_stage(8_000),)),
    "smoke": Budget(UnitaryConfig(reach=2), (short_stage(40, 1, 2, 1e-2),)),
}


@dataclasses.dataclass(frozen=True)
class Tests:
    """The test cases, the same for all students.

    Attributes:
      of_processes: Cases of each process, from its lesson.
      of_potentials: Cases of each family of held-out potentials.
      pairs: Potentials and pairs of packets on which violations are measured.
      seed: Their random seed.
    """

    of_processes: Cases
    of_potentials: Cases
    pairs: tuple[Complex[Array, "n_case 2 *n_x"], Float[Array, "n_case *n_x"]]
    seed: int


@dataclasses.dataclass(frozen=True)
class Table:
    """Errors and violations of the students of one budget, by seed and coalition.

    Attributes:
      processes: Relative L2 errors, (n_seed, n_coalition, n_process, n_case).
      potentials: Likewise on held-out potentials, (n_seed, n_coalition, n_family, n_case).
      violations: Violations of symmetries, (n_seed, n_coalition, n_symmetry, n_case).
    """

    processes: Float[np.ndarray, "n_seed n_coalition n_process n_case"]
    potentials: Float[np.ndarray, "n_seed n_coalition n_family n_case"]
    violations: Float[np.ndarray, "n_seed n_coalition n_symmetry n_case"]


def make_tests(system: System, seed: int, n_case: int, n_frames: int) -> Tests:
    """Return the tests; their packets and potentials are not those of the trainings."""
    names = processes.register()[: len(PROCESSES)]
    # A random stream separate from those of all trainings.
    sizes = seed + 1_000_003, n_case, n_frames
    on_potentials = importance.sample_potentials(system, *sizes)
    psi = on_potentials.given[:, -1]
    # The second packet of a pair is that of another case.
    pairs = jnp.stack([psi, jnp.roll(psi, 1, axis=0)], axis=1)[:: max(1, n_case // 2)]
    return Tests(
        sample_lessons(system, *sizes, names),
        on_potentials,
        (pairs, on_potentials.v[:: max(1, n_case // 2)]),
        seed,
    )


def weights() -> Float[np.ndarray, "n_coalition n_lesson"]:
    """Return the weights of lessons and placebos in all coalitions.

    A process outside of the coalition is replaced by its placebo, so every training has as many
    examples of each kind of packet.
    """
    members = games.coalitions(len(PROCESSES)).astype(float)
    return np.concatenate([members, 1 - members], axis=1) / len(PROCESSES)


def measure(
    name: str,
    seeds: list[int],
    tests: Tests,
    n_frames: int,
    kept: pathlib.Path,
    progress: Callable[[str], None],
    system: System = SYSTEM,
) -> Table:
    """Train and test the students of a budget; seeds that were measured before are read."""
    require_one_of(BUDGETS, budgets=name)
    budget = BUDGETS[name]
    student = budget.student.build(system)
    rows = []
    for seed in seeds:
        sizes = tests.of_processes.frames.shape, n_frames, tests.seed
        about = runner.settings(budget), seed, *sizes
        code = hashlib.sha256(json.dumps(about, default=str).encode()).hexdigest()[:12]
        path = kept / f"{name}-{seed}-{code}.npz"
        if not path.exists():
            progress(f"{name}, seed {seed}")
            found = examine(student, _train(student, budget, seed, system), tests, n_frames)
            path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(path, **{key: value[0] for key, value in vars(found).items()})
        rows.append(dict(np.load(path)))
    return Table(**{key: np.stack([row[key] for row in rows]) for key in rows[0]})


def _train(student: Student, budget: Budget, seed: int, system: System) -> PyTree:
    """The parameters of all coalitions."""
    curriculum = CurriculumConfig(lessons=processes.register())
    plan = curriculum, TrainingConfig(budget.stages)
    each = weights()
    solver = teacher.make(TeacherConfig(), system)
    # A GPU is busy with all of them, a CPU with one.
    n_at_once = 1 if jax.default_backend() == "cpu" else len(each)
    for trained in trainings.train(student, solver, *plan, each, [seed] * len(each), n_at_once):
        params = trained.params
    return params


def examine(student: Student, params: PyTree, tests: Tests, n_frames: int) -> Table:
    """Return the errors and violations of students, with a first axis of length 1 for the seed."""
    symmetries = make_symmetries(student.system.grid)
    given, v = _given(student, tests)

    def violate(params: PyTree) -> Float[Array, "n_symmetry n_case"]:
        emulator = student.bind(params)
        return jnp.stack(
            [
                jax.lax.map(
                    lambda case, claim=symmetries[name].claim: violation(
                        emulator, claim, case[0], case[1], n_frames
                    ),
                    (given, v),
                )
                for name in SYMMETRIES
            ]
        )

    violations = np.asarray(jax.jit(lambda params: jax.lax.map(violate, params))(params))
    return Table(
        importance.examine(student, params, tests.of_processes)[None],
        importance.examine(student, params, tests.of_potentials)[None],
        violations[None],
    )


def _given(student: Student, tests: Tests) -> tuple[Array, Array]:
    """The exact frames that lead to each packet of the pairs, as many as a student needs."""
    psi, v = tests.pairs
    solver = teacher.chebyshev(dataclasses.replace(student.system, bounds=WIDE))
    lead = functools.partial(harness.recall, solver, n_given=student.n_history)
    return jax.jit(jax.vmap(jax.vmap(lead, (0, None))))(psi, v), v


def violation(
    propagator: Propagator,
    claim: object,
    given: Complex[Array, "2 n_history *n_x"],
    v: Float[Array, "*n_x"],
    n_frames: int,
) -> Float[Array, ""]:
    """Return the violation of a claim, mean over frames, relative to psi.

    For a map g it is |F(g psi) - g F(psi)|, for a conserved q it is |q(F psi) - q(psi)|, with psi
    the given frames; q is that of the last of them.
    """
    system, n_given = propagator.system, given.shape[1]
    frames = jax.vmap(lambda given: rollout(propagator, given, v, n_frames))(given)
    pair = jnp.concatenate([given, frames], axis=1)
    if isinstance(claim, Transformation):
        times = system.dt * np.arange(n_given + n_frames)
        image = claim.frames(system, times, pair)
        own = rollout(propagator, image[:n_given], claim.potential(system, v), n_frames)
        size = jnp.linalg.norm(image[0])
        return jnp.mean(jnp.linalg.norm(own - image[n_given:], axis=-1)) / size
    q = claim.form(system, v, given[:, -1])  # type: ignore[attr-defined]
    before = q(given[:, -1], given[:, -1])
    later = jax.vmap(lambda psi: q(psi, psi))(jnp.swapaxes(frames, 0, 1))
    return jnp.mean(jnp.linalg.norm(later - before[None], axis=-1))


def contact(cases: Cases, dx: float) -> Float[np.ndarray, " n_process"]:
    """Return the mean probability within 1 bohr of an edge of V, over the frames of each process.

    Interference has no edge.
    """
    v = np.asarray(cases.v)
    reach = round(1 / dx)
    jumps = np.abs(np.diff(v, axis=1, append=v[:, :1])) > 1e-3
    near = np.zeros_like(jumps)
    for shift in range(-reach, reach + 1):
        near |= np.roll(jumps, shift, axis=1)
    density = np.abs(np.asarray(cases.frames)) ** 2
    each = (density * near[:, None]).sum(axis=2).mean(axis=1) * dx
    names = np.array(cases.family)
    return np.array([each[names == name].mean() for name in dict.fromkeys(cases.family)])
