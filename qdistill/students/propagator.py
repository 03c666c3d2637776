"""A student with few points and long frames: the frame of a learned effective Hamiltonian."""

import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import refuse, require_between, require_positive, require_shape
from qdistill.physics import band as projection
from qdistill.physics.grid import Grid
from qdistill.students import effective, plane_effective
from qdistill.students.base import Student
from qdistill.students.effective import PropagatorConfig
from qdistill.teacher.solvers import Propagator, Step


def make(config: PropagatorConfig, grid: Grid, dt: float) -> Student:
    """The student of a learned effective Hamiltonian.

    Its step takes psi on the fine grid, and gives it there; what lies beyond the band is dropped by
    the first step (`resampling.require_within_band` refuses a psi with much of it). It is linear,
    unitary on the band, has a constant in v as a phase, the mirror symmetry and time reversal, and
    two frames are one of twice the length. It runs on a periodic line, or square box, of any number
    of points with the spacing of the grid; what it learned on lines it knows on planes.

    Args:
      config: Its form.
      grid: A line or a square box.
      dt: Duration of a frame, in atomic units.

    Raises:
      ValueError: For another grid, more coarse points than it has, or in a box for more fields
        than a potential and a mass.
    """
    if grid.n_dim == 2:
        plane_effective.require_plane(config, grid)
    elif grid.n_dim != 1:
        refuse("grid", "a line or a square box for this student", grid)
    require_between(4, grid.shape[0], n_coarse=config.n_coarse)
    require_positive(dt=dt)

    def init(key: Key[Array, ""]) -> PyTree:
        del key  # It starts from what is known: the projected Hamiltonian.
        return {"weights": jnp.zeros((config.n_fields, config.n_terms), float)}

    def propagator(params: PyTree) -> Propagator:
        def make_step(v: Float[Array, "*n_x"]) -> Step:
            form = effective if grid.n_dim == 1 else plane_effective
            waves = form.waves(config, grid, params, v)
            frame = projection.frame(waves.hamiltonian, dt)

            def step(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
                require_shape(v.shape, psi=psi)
                return waves.psi(frame @ waves.coefficients(psi))

            return step

        return make_step

    return Student(1, init, propagator, is_linear=True)
