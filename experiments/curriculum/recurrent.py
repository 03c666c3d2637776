"""Compare curricula of the paper's network: `python experiments/curriculum/recurrent.py`.

With `--few` its trainings on few runs of the teacher, and with `--orders` those on the same runs in
another order.
"""

import dataclasses
import hashlib
import json
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import numpy as np

from experiments import runner
from experiments.curriculum import curricula, curricula_figure, syllabus, taught, taught_scores
from experiments.curriculum.curricula import FEW
from experiments.curriculum.syllabus import Syllabus
from experiments.curriculum.taught import Classroom
from experiments.curriculum.taught_scores import BASELINE, FRESH, Errors
from qdistill._checks import require_at_least, require_one_of
from qdistill.curriculum import CurriculumConfig
from qdistill.forecast.cases import Cases
from qdistill.insight.importance import trainings
from qdistill.runs import folder, presets, records
from qdistill.runs.config import Config
from qdistill.students import WindowedConfig
from qdistill.training.loop import fit

PLANS = {
    "mixed": CurriculumConfig(),
    "easy only": CurriculumConfig(difficulty=(0.0, 0.0)),
    "rising difficulty": CurriculumConfig(difficulty=(0.0, 1.0)),
    "falling difficulty": CurriculumConfig(difficulty=(1.0, 0.0)),
    "adaptive": CurriculumConfig(plan="adaptive", difficulty=(0.0, 1.0)),
}


# A forecast of zero has this error. With few runs of the teacher many forecasts grow without limit,
# and larger errors count as this one.
WORST = 1.0
# Those that show the runs of `mixed`, sorted.
ORDERED = tuple(name for name in syllabus.PLANS if curricula.is_sorted(name))


@dataclasses.dataclass(frozen=True)
class Args:
    """Train the preset `gru-demo` by several plans, on the lessons of single processes."""

    plans: tuple[str, ...] = ("mixed", "rising difficulty", "easy only")
    """Plans, by the settings of the curriculum."""
    few: tuple[int, ...] = ()
    """Numbers of distinct runs of the teacher, which are compared in place of plans."""
    orders: tuple[str, ...] = ()
    """Plans of `syllabus` that show the runs of `mixed` in another order, in place of plans."""
    seeds: tuple[int, ...] = (0, 1, 2, 3, 4)
    """Seeds of the trainings."""
    n_steps: int = 8_000
    """Steps of a training."""
    sizes: curricula.Sizes = dataclasses.field(default_factory=curricula.Sizes)
    """Numbers of cases and frames of the tests; those of trainings are not used."""
    trained: pathlib.Path = pathlib.Path("runs/recurrent-trainings")
    """Folder of the errors of trainings, which are not repeated."""
    out: pathlib.Path = pathlib.Path("runs/curriculum-gru")
    """Folder of the results."""
    smoke: bool = False
    """Run the same steps at tiny sizes, in seconds."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    sizes = dataclasses.replace(args.sizes, n_case=1, n_frames=2, n_paper_frames=2)
    return dataclasses.replace(
        args, plans=("mixed", "easy only"), seeds=(0, 1), n_steps=4, sizes=sizes,
        trained=args.out / "trainings",
    )  # fmt: skip


def measure(args: Args) -> runner.Results:
    """Train and test the networks, and compare the plans."""
    require_at_least(2, seeds=len(args.seeds))
    for name in args.plans:
        require_one_of(PLANS, plans=name)
    for name in args.orders:
        require_one_of(ORDERED, orders=name)
    for n in args.few:
        require_at_least(1, few=n)
    of_runs = (*(f"{FEW}{n}" for n in args.few), *args.orders)
    plans = (*of_runs, FRESH) if of_runs else tuple(dict.fromkeys((BASELINE, *args.plans)))
    sizes, system = args.sizes, config_of(BASELINE, args).system
    tests = taught_scores.make_tests(
        system, curricula.TEST_SEED, sizes.n_case, sizes.n_frames, sizes.n_paper_frames
    )
    families = tuple(dict.fromkeys(tests["families"].family))
    # On a CPU seed by seed, so that what is there is a comparison whenever it is stopped.
    n_together = 1 if jax.default_backend() == "cpu" else len(args.seeds)
    for i in range(0, len(args.seeds), n_together):
        for name in plans:
            train(name, args.seeds[i : i + n_together], args, tests)
    raw = {name: errors_of(name, args, tests) for name in plans}
    scored = raw
    if args.few:
        scored = {
            name: {of: np.minimum(each, WORST) for of, each in errors.items()}
            for name, errors in raw.items()
        }
    skill = {name: taught_scores.skills(scored[name], families, np.median) for name in plans}
    found: dict[str, Any] = {
        "lessons": curricula.STUDY.curriculum.lessons,
        "families": families,
        "paper": tests["paper"].family,
        "steps": args.n_steps,
        "shares of errors above 1": {
            name: {of: (each > WORST).mean(axis=(1, 2)).tolist() for of, each in raw[name].items()}
            for name in plans
        },
    }
    plain = {name: taught_scores.plain(errors) for name, errors in raw.items()}
    records.write_json(args.out / "errors.json", plain)
    if of_runs:
        found["trainings that count as 1"] = {
            name: {of: int(np.sum(each >= np.log10(WORST))) for of, each in skill[name].items()}
            for name in plans
        }
        shape = classroom(args).shape
        found["n_fresh"] = shape.n_blocks * shape.n_runs
        found |= taught_scores.compare_few(
            {name.removeprefix(FEW): of for name, of in skill.items()}
        )
        figures = (
            {} if args.orders else {"few_runs": curricula_figure.plot_few(found, found["n_fresh"])}
        )
        return runner.Results(runner.rounded(found), table(found, "over fresh"), figures)
    found |= taught_scores.compare(skill)
    for other in ("rising difficulty", "easy only"):
        short = other.removesuffix(" difficulty")
        ratios = taught_scores.ratios(skill, "falling difficulty", other)
        found[f"falling over {short}"] = ratios
    figure = curricula_figure.plot_plans({"budgets": {str(args.n_steps): found}})
    return runner.Results(runner.rounded(found), table(found, "over mixed"), {"curriculum": figure})


def classroom(args: Args) -> Classroom:
    """Return what all trainings share whose runs are chosen one by one."""
    config = config_of(BASELINE, args)
    setup = folder.set_up(config)
    return Classroom(setup.student, setup.teacher, config.training, config.curriculum.lessons)


def syllabus_of(name: str, room: Classroom, seed: int) -> Syllabus:
    """Return the runs that a training sees: few, new ones, or these in another order."""
    if name.startswith(FEW):
        return syllabus.of_few(int(name.removeprefix(FEW)), room.shape, seed)
    mixed = syllabus.of_plan(BASELINE, room.shape)
    if name == FRESH:
        return mixed
    (rank,) = taught.ranks_of(room, mixed, [seed], syllabus.PLANS[name][1])
    return syllabus.of_plan(name, room.shape, rank.tolist())


def config_of(name: str, args: Args) -> Config:
    """Return the settings of a training: those of `gru-demo`, with a plan and other lessons."""
    config = presets.PRESETS["gru-demo"][1]
    lessons = curricula.STUDY.curriculum.lessons
    (stage,), student = config.training.stages, config.student
    assert isinstance(student, WindowedConfig)
    batches = stage.batches
    if args.smoke:
        batches = dataclasses.replace(batches, n_block=2, n_runs=2, n_batch=4)
        student = dataclasses.replace(student, n_units=8)
    stage = dataclasses.replace(stage, n_steps=args.n_steps, batches=batches)
    return dataclasses.replace(
        config,
        curriculum=dataclasses.replace(PLANS.get(name, PLANS[BASELINE]), lessons=lessons),
        student=student,
        training=dataclasses.replace(config.training, stages=(stage,)),
    )


def file_of(name: str, seed: int, args: Args) -> pathlib.Path:
    """Return the file of a training's errors."""
    sizes = args.sizes
    settings = repr((config_of(name, args), sizes.n_case, sizes.n_frames, sizes.n_paper_frames))
    digest = hashlib.sha256(settings.encode()).hexdigest()[:8]
    return args.trained / f"{name.replace(' ', '-')}-{args.n_steps}-{digest}-{seed}.json"


def train(name: str, seeds: Sequence[int], args: Args, tests: Mapping[str, Cases]) -> None:
    """Train and test networks together, and keep their errors, unless they are kept already."""
    config = config_of(name, args)
    missing = [seed for seed in seeds if not file_of(name, seed, args).exists()]
    if not missing:
        return
    setup = folder.set_up(config)
    if name not in PLANS:
        room = classroom(args)
        syllabi = [syllabus_of(name, room, seed) for seed in missing]
        params = taught.train(room, syllabi, missing).params
    elif config.curriculum.plan == "constant":
        weights = np.ones((len(missing), len(config.curriculum.lessons)))
        *_, last = trainings.train(
            setup.student, setup.teacher, config.curriculum, config.training, weights, missing,
            n_at_once=len(missing),
        )  # fmt: skip
        params = last.params
    else:
        each = []
        for seed in missing:
            state = setup.trainers[0].init(jax.random.key(seed))
            for last_state, _ in fit(setup.trainers, config.training.boundaries, state):
                state = last_state
            each.append(state.params)
        params = jax.tree.map(lambda *leaves: np.stack(leaves), *each)
    made = taught_scores.measure(setup.student, params, tests)
    args.trained.mkdir(parents=True, exist_ok=True)
    for i, seed in enumerate(missing):
        errors = {of: values[i : i + 1].tolist() for of, values in made.items()}
        records.write_json(file_of(name, seed, args), errors)
        print(f"{name}, seed {seed}: {np.median(errors['paper']):.3f}", flush=True)


def errors_of(name: str, args: Args, tests: Mapping[str, Cases]) -> Errors:
    """Return the errors of all trainings of a plan from their files."""
    each = [json.loads(file_of(name, seed, args).read_text()) for seed in args.seeds]
    found = {of: np.concatenate([np.array(errors[of], float) for errors in each]) for of in tests}
    # A file has no infinite numbers: forecasts that diverge.
    return {of: np.where(np.isnan(errors), np.inf, errors) for of, errors in found.items()}


def table(found: Mapping[str, Any], kind: str) -> str:
    """Return the errors of all plans, and their ratios to one of them, as text."""
    lines = [f"{found['steps']} steps: error, {kind}"]
    for name, row in found["error"].items():
        line = f"  {name:16}"
        for each in taught_scores.SETS:
            line += f"{each} {10 ** row[each]['mean']:.2e}"
            if name in found[kind]:
                ratio = found[kind][name][each]
                line += f" x{10 ** ratio['mean']:.2f} {ratio['verdict']}"
            line += "  "
        lines.append(line.rstrip())
    return "\n".join(lines)


if __name__ == "__main__":
    runner.main(measure, Args, smoke)
