"""A linear and local student: learned kernels between phases of the potential nearby."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Float, Key, PyTree

from qdistill._checks import refuse, require_at_least, require_settings
from qdistill.students import Student, StudentConfig
from qdistill.students.phases import PotentialPhases
from qdistill.system import Potential, Step, System


@dataclasses.dataclass(frozen=True)
class LocalConfig(StudentConfig, name="local"):
    """The form psi -> exp(-i a_n(x)) (kernel * (exp(-i a_(n-1)(x)) ... (exp(-i a_0(x)) psi))).

    Attributes:
      n_layers: Number of kernels per frame.
      kernel_reach: Largest offset of a kernel, in points.
      reach: Largest offset, in points, that the local network of the a_j sees.
      n_units: Width of the local network.
    """

    n_layers: int = 1
    kernel_reach: int = 24
    reach: int = 8
    n_units: int = 16

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        for name in ("n_layers", "kernel_reach", "reach", "n_units"):
            require_at_least(1, **{name: getattr(self, name)})

    def build(self, system: System) -> "Local":
        """Return the student of this form."""
        return Local(self, system)


class LocalKernels(nn.Module):
    """The kernels and the phases of a potential.

    A kernel is even and starts as the identity, with no prior on the kinetic energy. It is divided
    by the largest modulus of its Fourier transform if that exceeds one. So no step can increase
    the norm, and forecasts are stable over any number of frames.

    Attributes:
      config: The form of the student.
      dt: Duration of a frame, in atomic units.
    """

    config: LocalConfig
    dt: float

    @nn.compact
    def __call__(
        self, v: Float[Array, " n_x"]
    ) -> tuple[Float[Array, "n_a n_x"], Complex[Array, "n_layer n_point"]]:
        """Return all a_j(x), and all kernels over offsets from -kernel_reach to kernel_reach."""
        config = self.config
        n_a, reach = config.n_layers + 1, config.kernel_reach
        zeros = nn.initializers.zeros
        taps = self.param("taps", zeros, (2, config.n_layers, reach + 1), float)
        half = (taps[0] + 1j * taps[1]).at[:, 0].add(1)
        kernels = jnp.concatenate([half[:, :0:-1], half], axis=1)
        # 16 points per frequency of the kernel, so that its maximum is found to 1e-3.
        response = jnp.abs(jnp.fft.fft(kernels, 32 * reach, axis=1))
        kernels = kernels / jnp.maximum(jnp.max(response, axis=1, keepdims=True), 1)
        # The name keeps the initial random numbers of earlier runs.
        phases = PotentialPhases(
            n_a, self.dt, (1 / n_a,) * n_a, config.reach, config.n_units, name="LandscapePhases_0"
        )
        return phases(v), kernels


@dataclasses.dataclass(frozen=True)
class Local(Student):
    """A student with learned local kernels.

    Its forecast at a point depends on psi and v within n_layers * kernel_reach + reach points. So
    it runs on periodic lines of any length with the same spacing.

    Raises:
      ValueError: For a system that is not one-dimensional, or shorter than a kernel.
    """

    form: LocalConfig

    is_linear = True

    def __post_init__(self) -> None:  # noqa: D105
        grid, reach = self.system.grid, self.form.kernel_reach
        if grid.n_dim != 1 or self.system.n_channel:
            refuse("grid", "one-dimensional for this student", grid)
        if 2 * reach + 1 > grid.shape[0]:
            refuse("kernel_reach", f"at most {(grid.shape[0] - 1) // 2} here", reach)

    @property
    def network(self) -> LocalKernels:
        """The Flax module of kernels and phases."""
        return LocalKernels(self.form, self.system.dt)

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return kernels that are the identity, and a random local network."""
        return self.network.init(key, jnp.zeros(self.system.grid.shape, float))["params"]

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return one frame forward, psi to psi."""
        local = self.system.local(v, 0.0, None)
        phases, kernels = self.network.apply({"params": params}, local)
        kicks = jnp.exp(-1j * jnp.asarray(phases))

        def advance(psi: Complex[Array, " n_x"]) -> Complex[Array, " n_x"]:
            psi = kicks[0] * psi
            for kick, kernel in zip(kicks[1:], jnp.asarray(kernels), strict=True):
                psi = kick * convolve(psi, kernel)
            return psi

        return Step(lambda frames, n: frames[-1], advance, lambda psi: psi)


def convolve(
    psi: Complex[Array, " n_x"], kernel: Complex[Array, " n_point"]
) -> Complex[Array, " n_x"]:
    """Return sum_s kernel[s] psi(x - s) on a periodic line, with |s| <= n_point // 2.

    >>> psi = jnp.arange(4) + 0j
    >>> convolve(psi, jnp.array([0, 0, 1j])).imag
    Array([3., 0., 1., 2.], dtype=float32)
    """
    reach = len(kernel) // 2
    wrapped = jnp.pad(psi, (reach, reach), mode="wrap")
    channels = jnp.stack([wrapped.real, wrapped.imag])
    re, im = kernel[::-1].real, kernel[::-1].imag
    # The complex product is a real matrix over (Re, Im).
    filters = jnp.stack([jnp.stack([re, -im]), jnp.stack([im, re])])
    (out,) = jax.lax.conv_general_dilated(channels[None], filters, (1,), "VALID")
    return out[0] + 1j * out[1]
