"""Grids, wave packets, potentials and observables, in Hartree atomic units."""

from qdistill.physics import (
    band,
    channels,
    crossings,
    eigenstates,
    families,
    files,
    grid,
    hamiltonian,
    observables,
    packets,
    potentials,
    profiles,
    stationary,
)
from qdistill.physics.grid import Grid

__all__ = [
    "Grid",
    "band",
    "channels",
    "crossings",
    "eigenstates",
    "families",
    "files",
    "grid",
    "hamiltonian",
    "observables",
    "packets",
    "potentials",
    "profiles",
    "stationary",
]
