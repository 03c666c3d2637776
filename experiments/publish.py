"""Write a finished run to one file: `python experiments/publish.py RUN --out FILE.npz`."""

import dataclasses
import pathlib
from typing import Annotated

import tyro

from experiments import runner
from qdistill.runs import pretrained


@dataclasses.dataclass(frozen=True)
class Args:
    """Write a run's emulator with its config, score and provenance; `pretrained.read` reads it."""

    run: Annotated[pathlib.Path, tyro.conf.Positional]
    """Folder of a finished run."""
    out: pathlib.Path
    """New file to write."""
    commit: str | None = None
    """Commit of the code of the training, for old runs without provenance."""


def publish(args: Args) -> str:
    """Read the run, write the file, and return a summary."""
    if args.out.exists():
        raise FileExistsError(f"`{args.out}` exists. Choose another with --out.")
    emulator = pretrained.from_run(args.run, args.commit)
    pretrained.write(args.out, emulator)
    score = pretrained.read(args.out).score or {}
    return (
        f"{args.out}: {emulator.config.preset}, {args.out.stat().st_size / 1000:.0f} kB\n"
        f"1 - correlation {score['mean_infidelity']:.1e}, commit {emulator.commit or 'unknown'}"
    )


if __name__ == "__main__":
    runner.call(publish, Args)
