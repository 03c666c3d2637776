"""What runs did, from their folders: `python experiments/story.py RUN [RUN ...]`."""

import dataclasses
import json
import pathlib
import sys
from typing import Annotated

import tyro

from qdistill import plots
from qdistill.runs import comparison, story
from qdistill.runs import folder as runs
from qdistill.runs import tensorboard as tracking


@dataclasses.dataclass(frozen=True)
class Args:
    """Tell the story of a run, finished or not, or compare several; they are not touched."""

    runs: Annotated[tuple[pathlib.Path, ...], tyro.conf.Positional]
    """Folders of runs."""
    out: pathlib.Path | None = None
    """Folder for the comparison: config.json, metrics.json and a figure."""
    tensorboard: pathlib.Path | None = None
    """Folder for TensorBoard's events, one in it for each run."""
    follow: bool = False
    """With --tensorboard: go on while the runs train, until they are scored."""


def tell(args: Args) -> None:
    """Read, print, draw."""
    if not args.runs:
        raise FileNotFoundError("Name the folder of a run, or several.")
    outs = comparison.labels(args.runs)
    stories = {name: story.read(out) for name, out in outs.items()}
    rows = comparison.compare(stories)
    print(story.tell(*stories.values()) if len(outs) == 1 else comparison.table(rows))
    if args.out is not None:
        runs.make_folder(args.out)
        (args.out / "config.json").write_text(
            json.dumps({"runs": list(map(str, args.runs))}) + "\n"
        )
        text = json.dumps(runs.plain({"runs": rows}), indent=2, allow_nan=False)
        (args.out / "metrics.json").write_text(text + "\n")
        plots.save(comparison.draw(stories), args.out / "comparison.png")
    if args.tensorboard is not None:
        print(f"tensorboard --logdir {args.tensorboard}", flush=True)
        tracking.to_tensorboard(outs, args.tensorboard, args.follow)


def main() -> None:
    """Parse and tell."""
    try:
        tell(tyro.cli(Args, prog="story.py"))
    except (OSError, ValueError, ImportError) as error:
        sys.exit(f"story.py: {error}")
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
