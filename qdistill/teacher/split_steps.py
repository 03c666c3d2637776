"""The split-step solver for any system: linear or not, driven, absorbing, with channels."""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Inexact

from qdistill._checks import (
    is_known,
    refuse,
    require_arrays,
    require_at_least,
    require_finite,
    require_one_of,
    require_positive,
)
from qdistill._refusals import explained
from qdistill.physics.grid import Scalar
from qdistill.physics.hamiltonian import apply, over_channels
from qdistill.system import Potential, Propagator, Step, System, Wrapped
from qdistill.teacher import schemes
from qdistill.teacher.schemes import SCHEMES, Scheme


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class SplitStep:
    """The propagator that `split_step` returns."""

    system: System = dataclasses.field(metadata={"static": True})
    n_substeps: int = dataclasses.field(metadata={"static": True})
    kinetic_cap: Scalar | None = None
    scheme: Scheme = dataclasses.field(default=SCHEMES["strang"], metadata={"static": True})

    n_history: ClassVar[int] = 1
    is_differentiable: ClassVar[bool] = True

    @property
    def is_linear(self) -> bool:
        """Whether the system is linear."""
        return self.system.is_linear

    @property
    def is_unitary(self) -> bool:
        """Whether the system is Hermitian."""
        return self.system.is_hermitian

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential."""
        system, h = self.system, self.system.dt / self.n_substeps
        if system.is_linear and system.is_autonomous:
            return self._with_fixed_phases(v, h)
        dtype = jnp.result_type(*jax.tree.leaves(v), jnp.complex64)

        def substep(i: Array, state: tuple[Array, Array]) -> tuple[Array, Array]:
            psi, n = state
            t = n * system.dt + i * h
            psi = kick(system, v, t + h / 4, psi, h / 2)
            psi = self._drift(v, t + h / 2, h, dtype)(psi)
            return kick(system, v, t + 3 * h / 4, psi, h / 2), n

        def advance(state: tuple[Array, Array]) -> tuple[Array, Array]:
            psi, n = jax.lax.fori_loop(0, self.n_substeps, substep, state)
            return psi, n + 1

        return Step(lambda frames, n: (frames[-1], n), advance, lambda state: state[0])

    def _with_fixed_phases(self, v: Potential, h: float) -> Step:
        scheme, local = self.scheme, self.system.local(v, 0.0, None)
        corrections = scheme.gradients or (0.0,) * len(scheme.kicks)
        # The last kick of a substep and the first of the next are one.
        shares = [*scheme.kicks, 2 * scheme.kicks[0]]
        pairs = list(zip(shares, [*corrections, 2 * corrections[0]], strict=True))
        if self.system.n_channel:
            made, turn = self._between_channels(local, h, pairs)
        else:
            made, turn = [self._kick(local, h, a, c) for a, c in pairs], None
        first, *inner, last, joint = made
        dtype = jnp.result_type(local, jnp.complex64)
        drifts = [self._drift(v, 0.0, b * h, dtype) for b in scheme.drifts]

        def substep(psi: Array) -> Array:
            for drift, kick_between in zip(drifts, inner, strict=False):
                psi = kick_between(drift(psi))
            return drifts[-1](psi)

        def advance(psi: Array) -> Array:
            psi = first(psi)
            psi = jax.lax.fori_loop(0, self.n_substeps - 1, lambda _, psi: joint(substep(psi)), psi)
            return last(substep(psi))

        if turn is None:
            return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)
        back = jnp.conj(jnp.swapaxes(turn, 0, 1))
        return Step(
            lambda frames, n: apply(back, frames[-1]), advance, lambda psi: apply(turn, psi)
        )

    def _kick(self, local: Array, h: float, a: float, c: float) -> Callable[[Array], Array]:
        """exp(-i h (a V + h^2 c G))."""
        grid = self.system.grid
        if not c:
            turn = phase(self.system, local, a * h)
            return lambda psi: apply(turn, psi)
        smoothed = schemes.smooth(grid, local, self.scheme.smoothing)
        if grid.dispersion == "continuum":
            slope = schemes.square_of_gradient(grid, smoothed)
            turn = phase(self.system, a * local + c * h**2 * slope, h)
            return lambda psi: turn * psi
        turn, hop = phase(self.system, local, a * h / 2), schemes.hops(grid, smoothed, c * h**3)
        return lambda psi: turn * hop(turn * psi)

    def _between_channels(
        self, local: Array, h: float, pairs: list[tuple[float, float]]
    ) -> tuple[list[Callable], Array | None]:
        """Return kicks between channels, and the basis in which they act, if any; see `schemes`."""
        system, scheme = self.system, self.scheme
        if not scheme.gradients:
            turns = _phases(system, [a * local for a, _ in pairs], h)
            return [functools.partial(apply, each) for each in turns], None
        smoothed = schemes.smooth(system.grid, local, scheme.smoothing)
        square, angle = schemes.between_channels(system.grid, smoothed)
        fields = [a * local + c * h**2 * square for a, c in pairs]
        turn, *kicks = _phases(system, [-sum(scheme.gradients) * h * angle, *fields], h)
        back = jnp.conj(jnp.swapaxes(turn, 0, 1))
        matrices = [jnp.einsum("ijx,jkx,klx->ilx", back, kick, turn) for kick in kicks]
        return [functools.partial(apply, each) for each in matrices], turn

    def _drift(self, v: Potential, t: Scalar, h: float, dtype: np.dtype) -> Callable:
        """F^-1 exp(-i omega(k) h) F over the axes of space."""
        omega, cap = self.system.kinetic(v, t), self.kinetic_cap
        # Concrete values are computed in float64.
        numpy = np if isinstance(omega, np.ndarray) and is_known(cap) else jnp
        if cap is not None:
            omega = numpy.minimum(omega, cap)
        turn = jnp.asarray(numpy.exp(-1j * omega * h), dtype)
        space = tuple(range(-self.system.grid.n_dim, 0))

        def drift(psi: Array) -> Array:
            waves = jnp.fft.fftn(psi, axes=space)
            return jnp.fft.ifftn(over_channels(turn, psi) * waves, axes=space)

        return drift


@explained
def split_step(
    system: System,
    n_substeps: int,
    kinetic_cap: Scalar | None = None,
    scheme: str | Scheme = "strang",
) -> SplitStep:
    """Return the propagator of a splitting into kicks of the potential and kinetic drifts.

    By default it is Strang's: a substep of duration h = dt / n_substeps is
    exp(-i V h/2) F^-1 exp(-i omega(k) h) F exp(-i V h/2), one pair of FFTs, and of second order in
    h. Every scheme is reversible: a negative `dt` undoes a positive one. For a Hermitian system it
    is unitary to rounding. With Strang's, a potential that depends on time is evaluated at a
    quarter and at three quarters of a substep, one that depends on psi with the psi before each
    kick.

    Args:
      system: Any system; for other schemes than Strang's a linear one without a drive.
      n_substeps: Substeps per frame.
      kinetic_cap: Replace omega(k) by min(omega(k), kinetic_cap), in hartree: the clamped split
        step. It removes the resonance, so that few substeps suffice. In return the fast waves that
        a sharp edge makes have a wrong energy. For a smooth psi about 2 / h is best.
      scheme: A `Scheme`, or the name of one of `SCHEMES`.

    Raises:
      ValueError: If h reaches the first resonance of the splitting, max(omega) |h| >= 2 pi. There
        the splitting is wrong and not only inaccurate. The message gives the number of substeps
        that is needed. A traced cap is not checked, nor a kinetic energy of the system's own,
        which may depend on v and t. Also for an unknown scheme, and one that the
        system does not allow: gradients take the plain kinetic energy, and between channels a
        Hermitian system on a line of the continuum.

    >>> from qdistill.physics.grid import Grid
    >>> from qdistill.system import rollout
    >>> system = System(Grid(64, 10.0))
    >>> psi = jnp.ones(64, jnp.complex64)
    >>> rollout(split_step(system, n_substeps=4), psi[None], jnp.zeros(64), 3).shape
    (3, 64)
    """
    require_at_least(1, n_substeps=n_substeps)
    if not isinstance(scheme, Scheme):
        require_one_of(SCHEMES, scheme=scheme)
        scheme = SCHEMES[scheme]
    _require_allowed(system, scheme)
    if kinetic_cap is not None:
        require_positive(kinetic_cap=kinetic_cap)
    if is_known(kinetic_cap) and system.has_plain_kinetic:
        highest = min(float(system.grid.kinetic_energy().max()), float(kinetic_cap or np.inf))
        n_needed = int(highest * abs(system.dt) / (2 * np.pi)) + 1
        if n_substeps < n_needed:
            refuse(
                "n_substeps",
                f"at least {n_needed} on this grid with dt = {system.dt:g}",
                n_substeps,
                "The largest kinetic phase of a substep must stay below 2 pi.",
            )
    if kinetic_cap is not None and is_known(kinetic_cap):
        kinetic_cap = float(kinetic_cap)
    return SplitStep(system, int(n_substeps), kinetic_cap, scheme)


def _require_allowed(system: System, scheme: Scheme) -> None:
    if scheme != SCHEMES["strang"] and not (system.is_linear and system.is_autonomous):
        refuse("scheme", "'strang' for a driven or nonlinear system", scheme)
    if scheme.gradients and not system.has_plain_kinetic:
        refuse("scheme", "one without gradients for a system with its own kinetic energy", scheme)
    grid = system.grid
    is_line = grid.n_dim == 1 and grid.dispersion == "continuum" and system.is_hermitian
    if scheme.gradients and system.n_channel and not is_line:
        refuse(
            "scheme",
            "one without gradients for channels that are not Hermitian, on a lattice, or on a grid "
            "of several dimensions",
            scheme,
            "Where V and its slope do not commute, their commutator acts on the slope of psi; only "
            "on a line of the continuum does a basis take it up. 'blanes-moan' needs no gradients.",
        )
    if scheme.gradients and system.grid.dispersion == "lattice":
        schemes.require_even(system.grid)


@explained
def kick(system: System, v: Potential, t: Scalar, psi: Array, h: Scalar) -> Array:
    """Return exp(-i h local(v, t, psi)) psi: pointwise, or between channels."""
    require_finite(t=t)
    local = system.local(v, t, psi)
    require_arrays(v=local)
    _require_channels(system, v=local)
    return apply(phase(system, local, h), psi)


def _require_channels(system: System, **fields: Array) -> None:
    """Refuse fields without the two axes of channels in front, for a system with channels."""
    n = system.n_channel
    for name, field in fields.items():
        if n and np.shape(field)[:2] != (n, n):
            refuse(name, f"of shape ({n}, {n}, *n_x), between channels", f"of {np.shape(field)}")


@explained
def phase(system: System, local: Inexact[Array, "..."], h: Scalar) -> Complex[Array, "..."]:
    """Return exp(-i h local), pointwise, or of the matrix between channels at each point."""
    require_finite(h=h)
    if not system.n_channel:
        return jnp.exp(-1j * h * local)
    _require_channels(system, local=local)
    if system.n_channel == 2 and system.is_hermitian:
        mean, half = (local[0, 0] + local[1, 1]) / 2, (local[0, 0] - local[1, 1]) / 2
        coupling = local[0, 1]
        square = jnp.real(half) ** 2 + jnp.abs(coupling) ** 2
        # The inner `where` keeps the gradient finite where the two channels are degenerate.
        gap = jnp.sqrt(jnp.where(square > 0, square, 1.0))
        cos = jnp.where(square > 0, jnp.cos(h * gap), 1.0)
        sin = jnp.where(square > 0, jnp.sin(h * gap) / gap, h)
        rows = [
            [cos - 1j * sin * half, -1j * sin * coupling],
            [-1j * sin * jnp.conj(coupling), cos + 1j * sin * half],
        ]
        turn = jnp.exp(-1j * h * mean)[None, None]
        return turn * jnp.stack([jnp.stack(row) for row in rows])
    # Unlike those of eigenstates, derivatives of `expm` are finite for degenerate channels. And up
    # to angles h |V| of 10 it is the more unitary one: to 2e-15, and to 1e-6 in single precision.
    matrix = jax.scipy.linalg.expm(-1j * h * jnp.moveaxis(local, (0, 1), (-2, -1)))
    return jnp.moveaxis(matrix, (-2, -1), (0, 1))


def _phases(system: System, fields: Sequence[Array], h: float) -> list[Array]:
    """exp(-i h field) of several fields, between several channels by one call of LAPACK.

    Of several calls in a program, XLA's threads on a CPU (jaxlib 0.10) may run two at a time, each
    for many points, that wait for each other for ever.
    """
    if system.n_channel == 2 and system.is_hermitian:
        return [phase(system, field, h) for field in fields]
    return list(jax.vmap(lambda field: phase(system, field, h))(jnp.stack(fields)))


@explained
@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class Dense(Wrapped):
    """The propagator that `dense` returns."""

    def __call__(self, v: Potential) -> Step:
        """Return the step of one potential; its matrix is computed here."""
        shape = self.system.shape
        encode, step, decode = self.of(v)
        dtype = jnp.result_type(*jax.tree.leaves(v), jnp.complex64)
        points = jnp.eye(math.prod(shape), dtype=dtype)

        def frame(psi: Array) -> Array:
            return decode(step(encode(psi.reshape(1, *shape), jnp.asarray(0)))).ravel()

        # Row i is the image of a state on point i alone.
        matrix = jax.vmap(frame)(points)
        return Step(
            lambda frames, n: frames[-1].ravel(),
            lambda psi: psi @ matrix,
            lambda psi: psi.reshape(shape),
        )


@explained
def dense(propagator: Propagator) -> Dense:
    """Return the propagator that applies a linear propagator's frame as one dense matrix.

    It suits many packets in one potential. Each potential takes a propagation of n_x states once;
    each frame is then a product with an n_x^2 matrix, for any duration of the frame. The
    `chebyshev` of a system with 100 dt makes steps of a hundred frames.

    Raises:
      ValueError: For a propagator that is not linear, or needs more than one frame.

    >>> from qdistill.physics.grid import Grid
    >>> from qdistill.teacher.expansion import chebyshev
    >>> propagator = dense(chebyshev(System(Grid(64, 10.0), dt=5.0)))
    >>> step = propagator(jnp.zeros(64))
    >>> step.advance(jnp.ones(64, jnp.complex64)).shape
    (64,)
    """
    if not (propagator.is_linear and propagator.system.is_autonomous and propagator.n_history == 1):
        refuse("propagator", "linear, autonomous and without a history", propagator)
    return Dense(propagator)
