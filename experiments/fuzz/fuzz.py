"""Call every public function with hostile arguments, and count what becomes of it."""

import contextlib
import dataclasses
import pathlib
import time

import jax

from experiments import runner
from experiments.fuzz import trials
from experiments.fuzz.calls import scratch
from experiments.fuzz.names import SUBPACKAGES
from qdistill.insight.harness import make_table


@dataclasses.dataclass(frozen=True)
class Args:
    """Hostile calls of every public function."""

    out: pathlib.Path = pathlib.Path("runs/fuzz")
    """Folder of metrics.json: it must be new or empty."""
    smoke: bool = False
    """Run a few hundred calls of one subpackage."""
    n_calls: int = 50_000
    """How many."""
    seed: int = 0
    """Seed of the hostile values."""
    subpackages: tuple[str, ...] = SUBPACKAGES
    """Names of subpackages and modules of the package."""
    clear_every: int = 2500
    """Compiled programs are dropped after so many calls: each new shape leaves some."""


def smoke(args: Args) -> Args:
    """Return options for a run of seconds."""
    return dataclasses.replace(args, n_calls=200, subpackages=("teacher",))


def fuzz(args: Args) -> runner.Results:
    """Try them all, in a folder apart, and keep what is obscure, silently wrong or too slow.

    Ctrl-C ends the trials; the counts are then of those that were done.
    """
    out, start = args.out.resolve(), time.perf_counter()
    progress = out / "progress.txt"
    with contextlib.chdir(scratch()):
        calls = trials.valid_calls(args.subpackages)
        tried: list[trials.Trial] = []
        with contextlib.suppress(KeyboardInterrupt):
            for trial in trials.trials(args.n_calls, args.seed, calls):
                tried.append(_kept(trial))
                is_bad = trial.outcome in trials.BAD
                if is_bad or len(tried) % args.clear_every == 0:
                    with progress.open("a") as file:
                        found = tried[-1] if is_bad else ""
                        file.write(f"{len(tried)} of {args.n_calls} calls {found}\n")
                if len(tried) % args.clear_every == 0:
                    jax.clear_caches()
    progress.unlink(missing_ok=True)
    counts = trials.count(tried)
    metrics = {
        "n_calls": len(tried),
        "n_functions": len(calls),
        "seconds": time.perf_counter() - start,
        "outcomes": counts,
        "failures": [t._asdict() for t in tried if t.outcome in trials.BAD],
    }
    names = (*trials.GOOD, *trials.BAD)
    rows = {part: [f"{counted[name]:,}" for name in names] for part, counted in counts.items()}
    return runner.Results(metrics, make_table(names, {"": rows}))


def _kept(trial: trials.Trial) -> trials.Trial:
    """A trial with the words of a failure; the folder of files is another in every process."""
    is_bad = trial.outcome in trials.BAD
    said = [text.replace(str(scratch()), "scratch") if is_bad else "" for text in trial[2:]]
    return trials.Trial(trial.name, trial.outcome, *said)


if __name__ == "__main__":
    runner.main(fuzz, Args, smoke)
