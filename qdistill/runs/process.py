"""The process of a command or script: where compiled programs are kept, and how it ends."""

import contextlib
import pathlib
import sys
from collections.abc import Iterator

import jax

from qdistill.runs.signals import Stopped


def keep_programs() -> None:
    """Keep programs that compile for 0.2 s or more in `.cache/jax`, unless a cache is set."""
    if jax.config.jax_compilation_cache_dir is None:
        jax.config.update("jax_compilation_cache_dir", str(pathlib.Path(".cache/jax").resolve()))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)


@contextlib.contextmanager
def running(name: str) -> Iterator[None]:
    """Keep compiled programs in `.cache/jax`, and end the process by a status where work fails.

    A cache that is set already, as by the variable JAX_COMPILATION_CACHE_DIR, stays.

    A refusal, a missing file or package, or a number that is not finite becomes one line on stderr
    and status 1. A run that a signal has stopped, and that is saved, ends with 128 and the signal's
    number.

    Args:
      name: Of the command or script, which begins that line.
    """
    keep_programs()
    try:
        yield
    except Stopped as stopped:
        print(f"{name}: {stopped}", file=sys.stderr)
        sys.exit(128 + stopped.number)
    except KeyboardInterrupt:
        sys.exit(130)
    except (FloatingPointError, ImportError, OSError, ValueError) as error:
        sys.exit(f"{name}: {error}")
