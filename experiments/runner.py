"""The runner of all scripts: options, results folder, report and exit status.

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

__all__ = ["Results", "call", "main", "of_report", "rounded", "settings"]

# A frozen dataclass; it may have fields `out`, `smoke` and `devices`.
Args = TypeVar("Args")


def main(
    work: Callable[[Args], Results],
    options: Options,
    smoke: Callable[[Args], Args] | None = None,
) -> None:
    """Run a script, write its results into the folder `args.out`, and print its report.

    See `qdistill.runs.results.record` for the folder. With a field `devices` above 1, a CPU is
    split into that many devices.

    Args:
      work: ``args -> Results``; it may write more files into `args.out`.
      options: Class of the options, or presets, ``{name: (description, options)}``.
      smoke: ``args -> args``, which reduces the work to seconds, for ``--smoke``.
    """

    def in_folder(args: Any) -> str:
        if smoke is not None and args.smoke:
            args = smoke(args)
        _distribute.start(getattr(args, "devices", 1))
        return results.record(args.out, settings(args), lambda: work(args)).report

    call(in_folder, options)


def call(work: Callable[[Args], str], options: Options) -> None:
    """Parse the options of a script, run it, and print its report.

    `--load FILE` first executes a Python file of your own, as in the command `qdistill`. See
    `qdistill.runs.process.running` for errors and exit statuses.
    """
    name = sys.argv[0]
    with running(name):
        print(work(parse(options, name, load_extensions(sys.argv[1:]))))


def rounded(value: Any, digits: int = 4) -> Any:
    """Return results with all numbers of a tree rounded to some significant digits.

    >>> rounded({"errors": [0.0012345678, 3], "name": "demo"})
    {'errors': [0.001235, 3], 'name': 'demo'}
    """
    if isinstance(value, dict):
        return {key: rounded(item, digits) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(item, digits) for item in value]
    return float(f"{value:.{digits}g}") if isinstance(value, float) else value


def settings(args: Any) -> dict[str, Any]:
    """Return options in the types of JSON: systems and students by name, paths as text."""

    def plain(node: Any) -> Any:
        return config.to_tree(node) if dataclasses.is_dataclass(node) else str(node)

    return json.loads(json.dumps(config.to_tree(args), default=plain))
