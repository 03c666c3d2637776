"""Configs, presets, run folders, checkpoints, packaged emulators, and summaries of runs.

The modules are imported when they are first used, because importing Orbax takes a second.
"""

import importlib
from typing import Any

_MODULES = (
    "checkpoints",
    "config",
    "distillation",
    "divergence",
    "export",
    "extensions",
    "folder",
    "lock",
    "options",
    "presets",
    "pretrained",
    "process",
    "provenance",
    "records",
    "report",
    "results",
    "signals",
    "story",
    "tensorboard",
)


def __getattr__(name: str) -> Any:
    """Return a module of this subpackage, imported when it is first used."""
    if name in _MODULES:
        return importlib.import_module(f"qdistill.runs.{name}")
    raise AttributeError(f"module 'qdistill.runs' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the names of the modules, for completion."""
    return list(_MODULES)
