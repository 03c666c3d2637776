"""Packets and potentials inside and outside the lessons, one property at a time."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.shelf import make_schemes
from qdistill._checks import require_at_least
from qdistill.forecast import baselines, cases, metrics
from qdistill.forecast.cases import Cases
from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import SplitStep

# Where the solvers' caps are optimised, and what is kept while another property varies: a packet of
# 4.5 hartree, 2.5 bohr wide, onto a barrier of 8 hartree.
USUAL = {"momentum": 3.0, "width": 2.5, "height": 8.0}
# Solvers with the FFT pairs of the emulators. At sharp edges the correction needs smoothing.
SOLVERS = {"clamped Strang": "strang", "Takahashi-Imada": "takahashi-imada, smoothed 0.1"}
# The same with the cap that is best on the cases of each value themselves.
OWN_CAP = ", own cap"
BASELINES = (*SOLVERS, *(name + OWN_CAP for name in SOLVERS))


@dataclasses.dataclass(frozen=True)
class Sweeps:
    """The values of each property, and the sizes of the test.

    In the lessons of all emulators momenta are below 4.7 per bohr, widths between 1 and 6 bohr, and
    heights below 15 hartree.

    Attributes:
      momentum: Mean momenta of the packet in 1/bohr.
      width: Widths of the packet in bohr.
      height: Heights of the barrier in hartree.
      n_case: Cases of each value, with different widths of barriers and distances.
      n_frames: Frames of a forecast.
      seed: Random seed of the cases.
    """

    momentum: tuple[float, ...] = (2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 10.0)
    width: tuple[float, ...] = (0.4, 0.6, 0.8, 1.0, 1.5, 2.5, 5.0, 8.0)
    height: tuple[float, ...] = (4.0, 8.0, 12.0, 15.0, 20.0, 30.0, 45.0, 60.0)
    n_case: int = 12
    n_frames: int = 60
    seed: int = 0

    def __post_init__(self) -> None:  # noqa: D105
        require_at_least(1, n_case=self.n_case, n_frames=self.n_frames)

    def make(self, system: System, name: str, value: float) -> Cases:
        """Return the solved cases of one value of a property; all values have the same draws."""
        rng, grid = np.random.default_rng((self.seed, 0)), system.grid
        psi, v = [], []
        for _ in range(self.n_case):
            thickness, distance = rng.uniform(2, 12), rng.uniform(8, 14)
            one = make_case(grid, USUAL | {name: value}, thickness, distance)
            psi.append(one[0])
            v.append(one[1])
        every_v = jnp.stack(v)
        solver = cases.exact(dataclasses.replace(system, bounds=None), every_v)
        return cases.simulate(solver, jnp.stack(psi), every_v, 1, self.n_frames)


def make_case(
    grid: Grid, of: Mapping[str, float], thickness: float, distance: float
) -> tuple[Complex[Array, " n_x"], Float[Array, " n_x"]]:
    """Return a packet that flies right onto a rectangular barrier in the middle of the box.

    Args:
      grid: One-dimensional.
      of: Momentum and width of the packet, and height of the barrier, in atomic units.
      thickness: Thickness of the barrier in bohr.
      distance: Distance from the packet to the middle of the barrier, in bohr.
    """
    middle = grid.middle[0]
    psi = packets.gaussian(grid, middle - distance, of["width"], of["momentum"])
    return psi, potentials.barrier(grid.positions(), of["height"], thickness, middle)


@jax.jit
def errors(propagator: Propagator, truth: Cases) -> Float[Array, " n_case"]:
    """Return the relative L2 error of each case, mean over its frames."""

    # Values are traced here, so a forecast outside the lessons gives no warning: it is meant.
    def error(given: Array, v: Array, frames: Array) -> Array:
        return jnp.mean(metrics.nrmse(rollout(propagator, given, v, frames.shape[0]), frames))

    return jax.vmap(error)(truth.given, truth.v, truth.frames)


def make_solvers(system: System, sweeps: Sweeps) -> dict[str, SplitStep]:
    """Return the solvers of two FFT pairs, each with its best cap on the usual cases."""
    usual = sweeps.make(system, "height", USUAL["height"])
    found = {}
    for name, label in SOLVERS.items():
        scheme, n_substeps = make_schemes(2)[label]
        caps, _ = baselines.best_clamped(system, n_substeps, usual, scheme)
        found[name] = SplitStep(system, n_substeps, caps["nrmse"], scheme)
    return found


def with_own_cap(solver: SplitStep, truth: Cases) -> Float[np.ndarray, " n_case"]:
    """Return the errors of a solver with the cap of the least median error on these cases."""
    caps = (phase * solver.n_substeps / solver.system.dt for phase in baselines.CAP_PHASES)
    tried = [dataclasses.replace(solver, kinetic_cap=jnp.asarray(cap, float)) for cap in caps]
    each = [np.asarray(errors(other, truth), float) for other in tried]
    return min(each, key=lambda row: float(np.median(row)))


def measure(
    ensembles: Mapping[str, Sequence[Propagator]],
    solvers: Mapping[str, SplitStep],
    system: System,
    sweeps: Sweeps,
) -> dict[str, Any]:
    """Return the errors of every training and case, by property, name and value.

    Args:
      ensembles: Emulators by name, one for each training.
      solvers: Solvers by name; each is also measured with its own cap for each value.
      system: Their system.
      sweeps: The properties and their values.
    """
    found: dict[str, Any] = {}
    for name in USUAL:
        values: tuple[float, ...] = getattr(sweeps, name)
        rows: dict[str, list] = {label: [] for label in (*ensembles, *BASELINES)}
        for value in values:
            truth = sweeps.make(system, name, value)
            fixed = {label: [solver] for label, solver in solvers.items()}
            each = {
                label: [np.asarray(errors(member, truth), float) for member in members]
                for label, members in {**ensembles, **fixed}.items()
            }
            for label, solver in solvers.items():
                each[label + OWN_CAP] = [with_own_cap(solver, truth)]
            for label, found_rows in each.items():
                # Three digits: the raw errors are many.
                rows[label].append([[float(f"{x:.3g}") for x in row] for row in found_rows])
        found[name] = {"values": list(values), "errors": rows}
    return found
