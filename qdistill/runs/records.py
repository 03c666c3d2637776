"""The files of a run other than checkpoints: whole or not there, and the log of its blocks."""

import json
import math
import os
import pathlib
from typing import Any

from qdistill import _distribute as cluster
from qdistill import _refusals


def write(path: pathlib.Path, text: str) -> None:
    """Write a file that is there whole or not at all; of several processes the first writes.

    Raises:
      OSError: If it cannot be written; what was there before is left as it was.
    """
    if not cluster.is_main():
        return
    new = path.with_name(path.name + ".new")
    try:
        with new.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.replace(new, path)
    except OSError as error:
        new.unlink(missing_ok=True)
        raise _unwritable(path, error) from error


def append(path: pathlib.Path, line: dict[str, Any]) -> None:
    """Add a line of JSON to a file; of several processes the first writes.

    Raises:
      OSError: If it cannot be written.
    """
    if not cluster.is_main():
        return
    try:
        with path.open("a") as file:
            file.write(json.dumps(plain(line), allow_nan=False) + "\n")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: pathlib.Path, error: OSError) -> OSError:
    return OSError(f"`{path}` cannot be written: {error.strerror or error}.")


def read(path: pathlib.Path) -> list[dict[str, Any]]:
    """Return the lines of such a file, oldest first; null stands for what is not finite.

    A last line without its end, which is being written or was cut short, is left out.

    Raises:
      ValueError: For a line that is not a block's metrics, with its number.
    """
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = lines[:-1] if lines and not lines[-1].endswith("\n") else lines
    return [_parse(path, i, line) for i, line in enumerate(whole, 1)]


def keep_until(path: pathlib.Path, step: int) -> None:
    """Drop the lines after a step, and a line cut short: a resumed run writes them anew."""
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    kept: list[str] = []
    for i, line in enumerate(lines, 1):
        if not line.endswith("\n") or _parse(path, i, line)["step"] > step:
            break
        kept.append(line)
    if len(kept) < len(lines):
        write(path, "".join(kept))


def _parse(path: pathlib.Path, number: int, line: str) -> dict[str, Any]:
    try:
        metrics = json.loads(line)
        metrics["step"] + 0
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(
            f"Line {number} of `{path}` is not the metrics of a block. Delete it to go on."
        ) from error
    return metrics


def plain(value: Any) -> Any:
    """Return the value with null for every number that is not finite, which JSON cannot hold."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


_refusals.tell(__name__)
