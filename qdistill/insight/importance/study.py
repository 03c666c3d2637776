"""From trained coalitions to the importance of lessons: shares, pairs, intervals, words."""

import dataclasses
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float

from qdistill import _distribute as cluster
from qdistill import students
from qdistill._checks import refuse, require_at_least, require_shape
from qdistill.insight.importance import exams, games, trainings
from qdistill.insight.importance.trainings import Trained
from qdistill.runs.config import Config
from qdistill.teacher import factory as teacher

N_RESAMPLED = 1000
# Of all landscapes: the mean of the values of their families.
OVERALL = "all landscapes"

# Errors of one group of exams.
Group: TypeAlias = Float[np.ndarray, "n_seed n_coalition n_family n_case"]


@dataclasses.dataclass(frozen=True)
class Study:
    """Which students are trained, and how they are examined.

    Attributes:
      config: Of every training but for its weights of the lessons; its seed is the first.
      n_seed: Trainings of each coalition.
      n_case: Exam cases of each lesson, and of each family of landscapes.
      n_frames: Frames of an exam's forecast.
      n_at_once: Trainings that are one vectorised computation.
    """

    config: Config
    n_seed: int = 3
    n_case: int = 8
    n_frames: int = 60
    n_at_once: int = 1

    def __post_init__(self) -> None:  # noqa: D105
        for name in ("n_seed", "n_case", "n_frames", "n_at_once"):
            require_at_least(1, **{name: getattr(self, name)})
        lessons = self.config.curriculum.lessons
        if not 2 <= len(set(lessons)) == len(lessons) <= 8:
            refuse("lessons", "2 to 8 different ones", lessons)
        if self.config.curriculum.plan != "constant":
            refuse("plan", "'constant'", repr(self.config.curriculum.plan))


class Errors(NamedTuple):
    """Forecast errors of the students of all coalitions, numbered as in `games`.

    The first coalition is empty; its student is untrained, with the first parameters of the others.
    """

    lessons: tuple[str, ...]
    families: tuple[str, ...]
    of_lessons: Float[np.ndarray, "n_seed n_coalition n_lesson n_case"]
    of_landscapes: Float[np.ndarray, "n_seed n_coalition n_family n_case"]


class Estimate(NamedTuple):
    """A mean over seeds, and the ends of the 95% bootstrap interval around it."""

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray


class Importance(NamedTuple):
    """What each lesson is worth, in decades of forecast error.

    A column is what the skill is measured on: an exam of each lesson, each family of landscapes,
    and the mean of the latter, `OVERALL`, which comes last.

    Attributes:
      lessons: The players.
      columns: Names of the columns.
      values: Of each coalition, (n_column, n_coalition).
      shares: Shapley values, (n_column, n_lesson).
      leave_one_out, only_one: See `games`, (n_column, n_lesson).
      pairs: Interactions, (n_column, n_lesson, n_lesson).
    """

    lessons: tuple[str, ...]
    columns: tuple[str, ...]
    values: Estimate
    shares: Estimate
    leave_one_out: Estimate
    only_one: Estimate
    pairs: Estimate


def run(
    study: Study,
    progress: Callable[[Trained], None] = lambda trained: None,
    mesh: Mesh | None = None,
) -> Errors:
    """Train the students of all coalitions and seeds, and examine them.

    All of a seed begin with the same parameters and share their random numbers, so that they differ
    by their lessons alone. The exams are the same for all.

    Args:
      study: What to do.
      progress: Told of every block of steps.
      mesh: Devices that share the trainings, from `cluster.make_mesh`.
    """
    config = study.config
    lessons, dt = config.curriculum.lessons, config.teacher.dt
    grid, _ = teacher.make(config.teacher)
    student = students.make(config.student, grid, dt)
    # The exams are no training's, so their seed is apart.
    sizes = (config.seed + 1_000_003, study.n_case, study.n_frames)
    both = (
        exams.make_lesson_exams(grid, dt, *sizes, lessons),
        exams.make_landscape_exams(grid, dt, *sizes),
    )
    seeds = [config.seed + i for i in range(study.n_seed)]
    weights = trainings.coalition_weights(games.coalitions(len(lessons)))
    n_taught = len(weights)
    every = [seed for seed in seeds for _ in range(n_taught)]
    for trained in trainings.train(
        config, np.tile(weights, (study.n_seed, 1)), every, study.n_at_once, mesh
    ):
        progress(trained)
    untaught = trainings.initial_params(config, seeds)
    params = jax.tree.map(
        lambda first, later: jnp.concatenate(
            [first[:, None], later.reshape(study.n_seed, n_taught, *first.shape[1:])], axis=1
        ).reshape(-1, *first.shape[1:]),
        untaught,
        cluster.to_host(trained.params),
    )
    on_lessons, on_landscapes = (
        errors.reshape(study.n_seed, n_taught + 1, *errors.shape[1:])
        for errors in (exams.examine(student, params, exam) for exam in both)
    )
    return Errors(lessons, both[1].families, on_lessons, on_landscapes)


def importance(errors: Errors, seed: int = 0) -> Importance:
    """Shapley values, interactions and their like, with intervals.

    The bootstrap draws seeds, each with all its coalitions, and exam cases, each with all that were
    examined on it. With few seeds the intervals are too narrow: three can be drawn in ten ways.

    Args:
      errors: Of `run`.
      seed: Of the bootstrap.

    Raises:
      ValueError: For arrays that do not fit the lessons.
    """
    n_seed, n_coalition, n_lesson, n_case = errors.of_lessons.shape
    if (n_coalition, n_lesson) != (2 ** len(errors.lessons), len(errors.lessons)):
        refuse("of_lessons", "of every coalition and lesson", f"of shape {errors.of_lessons.shape}")
    shape = (n_seed, n_coalition, len(errors.families), n_case)
    require_shape(shape, of_landscapes=errors.of_landscapes)
    rng = np.random.default_rng(seed)
    values = [_values(errors, np.arange(n_seed), np.arange(n_case), np.arange(n_case))]
    for _ in range(N_RESAMPLED):
        seeds, *cases = (rng.integers(n, size=(n,)) for n in (n_seed, n_case, n_case))
        values.append(_values(errors, seeds, *cases))
    drawn = np.stack(values)
    return Importance(
        errors.lessons,
        (*(f"exam: {name}" for name in errors.lessons), *errors.families, OVERALL),
        *(
            _estimate(measure(drawn))
            for measure in (
                lambda values: values,
                games.shapley,
                games.leave_one_out,
                games.only_one,
                games.interactions,
            )
        ),
    )


def _values(
    errors: Errors, seeds: np.ndarray, cases: np.ndarray, landscapes: np.ndarray
) -> Float[np.ndarray, "n_column n_coalition"]:
    """Of the coalitions, mean over these seeds, from these cases of every exam."""
    on_lessons = exams.skill(errors.of_lessons[seeds][..., cases]).mean(axis=0)
    on_landscapes = exams.skill(errors.of_landscapes[seeds][..., landscapes]).mean(axis=0)
    overall = on_landscapes.mean(axis=1, keepdims=True)
    return np.concatenate([on_lessons, on_landscapes, overall], axis=1).T


def _estimate(drawn: np.ndarray) -> Estimate:
    """From the values themselves, which come first, and the resampled ones."""
    low, high = np.quantile(drawn[1:], (0.025, 0.975), axis=0)
    return Estimate(drawn[0], low, high)


def describe(found: Importance) -> dict[str, Any]:
    """All numbers, by column and lesson, for a report; values are -log10 of the error."""

    def by_lesson(estimate: Estimate, column: int) -> dict[str, Any]:
        return {
            name: {key: float(each[column, i]) for key, each in estimate._asdict().items()}
            for i, name in enumerate(found.lessons)
        }

    members = games.coalitions(len(found.lessons))
    names = ["+".join(np.array(found.lessons)[mine]) or "none" for mine in members]
    return {
        name: {
            "value_by_coalition": dict(zip(names, found.values.mean[column].tolist(), strict=True)),
            "shapley": by_lesson(found.shares, column),
            "leave_one_out": by_lesson(found.leave_one_out, column),
            "only_one": by_lesson(found.only_one, column),
            "interaction": {
                f"{found.lessons[i]}+{found.lessons[j]}": {
                    key: float(each[column, i, j]) for key, each in found.pairs._asdict().items()
                }
                for j in range(len(found.lessons))
                for i in range(j)
            },
        }
        for column, name in enumerate(found.columns)
    }


def table(found: Importance) -> str:
    """The lessons' shares of the skill on all landscapes, and which column each serves most."""
    last = found.columns.index(OVERALL)
    none, everything = found.values.mean[last, [0, -1]]
    lines = [
        f"skill on {OVERALL}, -log10 of the error: {everything:.2f} with every lesson, "
        f"{none:.2f} untrained",
        f"{'lesson':14}{'Shapley (95%)':>24}{'leave one out':>15}{'only one':>10}  serves most",
    ]
    for i, name in enumerate(found.lessons):
        mean, low, high = (each[last, i] for each in found.shares)
        best = found.columns[int(np.argmax(found.shares.mean[:, i]))]
        interval = f"{mean:.2f} ({low:.2f} to {high:.2f})"
        without, alone = found.leave_one_out.mean[last, i], found.only_one.mean[last, i]
        lines.append(f"{name:14}{interval:>24}{without:15.2f}{alone:10.2f}  {best}")
    return "\n".join(lines)
