"""Which symmetries a propagator has: claims, their violations, and what these mean.

`evaluate` audits emulators and null models next to the exact solver; see `claims` for what a
symmetry is, and `violations` for what is measured of it.
"""

from qdistill.insight.symmetries.audit import SymmetryReport, evaluate, make_table, summarise
from qdistill.insight.symmetries.cases import KINDS, Starts, sample_cases, solve_pairs
from qdistill.insight.symmetries.claims import (
    Composition,
    Invariant,
    Symmetry,
    Transformation,
)
from qdistill.insight.symmetries.table import make_symmetries, v_range
from qdistill.insight.symmetries.trajectories import Trajectories, run
from qdistill.insight.symmetries.violations import (
    Findings,
    Violation,
    measure,
    measure_all,
    measure_lie_derivative,
)

__all__ = [
    "KINDS",
    "Composition",
    "Findings",
    "Invariant",
    "Starts",
    "Symmetry",
    "SymmetryReport",
    "Trajectories",
    "Transformation",
    "Violation",
    "evaluate",
    "make_symmetries",
    "make_table",
    "measure",
    "measure_all",
    "measure_lie_derivative",
    "run",
    "sample_cases",
    "solve_pairs",
    "summarise",
    "v_range",
]
