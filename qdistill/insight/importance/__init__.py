"""Importance of processes: which lessons a student's skill comes from.

The lessons are the players of a cooperative game. A student is trained on every coalition of them,
each as long and on as many examples; the value of a coalition is the skill of its student, -log10
of its mean phase-sensitive error, clipped at the error of forecasting nothing. The empty coalition
has an untrained student.
"""

from qdistill.insight.importance import exams, games, trainings
from qdistill.insight.importance.presets import STUDIES, smoke
from qdistill.insight.importance.study import (
    OVERALL,
    Errors,
    Estimate,
    Importance,
    Study,
    describe,
    importance,
    run,
    table,
)

__all__ = [
    "OVERALL",
    "STUDIES",
    "Errors",
    "Estimate",
    "Importance",
    "Study",
    "describe",
    "exams",
    "games",
    "importance",
    "run",
    "smoke",
    "table",
    "trainings",
]
