"""Claims about solutions: maps of trajectories, conserved quantities, composition.

A symmetry maps solutions to solutions: if psi(x, t) solves the equation with the potential V, its
image solves the equation with the image of V. It is represented by a map of trajectories (frames
with times) and of potentials. Given frames and forecast are mapped by the same formula. The claim
is that the forecast from the image of the given frames is the image of the forecast. Every map here
preserves distances up to a constant factor, so errors may be compared before or after the map. Two
other kinds of claims are conserved quantities and composition.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Num

from qdistill._checks import is_known
from qdistill._refusals import explained
from qdistill.physics import grid as grids
from qdistill.physics.grid import Grid, Scalar, inner_product
from qdistill.physics.hamiltonian import hamiltonian
from qdistill.system import System

Times: TypeAlias = Float[np.ndarray, " n_t"]
V: TypeAlias = Num[Array, "*n_x"]
Frames: TypeAlias = Complex[Array, "n_t *n_x"]
Pair: TypeAlias = Complex[Array, "2 n_t *n_x"]
States: TypeAlias = Complex[Array, "2 *n_x"]
Operator: TypeAlias = Callable[[Complex[Array, "*n_x"]], Complex[Array, "*n_x"]]


def _keep(system: System, v: V) -> V:
    return v


class Transformation(NamedTuple):
    """The claim that a map of trajectories takes solutions to solutions.

    Attributes:
      frames: ``(system, t, pair) -> frames``: the image of the first trajectory of a pair in one
        potential (the second is used by superpositions), at times t in a.u.; t is 0 at the newest
        given frame. An image that runs backwards in time has its frames in reversed order.
      potential: ``(system, v) -> v``, the potential in which the image is a solution.
      is_free: Whether the claim is for empty space only; v is then zero.
    """

    frames: Callable[[System, Times, Pair], Frames]
    potential: Callable[[System, V], V] = _keep
    is_free: bool = False


class Invariant(NamedTuple):
    """The claim that numbers q(psi, psi) are conserved, q being sesquilinear.

    Attributes:
      form: ``(system, v, start) -> ((bras, kets) -> q)``; bras, kets and start are states of a pair
        of trajectories. q is scaled by the start, the newest given states, such that a relative
        error e of psi changes |q| by at most e to first order.
    """

    form: Callable[[System, V, States], Callable[[States, States], Complex[Array, " n_number"]]]


class Composition(NamedTuple):
    """The claim that psi at one time determines the future: U(2n) = U(n) U(n).

    The forecast is stopped half-way and restarted from its newest frame psi, with the past frames
    that the exact solver gives for psi. A propagator that needs one frame satisfies the claim
    identically. One that needs more satisfies it only if its own frames act like those of a
    solution.

    Attributes:
      n_lost: Number of frames by which the second half is shifted; not 0 in a control only.
    """

    n_lost: int = 0


Claim: TypeAlias = Transformation | Invariant | Composition


class Symmetry(NamedTuple):
    """A symmetry, its negative control and its generator.

    Attributes:
      formula: The claim as text.
      claim: The claim.
      control_formula: The negative control as text.
      control: A similar claim that is false.
      group: For a continuous symmetry, the one-parameter group ``s -> Transformation``, the
        identity at s = 0; its derivative there is the generator.
    """

    formula: str
    claim: Claim
    control_formula: str
    control: Claim
    group: Callable[[Scalar], Transformation] | None = None


@explained
def superposition(a: complex | Scalar, b: complex | Scalar) -> Transformation:
    """Return the map of psi and phi, in the same potential, to a psi + b phi."""
    return Transformation(lambda system, t, pair: a * pair[0] + b * pair[1])


@explained
def antilinear(a: complex, b: complex) -> Transformation:
    """Return the map of psi and phi to a psi + b conj(phi), a false claim."""
    return Transformation(lambda system, t, pair: a * pair[0] + b * jnp.conj(pair[1]))


@explained
def scaling(factor: Scalar) -> Transformation:
    """Return the map psi -> factor psi."""
    return Transformation(lambda system, t, pair: factor * pair[0])


@explained
def local_scaling() -> Transformation:
    """Return the map psi -> |psi| psi at each point, a false claim."""
    return Transformation(lambda system, t, pair: jnp.abs(pair[0]) * pair[0])


@explained
def global_phase(angle: Scalar) -> Transformation:
    """Return the map psi -> exp(i angle) psi, with the angle in radians."""
    return Transformation(lambda system, t, pair: _turn(pair[0], -angle))


@explained
def local_phase(angle: float) -> Transformation:
    """Return the map to a phase that depends on x without a vector potential, a false claim."""

    def frames(system: System, t: Times, pair: Pair) -> Frames:
        x, length = _x(system.grid), system.grid.lengths[0]
        return _turn(pair[0], angle * np.sin(2 * np.pi * x / length)[None])

    return Transformation(frames)


@explained
def mirror(axis: int = 0, moves_potential: bool = True) -> Transformation:
    """Return the map x -> L + dx - x along an axis, which maps the points onto each other."""

    def flip(system: System, field: Num[Array, "*n"]) -> Num[Array, "*n"]:
        return jnp.flip(field, axis - system.grid.n_dim)

    return Transformation(
        lambda system, t, pair: flip(system, pair[0]), flip if moves_potential else _keep
    )


@explained
def translation(n_cells: int, axis: int = 0, moves_potential: bool = True) -> Transformation:
    """Return the map x -> x + n_cells dx along an axis of the periodic box."""

    def move(system: System, field: Num[Array, "*n"]) -> Num[Array, "*n"]:
        return jnp.roll(field, n_cells, axis - system.grid.n_dim)

    return Transformation(
        lambda system, t, pair: move(system, pair[0]), move if moves_potential else _keep
    )


@explained
def fractional_translation(n_cells: Scalar, moves_potential: bool = True) -> Transformation:
    """Return the translation by any number of cells, by Fourier interpolation of psi and v.

    A potential with sharp edges has no band limit: its image oscillates, and V psi is not mapped to
    the product of the images. So the exact solver satisfies the claim for smooth potentials only.
    """

    def shift(system: System, field: Num[Array, "n_t *n_x"]) -> Complex[Array, "n_t *n_x"]:
        return _shift(system.grid, field, n_cells * system.grid.dx[0])

    return Transformation(
        lambda system, t, pair: shift(system, pair[0]),
        (lambda system, v: shift(system, v[None])[0].real) if moves_potential else _keep,
    )


@explained
def time_reversal(conjugate: bool = True) -> Transformation:
    """Return the map to conj(psi(x, -t)), with frames in reversed order: antiunitary (Wigner 1932).

    The newest frames of a forecast, conjugated and reversed, are the given frames of the image. The
    claim is that the forecast from them returns to the first given frame.
    """
    return Transformation(
        lambda system, t, pair: (jnp.conj(pair[0]) if conjugate else pair[0])[::-1]
    )


@explained
def constant(energy: Scalar, turns_phase: bool = True) -> Transformation:
    """Return the map V -> V + energy, in hartree, with psi -> exp(-i energy t) psi."""

    def frames(system: System, t: Times, pair: Pair) -> Frames:
        return _turn(pair[0], energy * _over_space(system.grid, t)) if turns_phase else pair[0]

    return Transformation(frames, lambda system, v: v + energy)


@explained
def boost(n_quanta: int, moves: bool = True) -> Transformation:
    """Return a Galilean boost: exp(i k0 x - i k0^2 t / 2m) psi(x - k0 t / m, t).

    The momentum is k0 = 2 pi n_quanta / L. Only such k0 fit into a periodic box, so boosts have no
    generator there. A potential would have to move, so the claim is for empty space only. It is
    true on the continuum. On the lattice, whose omega is not a parabola, it holds for slow waves
    only.
    """

    def frames(system: System, t: Times, pair: Pair) -> Frames:
        grid, at = system.grid, _over_space(system.grid, t)
        k0, mass = 2 * np.pi * n_quanta / grid.lengths[0], grid.mass[0]
        moved = _shift(grid, pair[0], k0 / mass * at) if moves else pair[0]
        return _turn(moved, k0**2 / (2 * mass) * at - k0 * _x(grid)[None])

    return Transformation(frames, is_free=True)


@explained
def inner_products(weighted: bool = False) -> Invariant:
    """Return the claim that <psi|psi>, <phi|psi> and <phi|phi> are conserved.

    With `weighted` it is the false claim that the same matrix elements of x / L are conserved.
    """

    def form(system: System, v: V, start: States) -> Callable[[States, States], Array]:
        x_over_length = _x(system.grid) / system.grid.lengths[0]
        weight = jnp.asarray(x_over_length[None] ** weighted, start.real.dtype)
        norms = jnp.linalg.norm(start.reshape(2, -1), axis=1)
        space = tuple(range(-system.grid.n_dim, 0))

        def q(bras: States, kets: States) -> Array:
            products = jnp.sum(jnp.conj(bras)[:, None] * (weight * kets)[None], axis=space)
            return (products / (2 * norms[:, None] * norms[None])).ravel()

        return q

    return Invariant(form)


@explained
def mean_of(operator: Callable[[System, V], Operator]) -> Invariant:
    """Return the claim that the mean of A(v) is conserved.

    q is <psi|A - a|psi> with the initial mean a, so a loss of norm does not count. It is scaled by
    twice the initial spread, 2 sigma = 2 |(A - <A>) psi|.
    """

    def form(system: System, v: V, start: States) -> Callable[[States, States], Array]:
        grid, a = system.grid, operator(system, v)
        norm = grids.norm(grid, start[0])
        mean = inner_product(grid, start[0], a(start[0])).real / norm**2
        spread = grids.norm(grid, a(start[0]) - mean * start[0]) / norm

        def q(bras: States, kets: States) -> Array:
            return inner_product(grid, bras[0], a(kets[0]) - mean * kets[0])[None]

        return lambda bras, kets: q(bras, kets) / (2 * spread * norm**2)

    return Invariant(form)


@explained
def energy(system: System, v: V) -> Operator:
    """Return the Hamiltonian of a potential, as a function of psi."""
    return hamiltonian(system.grid, system.local(v, 0.0, None))


@explained
def kinetic_energy(system: System, v: V) -> Operator:
    """Return the kinetic energy, as a function of psi."""
    return hamiltonian(system.grid, jnp.zeros_like(system.local(v, 0.0, None)))


def _x(grid: Grid) -> Float[np.ndarray, "..."]:
    """Positions along the first axis from the lower edge of the box, in float64."""
    x = np.arange(1, grid.shape[0] + 1) * grid.dx[0]
    return x.reshape(-1, *[1] * (grid.n_dim - 1))


def _over_space(grid: Grid, t: Times) -> Float[np.ndarray, "n_t ..."]:
    """The times, shaped to broadcast over frames."""
    return t.reshape(-1, *[1] * grid.n_dim)


def _turn(psi: Complex[Array, "*n"], angle: Scalar | np.ndarray | Array) -> Complex[Array, "*n"]:
    """exp(-i angle) psi; the phase of a concrete angle is computed in float64."""
    phase = (np if is_known(angle) else jnp).exp(-1j * angle)
    return jnp.asarray(phase, psi.dtype) * psi


def _shift(
    grid: Grid, field: Num[Array, "n_t *n_x"], distance: Scalar | np.ndarray
) -> Complex[Array, "n_t *n_x"]:
    """The field at x - distance along the first axis, by its Fourier interpolation."""
    angle = grid.wavenumbers()[None] * distance
    return jnp.fft.ifft(_turn(jnp.fft.fft(field, axis=1), angle), axis=1)
