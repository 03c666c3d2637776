"""Solvers of the time-dependent Schroedinger equation, all of them propagators."""

from qdistill.teacher.expansion import Chebyshev, bounds_of, chebyshev
from qdistill.teacher.factory import TeacherConfig, make
from qdistill.teacher.schemes import SCHEMES, Scheme
from qdistill.teacher.split_steps import Dense, SplitStep, dense, kick, phase, split_step

__all__ = [
    "SCHEMES",
    "Chebyshev",
    "Dense",
    "Scheme",
    "SplitStep",
    "TeacherConfig",
    "bounds_of",
    "chebyshev",
    "dense",
    "kick",
    "make",
    "phase",
    "split_step",
]
