"""Signals that ask a run to stop: it continues to a point where it can be saved."""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType

from qdistill._refusals import explained

# Windows has no SIGHUP.
HANGUP = getattr(signal, "SIGHUP", None)
STOPS = (signal.SIGTERM, signal.SIGINT, *([HANGUP] if HANGUP else []))


class Stopped(KeyboardInterrupt):
    """The exception of a run that was stopped by a signal and is saved.

    Attributes:
      number: Number of the signal.
    """

    def __init__(self, message: str, number: int) -> None:  # noqa: D107
        super().__init__(message)
        self.number = number


@explained
@contextlib.contextmanager
def caught() -> Iterator[Callable[[], int]]:
    """Catch SIGTERM, SIGHUP and Ctrl-C instead of stopping; a second signal acts as usual.

    Outside the main thread, which alone receives signals, nothing is caught. A SIGHUP that the
    process was started to ignore, as by `nohup`, is not caught either.

    Yields:
      A function that returns the number of the caught signal, or 0.

    >>> with caught() as stop:
    ...     signal.raise_signal(signal.SIGTERM)
    ...     signal.Signals(stop()).name
    'SIGTERM'
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: 0
        return
    before = {number: signal.getsignal(number) for number in STOPS}
    if before.get(HANGUP) == signal.SIG_IGN:
        del before[HANGUP]

    def note(number: int, frame: FrameType | None) -> None:
        noted.append(number)
        # No print here: it must not be interrupted by another print. The terminal may be gone.
        with contextlib.suppress(OSError, ValueError, AttributeError):
            words = b"\nStopping at the end of this block. Once more stops at once.\n"
            os.write(sys.stderr.fileno(), words)
        for each, handler in before.items():
            signal.signal(each, handler)

    for number in before:
        signal.signal(number, note)
    try:
        yield lambda: noted[0] if noted else 0
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
