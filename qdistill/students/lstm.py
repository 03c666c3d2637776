"""The paper's student with a long short-term memory instead of a gated recurrent unit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from qdistill.students import layers


class LSTM(nn.Module):
    """The paper's LSTM: Dense + ReLU on each frame, an LSTM over frames, Dense to the next window.

    Attributes:
      n_units: Width of the encoding and of the state.
    """

    n_units: int = 69

    @nn.compact
    def __call__(
        self, window: Float[Array, "n_history n_window n_field"]
    ) -> Float[Array, "n_window n_part"]:
        """Return the next frame of one window, Re psi and Im psi."""
        frames = layers.encode(window, self.n_units)
        cell = nn.OptimizedLSTMCell(self.n_units, activation_fn=nn.relu, param_dtype=float)
        # Flax needs a key although the initial state is zero.
        carry = cell.initialize_carry(jax.random.key(0), frames[0].shape)
        carry = jax.tree.map(lambda zero: jnp.asarray(zero, window.dtype), carry)
        for frame in frames:
            carry, state = cell(carry, frame)
        return layers.decode(state, window)
