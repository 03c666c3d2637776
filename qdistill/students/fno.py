"""A Fourier neural operator, the field's default baseline, on whole frames.

Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, ICLR 2021.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import refuse, require_at_least, require_positive, require_shape
from qdistill.physics.grid import Grid
from qdistill.students.base import Student, require_line
from qdistill.teacher.solvers import Propagator, Step


@dataclasses.dataclass(frozen=True)
class FNOConfig:
    """The size of a Fourier neural operator.

    Attributes:
      n_channels: Channels of a layer.
      n_layers: Fourier layers.
      n_modes: Lowest modes of the box that a layer mixes; 112 reach k = 7 on 100 bohr.
      v_scale: Landscapes are divided by this, in hartree.
    """

    n_channels: int = 10
    n_layers: int = 3
    n_modes: int = 112
    v_scale: float = 14.0

    def __post_init__(self) -> None:  # noqa: D105
        for name in ("n_channels", "n_layers", "n_modes"):
            require_at_least(1, **{name: getattr(self, name)})
        require_positive(v_scale=self.v_scale)


class FNO(nn.Module):
    """Lift (Re psi, Im psi, v) to channels, Fourier layers, project to the change of psi.

    Attributes:
      config: Its size.
    """

    config: FNOConfig

    @nn.compact
    def __call__(self, frame: Float[Array, "n_x 3"]) -> Float[Array, "n_x 2"]:
        """The next frame, (Re psi, Im psi)."""
        config = self.config
        n, n_modes = config.n_channels, config.n_modes
        u = nn.Dense(n, param_dtype=float, name="lift")(frame)
        for layer in range(config.n_layers):
            spread = nn.initializers.normal(1 / n)
            kernel = self.param(f"modes_{layer}", spread, (2, n_modes, n, n), float)
            waves = jnp.fft.rfft(u, axis=0)
            mixed = jnp.einsum("kc,kcd->kd", waves[:n_modes], kernel[0] + 1j * kernel[1])
            mixed = jnp.pad(mixed, ((0, len(waves) - n_modes), (0, 0)))
            local = nn.Dense(n, param_dtype=float, name=f"local_{layer}")(u)
            u = nn.gelu(local + jnp.fft.irfft(mixed, len(frame), axis=0))
        hidden = nn.gelu(nn.Dense(4 * n, param_dtype=float, name="hidden")(u))
        return frame[:, :2] + nn.Dense(2, param_dtype=float, name="project")(hidden)


def make(config: FNOConfig, grid: Grid) -> Student:
    """The student of a Fourier neural operator; it sees psi divided by its own root mean square.

    Raises:
      ValueError: For a grid that is not a line, or has fewer modes than `n_modes`.
    """
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional for this student", grid)
    if config.n_modes > grid.shape[0] // 2:
        refuse("n_modes", f"at most {grid.shape[0] // 2} on this grid", config.n_modes)
    network = FNO(config)

    def init(key: Key[Array, ""]) -> PyTree:
        return network.init(key, jnp.zeros((*grid.shape, 3), float))["params"]

    def propagator(params: PyTree) -> Propagator:
        def make_step(v: Float[Array, " n_x"]) -> Step:
            require_line(v)

            def step(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
                require_shape(v.shape, psi=psi)
                size = jax.lax.stop_gradient(jnp.sqrt(jnp.mean(jnp.abs(psi) ** 2)))
                scaled = psi / size
                frame = jnp.stack([scaled.real, scaled.imag, v / config.v_scale], axis=-1)
                forecast = jnp.asarray(network.apply({"params": params}, frame))
                return size * (forecast[:, 0] + 1j * forecast[:, 1])

            return step

        return make_step

    return Student(1, init, propagator)
