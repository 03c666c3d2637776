"""Compare a training that is killed at random moments and resumed with an undisturbed one."""

import dataclasses
import json
import pathlib

import jax
import numpy as np

from experiments import kills, runner
from qdistill.runs import folder


@dataclasses.dataclass(frozen=True)
class Args:
    """Run a thousand small blocks of training undisturbed, and again with twenty kills."""

    out: pathlib.Path = pathlib.Path("runs/reliability")
    """Folder of the two runs and of metrics.json; it must be new or empty."""
    smoke: bool = False
    """Use a short training with two kills."""
    n_kills: int = 20
    """Number of kills with SIGKILL."""
    n_blocks: int = 1002
    """Number of blocks of training, in the three stages of `demo`."""
    seed: int = 0
    """Random seed of the moments of the kills."""


def smoke(args: Args) -> Args:
    """Return options for a short training."""
    return dataclasses.replace(args, n_kills=2, n_blocks=15)


def compare(args: Args) -> runner.Results:
    """Run both trainings, and compare them bit for bit."""
    alone, killed = args.out / "alone", args.out / "killed"
    long_run = kills.watch(alone, args.n_blocks)
    killed_at = kills.kill(killed, args.n_blocks, args.n_kills, args.seed)
    ours, theirs = (jax.tree.leaves(folder.load(out).params) for out in (killed, alone))
    logs = [[(line["step"], line["loss"]) for line in folder.read_log(o)] for o in (killed, alone)]
    metrics = {
        "n_kills": len(killed_at),
        "blocks_logged_at_each_kill": killed_at,
        "same_parameters": all(map(np.array_equal, ours, theirs)),
        "same_losses": logs[0] == logs[1],
        "long_run": long_run,
    }
    if not (metrics["same_parameters"] and metrics["same_losses"]):
        raise kills.RunFailed(f"The killed run has another final state: {metrics}")
    return runner.Results(metrics, json.dumps(metrics, indent=2))


if __name__ == "__main__":
    runner.main(compare, Args, smoke)
