"""Lessons, and schedules of lesson weights and difficulty.

A lesson samples an initial state and a potential; a schedule is a function of the step.

>>> import jax
>>> from qdistill.physics.grid import Grid
>>> psi, v = LESSONS["tunnelling"](jax.random.key(0), Grid(512, 40.0), 0.5)
>>> psi.shape, v.shape
((512,), (512,))
"""

from qdistill.curriculum import crossings as crossings
from qdistill.curriculum import lessons as lessons
from qdistill.curriculum.sampling import require_lessons, sample
from qdistill.curriculum.schedules import (
    CurriculumConfig,
    LossDriven,
    Schedule,
    adaptive,
    constant,
    loss_driven,
    make_schedules,
    mixed,
    ramped,
    staged,
)
from qdistill.system import LESSONS, lesson

__all__ = [
    "LESSONS",
    "CurriculumConfig",
    "LossDriven",
    "Schedule",
    "adaptive",
    "constant",
    "lesson",
    "loss_driven",
    "make_schedules",
    "mixed",
    "ramped",
    "require_lessons",
    "sample",
    "staged",
]
