"""Trainings in processes that run undisturbed, or are killed at random moments and resumed."""

import contextlib
import dataclasses
import os
import pathlib
import random
import signal
import subprocess
import sys
import time
from typing import Any

from tqdm.auto import tqdm

from qdistill.runs import folder, presets
from qdistill.runs.config import Config
from qdistill.runs.process import keep_programs
from qdistill.training.stages import TrainingConfig


class RunFailed(ValueError):
    """A run that did not end as expected."""


def settings_of(n_blocks: int) -> Config:
    """Return the smoke run of `demo` with a number of blocks of four steps, saved every ten.

    Each stage has ten blocks at least, so that a short run has fewer stages.
    """
    small = presets.smoke(presets.PRESETS["demo"][1])
    stages = small.training.stages[: max(1, n_blocks // 10)]
    each = n_blocks // len(stages)
    stages = tuple(dataclasses.replace(stage, n_steps=4 * each) for stage in stages)
    return dataclasses.replace(small, training=TrainingConfig(stages, checkpoint_every=40))


def start(out: pathlib.Path, n_blocks: int, *more: str) -> subprocess.Popen:
    """Start a process that begins or resumes the training in a folder."""
    return subprocess.Popen([sys.executable, __file__, str(out), str(n_blocks), *more])


def train(out: pathlib.Path, n_blocks: int, *more: str) -> None:
    """Begin or resume the training in a folder, in this process; with `doomed` it never ends."""
    keep_programs()
    settings = settings_of(n_blocks)
    folder.open_folder(out, settings, resume=(out / "config.json").exists())
    folder.train(settings, out)
    # A late kill must still find a process.
    while "doomed" in more:
        signal.pause()


def lines_in(out: pathlib.Path) -> int:
    """Return the number of blocks in the log of a run."""
    path = out / "metrics.jsonl"
    return path.read_bytes().count(b"\n") if path.exists() else 0


def size_of(place: pathlib.Path) -> int:
    """Return the bytes of the files in a folder, some of which may be deleted meanwhile."""
    total = 0
    for inner, _, names in os.walk(place):
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                total += os.stat(os.path.join(inner, name)).st_size
    return total


def watch(out: pathlib.Path, n_blocks: int) -> dict[str, Any]:
    """Wait for a run to end; return its memory after each fifth, and its largest use of disk."""
    process, memory, disk = start(out, n_blocks), {}, 0
    while process.poll() is None:
        resident = int(pathlib.Path(f"/proc/{process.pid}/statm").read_text().split()[1])
        # A process that has just ended has no memory.
        if resident:
            memory[lines_in(out)] = resident * os.sysconf("SC_PAGE_SIZE") / 2**20
        disk = max(disk, size_of(out / "checkpoints"))
        time.sleep(0.05)
    if process.returncode:
        raise RunFailed("The undisturbed run has failed.")
    # The last measurement may have been before the last fifth.
    last = memory[max(memory)]
    fifths = [n_blocks * i // 5 for i in range(1, 5)]
    after = [next((mib for n, mib in sorted(memory.items()) if n >= each), last) for each in fifths]
    return {
        "n_blocks": lines_in(out),
        "memory_mib_after_each_fifth": [round(mib, 1) for mib in (*after, last)],
        "largest_checkpoints_bytes": disk,
        "log_bytes_per_block": (out / "metrics.jsonl").stat().st_size // n_blocks,
    }


def kill(out: pathlib.Path, n_blocks: int, n_kills: int, seed: int) -> list[int]:
    """Kill a run at random moments, then let it end; return the number of blocks at each kill."""
    chance, killed_at = random.Random(seed), []
    moments = sorted(chance.sample(range(n_blocks * 19 // 20), n_kills))
    for moment in tqdm(moments, unit="kill", leave=False):
        process, is_there = start(out, n_blocks, "doomed"), lines_in(out) >= moment
        while lines_in(out) < moment and process.poll() is None:
            time.sleep(0.002)
        # At any moment of a block or a save, or during the start if the moment has passed.
        time.sleep(chance.uniform(0, 5 if is_there else 0.1))
        process.send_signal(signal.SIGKILL)
        if process.wait() != -signal.SIGKILL:
            raise RunFailed("The run failed before it was killed.")
        killed_at.append(lines_in(out))
    if start(out, n_blocks).wait():
        raise RunFailed("The killed run cannot be resumed.")
    return killed_at


if __name__ == "__main__":
    train(pathlib.Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
