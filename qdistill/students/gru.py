"""The paper's student: a gated recurrent unit over the frames of a window."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from qdistill.students import layers


class GRU(nn.Module):
    """The paper's GRU: Dense + ReLU on each frame, a GRU over frames, Dense to the next window.

    The GRU has ReLU candidates, sigmoid gates, and its reset gate after the recurrent product:
    h' = (1 - z) n + z h with n = relu(W x + r (U h + b)), as in Flax's `GRUCell`. Its kernels are
    fused (reset | update | candidate) in one matrix.

    It has 36,892 parameters. The published number, 40,204, includes 3,312 redundant ones: rows of
    the last kernel for a second copy of the same state, and a second bias of two of the gates.

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
        from_frames = nn.Dense(3 * self.n_units, param_dtype=float, name="input")(frames)
        recurrent = self.param("recurrent", _three_orthogonal, (self.n_units, 3 * self.n_units))
        bias = self.param("candidate_bias", nn.initializers.zeros, (self.n_units,), float)

        # The state before the first frame is zero, so its recurrent product is zero too.
        state = jnp.zeros(self.n_units, window.dtype)
        from_state = jnp.zeros(3 * self.n_units, window.dtype)
        for i, from_frame in enumerate(from_frames):
            if i > 0:
                from_state = state @ recurrent
            reset_x, update_x, candidate_x = jnp.split(from_frame, 3)
            reset_h, update_h, candidate_h = jnp.split(from_state, 3)
            reset = nn.sigmoid(reset_x + reset_h)
            update = nn.sigmoid(update_x + update_h)
            candidate = nn.relu(candidate_x + reset * (candidate_h + bias))
            state = (1 - update) * candidate + update * state
        return layers.decode(state, window)


def _three_orthogonal(key: Array, shape: tuple[int, int], dtype: type = float) -> Array:
    """Three orthogonal square matrices, one per gate, concatenated.

    They are made by one call of LAPACK. Of several in a program, XLA's threads on a CPU (jaxlib
    0.10) may run two at a time, each for many networks, that wait for each other for ever.
    """
    n_units = shape[0]
    init = nn.initializers.orthogonal()
    parts = jax.vmap(lambda k: init(k, (n_units, n_units), dtype))(jax.random.split(key, 3))
    return jnp.concatenate(list(parts), axis=1)
