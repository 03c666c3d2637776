"""The process of a command or script: where compiled programs are kept, and how it ends."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator

import jax

from qdistill import _refusals
from qdistill.runs.signals import Stopped


@contextlib.contextmanager
def running(name: str) -> Iterator[None]:
    """Keep compiled programs in `.cache/jax`, and end the process by a status where work fails.

    A refusal, a missing file or package, or a number that is not finite becomes one line on stderr
    and status 1. A run that a signal has stopped, and that is saved, ends with 128 and the signal's
    number.

    Args:
      name: Of the command or script, which begins that line.
    """
    jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    try:
        yield
    except Stopped as stopped:
        print(f"{name}: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.number)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, ImportError, OSError, ValueError) as error:
        sys.exit(f"{name}: {error}")


_refusals.tell(__name__)
