"""Interleaved timing: one run of each candidate per round."""

import time
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np

from qdistill._checks import require_at_least

Run: TypeAlias = Callable[[], Any]


def interleave(runs: Mapping[str, Run], n_repeats: int) -> dict[str, float]:
    """Return the median seconds of every run; each round runs all of them once.

    Args:
      runs: Functions by name, compiled before; each returns when its work is done.
      n_repeats: Number of rounds.

    >>> sorted(interleave({"a": lambda: None, "b": lambda: None}, 3))
    ['a', 'b']
    """
    rounds = seconds_by_round(runs, n_repeats)
    return {name: float(np.median(each)) for name, each in rounds.items()}


def seconds_by_round(runs: Mapping[str, Run], n_repeats: int) -> dict[str, list[float]]:
    """Return the seconds of every run in every round, as `interleave` takes them."""
    require_at_least(1, n_repeats=n_repeats)
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(n_repeats):
        for name, run in runs.items():
            start = time.perf_counter()
            run()
            seconds[name].append(time.perf_counter() - start)
    return seconds
