"""Frames in any dimension with the parts of their Hamiltonian, and one-frame predictions of them.

The parts are the kinetic energy along each axis, for a mass of 1, and each entry of the potential.
"""

import functools
import itertools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact

from qdistill.insight.discovery import _fits as fits
from qdistill.insight.discovery._fits import Normal
from qdistill.physics.grid import Scalar
from qdistill.physics.hamiltonian import apply
from qdistill.system import System
from qdistill.teacher import SCHEMES, phase


class Frames(NamedTuple):
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
    kinetic: Float[np.ndarray, "n_axis ..."]
    entries: Inexact[np.ndarray, "n_run n_entry ..."]
    psi: Complex[np.ndarray, "n_run n_t ..."]
    n_substep: int = 1


def make_frames(system: System, v: Any, psi: Any) -> Frames:
    """Return the frames of all runs with the parts of their Hamiltonian."""
    # In the precision that JAX takes.
    grid, psi = system.grid, np.asarray(jnp.asarray(psi))
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
    return Frames(system, names, np.stack(kinetic).astype(real), entries.astype(kind), psi)


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


def linearise(frames: Frames, tie: np.ndarray, values: np.ndarray) -> Normal:
    """Return the normal equations of each run about some values, for the parameters of a form."""
    made, tangents = [], _real(frames, tie.T)
    for run in _runs(frames):
        rest, columns = _columns(
            frames.system, frames.n_substep, _real(frames, values), tangents, *run
        )
        made.append(fits.normal(rest, columns, run[-1][1:]))
    names = tuple(f"{i}" for i in range(tie.shape[1]))
    return Normal(names, *(np.stack(part) for part in zip(*made, strict=True)))


def _runs(frames: Frames) -> list[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    return [(frames.kinetic, *run) for run in zip(frames.entries, frames.psi, strict=True)]


def _real(frames: Frames, values: np.ndarray) -> np.ndarray:
    return np.asarray(values, frames.kinetic.dtype)


@functools.partial(jax.jit, static_argnums=0)
def _columns(
    system: System,
    n: Scalar,
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


@functools.partial(jax.jit, static_argnums=0)
def _ahead(
    system: System, n: Scalar, values: Array, kinetic: Array, entries: Array, psi: Array
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
