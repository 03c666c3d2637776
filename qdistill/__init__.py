"""Distil quantum dynamics into small neural emulators, and see what they learned.

Everything is in Hartree atomic units: hbar = m_e = e = 1, lengths in bohr (0.0529 nm), energies in
hartree (27.2 eV), times in a.u. (24.2 as). The modules are used by their names::

    from qdistill import Grid, packets, potentials, solver
    from qdistill.rollout import rollout

`qdistill.load("unitary")` is a student that is trained already: see `pretrained`.
"""

from typing import TYPE_CHECKING, Any

from qdistill._rollout import rollout
from qdistill.physics.grid import Grid

if TYPE_CHECKING:
    from qdistill.runs.pretrained import load

__all__ = ["Grid", "load", "rollout"]


def __getattr__(name: str) -> Any:
    """`load`, imported where it is first asked for: Flax takes a second."""
    if name == "load":
        from qdistill.runs.pretrained import load

        return load
    raise AttributeError(f"module 'qdistill' has no attribute {name!r}")
