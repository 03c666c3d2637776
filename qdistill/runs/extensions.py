"""Extension files: Python files of your own that define systems, students, lessons or presets."""

import dataclasses
import hashlib
import pathlib
import shlex
import sys
import types
from typing import Any

from qdistill._checks import refuse
from qdistill._refusals import explained

# The files executed in this process, by their paths as given.
LOADED: dict[str, "Extension"] = {}


@explained
@dataclasses.dataclass(frozen=True)
class Extension:
    """A Python file on which a run depends.

    Attributes:
      path: Path of the file.
      sha256: SHA-256 of its text.
    """

    path: str = ""
    sha256: str = ""


@explained
def load(path: pathlib.Path | str) -> Extension:
    """Execute a Python file that registers systems, students, lessons or presets.

    A subclass of `System` or `StudentConfig` registers itself, `qdistill.system.lesson` registers a
    lesson, and presets are added to `qdistill.runs.presets.PRESETS`. The file becomes the module
    `qdistill_NAME`, so that its emulators can be pickled, and read by processes that load it.

    Raises:
      FileNotFoundError: If there is no such file.
      ValueError: If it is no Python file, or another file of the same name is loaded.
    """
    path = pathlib.Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"There is no file `{path}` to load.")
    extension = Extension(str(path), hashlib.sha256(path.read_bytes()).hexdigest())
    for other in LOADED.values():
        there = pathlib.Path(other.path)
        is_copy = there.resolve() == path.resolve() or other.sha256 == extension.sha256
        if there.stem == path.stem and not is_copy:
            cure = f"Rename one of them: both would be the module `qdistill_{path.stem}`."
            refuse("path", f"of another name than the loaded file `{there}`", path, cure)
    if LOADED.get(str(path)) != extension:
        _execute(path)
        LOADED[str(path)] = extension
    return extension


def _execute(path: pathlib.Path) -> None:
    # Python's bytecode cache would miss a change within a second.
    try:
        code = compile(path.read_bytes(), str(path), "exec")
    except (SyntaxError, ValueError) as error:
        raise ValueError(f"`{path}` is no Python file that can be executed: {error}") from error
    module = types.ModuleType(f"qdistill_{path.stem}")
    module.__file__ = str(path)
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    try:
        exec(code, vars(module))
    except BaseException:
        del sys.modules[module.__name__]
        if before is not None:
            sys.modules[module.__name__] = before
        raise


@explained
def require_loaded(wanted: Any) -> None:
    """Refuse a config whose extension files were not loaded, or have changed since.

    Args:
      wanted: The extensions of a config in their JSON form. Any other value passes.

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
