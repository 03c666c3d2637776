"""Compare curricula, and count the runs that are enough: `experiments/curriculum/curricula.py`."""

import dataclasses
import pathlib
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from tqdm.auto import tqdm

from experiments import runner
from experiments.curriculum import curricula_figure, hardness, syllabus, taught, taught_scores
from experiments.curriculum.syllabus import PLANS, YOKED, Syllabus
from experiments.curriculum.taught import Classroom, Taught
from experiments.curriculum.taught_scores import FRESH, Errors
from qdistill import teacher
from qdistill._checks import require_at_least, require_one_of
from qdistill.forecast.cases import Cases
from qdistill.insight import importance
from qdistill.insight.importance import Study
from qdistill.runs import pretrained, records
from qdistill.training.stages import TrainingConfig

# Short trainings of the unitary student from scratch, in three stages of equally many steps.
STUDY = importance.STUDIES["quick"][1]
# Packaged emulators that show how near to convergence the trainings are.
REFERENCES = ("demo", "unitary")
# The name of trainings on a number of distinct runs begins so.
FEW = "few "
# A random stream separate from those of all trainings.
TEST_SEED = 1_000_003


@dataclasses.dataclass(frozen=True)
class Sizes:
    """The sizes of the trainings and tests.

    Attributes:
      n_seeds: Trainings by each plan.
      n_steps: Steps of each of the three stages, for each budget.
      plans: Plans and controls of each budget.
      few: Numbers of distinct runs, at the first budget.
      n_case: Held-out cases of each family of potentials.
      n_frames: Frames of a forecast of them.
      n_paper_frames: Frames of a forecast of the paper's cases.
      n_hardness: Examples of each lesson and difficulty, for the fixed model.
    """

    n_seeds: int = 10
    n_steps: tuple[int, ...] = (240, 480, 1920)
    plans: tuple[tuple[str, ...], ...] = (
        (
            "mixed",
            "easy only",
            "easy to hard",
            "hard to easy",
            "easy to hard, each stage",
            "hard to easy, each stage",
            "staged",
            "staged, reversed",
            "ramped",
            "loss-driven",
            "loss-driven, yoked",
            "adaptive",
            "adaptive, yoked",
        ),
        ("mixed", "easy only"),
        ("mixed", "easy only"),
    )
    few: tuple[int, ...] = (1, 3, 10, 30, 100, 300)
    n_case: int = 6
    n_frames: int = 60
    n_paper_frames: int = 400
    n_hardness: int = 16

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(2, n_seeds=self.n_seeds)
        for name in (name for plans in self.plans for name in plans):
            require_one_of((*PLANS, *YOKED), plans=name)


# Orders and plans by the student's own losses near convergence.
LONG = Sizes(
    n_steps=(1920,),
    plans=(("mixed", "easy to hard", "hard to easy", "adaptive", "adaptive, yoked", "easy only"),),
    few=(),
)


@dataclasses.dataclass(frozen=True)
class Args:
    """Train the unitary student by several plans and controls, and on few runs of the teacher."""

    sizes: Sizes = dataclasses.field(default_factory=Sizes)
    long: bool = False
    """Take the sizes of long trainings, `LONG`, in place of `sizes`."""
    plans: tuple[str, ...] = ()
    """Plans and controls to compare with `mixed` at every budget, in place of those of `sizes`."""
    trained: pathlib.Path = pathlib.Path("runs/curriculum-trainings")
    """Folder of the trainings, which are not repeated."""
    out: pathlib.Path = pathlib.Path("runs/curriculum")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    plans = ("mixed", "adaptive", "adaptive, yoked")
    sizes = Sizes(2, (4,), (plans,), (1,), n_case=1, n_frames=3, n_paper_frames=3, n_hardness=2)
    return dataclasses.replace(args, sizes=sizes, trained=args.out / "trainings")


def study_of(args: Args) -> Study:
    """Return system, teacher, student and stages."""
    if not args.smoke:
        return STUDY
    small = importance.smoke(STUDY)
    # The paper's packets are too fast for fewer points.
    grid = dataclasses.replace(small.system.grid, shape=(256,))
    system = dataclasses.replace(small.system, grid=grid)
    training = TrainingConfig(small.training.stages[-1:])
    return dataclasses.replace(small, system=system, training=training)


def classroom(study: Study, n_steps: int) -> Classroom:
    """Return what all trainings of a budget share."""
    stages = (dataclasses.replace(stage, n_steps=n_steps) for stage in study.training.stages)
    return Classroom(
        study.student.build(study.system),
        teacher.make(study.teacher, study.system),
        TrainingConfig(tuple(stages)),
        study.curriculum.lessons,
    )


@dataclasses.dataclass(frozen=True)
class Keeper:
    """The trainings of one budget, and their errors: from files, or made and kept.

    Attributes:
      room: What the trainings share.
      n_seeds: Number of trainings by each plan.
      place: Folder of the files.
    """

    room: Classroom
    n_seeds: int
    place: pathlib.Path

    @property
    def seeds(self) -> list[int]:
        """The seeds of the trainings."""
        return list(range(self.n_seeds))

    def syllabi(self, name: str) -> list[Syllabus]:
        """Return the syllabi of a plan, a control or a number of runs, one for each seed."""
        shape = self.room.shape
        if name in YOKED:
            recorded = self.trainings(YOKED[name])._asdict()
            return [syllabus.yoked(shape, recorded, seed) for seed in self.seeds]
        if name.startswith(FEW):
            n_distinct = int(name.removeprefix(FEW))
            return [syllabus.of_few(n_distinct, shape, seed) for seed in self.seeds]
        rank: Any = [()] * self.n_seeds
        if is_sorted(name):
            mixed = syllabus.of_plan("mixed", shape)
            rank = taught.ranks_of(self.room, mixed, self.seeds, PLANS[name][1])
        return [syllabus.of_plan(name, shape, of_seed) for of_seed in rank]

    def file(self, name: str, kind: str = "") -> pathlib.Path:
        """Return the file of trainings, whose name has a checksum of all that they depend on."""
        # The order, which takes long to find, follows from the runs that are sorted.
        given = self.syllabi("mixed" if is_sorted(name) else name)
        return self.place / f"{taught.label(self.room, name, given, self.seeds)}{kind}.npz"

    def trainings(self, name: str) -> Taught:
        """Return the trainings by a plan, a control or on a number of runs."""
        return taught.keep(self.room, self.file(name), lambda: self.syllabi(name), self.seeds)

    def errors(self, name: str, tests: Mapping[str, Cases], of_tests: str) -> Errors:
        """Return the errors of these trainings; the tests are known by a name."""

        def make() -> dict[str, np.ndarray]:
            return taught_scores.measure(self.room.student, self.trainings(name).params, tests)

        return taught.kept(self.file(name, f"-{of_tests}"), make)


def is_sorted(name: str) -> bool:
    """Return whether a plan sorts the runs of `mixed`."""
    return name in PLANS and PLANS[name][1] != "as drawn"


def measure(args: Args) -> runner.Results:
    """Train and test all students, and compare the plans."""
    study, sizes = study_of(args), LONG if args.long else args.sizes
    if args.plans:
        plans = tuple(dict.fromkeys((taught_scores.BASELINE, *args.plans)))
        sizes = dataclasses.replace(sizes, plans=(plans,) * len(sizes.n_steps))
    system, lessons = study.system, study.curriculum.lessons
    n_frames = max(stage.batches.n_frames for stage in study.training.stages) - 1
    hard = hardness.of_lessons(system, lessons, sizes.n_hardness, n_frames, TEST_SEED)
    tests = taught_scores.make_tests(
        system, TEST_SEED, sizes.n_case, sizes.n_frames, sizes.n_paper_frames
    )
    families = tuple(dict.fromkeys(tests["families"].family))
    found: dict[str, Any] = {
        "lessons": lessons,
        "families": families,
        "paper": tests["paper"].family,
        "hardness": {
            "levels": hardness.LEVELS.tolist(),
            **dict(zip(lessons, np.exp(np.log(hard).mean(axis=-1)).tolist(), strict=True)),
        },
        "budgets": {},
        "references": {} if args.smoke else _references(tests, families),
    }
    of_tests = f"errors-{sizes.n_case}-{sizes.n_frames}-{sizes.n_paper_frames}"
    raw: dict[str, dict[str, Errors]] = {}
    for n_steps, names in zip(sizes.n_steps, sizes.plans, strict=True):
        keeper = Keeper(classroom(study, n_steps), sizes.n_seeds, args.trained)
        budget = f"{keeper.room.training.boundaries[-1]}"
        of_budget: dict[str, Errors] = raw.setdefault(budget, {})
        for name in tqdm(names, unit="plan", leave=False, disable=None):
            of_budget[name] = keeper.errors(name, tests, of_tests)
        skill = {name: taught_scores.skills(of, families) for name, of in of_budget.items()}
        found["budgets"][budget] = {
            "frames": frames_of(keeper.room),
            **taught_scores.compare(skill),
            "schedules": {
                name: _schedule(keeper.trainings(name)) for name in YOKED.values() if name in names
            },
        }
    figures = {"curriculum": curricula_figure.plot_plans(found)}
    if sizes.few:
        keeper = Keeper(classroom(study, sizes.n_steps[0]), sizes.n_seeds, args.trained)
        few = {f"{n}": keeper.errors(f"{FEW}{n}", tests, of_tests) for n in sizes.few}
        raw["few"] = few | {FRESH: next(iter(raw.values()))[taught_scores.BASELINE]}
        found["n_fresh"] = keeper.room.shape.n_blocks * keeper.room.shape.n_runs
        found["few"] = taught_scores.compare_few(
            {name: taught_scores.skills(of, families) for name, of in raw["few"].items()}
        )
        figures["few_runs"] = curricula_figure.plot_few(found["few"], found["n_fresh"])
    for name, of_group in raw.items():
        plain = {plan: taught_scores.plain(of) for plan, of in of_group.items()}
        records.write_json(args.out / f"errors-{name}.json", plain)
    return runner.Results(runner.rounded(found), table(found), figures)


def frames_of(room: Classroom) -> int:
    """Return the number of frames that the teacher makes in a training, the same for all plans."""
    return sum(
        stage.n_steps // stage.batches.n_block * stage.batches.n_runs * (stage.batches.n_frames - 1)
        for stage in room.training.stages
    )


def _schedule(trainings: Taught) -> dict[str, Any]:
    """The weights and the difficulty of each block, mean over seeds."""
    weights, difficulty = (
        np.mean(each, axis=0).T.tolist() for each in (trainings.weights, trainings.difficulty)
    )
    return {"weights": weights, "difficulty": difficulty}


def _references(
    tests: Mapping[str, Cases], families: tuple[str, ...]
) -> dict[str, dict[str, float]]:
    """The errors of packaged emulators of other forms and longer trainings on the same cases."""
    found = {}
    for name in REFERENCES:
        emulator = pretrained.find(name)
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf)[None], emulator.params)
        errors = taught_scores.measure(emulator.student, params, tests)
        skill = taught_scores.skills(errors, families)
        found[name] = {of: 10 ** float(each[0]) for of, each in skill.items()}
    return found


def table(found: Mapping[str, Any]) -> str:
    """Return the errors of all plans, and their differences to `mixed`, as text."""
    lines = []
    for budget, of in found["budgets"].items():
        lines.append(f"{budget} steps, {of['frames']:,} frames of the teacher: error, over mixed")
        for name, row in of["error"].items():
            cells = []
            for each in taught_scores.SETS:
                cell = f"{each} {10 ** row[each]['mean']:.2e}"
                if name in of["over mixed"]:
                    ratio = of["over mixed"][name][each]
                    cell += f" x{10 ** ratio['mean']:.2f} {ratio['verdict']}"
                cells.append(f"{cell:34}")
            lines.append(f"  {name:24}" + "".join(cells).rstrip())
        for name, row in of["over yoked"].items():
            words = ", ".join(
                f"{each} x{10 ** row[each]['mean']:.2f} {row[each]['verdict']}"
                for each in taught_scores.SETS
            )
            lines.append(f"  {name} over its yoked control: {words}")
    few = found.get("few", {"error": {}})["error"]
    lines += ["distinct runs: error"] * bool(few)
    for name, row in few.items():
        words = ", ".join(f"{each} {10 ** row[each]['mean']:.2e}" for each in taught_scores.SETS)
        lines.append(f"  {name:24}{words}")
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
