"""The symmetries of the Schroedinger equation, as data: what is looked for in a student.

A symmetry maps solutions onto solutions: if psi(x, t) solves the equation with the landscape V,
then its image solves it with the image of V. So it is written as a map of trajectories, frames
with their times, and of landscapes; the given frames and the forecast are mapped by the same
formula, and a forecast from the image of the given frames has to be the image of the forecast.
Every map here keeps distances up to one factor, so that to compare there or, undone, here is the
same. Two kinds of claim are of another form: quantities that are conserved, and composition.

Each symmetry has a negative control: a claim much like it that is false, and must be found so.
"""

from collections.abc import Callable
from typing import NamedTuple, TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Num

from qdistill._checks import is_known, require_at_least
from qdistill.physics import grid as grids
from qdistill.physics.grid import Grid, Scalar, inner_product
from qdistill.teacher.solvers import hamiltonian

Times: TypeAlias = Float[np.ndarray, " n_t"]
Landscape: TypeAlias = Float[Array, " n_x"]
Frames: TypeAlias = Complex[Array, "n_t n_x"]
Pair: TypeAlias = Complex[Array, "2 n_t n_x"]
States: TypeAlias = Complex[Array, "2 n_x"]
Operator: TypeAlias = Callable[[Complex[Array, " n_x"]], Complex[Array, " n_x"]]


def _keep(grid: Grid, v: Landscape) -> Landscape:
    return v


class Transformation(NamedTuple):
    """The claim that a map of trajectories takes solutions to solutions.

    Attributes:
      frames: ``(grid, t, pair) -> frames``: the image of the first trajectory of a pair on one
        landscape (the second serves superpositions), at times t in a.u.; t is 0 at the newest
        given frame. An image that runs backwards in time has its frames in reversed order.
      landscape: ``(grid, v) -> v`` in which the image is a solution.
      is_free: Whether the claim is made for empty space only: v is zero then.
    """

    frames: Callable[[Grid, Times, Pair], Frames]
    landscape: Callable[[Grid, Landscape], Landscape] = _keep
    is_free: bool = False


class Invariant(NamedTuple):
    """The claim that numbers q(psi, psi) are conserved, q being sesquilinear.

    Attributes:
      form: ``(grid, v, start) -> ((bras, kets) -> q)``; bras, kets and start are states of a pair
        of trajectories, start the newest given ones, by which q is scaled: a relative error e
        of psi changes |q| by e at most, to first order.
    """

    form: Callable[
        [Grid, Landscape, States], Callable[[States, States], Complex[Array, " n_number"]]
    ]


class Composition(NamedTuple):
    """The claim that psi alone, at one time, determines what follows: U(2n) = U(n) U(n).

    The forecast is interrupted half-way and begun anew from its newest frame psi, with the history
    that the exact solver gives psi. A step that needs one frame keeps this identically. One that
    needs more keeps it only if its own frames are to it what a solution's frames would be.

    Attributes:
      n_lost: Frames that the second half is compared too late; 0 but in a control.
    """

    n_lost: int = 0


Claim: TypeAlias = Transformation | Invariant | Composition


class Symmetry(NamedTuple):
    """A symmetry, its negative control and its generator.

    Attributes:
      formula: The claim in words.
      claim: What has to hold.
      control_formula: The control in words.
      control: What must be found not to hold.
      group: For a continuous symmetry, the one-parameter group ``s -> Transformation``, the
        identity at s = 0; its derivative there is the generator.
    """

    formula: str
    claim: Claim
    control_formula: str
    control: Claim
    group: Callable[[Scalar], Transformation] | None = None


def superposition(a: complex | Scalar, b: complex | Scalar) -> Transformation:
    """Of psi and phi on the same landscape: a psi + b phi."""
    return Transformation(lambda grid, t, pair: a * pair[0] + b * pair[1])


def _antilinear(a: complex, b: complex) -> Transformation:
    return Transformation(lambda grid, t, pair: a * pair[0] + b * jnp.conj(pair[1]))


def scaling(factor: Scalar) -> Transformation:
    """Of psi by a factor: the equation is homogeneous."""
    return Transformation(lambda grid, t, pair: factor * pair[0])


def _local_scaling() -> Transformation:
    return Transformation(lambda grid, t, pair: jnp.abs(pair[0]) * pair[0])


def global_phase(angle: Scalar) -> Transformation:
    """exp(i angle) psi, the angle in radians."""
    return Transformation(lambda grid, t, pair: _turn(pair[0], -angle))


def _local_phase(angle: float) -> Transformation:
    """A phase that differs from place to place, without the vector potential it would need."""

    def frames(grid: Grid, t: Times, pair: Pair) -> Frames:
        return _turn(pair[0], angle * np.sin(2 * np.pi * _x(grid) / grid.lengths[0])[None])

    return Transformation(frames)


def _flip(field: Num[Array, "*n"]) -> Num[Array, "*n"]:
    return field[..., ::-1]


def mirror(landscape_too: bool = True) -> Transformation:
    """x -> L + dx - x, which takes the points of the grid onto each other."""
    return Transformation(
        lambda grid, t, pair: _flip(pair[0]),
        (lambda grid, v: _flip(v)) if landscape_too else _keep,
    )


def translation(n_cells: int, landscape_too: bool = True) -> Transformation:
    """x -> x + n_cells dx, around the box."""
    return Transformation(
        lambda grid, t, pair: jnp.roll(pair[0], n_cells, axis=-1),
        (lambda grid, v: jnp.roll(v, n_cells)) if landscape_too else _keep,
    )


def fractional_translation(n_cells: Scalar, landscape_too: bool = True) -> Transformation:
    """The same by any number of cells, with the Fourier interpolation of psi and v.

    A landscape with sharp edges has no band limit: its image rings, and V psi is not mapped onto
    the product of the images. So even the exact solver keeps this for smooth landscapes only.
    """
    return Transformation(
        lambda grid, t, pair: _shift(grid, pair[0], n_cells * grid.dx[0]),
        (lambda grid, v: _shift(grid, v[None], n_cells * grid.dx[0])[0].real)
        if landscape_too
        else _keep,
    )


def time_reversal(conjugate: bool = True) -> Transformation:
    """conj(psi(x, -t)), frames in reversed order: antiunitary (Wigner 1932).

    The newest frames of a forecast, conjugated and reversed, are the given ones of the image;
    from them the forecast has to retrace all the way to the first given frame.
    """
    return Transformation(lambda grid, t, pair: (jnp.conj(pair[0]) if conjugate else pair[0])[::-1])


def constant(energy: Scalar, turn_phase: bool = True) -> Transformation:
    """A constant energy in hartree added to V only turns the phase: exp(-i energy t) psi."""
    return Transformation(
        lambda grid, t, pair: _turn(pair[0], energy * t[:, None]) if turn_phase else pair[0],
        lambda grid, v: v + energy,
    )


def boost(n_quanta: int, moves: bool = True) -> Transformation:
    """A Galilean boost by k0 = 2 pi n_quanta / L: exp(i k0 x - i k0^2 t / 2) psi(x - k0 t, t).

    Only such k0 fit a periodic box, so boosts have no generator there. A landscape would have
    to move too, which a propagator of static ones cannot do: the claim is made for empty space. It
    is true for the continuum, and on the lattice, whose omega is no parabola, for slow waves only.
    """

    def frames(grid: Grid, t: Times, pair: Pair) -> Frames:
        k0 = 2 * np.pi * n_quanta / grid.lengths[0]
        moved = _shift(grid, pair[0], k0 * t[:, None]) if moves else pair[0]
        return _turn(moved, k0**2 / 2 * t[:, None] - k0 * _x(grid)[None])

    return Transformation(frames, is_free=True)


def inner_products(weighted: bool = False) -> Invariant:
    """<psi|psi>, <phi|psi> and <phi|phi>, or those with x / L between: not norms alone."""

    def form(grid: Grid, v: Landscape, start: States) -> Callable[[States, States], Array]:
        x_over_length = _x(grid) / grid.lengths[0]
        weight = jnp.asarray(x_over_length[None] ** weighted, v.dtype)
        norms = jnp.linalg.norm(start, axis=1)

        def q(bras: States, kets: States) -> Array:
            products = jnp.sum(jnp.conj(bras)[:, None] * (weight * kets)[None], axis=-1)
            return (products / (2 * norms[:, None] * norms[None])).ravel()

        return q

    return Invariant(form)


def mean_of(operator: Callable[[Grid, Landscape], Operator]) -> Invariant:
    """The mean of A(v), measured by twice its spread at the start, 2 sigma = 2 |(A - <A>) psi|.

    It is <psi|A - a|psi> with the mean a at the start, so that a loss of norm is not counted.
    """

    def form(grid: Grid, v: Landscape, start: States) -> Callable[[States, States], Array]:
        a, norm = operator(grid, v), grids.norm(grid, start[0])
        mean = inner_product(grid, start[0], a(start[0])).real / norm**2
        spread = grids.norm(grid, a(start[0]) - mean * start[0]) / norm

        def q(bras: States, kets: States) -> Array:
            return inner_product(grid, bras[0], a(kets[0]) - mean * kets[0])[None]

        return lambda bras, kets: q(bras, kets) / (2 * spread * norm**2)

    return Invariant(form)


def _kinetic(grid: Grid, v: Landscape) -> Operator:
    return hamiltonian(grid, jnp.zeros_like(v))


SYMMETRIES: dict[str, Symmetry] = {
    "superposition": Symmetry(
        "U(a psi + b phi) = a U psi + b U phi",
        superposition(0.6, 0.8j),
        "conj(phi) evolves as conj(U phi)",
        _antilinear(0.6, 0.8j),
        lambda s: superposition(1.0, 1j * s),
    ),
    "scaling": Symmetry(
        "psi -> 0.7 psi",
        scaling(0.7),
        "psi -> |psi| psi at each point",
        _local_scaling(),
        lambda s: scaling(jnp.exp(s)),
    ),
    "global phase": Symmetry(
        "psi -> exp(i) psi",
        global_phase(1.0),
        "a phase that differs from place to place",
        _local_phase(1.0),
        global_phase,
    ),
    "mirror": Symmetry(
        "x -> -x in psi and V", mirror(), "x -> -x in psi only", mirror(landscape_too=False)
    ),
    "translation, whole cells": Symmetry(
        "x -> x + 37 dx in psi and V",
        translation(37),
        "in psi only",
        translation(37, landscape_too=False),
    ),
    "translation, fractions": Symmetry(
        "x -> x + 10.5 dx, Fourier interpolated",
        fractional_translation(10.5),
        "in psi only",
        fractional_translation(10.5, landscape_too=False),
        fractional_translation,
    ),
    "time reversal": Symmetry(
        "conj(psi) retraces its past",
        time_reversal(),
        "psi retraces its past",
        time_reversal(conjugate=False),
    ),
    "constant in V": Symmetry(
        "V -> V + 1 hartree, psi -> exp(-i t) psi",
        constant(1.0),
        "V -> V + 1 hartree, psi as before",
        constant(1.0, turn_phase=False),
        constant,
    ),
    "Galilean boost": Symmetry(
        "k -> k + k0 in empty space, k0 = 2 pi 8 / L",
        boost(8),
        "without moving the frame",
        boost(8, moves=False),
    ),
    "inner products": Symmetry(
        "<psi|psi>, <phi|psi>, <phi|phi> are conserved",
        inner_products(),
        "<psi|x|psi>, ... are conserved",
        inner_products(weighted=True),
    ),
    "energy": Symmetry(
        "<psi|H|psi> is conserved", mean_of(hamiltonian), "the kinetic energy is", mean_of(_kinetic)
    ),
    "composition": Symmetry(
        "U(2n) = U(n) U(n) on psi alone",
        Composition(),
        "U(2n) = U(n - 1) U(n)",
        Composition(n_lost=1),
    ),
}


def v_range(
    grid: Grid, v: Float[Array, "n_case n_x"], symmetries: dict[str, Symmetry]
) -> tuple[float, float]:
    """Lowest and highest value, in hartree, of landscapes and of all their images; 0 is among them.

    >>> v = jnp.array([[0.0, 2.0, 0.0, 0.0]])
    >>> low, high = v_range(Grid(4, 1.0), v, {"c": SYMMETRIES["constant in V"]})
    >>> round(low, 3), round(high, 3)
    (-0.0, 3.0)
    """
    require_at_least(1, n_case=len(v))
    low, high = 0.0, 0.0
    claims = [claim for each in symmetries.values() for claim in (each.claim, each.control)]
    maps = [claim.landscape for claim in claims if isinstance(claim, Transformation)]
    for landscape in [_keep, *maps]:
        images = np.stack([np.asarray(landscape(grid, each)) for each in v])
        low, high = min(low, float(images.min())), max(high, float(images.max()))
    # A sliver more: compiled, the same image may round differently.
    sliver = 1e-5 * max(high - low, 1e-3)
    return low - sliver, high + sliver


def _x(grid: Grid) -> Float[np.ndarray, " n_x"]:
    return np.arange(1, grid.shape[0] + 1) * grid.dx[0]


def _turn(psi: Complex[Array, "*n"], angle: Scalar | np.ndarray | Array) -> Complex[Array, "*n"]:
    """exp(-i angle) psi; the phase of a known angle is built in float64."""
    phase = (np if is_known(angle) else jnp).exp(-1j * angle)
    return jnp.asarray(phase, psi.dtype) * psi


def _shift(
    grid: Grid, field: Num[Array, "n_t n_x"], distance: Scalar | np.ndarray
) -> Complex[Array, "n_t n_x"]:
    """The field at x - distance, by its Fourier interpolation."""
    angle = grid.wavenumbers()[None] * distance
    return jnp.fft.ifft(_turn(jnp.fft.fft(field), angle))
