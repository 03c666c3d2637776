"""Non-learned baselines of few waves, or of few points, in any number of dimensions."""

import dataclasses
import math
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from experiments.frontier import resampling
from experiments.frontier.kernel import over_waves
from qdistill.physics import band
from qdistill.physics.band import Band
from qdistill.physics.eigenbasis import diagonalise
from qdistill.physics.grid import Grid, Scalar
from qdistill.students.effective import in_eigenbasis
from qdistill.system import Potential, Step, System
from qdistill.teacher import SplitStep

STATIC = {"static": True}


@dataclasses.dataclass(frozen=True)
class _Baseline:
    """What all have in common: linear, without a history."""

    system: System = dataclasses.field(metadata=STATIC)

    n_history: ClassVar[int] = 1
    is_linear: ClassVar[bool] = True
    is_unitary: ClassVar[bool] = False
    is_differentiable: ClassVar[bool] = True


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Truncated(_Baseline):
    """The Hamiltonian between the waves of a band, diagonalised.

    Attributes:
      system: Linear, autonomous and Hermitian, without channels.
      band: The waves that are kept.
      outer: Largest |k| in 1/bohr of the waves beyond, which are folded in to second order;
        infinity takes all that the grid holds. With None nothing is folded in.
      energy: Kinetic energy in hartree for which the fold is best.
    """

    band: Band = dataclasses.field(metadata=STATIC)
    outer: float | None = dataclasses.field(metadata=STATIC, default=None)
    energy: float = dataclasses.field(metadata=STATIC, default=7.0)

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state are amplitudes of eigenstates."""
        v = self.system.local(v, 0.0, None)
        if self.outer is None:
            h = band.project(self.band, v)
        else:
            h = band.fold(self.band, v, self.energy, self.outer)
        return in_eigenbasis(self.band, h, self.system.dt)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Projected(_Baseline):
    """The exact frame between the waves of a band, as a matrix.

    What leaves these waves within a frame is lost, and nothing else. The frame is that of more
    waves, with those beyond folded in, diagonalised.

    Attributes:
      system: Linear, autonomous and Hermitian, without channels.
      band: The waves that are kept.
      outer: The waves of the exact frame.
    """

    band: Band = dataclasses.field(metadata=STATIC)
    outer: Band = dataclasses.field(metadata=STATIC)

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state are coefficients of waves."""
        h = band.fold(self.outer, self.system.local(v, 0.0, None))
        energies, states, _ = diagonalise(h)
        rows, phases = states[self.outer.places(self.band)], energies * self.system.dt
        re, im = ((rows * f(phases)[None]) @ rows.T for f in (jnp.cos, jnp.sin))
        return over_waves(self.band, re - 1j * im)


@dataclasses.dataclass(frozen=True)
class Coarse(System):
    """A system on fewer points, whose waves have the kinetic energy that they have on a fine grid.

    Attributes:
      fine: The fine grid, of the same box.
    """

    fine: Grid = dataclasses.field(default_factory=Grid)

    def kinetic(self, v: Potential, t: Scalar) -> Float[np.ndarray, "*n_x"]:
        """The fine grid's, of the waves that the points hold."""
        waves = (np.rint(np.fft.fftfreq(n_x) * n_x).astype(int) for n_x in self.grid.shape)
        among = (k % n_x for k, n_x in zip(waves, self.fine.shape, strict=True))
        return self.fine.kinetic_energy()[np.ix_(*among)]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class CoarseSplitStep(_Baseline):
    """The clamped split step on fewer points, with the potential low-passed.

    Free packets below the cap are exact.

    Attributes:
      system: Linear and autonomous, without channels, in a line, square or cube.
      n_coarse: Points along an axis.
      n_substeps: Substeps per frame.
      kinetic_cap: In hartree.
    """

    n_coarse: int = dataclasses.field(metadata=STATIC)
    n_substeps: int = dataclasses.field(metadata=STATIC)
    kinetic_cap: Scalar = math.inf

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state is psi on the coarse points."""
        fine = self.system.grid
        coarse = resampling.coarse_grid(fine, self.n_coarse)
        system = Coarse(coarse, self.system.dt, fine=fine)
        steps = SplitStep(system, self.n_substeps, self.kinetic_cap)
        inner = steps(resampling.low_pass(fine, coarse, self.system.local(v, 0.0, None)))

        def encode(frames: Complex[Array, "n_t *n_x"], n: Array) -> Complex[Array, "*n_c"]:
            return inner.encode(resampling.to_coarse(fine, coarse, frames[-1])[None], n)

        def decode(psi: Complex[Array, "*n_c"]) -> Complex[Array, "*n_x"]:
            return resampling.to_fine(fine, coarse, inner.decode(psi))

        return Step(encode, inner.advance, decode)
