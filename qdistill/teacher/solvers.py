"""The teachers: two solvers of the time-dependent Schroedinger equation.

Both turn a landscape into a step, ``v -> (psi -> psi one frame later)``, and solve
i dpsi/dt = [omega(-i grad) + v] psi with the dispersion omega of the grid, so that on
one grid they converge to the same answer. `split_step` is the simple one, second order
in the substep; `chebyshev` has the error that it is asked to have. `dense` makes one matrix of
either's frame.
"""

import math
from collections.abc import Callable
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import (
    is_known,
    refuse,
    require_at_least,
    require_finite,
    require_positive,
    require_real,
    require_shape,
)
from qdistill.physics.grid import Grid, Scalar
from qdistill.teacher import expansion

Step: TypeAlias = Callable[[Array], Array]
Propagator: TypeAlias = Callable[[Array], Step]


def split_step(
    grid: Grid, dt: float, n_substeps: int, kinetic_cap: Scalar | None = None
) -> Propagator:
    """Strang splitting: exp(-i v h/2) F^-1 exp(-i omega(k) h) F exp(-i v h/2), h = dt / n_substeps.

    Each substep is one pair of FFTs. The method is second order in h, unitary to
    rounding, and reversible: a negative `dt` undoes a positive one.

    Args:
      grid: Where psi lives, and its dispersion.
      dt: Duration of a frame, in atomic units (1 a.u. = 24.19 as).
      n_substeps: Substeps per frame.
      kinetic_cap: Replace omega(k) by min(omega(k), kinetic_cap), in hartree. It moves the
        resonance away, so that few substeps do, at the price of a wrong energy of the fast waves
        that a sharp edge makes. For a smooth enough psi, about 2 / h is best.

    Raises:
      ValueError: If h reaches the splitting's first resonance, max(omega) |h| >= 2 pi, where
        the splitting is not coarse but wrong; the message says how many substeps are needed.
        A traced cap is not looked at.

    >>> grid = Grid(64, 10.0)
    >>> step = split_step(grid, dt=0.1, n_substeps=4)(jnp.zeros(64))
    >>> step(jnp.ones(64, jnp.complex64)).shape
    (64,)
    """
    _require_duration(dt)
    require_at_least(1, n_substeps=n_substeps)
    kinetic = grid.kinetic_energy()
    if kinetic_cap is not None:
        require_positive(kinetic_cap=kinetic_cap)
        kinetic = (np if is_known(kinetic_cap) else jnp).minimum(kinetic, kinetic_cap)
    n_needed = int(kinetic.max() * abs(dt) / (2 * np.pi)) + 1 if is_known(kinetic) else 1
    if n_substeps < n_needed:
        refuse(
            "n_substeps",
            f"at least {n_needed} on this grid with dt = {dt:g}",
            n_substeps,
            "The largest kinetic phase of a substep must stay below 2 pi.",
        )
    h = dt / n_substeps
    kinetic_phase = (np if is_known(kinetic) else jnp).exp(-1j * kinetic * h)

    def propagator(v: Float[Array, "*n_x"]) -> Step:
        _require_landscape(grid, v)
        half_kick = jnp.exp(-0.5j * h * v)
        full_kick = jnp.exp(-1j * h * v)
        drift_phase = jnp.asarray(kinetic_phase, half_kick.dtype)

        def drift(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
            return jnp.fft.ifftn(drift_phase * jnp.fft.fftn(psi))

        def step(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
            _require_state(grid, v, psi)
            psi = jax.lax.fori_loop(
                0, n_substeps - 1, lambda _, psi: full_kick * drift(psi), half_kick * psi
            )
            return half_kick * drift(psi)

        return step

    return propagator


def chebyshev(
    grid: Grid,
    dt: float,
    tolerance: float = 1e-6,
    v_range: tuple[float, float] | None = None,
) -> Propagator:
    """Chebyshev expansion of exp(-i H dt), to a stated truncation error per frame.

    With H = E + R h, where h has its spectrum in [-1, 1],
    exp(-i H dt) = exp(-i E dt) sum_n (2 - delta_n0) (-i)^n J_n(R dt) T_n(h).
    On the lattice h is a stencil, on the continuum a pair of FFTs. Tal-Ezer and Kosloff,
    J. Chem. Phys. 81, 3967 (1984).

    Args:
      grid: Where psi lives, and its dispersion.
      dt: Duration of a frame, in atomic units; negative runs time backwards.
      tolerance: Bound on the sum of the coefficients left out, which bounds the relative
        error of a frame; below 1. Below 1e-6 it needs complex128 to be felt, and below the
        rounding of the coefficients, some 1e-12, it is not met.
      v_range: Lowest and highest value that a landscape may have, in hartree. It sets the number
        of terms, so it has to be known before tracing. None reads it off the landscape, which
        works only where the landscape is not traced.

    Raises:
      ValueError: For a landscape outside `v_range`. Under tracing, the state turns NaN instead.

    >>> grid = Grid(64, 10.0)
    >>> step = chebyshev(grid, dt=0.1)(jnp.zeros(64))
    >>> step(jnp.ones(64, jnp.complex64)).shape
    (64,)
    """
    _require_duration(dt)
    require_positive(tolerance=tolerance)
    if tolerance >= 1:
        refuse("tolerance", "below 1", tolerance)
    if v_range is not None:
        require_finite(v_range=v_range)
        if v_range[0] > v_range[1]:
            refuse("v_range", "(lowest, highest)", v_range)
    t_max = float(grid.kinetic_energy().max())

    def propagator(v: Float[Array, "*n_x"]) -> Step:
        _require_landscape(grid, v)
        low, high = _landscape_range(v, v_range)
        # A sliver wider than the spectrum, so that rounding cannot push it past [-1, 1].
        radius = 1.0001 * (t_max + high - low) / 2
        # In float32 an offset that is not exact would be the same wrong energy in every term.
        offset = round((t_max + high + low) / 2 / radius * 4096) / 4096
        middle = offset * radius
        terms = expansion.coefficients(radius * dt, tolerance)
        # A traced landscape that leaves its range has no valid expansion: it must not pass for one.
        fits = (jnp.min(v) >= jnp.asarray(low, v.dtype)) & (
            jnp.max(v) <= jnp.asarray(high, v.dtype)
        )
        dtype = jnp.result_type(v.dtype, jnp.complex64)
        phase = jnp.where(fits, jnp.asarray(np.exp(-1j * middle * dt), dtype), jnp.nan)

        def step(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
            _require_state(grid, v, psi)
            return phase * expansion.expand(grid, v, offset, radius, terms, psi)

        return step

    return propagator


def dense(grid: Grid, propagator: Propagator) -> Propagator:
    """The frame of a linear propagator as one matrix: for many packets in one landscape.

    It takes n_x states once per landscape, and then a product with n_x^2 numbers a frame, however
    long the frame is: `dense(grid, chebyshev(grid, 100 * dt))` jumps a hundred frames at once.

    Args:
      grid: Where psi lives.
      propagator: Whose step is linear in psi.

    >>> grid = Grid(64, 10.0)
    >>> step = dense(grid, chebyshev(grid, dt=5.0))(jnp.zeros(64))
    >>> step(jnp.ones(64, jnp.complex64)).shape
    (64,)
    """
    n_x = math.prod(grid.shape)

    def of_landscape(v: Float[Array, "*n_x"]) -> Step:
        step = propagator(v)
        points = jnp.eye(n_x, dtype=jnp.result_type(v.dtype, jnp.complex64))
        # Row i is where a state on point i alone goes.
        matrix = jax.vmap(lambda psi: step(psi.reshape(grid.shape)).ravel())(points)

        def dense_step(psi: Complex[Array, "*n_x"]) -> Complex[Array, "*n_x"]:
            _require_state(grid, v, psi)
            return (psi.ravel() @ matrix).reshape(grid.shape)

        return dense_step

    return of_landscape


def hamiltonian(
    grid: Grid, v: Float[Array, "*n_x"]
) -> Callable[[Complex[Array, "*n_x"]], Complex[Array, "*n_x"]]:
    """The Hamiltonian H psi = omega(-i grad) psi + v psi, with the dispersion of the grid.

    >>> grid = Grid(8, 2.0)
    >>> h = hamiltonian(grid, jnp.full(8, 3.0))
    >>> h(jnp.ones(8, jnp.complex64)).real
    Array([3., 3., 3., 3., 3., 3., 3., 3.], dtype=float32)
    """
    _require_landscape(grid, v)
    if grid.dispersion == "lattice":
        return lambda psi: (
            expansion.hop(grid, 1.0, psi) + (v + sum(1 / dx**2 for dx in grid.dx)) * psi
        )
    return lambda psi: expansion.continuum_kinetic(grid, 1.0, psi) + v * psi


def _landscape_range(v: Array, v_range: tuple[float, float] | None) -> tuple[float, float]:
    if not is_known(v):
        if v_range is None:
            refuse(
                "v_range",
                "given where the landscape is traced (inside `jit` or `vmap`)",
                v_range,
                "Pass chebyshev(..., v_range=(lowest, highest)).",
            )
        return v_range
    values = np.asarray(v)
    low, high = float(values.min()), float(values.max())
    if v_range is None:
        return low, high
    allowed = np.asarray(v_range, v.dtype)
    if low < allowed[0] or high > allowed[1]:
        refuse("v", f"within v_range = {v_range}", f"between {low:g} and {high:g}")
    return v_range


def _require_duration(dt: float) -> None:
    require_shape((), dt=dt)
    require_finite(dt=dt)
    if dt == 0:
        refuse("dt", "different from zero", dt)


def _require_landscape(grid: Grid, v: Array) -> None:
    require_real(v=v)
    require_shape(grid.shape, v=v)
    require_finite(v=v)


def _require_state(grid: Grid, v: Array, psi: Array) -> None:
    require_shape(grid.shape, psi=psi)
    dtype = jnp.result_type(v.dtype, jnp.complex64)
    if psi.dtype != dtype:
        refuse("psi", f"of type {dtype}, since v is {v.dtype}", f"of type {psi.dtype}")
