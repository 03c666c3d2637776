"""Figures of the report of an analysis, found by the class of the report."""

import functools

from matplotlib.figure import Figure

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.insight.harness import Report


@explained
@functools.singledispatch
def draw(report: Report) -> dict[str, Figure]:
    """Draw the figures of a report, by name.

    The module of a figure registers it with ``@draw.register(ClassOfTheReport)``.

    Raises:
      ValueError: For a report without figures.
    """
    refuse("report", "of an analysis that has a figure", type(report).__name__)
