"""The phases that a landscape turns psi by, from the landscape nearby."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

# Differences of the landscape, in hartree, that the network takes as large.
V_SCALE = 4.0


class LandscapePhases(nn.Module):
    """a_j(x) = dt (c_j v(x) + a network of the differences v(x + s) - v(x)), in radians a frame.

    The c_j sum to one, and the network gives zero for a flat landscape: so a constant added to v
    is exactly a phase.

    Attributes:
      n_phases: How many.
      dt: Duration of a frame, in atomic units.
      shares: The c_j at the start.
      reach: Points on either side that the network sees.
      n_units: Width of its two hidden layers.
      mirror: Whether a mirrored landscape has the mirrored phases.
      palindrome: Whether a_j and a_(n - j) are the same.
      unit: Of what the network adds, relative to the landscape.
    """

    n_phases: int
    dt: float
    shares: tuple[float, ...]
    reach: int
    n_units: int
    mirror: bool = True
    palindrome: bool = True
    unit: float = 1.0

    def setup(self) -> None:  # noqa: D102
        n_free = (self.n_phases + 1) // 2 if self.palindrome else self.n_phases
        start = nn.initializers.constant(jnp.asarray(self.shares[:n_free], float))
        zeros = nn.initializers.zeros
        self.share = self.param("share", start, (n_free,))
        self.hidden = [nn.Dense(self.n_units, param_dtype=float) for _ in range(2)]
        self.direct = nn.Dense(n_free, use_bias=False, kernel_init=zeros, param_dtype=float)
        self.output = nn.Dense(n_free, use_bias=False, kernel_init=zeros, param_dtype=float)

    def __call__(self, v: Float[Array, " n_x"]) -> Float[Array, "n_phases n_x"]:
        """All a_j(x)."""
        offsets = [s for s in range(-self.reach, self.reach + 1) if s != 0]
        differences = jnp.stack([jnp.roll(v, -s) - v for s in offsets], axis=-1)
        local = self._network(differences)
        if self.mirror:
            local = (local + self._network(differences[:, ::-1])) / 2
        shares = complete(self.share, self.n_phases)
        shares = shares - jnp.mean(shares) + 1 / self.n_phases
        local = self.unit * complete(local.T, self.n_phases)
        return self.dt * (shares[:, None] * v[None] + local)

    def _network(self, differences: Float[Array, "n_x n_offset"]) -> Float[Array, "n_x n_free"]:
        flat = jnp.zeros((1, differences.shape[1]), differences.dtype)
        response = self._encode(differences) - self._encode(flat)
        return self.direct(differences) + self.output(response)

    def _encode(self, differences: Float[Array, "n_x n_offset"]) -> Float[Array, "n_x n_unit"]:
        first, second = self.hidden
        return nn.tanh(second(nn.tanh(first(differences / V_SCALE))))


def complete(free: Float[Array, "n_free ..."], count: int) -> Float[Array, "n_all ..."]:
    """A palindrome of `count` from its first half; all of them if all are given."""
    return free if len(free) == count else jnp.concatenate([free, free[: count // 2][::-1]])
