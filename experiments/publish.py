"""Make one small file of a finished run: `python experiments/publish.py RUN --out FILE.npz`."""

import dataclasses
import pathlib
import sys
from typing import Annotated

import tyro

from qdistill.runs import pretrained


@dataclasses.dataclass(frozen=True)
class Args:
    """Write a run's student with its config, score and provenance; `pretrained.read` reads it."""

    run: Annotated[pathlib.Path, tyro.conf.Positional]
    """Folder of a finished run."""
    out: pathlib.Path
    """File to write, a new one."""
    commit: str | None = None
    """Of the code that trained it, for a run from before runs noted it."""


def publish(args: Args) -> None:
    """Read the run, write the file, say what is in it."""
    if args.out.exists():
        raise FileExistsError(f"`{args.out}` exists. Choose another with --out.")
    student = pretrained.from_run(args.run, args.commit)
    pretrained.write(args.out, student)
    score = pretrained.read(args.out).score or {}
    print(f"{args.out}: {student.config.preset}, {args.out.stat().st_size / 1000:.0f} kB")
    print(f"1 - correlation {score['mean_infidelity']:.1e}, commit {student.commit or 'unknown'}")


def main() -> None:
    """Parse and publish."""
    try:
        publish(tyro.cli(Args, prog="publish.py"))
    except (OSError, ValueError) as error:
        sys.exit(f"publish.py: {error}")


if __name__ == "__main__":
    main()
