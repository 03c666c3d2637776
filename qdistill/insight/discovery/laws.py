"""The law of recorded frames: which Hamiltonian moves them, by held-out error over runs.

The potential of each run is given, the kinetic energy is not. At first it is any function of |k|,
so that no dispersion stands in the way of other terms. Terms are added one by one, each the one
that lowers the held-out error most, and dropped again where they are not needed. What they leave is
offered functions of no given form: a potential or losses that all runs share, another function of
V, of |psi|^2, or a force in time. Then named dispersions compete with the free one. All of this is
decided on runs left out of the fit: errors of emulators are systematic, and tests against noise
would accept any term.

A more complex model must lower the squared held-out error by the share `MARGIN`, in all but few
runs, and a function by the share `UNNAMED`.
Related: sparse regression of dynamics (Brunton, Proctor and Kutz, 2016), which takes derivatives
in time; here a whole frame is propagated.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Complex, Float, Real

from qdistill._checks import (
    refuse,
    require_at_least,
    require_finite,
    require_one_of,
    require_seed,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.insight.discovery import _generators as generators
from qdistill.insight.discovery import _recordings, _selection
from qdistill.insight.discovery._emulators import LawEmulator, make_emulator
from qdistill.insight.discovery._fits import ACCURACY, Normal
from qdistill.insight.discovery._functions import N_POINT, Function, readings
from qdistill.insight.discovery._generators import Model
from qdistill.insight.discovery._recordings import Recording
from qdistill.insight.discovery._selection import AGREEING, MARGIN, UNNAMED
from qdistill.insight.discovery._terms import (
    FORMS,
    FREE,
    FUNCTION_OF,
    LATTICE,
    TERMS,
    UNKNOWN,
    USUAL,
)
from qdistill.physics.grid import Grid

__all__ = [
    "AGREEING",
    "FORMS",
    "FREE",
    "LATTICE",
    "MARGIN",
    "TERMS",
    "UNKNOWN",
    "UNNAMED",
    "USUAL",
    "Function",
    "Law",
    "LawEmulator",
    "find_law",
    "largest_wavenumber",
]

# Spectral density, relative to its largest value, and to the level of noise, from which on a wave
# number counts as occurring.
OCCURS, ABOVE = 1e-10, 3.0
# A law does not explain the frames if their error is more than this multiple of what noise and
# method imply.
UNEXPLAINED = 10.0
# Error of the method, relative to that of the law, at which shorter substeps gain nothing.
SMALL = 0.1
# Smallest motion of the frames, relative to their norm.
STILL = 1e-4


class Law(NamedTuple):
    """A generator read from frames: i dpsi/dt = [T(k) + V + further terms and functions] psi.

    Attributes:
      form: Name of the dispersion; see `FORMS`.
      alike: Other dispersions of as many parameters that the frames do not tell from it.
      names: Names of all coefficients, those of the dispersion first.
      values, low, high: Coefficients, and their intervals of 95% over a bootstrap of the runs.
      functions: Functions of no given form, by name; see `UNKNOWN`.
      rivals: For each further term or function, those that would do as well in its place.
      error: Root mean squared error of one frame, relative, of runs left out of the fit.
      errors: The same for each dispersion, with the further terms found.
      fits: The fit of each dispersion.
      floor: The error of the splitting in which frames are propagated.
      noise: The error of one frame that the noise of the frames implies, from what they have beyond
        the wave numbers that occur.
      k, energies: The wave numbers that occur, and the kinetic energy there that is of no form.
      emulator: The law as a propagator, for any potential on the grid of the recording.
    """

    form: str
    alike: tuple[str, ...]
    names: tuple[str, ...]
    values: Float[np.ndarray, " n"]
    low: Float[np.ndarray, " n"]
    high: Float[np.ndarray, " n"]
    functions: dict[str, Function]
    rivals: dict[str, tuple[str, ...]]
    error: float
    errors: dict[str, float]
    fits: dict[str, Model]
    floor: float
    noise: float
    k: Float[np.ndarray, " n_k"]
    energies: Float[np.ndarray, " n_k"]
    emulator: LawEmulator

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
        for name, function in self.functions.items():
            others = self.rivals.get(name, ())
            words = f" (or {', '.join(others)})" if others else ""
            lines.append(f"{name}: {function}{words}")
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
    functions: Sequence[str] = tuple(UNKNOWN),
    seed: int = 0,
) -> Law:
    """Return the Hamiltonian that moves the frames of several runs on a line.

    Sought are the dispersion, the coupling of V, and the terms `TERMS`: powers and
    slopes of V, a force, losses, odd terms in k, a nonlinear and a nonlocal term. Then functions of
    no given form, `UNKNOWN`: a potential W(x) or losses w(x) that all runs share, a potential f(V)
    or g(|psi|^2), and a force F(t). What has another form is not found, nor what the runs do not
    visit. Functions are of x, V, t and |psi|^2 where these occur, elsewhere nothing is known. There
    are at most five terms and two functions. A force has no energy in the middle of the box.

    Fits begin at a mass of 1, so the frames are to be in units in which it is near 1.

    Args:
      x: Positions in bohr, rising in equal steps, on a periodic box.
      t: Times of the frames in a.u., equally spaced.
      v: Potential of each run in hartree.
      psi: Frames of each run in bohr^(-1/2).
      functions: Functions of no given form that are offered, of `UNKNOWN`; with none of them a
        search takes a third of the time.
      seed: Seed of the bootstrap, from 0 to 2^32 - 1.

    Raises:
      ValueError: For other functions, other shapes, fewer than 4 runs or 2 frames, unequal steps,
        falling positions, numbers that are not finite, a potential that is not real, and frames
        that are real, zero or at rest.
    """
    require_seed(seed=seed)
    if isinstance(functions, str):
        refuse("functions", "a list of names", repr(functions))
    for name in functions:
        require_one_of(UNKNOWN, functions=name)
    recording = _recorded(x, t, v, psi)
    recording, free, rivals, floor = _search(recording, functions)
    named = {form: _selection.name_dispersion(recording, form, free) for form in FORMS}
    scores = {form: _selection.score(recording, each) for form, each in named.items()}
    form, alike = _selection.choose(scores, floor)
    model = _selection.prune(recording, named[form], floor)
    normal = generators.linearise(recording, model, _selection.missing(model))
    final = _selection.held_out(normal, model.names)
    single, (values, low, high), found = _read(recording, normal, model, floor, seed)
    start = float(np.asarray(t, float)[0])
    found |= {
        name: each._replace(at=each.at + start) for name, each in found.items() if each.of == "t"
    }
    k = np.abs(recording.grid.wavenumbers())
    seen = np.flatnonzero((recording.grid.wavenumbers() >= 0) & (k <= recording.largest))
    bare = free._replace(terms=(), values=free.values[: len(FORMS[FREE].names)])
    return Law(
        form,
        alike,
        single,
        values,
        low,
        high,
        found,
        _selection.find_rivals(normal, model, floor)
        | {name: each for name, each in rivals.items() if name in found},
        float(np.sqrt(final.mean())),
        {name: float(np.sqrt(each.mean())) for name, each in scores.items()},
        named,
        float(np.sqrt(floor)),
        _recordings.find_noise(recording.grid, psi, recording.largest),
        k[seen],
        generators.energies(recording, bare)[seen].astype(float),
        make_emulator(recording, model),
    )


def _search(
    recording: Recording, functions: Sequence[str]
) -> tuple[Recording, Model, dict[str, tuple[str, ...]], float]:
    """The recording with enough substeps, what was found in it, its rivals, and the floor."""
    recording, floor = _resolve(recording, generators.begin(FREE), 0.0)
    free, rivals = _selection.search(recording, generators.begin(FREE), functions, floor)
    error = float(np.sqrt(_selection.score(recording, free).mean()))
    finer, needed = _resolve(recording, free, SMALL * error)
    if finer.n_substep > recording.n_substep:
        # What was found needs shorter substeps, as nonlinear terms do.
        recording, floor = finer, needed
        free, more = _selection.search(recording, free, functions, floor)
        rivals |= more
    return recording, free, rivals, floor


def _read(
    recording: Recording, normal: Normal, model: Model, floor: float, seed: int
) -> tuple[tuple[str, ...], tuple[np.ndarray, ...], dict[str, Function]]:
    """Names, values and intervals of coefficients, but for those of functions, and functions."""
    single = np.array([name not in FUNCTION_OF for name in model.names], bool)
    read = readings(recording, model)
    rows = np.concatenate([np.eye(len(single))[single], *(each for _, each in read.values())])
    low, high = _selection.resample(normal, rows @ model.values, rows, floor, seed)
    starts = range(int(single.sum()), len(rows), N_POINT)
    parts = (np.split(each, starts) for each in (rows @ model.values, low, high))
    own, *of_functions = zip(*parts, strict=True)
    found = {
        name: Function(UNKNOWN[name].of, at, *each)
        for (name, (at, _)), each in zip(read.items(), of_functions, strict=True)
    }
    return tuple(np.array(model.names)[single].tolist()), own, found


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
    dx, dt = (equal_step(name, values) for name, values in (("x", x), ("t", t)))
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
    return _recordings.record(grid, dt, v, psi, largest_wavenumber(grid, psi))


@explained
def equal_step(name: str, values: Real[Array | np.ndarray, " n"]) -> float:
    """Return the step of equally spaced values, but for rounding in single precision.

    Args:
      name: Name of the values in an error.
      values: At least two, rising or falling.

    Raises:
      ValueError: For values that are not equally spaced, or all the same.

    >>> equal_step("t", np.array([0.0, 0.5, 1.0]))
    0.5
    """
    values = np.asarray(values)
    if len(values) < 2:
        refuse(name, "two or more numbers", values)
    require_finite(**{name: values})
    steps = np.diff(values.astype(float))
    step = float(steps.mean())
    sliver = 4 * np.finfo(np.float32).eps * np.abs(values).max() + 1e-6 * abs(step)
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


def _resolve(recording: Recording, model: Model, accuracy: float) -> tuple[Recording, float]:
    """The recording with enough substeps for a model, and the squared error of the method."""
    recording, error = generators.resolve(recording, model, max(accuracy, ACCURACY))
    # Each pair of FFTs rounds once.
    return recording, error + 100 * float(np.finfo(recording.v.dtype).eps) ** 2
