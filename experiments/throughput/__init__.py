"""What the teachers cost beside other solvers, and what they cost a training.

`problem` has packets, landscapes and their exact evolution, `teachers` our solvers on them, and
`timing` runs everything by turns; `scaling` varies the sizes, and `lessons` times trainings.
"""

from experiments.throughput.lessons import measure_training
from experiments.throughput.problem import Problem, relative_error, sample
from experiments.throughput.scaling import ScalingConfig, measure_memory, measure_scaling
from experiments.throughput.study import Peer, Study, environment, run, smoke, table
from experiments.throughput.teachers import TEACHERS, Teacher, prepare
from experiments.throughput.timing import Run, interleave

__all__ = [
    "TEACHERS",
    "Peer",
    "Problem",
    "Run",
    "ScalingConfig",
    "Study",
    "Teacher",
    "environment",
    "interleave",
    "measure_memory",
    "measure_scaling",
    "measure_training",
    "prepare",
    "relative_error",
    "run",
    "sample",
    "smoke",
    "table",
]
