"""The process of a command or script: streams, compilation cache and exit status."""

import contextlib
import io
import os
import pathlib
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

import jax

from qdistill._refusals import explained
from qdistill.runs.signals import Stopped


@explained
def keep_programs() -> None:
    """Cache programs that compile for 0.2 s or more in `.cache/jax`, unless a cache is set."""
    if jax.config.values["jax_compilation_cache_dir"] is None:
        jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@explained
@contextlib.contextmanager
def running(name: str) -> Iterator[None]:
    """Cache compiled programs in `.cache/jax`, and turn errors into an exit status.

    A cache that is set already, for instance by JAX_COMPILATION_CACHE_DIR, is kept.

    A refused argument, a missing file or package, or a number that is not finite becomes one line
    on stderr and status 1. A run that was stopped by a signal and saved ends with 128 plus the
    number of the signal. So does, without a message, a process whose output pipe was closed, as in
    `... | head -1`.

    Args:
      name: Name of the command or script, which begins the line.
    """
    _open_streams()
    keep_programs()
    try:
        try:
            yield
        except SystemExit:
            sys.stdout.flush()
            raise
        # Flushed here, because Python would report an error when it flushes at exit.
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
    """Open closed streams, and replace characters that the terminal cannot print.

    Otherwise the next file that is opened would get the descriptor of a closed stream, and output
    would be written into it.
    """
    for stream, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, stream) is None:
            setattr(sys, stream, open(os.devnull, mode))  # noqa: SIM115
    for shown in (sys.stdout, sys.stderr):
        if isinstance(shown, io.TextIOWrapper):
            shown.reconfigure(errors="replace")


def _leave(status: int | str) -> NoReturn:
    """End the process with a status, or with a message on stderr and status 1."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            # Python would flush it once more and report an error.
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)
