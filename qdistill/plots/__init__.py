"""Figures of runs, scores, students, symmetries and costs; only this subpackage imports matplotlib.

Every `plot_` function takes plain arrays and returns a `matplotlib.figure.Figure` without global
state; every `animate_` function writes a GIF, or an MP4 if ffmpeg is installed. All figures share
one style, legible at a width of 800 pixels, in greyscale and for colour-blind readers. Values of a
forecast that are not finite are left out, and the panel says so. A `ValueError` refuses empty
arrays, shapes that do not match, axes that are not ascending (in a map, evenly spaced), and a truth
that is not finite.
"""

from matplotlib.figure import Figure

from qdistill.plots.channels import (
    Outcomes,
    plot_channels,
    plot_populations,
    plot_probabilities,
)
from qdistill.plots.colours import colour_phase
from qdistill.plots.design import plot_designs
from qdistill.plots.forecasts import plot_correlations, plot_snapshots, plot_spacetime
from qdistill.plots.importance import plot_family_shares, plot_shares
from qdistill.plots.interventions import plot_interventions, plot_sensitivity
from qdistill.plots.lessons import plot_potentials, plot_training, plot_window_map
from qdistill.plots.movies import animate_forecast, animate_wavefunction, animate_wavefunction_2d
from qdistill.plots.phases import plot_phases
from qdistill.plots.probes import (
    plot_light_cones,
    plot_order,
    plot_response,
    plot_transmission,
    plot_waves,
)
from qdistill.plots.reports import draw
from qdistill.plots.runs import plot_runs
from qdistill.plots.students import plot_dispersion, plot_errors
from qdistill.plots.style import save
from qdistill.plots.symmetries import plot_symmetries
from qdistill.plots.wavefunctions import plot_wavefunction, plot_wavefunction_2d

__all__ = [
    "Figure",
    "Outcomes",
    "animate_forecast",
    "animate_wavefunction",
    "animate_wavefunction_2d",
    "colour_phase",
    "draw",
    "plot_channels",
    "plot_correlations",
    "plot_designs",
    "plot_dispersion",
    "plot_errors",
    "plot_family_shares",
    "plot_interventions",
    "plot_light_cones",
    "plot_order",
    "plot_phases",
    "plot_populations",
    "plot_potentials",
    "plot_probabilities",
    "plot_response",
    "plot_runs",
    "plot_sensitivity",
    "plot_shares",
    "plot_snapshots",
    "plot_spacetime",
    "plot_symmetries",
    "plot_training",
    "plot_transmission",
    "plot_wavefunction",
    "plot_wavefunction_2d",
    "plot_waves",
    "plot_window_map",
    "save",
]
