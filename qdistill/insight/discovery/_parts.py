"""Frames in any dimension with the parts of their Hamiltonian, and one-frame predictions of them.

The parts are the kinetic energy along each axis, for a mass of 1, each entry of the potential, and
further terms, which are the same in all channels.
"""

import functools
import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from qdistill.insight.discovery import _fits as fits
from qdistill.insight.discovery._fits import Normal
from qdistill.insight.discovery._terms import CONSTANT, DENSITY, LOSS
from qdistill.insight.discovery.weyl import name_of
from qdistill.physics.grid import Scalar
from qdistill.physics.hamiltonian import apply
from qdistill.system import System
from qdistill.teacher import SCHEMES, phase

# Derivatives of a frame that are taken together.
WIDTH = 4


class Fixed(NamedTuple):
    """The parts of the Hamiltonian that all runs share.

    Attributes:
      kinetic: Kinetic energy along each axis, for a mass of 1.
      of_k: Further functions of the wave vector: p^4, and the momentum along each axis.
      of_x: A constant, and the coordinates from the middle of the box.
    """

    kinetic: Float[np.ndarray, "n_axis ..."]
    of_k: Float[np.ndarray, "n_axis_and_1 ..."]
    of_x: Float[np.ndarray, "n_axis_and_1 ..."]


class Frames(NamedTuple):
    """The frames of all runs with the parts of their Hamiltonian.

    Attributes:
      system: Grid and channels.
      names: Names of the entries of the potential.
      terms: Names of the further terms that are offered, of `terms_of`.
      fixed: What all runs share.
      entries: The parts of the potential of each run, (n_run, n_entry, ...).
      psi: The frames.
      n_substep: Substeps of a frame.
    """

    system: System
    names: tuple[str, ...]
    terms: tuple[str, ...]
    fixed: Fixed
    entries: Inexact[np.ndarray, "n_run n_entry ..."]
    psi: Complex[np.ndarray, "n_run n_t ..."]
    n_substep: int = 1


def terms_of(n_dim: int) -> tuple[str, ...]:
    """Return the names of the further terms, in the order of their coefficients.

    >>> terms_of(2)
    ('-i', '|psi|^2', 'p^4', 'px', 'py', '1', 'x', 'y')
    """
    names = [name_of(tuple(row)) for row in np.eye(2 * n_dim, dtype=int).tolist()]
    return (LOSS, DENSITY, "p^4", *names[n_dim:], CONSTANT, *names[:n_dim])


def make_frames(system: System, v: Any, psi: Any, terms: Sequence[str]) -> Frames:
    """Return the frames of all runs with the parts of their Hamiltonian."""
    # In the precision that JAX takes.
    grid, psi = system.grid, np.asarray(jnp.asarray(psi))
    real = psi.real.dtype
    kinetic, momenta, places = [], [], [np.ones(grid.shape)]
    for axis in range(grid.n_dim):
        k, dx = grid.wavenumbers(axis), grid.dx[axis]
        is_lattice = grid.dispersion == "lattice"
        kinetic.append((1 - np.cos(k * dx)) / dx**2 if is_lattice else k**2 / 2)
        momenta.append(grid.odd_wavenumbers(axis))
        places.append(np.asarray(grid.positions(axis), float) - grid.middle[axis])
    quartic = sum(grid.wavenumbers(axis) ** 4 for axis in range(grid.n_dim))
    fixed = Fixed(*(
        np.stack([np.broadcast_to(each, grid.shape) for each in of]).astype(real)
        for of in (kinetic, (quartic, *momenta), places)
    ))  # fmt: skip
    parts = _parts(system, np.asarray(v))
    names = tuple(name for name, each in parts.items() if np.any(each))
    entries = np.stack([parts[name] for name in names], axis=1)
    kind = np.result_type(real, np.complex64) if np.iscomplexobj(entries) else real
    return Frames(system, names, tuple(terms), fixed, entries.astype(kind), psi)


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


def residuals(frames: Frames, values: np.ndarray) -> list[np.ndarray]:
    """Return the differences of the frames to their predictions, of each run."""
    of = _real(frames, values)
    return [
        run[-1][1:] - np.asarray(_ahead(frames.system, frames.n_substep, of, *run))
        for run in _runs(frames)
    ]


def resolve(frames: Frames, values: np.ndarray) -> tuple[Frames, float]:
    """Return the frames with enough substeps, and the squared error of the method."""

    first, of = frames._replace(psi=frames.psi[:, :2]), _real(frames, values)

    def ahead(n: int) -> np.ndarray:
        return np.stack([_ahead(frames.system, n, of, *run) for run in _runs(first)])

    n, error = fits.refine(ahead, fits.ACCURACY)
    # Each pair of FFTs rounds once.
    rounding = float(np.finfo(frames.psi.real.dtype).eps)
    return frames._replace(n_substep=n), error + 100 * rounding**2


def find_noise(frames: Frames) -> float:
    """Return the error of a frame that the noise of the frames implies, relative.

    The level of noise is the spectral density that a tenth of all waves do not reach, most of which
    no packet has.
    """
    grid = frames.system.grid
    waves = np.fft.fftn(frames.psi, axes=tuple(range(-grid.n_dim, 0)))
    density = np.mean(np.abs(waves).reshape(-1, *grid.shape) ** 2, axis=0)
    level = np.quantile(density, 0.1)
    # The frame from which one is propagated has noise, too.
    return float(np.sqrt(2 * level * density.size / density.sum()))


def find_motion(frames: Frames) -> float:
    """Return the root mean squared change of the frames in one step, relative."""
    changes = np.linalg.norm(frames.psi[:, 1:] - frames.psi[:, :-1])
    return float(changes / np.linalg.norm(frames.psi[:, 1:]))


def find_shares(frames: Frames) -> Float[np.ndarray, " n_channel"]:
    """Return the share of the probability in each channel, of all frames."""
    n_channel = max(frames.system.n_channel, 1)
    density = np.abs(frames.psi.reshape(*frames.psi.shape[:2], n_channel, -1)) ** 2
    return np.asarray(density.sum(axis=(0, 1, 3)) / density.sum())


def linearise(
    frames: Frames, names: tuple[str, ...], tie: np.ndarray, values: np.ndarray
) -> Normal:
    """Return the normal equations of each run about some values, for the parameters of a form."""
    n = tie.shape[1]
    # Of one width, so that all forms share a program.
    tangents = np.zeros((-(-n // WIDTH) * WIDTH, len(tie)))
    tangents[:n] = tie.T
    batches = np.split(_real(frames, tangents), len(tangents) // WIDTH)
    shared, at, made = (frames.system, frames.n_substep), _real(frames, values), []
    for run in _runs(frames):
        found = [_columns(*shared, at, batch, *run) for batch in batches]
        columns = np.concatenate([columns for _, columns in found])[:n]
        made.append(fits.normal(found[0][0], columns, run[-1][1:]))
    return Normal(names, *(np.stack(part) for part in zip(*made, strict=True)))


def _runs(frames: Frames) -> list[tuple[Fixed, np.ndarray, np.ndarray]]:
    return [(frames.fixed, *run) for run in zip(frames.entries, frames.psi, strict=True)]


def _real(frames: Frames, values: np.ndarray) -> np.ndarray:
    return np.asarray(values, frames.fixed.kinetic.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _columns(
    system: System,
    n: Scalar,
    values: Array,
    tangents: Array,
    fixed: Fixed,
    entries: Array,
    psi: Array,
) -> tuple[Array, Array]:
    """The residuals of one run, and the derivatives of its predictions."""

    def predict(values: Array) -> Array:
        return _ahead(system, n, values, fixed, entries, psi)

    def derivative(tangent: Array) -> tuple[Array, Array]:
        return jax.jvp(predict, (values,), (tangent,))

    ahead, columns = jax.vmap(derivative, out_axes=(None, 0))(tangents)
    return psi[1:] - ahead, columns


@functools.partial(jax.jit, static_argnums=0)
def _ahead(
    system: System, n: Scalar, values: Array, fixed: Fixed, entries: Array, psi: Array
) -> Complex[Array, "n_t_less_1 ..."]:
    """The frames that follow each recorded one, for inverse masses, strengths and coefficients."""
    n_axis, n_channel = len(fixed.kinetic), max(system.n_channel, 1)
    sizes = (n_axis * n_channel, len(entries), 2, len(fixed.of_k))
    inverse, strengths, (loss, crowding), of_k, of_x = jnp.split(values, np.cumsum(sizes))
    energies = jnp.tensordot(inverse.reshape(n_channel, n_axis), fixed.kinetic, 1)
    energies = energies + jnp.tensordot(of_k, fixed.of_k, 1)[None]
    energies = energies if system.n_channel else energies[0]
    local, field = jnp.tensordot(strengths, entries, 1), jnp.tensordot(of_x, fixed.of_x, 1)
    scheme, h = SCHEMES["blanes-moan"], system.dt / n
    space = tuple(range(-system.grid.n_dim, 0))

    def kick(psi: Array, share: Scalar) -> Array:
        # What is the same in all channels commutes with the rest of a kick.
        density = jnp.abs(psi) ** 2
        density = density.sum(axis=0) if system.n_channel else density
        # In the middle of the kick: losses thin it out meanwhile.
        mean = density * jnp.exp(-share * h * loss)
        common = jnp.exp(-1j * share * h * (field + crowding * mean - 1j * loss))
        common = common[None] if system.n_channel else common
        return common * apply(phase(system, local, share * h), psi)

    def stage(psi: Array, shares: tuple[Array, Array]) -> tuple[Array, None]:
        waves = jnp.fft.fftn(kick(psi, shares[0]), axes=space)
        return jnp.fft.ifftn(jnp.exp(-1j * shares[1] * h * energies) * waves, axes=space), None

    kicks, drifts = (jnp.asarray(each, values.dtype) for each in (scheme.kicks, scheme.drifts))

    def substep(_: Any, psi: Array) -> Array:
        return kick(jax.lax.scan(stage, psi, (kicks[:-1], drifts))[0], kicks[-1])

    return jax.vmap(lambda psi: jax.lax.fori_loop(0, n, substep, psi))(psi[:-1])
