"""The first and the last layer of the paper's students."""

import flax.linen as nn
from jaxtyping import Array, Float

from qdistill._refusals import explained


@explained
def encode(
    window: Float[Array, "n_history n_window n_channel"], n_units: int
) -> Float[Array, "n_history n_units"]:
    """Apply the same Dense + ReLU to each frame of a window; call it in a compact module."""
    dense = nn.Dense(n_units, param_dtype=float, name="encoder")
    return nn.relu(dense(window.reshape(len(window), -1)))


@explained
def decode(state: Float[Array, " n_unit"], n_window: int) -> Float[Array, "n_window 2"]:
    """Apply Dense to get a window's next frame (Re psi, Im psi); call it in a compact module."""
    decoder = nn.Dense(2 * n_window, param_dtype=float, name="decoder")
    return decoder(state).reshape(n_window, 2)
