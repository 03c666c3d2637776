"""Propagators with a planted fault, made of a function."""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax

from qdistill.system import Step, System


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Planted:
    """A propagator made of ``make(v) -> (psi -> psi)``.

    With several frames of history the step is from the frames to the frames, oldest first.
    """

    system: System = dataclasses.field(metadata={"static": True})
    make: Callable[[Any], Callable[[Any], Any]] = dataclasses.field(metadata={"static": True})
    n_history: int = dataclasses.field(default=1, metadata={"static": True})

    is_linear: ClassVar[bool] = False
    is_unitary: ClassVar[bool] = False
    is_differentiable: ClassVar[bool] = True

    def __call__(self, v: Any) -> Step:
        """The step of one potential."""
        step = self.make(v)
        if self.n_history == 1:
            return Step(lambda frames, n: frames[-1], step, lambda psi: psi)
        return Step(lambda frames, n: frames, step, lambda frames: frames[-1])
