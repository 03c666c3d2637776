"""One form of student for each combination of three properties: linear, unitary and local."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Complex, Float, Key, PyTree

from qdistill._checks import refuse, require_at_least, require_settings
from qdistill.students import Student, StudentConfig
from qdistill.students.phases import V_SCALE
from qdistill.system import Potential, Step, System


@dataclasses.dataclass(frozen=True)
class FactorConfig(StudentConfig, name="factors"):
    """The form psi -> exp(-i a(x)) F^-1 m(k) F exp(-i a(x)) psi, for which nothing is known of m.

    All forms start as the same map, m = 1 and a = v dt / 2. A property that is not built in is free
    to be learned.

    Attributes:
      linear: Whether a depends on the potential nearby only; otherwise also on |psi|^2 nearby.
      unitary: Whether |m| is one; otherwise it is at most one, so that forecasts are stable.
      local: Whether m is an even kernel of `kernel_reach` points; otherwise it is free at each |k|.
      kernel_reach: Largest offset of a local kernel, in points.
      reach: Largest offset, in points, that the network of a sees.
      n_units: Width of this network.
    """

    linear: bool = True
    unitary: bool = True
    local: bool = True
    kernel_reach: int = 24
    reach: int = 4
    n_units: int = 4

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("kernel_reach", "reach", "n_units"):
            require_at_least(1, **{name: getattr(self, name)})

    @property
    def built_in(self) -> tuple[bool, bool, bool]:
        """Whether it is linear, unitary and local."""
        return self.linear, self.unitary, self.local

    def build(self, system: System) -> "Factors":
        """Return the student of this form."""
        return Factors(self, system)


class FactorNetwork(nn.Module):
    """The phase of a kick, and the factor of a drift.

    The flags of the three properties are kept with the parameters, as constants without a gradient.
    So trainings of all forms share one program, and can advance together.

    Attributes:
      config: The form of the student.
      dt: Duration of a frame, in atomic units.
    """

    config: FactorConfig
    dt: float

    def setup(self) -> None:  # noqa: D102
        config, zeros = self.config, nn.initializers.zeros
        flags = nn.initializers.constant(jnp.asarray(config.built_in, float))
        self.built_in = self.param("built_in", flags, (3,))
        self.hidden = [nn.Dense(config.n_units, param_dtype=float) for _ in range(2)]
        self.output = nn.Dense(1, use_bias=False, kernel_init=zeros, param_dtype=float)
        self.direct = nn.Dense(1, use_bias=False, kernel_init=zeros, param_dtype=float)

    def phase(self, v: Float[Array, " n_x"], psi: Complex[Array, " n_x"]) -> Float[Array, " n_x"]:
        """Return a(x): half of v dt, and a function of differences to the points nearby."""
        is_linear = self._flag(0)
        density = jnp.abs(psi) ** 2
        density = jnp.where(is_linear, 0, V_SCALE * density / jnp.max(density))
        offsets = [s for s in range(-self.config.reach, self.config.reach + 1) if s]
        near = jnp.stack([jnp.stack([jnp.roll(u, -s) - u for s in offsets]) for u in (v, density)])
        return self.dt * (v / 2 + (self._respond(near) + self._respond(near[:, ::-1])) / 2)

    def _flag(self, i: int) -> Bool[Array, ""]:
        return jax.lax.stop_gradient(self.built_in)[i] > 0.5

    def _respond(self, near: Float[Array, "2 n_offset n_x"]) -> Float[Array, " n_x"]:
        inputs = near.reshape(-1, near.shape[-1]).T
        encoded = self._encode(inputs) - self._encode(jnp.zeros_like(inputs[:1]))
        return (self.direct(inputs) + self.output(encoded))[:, 0]

    def _encode(self, inputs: Float[Array, "_ n_input"]) -> Float[Array, "_ n_unit"]:
        first, second = self.hidden
        return nn.tanh(second(nn.tanh(first(inputs / V_SCALE))))

    @nn.compact
    def factor(self, n_x: int) -> Complex[Array, " n_x"]:
        """Return m(k) in FFT order."""
        zeros, k, n = nn.initializers.zeros, np.abs(np.fft.fftfreq(n_x)), self.config.kernel_reach
        taps = self.param("taps", zeros, (2, n + 1), float)
        free = self.param("free", zeros, (2, n_x // 2 + 1), float)
        waves = jnp.asarray(np.cos(2 * np.pi * np.outer(k, np.arange(n + 1))), taps.dtype)
        there = np.rint(k * n_x).astype(int)
        change = jnp.where(self._flag(2), taps @ waves.T, free[:, there])
        m = 1 + change[0] + 1j * change[1]
        size = jnp.abs(m)
        return m / jnp.where(self._flag(1), size, jnp.maximum(jnp.max(size), 1))


@dataclasses.dataclass(frozen=True)
class Factors(Student):
    """A student of this form, on a line.

    Raises:
      ValueError: For a system that is not one-dimensional.
    """

    form: FactorConfig

    @property
    def is_linear(self) -> bool:  # type: ignore[override]
        """Whether it is built to be linear."""
        return self.form.linear

    @property
    def is_unitary(self) -> bool:  # type: ignore[override]
        """Whether it is built to conserve the norm."""
        return self.form.unitary

    def __post_init__(self) -> None:  # noqa: D105
        if self.system.grid.n_dim != 1 or self.system.n_channel:
            refuse("grid", "one-dimensional for this student", self.system.grid)

    @property
    def network(self) -> FactorNetwork:
        """The Flax module of kicks and drift."""
        return FactorNetwork(self.form, self.system.dt)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return the parameters of a drift of one, and a random network without an output."""
        (n_x,) = self.system.grid.shape
        empty = jnp.zeros(n_x, float)

        def all_parts(network: FactorNetwork) -> Array:
            return network.phase(empty, empty + 1.0) * network.factor(n_x)

        return self.network.init(key, method=all_parts)["params"]

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return one frame forward, psi to psi."""
        local, variables = self.system.local(v, 0.0, None), {"params": params}
        (n_x,) = self.system.grid.shape
        drift = jnp.asarray(self.network.apply(variables, n_x, method=FactorNetwork.factor))

        def kick(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
            phase = self.network.apply(variables, local, psi, method=FactorNetwork.phase)
            return jnp.exp(-1j * jnp.asarray(phase)) * psi

        def advance(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
            return kick(jnp.fft.ifft(drift * jnp.fft.fft(kick(psi))))

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)
