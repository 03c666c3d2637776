"""The one form of all students."""

from collections.abc import Callable
from typing import NamedTuple

from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import refuse, require_finite, require_real
from qdistill.teacher.solvers import Propagator


class Student(NamedTuple):
    """A student, as training, rollouts and every analysis see it.

    Its step has as state the last frames, oldest first, of shape (n_history, n_x), or one frame
    psi itself if n_history is 1; then it is used just like a teacher.

    Attributes:
      n_history: Frames that it needs.
      init: ``key -> params``.
      propagator: ``params -> Propagator``.
      forecast_window: ``(params, psi, v) -> psi of the next frame`` on one window, for
        students that are made of windows; else None.
      is_linear: Whether its step is linear in psi by construction.
    """

    n_history: int
    init: Callable[[Key[Array, ""]], PyTree]
    propagator: Callable[[PyTree], Propagator]
    forecast_window: (
        Callable[
            [PyTree, Complex[Array, "n_history n_window"], Float[Array, " n_window"]],
            Complex[Array, " n_window"],
        ]
        | None
    ) = None
    is_linear: bool = False

    def state(self, frames: Complex[Array, "n_t *n_x"]) -> Array:
        """The state after given frames, oldest first, of which the last `n_history` are used.

        Raises:
          ValueError: For fewer frames than that.
        """
        if len(frames) < self.n_history:
            refuse("frames", f"at least {self.n_history} frames", len(frames))
        return frames[-1] if self.n_history == 1 else frames[-self.n_history :]

    def psi(self, state: Array) -> Complex[Array, "*n_x"]:
        """The newest frame of a state."""
        return state if self.n_history == 1 else state[-1]


def from_propagator(propagator: Propagator) -> Student:
    """A solver, or any propagator, in the form of a student that has nothing to learn."""
    return Student(1, lambda key: {}, lambda params: propagator)


def require_line(v: Array, n_dim: int = 1) -> None:
    """Refuse a landscape that is not a line, or box, of finite real numbers."""
    require_real(v=v)
    require_finite(v=v)
    if v.ndim != n_dim:
        words = "one-dimensional" if n_dim == 1 else f"{n_dim}-dimensional"
        refuse("v", words, f"{v.ndim}-dimensional")
