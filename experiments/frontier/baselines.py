"""Non-learned baselines with few plane waves or few points, in any number of dimensions."""

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
from qdistill.teacher import SCHEMES, SplitStep
from qdistill.teacher.schemes import Scheme

STATIC = {"static": True}


@dataclasses.dataclass(frozen=True)
class _Baseline:
    """The common properties of all baselines: linear, without a history."""

    system: System = dataclasses.field(metadata=STATIC)

    n_history: ClassVar[int] = 1
    is_linear: ClassVar[bool] = True
    is_unitary: ClassVar[bool] = False
    is_differentiable: ClassVar[bool] = True


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Truncated(_Baseline):
    """A propagator that diagonalises the Hamiltonian between the waves of a band.

    Attributes:
      system: A linear, autonomous and Hermitian system without channels.
      band: The waves of the band.
      outer: Largest |k| in 1/bohr of the waves that are Loewdin-folded to second order; infinity
        takes all waves of the grid. With None the basis is truncated without folding.
      energy: Kinetic energy in hartree about which the folding expands.
    """

    band: Band = dataclasses.field(metadata=STATIC)
    outer: float | None = dataclasses.field(metadata=STATIC, default=None)
    energy: float = dataclasses.field(metadata=STATIC, default=7.0)

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state is the amplitudes of eigenstates."""
        v = self.system.local(v, 0.0, None)
        if self.outer is None:
            h = band.project(self.band, v)
        else:
            h = band.fold(self.band, v, self.energy, self.outer)
        return in_eigenbasis(self.band, h, self.system.dt)


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Projected(_Baseline):
    """A propagator with the exact frame projected on the waves of a band, as a matrix.

    Its only error is the part of psi that leaves the band within a frame. The frame is computed in
    a larger basis of waves, with the remaining waves Loewdin-folded, by diagonalisation.

    Attributes:
      system: A linear, autonomous and Hermitian system without channels.
      band: The waves of the band.
      outer: The larger basis of the exact frame.
    """

    band: Band = dataclasses.field(metadata=STATIC)
    outer: Band = dataclasses.field(metadata=STATIC)

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state is the coefficients of waves."""
        h = band.fold(self.outer, self.system.local(v, 0.0, None))
        energies, states, _ = diagonalise(h)
        rows, phases = states[self.outer.places(self.band)], energies * self.system.dt
        re, im = ((rows * f(phases)[None]) @ rows.T for f in (jnp.cos, jnp.sin))
        return over_waves(self.band, re - 1j * im)


@dataclasses.dataclass(frozen=True)
class Coarse(System):
    """A system on fewer points, with the kinetic energy of its waves on a fine grid.

    Attributes:
      fine: The fine grid, of the same box.
    """

    fine: Grid = dataclasses.field(default_factory=Grid)

    def kinetic(self, v: Potential, t: Scalar) -> Float[np.ndarray, "*n_x"]:
        """Return the kinetic energy of the waves on the fine grid."""
        waves = (np.rint(np.fft.fftfreq(n_x) * n_x).astype(int) for n_x in self.grid.shape)
        among = (k % n_x for k, n_x in zip(waves, self.fine.shape, strict=True))
        return self.fine.kinetic_energy()[np.ix_(*among)]


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class CoarseSplitStep(_Baseline):
    """The clamped split step on fewer points, with a low-passed potential.

    It is exact for free packets below the cap. Corrections of a scheme are those of the continuum,
    which leaves out a part of order (k dx)^2 where the fine grid is a lattice.

    Attributes:
      system: A linear and autonomous system without channels, on a line, square or cube.
      n_coarse: Points along an axis.
      n_substeps: Substeps per frame.
      kinetic_cap: Cap of the kinetic energy, in hartree.
      scheme: The scheme of a substep.
    """

    n_coarse: int = dataclasses.field(metadata=STATIC)
    n_substeps: int = dataclasses.field(metadata=STATIC)
    kinetic_cap: Scalar = math.inf
    scheme: Scheme = dataclasses.field(default=SCHEMES["strang"], metadata=STATIC)

    def __call__(self, v: Potential) -> Step:
        """The step of one potential; its state is psi on the coarse points."""
        fine = self.system.grid
        coarse = resampling.coarse_grid(fine, self.n_coarse)
        continuum = dataclasses.replace(coarse, dispersion="continuum")
        system = Coarse(continuum, self.system.dt, fine=fine)
        steps = SplitStep(system, self.n_substeps, self.kinetic_cap, self.scheme)
        inner = steps(resampling.low_pass(fine, coarse, self.system.local(v, 0.0, None)))

        def encode(frames: Complex[Array, "n_t *n_x"], n: Array) -> Complex[Array, "*n_c"]:
            return inner.encode(resampling.to_coarse(fine, coarse, frames[-1])[None], n)

        def decode(psi: Complex[Array, "*n_c"]) -> Complex[Array, "*n_x"]:
            return resampling.to_fine(fine, coarse, inner.decode(psi))

        return Step(encode, inner.advance, decode)
