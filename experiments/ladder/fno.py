"""A Fourier neural operator, the field's default baseline, on whole frames.

Li et al., Fourier Neural Operator for Parametric Partial Differential Equations, ICLR 2021.
"""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import refuse, require_at_least, require_positive, require_settings
from qdistill.students import Student, StudentConfig
from qdistill.system import Potential, Step, System


@dataclasses.dataclass(frozen=True)
class FNOConfig(StudentConfig, name="fno"):
    """The form of a Fourier neural operator.

    Attributes:
      n_channels: Channels of a layer.
      n_layers: Number of Fourier layers.
      n_modes: Number of lowest modes that a layer mixes; 112 reach k = 7 in a box of 100 bohr.
      v_scale: Scale in hartree by which potentials are divided.
    """

    n_channels: int = 10
    n_layers: int = 3
    n_modes: int = 112
    v_scale: float = 14.0

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("n_channels", "n_layers", "n_modes"):
            require_at_least(1, **{name: getattr(self, name)})
        require_positive(v_scale=self.v_scale)

    def build(self, system: System) -> "FourierOperator":
        """Return the student of this form."""
        return FourierOperator(self, system)


class FNO(nn.Module):
    """A Fourier neural operator from (Re psi, Im psi, v) to the change of psi.

    Attributes:
      config: Its size.
    """

    config: FNOConfig

    @nn.compact
    def __call__(self, frame: Float[Array, "n_x 3"]) -> Float[Array, "n_x 2"]:
        """Return the next frame, (Re psi, Im psi)."""
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


@dataclasses.dataclass(frozen=True)
class FourierOperator(Student):
    """A student with a Fourier neural operator, whose input is psi divided by its rms.

    Raises:
      ValueError: For a system that is not one-dimensional, or has fewer modes than `n_modes`.
    """

    form: FNOConfig

    def __post_init__(self) -> None:  # noqa: D105
        grid, n_modes = self.system.grid, self.form.n_modes
        if grid.n_dim != 1 or self.system.n_channel:
            refuse("grid", "one-dimensional for this student", grid)
        if n_modes > grid.shape[0] // 2:
            refuse("n_modes", f"at most {grid.shape[0] // 2} on this grid", n_modes)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return random parameters."""
        frame = jnp.zeros((*self.system.grid.shape, 3), float)
        return FNO(self.form).init(key, frame)["params"]

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return one frame forward, psi to psi."""
        local = self.system.local(v, 0.0, None) / self.form.v_scale

        def advance(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
            size = jax.lax.stop_gradient(jnp.sqrt(jnp.mean(jnp.abs(psi) ** 2)))
            scaled = psi / size
            frame = jnp.stack([scaled.real, scaled.imag, local], axis=-1)
            forecast = jnp.asarray(FNO(self.form).apply({"params": params}, frame))
            return size * (forecast[:, 0] + 1j * forecast[:, 1])

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)
