"""First-order intertwiners between two potentials: A = d/dx + W(x) with U1 A = A U0.

Such an A maps every solution in the potential V0 to one in V1. In atomic units and with mass 1 it
exists on the continuum for supersymmetric partners V0, V1 = (W^2 -+ dW/dx) / 2, up to a common
constant (Darboux, 1882; Witten, 1981). The search does not use this: W is free on knots, and found
by linear least squares from forecasts of a few packets in both potentials.

    >>> import jax.numpy as jnp
    >>> from qdistill import Grid, System
    >>> from qdistill.insight.discovery import follow
    >>> from qdistill.physics import packets
    >>> from qdistill.teacher import chebyshev
    >>> system = System(Grid(256, 40.0, "continuum", origin=-20.0), dt=0.2, bounds=(-3.0, 1.0))
    >>> x = np.asarray(system.grid.positions())
    >>> v1 = jnp.asarray(-1 / np.cosh(x) ** 2, float)
    >>> psi = jnp.stack([packets.gaussian(system.grid, c, 1.5, k) for c, k in ((-3, 1.5), (2, -1))])
    >>> terms = make_terms(system.grid, np.linspace(-12, 12, 49))
    >>> states = apply_terms(terms, psi)
    >>> first, second = (follow(chebyshev(system), v, 10) for v in (0 * v1, v1))
    >>> targets = apply_terms(terms, first(psi[:, None])[:, -1])
    >>> found = intertwine(states, advance(states, second), targets)
    >>> w = found.potential(terms)
    >>> bool(found.residual < 3e-4 and np.abs(w + np.tanh(x))[abs(x) < 5].max() < 1e-3)
    True
"""

from typing import NamedTuple, TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float

from qdistill._checks import (
    refuse,
    require_at_least,
    require_complex,
    require_finite,
    require_shape,
)
from qdistill._refusals import explained
from qdistill.insight.discovery import weyl
from qdistill.insight.discovery._evolutions import Evolve, evolved
from qdistill.physics.grid import Grid, require_line

STATES = "n_term n_packet n_x"
States: TypeAlias = Complex[Array | np.ndarray, "n_term n_packet n_x"]

# Width of a bump in units of the distance of knots: a sum of equal ones is flat to 1e-5.
BUMP = 0.8
# Directions of W that packets see by less than this share of the best seen one are left out.
SEEN = 1e-4


class Terms(NamedTuple):
    """The terms of A: d/dx, and bumps of which W is the sum.

    Attributes:
      grid: The line.
      bumps: Values of the bumps, one row for each knot.
    """

    grid: Grid
    bumps: Float[np.ndarray, "n_knot n_x"]


@explained
class Intertwiner(NamedTuple):
    """The best A = d/dx + W for two evolutions.

    Attributes:
      residual: Norm of U1 A psi - A U0 psi over all packets, in units of dpsi/dx and of the motion,
        |A U0 psi - A psi| / |A psi|.
      weights: Weights of the bumps in W.
    """

    residual: float
    weights: Float[np.ndarray, " n_knot"]

    def potential(self, terms: Terms) -> Float[np.ndarray, " n_x"]:
        """Return W on the grid, in 1/bohr; where no packet comes to, it has no meaning."""
        wanted = (len(self.weights), *terms.grid.shape)
        require_shape(wanted, **{"terms.bumps": terms.bumps})
        return self.weights @ terms.bumps


@explained
def make_terms(grid: Grid, knots: Float[np.ndarray, " n_knot"]) -> Terms:
    """Return d/dx and Gaussian bumps on equidistant knots, in bohr.

    On the lattice d/dx is i sin(k dx) / dx in Fourier space, as its velocities are.
    """
    require_line(grid)
    require_at_least(2, n_knot=len(knots))
    require_finite(knots=knots)
    gaps = np.diff(knots)
    if not (gaps > 0).all() or np.ptp(gaps) > 1e-3 * gaps[0]:
        refuse("knots", "equidistant and ascending", knots)
    x = np.asarray(grid.positions(), float)
    return Terms(grid, np.exp(-0.5 * ((x - np.asarray(knots)[:, None]) / (BUMP * gaps[0])) ** 2))


@explained
def apply_terms(terms: Terms, psi: Complex[Array | np.ndarray, "n_packet n_x"]) -> States:
    """Return every term applied to every packet, d/dx first."""
    require_complex("n_packet n_x", psi=psi)
    require_shape((len(psi), *terms.grid.shape), psi=psi)
    require_finite(psi=psi)
    psi = jnp.asarray(psi)
    slope = 1j * jax.vmap(lambda each: weyl.operate(terms.grid, (0, 1), each))(psi)
    bumps = jnp.asarray(terms.bumps, psi.real.dtype)
    return np.asarray(jnp.concatenate([slope[None], bumps[:, None] * psi[None]]))


@explained
def advance(states: States, evolve: Evolve) -> States:
    """Return the states after an evolution that needs one given frame.

    Raises:
      ValueError: For states that are no complex numbers with three axes, and an evolution that
        returns another shape.
    """
    require_complex(STATES, states=states)
    states = np.asarray(states)
    return evolved(evolve, states.reshape(-1, 1, states.shape[-1])).reshape(states.shape)


@explained
def intertwine(states: States, images: States, targets: States) -> Intertwiner:
    """Return the real W for which A U0 and U1 A agree best.

    Args:
      states: The terms of A on the packets, see `apply_terms`.
      images: The same after the evolution U1, see `advance`.
      targets: The terms of A on the packets after the evolution U0.

    Raises:
      ValueError: For states that do not move, and arrays that are not complex, not finite, or not
        of one shape.
    """
    require_complex(STATES, states=states, images=images, targets=targets)
    require_at_least(2, n_term=len(states))
    require_finite(states=states, images=images, targets=targets)
    require_shape(np.shape(states), images=images, targets=targets)
    before, after, wanted = (_real(np.asarray(each)) for each in (states, images, targets))
    rest = after - wanted
    # The normal equations, since there are far more numbers than knots.
    gram = rest @ rest.T
    weights = -np.linalg.pinv(gram[1:, 1:], SEEN**2, hermitian=True) @ gram[1:, 0]
    row = np.append(1.0, weights)
    motion = np.linalg.norm(row @ (wanted - before)) / np.linalg.norm(row @ before)
    if not motion > 0:
        refuse("targets", "packets that move", "the same as `states`")
    size = np.linalg.norm(before[0]) * motion
    return Intertwiner(float(np.linalg.norm(row @ rest) / size), weights)


def _real(states: np.ndarray) -> Float[np.ndarray, "n_term n"]:
    """Real and imaginary parts of all packets, one row for each term."""
    rows = np.ascontiguousarray(states.reshape(len(states), -1).astype(np.complex128))
    return rows.view(np.float64)
