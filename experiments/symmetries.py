"""Which symmetries a student has: `python experiments/symmetries.py runs/demo runs/gru`."""

import dataclasses
import json
import pathlib
import sys
from typing import Any, TypeAlias

import jax
import tyro

from qdistill import plots
from qdistill._checks import refuse, require_at_least
from qdistill.insight import symmetries as symmetry
from qdistill.runs import folder as runs
from qdistill.runs.config import Config

# Violation, rho where it tells something, and verdict.
Cell: TypeAlias = tuple[float, float | None, str]


@dataclasses.dataclass(frozen=True)
class Args:
    """Test finished runs, and the exact solver as a control, for every symmetry."""

    runs: tyro.conf.Positional[tuple[pathlib.Path, ...]]
    """Folders of the runs, of one physics. Those that differ in their seed only are one student."""
    out: pathlib.Path = pathlib.Path("runs/symmetries")
    """Folder of the results."""
    cases: int = 24
    """How many cases of either kind: barriers, and other landscapes."""
    frames: int = 40
    """Frames of a forecast."""
    seed: int = 0
    """Of the cases."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""


def load(folders: tuple[pathlib.Path, ...]) -> tuple[Config, dict[str, symmetry.Rival]]:
    """The physics of the runs as the config of the first, and the students."""
    if not folders:
        refuse("runs", "at least one folder", folders)
    loaded: dict[Config, list[tuple[pathlib.Path, runs.Setup, Any]]] = {}
    for folder in folders:
        settings, setup, params = runs.load(folder)
        loaded.setdefault(dataclasses.replace(settings, seed=0), []).append((folder, setup, params))
    first = next(iter(loaded))
    rivals = {}
    for settings, mine in loaded.items():
        if settings.teacher != first.teacher:
            refuse("runs", f"of the physics of `{folders[0]}`", f"`{mine[0][0]}`")
        is_gauged = settings.student.is_windowed and settings.student.windows.gauge
        params = [params for _, _, params in mine]
        name = mine[0][0].name
        if name in rivals:
            refuse("runs", "of folders with different names, seeds of one config excepted", name)
        rivals[name] = symmetry.Rival(mine[0][1].student, params, not is_gauged)
    return first, rivals


def columns(findings: dict[str, dict[str, Any]]) -> dict[str, list[Cell]]:
    """Of the figure: exact solver, every student on either kind of case, and the control."""
    exact, *students = findings.items()
    # The rows of each symmetry, over the kinds of cases.
    rows = list(zip(*(kind.values() for kind in exact[1].values()), strict=True))
    drawn = {"exact solver": [of_exact_solver(each) for each in rows]}
    for who, kinds in students:
        for kind, summary in kinds.items():
            title = f"{who},\n{kind.replace(' ', chr(10))}"
            drawn[title] = [of_student(row) for row in summary.values()]
    drawn["negative\ncontrol"] = [of_control(each) for each in rows]
    return drawn


def of_exact_solver(rows: tuple[dict[str, Any], ...]) -> Cell:
    """Its largest violation."""
    holds = all(row["verdict"] == "holds" for row in rows)
    largest = max(row["violation"]["median"] for row in rows)
    return largest, None, "holds" if holds else "broken"


def of_student(row: dict[str, Any]) -> Cell:
    """With rho where it decides the verdict."""
    rho = row["rho"]["median"] if row["verdict"] in symmetry.BY_RHO else None
    return row["violation"]["median"], rho, row["verdict"]


def of_control(rows: tuple[dict[str, Any], ...]) -> Cell:
    """The exact solver's least violation of what must not hold."""
    fires = all(row["control_fires"] for row in rows)
    least = min(row["control_violation"]["median"] for row in rows)
    return least, None, "fires" if fires else "silent"


def main() -> None:
    """Parse, test, write, draw."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        args = tyro.cli(Args, prog="symmetries.py")
        require_at_least(2, cases=args.cases, frames=args.frames)
        settings, rivals = load(args.runs)
        runs.make_folder(args.out)
        n_case, n_frames = (2, 4) if args.smoke else (args.cases, args.frames)
        physics = settings.teacher
        grid = runs.set_up(settings).grid
        found = symmetry.evaluate(grid, physics.dt, rivals, args.seed, n_case, n_frames)
    except (OSError, ValueError) as error:
        sys.exit(f"symmetries.py: {error}")
    config = json.dumps(dataclasses.asdict(args), indent=2, default=str)
    (args.out / "config.json").write_text(config + "\n")
    text = json.dumps(runs.plain(found), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    drawn = columns(found["findings"])
    figure = plots.plot_symmetries(found["formulas"], drawn, found["rounding"])
    plots.save(figure, args.out / "symmetries.png")
    print(symmetry.describe(found))


if __name__ == "__main__":
    main()
