"""The results of a script or command, in a new folder."""

import contextlib
import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from qdistill import plots
from qdistill._refusals import explained
from qdistill.insight.harness import Report
from qdistill.runs import extensions, folder, provenance, records


class Results(NamedTuple):
    """The results of a script: numbers, a report and figures.

    Attributes:
      metrics: Content of `metrics.json`; numbers that are not finite become null.
      report: Text that is printed.
      figures: Figures by the names of their files, without `.png`.
    """

    metrics: dict[str, Any]
    report: str
    figures: Mapping[str, plots.Figure] = MappingProxyType({})


@explained
def of_report(report: Report) -> Results:
    """Return the numbers, table and figures of the report of an analysis."""
    return Results(report.numbers, str(report), plots.draw(report))


@explained
def record(out: pathlib.Path, settings: dict[str, Any], work: Callable[[], Results]) -> Results:
    """Execute a function, and write its results into a new folder.

    The files are `config.json` (settings, command line, code and machine), `metrics.json` and the
    figures. If the function fails before it has written a file there, the folder is removed.

    Args:
      out: The folder, new or empty.
      settings: All settings that affect the results, in types of JSON.
      work: The function; it may write more files into the folder.

    Raises:
      FileExistsError: If the results would mix with existing files.
      OSError: If they cannot be written; the report is then printed.
    """
    with _new_folder(out):
        records.write_json(out / "config.json", settings | origin())
        results = work()
    try:
        records.write_json(out / "metrics.json", results.metrics)
    except OSError:
        # Results of hours of work are printed at least.
        print(results.report)
        raise
    for name, figure in results.figures.items():
        plots.save(figure, out / f"{name}.png")
    return results


@explained
def origin() -> dict[str, Any]:
    """Return the command line, its extension files, the code and the machine."""
    return {
        "command": shlex.join(sys.argv),
        "extensions": [dataclasses.asdict(each) for each in extensions.LOADED.values()],
        "provenance": provenance.now(),
    }


@contextlib.contextmanager
def _new_folder(out: pathlib.Path) -> Iterator[None]:
    """A new folder, which is removed if the work fails before it has written a file there."""
    was_there = out.exists()
    folder.make_folder(out)
    try:
        yield
    except BaseException:
        if {path.name for path in out.iterdir()} <= {"config.json"}:
            (out / "config.json").unlink(missing_ok=True)
            if not was_there:
                out.rmdir()
        raise
