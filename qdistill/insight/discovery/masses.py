"""Masses by axis and channel, and the strengths of a potential, read from recorded frames.

The Hamiltonian is sum_a T_a / m_ca + sum_j s_j V_j: the kinetic energy along axis a in channel c
has a mass of its own, and each entry of the potential, diagonal ones and couplings, a strength.
One frame is propagated by a splitting of fourth order from each recorded one, and the error of the
next one is minimised by Gauss-Newton steps. Masses are not given, nor where to begin: the first one
is found by a scan. Nested forms, with one mass, one for each axis, one for each channel, or all
apart, compete by the error of runs left out of the fit, as in `laws`.
"""

import functools
import itertools
import math
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from qdistill._checks import refuse, require_at_least, require_finite, require_shape
from qdistill._refusals import explained
from qdistill.insight.discovery import _generators as generators
from qdistill.insight.discovery import _selection
from qdistill.insight.discovery._generators import Normal
from qdistill.physics.grid import Scalar
from qdistill.physics.hamiltonian import apply
from qdistill.system import System
from qdistill.teacher import SCHEMES, phase

# Inverse masses that are tried at first.
TRIED = np.geomspace(1e-5, 1e1, 121)
ONE, BY_AXIS, BY_CHANNEL, APART = "one mass", "by axis", "by channel", "by axis and channel"


class Masses(NamedTuple):
    """The masses that move recorded frames, and the strengths of the potential.

    Attributes:
      form: `one mass`, `by axis`, `by channel`, or `by axis and channel`.
      masses, low, high: Masses by channel and axis in electron masses, and their intervals of 95%
        over a bootstrap of the runs.
      strengths: Strength of each entry of the potential with its interval, by name.
      errors: Root mean squared error of one frame, relative, of runs left out of the fit, by form.
      floor: The error of the splitting in which frames are propagated.
    """

    form: str
    masses: Float[np.ndarray, "n_channel n_axis"]
    low: Float[np.ndarray, "n_channel n_axis"]
    high: Float[np.ndarray, "n_channel n_axis"]
    strengths: dict[str, tuple[float, float, float]]
    errors: dict[str, float]
    floor: float

    def __str__(self) -> str:
        """Return the masses and strengths as text."""
        n_channel, n_axis = self.masses.shape
        lines = [f"masses: {self.form}"]
        for channel, axis in itertools.product(range(n_channel), range(n_axis)):
            words = [f"channel {channel}"] * (n_channel > 1) + [f"axis {axis}"] * (n_axis > 1)
            values = (each[channel, axis] for each in (self.masses, self.low, self.high))
            lines.append(_line(", ".join(words) or "mass", *values))
        lines += [_line(f"strength of {name}", *row) for name, row in self.strengths.items()]
        lines.append(f"held-out error of a frame {self.errors[self.form]:.1e}")
        return "\n".join(lines)


def _line(name: str, value: float, low: float, high: float) -> str:
    return f"{name}: {value:.6g} ({low:.6g} to {high:.6g})"


@explained
def find_masses(
    system: System,
    v: Inexact[Array | np.ndarray, "n_run ..."],
    psi: Complex[Array | np.ndarray, "n_run n_t ..."],
    seed: int = 0,
) -> Masses:
    """Return the masses by axis and channel, and the strengths of V, of several runs.

    The runs are those of a linear system that conserves the norm, and the dispersion along each
    axis is that of the grid. Other terms are not sought: see `find_law` for a line. Packets must
    move along each axis in each channel, and meet every entry of V. An entry that is zero in all
    runs has no strength.

    Args:
      system: Grid, channels, and duration of a frame; the masses of the grid are not used.
      v: Potential of each run, with channels a Hermitian matrix.
      psi: Frames of each run.
      seed: Seed of the bootstrap, at least 0.

    Raises:
      ValueError: For other shapes, fewer than 4 runs or 2 frames, and numbers that are not finite.
    """
    _require(system, v, psi, seed)
    frames = _framed(system, v, psi)
    ties = _ties(max(system.n_channel, 1), system.grid.n_dim, len(frames.names))
    start = _begin(frames, ties[ONE])
    frames, floor = _resolve(frames, ties[ONE] @ start)
    fits: dict[str, np.ndarray] = {}
    for form, tie in ties.items():
        # Each begins at the fit of one mass.
        begin = fits[ONE] if fits else ties[ONE] @ start
        fits[form] = tie @ _fit(frames, tie, np.linalg.lstsq(tie, begin, rcond=None)[0])
    normals = {form: _linearise(frames, ties[form], fits[form]) for form in ties}
    scores = {form: _selection.held_out(each, each.names) for form, each in normals.items()}
    sizes = {form: len(each.names) for form, each in normals.items()}
    form, *_ = _selection.simplest(scores, sizes, floor)
    normal, tie = normals[form], ties[form]
    low, high = _selection.resample(normal, fits[form], tie, floor, seed)
    shape = (max(system.n_channel, 1), system.grid.n_dim)
    n = math.prod(shape)
    # The largest inverse is that of the smallest mass; one that may be zero has no largest mass.
    masses, highest, lowest = (
        np.where(each > 0, 1 / np.where(each > 0, each, 1.0), np.inf)[:n].reshape(shape)
        for each in (fits[form], low, high)
    )
    strengths = {
        name: (float(fits[form][i]), float(low[i]), float(high[i]))
        for i, name in enumerate(frames.names, n)
    }
    errors = {form: float(np.sqrt(each.mean())) for form, each in scores.items()}
    return Masses(form, masses, lowest, highest, strengths, errors, float(np.sqrt(floor)))


class _Frames(NamedTuple):
    """The frames of all runs with the parts of their Hamiltonian.

    Attributes:
      system: Grid and channels.
      names: Names of the entries of the potential.
      kinetic: Kinetic energy along each axis, for a mass of 1.
      entries: The parts of the potential of each run, (n_run, n_entry, ...).
      psi: The frames.
      n_substep: Substeps of a frame.
    """

    system: System
    names: tuple[str, ...]
    kinetic: Float[Array, "n_axis ..."]
    entries: Inexact[Array, "n_run n_entry ..."]
    psi: Complex[Array, "n_run n_t ..."]
    n_substep: int = 1


def _framed(system: System, v: Any, psi: Any) -> _Frames:
    grid, psi = system.grid, jnp.asarray(psi)
    real = psi.real.dtype
    kinetic = []
    for axis in range(grid.n_dim):
        k, dx = grid.wavenumbers(axis), grid.dx[axis]
        is_lattice = grid.dispersion == "lattice"
        of_axis = (1 - np.cos(k * dx)) / dx**2 if is_lattice else k**2 / 2
        kinetic.append(np.broadcast_to(of_axis, grid.shape))
    parts = _parts(system, np.asarray(v))
    names = tuple(name for name, each in parts.items() if np.any(each))
    entries = np.stack([parts[name] for name in names], axis=1)
    kind = np.result_type(real, np.complex64) if np.iscomplexobj(entries) else real
    return _Frames(
        system, names, jnp.asarray(np.stack(kinetic), real), jnp.asarray(entries, kind), psi
    )


def _parts(system: System, v: np.ndarray) -> dict[str, np.ndarray]:
    """The entries of the potential by name, each as a whole potential of every run."""
    if not system.n_channel:
        return {"V": v}
    found = {}
    for i, j in itertools.combinations_with_replacement(range(system.n_channel), 2):
        one = np.zeros_like(v)
        one[:, i, j], one[:, j, i] = v[:, i, j], v[:, j, i]
        found[f"V{i}{j}"] = one
    return found


def _ties(n_channel: int, n_axis: int, n_entry: int) -> dict[str, Float[np.ndarray, "n_all n"]]:
    """For each form, the matrix from its parameters to all inverse masses and strengths."""
    channels, axes = np.eye(n_channel), np.eye(n_axis)
    every_channel, every_axis = np.ones((n_channel, 1)), np.ones((n_axis, 1))
    found = {ONE: np.kron(every_channel, every_axis)}
    if n_axis > 1:
        found[BY_AXIS] = np.kron(every_channel, axes)
    if n_channel > 1:
        found[BY_CHANNEL] = np.kron(channels, every_axis)
    if n_axis > 1 and n_channel > 1:
        found[APART] = np.kron(channels, axes)
    rest = np.eye(n_entry)
    return {
        form: np.block([
            [masses, np.zeros((len(masses), n_entry))],
            [np.zeros((n_entry, masses.shape[1])), rest],
        ])
        for form, masses in found.items()
    }  # fmt: skip


def _begin(frames: _Frames, tie: np.ndarray) -> Float[np.ndarray, " n"]:
    """The parameters of one mass with the least error of the first frame, all strengths 1."""
    first = frames._replace(psi=frames.psi[:, :2])
    errors = []
    for inverse in TRIED:
        values = np.ones(tie.shape[1])
        values[0] = inverse
        errors.append(sum(np.sum(np.abs(rest) ** 2) for rest in _residuals(first, tie @ values)))
    start = np.ones(tie.shape[1])
    start[0] = TRIED[int(np.argmin(np.nan_to_num(errors, nan=np.inf)))]
    return start


def _residuals(frames: _Frames, values: np.ndarray) -> list[np.ndarray]:
    return [
        np.asarray(psi[1:] - _ahead(frames.system, frames.n_substep, _real(frames, values), *run))
        for run in _runs(frames)
        for psi in [run[-1]]
    ]


def _resolve(frames: _Frames, values: np.ndarray) -> tuple[_Frames, float]:
    """The frames with enough substeps, and the squared error of the method."""

    def ahead(n: int) -> np.ndarray:
        first = frames._replace(psi=frames.psi[:, :2])
        return np.stack(
            [
                np.asarray(_ahead(frames.system, n, _real(frames, values), *run))
                for run in _runs(first)
            ]
        )

    n, short = 1, ahead(1)
    while True:
        long, short = short, ahead(2 * n)
        error = float(np.sum(np.abs(short - long) ** 2) / np.sum(np.abs(short) ** 2))
        if error < generators.ACCURACY**2 or n >= generators.MOST_SUBSTEPS:
            # Each pair of FFTs rounds once.
            return frames._replace(n_substep=n), error + 100 * _rounding(frames) ** 2
        n *= 2


def _rounding(frames: _Frames) -> float:
    return float(np.finfo(frames.psi.real.dtype).eps)


def _fit(frames: _Frames, tie: np.ndarray, start: np.ndarray) -> Float[np.ndarray, " n"]:
    """The parameters of a form with the least one-frame error, by Gauss-Newton steps."""
    best, at, before, step, changes = start, start, np.inf, 1.0, np.zeros_like(start)
    for _ in range(generators.N_PASS):
        normal = _linearise(frames, tie, tie @ at)
        error = float(normal.rest.mean())
        if error < before:
            gained = 1 - error / before
            best, before, step = at, error, 1.0
            if gained < generators.ENDED:
                break
            changes = generators.solve(normal, normal.names)
        else:
            # The last change was too long.
            step /= 4
        at = best + step * changes
    return best


def _linearise(frames: _Frames, tie: np.ndarray, values: np.ndarray) -> Normal:
    """The normal equations of each run about some values, for the parameters of a form."""
    made, tangents = [], _real(frames, tie.T)
    for run in _runs(frames):
        rest, columns = _columns(
            frames.system, frames.n_substep, _real(frames, values), tangents, *run
        )
        made.append(generators.normal(rest, columns, run[-1][1:]))
    names = tuple(f"{i}" for i in range(tie.shape[1]))
    return Normal(names, *(np.stack(part) for part in zip(*made, strict=True)))


def _runs(frames: _Frames) -> list[tuple[Array, Array, Array]]:
    return [(frames.kinetic, *run) for run in zip(frames.entries, frames.psi, strict=True)]


def _real(frames: _Frames, values: np.ndarray) -> Array:
    return jnp.asarray(values, frames.kinetic.dtype)


@functools.partial(jax.jit, static_argnums=(0, 1))
def _columns(
    system: System,
    n: int,
    values: Array,
    tangents: Array,
    kinetic: Array,
    entries: Array,
    psi: Array,
) -> tuple[Array, Array]:
    """The residuals of one run, and the derivatives of its predictions."""

    def predict(values: Array) -> Array:
        return _ahead(system, n, values, kinetic, entries, psi)

    def derivative(tangent: Array) -> tuple[Array, Array]:
        return jax.jvp(predict, (values,), (tangent,))

    ahead, columns = jax.vmap(derivative, out_axes=(None, 0))(tangents)
    return psi[1:] - ahead, columns


@functools.partial(jax.jit, static_argnums=(0, 1))
def _ahead(
    system: System, n: int, values: Array, kinetic: Array, entries: Array, psi: Array
) -> Complex[Array, "n_t_less_1 ..."]:
    """The frames that follow each recorded one, for some inverse masses and strengths."""
    n_axis, n_channel = len(kinetic), max(system.n_channel, 1)
    inverse = values[: n_axis * n_channel].reshape(n_channel, n_axis)
    energies = jnp.tensordot(inverse, kinetic, 1)
    energies = energies if system.n_channel else energies[0]
    local = jnp.tensordot(values[n_axis * n_channel :], entries, 1)
    scheme, h = SCHEMES["blanes-moan"], system.dt / n
    space = tuple(range(-system.grid.n_dim, 0))

    def kick(psi: Array, share: Scalar) -> Array:
        return apply(phase(system, local, share * h), psi)

    def stage(psi: Array, shares: tuple[Array, Array]) -> tuple[Array, None]:
        waves = jnp.fft.fftn(kick(psi, shares[0]), axes=space)
        return jnp.fft.ifftn(jnp.exp(-1j * shares[1] * h * energies) * waves, axes=space), None

    kicks, drifts = (jnp.asarray(each, kinetic.dtype) for each in (scheme.kicks, scheme.drifts))

    def substep(_: Any, psi: Array) -> Array:
        return kick(jax.lax.scan(stage, psi, (kicks[:-1], drifts))[0], kicks[-1])

    return jax.vmap(lambda psi: jax.lax.fori_loop(0, n, substep, psi))(psi[:-1])


def _require(system: System, v: Any, psi: Any, seed: int) -> None:
    require_at_least(0, seed=seed)
    require_finite(v=v, psi=psi)
    if not np.iscomplexobj(psi):
        refuse("psi", "complex", "real")
    n_run, n_t = (*np.shape(psi), 0, 0)[:2]
    require_at_least(4, n_run=n_run)
    require_at_least(2, n_t=n_t)
    require_shape((n_run, n_t, *system.shape), psi=psi)
    channels = (system.n_channel,) * 2 if system.n_channel else ()
    require_shape((n_run, *channels, *system.grid.shape), v=v)
    if not np.any(v):
        refuse("v", "different from zero somewhere", "zero")
    if channels:
        channel_axes = np.conj(np.swapaxes(np.asarray(v), 1, 2))
        if not np.allclose(v, channel_axes, atol=1e-6 * np.abs(v).max()):
            refuse("v", "Hermitian between channels", "not")
    elif np.iscomplexobj(v):
        refuse("v", "real", f"of type {np.asarray(v).dtype}")
