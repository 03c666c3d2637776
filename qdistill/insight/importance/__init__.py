"""Importance of lessons: the share of each lesson in the skill of a student.

The lessons are the players of a cooperative game. A student is trained on every coalition of them,
with equal numbers of steps and examples. The value of a coalition is the skill of its student:
-log10 of its mean relative L2 error, clipped at the error of the forecast psi = 0. The empty
coalition has an untrained student.

Shares belong to lessons, not to physical processes. Lessons also differ in the width, energy and
position of their packets; compare lessons with matched packets to separate the two.
"""

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
