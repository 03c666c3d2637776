"""Which lessons a student's skill comes from: `python experiments/importance.py quick`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import jax
import numpy as np
import tyro
from tqdm.auto import tqdm

from qdistill import _distribute as cluster
from qdistill import plots
from qdistill.insight import importance
from qdistill.insight.importance import OVERALL, Importance, Study
from qdistill.runs import folder as runs


@dataclasses.dataclass(frozen=True)
class Args:
    """Train a student on every coalition of lessons, and share its skill among them."""

    study: Annotated[Study, tyro.conf.arg(name="")]
    out: pathlib.Path = pathlib.Path("runs/importance")
    """Folder of the results."""
    smoke: bool = False
    """Seconds instead of minutes: the same path with tiny numbers."""
    devices: int = 1
    """How many share the trainings; on a CPU any number."""


def weigh(args: Args) -> None:
    """Train, examine, write, draw."""
    mesh = cluster.start(args.devices)
    study = importance.smoke(args.study) if args.smoke else args.study
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(study), indent=2) + "\n")
    with tqdm(total=study.config.training.boundaries[-1], unit="step", leave=False) as bar:
        errors = importance.run(study, lambda trained: bar.update(trained.step - bar.n), mesh)
    found = importance.importance(errors)
    report = {
        "n_seeds": study.n_seed,
        "n_cases": study.n_case,
        "n_frames": study.n_frames,
        "decades_of_error": importance.describe(found),
    }
    text = json.dumps(runs.plain(report), indent=2, allow_nan=False)
    (args.out / "metrics.json").write_text(text + "\n")
    draw(args.out, found)
    print(importance.table(found))


def draw(out: pathlib.Path, found: Importance) -> None:
    """Shares and pairs on all landscapes, and the matrix of lessons and families."""
    last = found.columns.index(OVERALL)
    measures = {
        name: np.stack([each[last] for each in estimate])
        for name, estimate in (
            ("Shapley value", found.shares),
            ("leave one out", found.leave_one_out),
            ("only one", found.only_one),
        )
    }
    figure = plots.plot_shares(found.lessons, measures, found.pairs.mean[last])
    plots.save(figure, out / "shares.png")
    figure = plots.plot_services(found.lessons, found.columns, found.shares.mean)
    plots.save(figure, out / "services.png")


def main() -> None:
    """Parse and weigh."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    choices = {name: (text, Args(study)) for name, (text, study) in importance.STUDIES.items()}
    try:
        weigh(tyro.extras.overridable_config_cli(choices, prog="importance.py"))
    except (OSError, ValueError, FloatingPointError) as error:
        sys.exit(f"importance.py: {error}")


if __name__ == "__main__":
    main()
