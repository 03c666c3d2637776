"""Distil quantum dynamics into small neural emulators, and see what they learned.

Everything is in Hartree atomic units: hbar = m_e = e = 1, lengths in bohr (0.0529 nm), energies in
hartree (27.2 eV), times in a.u. (24.2 as). The modules are used by their names::

    from qdistill import Grid, packets, potentials, solver
    from qdistill.rollout import rollout
"""

from qdistill.grid import Grid
from qdistill.rollout import rollout

__all__ = ["Grid", "rollout"]
