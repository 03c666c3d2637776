"""The paper's feed-forward students: an affine map, a dense and a convolutional network."""

import flax.linen as nn
from jaxtyping import Array, Float

from qdistill.students import layers


class Linear(nn.Module):
    """An affine map of the last frame."""

    @nn.compact
    def __call__(
        self, window: Float[Array, "n_history n_window n_field"]
    ) -> Float[Array, "n_window n_part"]:
        """Return the next frame of one window, Re psi and Im psi."""
        return layers.decode(window[-1].ravel(), window)


class Dense(nn.Module):
    """A dense network: Dense + ReLU on each frame, Dense + ReLU over all, Dense to the next window.

    Attributes:
      n_units: Width of both layers.
    """

    n_units: int = 69

    @nn.compact
    def __call__(
        self, window: Float[Array, "n_history n_window n_field"]
    ) -> Float[Array, "n_window n_part"]:
        """Return the next frame of one window, Re psi and Im psi."""
        frames = layers.encode(window, self.n_units)
        over_time = nn.Dense(self.n_units, param_dtype=float, name="over_time")
        return layers.decode(nn.relu(over_time(frames.ravel())), window)


class Conv(nn.Module):
    """A convolutional network: filters over frames + ReLU, Dense + ReLU, Dense to the next window.

    Attributes:
      n_units: Width of the dense layer.
      n_filters: Filters, each a weighted sum of the frames.
    """

    n_units: int = 69
    n_filters: int = 16

    @nn.compact
    def __call__(
        self, window: Float[Array, "n_history n_window n_field"]
    ) -> Float[Array, "n_window n_part"]:
        """Return the next frame of one window, Re psi and Im psi."""
        # A (n_history, 1) convolution over n_history frames equals a dense layer over the frames.
        filters = nn.Dense(self.n_filters, param_dtype=float, name="filters")
        filtered = nn.relu(filters(window.reshape(len(window), -1).T))
        dense = nn.Dense(self.n_units, param_dtype=float, name="dense")
        return layers.decode(nn.relu(dense(filtered.ravel())), window)
