"""Masses by axis and channel, and the strengths of a potential, read from recorded frames.

The Hamiltonian is sum_a T_a / m_ca + sum_j s_j V_j: the kinetic energy along axis a in channel c
has a mass of its own, and each entry of the potential, diagonal ones and couplings, a strength.
Further terms, the same in all channels, come in if they are offered and needed.
One frame is propagated by a splitting of fourth order from each recorded one, and the error of the
next one is minimised by Gauss-Newton steps. Masses are not given, nor where to begin: the first one
is found by a scan. Nested forms, with one mass, one for each axis, one for each channel, or all
apart, compete by the error of runs left out of the fit, as in `laws`.
"""

import itertools
import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from qdistill._checks import (
    refuse,
    require_at_least,
    require_finite,
    require_one_of,
    require_seed,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.insight.discovery import _selection
from qdistill.insight.discovery._fits import Normal, descend
from qdistill.insight.discovery._parts import (
    Frames,
    find_motion,
    find_noise,
    find_shares,
    linearise,
    make_frames,
    residuals,
    resolve,
    terms_of,
)
from qdistill.system import System

# Inverse masses that are tried at first.
TRIED = np.geomspace(1e-5, 1e1, 121)
# Frames determine a mass or strength whose effect is this multiple of the method's error.
SEEN = 10.0
# Largest error of frames that are explained, over their motion, and over noise and method.
EXPLAINED, UNEXPLAINED = 0.3, 10.0
# Most further terms.
MOST = 5
ONE, BY_AXIS, BY_CHANNEL, APART = "one mass", "by axis", "by channel", "by axis and channel"


class Masses(NamedTuple):
    """The masses that move recorded frames, and the strengths of the potential.

    Attributes:
      form: `one mass`, `by axis`, `by channel`, or `by axis and channel`.
      masses, low, high: Masses by channel and axis in electron masses, and their intervals of 95%
        over a bootstrap of the runs, of about 85% with four runs. NaN where frames determine none.
      strengths: Strength of each entry of the potential that frames meet, with its interval, by
        name.
      terms: Coefficient of each further term, with its interval, by name.
      rivals: For each further term those that would do as well in its place.
      errors: Root mean squared error of one frame, relative, of runs left out of the fit, by form.
      floor: The error of the splitting in which frames are propagated.
      noise: The error of one frame that the noise of the frames implies.
      motion: Root mean squared change of the frames in one step, relative.
    """

    form: str
    masses: Float[np.ndarray, "n_channel n_axis"]
    low: Float[np.ndarray, "n_channel n_axis"]
    high: Float[np.ndarray, "n_channel n_axis"]
    strengths: dict[str, tuple[float, float, float]]
    terms: dict[str, tuple[float, float, float]]
    rivals: dict[str, tuple[str, ...]]
    errors: dict[str, float]
    floor: float
    noise: float
    motion: float

    @property
    def is_explained(self) -> bool:
        """Whether the frames have no more error than noise and method imply, by a factor of 10.

        If not, the numbers are not to be trusted, nor are their intervals: something else moves the
        frames, they are too far apart, or the masses are out of reach. Frames of an emulator have
        its errors, and may not be explained either.
        """
        implied = float(np.hypot(self.noise, self.floor))
        return self.errors[self.form] < min(EXPLAINED * self.motion, UNEXPLAINED * implied)

    def __str__(self) -> str:
        """Return the masses and strengths as text."""
        n_channel, n_axis = self.masses.shape
        lines = [f"masses: {self.form}"]
        for channel, axis in itertools.product(range(n_channel), range(n_axis)):
            words = [f"channel {channel}"] * (n_channel > 1) + [f"axis {axis}"] * (n_axis > 1)
            values = (each[channel, axis] for each in (self.masses, self.low, self.high))
            lines.append(_line(", ".join(words) or "mass", *values))
        lines += [_line(f"strength of {name}", *row) for name, row in self.strengths.items()]
        for name, row in self.terms.items():
            others = self.rivals[name]
            lines.append(_line(name, *row) + (f" (or {', '.join(others)})" if others else ""))
        error = self.errors[self.form]
        lines.append(f"held-out error of a frame {error:.1e}, of the method {self.floor:.1e}")
        if not self.is_explained:
            lines.append(
                f"NOT EXPLAINED: noise and method imply an error of "
                f"{np.hypot(self.noise, self.floor):.1e}, and frames change by {self.motion:.1e}; "
                "something else moves them, or the fit did not converge"
            )
        return "\n".join(lines)


def _line(name: str, value: float, low: float, high: float) -> str:
    # Two digits of the interval.
    is_finite = bool(np.all(np.isfinite((value, low, high)))) and low < high and value
    n = int(np.clip(1 - math.log10((high - low) / abs(value)), 2, 8)) if is_finite else 4
    return f"{name}: {value:.{n}g} ({low:.{n}g} to {high:.{n}g})"


@explained
def find_masses(
    system: System,
    v: Inexact[Array | np.ndarray, "n_run ..."],
    psi: Complex[Array | np.ndarray, "n_run n_t ..."],
    terms: Sequence[str] = (),
    seed: int = 0,
) -> Masses:
    """Return the masses by axis and channel, the strengths of V, and further terms of several runs.

    The runs are those of an autonomous system, and the dispersion along each axis is that of the
    grid. Up to five further terms are sought if they are offered, the same in all channels and
    runs: a constant ``1``, uniform losses ``-i``, ``|psi|^2`` summed over channels, ``p^4``, that
    is p_a^4 summed over axes, and along each axis a force and a drift, in a plane ``x``, ``y``,
    ``px`` and ``py``. They are chosen with a mass of its own for each axis and channel. On a line
    `find_law` knows more. Packets must move along each axis in each channel, and meet every entry
    of V: what they do not determine has no value. Masses from 0.1 to 100,000 are tried, with all
    strengths 1, and fits begin at the best. Frames may be so far apart that the phases p^2 dt / 2m
    of the fastest waves reach about 5.

    Args:
      system: Grid, channels, and duration of a frame; the masses of the grid are not used.
      v: Potential of each run, with channels a Hermitian matrix.
      psi: Frames of each run.
      terms: Further terms that are offered.
      seed: Seed of the bootstrap, at least 0.

    Raises:
      ValueError: For other shapes or terms, fewer than 4 runs or 2 frames, numbers that are not
        finite, frames that are real or zero, a potential that is zero, not real or, with channels,
        not Hermitian, and a system that is not linear, Hermitian and autonomous, or whose energies
        are not plain.
    """
    terms = terms if isinstance(terms, str) else tuple(terms)
    _require(system, v, psi, terms, seed)
    frames = make_frames(system, v, psi, terms)
    ties = _ties(frames)
    start = _begin(frames, ties[ONE])
    frames, floor = resolve(frames, ties[ONE] @ start)
    # Strengths far from 1 need more substeps.
    start = _fit(frames, ties[ONE], start, floor)
    frames, floor = resolve(frames, ties[ONE] @ start)
    *_, widest = ties.values()
    further = _search(frames, widest, _begin_at(widest, ties[ONE] @ start), floor, terms)
    form, own, normal, fitted, errors = _choose(frames, ties, ties[ONE] @ start, floor, further)
    fit = ties[form] @ own
    low, high = _selection.resample(normal, fit, ties[form], floor, seed, fitted)
    shape = (max(system.n_channel, 1), system.grid.n_dim)
    n = math.prod(shape)
    # The largest inverse is that of the smallest mass; one that may be zero has no largest mass.
    masses, highest, lowest = (
        np.where(each > 0, 1 / np.where(each > 0, each, 1.0), np.inf)[:n].reshape(shape)
        for each in (fit, low, high)
    )
    apart, noise = _begin_at(widest, fit), find_noise(frames)
    seen = _determined(frames, _linearise(frames, widest, apart), apart, floor)
    is_seen = np.array([name in seen for name in _names(widest, frames)[:n]]).reshape(shape)
    # What is in an empty channel is noise.
    is_seen &= find_shares(frames)[:, None] > SEEN * noise**2
    for each in (masses, lowest, highest):
        each[~is_seen] = np.nan
    rows = zip(fit.tolist(), low.tolist(), high.tolist(), strict=True)
    of_name = dict(zip((*frames.names, *terms_of(shape[1])), list(rows)[n:], strict=True))
    return Masses(
        form,
        masses,
        lowest,
        highest,
        {name: of_name[name] for name in frames.names if name in seen},
        {name: of_name[name] for name in further},
        _rivals(normal, dict(zip(normal.names, own, strict=True)), fitted, terms, floor),
        errors,
        float(np.sqrt(floor)),
        noise,
        find_motion(frames),
    )


def _choose(
    frames: Frames,
    ties: dict[str, np.ndarray],
    start: np.ndarray,
    floor: float,
    further: tuple[str, ...],
) -> tuple[str, np.ndarray, Normal, tuple[str, ...], dict[str, float]]:
    """The simplest form that fits, its fit and normal equations, what is determined, all errors."""
    # Each begins at the fit of one mass.
    fits = {
        form: _fit(frames, tie, _begin_at(tie, start), floor, further) for form, tie in ties.items()
    }
    normals = {form: _linearise(frames, tie, fits[form]) for form, tie in ties.items()}
    fitted = {
        form: (*_determined(frames, each, fits[form], floor), *further)
        for form, each in normals.items()
    }
    scores = {form: _selection.held_out(each, fitted[form]) for form, each in normals.items()}
    sizes = {form: len(each.names) for form, each in normals.items()}
    form, *_ = _selection.simplest(scores, sizes, floor)
    errors = {each: float(np.sqrt(score.mean())) for each, score in scores.items()}
    return form, fits[form], normals[form], fitted[form], errors


def _search(
    frames: Frames, tie: np.ndarray, start: np.ndarray, floor: float, offered: Sequence[str]
) -> tuple[str, ...]:
    """The further terms that lower the held-out error, the best first, without those not needed."""
    kept: tuple[str, ...] = ()
    tried: set[frozenset[str]] = set()
    while offered and frozenset(kept) not in tried and len(kept) <= MOST:
        tried.add(frozenset(kept))
        fit = _fit(frames, tie, start, floor, kept)
        normal = _linearise(frames, tie, fit)
        values = dict(zip(normal.names, fit, strict=True))
        fitted = _determined(frames, normal, fit, floor)
        error = _selection.held_out(normal, (*fitted, *kept))
        losses = {
            name: _selection.gains(
                _selection.held_out(
                    _selection.moved(normal, {name: -values[name]}),
                    [*fitted, *(each for each in kept if each != name)],
                ),
                error,
                floor,
            )
            for name in kept
        }
        least = min(losses, key=lambda name: losses[name].mean(), default="")
        if least and not _selection.is_better(losses[least]):
            kept = tuple(name for name in kept if name != least)
            continue
        gained = {
            name: _selection.gains(
                error, _selection.held_out(normal, (*fitted, *kept, name)), floor
            )
            for name in offered
            if name not in kept and frozenset((*kept, name)) not in tried
        }
        best = max(gained, key=lambda name: gained[name].mean(), default="")
        if best and len(kept) < MOST and _selection.is_better(gained[best]):
            kept = (*kept, best)
    return kept


def _rivals(
    normal: Normal,
    values: dict[str, float],
    fitted: Sequence[str],
    offered: Sequence[str],
    floor: float,
) -> dict[str, tuple[str, ...]]:
    """For each further term those that lower the held-out error as much in its place."""
    best, found = _selection.held_out(normal, fitted), {}
    for name in (name for name in fitted if name in offered):
        without = _selection.moved(normal, {name: -values[name]})
        kept = [each for each in fitted if each != name]
        found[name] = tuple(
            other
            for other in offered
            if other not in fitted
            and not _selection.is_better(
                _selection.gains(_selection.held_out(without, (*kept, other)), best, floor)
            )
        )
    return found


def _linearise(frames: Frames, tie: np.ndarray, values: np.ndarray) -> Normal:
    """The normal equations about parameters of a form."""
    return linearise(frames, _names(tie, frames), tie, tie @ values)


def _names(tie: np.ndarray, frames: Frames) -> tuple[str, ...]:
    """The parameters of a form: inverse masses, strengths, and the terms that are offered."""
    n_mass = tie.shape[1] - len(frames.names) - len(frames.terms)
    return (*(f"1/m {i}" for i in range(n_mass)), *frames.names, *frames.terms)


def _determined(
    frames: Frames, normal: Normal, values: Float[np.ndarray, " n"], floor: float
) -> tuple[str, ...]:
    """The masses and strengths whose whole effect on the frames is far above the method's error."""
    slopes = np.sqrt(np.diag(normal.squares.mean(axis=0)))
    n_mass = next(i for i, name in enumerate(normal.names) if name in frames.names)
    whole = np.append(np.abs(values[:n_mass]), np.ones(len(frames.names)))
    pairs = zip(normal.names, slopes[: len(whole)] * whole, strict=False)
    return tuple(name for name, effect in pairs if effect > SEEN * np.sqrt(floor))


def _ties(frames: Frames) -> dict[str, Float[np.ndarray, "n_all n"]]:
    """For each form, the matrix from its parameters to all inverse masses, strengths and terms."""
    n_channel, n_axis = max(frames.system.n_channel, 1), frames.system.grid.n_dim
    channels, axes = np.eye(n_channel), np.eye(n_axis)
    every_channel, every_axis = np.ones((n_channel, 1)), np.ones((n_axis, 1))
    found = {ONE: np.kron(every_channel, every_axis)}
    if n_axis > 1:
        found[BY_AXIS] = np.kron(every_channel, axes)
    if n_channel > 1:
        found[BY_CHANNEL] = np.kron(channels, every_axis)
    if n_axis > 1 and n_channel > 1:
        found[APART] = np.kron(channels, axes)
    every = (*frames.names, *terms_of(n_axis))
    has = [every.index(name) for name in (*frames.names, *frames.terms)]
    rest = np.eye(len(every))[:, has]
    return {
        form: np.block([
            [masses, np.zeros((len(masses), rest.shape[1]))],
            [np.zeros((len(rest), masses.shape[1])), rest],
        ])
        for form, masses in found.items()
    }  # fmt: skip


def _begin(frames: Frames, tie: np.ndarray) -> Float[np.ndarray, " n"]:
    """The parameters of one mass with the least error of the first frame, all strengths 1."""
    first = frames._replace(psi=frames.psi[:, :2])
    errors, values = [], np.zeros(tie.shape[1])
    values[1 : 1 + len(frames.names)] = 1
    for inverse in TRIED:
        values[0] = inverse
        errors.append(sum(np.sum(np.abs(rest) ** 2) for rest in residuals(first, tie @ values)))
    values[0] = TRIED[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))]
    return values


def _begin_at(tie: np.ndarray, values: np.ndarray) -> Float[np.ndarray, " n"]:
    """The parameters of a form that are nearest to some masses and strengths."""
    return np.linalg.lstsq(tie, values, rcond=None)[0]


def _fit(
    frames: Frames, tie: np.ndarray, start: np.ndarray, floor: float, further: Sequence[str] = ()
) -> Float[np.ndarray, " n"]:
    """The parameters of a form with the least one-frame error, by Gauss-Newton steps."""
    return descend(
        lambda values: _linearise(frames, tie, values),
        lambda normal, values: (*_determined(frames, normal, values, floor), *further),
        start,
    )


def _require(system: System, v: Any, psi: Any, terms: Any, seed: int) -> None:
    require_seed(seed=seed)
    if isinstance(terms, str):
        refuse("terms", "a list of names", repr(terms))
    for name in terms:
        require_one_of(terms_of(system.grid.n_dim), terms=name)
    if len(set(terms)) < len(terms):
        refuse("terms", "different names", terms)
    is_plain = system.has_plain_potential and system.has_plain_kinetic
    if not (is_plain and system.is_linear and system.is_hermitian and system.is_autonomous):
        refuse("system", "linear, Hermitian, autonomous, and of plain energies", system)
    require_finite(v=v, psi=psi)
    if not np.iscomplexobj(psi):
        refuse("psi", "complex", "real")
    words = f"of shape (n_run, n_t, {', '.join(map(str, system.shape))})"
    if np.ndim(psi) != 2 + len(system.shape):
        refuse("psi", words, f"of shape {np.shape(psi)}")
    n_run, n_t = np.shape(psi)[:2]
    require_at_least(4, n_run=n_run)
    require_at_least(2, n_t=n_t)
    require_shape((n_run, n_t, *system.shape), psi=psi)
    if not np.all(np.any(np.reshape(psi, (n_run * n_t, -1)), axis=1)):
        refuse("psi", "different from zero in each frame", "zero in one")
    channels = (system.n_channel,) * 2 if system.n_channel else ()
    require_shape((n_run, *channels, *system.grid.shape), v=v)
    if not np.any(v):
        refuse("v", "different from zero somewhere", "zero")
    if channels:
        off = np.abs(np.asarray(v) - np.conj(np.swapaxes(np.asarray(v), 1, 2))).max()
        if off > 1e-6 * np.abs(v).max():
            refuse("v", "Hermitian between channels", f"off by {off:.1g}")
    elif np.iscomplexobj(v):
        refuse("v", "real", f"of type {np.asarray(v).dtype}")
