"""Which terms, functions and dispersion a law has, by the error of runs left out of the fit.

A *unit* of a model is a term or a function of no given form. It comes in, or stays, if it lowers
the squared held-out error by a share, in all but few runs.
"""

from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from qdistill.insight.discovery import _fits as fits
from qdistill.insight.discovery import _generators as generators
from qdistill.insight.discovery._fits import Normal
from qdistill.insight.discovery._generators import Model
from qdistill.insight.discovery._recordings import Recording
from qdistill.insight.discovery._terms import (
    COLUMNS,
    CONSTANT,
    COUPLING,
    FORMS,
    FREE,
    FUNCTION_OF,
    TERMS,
    UNKNOWN,
)

# Share of the squared held-out error by which a further term must lower it, and share of the runs
# in which it must.
MARGIN, AGREEING = 0.05, 0.75
# The same for a dispersion without a name and for a function without a form, whose many
# coefficients also fit what the terms leave.
UNNAMED = 0.5
N_RESAMPLED = 400
# Most terms besides the dispersion, and most functions.
MOST, MOST_FUNCTIONS = 5, 2


def search(
    recording: Recording, start: Model, functions: Collection[str], floor: float
) -> tuple[Model, dict[str, tuple[str, ...]]]:
    """Return the model with all terms that are needed, and those of some functions that are.

    Functions come after terms, since one of a few parameters is preferred. For each function there
    are those that would have done as well in its place.
    """
    rivals: dict[str, tuple[str, ...]] = {}
    model = prune(recording, generators.fit(recording, start), floor)
    model = _add_terms(recording, model, floor)
    left = list(functions)
    while sum(name in UNKNOWN for name in units(model)) < MOST_FUNCTIONS:
        found = _add_function(recording, model, left, floor)
        if found is None:
            break
        model, name, others = found
        rivals[name] = others
        # One that is dropped later is not tried again.
        left.remove(name)
        model = _add_terms(recording, prune(recording, model, floor), floor)
    return model, {name: each for name, each in rivals.items() if name in units(model)}


def _add_terms(recording: Recording, model: Model, floor: float) -> Model:
    """Add the terms that lower the held-out error, best first, and drop those not needed."""
    tried = {frozenset(model.terms)}
    while sum(term in TERMS for term in model.terms) < MOST:
        normal = generators.linearise(recording, model, missing(model))
        before = held_out(normal, model.names)
        gained = {
            term: gains(before, held_out(normal, (*model.names, term)), floor)
            for term in missing(model)
            if frozenset((*model.terms, term)) not in tried
        }
        best = max(gained, key=lambda term: gained[term].mean(), default=None)
        if best is None or not is_better(gained[best]):
            break
        larger = generators.fit(recording, _with(model, best))
        tried.add(frozenset(larger.terms))
        model = prune(recording, larger, floor)
        tried.add(frozenset(model.terms))
    return model


def _add_function(
    recording: Recording, model: Model, functions: Collection[str], floor: float
) -> tuple[Model, str, tuple[str, ...]] | None:
    """The model with the function that lowers the held-out error most, if one is needed.

    A function takes the place of terms that it contains.
    """
    before, gained = score(recording, model), {}
    for name in functions:
        if name not in units(model):
            bare = _without_all(model, UNKNOWN[name].contains)
            normal = generators.linearise(recording, bare, COLUMNS[name])
            gained[name] = gains(before, held_out(normal, normal.names), floor)
    for best in sorted(gained, key=lambda name: -gained[name].mean()):
        if not is_better(gained[best], UNNAMED):
            break
        bare = _without_all(model, UNKNOWN[best].contains)
        larger = generators.fit(recording, _with(bare, best))
        if is_better(gains(before, score(recording, larger), floor), UNNAMED):
            others = (name for name in gained if not is_better(gained[best] - gained[name]))
            return larger, best, tuple(name for name in others if name != best)
    return None


def prune(recording: Recording, model: Model, floor: float) -> Model:
    """Return the model without what does not lower the held-out error, the least needed first."""
    while model.terms:
        normal = generators.linearise(recording, model)
        after = held_out(normal, model.names)
        losses = {}
        for unit in units(model):
            kept = [name for name in model.names if name not in columns(unit)]
            losses[unit] = gains(held_out(_absent(model, normal, unit), kept), after, floor)
        least = min(losses, key=lambda unit: losses[unit].mean())
        if is_better(losses[least], UNNAMED if least in UNKNOWN else MARGIN):
            break
        model = generators.fit(recording, _without_all(model, (least,)))
    return model


def choose(scores: dict[str, Any], floor: float) -> tuple[str, tuple[str, ...]]:
    """Return the dispersion of fewest parameters that is as good as the best, and its equals."""
    named = [form for form in scores if form != FREE]
    best = min(named, key=lambda form: np.log(scores[form] + floor).mean())
    if is_better(gains(scores[best], scores[FREE], floor), UNNAMED):
        return FREE, ()
    first, *others = simplest(
        {form: scores[form] for form in named},
        {form: len(FORMS[form].names) for form in named},
        floor,
    )
    return first, tuple(others)


def simplest(scores: dict[str, Any], sizes: dict[str, int], floor: float) -> list[str]:
    """Return the forms of fewest parameters that are as good as the best, the best of them first.

    Args:
      scores: Squared held-out errors of each run, by form.
      sizes: Numbers of parameters.
      floor: Squared error of the method.
    """

    def size_of(form: str) -> float:
        return float(np.log(scores[form] + floor).mean())

    best = min(scores, key=size_of)
    allowed = [form for form in scores if not is_better(gains(scores[form], scores[best], floor))]
    fewest = min(sizes[form] for form in allowed)
    return sorted((form for form in allowed if sizes[form] == fewest), key=size_of)


def name_dispersion(recording: Recording, form: str, free: Model) -> Model:
    """Return the fit of a dispersion, with what was found with the free one."""
    if form == FREE:
        return free
    has_constant = any(
        CONSTANT in UNKNOWN[unit].contains for unit in units(free) if unit in UNKNOWN
    )
    start = generators.begin(form, (*free.terms, *((CONSTANT,) if not has_constant else ())))
    n_own, n_free = len(FORMS[form].names), len(FORMS[FREE].names)
    start.values[n_own : n_own + len(free.terms)] = free.values[n_free:]
    return generators.fit(recording, start)


def find_rivals(normal: Normal, model: Model, floor: float) -> dict[str, tuple[str, ...]]:
    """Return, for each term, those that lower the held-out error as much in its place."""
    found = {}
    best = held_out(normal, model.names)
    for term in (term for term in model.terms if term in TERMS):
        without = _absent(model, normal, term)
        kept = tuple(name for name in model.names if name != term)
        found[term] = tuple(
            each
            for each in missing(model)
            if not is_better(gains(held_out(without, (*kept, each)), best, floor))
        )
    return found


def score(recording: Recording, model: Model) -> Float[np.ndarray, " n_run"]:
    """Return the squared held-out error of each run."""
    return held_out(generators.linearise(recording, model), model.names)


def held_out(normal: Normal, names: Collection[str]) -> Float[np.ndarray, " n_run"]:
    """Return the squared error of each run by a fit to the others."""
    n_run = len(normal.rest)
    found = []
    for run in range(n_run):
        changes = fits.solve(normal, tuple(names), [i for i in range(n_run) if i != run])
        found.append(fits.errors(normal, changes, [run])[0])
    return np.array(found)


def resample(
    normal: Normal,
    values: Float[np.ndarray, " n_row"],
    rows: Float[np.ndarray, "n_row n"],
    floor: float,
    seed: int,
    names: Collection[str] = (),
) -> tuple[Float[np.ndarray, " n_row"], Float[np.ndarray, " n_row"]]:
    """Return intervals of 95% of combinations of coefficients, over a bootstrap of the runs.

    Args:
      normal: Normal equations about the fit.
      values: The combinations at the fit.
      rows: Their weights, for the first coefficients of the normal equations.
      floor: Squared error of the method.
      seed: Random seed.
      names: Of these first coefficients those that are fitted; none for all.
    """
    rng = np.random.default_rng(seed)
    n_run, n = len(normal.rest), rows.shape[1]
    draws = rng.integers(0, n_run, (N_RESAMPLED, n_run))
    kept = tuple(names) or normal.names[:n]
    # A fit that has not ended altogether would change with all runs too.
    changes = np.array([fits.solve(normal, kept, each)[:n] for each in draws])
    changes -= fits.solve(normal, kept)[:n]
    low, high = np.quantile(changes @ rows.T, [0.025, 0.975], axis=0)
    # A bootstrap of n runs is too narrow by sqrt(1 - 1 / n); and the method could err along each
    # combination by as much as it errs at all.
    stretch, squares = np.sqrt(n_run / (n_run - 1)), normal.squares.mean(axis=0)[:n, :n]
    inverse = np.linalg.pinv(squares, hermitian=True)
    slack = np.sqrt(floor * np.maximum(np.einsum("ri,ij,rj->r", rows, inverse, rows), 0.0))
    return values + stretch * low - slack, values + stretch * high + slack


def missing(model: Model) -> list[str]:
    """Return the terms that a model could still take up."""
    has = {*model.terms, *([CONSTANT] if model.form == FREE else [])}
    for unit in units(model):
        has |= set(UNKNOWN[unit].contains if unit in UNKNOWN else ())
    return [term for term in TERMS if term not in has]


def units(model: Model) -> tuple[str, ...]:
    """Return the terms and functions of a model."""
    return tuple(dict.fromkeys(FUNCTION_OF.get(name, name) for name in model.terms))


def columns(unit: str) -> tuple[str, ...]:
    """Return the names of the coefficients of a term or function."""
    return COLUMNS.get(unit, (unit,))


def gains(
    before: Float[np.ndarray, " n_run"], after: Float[np.ndarray, " n_run"], floor: float
) -> Float[np.ndarray, " n_run"]:
    """Return by how much the log of the squared error of each run falls."""
    return np.log((before + floor) / (after + floor))


def is_better(gained: Float[np.ndarray, " n_run"], margin: float = MARGIN) -> bool:
    """Return whether the error falls by a share, in all but few runs."""
    return bool(gained.mean() > -np.log(1 - margin) and np.mean(gained > 0) >= AGREEING)


def _with(model: Model, unit: str) -> Model:
    names = columns(unit)
    start = np.full(len(names), float(unit == COUPLING))
    return Model(model.form, (*model.terms, *names), np.append(model.values, start))


def _without_all(model: Model, dropped: Collection[str]) -> Model:
    gone = {name for unit in dropped for name in columns(unit)}
    kept = [i for i, name in enumerate(model.names) if name not in gone]
    terms = tuple(name for name in model.terms if name not in gone)
    return Model(model.form, terms, model.values[kept])


def _absent(model: Model, normal: Normal, unit: str) -> Normal:
    """The normal equations after a unit took the value that it has in its absence."""
    return moved(normal, {
        name: float(unit == COUPLING) - model.values[model.names.index(name)]
        for name in columns(unit)
    })  # fmt: skip


def moved(normal: Normal, changes: Mapping[str, float]) -> Normal:
    """Return the normal equations about other values of some coefficients."""
    move = np.zeros(len(normal.names))
    for name, change in changes.items():
        move[normal.names.index(name)] = change
    rest = fits.errors(normal, move)
    return normal._replace(image=normal.image - normal.squares @ move, rest=rest)
