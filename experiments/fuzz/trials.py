"""One hostile call after the other, each classed by what became of it."""

import collections
import contextlib
import io
import signal
import time
import warnings
from collections.abc import Iterator
from types import FrameType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from experiments.fuzz.calls import Call, arrays, calls_of
from experiments.fuzz.hostile import hostile
from experiments.fuzz.names import ROOMS
from qdistill._refusals import is_refusal
from qdistill.runs import extensions
from qdistill.students import FORMS
from qdistill.students.windowed import NETWORKS
from qdistill.system import LESSONS, SYSTEMS

# Refused in words; the right result, or a legitimate one; and what must not be.
GOOD, BAD = ("refused", "right", "legitimate"), ("obscure", "silently wrong", "too slow")
REGISTRIES: tuple[dict, ...] = (FORMS, NETWORKS, LESSONS, SYSTEMS, extensions.LOADED)
# A call that takes longer, in seconds, is too slow: it should have said so.
LIMIT = 60.0
# What is finite of a NaN, and why.
FORGIVING = {
    "forecast.metrics": "a forecast that blew up scores 0 or infinity",
    "plots": "what is not finite is left out",
    "insight.harness.intervals.bootstrap": "values that are no number are left out",
}


class Trial(NamedTuple):
    """A hostile call and what became of it."""

    name: str
    outcome: str
    arguments: str
    words: str


class Known(NamedTuple):
    """A call, its result, and what it costs in seconds."""

    call: Call
    result: list[Any]
    seconds: float


class TooSlow(BaseException):
    """Raised in the midst of a call."""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Nothing is printed or kept in a registry, and nothing takes longer than `LIMIT`."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise TooSlow

    kept = [dict(each) for each in REGISTRIES]
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT)
    try:
        with (
            contextlib.redirect_stdout(io.StringIO()),
            contextlib.redirect_stderr(io.StringIO()),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        for registry, names in zip(REGISTRIES, kept, strict=True):
            registry.clear()
            registry.update(names)


def valid_calls(rooms: tuple[str, ...] = ROOMS, slow: bool = True) -> dict[str, Known]:
    """Do every call of some rooms as it is, twice to see what it costs."""
    found = {}
    for room in rooms:
        with guarded():
            signal.setitimer(signal.ITIMER_REAL, 0)
            for name, call in calls_of(room).items():
                if call.arguments and (slow or not call.is_slow):
                    call()
                    start = time.perf_counter()
                    result = [np.asarray(array) for array in arrays(call())]
                    found[name] = Known(call, result, time.perf_counter() - start)
    return found


def try_one(rng: np.random.Generator, name: str, known: Known) -> Trial:
    """Make one argument of a call hostile, or two, and class what becomes of it."""
    names = list(known.call.arguments)
    chosen = rng.choice(names, size=min(len(names), 1 + (rng.random() < 0.15)), replace=False)
    values: dict[str, Any] = {}
    kinds, words = set(), ""
    try:
        with guarded():
            for each in map(str, chosen):
                # A config may refuse its part at once.
                kind, values[each] = hostile(rng, known.call.arguments[each])
                kinds.add(kind)
            result = [np.asarray(array) for array in arrays(known.call(**values))]
        outcome, words = judge(name, kinds, known.result, result)
    except TooSlow:
        outcome = "too slow"
    except Exception as error:
        outcome = "refused" if is_in_words(error) else "obscure"
        words = f"{type(error).__name__}: {error}"
    shown = ", ".join(f"{key}={_short(value)}" for key, value in values.items())
    return Trial(name, outcome, shown, words[:400])


def is_in_words(error: Exception) -> bool:
    """Whether an error is a refusal in words: it names an argument, or a file, and what it is."""
    if isinstance(error, OSError):
        return "`" in str(error) or error.filename is not None
    if isinstance(error, ValueError | ImportError | FloatingPointError):
        return is_refusal(error) or "`" in str(error)
    return False


def judge(
    name: str, kinds: set[str], before: list[np.ndarray], after: list[np.ndarray]
) -> tuple[str, str]:
    """Class a result by the kinds of its hostile arguments and the result of the valid call."""
    if _are_alike(before, after):
        return "right", ""
    if kinds == {"same"}:
        return "silently wrong", "another result of the same values in another form"
    numbers = [a for a in after if jnp.issubdtype(a.dtype, jnp.inexact)]
    is_finite = all(np.isfinite(np.asarray(a, complex)).all() for a in numbers)
    was_finite = all(
        np.isfinite(np.asarray(a, complex)).all()
        for a in before
        if jnp.issubdtype(a.dtype, jnp.inexact)
    )
    if "nan" in kinds:
        if is_finite and numbers and not name.startswith(tuple(FORGIVING)):
            return "silently wrong", "a finite result of what is not finite"
        return "legitimate", ""
    if was_finite and not is_finite:
        return "silently wrong", "a result that is not finite"
    return "legitimate", ""


def _are_alike(before: list[np.ndarray], after: list[np.ndarray]) -> bool:
    if [a.shape for a in before] != [a.shape for a in after]:
        return False
    pairs = zip(before, after, strict=True)
    return all(
        np.allclose(a, b, rtol=1e-3, atol=1e-4, equal_nan=True)
        if a.dtype.kind in "fciub" and b.dtype.kind in "fciub"
        else np.array_equal(a, b)
        for a, b in pairs
    )


def _short(value: Any) -> str:
    if isinstance(value, np.ndarray | jax.Array):
        return f"{type(value).__name__}({value.dtype}, {value.shape})"
    words = repr(value)
    return words if len(words) < 150 else f"{words[:150]}..."


def trials(n_calls: int, seed: int, calls: dict[str, Known]) -> Iterator[Trial]:
    """Try so many hostile calls; the cheaper a function, the more often."""
    rng = np.random.default_rng(seed)
    names = list(calls)
    weights = np.array([1 / (0.03 + known.seconds) for known in calls.values()])
    weights /= weights.sum()
    for index in rng.choice(len(names), size=n_calls, p=weights):
        yield try_one(rng, names[index], calls[names[index]])


def count(tried: list[Trial]) -> dict[str, dict[str, int]]:
    """Count the outcomes by room."""
    found: dict[str, dict[str, int]] = {}
    for room in (*ROOMS, "all"):
        mine = [t.outcome for t in tried if room == "all" or t.name.startswith(f"{room}.")]
        counted = collections.Counter(mine)
        if mine:
            found[room] = {outcome: counted[outcome] for outcome in (*GOOD, *BAD)}
    return found
