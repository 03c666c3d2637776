"""The two ends that the paper's students share."""

import flax.linen as nn
from jaxtyping import Array, Float


def encode(
    window: Float[Array, "n_history n_window n_channel"], n_units: int
) -> Float[Array, "n_history n_units"]:
    """Dense + ReLU on each frame of a window, the same for all; within a compact module."""
    dense = nn.Dense(n_units, param_dtype=float, name="encoder")
    return nn.relu(dense(window.reshape(len(window), -1)))


def decode(state: Float[Array, " n_unit"], n_window: int) -> Float[Array, "n_window 2"]:
    """Dense from a state to a window's next frame, (Re psi, Im psi); within a compact module."""
    decoder = nn.Dense(2 * n_window, param_dtype=float, name="decoder")
    return decoder(state).reshape(n_window, 2)
