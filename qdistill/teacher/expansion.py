"""The Chebyshev solver, and the memory layout in which it is fast.

On the lattice the sum is carried as real numbers in the layout (n_x, 2, n_batch): Re and Im, then
the packets last, so that neighbours in space are whole rows apart. `jax.vmap` would put the batch
axis first, which is three times slower; `batch_last` puts it last.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from qdistill._checks import is_known, refuse, require_finite, require_positive
from qdistill._doors import cast, precision, require_potential
from qdistill._refusals import explained
from qdistill.physics.grid import Grid
from qdistill.physics.hamiltonian import apply, hop, kinetic, rest
from qdistill.system import Potential, Step, System

# Largest number of terms per frame: on a thousand points it takes seconds.
MOST_TERMS = 200_000


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Chebyshev:
    """The propagator that `chebyshev` returns."""

    system: System = dataclasses.field(metadata={"static": True})
    tolerance: float = dataclasses.field(metadata={"static": True})

    n_history: ClassVar[int] = 1
    is_linear: ClassVar[bool] = True
    is_unitary: ClassVar[bool] = True
    is_differentiable: ClassVar[bool] = True

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential; it gives NaN if a traced one leaves `system.bounds`."""
        system = self.system
        local = system.local(v, 0.0, None)
        local = cast(local, precision(local))
        low, high = _range(system, local)
        t_max = float(np.max(system.kinetic(v, 0.0)))
        # Slightly wider than the spectrum, so that rounding cannot push h beyond [-1, 1].
        radius = 1.0001 * (t_max + high - low) / 2
        _require_short(system.dt, radius)
        # An offset rounded to float32 would add the same energy error in every term. This one is
        # a third of the room in the radius, at most.
        offset = round((t_max + high + low) / 2 / radius * 16384) / 16384
        terms = coefficients(radius * system.dt, self.tolerance)
        phase = np.exp(-1j * offset * radius * system.dt)
        dtype = jnp.result_type(local.dtype, jnp.complex64)
        phase = jnp.where(_fits(system, local, low, high), jnp.asarray(phase, dtype), jnp.nan)

        def advance(psi: Array) -> Array:
            return phase * expand(system.grid, local, offset, radius, terms, psi)

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)


@explained
def chebyshev(system: System, tolerance: float = 1e-6) -> Chebyshev:
    """Return the Chebyshev propagator exp(-i H dt), to a given truncation error per frame.

    With H = E + R h, where h has its spectrum in [-1, 1],
    exp(-i H dt) = exp(-i E dt) sum_n (2 - delta_n0) (-i)^n J_n(R dt) T_n(h).
    On the lattice h is a stencil, on the continuum a pair of FFTs. Source: Tal-Ezer and Kosloff,
    J. Chem. Phys. 81, 3967 (1984).

    Args:
      system: A linear, autonomous and Hermitian system. Its `bounds` give the range of potentials
        that are traced (inside `jit` or `vmap`).
      tolerance: Bound on the sum of the omitted coefficients, which bounds the relative error of a
        frame; below 1. Values below 1e-6 have an effect in complex128 only. Values below the
        rounding of the coefficients, about 1e-12, are not reached.

    Raises:
      ValueError: For another system, one with a `kinetic` of its own, or a frame that takes more
        than 200,000 terms, about R |dt|. When called, for a potential outside `bounds`.

    >>> from qdistill.system import rollout
    >>> system = System(Grid(64, 10.0))
    >>> psi = jnp.ones(64, jnp.complex64)
    >>> rollout(chebyshev(system), psi[None], jnp.zeros(64), 3).shape
    (3, 64)
    """
    require_positive(tolerance=tolerance)
    if tolerance >= 1:
        refuse("tolerance", "below 1", tolerance)
    for quality in ("is_linear", "is_autonomous", "is_hermitian"):
        if not getattr(system, quality):
            words = quality.removeprefix("is_").replace("h", "H", quality == "is_hermitian")
            cure = "Use split_step, which solves any system."
            refuse("system", f"{words} for the Chebyshev solver", type(system).__name__, cure)
    if not system.has_plain_kinetic:
        words = "of the grid's own kinetic energy for the Chebyshev solver"
        refuse(
            "system",
            words,
            type(system).__name__,
            "Use split_step, which applies the system's own.",
        )
    low, high = system.bounds or (0.0, 0.0)
    _require_short(system.dt, (float(system.grid.kinetic_energy().max()) + high - low) / 2)
    return Chebyshev(system, float(tolerance))


def _require_short(dt: float, radius: float) -> None:
    """Refuse a frame whose expansion would take minutes."""
    longest = MOST_TERMS / radius
    if abs(dt) > longest:
        refuse(
            "dt",
            f"at most {longest:.3g} for the Chebyshev solver on this grid, where a frame of that "
            f"length takes {MOST_TERMS:,} terms",
            f"{dt:g}",
            "Use shorter frames, and every n-th of them: rollout(..., every=n).",
        )


def _range(system: System, local: Array) -> tuple[float, float]:
    """The range of the potential, by the system's bounds or by its values."""
    if system.bounds is not None:
        low, high = map(float, system.bounds)
        if is_known(local) and not _fits(system, local, low, high):
            values = _extent(system, local)
            cure = "Use a system with wider bounds."
            refuse(
                "v",
                f"within the system's bounds {system.bounds}",
                "between {:g} and {:g}".format(*values),
                cure,
            )
        return low, high
    if not is_known(local):
        refuse(
            "bounds",
            "given where the potential is traced (inside `jit` or `vmap`)",
            system.bounds,
            "Use System(..., bounds=(lowest, highest)).",
        )
    low, high = _extent(system, local)
    return float(low), float(high)


def _extent(system: System, local: Array | np.ndarray) -> tuple[Any, Any]:
    """The extreme values of the local part, or eigenvalues of a matrix of channels."""
    # NumPy values stay concrete inside `jit`.
    numpy: Any = np if is_known(local) else jnp
    if is_known(local):
        local = np.asarray(local)
    if system.n_channel:
        local = numpy.linalg.eigvalsh(numpy.moveaxis(local, (0, 1), (-2, -1)))
        local = local if is_known(local) else jax.lax.stop_gradient(local)
    return numpy.min(local), numpy.max(local)


def _fits(system: System, local: Array, low: float, high: float) -> Any:
    """Whether the potential is within its bounds; outside of them the expansion is not valid."""
    lowest, highest = _extent(system, local)
    # Eigenvalues are rounded.
    sliver = 1e-6 * max(abs(low), abs(high)) * bool(system.n_channel)
    low, high = np.asarray([low - sliver, high + sliver], lowest.dtype)
    return (lowest >= low) & (highest <= high)


@explained
def bounds_of(system: System, v: Potential) -> tuple[float, float]:
    """Return bounds in hartree of the local part of many potentials, stacked along a first axis.

    Raises:
      ValueError: For potentials that the system cannot read, or that are not finite.

    >>> bounds_of(System(Grid(4, 2.0)), jnp.array([[0.0, 1, 1, 0], [0, 0, -2, 0]]))
    (-2.0, 1.0)
    """
    for leaf in jax.tree.leaves(v):
        require_finite(v=leaf)
    for leaf in jax.tree.leaves(v):
        if not np.shape(leaf)[:1] > (0,):
            refuse("v", "stacked along a first axis, one at least", f"of shape {np.shape(leaf)}")
    require_potential(system, jax.tree.map(lambda leaf: leaf[0], v))
    if system.has_plain_potential and not system.n_channel:
        return float(jnp.min(jnp.real(v))), float(jnp.max(jnp.real(v)))
    lows, highs = jax.vmap(lambda v: _extent(system, system.local(v, 0.0, None)))(v)
    low, high = float(jnp.min(lows)), float(jnp.max(highs))
    # A value recomputed elsewhere may differ by rounding.
    sliver = 1e-5 * max(abs(low), abs(high))
    return low - sliver, high + sliver


@explained
def coefficients(z: float, tolerance: float) -> np.ndarray:
    """Return the Chebyshev coefficients (2 - delta_n0) J_n(z), with signs, to a tolerance.

    The signs 1, 1, -1, -1, ... are those of (-i)^n / (1, -i); the number of coefficients is even.
    The Bessel functions are the Fourier coefficients of exp(-i z cos theta), which the FFT gives
    to machine precision.
    """
    n_theta = 4 * (int(abs(z)) + 64)
    theta = 2 * np.pi * np.arange(n_theta) / n_theta
    bessel_with_phase = np.fft.fft(np.exp(-1j * z * np.cos(theta)))[: n_theta // 2] / n_theta
    values = 2 * (bessel_with_phase.real - bessel_with_phase.imag)
    values[0] /= 2
    left_out = np.cumsum(np.abs(values)[::-1])[::-1]
    rounding = 1e-15 * n_theta
    n_terms = max(2, int(np.argmax(left_out < max(tolerance, rounding))))
    return values[: n_terms + n_terms % 2]


@explained
def expand(
    grid: Grid, v: Array, offset: float, radius: float, terms: np.ndarray, psi: Array
) -> Array:
    """Return exp(-i dt radius h) psi for h = H / radius - offset, by a Chebyshev sum.

    Args:
      grid: The grid of psi.
      v: The potential in hartree, (*n_x), or between channels (n_channel, n_channel, *n_x).
      offset: Middle of the spectrum of H, in units of the radius.
      radius: Half the width of the spectrum, in hartree.
      terms: The result of `coefficients(radius * dt, tolerance)`.
      psi: The state.
    """
    if grid.dispersion == "continuum" or v.ndim > grid.n_dim:
        one = 1.0 if v.ndim == grid.n_dim else np.eye(len(v)).reshape(len(v), -1, *[1] * grid.n_dim)
        scaled = v / radius - jnp.asarray(offset * one, v.dtype)
        return _clenshaw(
            lambda u: kinetic(grid, 1 / radius, u) + apply(scaled, u), terms, psi, -1j * psi
        )
    shift = rest(grid) - offset * radius

    def on_lattice(v: Array, psi: Array) -> Array:
        """The sum on the lattice, with a batch as the last axis of v and psi."""
        re, im = psi.real, psi.imag
        # h is real, so Re psi and Im psi never mix in it; -i psi is (Im psi, -Re psi).
        diagonal = ((v + shift) / radius)[..., None, :]
        u = _clenshaw(
            lambda u: hop(grid, 1 / radius, u) + diagonal * u,
            terms,
            jnp.stack([re, im], axis=-2),
            jnp.stack([im, -re], axis=-2),
        )
        return jax.lax.complex(u[..., 0, :], u[..., 1, :])

    return batch_last(on_lattice)(v, psi)


def _clenshaw(h: Callable[[Array], Array], terms: np.ndarray, even: Array, odd: Array) -> Array:
    """The sum of terms[n] T_n(h) u_n by Clenshaw's recurrence; u_n is `even` or `odd` as n is.

    It holds two states; summing the T_n(h) u_n directly would hold four.
    """
    pairs = jnp.asarray(terms.reshape(-1, 2)[::-1], even.real.dtype)

    def descend(carry: tuple[Array, Array], pair: Array) -> tuple[tuple[Array, Array], None]:
        low, high = carry
        high = pair[1] * odd + 2 * h(low) - high
        low = pair[0] * even + 2 * h(high) - low
        return (low, high), None

    high = pairs[0, 1] * odd
    low = pairs[0, 0] * even + 2 * h(high)
    (low, high), _ = jax.lax.scan(descend, (low, high), pairs[1:])
    return low - h(high)


@explained
def batch_last(f: Callable[[Array, Array], Array]) -> Callable[[Array, Array], Array]:
    """Return the unbatched form of a function of two arrays that takes a batch as last axis.

    Under `jax.vmap` the batch axis is moved to the end and back. Derivatives are those of `f`, to
    any order and in both modes.

    >>> double = batch_last(lambda a, b: a + b)
    >>> jax.vmap(double, (0, None))(jnp.ones((3, 4)), jnp.ones(4)).shape
    (3, 4)
    """

    def single(a: Array, b: Array) -> Array:
        return f(a[..., None], b[..., None])[..., 0]

    mapped = jax.custom_batching.custom_vmap(single)

    @mapped.def_vmap
    def _(axis_size: int, in_batched: list[bool], a: Array, b: Array) -> tuple[Array, bool]:
        a, b = (
            jnp.moveaxis(x, 0, -1) if is_batched else x[..., None]
            for x, is_batched in zip((a, b), in_batched, strict=True)
        )
        if not in_batched[1]:
            b = jnp.broadcast_to(b, (*b.shape[:-1], axis_size))
        return jnp.moveaxis(f(a, b), -1, 0), True

    # `custom_vmap` alone supports forward-mode derivatives only.
    out = jax.custom_jvp(mapped)
    out.defjvp(lambda primals, tangents: jax.jvp(single, primals, tangents))
    return out
