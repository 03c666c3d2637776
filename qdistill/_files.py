"""Files that are there whole or not at all, whatever ends the process that writes them."""

import contextlib
import os
import pathlib
import secrets
from collections.abc import Iterator


@contextlib.contextmanager
def whole(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Write a file under another name next to it, which becomes its name when all is on the disk.

    The folder is made where it is missing. Where the work fails, what was there before is left as
    it was. A process that is killed may leave a file that ends in `.new`; nothing reads it.

    Args:
      path: Of the file.

    Yields:
      The name under which to write it.

    Raises:
      OSError: If it cannot be written, in one sentence.

    >>> import tempfile
    >>> file = pathlib.Path(tempfile.mkdtemp()) / "new" / "a.txt"
    >>> with whole(file) as new:
    ...     print(new.write_text("all of it"), file.exists())
    9 False
    >>> file.read_text()
    'all of it'
    """
    path = pathlib.Path(path)
    # Two processes may write one file.
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
