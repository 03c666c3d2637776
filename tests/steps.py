"""One frame and many of any propagator, and how far they are from what was expected."""

import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

from qdistill.physics import packets, potentials
from qdistill.physics.grid import Grid
from qdistill.system import Propagator, System, rollout
from qdistill.teacher import Chebyshev, chebyshev, split_step

# As precise as a test asks of them: split steps are exact to second order in dt / 20.
SOLVERS: dict[str, Callable[[System], Propagator]] = {
    "split_step": lambda system: split_step(system, n_substeps=20),
    "chebyshev": lambda system: chebyshev(system, 1e-12),
}


def one(propagator: Propagator, v: Any) -> Callable[[Any], Any]:
    """The function ``psi -> psi one frame later``."""
    return jax.jit(lambda psi: rollout(propagator, psi[None], v, 1)[0])


@functools.partial(jax.jit, static_argnames=("n_frames", "every"))
def roll(propagator: Propagator, frames: Any, v: Any, n_frames: int, every: int = 1) -> jax.Array:
    """`rollout` as one program: it compiles much faster than its operations one by one."""
    return rollout(propagator, frames, v, n_frames, every=every)


def evolve(propagator: Propagator, v: Any, psi: Any, n_frames: int) -> jax.Array:
    """Psi a number of frames later."""
    # Without bounds, Chebyshev's solver has to know the potential.
    is_known = isinstance(propagator, Chebyshev) and propagator.system.bounds is None
    run = rollout if is_known else roll
    return run(propagator, psi[None], v, n_frames, every=n_frames)[0]


def relative_error(psi: Any, expected: Any) -> float:
    """|psi - expected| / |expected|."""
    expected = np.asarray(expected)
    return float(np.linalg.norm(np.asarray(psi) - expected) / np.linalg.norm(expected))


def box(dispersion: str = "lattice") -> Grid:
    """A small line."""
    return Grid(128, 20.0, dispersion)


def smooth_problem(grid: Grid, momentum: float = 2.0) -> tuple[jax.Array, jax.Array]:
    """A smooth potential of the small line, and a packet that flies onto it."""
    x = grid.positions()
    v = potentials.quadratic(x, 4.0, 9.0, 11.0) - potentials.half_circle(x, 2.0, 6.0, 5.0)
    return v, packets.gaussian(grid, centre=7.0, width=1.0, momentum=momentum)
