"""Inverse design: potentials with a wanted transmission, found by gradient descent and verified.

The stationary transmission of a potential is exact for the grid and differentiable. So is the
transmitted share of a packet, through the frames of any propagator. Designs found by either are
verified in the time domain by the exact solver.

>>> import jax.numpy as jnp
>>> from qdistill.physics.grid import Grid
>>> from qdistill.insight import design
>>> from qdistill.physics import potentials
>>> grid = Grid(256, 25.0)
>>> v = potentials.barrier(grid.positions(), height=3.0, width=2.0, centre=12.5)
>>> wave = design.scatter(grid, v, energy=4.0)
>>> print(f"{wave.transmission:.3f} + {wave.reflection:.3f}")
0.969 + 0.031
"""

from qdistill.insight.design.search import (
    Design,
    Found,
    descend,
    optimise,
    rollout_objective,
    stationary_objective,
)
from qdistill.insight.design.tasks import ROLLOUTS, TASKS, RolloutConfig, SearchConfig, TaskConfig
from qdistill.insight.design.trials import Trial, Verdict, averages, embed, passing, prepare, verify
from qdistill.physics.profiles import ProfileConfig, potential, stretch
from qdistill.physics.stationary import Scattered, scatter, transmissions, wavenumber

__all__ = [
    "ROLLOUTS",
    "TASKS",
    "Design",
    "Found",
    "ProfileConfig",
    "RolloutConfig",
    "Scattered",
    "SearchConfig",
    "TaskConfig",
    "Trial",
    "Verdict",
    "averages",
    "descend",
    "embed",
    "optimise",
    "passing",
    "potential",
    "prepare",
    "rollout_objective",
    "scatter",
    "stationary_objective",
    "stretch",
    "transmissions",
    "verify",
    "wavenumber",
]
