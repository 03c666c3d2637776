"""Landscapes by gradients: `python experiments/design/design.py demo unitary`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated, Any

import jax
import tyro
from tqdm.auto import tqdm

from experiments.design import study
from experiments.design.figure import plot_designs, plot_through
from qdistill import plots
from qdistill._checks import refuse, require_one_of
from qdistill.insight import design
from qdistill.insight.design import RolloutConfig, SearchConfig, TaskConfig
from qdistill.runs import folder as runs
from qdistill.runs import pretrained
from qdistill.teacher import factory as teacher
from qdistill.teacher.factory import TeacherConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Design a splitter, a filter and a mirror; and again through forecasts of trained students."""

    students: Annotated[tuple[str, ...], tyro.conf.Positional] = ()
    """Names of the package's students, their files, or folders of runs, of the same physics."""
    out: pathlib.Path = pathlib.Path("runs/design")
    """Folder of the results."""
    designs: tuple[str, ...] = tuple(design.TASKS)
    """What is designed by plane waves."""
    through: tuple[str, ...] = tuple(design.ROLLOUTS)
    """What is designed through forecasts."""
    tasks: dict[str, TaskConfig] = dataclasses.field(default_factory=lambda: design.TASKS)
    """What is asked of plane waves."""
    rollouts: dict[str, RolloutConfig] = dataclasses.field(default_factory=lambda: design.ROLLOUTS)
    """What is asked of packets."""
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    """For the landscapes of plane waves."""
    rollout_search: SearchConfig = dataclasses.field(
        default_factory=lambda: SearchConfig(n_starts=3, n_steps=100, rate=0.2)
    )
    """For those made through forecasts."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def smoke(args: Args) -> Args:
    """Tiny numbers."""
    tiny = SearchConfig(n_starts=2, n_steps=2)

    def small(name: str) -> TaskConfig:
        task = args.tasks[name]
        return dataclasses.replace(task, n_energy=3, n_packet=2, packet_width=2.0, dwell=0.0)

    splitter = dataclasses.replace(
        args.rollouts["splitter"], packet_width=2.0, energies=(4.0,), shares=(0.5,)
    )
    return dataclasses.replace(
        args,
        designs=("splitter", "filter"),
        through=("splitter",),
        tasks={name: small(name) for name in ("splitter", "filter")},
        rollouts={"splitter": splitter},
        search=tiny,
        rollout_search=tiny,
    )


def make(args: Args) -> None:
    """Design, try, judge, write, draw."""
    require_one_of(args.tasks, **{f"designs[{i}]": name for i, name in enumerate(args.designs)})
    require_one_of(args.rollouts, **{f"through[{i}]": name for i, name in enumerate(args.through)})
    loaded = {pathlib.Path(name).stem: pretrained.find(name) for name in args.students}
    physics = [each.config.teacher for each in loaded.values()] or [TeacherConfig()]
    for name, each in loaded.items():
        if each.config.teacher != physics[0]:
            refuse("students", "of the same physics", f"of another in {name}")
    (grid, _), dt = teacher.make(physics[0]), physics[0].dt
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    args = smoke(args) if args.smoke else args
    rivals = {
        name: study.Rival(each.student, each.student.propagator(each.params))
        for name, each in loaded.items()
    }
    found = {
        name: design.design(args.tasks[name], args.search, grid)
        for name in tqdm(args.designs, unit="design", leave=False)
    }
    judged = {
        name: study.through(args.rollouts[name], args.rollout_search, grid, dt, rivals)
        for name in tqdm(args.through, unit="design", leave=False)
    }
    metrics: dict[str, Any] = {
        "designs": {name: study.describe(args.tasks[name], each) for name, each in found.items()},
        "through": judged,
    }
    text = json.dumps(runs.plain(metrics), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    if found:
        plots.save(plot_designs(found), args.out / "designs.png")
    if judged:
        plots.save(plot_through(judged), args.out / "through.png")
    print(study.words(metrics))


def main() -> None:
    """Parse and design."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        make(tyro.cli(Args, prog="design.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"design.py: {error}")


if __name__ == "__main__":
    main()
