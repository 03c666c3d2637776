"""The provenance of a result: commit of the code, machine and date."""

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
from qdistill._refusals import explained
from qdistill.runs import records

FILE = "provenance.json"
PACKAGE = pathlib.Path(__file__).parents[1]
REQUIRED = ("jax", "jaxlib", "flax", "optax", "numpy")
# Required entries of every record, also of older runs.
NOTE = {"commit": str | None, "is_modified": bool | None, "date": str | None, "environment": dict}
ENVIRONMENT = {"device": str, "cpu_count": int | None, "python": str, "jax": str}


@explained
def environment() -> dict[str, Any]:
    """Return the device, and the versions of Python and of packages that affect numbers.

    >>> sorted(environment())
    ['cpu_count', 'device', 'flax', 'jax', 'jaxlib', 'numpy', 'optax', 'python']
    """
    return {
        "device": jax.devices()[0].device_kind,
        "cpu_count": os.cpu_count(),
        "python": platform.python_version(),
        **{name: importlib.metadata.version(name) for name in REQUIRED},
    }


@explained
def now() -> dict[str, Any]:
    """Return the provenance of this process: `commit`, `is_modified`, `date`, `environment`.

    `commit` and `is_modified` are None if the package is not in a git checkout.
    """
    commit = changes = None
    # In a checkout of another project the package is not tracked.
    if _git("ls-files", "--error-unmatch", "__init__.py") is not None:
        commit = _git("rev-parse", "HEAD")
        # Changes in the package, and in the studies next to it.
        studies = ["../experiments"] * (PACKAGE.parent / "experiments").is_dir()
        changes = _git("status", "--porcelain", "--", ".", *studies)
    return {
        "commit": commit,
        "is_modified": None if changes is None else bool(changes),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "environment": environment(),
    }


@explained
def record(out: pathlib.Path) -> None:
    """Record code and machine in a run's folder, unless the last record is the same.

    Raises:
      OSError: If the file cannot be written.
      ValueError: If the records in the folder cannot be read.
    """
    notes, here = read(out), now()
    if not notes or {**notes[-1], "date": ""} != {**here, "date": ""}:
        records.write_json(out / FILE, [*notes, here])


@explained
def read(out: pathlib.Path) -> list[dict[str, Any]]:
    """Return the records in a run's folder, oldest first; none for runs of early versions.

    Raises:
      ValueError: If they cannot be read.
    """
    path = out / FILE
    if not path.exists():
        return []
    try:
        return check(json.loads(path.read_text()))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}` does not contain the provenance of a run: {error}") from error


@explained
def check(notes: Any) -> list[dict[str, Any]]:
    """Return records from JSON; refuse those that do not have the form of `now`.

    Raises:
      ValueError: For an entry that is missing or of the wrong type.
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
    """The output of git in the package's folder; None if git fails or is not installed."""
    try:
        done = subprocess.run(["git", "-C", str(PACKAGE), *words], capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
