"""Kill a training at random moments and resume it each time; watch the memory of one left alone."""

import contextlib
import dataclasses
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from typing import Any

import jax
import numpy as np
import tyro
from tqdm.auto import tqdm

from qdistill.runs import config, presets
from qdistill.runs import folder as runs
from qdistill.training.stages import TrainingConfig


@dataclasses.dataclass(frozen=True)
class Args:
    """A thousand small blocks of training: left alone, and killed twenty times and resumed."""

    out: pathlib.Path = pathlib.Path("runs/reliability")
    """Folder of the two runs and of metrics.json: it must be new or empty."""
    smoke: bool = False
    """Two kills in a short training."""
    n_kills: int = 20
    """How often the process is killed with SIGKILL."""
    n_blocks: int = 1002
    """Blocks of training, in the three stages of `demo`."""
    seed: int = 0
    """Of the moments at which it is killed."""


def settings_of(n_blocks: int) -> config.Config:
    """The smoke run of `demo` with so many blocks of four steps, saved every ten."""
    small = presets.smoke(presets.PRESETS["demo"][1])
    each = n_blocks // len(small.training.stages)
    stages = (dataclasses.replace(stage, n_steps=4 * each) for stage in small.training.stages)
    return dataclasses.replace(small, training=TrainingConfig(tuple(stages), checkpoint_every=40))


def start(out: pathlib.Path, n_blocks: int) -> subprocess.Popen:
    """A process that begins or resumes the training in a folder."""
    return subprocess.Popen([sys.executable, __file__, "--train", str(out), str(n_blocks)])


def train(out: pathlib.Path, n_blocks: int) -> None:
    """What that process does."""
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    settings = settings_of(n_blocks)
    runs.open_folder(out, settings, resume=(out / "config.json").exists())
    runs.train(settings, out)


def lines_in(out: pathlib.Path) -> int:
    """How many blocks the log of a run holds."""
    path = out / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def size_of(folder: pathlib.Path) -> int:
    """Bytes of the files in a folder, from which some may vanish while one looks."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(place, name)).st_size
    return total


def watch(out: pathlib.Path, n_blocks: int) -> dict[str, Any]:
    """Let a run go to its end; its memory after each fifth, and the most disk that it took."""
    process, memory, disk = start(out, n_blocks), {}, 0
    while process.poll() is None:
        resident = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        # A process that has just ended has none.
        if resident:
            memory[lines_in(out)] = resident * os.sysconf("SC_PAGE_SIZE") / 2**20
        disk = max(disk, size_of(out / "checkpoints"))
        time.sleep(0.05)
    if process.returncode:
        sys.exit("reliability.py: the run left alone has failed")
    fifths = [n_blocks * i // 5 for i in range(1, 5)]
    after = [next(mib for block, mib in sorted(memory.items()) if block >= n) for n in fifths]
    return {
        "n_blocks": lines_in(out),
        "memory_mib_after_each_fifth": [round(mib, 1) for mib in (*after, memory[max(memory)])],
        "largest_checkpoints_bytes": disk,
        "log_bytes_per_block": (out / "metrics.jsonl").stat().st_size // n_blocks,
    }


def torment(out: pathlib.Path, args: Args) -> list[int]:
    """Kill a run again and again, then let it end; the blocks that its log held at each kill."""
    chance, killed_at = random.Random(args.seed), []
    moments = sorted(chance.sample(range(args.n_blocks * 19 // 20), args.n_kills))
    for moment in tqdm(moments, unit="kill", leave=False):
        process, is_there = start(out, args.n_blocks), lines_in(out) >= moment
        while lines_in(out) < moment and process.poll() is None:
            time.sleep(0.002)
        # At any moment of a block or a save, or while it starts where the moment has passed.
        time.sleep(chance.uniform(0, 5 if is_there else 0.1))
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            sys.exit("reliability.py: the run ended before it could be killed")
        killed_at.append(lines_in(out))
    if start(out, args.n_blocks).wait():
        sys.exit("reliability.py: the killed run cannot be resumed")
    return killed_at


def main(args: Args) -> None:
    """Run both, compare them bit for bit, write what was seen."""
    if args.smoke:
        args = dataclasses.replace(args, n_kills=2, n_blocks=60)
    runs.make_folder(args.out)
    (args.out / "config.json").write_text(json.dumps(dataclasses.asdict(args), default=str) + "\n")
    alone, killed = args.out / "alone", args.out / "killed"
    long_run = watch(alone, args.n_blocks)
    killed_at = torment(killed, args)
    ours, theirs = (jax.tree.leaves(runs.load(out)[2]) for out in (killed, alone))
    logs = [[(line["step"], line["loss"]) for line in runs.read_log(o)] for o in (killed, alone)]
    metrics = {
        "n_kills": len(killed_at),
        "blocks_logged_at_each_kill": killed_at,
        "same_parameters": all(map(np.array_equal, ours, theirs)),
        "same_losses": logs[0] == logs[1],
        "long_run": long_run,
    }
    (args.out / "metrics.json").write_text(json.dumps(metrics, indent=2, allow_nan=False) + "\n")
    print(json.dumps(metrics, indent=2))
    if not (metrics["same_parameters"] and metrics["same_losses"]):
        sys.exit("reliability.py: the killed run ended elsewhere")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--train"]:
        train(pathlib.Path(sys.argv[2]), int(sys.argv[3]))
    else:
        main(tyro.cli(Args, prog="reliability.py"))
