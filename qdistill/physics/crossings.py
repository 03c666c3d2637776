"""Potentials between two channels by name: Tully's models, linear crossing, levels, two wells.

Each is a pure function of positions and parameters that returns the real symmetric matrix of two
diabatic states, (2, 2, *n_x) in hartree. Lengths are in bohr. Defaults of Tully's three models are
those of his paper, for a mass of 2000: J. Chem. Phys. 93, 1061 (1990). `System.as_potential` takes
one of these as it is, and any other with its parameters.

    >>> import functools
    >>> import qdistill as qd
    >>> two = qd.System(qd.Grid(64, 20.0, origin=-10.0), n_channel=2)
    >>> v = two.as_potential(functools.partial(linear, slope=0.1, coupling=0.02))
    >>> v.shape, two.as_potential(single).shape
    ((2, 2, 64), (2, 2, 64))

Most of them differ at the two ends of the periodic box. Psi must stay away from the ends.
"""

from collections.abc import Callable

import jax.numpy as jnp
from jaxtyping import Array, Float

from qdistill._checks import refuse, require_finite, require_positive, require_real
from qdistill._refusals import explained
from qdistill.physics.grid import Scalar
from qdistill.physics.potentials import Positions


@explained
def single(
    x: Positions,
    height: Scalar = 0.01,
    steepness: Scalar = 1.6,
    coupling: Scalar = 0.005,
    narrowness: Scalar = 1.0,
) -> Float[Array, "2 2 *n_x"]:
    """Tully's first model, one avoided crossing at x = 0.

    V_11 = -V_22 = height sign(x) (1 - exp(-steepness |x|)), V_12 = coupling exp(-narrowness x^2).

    >>> single(jnp.array([-10.0, 0.0, 10.0])).round(4)[0]
    Array([[-0.01 ,  0.   ,  0.01 ],
           [ 0.   ,  0.005,  0.   ]], dtype=float32)
    """
    _require_real(x, height=height, coupling=coupling)
    require_positive(steepness=steepness, narrowness=narrowness)
    rise = height * jnp.sign(x) * (1 - jnp.exp(-steepness * jnp.abs(x)))
    return _matrix(x, rise, -rise, coupling * jnp.exp(-narrowness * x**2))


@explained
def dual(
    x: Positions,
    depth: Scalar = 0.1,
    narrowness: Scalar = 0.28,
    coupling: Scalar = 0.015,
    coupling_narrowness: Scalar = 0.06,
    offset: Scalar = 0.05,
) -> Float[Array, "2 2 *n_x"]:
    """Tully's second model, two avoided crossings whose paths interfere.

    V_11 = 0, V_22 = offset - depth exp(-narrowness x^2), V_12 = coupling
    exp(-coupling_narrowness x^2).

    >>> dual(jnp.array([-10.0, 0.0])).round(4)[1]
    Array([[ 0.   ,  0.015],
           [ 0.05 , -0.05 ]], dtype=float32)
    """
    _require_real(x, depth=depth, coupling=coupling, offset=offset)
    require_positive(narrowness=narrowness, coupling_narrowness=coupling_narrowness)
    well = offset - depth * jnp.exp(-narrowness * x**2)
    return _matrix(x, 0.0, well, coupling * jnp.exp(-coupling_narrowness * x**2))


@explained
def extended(
    x: Positions, splitting: Scalar = 6e-4, coupling: Scalar = 0.1, steepness: Scalar = 0.9
) -> Float[Array, "2 2 *n_x"]:
    """Tully's third model, a coupling that grows from 0 on the left to 2 `coupling` on the right.

    V_11 = -V_22 = splitting, V_12 = coupling exp(steepness x) for x < 0, else
    coupling (2 - exp(-steepness x)).

    >>> print(extended(jnp.array([-20.0, 0.0, 20.0])).round(4)[0])
    [[0.0006     0.0006     0.0006    ]
     [0.         0.09999999 0.19999999]]
    """
    _require_real(x, splitting=splitting, coupling=coupling)
    require_positive(steepness=steepness)
    fall = jnp.exp(-steepness * jnp.abs(x))
    return _matrix(x, splitting, -splitting, coupling * jnp.where(x < 0, fall, 2 - fall))


@explained
def linear(x: Positions, slope: Scalar, coupling: Scalar) -> Float[Array, "2 2 *n_x"]:
    """Landau and Zener's crossing, V_11 = -V_22 = slope x with a constant coupling.

    A packet that crosses at the speed u stays on its diabatic state with the probability
    exp(-pi coupling^2 / (u |slope|)).
    """
    _require_real(x, slope=slope, coupling=coupling)
    return _matrix(x, slope * x, -slope * x, coupling)


@explained
def levels(x: Positions, gap: Scalar, coupling: Scalar) -> Float[Array, "2 2 *n_x"]:
    """Rabi's two levels, V_11 = -V_22 = gap / 2 with a constant coupling.

    With W^2 = coupling^2 + gap^2 / 4 the other level has the population
    (coupling / W)^2 sin(W t)^2 after a time t, whatever psi is.
    """
    _require_real(x, gap=gap, coupling=coupling)
    return _matrix(x, gap / 2, -gap / 2, coupling)


@explained
def wells(
    x: Positions, stiffness: Scalar, shift: Scalar, offset: Scalar = 0.0, coupling: Scalar = 0.0
) -> Float[Array, "2 2 *n_x"]:
    """Two harmonic wells of one frequency, sqrt(stiffness / mass), displaced along x.

    V_11 = stiffness x^2 / 2, V_22 = stiffness (x - shift)^2 / 2 + offset, V_12 = coupling.
    """
    _require_real(x, shift=shift, offset=offset, coupling=coupling)
    require_positive(stiffness=stiffness)
    first, second = stiffness * x**2 / 2, stiffness * (x - shift) ** 2 / 2 + offset
    return _matrix(x, first, second, coupling)


# Tully's models by their numbers.
TULLY: dict[int, Callable[[Positions], Float[Array, "2 2 *n_x"]]] = {
    1: single,
    2: dual,
    3: extended,
}


def _require_real(x: Positions, **parameters: Scalar) -> None:
    require_real(positions=x)
    require_finite(positions=x, **parameters)
    for name, value in parameters.items():
        if jnp.iscomplexobj(value):
            refuse(name, "real", value)


def _matrix(
    x: Positions, first: Array | Scalar, second: Array | Scalar, coupling: Array | Scalar
) -> Float[Array, "2 2 *n_x"]:
    """The symmetric matrix of two potentials and their coupling, in the precision of x."""

    def values(v: Array | Scalar) -> Array:
        return jnp.broadcast_to(jnp.asarray(v, x.dtype), x.shape)

    rows = (first, coupling), (coupling, second)
    return jnp.stack([jnp.stack([values(v) for v in row]) for row in rows])
