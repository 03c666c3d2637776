"""Reports of analyses, and text tables."""

import dataclasses
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from qdistill._checks import refuse
from qdistill._refusals import explained


@explained
@dataclasses.dataclass(frozen=True)
class Report:
    """The result of an analysis: numbers, and the same as a text table.

    `plots.draw` finds the figures of a report by its class.

    Attributes:
      numbers: Numbers in the types of JSON; infinities and NaN may occur.
      table: Table of the numbers, as text.
    """

    numbers: dict[str, Any]
    table: str

    def __str__(self) -> str:
        """Return the table."""
        return self.table

    def to_json(self) -> str:
        """Return the numbers as JSON; null replaces values that are not finite."""
        return json.dumps(_finite(self.numbers), indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


@explained
def make_table(
    columns: Sequence[str],
    sections: Mapping[str, Mapping[str, Sequence[str]]],
    has_words: bool = False,
) -> str:
    """Return a text table with titled sections; columns are as wide as their widest cells.

    Args:
      columns: Names of the columns.
      sections: For each title, the cells of each row by the row's name. An empty title is omitted.
      has_words: Whether the last column has words, which are aligned left.

    >>> rows = {"mirror": ["1e-07", "holds"], "energy": ["2e-03", "as accurate"]}
    >>> print(make_table(["violation", "verdict"], {"demo": rows}, has_words=True))
    demo      violation  verdict
      mirror      1e-07  holds
      energy      2e-03  as accurate
    """
    rows = [row for section in sections.values() for row in section.values()]
    for row in rows:
        if len(row) != len(columns):
            refuse("sections", f"made of rows of {len(columns)} cells, one for each column", row)
    widths = [max(map(len, column)) for column in zip(columns, *rows, strict=True)]
    titles = [title for title in sections if title]
    indent = "  " if titles else ""
    names = [indent + name for section in sections.values() for name in section]
    first = max(map(len, [*titles, *names]), default=0)

    def line(name: str, cells: Sequence[str]) -> str:
        ends = [cell.rjust(width) for cell, width in zip(cells, widths, strict=True)]
        if has_words:
            ends[-1] = cells[-1]
        return "  ".join([name.ljust(first), *ends]).rstrip()

    lines = []
    for title, section in sections.items():
        lines.append(line(title, columns))
        lines += [line(indent + name, cells) for name, cells in section.items()]
    return "\n".join(lines)


@explained
def in_words(role: str, name: str) -> str:
    """Return the name of a member, with its role in brackets unless it is an emulator.

    >>> in_words("null", "clamped")
    'clamped (null model)'
    """
    words = {"null": " (null model)", "negative": " (negative control)"}
    return name + words.get(role, "")
