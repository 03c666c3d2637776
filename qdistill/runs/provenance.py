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

from qdistill._checks import refuse
from qdistill.runs import records

FILE = "provenance.json"
PACKAGE = pathlib.Path(__file__).parents[1]
REQUIRED = ("jax", "jaxlib", "flax", "optax", "numpy")
# What every note must hold, also one of an older run.
NOTE = {"commit": str | None, "is_modified": bool | None, "date": str | None, "environment": dict}
ENVIRONMENT = {"device": str, "cpu_count": int | None, "python": str, "jax": str}


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
        records.write_json(out / FILE, [*notes, here])


def read(out: pathlib.Path) -> list[dict[str, Any]]:
    """Return the notes in a run's folder, oldest first; none for a run older than the notes.

    Raises:
      ValueError: If they cannot be read.
    """
    path = out / FILE
    if not path.exists():
        return []
    try:
        return check(json.loads(path.read_text()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` holds no notes of the provenance of a run: {error}") from error


def check(notes: Any) -> list[dict[str, Any]]:
    """Return notes as JSON holds them, refused where they are not of the form of `now`.

    Raises:
      ValueError: For a note that is missing or of the wrong type.
    """
    if not isinstance(notes, list):
        refuse("provenance", "a list of notes", repr(notes)[:80])
    for i, note in enumerate(notes):
        _require(f"provenance.{i}", note, NOTE)
        _require(f"provenance.{i}.environment", note["environment"], ENVIRONMENT)
        try:
            datetime.datetime.fromisoformat(note["date"] or "2026-01-01")
        except ValueError:
            refuse(f"provenance.{i}.date", "a date", repr(note["date"])[:80])
    return notes


def _require(name: str, table: Any, kinds: dict[str, Any]) -> None:
    if not isinstance(table, dict):
        refuse(name, "a table", repr(table)[:80])
    for key, kind in kinds.items():
        if key not in table:
            refuse(f"{name}.{key}", "given", "missing")
        if not isinstance(table[key], kind):
            refuse(f"{name}.{key}", "as runs note it", repr(table[key])[:80])
    for key in set(table) - set(kinds):
        if not isinstance(table[key], str | int | None):
            refuse(f"{name}.{key}", "text or an integer", repr(table[key])[:80])


def _git(*words: str) -> str | None:
    """What git says of the package's folder; None if it fails, or is not there."""
    try:
        done = subprocess.run(["git", "-C", str(PACKAGE), *words], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
