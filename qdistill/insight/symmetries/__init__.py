"""Which symmetries a student has: the table of them, their violations, and what these mean."""

from qdistill.insight.symmetries.cases import Cases, sample_cases
from qdistill.insight.symmetries.table import (
    SYMMETRIES,
    Composition,
    Invariant,
    Symmetry,
    Transformation,
    v_range,
)
from qdistill.insight.symmetries.verdicts import (
    BY_RHO,
    Interval,
    Rival,
    bootstrap,
    describe,
    evaluate,
    rounding,
    summarise,
    verdict,
)
from qdistill.insight.symmetries.violations import (
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
    "BY_RHO",
    "SYMMETRIES",
    "Cases",
    "Composition",
    "Findings",
    "Interval",
    "Invariant",
    "Laboratory",
    "Rival",
    "Symmetry",
    "Transformation",
    "Violation",
    "bootstrap",
    "describe",
    "evaluate",
    "make_laboratory",
    "measure",
    "measure_all",
    "measure_lie_derivative",
    "rounding",
    "run",
    "sample_cases",
    "summarise",
    "v_range",
    "verdict",
]
