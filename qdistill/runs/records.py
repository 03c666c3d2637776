"""The files of a run other than checkpoints, written atomically, and the log of its blocks."""

import hashlib
import json
import math
import pathlib
import re
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import PyTree

from qdistill import _distribute as cluster
from qdistill import _files
from qdistill._checks import refuse, require_arrays
from qdistill._refusals import explained

# Required entries of a line of a log, with their types.
Keys = Mapping[str, Any]
NUMBER = int | float | None
# Required entries of a line of `metrics.jsonl`.
BLOCK: Keys = {
    **dict.fromkeys(("step", "stage"), int),
    **dict.fromkeys(("loss", "learning_rate", "difficulty"), NUMBER),
    **dict.fromkeys(("lesson_losses", "lesson_weights"), list),
    **dict.fromkeys(("compile_seconds", "teacher_seconds", "student_seconds"), int | float),
}
# Lists and records of JSON without others in them, and line breaks; strings have none.
INNERMOST = re.compile(r"([\[{])\n\s*([^\[\]{}]*?)\n\s*([\]}])")
BREAK = re.compile(r"\n\s*")


@explained
def write(path: pathlib.Path, text: str) -> None:
    """Write a file atomically; of several processes only the first writes.

    Raises:
      OSError: If it cannot be written; an existing file is not changed.
    """
    if cluster.is_main():
        with _files.whole(path) as new:
            new.write_text(text)


@explained
def write_json(path: pathlib.Path, value: Any) -> None:
    """Write JSON atomically; numbers that are not finite become null; see `plain`.

    Innermost lists and records are on one line each.
    """
    text = json.dumps(plain(value), indent=2, allow_nan=False)
    write(
        path,
        INNERMOST.sub(lambda found: found[1] + BREAK.sub(" ", found[2]) + found[3], text) + "\n",
    )


@explained
def append(path: pathlib.Path, line: dict[str, Any]) -> None:
    """Append a line of JSON to a file; of several processes only the first writes.

    Raises:
      ValueError: As `plain` does.
      OSError: If it cannot be written.
    """
    if not cluster.is_main():
        return
    text = json.dumps(plain(line, "line"), allow_nan=False) + "\n"
    try:
        with path.open("a") as file:
            file.write(text)
    except OSError as error:
        raise OSError(f"`{path}` cannot be written: {error.strerror or error}.") from error


@explained
def read_json(path: pathlib.Path) -> Any:
    """Return the content of a JSON file.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is not JSON, with its path.
    """
    try:
        return json.loads(path.read_text())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"`{path}`: {error}") from error


@explained
def read(path: pathlib.Path, keys: Keys = BLOCK) -> list[dict[str, Any]]:
    """Return the lines of a log, oldest first; None replaces values that are not finite.

    An incomplete last line is left out.

    Args:
      path: Path of the file; a missing file has no lines.
      keys: Required entries of every line.

    Raises:
      ValueError: For a line without them, with its number.
    """
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    whole = lines[:-1] if lines and not lines[-1].endswith("\n") else lines
    return [_parse(path, i, line, keys) for i, line in enumerate(whole, 1)]


@explained
def keep_until(path: pathlib.Path, step: int, keys: Keys = BLOCK) -> None:
    """Drop the lines after a step, and an incomplete line; a resumed run writes them again."""
    if not path.exists():
        return
    lines = path.read_text().splitlines(keepends=True)
    kept: list[str] = []
    for i, line in enumerate(lines, 1):
        if not line.endswith("\n") or _parse(path, i, line, keys)["step"] > step:
            break
        kept.append(line)
    if len(kept) < len(lines):
        write(path, "".join(kept))


def _parse(path: pathlib.Path, number: int, line: str, keys: Keys) -> dict[str, Any]:
    where = f"Line {number} of `{path}`"
    try:
        metrics = json.loads(line)
    except (ValueError, RecursionError):
        metrics = None
    if not isinstance(metrics, dict):
        raise ValueError(f"{where} is not the metrics of a block. Delete it to continue.")
    for key, kind in keys.items():
        if key not in metrics:
            raise ValueError(f"{where} is not the metrics of a block: it has no `{key}`.")
        if not isinstance(metrics[key], kind) or isinstance(metrics[key], bool):
            raise ValueError(
                f"{where} is not the metrics of a block: `{key}` is {metrics[key]!r:.80}."
            )
    return metrics


@explained
def plain(value: Any, name: str = "value") -> Any:
    """Return a value with None for every number that is not finite, which JSON has not.

    Args:
      value: Numbers, text, None, True and False, in lists and dictionaries.
      name: Name of the value in error messages.

    Raises:
      ValueError: For what JSON does not have, such as arrays.
    """
    if isinstance(value, dict):
        for key in value:
            if not isinstance(key, str | int | float | None):
                refuse(name, "with text as keys", f"with the key {key!r}")
        return {key: plain(item, f"{name}[{key!r}]") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{name}[{i}]") for i, item in enumerate(value)]
    if not isinstance(value, str | int | float | None):
        refuse(name, "a number, text, list or dictionary of JSON", repr(value))
    return None if isinstance(value, float) and not math.isfinite(value) else value


@explained
def fingerprint(tree: PyTree, words: str = "") -> str:
    """Return the SHA-256 of strings and of all leaves of a pytree, with types and shapes.

    >>> fingerprint({"a": np.zeros(2)}) == fingerprint({"a": np.zeros(2, "f4")})
    False
    """
    require_arrays(tree=tree)
    digest = hashlib.sha256(words.encode())
    for path, leaf in jax.tree.leaves_with_path(tree):
        is_key = jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key)
        array = np.asarray(jax.random.key_data(leaf) if is_key else leaf)
        digest.update(f"{jax.tree_util.keystr(path)} {array.dtype} {array.shape}".encode())
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
