"""Atomic writing of files, which survives the death of the process at any moment."""

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator

from qdistill._checks import refuse


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Write a file atomically: under a temporary name, and renamed when it is on the disk.

    A missing folder is made. If writing fails, an existing file is not changed. A process that is
    killed may leave a file that ends in `.new`, which is never read.

    Args:
      path: Path of the file.

    Yields:
      The temporary path to write to.

    Raises:
      ValueError: If the path has no name of a file.
      OSError: If the file cannot be written.

    >>> import tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "new" / "a.txt"
    >>> with whole(file) as new:
    ...     print(new.write_text("all of it"), file.exists())
    9 False
    >>> file.read_text()
    'all of it'
    """
    path = pathlib.Path(path)
    if not path.name:
        refuse("path", "the path of a file", repr(str(path)))
    # Two processes may write the same file.
    new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield new
        _sync(new)
        os.replace(new, path)
    except OSError as error:
        cause = str(error.strerror or error).rstrip(".")
        raise OSError(f"`{path}` cannot be written: {cause}.") from error
    finally:
        with contextlib.suppress(OSError):
            new.unlink()
    # Not every file system can open a folder.
    with contextlib.suppress(OSError):
        _sync(path.parent)


def _sync(path: pathlib.Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)
