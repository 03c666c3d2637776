"""From a network that forecasts one window to a student that forecasts the whole frame."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import require_shape
from qdistill.students import windows
from qdistill.students.base import Student, require_line
from qdistill.students.windows import WindowConfig
from qdistill.teacher.solvers import Propagator, Step


def make(network: nn.Module, config: WindowConfig) -> Student:
    """The student that applies a network to the windows around all points and stitches.

    It has no boundary, so it runs on a periodic box of any size with the same spacing.

    Args:
      network: Maps (n_history, n_window, 3) to (n_window, 2), without a batch axis.
      config: The windows.
    """
    shape = (config.n_history, config.n_window, 3)

    def init(key: Key[Array, ""]) -> PyTree:
        return network.init(key, jnp.zeros(shape, float))["params"]

    def forecast_window(
        params: PyTree,
        psi: Complex[Array, "n_history n_window"],
        v: Float[Array, " n_window"],
    ) -> Complex[Array, " n_window"]:
        inputs, unit = windows.encode(config, psi, v)
        forecast = jnp.asarray(network.apply({"params": params}, inputs))
        return windows.decode(forecast, unit)

    def propagator(params: PyTree) -> Propagator:
        forecast_all = jax.vmap(forecast_window, in_axes=(None, 1, 0))

        def make_step(v: Float[Array, " n_x"]) -> Step:
            require_line(v)
            is_memoryless = config.n_history == 1
            state_shape = v.shape if is_memoryless else (config.n_history, *v.shape)
            v_windows = windows.around_all(v, config.n_window)

            def step(state: Complex[Array, "..."]) -> Complex[Array, "..."]:
                require_shape(state_shape, state=state)
                history = state[None] if is_memoryless else state
                psi_windows = windows.around_all(history, config.n_window)
                forecasts = forecast_all(params, psi_windows, v_windows)
                psi = windows.stitch(forecasts, config.sigma)
                return psi if is_memoryless else jnp.concatenate([history[1:], psi[None]])

            return step

        return make_step

    return Student(config.n_history, init, propagator, forecast_window)
