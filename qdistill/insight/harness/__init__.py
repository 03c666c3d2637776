"""The common harness of all analyses: panels of propagators, forecasts, intervals, reports.

An analysis measures the same for every member of a `Panel`: emulators, non-learned null models, the
exact solver as the positive control, and negative controls that must be detected. It returns a
`Report`.
"""

from qdistill.insight.harness.evidence import Evidence, decide, holm, p_below, weigh
from qdistill.insight.harness.frames import forecast, recall, solve_exactly
from qdistill.insight.harness.intervals import (
    BY_RATIO,
    KEPT_VERDICTS,
    N_RESAMPLED,
    Interval,
    PerCase,
    bootstrap,
    fires,
    resample,
    rounding,
    verdict,
)
from qdistill.insight.harness.nulls import Disturbed, disturb, randomise
from qdistill.insight.harness.panel import EXACT, Ensembles, Member, Panel, Role, make_panel
from qdistill.insight.harness.reports import Report, in_words, make_table

__all__ = [
    "BY_RATIO",
    "EXACT",
    "KEPT_VERDICTS",
    "N_RESAMPLED",
    "Disturbed",
    "Ensembles",
    "Evidence",
    "Interval",
    "Member",
    "Panel",
    "PerCase",
    "Report",
    "Role",
    "bootstrap",
    "decide",
    "disturb",
    "fires",
    "forecast",
    "holm",
    "in_words",
    "make_panel",
    "make_table",
    "p_below",
    "randomise",
    "recall",
    "resample",
    "rounding",
    "solve_exactly",
    "verdict",
    "weigh",
]
