"""What forecasts hang on, by interventions and derivatives: `python experiments/causes.py RUN`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import jax
import tyro

from qdistill import plots
from qdistill._checks import refuse
from qdistill.insight import interventions as causes
from qdistill.insight.interventions import CausesConfig, Subject
from qdistill.runs import folder as runs


@dataclasses.dataclass(frozen=True)
class Args:
    """Intervene in forecasts of finished runs beside the exact solver, and differentiate them."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of the runs, 1 or 2, of the same physics."""
    out: pathlib.Path = pathlib.Path("runs/causes")
    """Folder of the results."""
    causes: CausesConfig = dataclasses.field(default_factory=CausesConfig)
    """What is asked."""
    seed: int = 0
    """Of the cases."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


SMOKE = CausesConfig(1, ("barrier",), frames=4, places=1, place_cases=2, ahead=(1, 2), reach=8)


def ask(args: Args) -> None:
    """Intervene, differentiate, write, draw, tell."""
    names = [path.name for path in args.runs]
    if not 1 <= len(set(names)) == len(names) <= 2:
        refuse("runs", "of 1 or 2 folders with different names", list(map(str, args.runs)))
    loaded = {path.name: runs.load(path) for path in args.runs}
    first, setup, _ = loaded[names[0]]
    subjects = {}
    for name, (settings, mine, params) in loaded.items():
        if settings.teacher != first.teacher:
            refuse("runs", "of the same physics", f"of another in {name}")
        is_gauged = settings.student.is_windowed and settings.student.windows.gauge
        propagator = mine.student.propagator(params)
        subjects[name] = Subject(mine.student, propagator, not is_gauged)
    runs.make_folder(args.out)
    config = json.dumps(dataclasses.asdict(args), indent=2, default=str)
    (args.out / "config.json").write_text(config + "\n")
    asked = SMOKE if args.smoke else args.causes
    found = causes.evaluate(setup.grid, first.teacher.dt, subjects, args.seed, asked)
    text = json.dumps(runs.plain(found), allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    plots.save(plots.plot_interventions(found["interventions"]), args.out / "interventions.png")
    plots.save(plots.plot_sensitivity(found["sensitivity"]), args.out / "sensitivity.png")
    print(causes.describe(found))


def main() -> None:
    """Parse and ask."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        ask(tyro.cli(Args, prog="causes.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"causes.py: {error}")


if __name__ == "__main__":
    main()
