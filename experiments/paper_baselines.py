"""Score the non-learned baselines on the paper's test: the clamped split step."""

import dataclasses
import pathlib

from experiments import runner
from qdistill._checks import refuse, require_at_least
from qdistill.forecast import baselines, cases, held_out
from qdistill.forecast.held_out import BenchmarkConfig
from qdistill.physics.grid import Grid
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class Args:
    """Score clamped split steps, each with its best cap of ten, on the paper's 25 runs."""

    pairs: tuple[int, ...] = (1, 2, 3, 4)
    """FFT pairs a frame."""
    system: System = dataclasses.field(default_factory=lambda: System(Grid(), dt=0.1))
    """Grid and length of a frame."""
    benchmark: BenchmarkConfig = dataclasses.field(default_factory=BenchmarkConfig)
    """Frames, and the accuracy of the truth."""
    out: pathlib.Path = pathlib.Path("runs/paper_baselines")
    """Folder of the results."""
    smoke: bool = False
    """Seconds instead of minutes: two frames."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, pairs=(1,), benchmark=BenchmarkConfig(2, 1))


def score(args: Args) -> runner.Results:
    """Score each number of pairs, case by case."""
    if not args.pairs:
        refuse("pairs", "at least one number of FFT pairs", args.pairs)
    require_at_least(1, pairs=min(args.pairs))
    truth = held_out.make_paper_cases(args.benchmark, args.system)
    found = {}
    for n_pairs in args.pairs:
        caps, per_frame = baselines.best_clamped(args.system, n_pairs, truth)
        summary = cases.summarise(truth.family, per_frame)
        found[f"clamped-{n_pairs}"] = {"kinetic_caps": caps, **summary}
    lines = [
        f"{name:12} 1 - correlation {row['mean_infidelity']:.1e}  relative L2 error "
        f"{row['mean_nrmse']:.1e}"
        for name, row in found.items()
    ]
    return runner.Results(found, "\n".join(lines))


if __name__ == "__main__":
    runner.main(score, Args, smoke)
