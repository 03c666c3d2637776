"""Files of one's own that define systems, students, lessons or presets."""

import dataclasses
import hashlib
import pathlib
import shlex
import sys
import types
from typing import Any

# By their names as given, what has been executed in this process.
LOADED: dict[str, "Extension"] = {}


@dataclasses.dataclass(frozen=True)
class Extension:
    """A Python file that a run depends on.

    Attributes:
      path: Where it was.
      sha256: Of its text.
    """

    path: str = ""
    sha256: str = ""


def load(path: pathlib.Path | str) -> Extension:
    """Execute a Python file, whose systems, students, lessons and presets are known from then on.

    A subclass of `System` or `StudentConfig` registers itself, `qdistill.system.lesson` registers a
    lesson, and `qdistill.runs.presets.PRESETS` takes presets. The file becomes the module
    `qdistill_NAME`, so that its emulators can be pickled and read where it is loaded too.

    Raises:
      FileNotFoundError: If it is not there.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}` to load.")
    extension = Extension(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    if LOADED.get(str(path)) != extension:
        _execute(path)
        LOADED[str(path)] = extension
    return extension


def _execute(path: pathlib.Path) -> None:
    # Python's cache of bytecode would miss a change within a second.
    code = compile(path.read_bytes(), str(path), "exec")
    module = types.ModuleType(f"qdistill_{path.stem}")
    module.__file__ = str(path)
    sys.modules[module.__name__] = module
    exec(code, vars(module))


def require_loaded(wanted: Any) -> None:
    """Refuse a config whose own files were not loaded, or have changed since.

    Args:
      wanted: The extensions of a config, as JSON holds them. What is no such list passes.

    Raises:
      ValueError: With the command-line option that loads the file.
    """
    known = {extension.sha256 for extension in LOADED.values()}
    for each in wanted if isinstance(wanted, list) else ():
        if isinstance(each, dict) and each.get("sha256") not in known:
            path = str(each.get("path"))
            raise ValueError(
                f"The run depends on the file `{path}` as it was then, which is not loaded: give "
                f"`--load {shlex.quote(path)}`, or call `qdistill.runs.extensions.load`."
            )
