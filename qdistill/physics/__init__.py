"""Grids, wave packets, potentials and observables, in Hartree atomic units."""

from qdistill.physics import (
    band,
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
