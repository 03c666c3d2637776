"""Hostile calls one after the other, classified by their outcomes."""

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
from experiments.fuzz.names import SUBPACKAGES
from qdistill._refusals import is_refusal
from qdistill.runs import extensions
from qdistill.students import FORMS
from qdistill.students.windowed import NETWORKS
from qdistill.system import LESSONS, SYSTEMS

# Refused with a message; the right result, or a legitimate one; and outcomes that are errors.
GOOD, BAD = ("refused", "right", "legitimate"), ("obscure", "silently wrong", "too slow")
REGISTRIES: tuple[dict, ...] = (FORMS, NETWORKS, LESSONS, SYSTEMS, extensions.LOADED)
# Limit in seconds of computation, however busy the machine is; a call that takes longer, or waits
# so long for something, should have been refused.
LIMIT, IDLE = 60.0, 1.0
# How often a function that takes seconds is tried, relative to the others.
RARELY = 0.05
# Classes that a function of the package returns; that function checks its arguments.
MADE = {
    "teacher.split_steps.SplitStep": "by `split_step`",
    "teacher.split_steps.Dense": "by `dense`",
    "teacher.expansion.Chebyshev": "by `chebyshev`",
    "system.Wrapped": "by its subclasses",
    "insight.interventions.effects.Blind": "by `make_controls`",
    "students.base.Emulator": "by `Student.bind`",
    "forecast.cases.Cases": "by `simulate`",
    "insight.harness.nulls.Disturbed": "by `disturb`",
    "insight.discovery._emulators.LawEmulator": "by `find_law`",
    "insight.harness.panel.Member": "by `make_panel`",
    "insight.harness.panel.Panel": "by `make_panel`",
    "insight.harness.reports.Report": "by every analysis",
    "insight.flight.FlightReport": "by `evaluate`",
    "insight.importance.shares.Importance": "by `analyse`",
    "insight.probes.learning.Learning": "by `describe_learning`",
    "insight.probes.survey.ProbeReport": "by `evaluate`",
    "insight.interventions.survey.InterventionReport": "by `evaluate`",
    "insight.symmetries.audit.SymmetryReport": "by `evaluate`",
}
# Functions with finite results for NaN, with the reason.
FORGIVING = {
    "forecast.metrics": "a forecast that blew up scores 0 or infinity",
    "plots": "what is not finite is left out",
    "insight.importance.shares.skill": "no error is worse than that of forecasting nothing",
    "insight.design.tasks.TaskConfig.target": "nothing passes at an infinite energy",
    "physics.band": "an infinite cutoff takes all waves",
    "insight.probes.cone.impulse": "an infinite band has all waves",
    "insight.design.trials.averages": "of a trial only the packets and the box count",
    "physics.hamiltonian.over_channels": "only the shape of psi counts",
    "insight.harness.intervals.bootstrap": "values that are no number are left out",
}


# Functions with infinite results for finite numbers, with the reason.
INFINITE = {
    "forecast.": "an error relative to a truth of zero",
    "insight.harness.frames.forecast": "a potential outside the bounds of the solver, in a program",
}


class Trial(NamedTuple):
    """A hostile call and its outcome."""

    name: str
    outcome: str
    arguments: str
    words: str


class Known(NamedTuple):
    """A valid call and its result."""

    call: Call
    result: list[Any]


class TooSlow(BaseException):
    """The exception that interrupts a call after the time limit."""


@contextlib.contextmanager
def guarded() -> Iterator[None]:
    """Run code without output, without changes of registries, and for at most `LIMIT` seconds."""
    begin = seen = time.process_time()

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal seen
        now = time.process_time()
        if now - begin > LIMIT or now - seen < IDLE:
            raise TooSlow
        seen = now

    kept = [dict(each) for each in REGISTRIES]
    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, LIMIT, LIMIT)
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


def valid_calls(subpackages: tuple[str, ...] = SUBPACKAGES, slow: bool = True) -> dict[str, Known]:
    """Return all valid calls of some subpackages with results; each runs twice for its duration."""
    found = {}
    for part in subpackages:
        with guarded():
            signal.setitimer(signal.ITIMER_REAL, 0)
            for name, call in calls_of(part).items():
                has_arguments = bool(set(call.arguments) - {"self"})
                if has_arguments and name not in MADE and (slow or not call.is_slow):
                    result = [np.asarray(array) for array in arrays(call())]
                    found[name] = Known(call, result)
    return found


def try_one(rng: np.random.Generator, name: str, known: Known) -> Trial:
    """Call a function with one or two hostile arguments, and return the classified outcome."""
    names = [each for each in known.call.arguments if each != "self"]
    chosen = rng.choice(names, size=min(len(names), 1 + (rng.random() < 0.15)), replace=False)
    values: dict[str, Any] = {}
    kinds, words = set(), ""
    try:
        with guarded():
            for each in map(str, chosen):
                # A config may refuse its part immediately.
                kind, values[each] = hostile(rng, known.call.arguments[each])
                kinds.add(kind)
            result = [np.asarray(array) for array in arrays(known.call(**values))]
        outcome, words = judge(name, kinds, known.result, result)
    except TooSlow:
        outcome = "too slow"
    except SystemExit:
        # The parser of a command's words, which has said why.
        outcome = "refused"
    except Exception as error:
        outcome = "refused" if is_in_words(error) else "obscure"
        words = f"{type(error).__name__}: {error}"
    shown = ", ".join(f"{key}={_short(value)}" for key, value in values.items())
    return Trial(name, outcome, shown, words[:400])


def is_in_words(error: Exception) -> bool:
    """Return whether an error message names an argument or a file, and what it was."""
    if isinstance(error, OSError):
        return "`" in str(error) or error.filename is not None
    if isinstance(error, ValueError | ImportError | FloatingPointError):
        return is_refusal(error) or "`" in str(error)
    return False


def judge(
    name: str, kinds: set[str], before: list[np.ndarray], after: list[np.ndarray]
) -> tuple[str, str]:
    """Return the class of a result, from the kinds of hostile arguments and the valid result."""
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
    if was_finite and not is_finite and not name.startswith(tuple(INFINITE)):
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
    """Yield the outcomes of a number of hostile calls; the seed alone decides which.

    Functions that take seconds are tried less often than the others, by a factor of `RARELY`.
    """
    rng = np.random.default_rng(seed)
    names = list(calls)
    shares = np.array([RARELY if calls[name].call.is_slow else 1.0 for name in names])
    for index in rng.choice(len(names), size=n_calls, p=shares / shares.sum()):
        yield try_one(rng, names[index], calls[names[index]])


def count(tried: list[Trial]) -> dict[str, dict[str, int]]:
    """Return the numbers of outcomes by subpackage."""
    found: dict[str, dict[str, int]] = {}
    for part in (*SUBPACKAGES, "all"):
        mine = [t.outcome for t in tried if part == "all" or t.name.startswith(f"{part}.")]
        counted = collections.Counter(mine)
        if mine:
            found[part] = {outcome: counted[outcome] for outcome in (*GOOD, *BAD)}
    return found
