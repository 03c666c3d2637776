"""Probes: what a propagator does to waves, asked as one would ask an unknown medium.

Each takes any propagator as a black box, in the form of a student, and gives measured numbers
beside those of closed forms, transfer matrices or perturbation theory. Run on the exact solver it
must find the known answer: that is its control. A student that needs a history is given the
exact one.

>>> from qdistill.physics.grid import Grid
>>> from qdistill.insight import probes
>>> from qdistill.teacher import solvers as solver
>>> from qdistill import students
>>> grid = Grid(256, 25.0, "lattice")
>>> exact = solver.chebyshev(grid, 0.1, v_range=(-1.0, 1.0))
>>> student = students.from_propagator(exact)
>>> waves = probes.measure_dispersion(student, exact, grid, 0.1, k_max=8.0)
>>> fit = probes.fit_dispersion(waves.k, waves.omega, k_max=8.0)
>>> print(f"mass {fit.value.mass:.3f}, quartic term {fit.value.quartic:.1e}")
mass 1.000, quartic term -4.0e-04
"""

from qdistill.insight.probes.cone import LightCone, measure_light_cone
from qdistill.insight.probes.learning import (
    PROCESSES,
    Exams,
    Learning,
    describe_learning,
    examine,
    make_exams,
    measure_learning,
    steps_until,
    words_of_learning,
)
from qdistill.insight.probes.response import (
    BumpResponse,
    UniformResponse,
    measure_bump,
    measure_uniform,
)
from qdistill.insight.probes.scattering import (
    Resonances,
    Scattering,
    measure_resonances,
    measure_scattering,
    transmission,
)
from qdistill.insight.probes.survey import ProbeConfig, Probes, describe, probe, words
from qdistill.insight.probes.waves import (
    Series,
    SeriesFit,
    WaveResponse,
    fit_dispersion,
    group_velocity,
    measure_dispersion,
    omega,
)

__all__ = [
    "PROCESSES",
    "BumpResponse",
    "Exams",
    "Learning",
    "LightCone",
    "ProbeConfig",
    "Probes",
    "Resonances",
    "Scattering",
    "Series",
    "SeriesFit",
    "UniformResponse",
    "WaveResponse",
    "describe",
    "describe_learning",
    "examine",
    "fit_dispersion",
    "group_velocity",
    "make_exams",
    "measure_bump",
    "measure_dispersion",
    "measure_learning",
    "measure_light_cone",
    "measure_resonances",
    "measure_scattering",
    "measure_uniform",
    "omega",
    "probe",
    "steps_until",
    "transmission",
    "words",
    "words_of_learning",
]
