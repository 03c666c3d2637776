"""The first and the last layer of the paper's students."""

import math

import flax.linen as nn
from jaxtyping import Array, Float

from qdistill._refusals import explained


@explained
def encode(
    window: Float[Array, "n_history n_window n_field"], n_units: int
) -> Float[Array, "n_history n_units"]:
    """Apply the same Dense + ReLU to each frame of a window; call it in a compact module."""
    dense = nn.Dense(n_units, param_dtype=float, name="encoder")
    return nn.relu(dense(window.reshape(len(window), -1)))


@explained
def decode(
    state: Float[Array, " n_unit"], window: Float[Array, "n_history n_window n_field"]
) -> Float[Array, "n_window n_part"]:
    """Apply Dense to get a window's next frame (Re psi, Im psi); call it in a compact module.

    Args:
      state: What it is computed from.
      window: The network's input. Its fields tell the number of channels: psi has 2 n_channel of
        them and a Hermitian potential n_channel^2.
    """
    _, n_window, n_field = window.shape
    n_part = 2 * (math.isqrt(n_field + 1) - 1)
    decoder = nn.Dense(n_part * n_window, param_dtype=float, name="decoder")
    return decoder(state).reshape(n_window, n_part)
