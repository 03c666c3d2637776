"""Splittings of channels with all numbers traced: the solvers that students are compared with.

One frame is a substep K_n D_n ... K_1 D_1 K_0 of `qdistill.teacher.schemes` with gradients between
channels. There they are fixed; here shares, corrections, cap and duration are arrays, so that scans
of them share a program.
"""

import dataclasses
import itertools
from typing import Any, ClassVar, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from experiments.tully import passages as moving
from experiments.tully.passages import Model, Passages
from qdistill.physics.hamiltonian import apply
from qdistill.system import Step, System
from qdistill.teacher import SCHEMES, phase, schemes

# The correction of Takahashi and Imada, and that of a fourth-order scheme of two pairs, in units of
# h^2 / 24 of an equal substep.
TAKAHASHI_IMADA, FOURTH = -1.0, -4 / 3
# Substeps in a.u. over which solvers are scanned, up to a number of FFT pairs in 10 a.u.
SUBSTEPS, MOST = (80.0, 40.0, 20.0, 10.0, 5.0, 2.5), 4.0
# Best of these, on a part of the test itself, in favour of the solvers.
SHARES = (1 / 6, 0.19, 0.21, 0.25)
WEIGHTS = (0.0, TAKAHASHI_IMADA, FOURTH)
CAPS = (np.inf, 0.4, 0.25)
PART = slice(1, None, 3)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Traced:
    """A splitting as a propagator of one substep.

    Attributes:
      system: The system; its `dt` is not used.
      kicks: The a_j.
      drifts: The b_j.
      gradients: The c_j.
      h: Duration of the substep, the frame.
      cap: Largest kinetic energy, in hartree.
    """

    system: System = dataclasses.field(metadata={"static": True})
    kicks: Float[Array, " n_a"]
    drifts: Float[Array, " n_b"]
    gradients: Float[Array, " n_a"]
    h: Float[Array, ""]
    cap: Float[Array, ""]

    n_history: ClassVar[int] = 1
    is_linear: ClassVar[bool] = True
    is_unitary: ClassVar[bool] = True
    is_differentiable: ClassVar[bool] = True

    def __call__(self, v: Array) -> Step:
        """Return the step of one substep."""
        system = self.system
        omega = jnp.asarray(system.grid.kinetic_energy(), v.dtype)
        drifts = jnp.exp(-1j * self.h * jnp.outer(self.drifts, jnp.minimum(omega, self.cap)))
        square, angle = schemes.between_channels(system.grid, v)
        turn = phase(system, angle, -jnp.sum(self.gradients) * self.h**2)
        back = jnp.conj(jnp.swapaxes(turn, 0, 1))
        kicks = [
            jnp.einsum("ijx,jkx,klx->ilx", back, phase(system, matrix, self.h), turn)
            for matrix in (
                a * v + self.h**2 * c * square
                for a, c in zip(self.kicks, self.gradients, strict=True)
            )
        ]

        def advance(psi: Array) -> Array:
            psi = apply(kicks[0], psi)
            for kick, drift in zip(kicks[1:], drifts, strict=True):
                psi = apply(kick, jnp.fft.ifft(drift[None] * jnp.fft.fft(psi)))
            return psi

        return Step(
            lambda frames, n: apply(back, frames[-1]), advance, lambda psi: apply(turn, psi)
        )


def make(
    system: System,
    kicks: Any,
    drifts: Any,
    h: float,
    gradients: Any = 0.0,
    cap: float = np.inf,
) -> Traced:
    """Return a splitting; `gradients` is one number for all kicks, or one for each."""
    kicks, drifts = np.asarray(kicks, np.float32), np.asarray(drifts, np.float32)
    gradients = np.broadcast_to(np.float32(gradients), kicks.shape)
    arrays = (kicks, drifts, gradients, np.float32(h), np.float32(cap))
    return Traced(system, *map(jnp.asarray, arrays))


class Family(NamedTuple):
    """A splitting with a number of FFT pairs in a substep."""

    n_pairs: int
    kicks: tuple[float, ...]
    drifts: tuple[float, ...]
    gradients: tuple[float, ...]


def two_pairs(share: float, weight: float) -> Family:
    """Return two equal drifts, with a share of the end kicks, and a weight of the correction.

    The weight is in units of h^2 / 24 of the half substep, spread as the shares are.
    """
    shares = (share, 1 - 2 * share, share)
    return Family(2, shares, (0.5, 0.5), tuple(weight * s / 96 for s in shares))


def families() -> dict[str, Family]:
    """Return the splittings of the shelf that channels allow, by name."""
    strang, blanes = SCHEMES["strang"], SCHEMES["blanes-moan"]
    none = (0.0,) * len(blanes.kicks)
    return {
        "strang": Family(1, strang.kicks, strang.drifts, (0.0, 0.0)),
        "takahashi-imada": Family(1, strang.kicks, strang.drifts, (-1 / 48, -1 / 48)),
        "shares 1/6, 2/3, 1/6 and (V')^2": two_pairs(1 / 6, FOURTH),
        "blanes-moan": Family(6, blanes.kicks, blanes.drifts, none),
    }


def frames_of(model: Model, of: Passages, family: Family, h: float, cap: float = np.inf) -> Array:
    """Return the frames of a splitting with substeps of h, which divides the longest frame."""
    # One static duration for all h, so that they share a program.
    system = moving.system_of(model, 1.0)
    made = make(system, family.kicks, family.drifts, h, family.gradients, cap)
    return moving.evolve(made, of.psi, of.v, of.longest * round(moving.LONGEST / h))


def scan(model: Model, of: Passages, truth: Array) -> list[dict[str, Any]]:
    """Return the errors of every splitting of the shelf over substeps, with the cost of each.

    The cost is the number of FFT pairs in 10 a.u.
    """
    rows = []
    for name, family in families().items():
        for h in SUBSTEPS:
            if 10 * family.n_pairs / h > MOST:
                continue
            frames = frames_of(model, of, family, h)
            found = moving.compare(of, frames, truth, slice(-1, None))
            rows.append({
                "scheme": name,
                "h": h,
                "pairs in 10 a.u.": 10 * family.n_pairs / h,
                "final": found["final"],
                "probability": found["probability"],
            })  # fmt: skip
    return rows


def best_of_cost(model: Model, of: Passages, truth: Array, dt: float) -> dict[str, Any]:
    """Return the best splitting of two equal pairs a frame: shares, correction and cap.

    They are chosen by the median error over a third of the packets of the test, in favour of the
    splitting. Caps are tried where a half frame has a phase above pi.
    """
    part = of._replace(psi=of.psi[PART], longest=of.longest[PART])
    caps = CAPS if dt > 20 else CAPS[:1]
    tried = {}
    for cap, share, weight in itertools.product(caps, SHARES, WEIGHTS):
        frames = frames_of(model, part, two_pairs(share, weight), dt, cap)
        final = moving.compare(part, frames, truth[PART])["final"]
        tried[share, weight, cap] = float(np.median(final))
    choices = {
        "strang": (0.25, 0.0, np.inf),
        "takahashi-imada": (0.25, TAKAHASHI_IMADA, np.inf),
        "best": min(tried, key=lambda choice: tried[choice]),
    }
    found = {}
    for name, (share, weight, cap) in choices.items():
        frames = frames_of(model, of, two_pairs(share, weight), dt, cap)
        made = moving.compare(of, frames, truth)
        found[name] = {
            "share": share,
            "weight": weight,
            "cap": cap if np.isfinite(cap) else None,
            "median": float(np.median(made["final"])),
            "final": made["final"],
            "probability": made["probability"],
        }
    return found
