"""The ranges of an emulator's lessons, with warnings outside of them."""

import functools
import math
import warnings
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.typing import ArrayLike
from jaxtyping import Array, Complex

from qdistill._checks import refuse
from qdistill._doors import level_of_caller
from qdistill._refusals import explained
from qdistill.curriculum import CurriculumConfig, require_lessons
from qdistill.system import Potential, Propagator, System, rollout
from qdistill.teacher import split_step

# Share of the probability of a state that may lie above its stated kinetic energy.
FEW = 0.01
# Relative margin around the ranges of samples that still counts as taught.
SLACK = 0.05
# Number of samples of a lesson; fewer if they have more points in total than the limit.
N_SAMPLES, MOST_POINTS = 256, 2**22
# Least correlation of a frame with the propagation of the frame before.
ALIKE = 0.9


class OutsideTaught(UserWarning):
    """The warning for a packet or potential outside the lessons, whose forecast may be wrong."""


class Reach(NamedTuple):
    """The ranges of a state and a potential, or of many.

    Attributes:
      energy: Kinetic energy in hartree below which 99% of the probability lies.
      low: Lowest value of the potential, in hartree.
      high: Highest value of the potential, in hartree.
      edge: Largest change of the potential between neighbouring points, in hartree.
    """

    energy: float
    low: float
    high: float
    edge: float


@explained
def reach(system: System, psi: ArrayLike, local: ArrayLike) -> Reach:
    """Return the ranges of states and of their local potentials, over any leading axes."""
    grid = system.grid
    space = tuple(range(-grid.n_dim, 0))
    waves = np.abs(np.fft.fftn(np.asarray(psi), axes=space)) ** 2
    energies = grid.kinetic_energy().ravel()
    order = np.argsort(energies)
    # Channels share one kinetic energy.
    waves = waves.reshape(-1, max(1, system.n_channel), energies.size).sum(axis=1)[:, order]
    below = np.cumsum(waves, axis=1)
    last = np.argmax(below >= (1 - FEW) * below[:, -1:], axis=1)
    values = np.real(np.asarray(local))
    steps = [np.abs(np.roll(values, 1, axis) - values).max() for axis in space]
    return Reach(
        float(energies[order][last].max()),
        *(float(value) for value in (values.min(), values.max(), max(steps))),
    )


@explained
@functools.lru_cache(maxsize=32)
def of_lessons(system: System, curriculum: CurriculumConfig) -> Reach | None:
    """Return the ranges of the lessons of a curriculum, from samples with a fixed key.

    It is None if a lesson is not registered.
    """
    weights = curriculum.weights or (1.0,) * len(curriculum.lessons)
    names = [name for name, w in zip(curriculum.lessons, weights, strict=True) if w > 0]
    try:
        require_lessons(system, names)
    except ValueError:
        return None
    n = min(N_SAMPLES, max(16, MOST_POINTS // math.prod(system.shape)))
    difficulty = max(curriculum.difficulty)

    def draw(name: str, key: Array) -> tuple[Array, Array]:
        psi, v = system.sample(name, key, difficulty)
        return psi, system.local(v, 0.0, None)

    # Concrete even while a forecast is traced. Code that runs once compiles in half the time.
    options = {"xla_backend_optimization_level": 0}
    each = []
    with jax.ensure_compile_time_eval():
        keys = jax.random.split(jax.random.key(0), n)
        for name in names:
            many = functools.partial(jax.lax.map, functools.partial(draw, name))
            each.append(reach(system, *jax.jit(many, compiler_options=options)(keys)))
    energies, lows, highs, edges = zip(*each, strict=True)
    return Reach(max(energies), min(lows), max(highs), max(edges))


@explained
def warn_outside(taught: Reach, asked: Reach) -> None:
    """Warn once of all ranges that a packet and a potential exceed."""
    room = SLACK * (taught.high - taught.low) + 1e-3
    words = []
    if asked.energy > (1 + SLACK) * taught.energy:
        words.append(
            f"a packet with kinetic energies up to {asked.energy:.3g} hartree, taught up to "
            f"{taught.energy:.3g}"
        )
    if asked.low < taught.low - room or asked.high > taught.high + room:
        words.append(
            f"a potential with heights from {asked.low:.3g} to {asked.high:.3g} hartree, taught "
            f"from {taught.low:.3g} to {taught.high:.3g}"
        )
    if asked.edge > taught.edge + room:
        words.append(
            f"an edge of {asked.edge:.3g} hartree from one point to the next, taught up to "
            f"{taught.edge:.3g}"
        )
    if words:
        said = f"Outside what the emulator was taught: {'; '.join(words)}."
        warnings.warn(f"{said} The forecast may be wrong.", OutsideTaught, level_of_caller())


@explained
def require_successive(system: System, frames: Complex[Array, "n_t *n_x"], v: Potential) -> None:
    """Refuse concrete frames that are not successive, such as the packets of a batch.

    Each frame is compared with a split step from the frame before. Packets of a batch that are
    nearly equal pass, because they cannot be distinguished from frames.

    Raises:
      ValueError: For frames whose norms differ, of a system that conserves it, or with a
        correlation below 0.9.
    """
    cure = "For a batch of packets take jax.vmap(lambda psi: emulator.forecast(psi, v, n_frames))."
    if len(frames) == 2 and not system.n_channel:
        cure += " Two channels take an emulator of a system with channels, such as load('tully')."
    shape = "(n_frames, " + ", ".join(map(str, system.shape)) + ")"
    wanted = f"frames that follow each other, {shape}"
    norms = np.linalg.norm(np.reshape(frames, (len(frames), -1)), axis=1)
    if system.is_hermitian and norms.max() > 1.5 * norms.min():
        found = ", ".join(f"{norm * system.grid.cell**0.5:.3g}" for norm in norms[:9])
        refuse("psi", wanted, f"states of norms {found}", cure)
    expected = np.asarray(_one_later(_follower(system), frames[:-1], v))
    overlap = np.sum(np.conj(frames[1:]) * expected, axis=tuple(range(1, frames.ndim)))
    sizes = np.linalg.norm(expected.reshape(len(expected), -1), axis=1) * norms[1:]
    worst = np.min(np.abs(overlap) / np.where(sizes > 0, sizes, 1))
    if worst < ALIKE:
        words = f"states of which one has a correlation of {worst:.2f} with what comes of another"
        refuse("psi", wanted, words, cure)


def _follower(system: System) -> Propagator:
    """A split step with kinetic phases below pi per substep."""
    highest = float(system.grid.kinetic_energy().max())
    return split_step(system, 1 + int(2 * highest * abs(system.dt) / (2 * np.pi)))


@jax.jit
def _one_later(solver: Propagator, frames: Array, v: Potential) -> Array:
    times = jnp.arange(len(frames))
    return jax.vmap(lambda psi, n: rollout(solver, psi[None], v, 1, n0=n)[0])(frames, times)
