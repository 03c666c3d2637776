"""Results of a script or command, in a folder of their own."""

import contextlib
import dataclasses
import pathlib
import shlex
import sys
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

from qdistill import plots
from qdistill.insight.harness import Report
from qdistill.runs import extensions, folder, provenance, records


class Results(NamedTuple):
    """Numbers, a report and figures.

    Attributes:
      metrics: For `metrics.json`; a number that is not finite becomes null.
      report: For people; it is printed.
      figures: By the names of their files, without `.png`.
    """

    metrics: dict[str, Any]
    report: str
    figures: Mapping[str, plots.Figure] = MappingProxyType({})


def of_report(report: Report) -> Results:
    """Return the numbers, the table and the figures of an analysis."""
    return Results(report.numbers, str(report), plots.draw(report))


def record(out: pathlib.Path, settings: dict[str, Any], work: Callable[[], Results]) -> Results:
    """Do some work, and write its results into a new folder.

    The folder gets `config.json` (the settings, the command line, the code and the machine),
    `metrics.json` and the figures. If the work fails before it has written a file there, no folder
    is left behind.

    Args:
      out: The folder, new or empty.
      settings: All that affects the results, as JSON holds it.
      work: It may write more files into the folder.

    Raises:
      FileExistsError: If the results would mix with what is there.
      OSError: If they cannot be written; the report is printed then.
    """
    with _new_folder(out):
        records.write_json(out / "config.json", settings | origin())
        results = work()
    try:
        records.write_json(out / "metrics.json", results.metrics)
    except OSError:
        # What hours of work have found is at least shown.
        print(results.report)
        raise
    for name, figure in results.figures.items():
        plots.save(figure, out / f"{name}.png")
    return results


def origin() -> dict[str, Any]:
    """Return the command line, the files of one's own that it loaded, the code and the machine."""
    return {
        "command": shlex.join(sys.argv),
        "extensions": [dataclasses.asdict(each) for each in extensions.LOADED.values()],
        "provenance": provenance.now(),
    }


@contextlib.contextmanager
def _new_folder(out: pathlib.Path) -> Iterator[None]:
    """A new folder, which goes again if the work fails before it has written anything there."""
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
