"""What a forecast hangs on: interventions on the world, and derivatives by the inputs.

An intervention takes one process away from the exact solver's future and from a student's, and asks
whether the student knows the cause, or only the usual outcome. A derivative asks the same of single
inputs. Both take any student; the exact solver is the control.
"""

from qdistill.insight.interventions.effects import (
    Effects,
    Experiment,
    World,
    experiment,
    make_world,
    measure_effects,
)
from qdistill.insight.interventions.interventions import INTERVENTIONS, Intervention, Moment
from qdistill.insight.interventions.maps import compare, draw_maps, measure_sizes
from qdistill.insight.interventions.scenes import SCENES, Scene, sample_moments
from qdistill.insight.interventions.sensitivity import Answers, choose_places, measure_answers
from qdistill.insight.interventions.survey import (
    BLIND,
    EXACT,
    CausesConfig,
    Subject,
    evaluate,
    make_controls,
)
from qdistill.insight.interventions.words import describe

__all__ = [
    "BLIND",
    "EXACT",
    "INTERVENTIONS",
    "SCENES",
    "Answers",
    "CausesConfig",
    "Effects",
    "Experiment",
    "Intervention",
    "Moment",
    "Scene",
    "Subject",
    "World",
    "choose_places",
    "compare",
    "describe",
    "draw_maps",
    "evaluate",
    "experiment",
    "make_controls",
    "make_world",
    "measure_answers",
    "measure_effects",
    "measure_sizes",
    "sample_moments",
]
