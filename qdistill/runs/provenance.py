"""Provenance of a result: the commit of the code, the machine, and when."""

import datetime
import importlib.metadata
import json
import os
import pathlib
import platform
import subprocess
from typing import Any

import jax

from qdistill import _refusals
from qdistill.runs import records

FILE = "provenance.json"
PACKAGE = pathlib.Path(__file__).parents[1]
REQUIRED = ("jax", "jaxlib", "flax", "optax", "numpy")


def environment() -> dict[str, Any]:
    """Return the device, and the versions of Python and of the packages that numbers depend on.

    >>> sorted(environment())
    ['cpu_count', 'device', 'flax', 'jax', 'jaxlib', 'numpy', 'optax', 'python']
    """
    return {
        "device": jax.devices()[0].device_kind,
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in REQUIRED},
    }


def now() -> dict[str, Any]:
    """Return the provenance of what runs now: `commit`, `is_modified`, `date`, `environment`.

    `commit` and `is_modified` are None where the package does not lie in a git checkout.
    """
    commit = changes = None
    # In a checkout of something else the package is no tracked file.
    if _git("ls-files", "--error-unmatch", "__init__.py") is not None:
        commit = _git("rev-parse", "HEAD")
        # Of the package, and of the studies next to it.
        studies = ["../experiments"] * (PACKAGE.parent / "experiments").is_dir()
        changes = _git("status", "--porcelain", "--", ".", *studies)
    return {
        "commit": commit,
        "is_modified": None if changes is None else bool(changes),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "environment": environment(),
    }


def record(out: pathlib.Path) -> None:
    """Note in a run's folder the code and machine at work, unless the last note says the same.

    Raises:
      OSError: If it cannot be written.
      ValueError: If the notes there cannot be read.
    """
    notes, here = read(out), now()
    if not notes or {**notes[-1], "date": ""} != {**here, "date": ""}:
        records.write(out / FILE, json.dumps([*notes, here], indent=2) + "\n")


def read(out: pathlib.Path) -> list[dict[str, Any]]:
    """Return the notes in a run's folder, oldest first; none for a run older than the notes.

    Raises:
      ValueError: If they cannot be read.
    """
    path = out / FILE
    if not path.exists():
        return []
    try:
        notes = json.loads(path.read_text())
        for note in notes:
            note["commit"], note["is_modified"], note["environment"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"`{path}` holds no notes of the provenance of a run.") from error
    return notes


def _git(*words: str) -> str | None:
    """What git says of the package's folder; None if it fails, or is not there."""
    try:
        done = subprocess.run(["git", "-C", str(PACKAGE), *words], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None


_refusals.tell(__name__)
