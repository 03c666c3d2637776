"""Students at equal errors, next to null models of the same error."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import scipy.special
from jaxtyping import PyTree

from experiments.corrections.study import summarise
from experiments.order import traits
from experiments.order.matched import Sets
from experiments.order.paths import Path
from qdistill._checks import refuse
from qdistill.forecast.cases import Cases
from qdistill.insight import harness
from qdistill.students import Emulator
from qdistill.system import Propagator

# Largest relative difference of matched errors, and steps of the search.
MATCHED, N_SEARCH = 0.05, 14
# Adjusted p-values below this count.
LEVEL = 0.05
NULLS = ("disturbed", "displaced")


class Crossing(NamedTuple):
    """The first record of a training with at most a given error."""

    step: int
    emulator: Emulator
    nrmse: float


def crossings(
    path: Path, emulate: Callable[[PyTree], Emulator], truth: Cases, levels: Sequence[float]
) -> tuple[list[Crossing], list[dict[str, Any]]]:
    """Return the crossing of each level, descending, and the errors of all records.

    Raises:
      ValueError: If the training does not reach a level.
    """
    found: list[Crossing] = []
    rows = []
    for i, step in enumerate(path.step):
        emulator = emulate(jax.tree.map(lambda leaf, i=i: jnp.asarray(leaf[i]), path.params))
        row = traits.errors(emulator, truth)
        rows.append({"step": int(step), **row})
        while len(found) < len(levels) and row["nrmse"] <= levels[len(found)]:
            found.append(Crossing(int(step), emulator, row["nrmse"]))
    if len(found) < len(levels):
        last = rows[-1]["nrmse"]
        refuse("levels", f"reached by step {path.step[-1]}, whose error is {last:.2g}", levels)
    return found, rows


def disturbed(sets: Sets, emulator: Emulator, wanted: float, key: Any) -> Propagator:
    """Return the exact step plus a random network of the student's form, of a given error.

    Neither is its sum unitary, nor does it have the student's form.
    """
    network = harness.randomise(emulator, key)
    return _search(lambda scale: harness.Disturbed(sets.exact, network, scale), sets, wanted)


def displaced(sets: Sets, trained: Emulator, wanted: float, key: Any) -> Propagator:
    """Return a trained student of a given error, by a random displacement of its parameters.

    Each array of parameters moves in a random direction, by the same share of its size. So this
    null model has all that is built into the student.
    """
    moves = harness.randomise(trained, key)

    def moved(scale: Any) -> Propagator:
        return jax.tree.map(lambda p, move: p + scale * move, trained, moves)

    return _search(moved, sets, wanted)


def _search(make: Callable[[Any], Propagator], sets: Sets, wanted: float) -> Propagator:
    """The member of a family with a given error, to which the scale is nearly proportional."""
    scale = 0.02 * wanted
    for _ in range(N_SEARCH):
        made = make(jnp.asarray(scale, jnp.float32))
        found = traits.errors(made, sets.processes)["nrmse"]
        if abs(found / wanted - 1) < MATCHED:
            return made
        scale *= float(np.clip(wanted / max(found, 1e-9), 0.1, 10))
    refuse("wanted", f"an error that a scale reaches within {MATCHED:.0%}", wanted)


def flat(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the traits that are compared, by name."""
    named = {f"{name} error": value for name, value in row["dispersion"].items()}
    named |= {f"rho of {name}": value for name, value in row["symmetries"].items()}
    return named | {f"share of {name}": value for name, value in row["processes"].items()}


def compare(rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> dict[str, Any]:
    """Return each trait of students and null models of one error, with paired t intervals.

    Args:
      rows: Traits of each seed, under ``"student"`` and under the name of each null model.

    Returns:
      For each trait, the summary of its logarithm (base 10) over seeds for each model, and of the
      paired difference to each null model with its two-sided p-value, not adjusted.
    """
    found: dict[str, Any] = {}
    for name in flat(rows["student"][0]):
        logs = {
            model: np.log10([max(flat(row)[name], 1e-9) for row in seeds])
            for model, seeds in rows.items()
        }
        found[name] = {model: summarise(values) for model, values in logs.items()}
        for null in NULLS:
            difference = logs["student"] - logs[null]
            found[name][f"over {null}"] = summarise(difference) | {"p": p_of_mean(difference)}
    return found


def p_of_mean(values: np.ndarray) -> float:
    """Return the two-sided p-value of a mean of zero, by Student's t.

    >>> print(f"{p_of_mean(np.array([1.0, 2.0, 3.0])):.3f}")
    0.074
    """
    n, spread = len(values), float(np.std(values, ddof=1)) if len(values) > 1 else math.nan
    if not math.isfinite(spread) or spread == 0:
        return math.nan
    t = abs(float(np.mean(values))) / (spread / math.sqrt(n))
    return float(2 * scipy.special.stdtr(n - 1, -t))


def decide(levels: Mapping[str, dict[str, Any]]) -> None:
    """Add a verdict to each trait at each level, with Holm's correction over all comparisons.

    ``"ahead"``: smaller than in both null models, ``"behind"``: larger than in both, else ``"as
    the error"``.
    """
    places = [(at, name, null) for at, of in levels.items() for name in of for null in NULLS]
    raw = [levels[at][name][f"over {null}"]["p"] for at, name, null in places]
    for (at, name, null), p in zip(places, harness.holm(raw), strict=True):
        levels[at][name][f"over {null}"]["p"] = p
    for of in levels.values():
        for row in of.values():
            over = [row[f"over {null}"] for null in NULLS]
            is_shown = all(each["p"] < LEVEL for each in over)
            signs = {np.sign(each["mean"]) for each in over}
            words = {-1.0: "ahead", 1.0: "behind"}
            row["verdict"] = (
                words.get(float(signs.pop()), "as the error")
                if is_shown and len(signs) == 1
                else "as the error"
            )
