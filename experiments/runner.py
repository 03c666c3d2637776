"""The runner of every script: options, results folder, report and exit status.

A script is a dataclass of options, a function from them to `Results`, and one line::

    if __name__ == "__main__":
        runner.main(measure, Args, smoke)
"""

import dataclasses
import json
import pathlib
import sys
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypeVar

import jax
import tyro

from qdistill import _distribute
from qdistill.runs import config, results
from qdistill.runs.results import Results, of_report
from qdistill.runs.signals import Stopped

__all__ = ["Results", "call", "main", "of_report", "settings"]

# A frozen dataclass. By what is asked of it, it has fields `out`, `smoke` and `devices`.
Args = TypeVar("Args")
# The class of the options, or presets: for each name a description, and the options.
Options: TypeAlias = type[Args] | Mapping[str, tuple[str, Args]]


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
    """Parse the options of a script, do its work, print the report, and leave with a status.

    A refusal, a missing file or a number that is not finite becomes one line on stderr and status
    1. A run that a signal has stopped, and that is saved, leaves with 128 and the signal's number.
    """
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    name = sys.argv[0]
    try:
        if isinstance(options, Mapping):
            args = tyro.extras.overridable_config_cli(dict(options), prog=name)
        else:
            args = tyro.cli(options, prog=name)
        print(work(args))
    except Stopped as stopped:
        print(f"{name}: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.number)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, ImportError, OSError, ValueError) as error:
        sys.exit(f"{name}: {error}")


def settings(args: Any) -> dict[str, Any]:
    """Return options as JSON holds them: systems and students with their names, paths as text."""

    def plain(node: Any) -> Any:
        return config.to_tree(node) if dataclasses.is_dataclass(node) else str(node)

    return json.loads(json.dumps(config.to_tree(args), default=plain))
