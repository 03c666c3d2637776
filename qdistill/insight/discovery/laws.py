"""The law of recorded frames: which Hamiltonian moves them, by held-out error over runs.

The potential of each run is given, the kinetic energy is not. At first it is any function of |k|,
so that no dispersion stands in the way of other terms. Terms are added one by one, each the one
that lowers the held-out error most, and dropped again where they are not needed. Then named
dispersions compete with the free one. All of this is decided on runs left out of the fit: errors
of emulators are systematic, and tests against noise would accept any term.

A more complex model must lower the squared held-out error by the share `MARGIN`, in all but few
runs.
Related: sparse regression of dynamics (Brunton, Proctor and Kutz, 2016), which takes derivatives
in time; here a whole frame is propagated.
"""

from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_at_least, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.insight.discovery import _generators as generators
from qdistill.insight.discovery._generators import Model, Normal, Recording
from qdistill.insight.discovery._terms import (
    CONSTANT,
    COUPLING,
    FORMS,
    FREE,
    LATTICE,
    TERMS,
    USUAL,
)
from qdistill.physics.grid import Grid

__all__ = ["FORMS", "FREE", "LATTICE", "TERMS", "USUAL", "Law", "find_law", "largest_wavenumber"]

# Share of the squared held-out error by which a further term must lower it, and share of the runs
# in which it must.
MARGIN, AGREEING = 0.05, 0.75
# The same for a dispersion without a name, whose many coefficients also fit what the terms leave.
UNNAMED = 0.5
# Most terms besides the dispersion.
MOST = 5
# Spectral density, relative to its largest value, and to the level of noise, from which on a wave
# number counts as occurring.
OCCURS, ABOVE = 1e-10, 3.0
N_RESAMPLED = 400
# A law does not explain the frames if their error is more than this multiple of what noise and
# method imply.
UNEXPLAINED = 10.0
# Smallest motion of the frames, relative to their norm.
STILL = 1e-4


class Law(NamedTuple):
    """A generator read from frames: i dpsi/dt = [T(k) + V + further terms] psi.

    Attributes:
      form: Name of the dispersion; see `FORMS`.
      alike: Other dispersions of as many parameters that the frames do not tell from it.
      names: Names of all coefficients, those of the dispersion first.
      values, low, high: Coefficients, and their intervals of 95% over a bootstrap of the runs.
      rivals: For each further term, those that would do as well in its place.
      error: Root mean squared error of one frame, relative, of runs left out of the fit.
      errors: The same for each dispersion, with the further terms found.
      fits: The fit of each dispersion.
      floor: The error of the splitting in which frames are propagated.
      noise: The error of one frame that the noise of the frames implies, from what they have beyond
        the wave numbers that occur.
      k, energies: The wave numbers that occur, and the kinetic energy there that is of no form.
    """

    form: str
    alike: tuple[str, ...]
    names: tuple[str, ...]
    values: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]
    rivals: dict[str, tuple[str, ...]]
    error: float
    errors: dict[str, float]
    fits: dict[str, Model]
    floor: float
    noise: float
    k: Float[np.ndarray, " n_k"]
    energies: Float[np.ndarray, " n_k"]

    @property
    def terms(self) -> tuple[str, ...]:
        """The terms besides T and V; ``"V"`` if V has another coefficient than 1."""
        return self.names[len(FORMS[self.form].names) :]

    @property
    def is_explained(self) -> bool:
        """Whether the frames have no more error than noise and method imply, by a factor of 10.

        If not, something that is not on the list moves the frames, or the fit did not converge, as
        for a mass far from 1. The law is then not to be trusted, nor are its intervals.
        """
        return self.error <= UNEXPLAINED * float(np.hypot(self.noise, self.floor))

    @property
    def is_usual(self) -> bool:
        """Whether it is k^2 / 2 + V, in atomic units, and nothing else moves the frames."""
        return self.form == USUAL and not self.terms and self.is_explained

    def __str__(self) -> str:
        """Return the law as text."""
        alike = f" (not distinguished from {', '.join(self.alike)})" if self.alike else ""
        lines = [f"T: {self.form}{alike}"]
        n_own = len(FORMS[self.form].names)
        rows = zip(self.names, self.values, self.low, self.high, strict=True)
        for i, (name, value, low, high) in enumerate(rows):
            if self.form == FREE and i < n_own:
                continue
            others = self.rivals.get(name, ()) if i >= n_own else ()
            words = f" (or {', '.join(others)})" if others else ""
            of = "" if i < n_own else "coefficient of "
            lines.append(f"{of}{name}: {value:.4g} ({low:.4g} to {high:.4g}){words}")
        lines.append(f"held-out error of a frame {self.error:.1e}")
        if not self.is_explained:
            implied = float(np.hypot(self.noise, self.floor))
            lines.append(
                f"NOT EXPLAINED: noise and method imply an error of {implied:.1e}; something that "
                "is not on the list moves the frames, or the fit did not converge"
            )
        return "\n".join(lines)


@explained
def find_law(
    x: Float[Array | np.ndarray, " n_x"],
    t: Float[Array | np.ndarray, " n_t"],
    v: Float[Array | np.ndarray, "n_run n_x"],
    psi: Complex[Array | np.ndarray, "n_run n_t n_x"],
    seed: int = 0,
) -> Law:
    """Return the Hamiltonian that moves the frames of several runs on a line.

    Sought are the dispersion, the coupling of V, and the terms `TERMS`: powers and
    slopes of V, a force, losses, odd terms in k, a nonlinear and a nonlocal term. What has another
    form is not found, nor what the runs do not visit.

    Fits begin at a mass of 1, so the frames are to be in units in which it is near 1.

    Args:
      x: Positions in bohr, rising in equal steps, on a periodic box.
      t: Times of the frames in a.u., equally spaced.
      v: Potential of each run in hartree.
      psi: Frames of each run in bohr^(-1/2).
      seed: Seed of the bootstrap, at least 0.

    Raises:
      ValueError: For other shapes, fewer than 4 runs or 2 frames, unequal steps, falling positions,
        numbers that are not finite, a potential that is not real, and frames that are real, zero or
        at rest.
    """
    require_at_least(0, seed=seed)
    recording = _recorded(x, t, v, psi)
    recording, floor = generators.resolve(recording, generators.begin(FREE))
    floor += _rounding(recording)
    free = generators.fit(recording, generators.begin(FREE))
    free = _extend(recording, free, floor)
    named = {form: _named(recording, form, free) for form in FORMS}
    scores = {form: _score(recording, each) for form, each in named.items()}
    form, alike = _choose(scores, floor)
    model = _prune(recording, named[form], floor)
    normal = generators.linearise(recording, model, _missing(model))
    final = _held_out(normal, model.names)
    low, high = _resampled(normal, model, floor, seed)
    k = np.abs(recording.grid.wavenumbers())
    seen = np.flatnonzero((recording.grid.wavenumbers() >= 0) & (k <= recording.largest))
    bare = free._replace(terms=(), values=free.values[: len(FORMS[FREE].names)])
    return Law(
        form,
        alike,
        model.names,
        model.values,
        low,
        high,
        _rivals(normal, model, floor),
        float(np.sqrt(final.mean())),
        {name: float(np.sqrt(each.mean())) for name, each in scores.items()},
        named,
        float(np.sqrt(floor)),
        generators.find_noise(recording.grid, psi, recording.largest),
        k[seen],
        generators.energies(recording, bare)[seen].astype(float),
    )


def _recorded(x: Any, t: Any, v: Any, psi: Any) -> Recording:
    """The frames with their grid, checked."""
    require_finite(x=x, t=t, v=v, psi=psi)
    if np.iscomplexobj(v):
        refuse("v", "real; losses are found, not given", f"of type {np.asarray(v).dtype}")
    if np.ndim(psi) != 3:
        refuse("psi", "of shape (n_run, n_t, n_x)", f"of shape {np.shape(psi)}")
    n_run, n_t, n_x = np.shape(psi)
    require_at_least(4, n_run=n_run)
    require_at_least(2, n_t=n_t)
    require_at_least(16, n_x=n_x)
    require_shape((n_x,), x=x)
    require_shape((n_t,), t=t)
    require_shape((n_run, n_x), v=v)
    dx, dt = (_step_of(name, values) for name, values in (("x", x), ("t", t)))
    if dx < 0:
        refuse("x", "rising", f"falling by {-dx:g}")
    if not np.all(np.linalg.norm(np.asarray(psi), axis=-1) > 0):
        refuse("psi", "different from zero in each frame", "zero in one")
    if not np.any(np.imag(psi)):
        refuse("psi", "complex", "real")
    moved = np.linalg.norm(np.diff(np.asarray(psi), axis=1)) / np.linalg.norm(np.asarray(psi))
    if moved < STILL:
        refuse("psi", "frames that move", f"at rest, but for {moved:.1g} of their norm")
    grid = Grid(n_x, n_x * dx, "continuum", origin=float(np.asarray(x, float)[0]) - dx)
    return generators.record(grid, dt, v, psi, largest_wavenumber(grid, psi))


def _step_of(name: str, values: Any) -> float:
    """The step of equally spaced values, but for their rounding."""
    values = np.asarray(values)
    steps = np.diff(values.astype(float))
    step, kind = float(steps.mean()), values.dtype if values.dtype.kind == "f" else np.float32
    sliver = 4 * np.finfo(kind).eps * np.abs(values).max() + 1e-6 * abs(step)
    if step == 0 or np.abs(steps - step).max() > sliver:
        wanted = "equally spaced, with steps different from zero"
        refuse(name, wanted, f"with steps from {steps.min():g} to {steps.max():g}")
    return step


@explained
def largest_wavenumber(grid: Grid, psi: Complex[Array | np.ndarray, "*n x"]) -> float:
    """Return the largest wave number that occurs in frames on a line, in 1/bohr.

    It occurs if its mean spectral density is more than `OCCURS` of the largest one, and more than
    `ABOVE` times the median of the upper half of wave numbers, which is noise.
    """
    require_finite(psi=psi)
    frames = np.asarray(psi).reshape(-1, psi.shape[-1])
    require_shape((*psi.shape[:-1], *grid.shape), psi=psi)
    density = np.mean(np.abs(np.fft.fft(frames)) ** 2, axis=0)
    k = np.abs(grid.wavenumbers())
    noise = np.median(density[k > k.max() / 2])
    occurs = density > max(OCCURS * density.max(), ABOVE * noise)
    return float(k[occurs].max()) if occurs.any() else float(k.max())


def _rounding(recording: Recording) -> float:
    # Each pair of FFTs rounds once.
    return 100 * float(np.finfo(recording.v.dtype).eps) ** 2


def _held_out(normal: Normal, names: tuple[str, ...]) -> Float[np.ndarray, " n_run"]:
    """The squared error of each run by a fit to the others."""
    n_run = len(normal.rest)
    found = []
    for run in range(n_run):
        changes = generators.solve(normal, names, [i for i in range(n_run) if i != run])
        found.append(generators.errors(normal, changes, [run])[0])
    return np.array(found)


def _gains(
    before: Float[np.ndarray, " n_run"], after: Float[np.ndarray, " n_run"], floor: float
) -> Float[np.ndarray, " n_run"]:
    return np.log((before + floor) / (after + floor))


def _is_better(gains: Float[np.ndarray, " n_run"], margin: float = MARGIN) -> bool:
    return bool(gains.mean() > -np.log(1 - margin) and np.mean(gains > 0) >= AGREEING)


def _with(model: Model, term: str) -> Model:
    start = float(term == COUPLING)
    return Model(model.form, (*model.terms, term), np.append(model.values, start))


def _without(model: Model, term: str) -> Model:
    i = model.names.index(term)
    terms = tuple(each for each in model.terms if each != term)
    return Model(model.form, terms, np.delete(model.values, i))


def _missing(model: Model) -> list[str]:
    """The terms that a model could still take up."""
    has = {*model.terms, *([CONSTANT] if model.form == FREE else [])}
    return [term for term in TERMS if term not in has]


def _score(recording: Recording, model: Model) -> Float[np.ndarray, " n_run"]:
    return _held_out(generators.linearise(recording, model), model.names)


def _extend(recording: Recording, model: Model, floor: float) -> Model:
    """Add the terms that lower the held-out error, best first, and drop those not needed."""
    tried: set[frozenset[str]] = {frozenset()}
    while len(model.terms) < MOST:
        normal = generators.linearise(recording, model, _missing(model))
        before = _held_out(normal, model.names)
        gains = {
            term: _gains(before, _held_out(normal, (*model.names, term)), floor)
            for term in _missing(model)
            if frozenset((*model.terms, term)) not in tried
        }
        best = max(gains, key=lambda term: gains[term].mean(), default=None)
        if best is None or not _is_better(gains[best]):
            break
        larger = generators.fit(recording, _with(model, best))
        tried.add(frozenset(larger.terms))
        model = _prune(recording, larger, floor)
        tried.add(frozenset(model.terms))
    return model


def _prune(recording: Recording, model: Model, floor: float) -> Model:
    """Drop terms that do not lower the held-out error, the least needed first."""
    while model.terms:
        normal = generators.linearise(recording, model)
        after = _held_out(normal, model.names)
        losses = {}
        for term in model.terms:
            kept = tuple(name for name in model.names if name != term)
            losses[term] = _gains(_held_out(_absent(model, normal, term), kept), after, floor)
        least = min(losses, key=lambda term: losses[term].mean())
        if _is_better(losses[least]):
            break
        model = generators.fit(recording, _without(model, least))
    return model


def _absent(model: Model, normal: Normal, term: str) -> Normal:
    """The normal equations after a term took the value that it has in its absence."""
    i = normal.names.index(term)
    move = np.zeros(len(normal.names))
    move[i] = float(term == COUPLING) - model.values[model.names.index(term)]
    rest = generators.errors(normal, move)
    return normal._replace(image=normal.image - normal.squares @ move, rest=rest)


def _named(recording: Recording, form: str, free: Model) -> Model:
    """The fit of a dispersion, with the terms that were found with the free one."""
    if form == FREE:
        return free
    start = generators.begin(form, (*free.terms, CONSTANT))
    n_own, n_free = len(FORMS[form].names), len(FORMS[FREE].names)
    start.values[n_own:-1] = free.values[n_free:]
    return generators.fit(recording, start)


def _choose(scores: dict[str, Any], floor: float) -> tuple[str, tuple[str, ...]]:
    """The dispersion of fewest parameters that is as good as the best, and its equals."""
    named = [form for form in scores if form != FREE]
    best = min(named, key=lambda form: np.log(scores[form] + floor).mean())
    if _is_better(_gains(scores[best], scores[FREE], floor), UNNAMED):
        return FREE, ()
    allowed = [form for form in named if not _is_better(_gains(scores[form], scores[best], floor))]
    fewest = min(len(FORMS[form].names) for form in allowed)
    equal = [form for form in allowed if len(FORMS[form].names) == fewest]
    first = min(equal, key=lambda form: np.log(scores[form] + floor).mean())
    return first, tuple(form for form in equal if form != first)


def _rivals(normal: Normal, model: Model, floor: float) -> dict[str, tuple[str, ...]]:
    """For each term, those that lower the held-out error as much in its place."""
    found = {}
    best = _held_out(normal, model.names)
    for term in model.terms:
        without = _absent(model, normal, term)
        kept = tuple(name for name in model.names if name != term)
        found[term] = tuple(
            each
            for each in _missing(model)
            if not _is_better(_gains(_held_out(without, (*kept, each)), best, floor))
        )
    return found


def _resampled(
    normal: Normal, model: Model, floor: float, seed: int
) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of 95% of the coefficients over a bootstrap of the runs."""
    rng = np.random.default_rng(seed)
    n_run, n = len(normal.rest), len(model.values)
    draws = rng.integers(0, n_run, (N_RESAMPLED, n_run))
    values = np.array([generators.solve(normal, model.names, each)[:n] for each in draws])
    low, high = np.quantile(values.reshape(N_RESAMPLED, n), [0.025, 0.975], axis=0)
    # A bootstrap of n runs is too narrow by sqrt(1 - 1 / n); and the method could err along each
    # coefficient by as much as it errs at all.
    stretch, squares = np.sqrt(n_run / (n_run - 1)), normal.squares.mean(axis=0)[:n, :n]
    slack = np.sqrt(floor * np.maximum(np.diag(np.linalg.pinv(squares, hermitian=True)), 0.0))
    return model.values + stretch * low - slack, model.values + stretch * high + slack
