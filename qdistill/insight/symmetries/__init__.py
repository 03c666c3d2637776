"""Audits of symmetries: claims, violations and verdicts.

`evaluate` audits emulators, null models and the exact solver. `claims` defines symmetries, and
`violations` defines what is measured. The audit checks a given list of claims and detects no
others. Its verdicts depend on the packets and potentials of the cases, so compare emulators with
null models of the same error on the same cases.

To add a symmetry, give a map of frames and potentials that takes solutions to solutions, and a
false one as its negative control. This is mirror and time reversal combined:

>>> from qdistill.physics.grid import Grid
>>> from qdistill.system import System
>>> from qdistill.teacher import split_step
>>> flip = lambda system, v: v[::-1]
>>> both = Symmetry(
...     "psi(x, t) -> conj(psi(-x, -t))",
...     Transformation(lambda system, t, pair: pair[0].conj()[::-1, ::-1], flip),
...     "without the conjugate",
...     Transformation(lambda system, t, pair: pair[0][::-1, ::-1], flip),
... )
>>> solver = split_step(System(Grid(64, 20.0)), 2)
>>> audited = {"symmetries": {"both": both}, "lessons": ("barrier",)}
>>> report = evaluate({"mine": solver}, n_case=2, n_frames=8, **audited)
>>> report.numbers["findings"]["mine"]["barrier"]["both"]["verdict"]
'holds'
"""

from qdistill.insight.symmetries.audit import SymmetryReport, evaluate, make_table, summarise
from qdistill.insight.symmetries.cases import PACKETS, POTENTIALS, Starts, sample_cases, solve_pairs
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
    "PACKETS",
    "POTENTIALS",
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
