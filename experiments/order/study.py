"""The study: ten trainings at equal errors, and what is ahead of or behind their error."""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from tqdm.auto import tqdm

from experiments.corrections.study import summarise
from experiments.order import levels, matched, order_figure, paths, traits
from experiments.order.matched import CaseSizes, Sets
from qdistill._checks import require_at_least, require_positive
from qdistill.insight.probes import PROCESSES
from qdistill.runs import folder, presets, pretrained
from qdistill.runs.config import Config
from qdistill.runs.results import Results
from qdistill.students import Emulator


@dataclasses.dataclass(frozen=True)
class OrderConfig:
    """Settings of the order of learning.

    Attributes:
      n_seeds: Number of trainings.
      levels: Relative L2 errors at which students are compared, descending: medians over all cases,
        means over frames.
      every: Steps between two records of a training.
      until: Step at which the trainings stop.
      trained: Name of the trained emulator whose parameters are displaced in the null model.
      cases: Sizes of the test sets.
      place: Folder of the recorded trainings, which are not repeated.
    """

    n_seeds: int = 10
    levels: tuple[float, ...] = (0.1, 0.03, 0.005)
    every: int = 5
    until: int = 440
    trained: str = "demo"
    cases: CaseSizes = dataclasses.field(default_factory=CaseSizes)
    place: pathlib.Path = pathlib.Path("runs/order-paths")

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(2, n_seeds=self.n_seeds)
        require_positive(levels=min(self.levels))


def smoke(plan: OrderConfig) -> OrderConfig:
    """Return settings for a run of seconds, with an error that an untrained student has."""
    sizes = CaseSizes(n_pool=2, n_case=1, n_pair=1, n_frames=3)
    return dataclasses.replace(plan, n_seeds=2, levels=(2.0,), every=2, until=24, cases=sizes)


def measure(name: str, plan: OrderConfig, is_small: bool = False) -> Results:
    """Return the order of learning of a preset with a splitting student.

    Args:
      name: Name of the preset.
      plan: The settings.
      is_small: Whether to train a few small blocks only.
    """
    config = presets.PRESETS[name][1]
    if is_small:
        config, plan = presets.smoke(config), smoke(plan)
    sets = matched.make(config.system, plan.cases)
    trained = jax.tree.map(lambda leaf: leaf, pretrained.find(plan.trained))
    seeds = [
        of_seed(dataclasses.replace(config, seed=seed), plan, sets, trained)
        for seed in tqdm(range(plan.n_seeds), unit="training", leave=False, disable=None)
    ]
    compared = {}
    for i, level in enumerate(plan.levels):
        rows = {
            model: [of["levels"][i][model] for of in seeds] for model in ("student", *levels.NULLS)
        }
        compared[f"{level:g}"] = levels.compare(rows)
    levels.decide(compared)
    found = {
        "levels": compared,
        "steps": steps(seeds, plan.levels),
        "difficulty": sets.difficulty,
        "rounding": matched.rounding(plan.cases),
        "seeds": seeds,
    }
    return Results(found, table(found), {"order": order_figure.plot(found)})


def of_seed(config: Config, plan: OrderConfig, sets: Sets, trained: Emulator) -> dict[str, Any]:
    """Return the errors of a training by step, and all traits at each level."""
    path = paths.keep(config, plan.every, plan.until, plan.place)
    student = folder.set_up(config).student
    crossed, errors = levels.crossings(path, student.bind, sets.processes, plan.levels)
    rows = []
    for i, (at, level) in enumerate(zip(crossed, plan.levels, strict=True)):
        key = jax.random.fold_in(jax.random.key(config.seed), i)
        rows.append({
            "level": level,
            "step": at.step,
            "student": traits.with_built_in(at.emulator, sets),
            "disturbed": traits.measure(levels.disturbed(sets, at.emulator, at.nrmse, key), sets),
            "displaced": traits.measure(levels.displaced(sets, trained, at.nrmse, key), sets),
        })  # fmt: skip
    return _rounded({"seed": config.seed, "levels": rows, "errors": _columns(errors)})


def _columns(errors: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The errors of all records, as lists by name."""
    return {
        "step": [row["step"] for row in errors],
        "nrmse": [row["nrmse"] for row in errors],
        "infidelity": [row["infidelity"] for row in errors],
        "processes": {
            name: [row["processes"][name] * row["nrmse"] for row in errors] for name in PROCESSES
        },
    }


def _rounded(value: Any) -> Any:
    """The value with numbers of four digits."""
    if isinstance(value, dict):
        return {key: _rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_rounded(each) for each in value]
    return float(f"{value:.4g}") if isinstance(value, float) else value


def steps(seeds: Sequence[dict[str, Any]], at: Sequence[float]) -> dict[str, Any]:
    """Return the steps at which all cases and those of each process pass each level.

    For a process it is the difference to the step of all cases, paired by seed; trainings in which
    a process does not pass a level are left out, and counted.
    """
    found: dict[str, Any] = {}
    for level in at:
        of_all = [first(of["errors"]["step"], of["errors"]["nrmse"], level) for of in seeds]
        rows = {"all": summarise(step for step in of_all if step is not None)}
        for name in PROCESSES:
            differences = []
            for whole, of in zip(of_all, seeds, strict=True):
                step = first(of["errors"]["step"], of["errors"]["processes"][name], level)
                if whole is not None and step is not None:
                    differences.append(step - whole)
            if len(differences) > 1:
                rows[name] = summarise(differences)
        found[f"{level:g}"] = rows
    return found


def first(step: Sequence[int], error: Sequence[float], level: float) -> float | None:
    """Return the step at which an error passes a level, by interpolation of its logarithm.

    >>> first([0, 10, 20], [1.0, 0.1, 0.001], 0.01)
    15.0
    """
    below = np.flatnonzero(np.asarray(error) <= level)
    if not below.size:
        return None
    i = int(below[0])
    if i == 0:
        return float(step[0])
    high, low = np.log(error[i - 1]), np.log(error[i])
    return float(step[i - 1] + (step[i] - step[i - 1]) * (high - np.log(level)) / (high - low))


def table(found: dict[str, Any]) -> str:
    """Return steps, traits and verdicts as text."""
    lines = []
    for level, rows in found["steps"].items():
        words = ", ".join(f"{name} {row['mean']:+.0f}" for name, row in rows.items())
        lines.append(f"relative L2 error {level}, steps: {words}")
        lines.append(f"  {'':32}{'student':>11}{'disturbed':>11}{'displaced':>11}")
        for name, row in found["levels"][level].items():
            means = "".join(f"{10 ** row[m]['mean']:11.1e}" for m in ("student", *levels.NULLS))
            lines.append(f"  {name:32}{means}  {row['verdict']}")
    return "\n".join(lines)
