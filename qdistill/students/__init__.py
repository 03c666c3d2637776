"""Students: Flax networks and other parametrised propagators, one per file.

`StudentConfig.build` makes a `Student` for a system, and `Student.bind` makes an `Emulator` of a
student and its parameters; an emulator is a propagator.

>>> import jax
>>> from qdistill.system import System
>>> student = WindowedConfig("gru").build(System())
>>> count_parameters(student.init(jax.random.key(0)))
36892
"""

from qdistill.students.base import FORMS, Emulator, Student, StudentConfig, count_parameters
from qdistill.students.domain import OutsideTaught, Reach
from qdistill.students.effective import BandStudent, EffectiveHamiltonian, PropagatorConfig
from qdistill.students.unitary import Splitting, UnitaryConfig
from qdistill.students.windowed import Windowed, WindowedConfig, register
from qdistill.students.windows import WindowConfig

__all__ = [
    "FORMS",
    "BandStudent",
    "EffectiveHamiltonian",
    "Emulator",
    "OutsideTaught",
    "PropagatorConfig",
    "Reach",
    "Splitting",
    "Student",
    "StudentConfig",
    "UnitaryConfig",
    "WindowConfig",
    "Windowed",
    "WindowedConfig",
    "count_parameters",
    "register",
]
