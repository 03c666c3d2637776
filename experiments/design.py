"""Landscapes by gradients: `python experiments/design.py runs/demo`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated, Any

import jax
import tyro
from tqdm.auto import tqdm

from qdistill import Grid, design, plots, runs
from qdistill.arguments import refuse
from qdistill.design import RolloutConfig, SearchConfig, TaskConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """Design a splitter, a filter and a mirror; and again through forecasts of finished runs."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional] = ()
    """Folders of the runs, of the same physics; none: only the exact solver."""
    out: pathlib.Path = pathlib.Path("runs/design")
    """Folder of the results."""
    tasks: dict[str, TaskConfig] = dataclasses.field(default_factory=lambda: design.TASKS)
    """What is asked of plane waves."""
    rollouts: dict[str, RolloutConfig] = dataclasses.field(default_factory=lambda: design.ROLLOUTS)
    """What is asked of packets, through forecasts."""
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
        tasks={name: small(name) for name in ("splitter", "filter")},
        rollouts={"splitter": splitter},
        search=tiny,
        rollout_search=tiny,
    )


def make(args: Args) -> None:
    """Design, try, judge, write, draw."""
    loaded = {path.name: runs.load(path) for path in args.runs}
    grid, dt, first = Grid(), 0.1, None
    for name, (settings, setup, _) in loaded.items():
        first = first or settings
        grid, dt = setup.grid, settings.teacher.dt
        if settings.teacher != first.teacher:
            refuse("runs", "of the same physics", f"of another in {name}")
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    args = smoke(args) if args.smoke else args
    rivals = {
        name: design.Rival(setup.student, setup.student.propagator(params))
        for name, (_, setup, params) in loaded.items()
    }
    bar = tqdm(total=len(args.tasks) + len(args.rollouts), unit="task", leave=False)
    found, judged = {}, {}
    for name, task in args.tasks.items():
        found[name] = design.design(task, args.search, grid)
        bar.update()
    for name, rollout in args.rollouts.items():
        judged[name] = design.through(rollout, args.rollout_search, grid, dt, rivals)
        bar.update()
    bar.close()
    metrics: dict[str, Any] = {
        "designs": {name: design.describe(args.tasks[name], each) for name, each in found.items()},
        "through": judged,
    }
    text = json.dumps(runs.plain(metrics), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    plots.save(plots.plot_designs(found), args.out / "designs.png")
    plots.save(plots.plot_through(judged), args.out / "through.png")
    print(design.words(metrics))


def main() -> None:
    """Parse and design."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    try:
        make(tyro.cli(Args, prog="design.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"design.py: {error}")


if __name__ == "__main__":
    main()
