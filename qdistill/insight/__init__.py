"""Analyses of emulators: symmetries, waves, interventions, importance of lessons, design.

The subpackages are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from qdistill.insight import (
        design,
        discovery,
        flight,
        harness,
        importance,
        interventions,
        probes,
        symmetries,
    )

__all__ = [
    "design",
    "discovery",
    "flight",
    "harness",
    "importance",
    "interventions",
    "probes",
    "symmetries",
]


def __getattr__(name: str) -> Any:
    """Return a subpackage, imported when it is first used."""
    if name in __all__:
        return importlib.import_module(f"qdistill.insight.{name}")
    raise AttributeError(f"module 'qdistill.insight' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the subpackages, for completion."""
    return list(__all__)
