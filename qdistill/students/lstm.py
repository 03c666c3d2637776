"""The paper's student with a long short-term memory in place of the gated recurrent unit."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class LSTM(nn.Module):
    """Dense + ReLU on each frame, an LSTM over the frames, Dense to the next window.

    Attributes:
      n_units: Width of the encoding and of the state.
    """

    n_units: int = 69

    @nn.compact
    def __call__(
        self, window: Float[Array, "n_history n_window n_channel"]
    ) -> Float[Array, "n_window 2"]:
        """One window's next frame, (Re psi, Im psi)."""
        n_history, n_window, _ = window.shape
        encoder = nn.Dense(self.n_units, param_dtype=float, name="encoder")
        frames = nn.relu(encoder(window.reshape(n_history, -1)))
        cell = nn.OptimizedLSTMCell(self.n_units, activation_fn=nn.relu, param_dtype=float)
        # Flax asks for a key even where the start is zero.
        carry = cell.initialize_carry(jax.random.key(0), frames[0].shape)
        carry = jax.tree.map(lambda zero: jnp.asarray(zero, window.dtype), carry)
        for frame in frames:
            carry, state = cell(carry, frame)
        decoder = nn.Dense(2 * n_window, param_dtype=float, name="decoder")
        return decoder(state).reshape(n_window, 2)
