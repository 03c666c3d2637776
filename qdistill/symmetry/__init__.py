"""Which symmetries a student has: the table of them, their violations, and what these mean."""

from qdistill.symmetry.cases import Cases, sample_cases
from qdistill.symmetry.table import (
    SYMMETRIES,
    Composition,
    Invariant,
    Symmetry,
    Transformation,
    v_range,
)
from qdistill.symmetry.verdicts import summarise, table, verdict
from qdistill.symmetry.violations import (
    Findings,
    Laboratory,
    Violation,
    make_laboratory,
    measure,
    measure_all,
    measure_lie_derivative,
    run,
)

__all__ = [
    "SYMMETRIES",
    "Cases",
    "Composition",
    "Findings",
    "Invariant",
    "Laboratory",
    "Symmetry",
    "Transformation",
    "Violation",
    "make_laboratory",
    "measure",
    "measure_all",
    "measure_lie_derivative",
    "run",
    "sample_cases",
    "summarise",
    "table",
    "v_range",
    "verdict",
]
