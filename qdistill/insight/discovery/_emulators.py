"""A law as a propagator: an emulator distilled from recorded frames."""

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from qdistill._doors import as_floating
from qdistill._refusals import explained
from qdistill.insight.discovery import _generators as generators
from qdistill.insight.discovery import _selection
from qdistill.insight.discovery._generators import Model, Parameters
from qdistill.insight.discovery._recordings import Recording, places
from qdistill.insight.discovery._terms import (
    COUPLING,
    CROWDING,
    DENSITY,
    DRIVE,
    FIELDS,
    NONLOCAL,
    UNKNOWN,
    Ranges,
    fields,
    splines,
)
from qdistill.system import Potential, Step, System


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class LawEmulator:
    """The propagator of a law, for any potential on the grid of its recording.

    It holds where the recording was. Beyond, functions of x and t are zero, f(V) is constant, and
    g(|psi|^2) is extrapolated. The first recorded frame is that of index 0.

    Attributes:
      system: Grid and frame of the recording.
      ranges: Ranges of the arguments of functions.
      n_substep: Substeps of a frame.
      is_linear: Whether no term depends on |psi|^2.
      is_unitary: Whether the law has neither losses nor a nonlocal term, whose exponential is cut
        at the second order.
      parameters: The coefficients.
    """

    system: System = dataclasses.field(metadata={"static": True})
    ranges: Ranges = dataclasses.field(metadata={"static": True})
    n_substep: int = dataclasses.field(metadata={"static": True})
    is_linear: bool = dataclasses.field(metadata={"static": True})
    is_unitary: bool = dataclasses.field(metadata={"static": True})
    parameters: Parameters

    n_history: ClassVar[int] = 1
    is_differentiable: ClassVar[bool] = True

    @property
    def usual(self) -> "LawEmulator":
        """The propagator of k^2 / 2 + V alone, with the same substeps."""
        given, k = self.parameters, np.abs(self.system.grid.wavenumbers())
        bare = {name: np.zeros_like(each) for name, each in given.items()}
        bare["local"][FIELDS.index(COUPLING)] = 1
        bare["energies"] = np.asarray(k**2 / 2, given["energies"].dtype)
        return dataclasses.replace(self, is_linear=True, is_unitary=True, parameters=bare)

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential."""
        grid, dt = self.system.grid, self.system.dt
        v, k = as_floating(v), grid.odd_wavenumbers()
        slope = jnp.fft.ifft(1j * k * jnp.fft.fft(v)).real
        local = fields(jnp, self.ranges, jnp.asarray(places(grid), v.dtype), v, slope)
        top = self.ranges.density[1]
        # In the precision of the states that it moves, not of the recording.
        local = local.astype(jnp.result_type(v.dtype, jnp.complex64))
        parameters = jax.tree.map(lambda each: jnp.asarray(each, v.dtype), self.parameters)

        def advance(state: tuple[Array, Array]) -> tuple[Array, Array]:
            psi, n = state
            now = splines(jnp, self.ranges.t, UNKNOWN[DRIVE].n, (n + jnp.arange(2)) * dt).T
            numbers = (jnp.asarray(each, v.dtype) for each in (k, dt, top, now[None]))
            settings = generators.Settings(*numbers)
            later = generators.advance(
                parameters, psi, settings.weights[0], local, v, settings, self.n_substep
            )
            return later, n + 1

        return Step(lambda frames, n: (frames[-1], n), advance, lambda state: state[0])


def make_emulator(recording: Recording, model: Model) -> LawEmulator:
    """Return the propagator of a model."""
    units = _selection.units(model)
    parameters = generators.parameters_of(recording, model)
    return LawEmulator(
        System(recording.grid, recording.dt),
        recording.ranges,
        recording.n_substep,
        not {DENSITY, CROWDING} & set(units),
        not any(unit == NONLOCAL or unit.startswith("-i") for unit in units),
        parameters,
    )
