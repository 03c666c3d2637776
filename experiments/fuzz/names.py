"""The public functions and classes of the package, and those without their own call."""

import importlib
import inspect
import pkgutil
from types import ModuleType
from typing import Any

SUBPACKAGES = (
    "physics",
    "system",
    "teacher",
    "curriculum",
    "students",
    "training",
    "forecast",
    "insight",
    "plots",
    "runs",
)

# Functions without their own call, with the reason.
EXEMPT = {
    "system.Propagator": "a protocol",
    "students.base.Student": "abstract: its subclasses are called",
    "students.domain.OutsideTaught": "a warning",
    "runs.divergence.Diverged": "an exception",
    "runs.signals.Stopped": "an exception",
}


def is_record(thing: Any) -> bool:
    """Return whether a class is the type of a result of the package's functions."""
    return inspect.isclass(thing) and issubclass(thing, tuple)


def name_of(thing: Any) -> str:
    """Return module and name of a function, without the name of the package."""
    return f"{thing.__module__}.{thing.__qualname__}".removeprefix("qdistill.")


def public() -> dict[str, Any]:
    """Return every public function and class, by module and name.

    A module says in `__all__` what is public; one that does not, all its names without an
    underscore in front. The modules of a package that has no `__all__` are public.
    """
    found: dict[str, Any] = {}
    for part in SUBPACKAGES:
        _look_into(importlib.import_module(f"qdistill.{part}"), found)
    return found


def _look_into(module: ModuleType, found: dict[str, Any]) -> None:
    names = getattr(module, "__all__", None)
    if names is None:
        for each in pkgutil.iter_modules(getattr(module, "__path__", ())):
            if not each.name.startswith("_"):
                _look_into(importlib.import_module(f"{module.__name__}.{each.name}"), found)
        names = [
            name
            for name, thing in vars(module).items()
            if not name.startswith("_") and getattr(thing, "__module__", "") == module.__name__
        ]
    for name in names:
        thing = getattr(module, name)
        if inspect.ismodule(thing):
            _look_into(thing, found)
        elif callable(thing) and getattr(thing, "__module__", "").startswith("qdistill."):
            found[name_of(thing)] = thing
