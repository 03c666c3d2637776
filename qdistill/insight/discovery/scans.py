"""Search for discrete and antiunitary symmetries of a propagator in one potential.

An operation S is a symmetry of the evolution U if U S = S U, and an antiunitary one, which reverses
time, if U S U = S. The violation is the norm of the difference on several packets. Its unit is
|U psi - psi| |S psi - psi|, up to phases, so that neither an evolution that does nothing nor an
operation that does nothing counts as kept. All operations of a family are scanned, the local minima
refined by Gauss-Newton steps, and a gap to the spread of the family decides.

Packets must break the symmetry themselves, as random ones do, and meet the potential. Operations
that leave all packets as they are, up to a phase, are not decided, and are listed apart.
"""

import functools
from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import refuse, require_at_least, require_complex, require_finite
from qdistill._doors import require_potential
from qdistill._refusals import explained
from qdistill.insight.discovery._evolutions import Evolve, evolved, require_like
from qdistill.insight.discovery.charges import LARGEST, count
from qdistill.insight.discovery.operations import Family, candidates
from qdistill.system import Potential, Propagator, rollout

# From parameters of some operations to one number and one row of differences for each.
Measure: TypeAlias = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]

# States that are propagated at once.
N_AT_ONCE = 32
# Local minima below this share of the median are refined, at most so many, in so many steps.
LOW, N_MINIMUM, N_STEP = 0.7, 32, 5
# Step of derivatives, in units of the scanned distance.
NUDGE = 0.1
# Two operations whose images differ by less than this, up to a phase, are the same.
SAME = 0.1
# Smallest motion of the packets, and smallest change of them by an operation that is decided.
STILL, UNMOVED = 1e-3, 0.01


class Found(NamedTuple):
    """The symmetries of one family, the best kept first.

    Attributes:
      parameters: Parameters of the refined minima.
      violations: Their violations, in units of the motion and of what the operation does.
      n_found: Number of symmetries among them.
      is_whole: Whether all operations of the family are symmetries; then none is listed.
      scanned: Parameters of all candidates.
      spread: Their violations, NaN where they leave all packets as they are.
      undecided: Parameters of operations under which all packets are symmetric themselves, one row
        each: these packets do not tell whether they are symmetries.
    """

    parameters: Float[np.ndarray, "n n_parameter"]
    violations: Float[np.ndarray, " n"]
    n_found: int
    is_whole: bool
    scanned: Float[np.ndarray, "n_candidate n_parameter"]
    spread: Float[np.ndarray, " n_candidate"]
    undecided: Float[np.ndarray, "n_undecided n_parameter"]


@explained
def follow(propagator: Propagator, v: Potential, n_frames: int) -> Evolve:
    """Return the function that advances given frames by a number of frames in one potential.

    Args:
      propagator: The propagator; it needs `n_history` given frames.
      v: Potential.
      n_frames: Number of frames, at least `n_history`.

    Raises:
      ValueError: For a potential that is not of the system. The function that is returned refuses
        frames that are not of the system, fewer than `n_history`, or more than `n_frames`.
    """
    require_at_least(max(1, propagator.n_history), n_frames=n_frames)
    require_potential(propagator.system, v)
    shape, least = propagator.system.shape, propagator.n_history
    # Without config and score, so that several trainings share one program.
    bare = jax.tree.map(lambda leaf: leaf, propagator)

    def evolve(frames: Array | np.ndarray) -> np.ndarray:
        wanted = f"(n_packet, n_given, {', '.join(map(str, shape))})"
        if np.shape(frames)[2:] != shape or not len(frames):
            refuse("frames", f"of shape {wanted}", f"of shape {np.shape(frames)}")
        if not least <= frames.shape[1] <= n_frames:
            words = f"{least} to {n_frames} given frames of each packet"
            refuse("frames", words, frames.shape[1])
        parts = []
        for start in range(0, len(frames), N_AT_ONCE):
            part = np.asarray(frames[start : start + N_AT_ONCE])
            # All batches are full, so that one program is compiled.
            rest = [part[:1]] * (N_AT_ONCE - len(part))
            full = jnp.asarray(np.concatenate([part, *rest]))
            parts.append(np.asarray(_follow(bare, n_frames, full, v))[: len(part)])
        return np.concatenate(parts)

    return evolve


@functools.partial(jax.jit, static_argnums=1)
def _follow(propagator: Propagator, n_frames: int, given: Array, v: Potential) -> Array:
    n = given.shape[1]

    def one(frames: Array) -> Array:
        later = rollout(propagator, frames, v, n_frames)
        return later[n_frames - n :]

    return jax.vmap(one)(given)


@explained
def find_symmetries(
    family: Family, evolve: Evolve, frames: Complex[Array | np.ndarray, "n_packet n_given *n_x"]
) -> Found:
    """Return the operations of a family that are symmetries of an evolution.

    A symmetry is violated by less than 0.05 of the median of the family, and the next minimum is at
    least 5 times larger: see `count`. If no candidate is violated by 0.05, the whole family is
    kept, as shifts are in empty space. An operation that changes the packets by less than 0.01 of
    their norm, up to phases, is `undecided`.

    Args:
      family: The family of operations.
      evolve: The evolution, such as the result of `follow`.
      frames: Given frames of at least two packets, oldest first.

    Raises:
      ValueError: For packets that do not move, frames that are not finite, and an evolution or
        operations that return another shape.
    """
    require_complex("n_packet n_given *n_x", frames=frames)
    require_at_least(2, n_packet=len(frames))
    require_at_least(1, n_given=frames.shape[1])
    require_finite(frames=frames)
    scanned = candidates(family)
    scan = _Scan(family, evolve, np.asarray(frames))
    moved = scan.move(scanned)[0]
    is_decided = moved > UNMOVED
    spread = np.where(is_decided, scan.measure(scanned)[0], np.nan)
    none, undecided = (scanned[:0], spread[:0]), scan.undecided(scanned, moved)
    if not family.scanned:
        n_found = int(np.sum(spread < LARGEST))
        return Found(scanned, spread, n_found, False, scanned, spread, undecided)
    if not is_decided.any() or np.nanmax(spread) < LARGEST:
        return Found(*none, 0, bool(is_decided.any()), scanned, spread, undecided)
    middle = float(np.nanmedian(spread))
    start = scanned[_minima(family, spread, LOW * middle)]
    at, violations = scan.without_twins(*scan.refine(start, scan.measure))
    n_found = count(np.append(np.minimum(violations, middle), middle) / middle)
    return Found(at, violations, min(n_found, len(at)), False, scanned, spread, undecided)


def _minima(family: Family, spread: np.ndarray, highest: float) -> np.ndarray:
    """Indices of the lowest local minima of a scan, best first; NaN is none."""
    spread = np.where(np.isnan(spread), np.inf, spread)
    grid = spread.reshape([len(axis) for axis in family.scanned])
    padded = np.pad(grid, 1, constant_values=np.inf)
    around = np.lib.stride_tricks.sliding_window_view(padded, (3,) * grid.ndim)
    lowest = around.reshape(*grid.shape, -1).min(axis=-1)
    places = np.flatnonzero((grid <= lowest).ravel() & (spread <= highest))
    return places[np.argsort(spread[places], kind="stable")][:N_MINIMUM]


class _Scan:
    """The violations of the operations of one family."""

    def __init__(self, family: Family, evolve: Evolve, frames: np.ndarray) -> None:
        self.evolve, self.frames, self.after = evolve, frames, evolved(evolve, frames)
        if not np.all(np.isfinite(self.after)):
            refuse("evolve", "an evolution whose frames are finite", "one that diverges")
        self.motion = _distance(self.after[:, -1], frames[:, -1])
        if not self.motion > STILL:
            refuse("frames", "packets that move", f"moved by {self.motion:.1g} of their norm")
        self.family = family
        psi, at = frames[0, 0], np.zeros(len(family.scanned), frames.real.dtype)
        require_like("family.operate", "psi", jax.eval_shape(family.operate, psi, at), psi.shape)
        widths = [np.ptp(axis) / max(len(axis) - 1, 1) for axis in family.scanned]
        self.step = np.array(widths)
        over_time = jax.vmap(family.operate, (0, None))
        over_packets = jax.vmap(over_time, (0, None))
        # Not jitted: every search would be compiled anew.
        self.operate = jax.vmap(over_packets, (None, 0))

    def images(self, frames: np.ndarray, parameters: np.ndarray) -> np.ndarray:
        """The images of all packets by all operations, (n, n_packet, n_t, *n_x)."""
        real = frames.real.dtype
        return np.asarray(self.operate(jnp.asarray(frames), jnp.asarray(parameters, real)))

    def measure(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The violations of some operations, and the differences, one row for each operation."""
        frames, after = self.frames, self.after
        if self.family.is_antiunitary:
            frames, after = after[:, ::-1], frames[:, ::-1]
        given, wanted = self.images(frames, parameters), self.images(after[:, -1:], parameters)
        later = evolved(self.evolve, given.reshape(-1, *given.shape[2:]))
        rest = later[:, -1].reshape(wanted[:, :, 0].shape) - wanted[:, :, 0]
        rows = rest.reshape(len(parameters), -1) / np.linalg.norm(self.frames[:, -1])
        moved = self.move(parameters)[0]
        unit = self.motion * np.maximum(moved, np.finfo(rows.real.dtype).tiny)
        return np.linalg.norm(rows, axis=1) / unit, rows

    def move(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return how far operations move the packets, up to phases, and the differences."""
        psi = self.frames[:, -1]
        images = self.images(self.frames[:, -1:], parameters)[:, :, 0]
        overlap = np.sum(images.conj() * psi, axis=tuple(range(2, images.ndim)), keepdims=True)
        turned = images * np.exp(1j * np.angle(overlap)).astype(images.dtype)
        rows = (turned - psi).reshape(len(parameters), -1) / np.linalg.norm(psi)
        return np.linalg.norm(rows, axis=1), rows

    def undecided(self, scanned: np.ndarray, moved: np.ndarray) -> np.ndarray:
        """The operations that leave all packets as they are; the identity is not among them."""
        if not self.family.scanned:
            return scanned[moved <= UNMOVED]
        start = scanned[_minima(self.family, moved, LOW * float(np.median(moved)))]
        found: list[np.ndarray] = []
        # Shifts by nothing are a whole step away from those that are scanned.
        for at, size, begin in zip(*self.refine(start, self.move), start, strict=True):
            is_near = np.all(np.abs(at - begin) <= 0.6 * self.step)
            is_new = all(np.any(np.abs(at - each) > NUDGE * self.step) for each in found)
            if size <= UNMOVED and is_near and is_new:
                found.append(at)
        return np.array(found).reshape(len(found), scanned.shape[1])

    def refine(self, start: np.ndarray, measure: Measure) -> tuple[np.ndarray, np.ndarray]:
        """The best operations near some of them, and what is measured of them."""
        at, (n, n_parameter) = start.copy(), start.shape
        best, lowest = start.copy(), np.full(n, np.inf)
        nudges = np.concatenate(
            [np.zeros((1, n_parameter)), *(s * np.eye(n_parameter) for s in (1, -1))]
        )
        for _ in range(N_STEP if n else 0):
            tried = at[:, None] + NUDGE * self.step * nudges
            violations, rows = measure(tried.reshape(-1, n_parameter))
            violations = violations.reshape(n, -1)[:, 0]
            rows = rows.reshape(n, len(nudges), -1)
            is_better = violations < lowest
            best[is_better], lowest[is_better] = at[is_better], violations[is_better]
            ahead, back = rows[:, 1 : n_parameter + 1], rows[:, n_parameter + 1 :]
            slopes = (ahead - back) / (2 * NUDGE)
            gram = np.einsum("nix,njx->nij", slopes.conj(), slopes).real
            gram += 1e-6 * np.trace(gram, axis1=1, axis2=2)[:, None, None] * np.eye(n_parameter)
            force = np.einsum("nix,nx->ni", slopes.conj(), rows[:, 0]).real
            by = -np.linalg.solve(gram, force[..., None])[..., 0]
            at = at + np.clip(by, -1, 1) * self.step
        return best, lowest

    def without_twins(
        self, at: np.ndarray, violations: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """The decided operations that differ in what they do, in the order of their violations."""
        order = np.argsort(violations, kind="stable")
        order = order[self.move(at[order])[0] > UNMOVED] if len(order) else order
        at, violations = at[order], violations[order]
        kept: list[int] = []
        images = self.images(self.frames[:, -1:], at)
        for i, image in enumerate(images):
            if all(_distance(image, images[j]) > SAME for j in kept):
                kept.append(i)
        return at[kept], violations[kept]


def _distance(first: np.ndarray, second: np.ndarray) -> float:
    """The distance of packets up to a phase of each, relative to the norm of the second ones."""
    a, b = (each.reshape(len(each), -1).astype(np.complex128) for each in (first, second))
    overlap = np.abs(np.sum(a.conj() * b, axis=1))
    squares = np.sum(np.abs(a) ** 2 + np.abs(b) ** 2, axis=1) - 2 * overlap
    return float(np.sqrt(np.maximum(squares, 0).sum() / np.sum(np.abs(b) ** 2)))
