"""The learned potential phases of a splitting, functions of the potential nearby."""

import itertools

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Inexact

from qdistill._refusals import explained

# Scale of potential differences in the network's input, in hartree.
V_SCALE = 4.0


class PotentialPhases(nn.Module):
    """The phases a_j(x) = dt (c_j v(x) + network of v(x + s) - v(x)), in radians per frame.

    The c_j sum to one, and the network gives zero for a flat potential. So a constant added to v
    gives exactly a phase. On a line the input of the network is the differences v(x + s) - v(x),
    and its output is averaged over the two directions. In several dimensions the input is the mean
    of the differences and of their squares over rings of points s. For a smooth potential these
    determine the Laplacian and the squared gradient; the latter is the commutator [v, [T, v]] in
    the error of a splitting. No direction is preferred.

    Between channels v(x) and a_j(x) are Hermitian matrices. In place of the network stands a sum,
    over rings of points s, of learned multiples of the matrices v(x + s) - v(x) and of their
    squares. So a constant unitary change of basis of v is one of a_j, by construction.

    Attributes:
      n_phases: Number of phases.
      dt: Duration of a frame, in atomic units.
      shares: Initial values of the c_j.
      reach: Largest |s| in points: on a line along the axis, else as a distance.
      n_units: Width of the two hidden layers; without effect between channels.
      mirror: Whether a mirrored potential has the mirrored phases by construction. In several
        dimensions and between channels it always has.
      palindrome: Whether a_j and a_(n - j) are equal by construction.
      unit: Scale of the network's contribution, relative to the potential.
      n_dim: Number of space dimensions.
      n_channel: Number of channels, 0 for a potential without.
    """

    n_phases: int
    dt: float
    shares: tuple[float, ...]
    reach: int
    n_units: int
    mirror: bool = True
    palindrome: bool = True
    unit: float = 1.0
    n_dim: int = 1
    n_channel: int = 0

    def setup(self) -> None:  # noqa: D102
        n_free = (self.n_phases + 1) // 2 if self.palindrome else self.n_phases
        start = nn.initializers.constant(jnp.asarray(self.shares[:n_free], float))
        zeros = nn.initializers.zeros
        self.share = self.param("share", start, (n_free,))
        self.hidden = [nn.Dense(self.n_units, param_dtype=float) for _ in range(2)]
        self.direct = nn.Dense(n_free, use_bias=False, kernel_init=zeros, param_dtype=float)
        self.output = nn.Dense(n_free, use_bias=False, kernel_init=zeros, param_dtype=float)

    def __call__(self, v: Inexact[Array, "*n_x"]) -> Inexact[Array, "n_phases *n_x"]:
        """Return all a_j(x)."""
        if self.n_channel:
            local = self.direct(means_over_rings(v, self.reach, self.n_channel))
        elif self.n_dim == 1:
            local = self._along_line(v)
        else:
            local = self._network(means_over_rings(v, self.reach))
        shares = self.shares_of_kicks()
        local = self.unit * complete(jnp.moveaxis(local, -1, 0), self.n_phases)
        return self.dt * (shares.reshape(-1, *[1] * v.ndim) * v[None] + local)

    def shares_of_kicks(self) -> Float[Array, " n_phases"]:
        """Return the c_j, the shares of the potential among the kicks."""
        shares = complete(self.share, self.n_phases)
        return shares - jnp.mean(shares) + 1 / self.n_phases

    def _along_line(self, v: Float[Array, " n_x"]) -> Float[Array, "n_x n_free"]:
        offsets = [s for s in range(-self.reach, self.reach + 1) if s != 0]
        differences = jnp.stack([jnp.roll(v, -s) - v for s in offsets], axis=-1)
        local = self._network(differences)
        if self.mirror:
            local = (local + self._network(differences[:, ::-1])) / 2
        return local

    def _network(self, differences: Float[Array, "*n_x n_input"]) -> Float[Array, "*n_x n_free"]:
        flat = jnp.zeros((*[1] * self.n_dim, differences.shape[-1]), differences.dtype)
        response = self._encode(differences) - self._encode(flat)
        return self.direct(differences) + self.output(response)

    def _encode(self, differences: Float[Array, "*n_x n_input"]) -> Float[Array, "*n_x n_unit"]:
        first, second = self.hidden
        return nn.tanh(second(nn.tanh(first(differences / V_SCALE))))


@explained
def means_over_rings(
    v: Inexact[Array, "*n_x"], reach: int, n_channel: int = 0
) -> Inexact[Array, "*n_x n_input"]:
    """Return means of v(x + s) - v(x), and of its square / 4 hartree, over the s of each ring.

    A ring holds an s and its images under mirrors and exchange of axes. The nearest ring is first.
    With channels v has two axes of them in front, and squares are products of matrices.
    """
    axes = tuple(range(2 * bool(n_channel), v.ndim))
    means, squares = [], []
    for ring in rings(reach, len(axes)):
        differences = [jnp.roll(v, step, axes) - v for step in ring]
        means.append(sum(differences) / len(ring))
        if n_channel:
            products = [jnp.einsum("ij...,jk...->ik...", d, d) for d in differences]
        else:
            products = [d**2 for d in differences]
        squares.append(sum(products) / (V_SCALE * len(ring)))
    return jnp.stack([*means, *squares], axis=-1)


@explained
def rings(reach: int, n_dim: int) -> list[list[tuple[int, ...]]]:
    """Return the offsets of all points within a distance of `reach`, grouped by symmetry.

    >>> rings(1, 2)
    [[(-1, 0), (0, -1), (0, 1), (1, 0)]]
    """
    alike: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    for step in itertools.product(range(-reach, reach + 1), repeat=n_dim):
        if 0 < sum(s**2 for s in step) <= reach**2:
            alike.setdefault(tuple(sorted(map(abs, step))), []).append(step)
    return [alike[key] for key in sorted(alike, key=lambda key: sum(s**2 for s in key))]


@explained
def complete(free: Inexact[Array, "n_free ..."], count: int) -> Inexact[Array, "n_all ..."]:
    """Return a palindrome of `count` values from its first half; all values if all are given."""
    return free if len(free) == count else jnp.concatenate([free, free[: count // 2][::-1]])
