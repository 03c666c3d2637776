"""Importance of processes: which lessons a student's skill comes from.

The lessons are the players of a cooperative game. A student is trained on every coalition of them,
each as long and on as many examples; the value of a coalition is the skill of its student, -log10
of its mean relative L2 error, clipped at the error of forecasting nothing. The empty coalition has
an untrained student.
"""

from qdistill import _refusals
from qdistill.insight.importance import games, trainings
from qdistill.insight.importance.shares import (
    OVERALL,
    Errors,
    Estimate,
    Importance,
    analyse,
    skill,
)
from qdistill.insight.importance.study import (
    STUDIES,
    Study,
    evaluate,
    examine,
    measure_errors,
    sample_potentials,
    short_stage,
    smoke,
)

__all__ = [
    "OVERALL",
    "STUDIES",
    "Errors",
    "Estimate",
    "Importance",
    "Study",
    "analyse",
    "evaluate",
    "examine",
    "games",
    "measure_errors",
    "sample_potentials",
    "short_stage",
    "skill",
    "smoke",
    "trainings",
]

_refusals.tell(__name__)
