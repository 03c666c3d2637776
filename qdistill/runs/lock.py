"""The lock on the folder of a run, so that one process at a time works there."""

import contextlib
import logging
import os
import pathlib
import platform
from collections.abc import Iterator

from qdistill import _distribute as cluster
from qdistill._checks import refuse
from qdistill._refusals import explained

try:
    import fcntl
except ImportError:  # Windows has no such locks.
    fcntl = None  # type: ignore[assignment]

log = logging.getLogger(__name__)
LOCK = ".lock"


@explained
@contextlib.contextmanager
def locked(out: pathlib.Path) -> Iterator[None]:
    """Keep other processes from working in the folder of a run.

    The lock is released when the process ends for any reason. Of several processes that train
    together the first has it.

    Raises:
      OSError: If another process has it.
    """
    if fcntl is None or not cluster.is_main():
        yield
        return
    if "\0" in str(out):
        refuse("out", "a path without null characters", repr(str(out)))
    try:
        out.mkdir(parents=True, exist_ok=True)
        file = (out / LOCK).open("ab+", buffering=0)
    except OSError as error:
        raise OSError(f"`{out}` cannot be written to: {error.strerror or error}.") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            file.seek(0)
            who = file.read().decode(errors="replace") or "another process"
            raise BlockingIOError(
                f"The run in `{out}` is being trained by {who}. Wait for its end, or choose "
                "another folder with --out."
            ) from error
        except OSError as error:
            # Some network file systems have no locks.
            log.warning("`%s` cannot be locked (%s): make sure that only one process trains there.",
                        out, error.strerror)  # fmt: skip
        # Used by the message above only: errors such as a full disk do not matter here.
        with contextlib.suppress(OSError):
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}".encode())
        yield
