"""A learned splitting in which each channel has kinetic phases and strengths of its own."""

import dataclasses

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from qdistill.physics.hamiltonian import apply
from qdistill.students import Splitting, UnitaryConfig
from qdistill.students.unitary import SplittingPhases
from qdistill.system import Potential, Step, System
from qdistill.teacher import phase


@dataclasses.dataclass(frozen=True)
class ApartConfig(UnitaryConfig, name="unitary-apart"):
    """As `UnitaryConfig`, without what that builds in about two channels.

    Each channel has its own b_j(k), and both entries on the diagonal and the coupling have learned
    strengths, zero at the start. So neither equal masses, nor that V acts in full, nor that a
    change of basis has no effect is built in.
    """

    def build(self, system: System) -> "Apart":
        """Return the student of this form, an `Apart`."""
        return Apart(self, system)


class Apart(Splitting):
    """A student that is a learned splitting with two sets of phases."""

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return the parameters of two splittings, and three strengths."""
        first = super().init(key)
        kinetic = {name: leaf for name, leaf in first.items() if name != "landscape"}
        return first | {"second": kinetic, "strength": jnp.zeros(3, float)}

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return the step: kicks and drifts alternate."""
        shape, method = self.system.grid.shape, SplittingPhases.kinetic_phases
        one = {name: params[name] for name in ("landscape", *params["second"])}
        other = one | params["second"]
        of_k = [self.network.apply({"params": p}, shape, method=method) for p in (one, other)]
        drifts = jnp.exp(-1j * jnp.stack([jnp.asarray(each) for each in of_k], axis=1))
        first, second, coupling = params["strength"]
        strengths = jnp.stack([jnp.stack([first, coupling]), jnp.stack([coupling, second])])
        of_x, _ = self.network.apply({"params": one}, strengths[..., None] * v)
        kicks = jax.vmap(lambda each: phase(self.system, each, 1.0))(of_x)

        def advance(psi: Array) -> Array:
            psi = apply(kicks[0], psi)
            for turn, drift in zip(kicks[1:], drifts, strict=True):
                psi = apply(turn, jnp.fft.ifft(drift * jnp.fft.fft(psi)))
            return psi

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)
