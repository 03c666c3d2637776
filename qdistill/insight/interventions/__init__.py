"""Dependence of forecasts on their inputs: interventions on one process, and derivatives.

An intervention removes one process from the state or the potential. Its effect on the forecasts of
a propagator is compared with its effect on the exact solution. Derivatives with respect to single
inputs are compared in the same way. Both accept any propagator; the exact solver is the positive
control.
"""

from qdistill.insight.interventions.effects import (
    Blind,
    Effects,
    Intervened,
    intervene,
    measure_effects,
)
from qdistill.insight.interventions.maps import compare, draw_maps, measure_sizes
from qdistill.insight.interventions.scenes import SCENES, Scene, sample_moments
from qdistill.insight.interventions.sensitivity import (
    Derivatives,
    choose_places,
    measure_derivatives,
)
from qdistill.insight.interventions.survey import (
    BLIND,
    InterventionConfig,
    InterventionReport,
    evaluate,
    make_controls,
)
from qdistill.insight.interventions.table import INTERVENTIONS, Intervention, Moment

__all__ = [
    "BLIND",
    "INTERVENTIONS",
    "SCENES",
    "Blind",
    "Derivatives",
    "Effects",
    "Intervened",
    "Intervention",
    "InterventionConfig",
    "InterventionReport",
    "Moment",
    "Scene",
    "choose_places",
    "compare",
    "draw_maps",
    "evaluate",
    "intervene",
    "make_controls",
    "measure_derivatives",
    "measure_effects",
    "measure_sizes",
    "sample_moments",
]
