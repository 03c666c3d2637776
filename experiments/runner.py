"""The runner of every script: options, results folder, report and exit status.

A script is a dataclass of options, a function from them to `Results`, and one line::

    if __name__ == "__main__":
        runner.main(measure, Args, smoke)
"""

import dataclasses
import json
import sys
from collections.abc import Callable
from typing import Any, TypeVar

from qdistill import _distribute
from qdistill.__main__ import load_extensions
from qdistill.runs import config, results
from qdistill.runs.options import Options, parse
from qdistill.runs.process import running
from qdistill.runs.results import Results, of_report

__all__ = ["Results", "call", "main", "of_report", "settings"]

# A frozen dataclass. By what is asked of it, it has fields `out`, `smoke` and `devices`.
Args = TypeVar("Args")


def main(
    work: Callable[[Args], Results],
    options: Options,
    smoke: Callable[[Args], Args] | None = None,
) -> None:
    """Do the work of a script, write its results into the folder `args.out`, and print its report.

    See `qdistill.runs.results.record` for the folder. With a field `devices` above 1, a CPU counts
    as so many devices.

    Args:
      work: ``args -> Results``. It may write more files into `args.out`.
      options: Class of the options, or presets, ``{name: (description, options)}``.
      smoke: ``args -> args``, which makes the same work one of seconds, for ``--smoke``.
    """

    def in_folder(args: Any) -> str:
        if smoke is not None and args.smoke:
            args = smoke(args)
        _distribute.start(getattr(args, "devices", 1))
        return results.record(args.out, settings(args), lambda: work(args)).report

    call(in_folder, options)


def call(work: Callable[[Args], str], options: Options) -> None:
    """Parse the options of a script, do its work, and print the report.

    `--load FILE` executes a Python file of one's own first, as the command `qdistill` does. See
    `qdistill.runs.process.running` for errors and statuses.
    """
    name = sys.argv[0]
    with running(name):
        print(work(parse(options, name, load_extensions(sys.argv[1:]))))


def settings(args: Any) -> dict[str, Any]:
    """Return options as JSON holds them: systems and students with their names, paths as text."""

    def plain(node: Any) -> Any:
        return config.to_tree(node) if dataclasses.is_dataclass(node) else str(node)

    return json.loads(json.dumps(config.to_tree(args), default=plain))
