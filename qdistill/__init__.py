"""Distil quantum dynamics into small neural emulators, and study what they learned.

Everything is in Hartree atomic units: hbar = m_e = e = 1, lengths in bohr (0.0529 nm), energies in
hartree (27.2 eV), times in a.u. (24.2 as).

>>> import qdistill as qd
>>> emulator = qd.load("unitary")
>>> emulator.system.grid.shape
(1024,)

The subpackages are imported when they are first used: `physics`, `system`, `teacher`, `curriculum`,
`students`, `training`, `forecast`, `insight`, `plots`, `runs`.

Importing the package sets JAX's `jax_default_matmul_precision` to ``"highest"`` unless it was set
before. Otherwise GPUs and TPUs round the factors of matrix products in single precision to 10 or 7
bits, which gives energies and phases errors of 1e-3.
"""

import importlib
import importlib.metadata
from typing import TYPE_CHECKING, Any

import jax

if TYPE_CHECKING:
    from qdistill import (
        curriculum,
        forecast,
        insight,
        physics,
        plots,
        runs,
        students,
        system,
        teacher,
        training,
    )
    from qdistill.physics.grid import Grid
    from qdistill.runs.distillation import distill
    from qdistill.runs.pretrained import load
    from qdistill.students import Emulator
    from qdistill.system import System, rollout

__version__ = importlib.metadata.version("qdistill")

if jax.config.jax_default_matmul_precision is None:  # type: ignore[attr-defined]
    jax.config.update("jax_default_matmul_precision", "highest")

_NAMES = {
    "Emulator": "qdistill.students",
    "Grid": "qdistill.physics.grid",
    "System": "qdistill.system",
    "distill": "qdistill.runs.distillation",
    "load": "qdistill.runs.pretrained",
    "rollout": "qdistill.system",
}
_ROOMS = (
    "curriculum",
    "forecast",
    "insight",
    "physics",
    "plots",
    "runs",
    "students",
    "system",
    "teacher",
    "training",
)

__all__ = [
    "Emulator",
    "Grid",
    "System",
    "curriculum",
    "distill",
    "forecast",
    "insight",
    "load",
    "physics",
    "plots",
    "rollout",
    "runs",
    "students",
    "system",
    "teacher",
    "training",
]


def __getattr__(name: str) -> Any:
    """Return a public name or subpackage, imported on first use, since importing Flax takes 1 s."""
    if name in _ROOMS:
        return importlib.import_module(f"qdistill.{name}")
    if name in _NAMES:
        if name == "System":
            # Importing `curriculum` registers the lessons of the package.
            importlib.import_module("qdistill.curriculum")
        found = getattr(importlib.import_module(_NAMES[name]), name)
        globals()[name] = found
        return found
    raise AttributeError(f"module 'qdistill' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names and subpackages, for completion."""
    return [*__all__, "__version__"]
