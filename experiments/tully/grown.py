"""A learned splitting for long frames, that begins as what was learned of shorter ones."""

import dataclasses
import functools
import pathlib

import jax
import jax.numpy as jnp
from jaxtyping import Array, Key, PyTree

from qdistill.runs import folder
from qdistill.students import Splitting, UnitaryConfig
from qdistill.system import System


@dataclasses.dataclass(frozen=True)
class GrownConfig(UnitaryConfig, name="unitary-grown"):
    """As `UnitaryConfig`, but it begins as the student of a run with shorter frames.

    From scratch, the phases of frames of 40 a.u. and more wrap before they are right.

    Attributes:
      grown_from: Folder of that run.
    """

    grown_from: str = ""

    def build(self, system: System) -> "Grown":
        """Return the student of this form, a `Grown`."""
        return Grown(self, system)


class Grown(Splitting):
    """A student whose first kinetic phases are those of a shorter frame, times the ratio."""

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return the parameters of the run, with slopes of the longer frame."""
        del key
        assert isinstance(self.form, GrownConfig)
        dt, params = _learned(self.form.grown_from)
        ratio = self.system.dt / dt
        longer = {name: ratio * jnp.asarray(params[name]) for name in ("slope", "offset")}
        return jax.tree.map(jnp.asarray, params) | longer


@functools.cache
def _learned(place: str) -> tuple[float, PyTree]:
    """The duration of a frame and the parameters of a run, as NumPy arrays."""
    with jax.ensure_compile_time_eval():
        made = folder.load(pathlib.Path(place))
        return made.system.dt, jax.device_get(made.params)
