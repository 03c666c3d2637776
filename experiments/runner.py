"""The runner of every script: options, results folder, notes, figures, report, exit status.

A script is a dataclass of options, a function from them to `Results`, and one line::

    if __name__ == "__main__":
        runner.main(measure, Args, smoke)
"""

import contextlib
import dataclasses
import json
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple, TypeAlias, TypeVar

import jax
import tyro

from qdistill import _distribute, plots
from qdistill.runs import folder, provenance, records
from qdistill.runs.signals import Stopped

# A frozen dataclass; by what is asked of it: `out`, and where they make sense `smoke`, `devices`.
Args = TypeVar("Args")
# The class of the options, or presets: for each name, what it is in words, and the options.
Choices: TypeAlias = type[Args] | Mapping[str, tuple[str, Args]]


class Results(NamedTuple):
    """The results of a script.

    Attributes:
      metrics: For metrics.json; a number that is not finite becomes null.
      report: For people; it is printed.
      figures: By the names of their files, without `.png`.
    """

    metrics: dict[str, Any]
    report: str
    figures: Mapping[str, plots.Figure] = MappingProxyType({})


def main(
    work: Callable[[Args], Results],
    options: Choices,
    smoke: Callable[[Args], Args] | None = None,
) -> None:
    """Do the work of a script in its own folder, and write and print the results.

    The folder `args.out` must be new or empty. It gets config.json (the settings, the command, the
    code and the machine), metrics.json and the figures. A script that refuses its options leaves no
    folder behind. With a field `devices` above 1, a CPU counts as so many devices.

    Args:
      work: ``args -> Results``. It may write more files into `args.out`.
      options: Class of the options, or presets, ``{name: (description, options)}``.
      smoke: ``args -> args``, the same work in seconds, for the option `smoke`.
    """

    def in_folder(args: Any) -> str:
        if args.smoke and smoke is not None:
            args = smoke(args)
        _distribute.start(getattr(args, "devices", 1))
        with _new_folder(args.out):
            write_json(args.out / "config.json", settings(args) | origin())
            results = work(args)
        write_json(args.out / "metrics.json", results.metrics)
        for name, figure in results.figures.items():
            plots.save(figure, args.out / f"{name}.png")
        return results.report

    call(in_folder, options)


def call(work: Callable[[Args], str], options: Choices) -> None:
    """Parse the options, do the work, print its report; leave with a status.

    What is refused, missing or not finite becomes one line on stderr and status 1; a run that was
    stopped by a signal, and saved, leaves with 128 and the number of the signal.
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
    """The options as JSON holds them."""
    return json.loads(json.dumps(dataclasses.asdict(args), default=str))


def origin() -> dict[str, Any]:
    """The command line, and what worked on it where and when."""
    return {"command": shlex.join(sys.argv), "provenance": provenance.now()}


def write_json(path: pathlib.Path, value: Any) -> None:
    """Write JSON to a file that is there whole or not at all; null for what is not finite."""
    records.write(path, json.dumps(records.plain(value), indent=2, allow_nan=False) + "\n")


@contextlib.contextmanager
def _new_folder(out: pathlib.Path) -> Iterator[None]:
    """A new folder; it goes again if the work fails before it has written anything."""
    folder.make_folder(out)
    try:
        yield
    except BaseException:
        if [path.name for path in out.iterdir()] == ["config.json"]:
            (out / "config.json").unlink()
            out.rmdir()
        raise
