"""Probes: measurements of the response of a propagator to waves, as of an unknown medium.

A probe treats any one-dimensional propagator as a black box, and compares the result with closed
forms, transfer matrices or perturbation theory. The exact solver is the positive control. A
propagator that needs past frames is given exact ones.

Some results are fixed by construction. A student whose kicks sum to V has the right phase over a
uniform potential, whatever its parameters are. For a student with diagonal kinetic phases the
dispersion is one curve, which two frames of any packet determine.

>>> from qdistill.insight import probes
>>> from qdistill.physics.grid import Grid
>>> from qdistill.system import System
>>> from qdistill.teacher import chebyshev
>>> exact = chebyshev(System(Grid(256, 25.0), bounds=(-1.0, 1.0)), tolerance=1e-6)
>>> waves = probes.measure_dispersion(exact, k_max=8.0)
>>> fit = probes.fit_dispersion(waves.k, waves.omega, k_max=8.0)
>>> print(f"mass {fit.value.mass:.3f}, quartic term {fit.value.quartic:.1e}")
mass 1.000, quartic term -4.0e-04
"""

from qdistill.insight.probes.cone import LightCone, impulse, measure_light_cone
from qdistill.insight.probes.learning import (
    PROCESSES,
    Learning,
    describe_learning,
    forecast_errors,
    measure_learning,
    sample_lessons,
    steps_until,
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
    find_peaks,
    measure_resonances,
    measure_scattering,
    transmission,
)
from qdistill.insight.probes.survey import (
    ProbeConfig,
    ProbeReport,
    Probes,
    describe,
    evaluate,
    probe,
)
from qdistill.insight.probes.waves import (
    Series,
    SeriesFit,
    WaveResponse,
    fit_dispersion,
    measure_dispersion,
)

__all__ = [
    "PROCESSES",
    "BumpResponse",
    "Learning",
    "LightCone",
    "ProbeConfig",
    "ProbeReport",
    "Probes",
    "Resonances",
    "Scattering",
    "Series",
    "SeriesFit",
    "UniformResponse",
    "WaveResponse",
    "describe",
    "describe_learning",
    "evaluate",
    "find_peaks",
    "fit_dispersion",
    "forecast_errors",
    "impulse",
    "measure_bump",
    "measure_dispersion",
    "measure_learning",
    "measure_light_cone",
    "measure_resonances",
    "measure_scattering",
    "measure_uniform",
    "probe",
    "sample_lessons",
    "steps_until",
    "transmission",
]
