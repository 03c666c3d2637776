"""Studies of importance: settings, trainings on all coalitions, tests and errors."""

import dataclasses
import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, PyTree

from qdistill import _distribute as cluster
from qdistill import teacher
from qdistill._checks import refuse, require_at_least, require_each, require_seed, require_settings
from qdistill._refusals import explained
from qdistill.curriculum.schedules import CurriculumConfig
from qdistill.forecast import baselines, cases
from qdistill.forecast.cases import Cases
from qdistill.insight.importance import games, trainings
from qdistill.insight.importance.shares import Errors, Importance, analyse
from qdistill.insight.importance.trainings import Trained
from qdistill.insight.probes.learning import forecast_errors, sample_lessons
from qdistill.physics import families
from qdistill.students import Student, StudentConfig, UnitaryConfig
from qdistill.system import System
from qdistill.teacher import TeacherConfig
from qdistill.training.batches import BatchConfig
from qdistill.training.stages import Stage, TrainingConfig, smoke_stage

# Time until packets of `baselines.sample_cases` are close to their potential, in a.u. per bohr of
# the box length; it grows as the root of the mass.
LEAD = 0.08
# The seed of the potentials, counted from that of the first training.
OF_POTENTIALS = 1_000_003
# Number of frames given to students, the most that any needs.
N_GIVEN = 4


@explained
def short_stage(n_steps: int, n_target: int, n_batch: int, peak_rate: float) -> Stage:
    """Return a stage with few and short runs, because simulating frames dominates the cost."""
    batches = BatchConfig(
        n_batch=n_batch,
        n_block=20,
        n_runs=16,
        n_frames=12 + n_target,
        n_target=n_target,
        examples="frames",
    )
    return Stage(
        n_steps=n_steps,
        batches=batches,
        peak_rate=peak_rate,
        final_rate=peak_rate / 100,
        warm_up=0.05,
        weight_decay=0.0,
    )


_QUICK = short_stage(240, 1, 16, 1e-2), short_stage(240, 8, 8, 1e-2), short_stage(240, 24, 4, 3e-3)
_FULL = short_stage(300, 1, 64, 1e-2), short_stage(300, 8, 32, 1e-2), short_stage(600, 24, 16, 3e-3)


@explained
@dataclasses.dataclass(frozen=True)
class Study:
    """Settings of a study: trainings on every coalition of lessons, and their tests.

    Attributes:
      seed: Random seed of the first training of each coalition.
      system: A one-dimensional system.
      teacher: The solver that makes the examples.
      curriculum: The lessons, which are the players; coalitions replace its weights.
      student: The form of the student.
      training: Settings of the training.
      n_seed: Number of trainings of each coalition.
      n_case: Number of test cases of each lesson, and of each family of potentials.
      n_frames: Frames of a forecast.
      n_at_once: Number of trainings in one vectorised computation.
    """

    seed: int = 0
    system: System = dataclasses.field(default_factory=lambda: System(bounds=(-16.0, 16.0)))
    teacher: TeacherConfig = dataclasses.field(default_factory=TeacherConfig)
    curriculum: CurriculumConfig = dataclasses.field(default_factory=CurriculumConfig)
    student: StudentConfig = dataclasses.field(default_factory=UnitaryConfig)
    training: TrainingConfig = dataclasses.field(default_factory=lambda: TrainingConfig(_QUICK))
    n_seed: int = 3
    n_case: int = 8
    n_frames: int = 60
    n_at_once: int = 1

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("n_seed", "n_case", "n_frames", "n_at_once"):
            require_at_least(1, **{name: getattr(self, name)})
        require_seed(seed=self.seed)
        last = 2**32 - 1 - max(OF_POTENTIALS, self.n_seed - 1)
        if self.seed > last:
            refuse("seed", f"at most {last}, since those of the trainings follow", self.seed)
        lessons = self.curriculum.lessons
        if not 2 <= len(set(lessons)) == len(lessons) <= 8:
            refuse("lessons", "2 to 8 different ones", lessons)
        if self.curriculum.plan != "constant":
            refuse("plan", "'constant'", repr(self.curriculum.plan))


STUDIES: dict[str, tuple[str, Study]] = {
    "quick": ("The unitary student from scratch, three seeds: half an hour.", Study()),
    "full": (
        "The same with longer trainings and five seeds: hours.",
        Study(training=TrainingConfig(_FULL), n_seed=5, n_case=24),
    ),
}


@explained
def smoke(study: Study) -> Study:
    """Return a small version of a study that takes seconds: a coarse grid, one block per stage."""
    ends = dict.fromkeys((study.training.stages[0], study.training.stages[-1]))
    stages = tuple(smoke_stage(stage, n_blocks=1) for stage in ends)
    return dataclasses.replace(
        study,
        system=dataclasses.replace(
            study.system, grid=dataclasses.replace(study.system.grid, shape=(160,))
        ),
        training=dataclasses.replace(study.training, stages=stages),
        n_seed=min(2, study.n_seed),
        n_case=1,
        n_frames=4,
    )


@explained
def sample_potentials(system: System, seed: int, n_case: int, n_frames: int) -> Cases:
    """Return solved test cases in which a packet is about to meet a potential.

    Args:
      system: A one-dimensional system.
      seed: Random seed of the packets and potentials.
      n_case: Number of cases of each family of potentials.
      n_frames: Number of frames to forecast. Before them, the exact solver propagates packets
        towards the potential.

    Returns:
      The cases, one family after the other.
    """
    require_at_least(1, n_case=n_case, n_frames=n_frames)
    names = tuple(families.FAMILIES)
    require_seed(seed=seed)
    key = jax.random.key(seed)
    drawn, psi0, v = baselines.sample_cases(key, system.grid, n_case * len(names))
    if system.dt < 0:
        # Backwards in time the reversed packets meet the potentials.
        psi0 = jnp.conj(psi0)
    order = np.argsort([names.index(name) for name in drawn], kind="stable")
    lead = LEAD * system.grid.lengths[0] * math.sqrt(system.grid.mass[0])
    n_lead = max(N_GIVEN, round(lead / abs(system.dt)))
    solver = cases.exact(system, v)
    family = tuple(drawn[i] for i in order)
    truth = cases.simulate(solver, psi0[order], v[order], n_lead, n_frames, family)
    return dataclasses.replace(truth, given=truth.given[:, -N_GIVEN:])


@explained
def examine(
    student: Student, params: PyTree, truth: Cases
) -> Float[np.ndarray, "n_training n_family n_case"]:
    """Return the relative L2 error, mean over frames, of each case for many trainings.

    Args:
      student: The student.
      params: Its parameters, with a first axis n_training.
      truth: Test cases, ordered by family, equally many of each.
    """
    require_each("training", params=params)
    student.require_params(jax.tree.map(lambda leaf: leaf[0], params))
    n_family = len(set(truth.family))

    def errors(params: PyTree) -> Float[jax.Array, " n_case"]:
        return forecast_errors(student.bind(params), truth)

    each = jax.jit(lambda params: jax.lax.map(errors, params))(params)
    return np.asarray(each, float).reshape(len(each), n_family, -1)


@explained
def measure_errors(
    study: Study,
    progress: Callable[[Trained], None] = lambda trained: None,
    mesh: Mesh | None = None,
) -> Errors:
    """Train students on all coalitions with all seeds, and return their test errors.

    Students of one seed have the same initial parameters and random numbers, so they differ by
    their lessons alone. The test cases are the same for all.

    Args:
      study: Settings of the study.
      progress: Called with the state of all trainings after every block of steps.
      mesh: Devices that share the trainings, from `_distribute.make_mesh`.
    """
    lessons, system = study.curriculum.lessons, study.system
    solver = teacher.make(study.teacher, system)
    student = study.student.build(system)
    # A random stream separate from those of all trainings.
    sizes = study.seed + OF_POTENTIALS, study.n_case, study.n_frames
    on_lessons = sample_lessons(system, *sizes, lessons)
    on_potentials = sample_potentials(system, *sizes)
    seeds = [study.seed + i for i in range(study.n_seed)]
    weights = trainings.coalition_weights(games.coalitions(len(lessons)))
    n_taught = len(weights)
    plan = (study.curriculum, study.training)
    every = [seed for seed in seeds for _ in range(n_taught)]
    for trained in trainings.train(
        student, solver, *plan, np.tile(weights, (study.n_seed, 1)), every, study.n_at_once, mesh
    ):
        progress(trained)
    params = jax.tree.map(
        lambda first, later: jnp.concatenate(
            [first[:, None], later.reshape(study.n_seed, n_taught, *first.shape[1:])], axis=1
        ).reshape(-1, *first.shape[1:]),
        trainings.initial_params(student, seeds),
        cluster.to_host(trained.params),
    )
    tables = (
        errors.reshape(study.n_seed, n_taught + 1, *errors.shape[1:])
        for errors in (examine(student, params, truth) for truth in (on_lessons, on_potentials))
    )
    return Errors(lessons, tuple(dict.fromkeys(on_potentials.family)), *tables)


@explained
def evaluate(
    study: Study,
    progress: Callable[[Trained], None] = lambda trained: None,
    mesh: Mesh | None = None,
) -> Importance:
    """Run a study and return its analysis; see `measure_errors` and `analyse`."""
    found = analyse(measure_errors(study, progress, mesh))
    return dataclasses.replace(found, numbers={"n_frames": study.n_frames, **found.numbers})
