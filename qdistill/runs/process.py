"""The process of a command or script: its streams, its compiled programs, and how it ends."""

import contextlib
import io
import os
import pathlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

import jax

from qdistill.runs.signals import Stopped


def keep_programs() -> None:
    """Keep programs that compile for 0.2 s or more in `.cache/jax`, unless a cache is set."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def running(name: str) -> Iterator[None]:
    """Keep compiled programs in `.cache/jax`, and end the process by a status where work fails.

    A cache that is set already, as by the variable JAX_COMPILATION_CACHE_DIR, stays.

    A refusal, a missing file or package, or a number that is not finite becomes one line on stderr
    and status 1. A run that a signal has stopped, and that is saved, ends with 128 and the signal's
    number; so does, without a word, a process whose reader has left, as in `... | head -1`.

    Args:
      name: Of the command or script, which begins that line.
    """
    _open_streams()
    keep_programs()
    try:
        try:
            yield
        except SystemExit:
            sys.stdout.flush()
            raise
        # Here and not when Python ends, which would complain.
        sys.stdout.flush()
    except Stopped as stopped:
        with contextlib.suppress(OSError):
            print(f"{name}: {stopped}", file=sys.stderr)
        _leave(128 + stopped.number)
    except KeyboardInterrupt:
        _leave(130)
    except BrokenPipeError:
        _leave(128 + getattr(signal, "SIGPIPE", 13))
    except (FloatingPointError, ImportError, OSError, ValueError) as error:
        _leave(f"{name}: {error}")


def _open_streams() -> None:
    """Open streams that are closed, and let no character stop what is printed.

    Else the next file that is opened has the number of the closed one, and is printed into.
    """
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:
            setattr(sys, stream, open(os.devnull, mode))  # noqa: SIM115
    for shown in (sys.stdout, sys.stderr):
        if isinstance(shown, io.TextIOWrapper):
            shown.reconfigure(errors="replace")


def _leave(status: int | str) -> NoReturn:
    """End the process by a status, or by words on stderr and status 1."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python would flush it once more, and complain.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)
