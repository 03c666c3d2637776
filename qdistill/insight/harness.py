"""One harness under every analysis: reports, intervals and verdicts."""

import dataclasses
import json
from typing import Any

from qdistill.forecast.cases import Cases  # noqa: F401  (cases of an analysis are test cases)


@dataclasses.dataclass(frozen=True)
class Report:
    """The result of an analysis: numbers, and a table that prints them.

    Attributes:
      numbers: As JSON holds them.
      table: The same for people.
    """

    numbers: dict[str, Any]
    table: str

    def __str__(self) -> str:
        """The table."""
        return self.table

    def to_json(self) -> str:
        """Return the numbers as JSON; null stands for what is not finite."""
        return json.dumps(self.numbers, indent=2, allow_nan=False) + "\n"
