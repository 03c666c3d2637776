"""Test cases of audits: pairs of packets in one potential, with exact solutions."""

import functools
import math
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Key, Num

from qdistill import curriculum  # noqa: F401  (it registers the lessons)
from qdistill._checks import (
    refuse,
    require_at_least,
    require_between,
    require_each,
    require_finite,
    require_no_channels,
)
from qdistill._refusals import explained
from qdistill.forecast import baselines
from qdistill.forecast.cases import Cases
from qdistill.insight import harness
from qdistill.insight.symmetries.claims import Symmetry
from qdistill.insight.symmetries.table import v_range
from qdistill.insight.symmetries.trajectories import forecast_pair
from qdistill.physics import families, observables
from qdistill.system import System, rollout
from qdistill.teacher import Chebyshev, bounds_of

# Families of potentials that belong to the kind "barriers".
BARRIERS = ("barrier", "well")
# Mean position of packets at their first frame, in units of the box: shortly before potentials in
# the middle.
MEETING = 0.4
# The slowest packets of `baselines.sample_cases` need 0.14 a.u. per bohr of the box to get there.
LONGEST_FLIGHT = 0.16
# The lessons of the kinds of cases in a plane.
PLANE_KINDS = ("wall", "slit", "shape")
# On a line, potentials crossed with packets.
POTENTIALS, PACKETS = ("barriers", "other potentials"), ("superpositions", "single packets")


class Starts(NamedTuple):
    """The given frames of a pair of packets in each case, oldest first, with their potential."""

    given: Complex[Array, "n_case 2 n_given *n_x"]
    v: Num[Array, "n_case *n_x"]
    family: tuple[str, ...]


@explained
def sample_cases(
    key: Key[Array, ""],
    system: System,
    n_case: int,
    n_given: int,
    n_frames: int,
    symmetries: dict[str, Symmetry],
    lessons: tuple[str, ...] = (),
) -> tuple[Chebyshev, dict[str, Cases]]:
    """Return solved test cases by kind, and the exact solver.

    On a line, two kinds of potentials are crossed with two kinds of packets, so that their effects
    can be separated. The potentials are single barriers and wells, or the other families of
    `baselines.sample_cases`. The packets are superpositions of up to four packets anywhere, as in
    the lesson `barrier`, or single packets that have just reached the potential. Kinds with the
    same potentials or packets share these. In a plane the kinds are the lessons of walls, slits and
    shapes.

    Args:
      key: Random key.
      system: A linear system with real potentials on the points of the grid.
      n_case: Number of cases of each kind, at least 2.
      n_given: Number of given frames.
      n_frames: Number of frames that follow, at least 2.
      symmetries: Symmetries whose images of the potentials the exact solver must accept.
      lessons: Lessons that replace the kinds; required for a system of your own.

    Returns:
      The exact solver for all potentials and their images; and test cases by kind, in pairs: cases
      2 i and 2 i + 1 are two packets in one potential.

    Raises:
      ValueError: For fewer than 2 cases or frames, no given frame, a system with channels, or
        missing lessons.
    """
    require_at_least(2, n_case=n_case, n_frames=n_frames)
    require_at_least(1, n_given=n_given)
    lessons = _lessons(system, lessons)
    if lessons:
        keys = jax.random.split(key, len(lessons))
        starts = {
            lesson: _of_lesson(k, system, lesson, n_case, n_given)
            for k, lesson in zip(keys, lessons, strict=True)
        }
    else:
        starts = _crossed(key, system, n_case, n_given)
    if not all(np.all(np.isfinite(start.given)) for start in starts.values()):
        wanted = "one on which the packets are finite"
        refuse("system.grid", wanted, system.grid, "Take more points, or a larger box.")
    every_v = jnp.concatenate([start.v for start in starts.values()])
    exact = harness.solve_exactly(system, v_range(system, every_v, symmetries))
    return exact, {kind: solve_pairs(exact, start, n_frames) for kind, start in starts.items()}


@explained
def solve_pairs(exact: Chebyshev, starts: Starts, n_frames: int) -> Cases:
    """Return the solved test cases that begin with given frames of pairs."""
    require_each("case", len(starts.family), starts=starts._replace(family=()))
    require_finite(**{"starts.given": starts.given, "starts.v": starts.v})
    if exact.system.bounds is not None:
        low, high = exact.system.bounds
        require_between(low, high, **{"starts.v": np.array(bounds_of(exact.system, starts.v))})
    follow = jax.vmap(lambda given, v: forecast_pair(exact, given, v, n_frames))
    frames = follow(starts.given, starts.v)
    given, frames = (a.reshape(-1, *a.shape[2:]) for a in (starts.given, frames))
    names = tuple(name for name in starts.family for _ in range(2))
    return Cases(given, jnp.repeat(starts.v, 2, axis=0), frames, names)


def _lessons(system: System, lessons: tuple[str, ...]) -> tuple[str, ...]:
    """The lessons of the cases; none on a line, where potentials and packets are crossed."""
    require_no_channels(system)
    if lessons:
        return lessons
    if type(system).local is not System.local or system.grid.n_dim > 2:
        refuse("lessons", "given for this system", lessons, "Give names of its lessons.")
    return () if system.grid.n_dim == 1 else PLANE_KINDS


def _of_lesson(
    key: Key[Array, ""],
    system: System,
    lesson: str,
    n_case: int,
    n_given: int,
) -> Starts:
    psi, v = _sample_pairs(key, system, lesson, n_case)
    return Starts(_simulate(system, psi, v, n_given), v, (lesson,) * n_case)


@functools.partial(jax.jit, static_argnums=(1, 2, 3))
def _sample_pairs(
    key: Key[Array, ""], system: System, lesson: str, n_case: int
) -> tuple[Array, Array]:
    """Pairs of packets (n_case, 2, *n_x), and the potential of the first of each pair."""

    def sample(key: Key[Array, ""]) -> tuple[Array, Array]:
        psi, v = jax.vmap(lambda k: system.sample(lesson, k, 1.0))(jax.random.split(key))
        return psi, v[0]

    return jax.vmap(sample)(jax.random.split(key, n_case))


def _crossed(key: Key[Array, ""], system: System, n_case: int, n_given: int) -> dict[str, Starts]:
    """Both kinds of potentials with both kinds of packets."""
    key_v, key_packets = jax.random.split(key)
    every = tuple(families.FAMILIES)
    kinds = (BARRIERS, tuple(name for name in every if name not in BARRIERS))
    # The number of samples of each family, for the kind with fewer families.
    n_draw = -(-n_case // len(BARRIERS))
    single, v = _sample_families(jax.random.split(key_v, n_draw), system)
    of_kind = {
        kind: (names, *_of_families(names, n_case, single, v))
        for kind, names in zip(POTENTIALS, kinds, strict=True)
    }
    superposed, _ = _sample_pairs(key_packets, system, "barrier", n_case)
    # Both kinds have the same single packets; the partner is the packet of the next case.
    _, single, _ = of_kind[POTENTIALS[1]]
    pairs = jnp.stack([single, jnp.roll(single, 1, axis=0)], axis=1)
    # Backwards in time the reversed packets meet the potentials.
    pairs = jnp.conj(pairs) if system.dt < 0 else pairs
    # Packets of given energies are slower by the root of the mass.
    longest = LONGEST_FLIGHT * system.grid.lengths[0] * math.sqrt(system.grid.mass[0])
    n_flight = round(longest / abs(system.dt))
    meet = jax.vmap(jax.vmap(functools.partial(_meeting, system, n_given)))
    starts = {}
    for kind, (names, _, of_v) in of_kind.items():
        given = (
            _simulate(system, superposed, of_v, n_given),
            meet(_simulate(system, pairs, of_v, n_flight + n_given)),
        )
        family = tuple(names[i % len(names)] for i in range(n_case))
        for packet, frames in zip(PACKETS, given, strict=True):
            starts[f"{kind}, {packet}"] = Starts(frames, of_v, family)
    return starts


@functools.partial(jax.jit, static_argnums=1)
def _sample_families(keys: Key[Array, " n_key"], system: System) -> tuple[Array, Array]:
    """A packet and a potential of each family, for each key: (n_key, n_family, n_x)."""

    def one_of_each(key: Key[Array, ""]) -> tuple[Array, Array]:
        return baselines.sample_cases(key, system.grid, len(families.FAMILIES))[1:]

    return jax.vmap(one_of_each)(keys)


def _of_families(names: tuple[str, ...], n_case: int, psi: Array, v: Array) -> tuple[Array, Array]:
    """The first cases of some families, alternating."""
    chosen = np.array([list(families.FAMILIES).index(name) for name in names])
    return tuple(a[:, chosen].reshape(-1, a.shape[-1])[:n_case] for a in (psi, v))  # type: ignore[return-value]


def _simulate(
    system: System,
    psi: Array,
    v: Float[Array, "n_case *n_x"],
    n_frames: int,
) -> Complex[Array, "n_case 2 n_frames *n_x"]:
    """All frames, the first included."""
    local = jax.vmap(lambda v: system.local(v, 0.0, None))(v)
    bounds = min(0.0, float(local.min())), max(0.0, float(local.max()))
    return _fly(harness.solve_exactly(system, bounds), psi, v, n_frames)


@functools.partial(jax.jit, static_argnums=(0, 3))
def _fly(exact: Chebyshev, psi: Array, v: Array, n_frames: int) -> Array:
    """Frames of both packets in the potential of each case."""

    def fly(psi: Array, v: Array) -> Array:
        if n_frames == 1:
            return psi[None]
        return jnp.concatenate([psi[None], rollout(exact, psi[None], v, n_frames - 1)])

    return jax.vmap(jax.vmap(fly, (0, None)))(psi, v)


def _meeting(system: System, n_given: int, flight: Array) -> Array:
    """The number of frames until a packet in free flight arrives at the meeting point."""
    grid, psi = system.grid, flight[0]
    place = grid.origin[0] + MEETING * grid.lengths[0]
    distance = place - observables.position(grid, psi)
    time = distance * grid.mass[0] / observables.momentum(grid, psi)
    first = jnp.clip(jnp.round(time / system.dt), 0, len(flight) - n_given).astype(int)
    return jax.lax.dynamic_slice_in_dim(flight, first, n_given)
