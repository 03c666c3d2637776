"""Window students: a network forecasts each window, and the forecasts are stitched."""

import dataclasses

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Complex, Inexact, Key, PyTree

from qdistill._checks import refuse, require_at_least, require_new, require_one_of, require_settings
from qdistill._refusals import explained
from qdistill.students import windows
from qdistill.students.base import FORMS, Student, StudentConfig
from qdistill.students.feedforward import Conv, Dense, Linear
from qdistill.students.gru import GRU
from qdistill.students.lstm import LSTM
from qdistill.students.windows import WindowConfig
from qdistill.system import Potential, Step, System

NETWORKS: dict[str, type[nn.Module]] = {
    "linear": Linear,
    "dense": Dense,
    "conv": Conv,
    "lstm": LSTM,
    "gru": GRU,
}


@explained
@dataclasses.dataclass(frozen=True)
class WindowedConfig(StudentConfig):
    """The form of the paper's students.

    Attributes:
      name: Name of the network in `NETWORKS`.
      n_units: Width of the layers.
      windows: Settings of the windows.
    """

    name: str = "gru"  # type: ignore[misc]
    n_units: int = 69
    windows: WindowConfig = dataclasses.field(default_factory=WindowConfig)

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_one_of(NETWORKS, name=self.name)
        require_at_least(1, n_units=self.n_units)

    def build(self, system: System) -> "Windowed":
        """Return the student of this form, a `Windowed`."""
        return Windowed(self, system)


FORMS |= dict.fromkeys(NETWORKS, WindowedConfig)


@explained
def register(name: str, network: type[nn.Module]) -> None:
    """Register a network of your own as the student `WindowedConfig(name)`.

    Args:
      name: Name of the student.
      network: A Flax module that maps (n_history, n_window, 3) to (n_window, 2), without a batch
        axis; the last input axis is Re psi, Im psi, v. With channels it is Re psi and Im psi of
        each, and the real numbers of the matrix (`windows.encode`), and the last output axis is Re
        psi and Im psi of each. An attribute `n_units` is set from the config.

    Raises:
      ValueError: For the name of another student. The same network may be registered again.
    """
    require_new(FORMS | NETWORKS, name, network, "student")
    NETWORKS[name] = network
    FORMS[name] = WindowedConfig


@explained
@dataclasses.dataclass(frozen=True)
class Windowed(Student):
    """A student that applies a network to the windows around all points and stitches them.

    Its state is the last frames, oldest first. Windows wrap around the periodic box. Translations
    are built in, and the gauge if it is on, nothing else: a step is not linear nor unitary, and
    with channels a change of basis changes the forecast. Of a potential that was real in all
    lessons, nothing is learned of its imaginary parts.

    Raises:
      ValueError: For a system that is not one-dimensional, is shorter than a window, or whose
        potential changes in time or absorbs: windows see the values of a static potential.
    """

    form: WindowedConfig

    def __post_init__(self) -> None:  # noqa: D105
        if self.system.grid.n_dim != 1:
            refuse("grid", "one-dimensional for this student", self.system.grid)
        if not (self.system.is_autonomous and self.system.is_hermitian):
            kind = type(self.system).__name__
            refuse("system", "autonomous and Hermitian for this student", kind)
        n_x = self.system.grid.shape[0]
        require_at_least(self.form.windows.n_window, n_x=n_x)

    @property
    def n_history(self) -> int:
        """The number of given frames that it needs."""
        return self.form.windows.n_history

    @property
    def is_differentiable(self) -> bool:  # type: ignore[override]
        """Whether gradients through it are correct: gradients through a gauge are stopped."""
        return not self.form.windows.gauge

    @property
    def network(self) -> nn.Module:
        """The Flax module that maps (n_history, n_window, n_field) to (n_window, n_part)."""
        kind = NETWORKS[self.form.name]
        return kind(n_units=self.form.n_units) if hasattr(kind, "n_units") else kind()

    def init(self, key: Key[Array, ""]) -> PyTree:
        """Return random parameters."""
        config = self.form.windows
        n_field = (max(1, self.system.n_channel) + 1) ** 2 - 1
        window = jnp.zeros((config.n_history, config.n_window, n_field), float)
        return self.network.init(key, window).get("params", {})

    def forecast_window(
        self,
        params: PyTree,
        psi: Complex[Array, "n_history *n_channel n_window"],
        v: Inexact[Array, "*matrix n_window"],
    ) -> Complex[Array, "*n_channel n_window"]:
        """Return the next frame of one window."""
        inputs, unit = windows.encode(self.form.windows, psi, v)
        forecast = jnp.asarray(self.network.apply({"params": params}, inputs))
        shape = v.shape[-1], 2 * max(1, self.system.n_channel)
        if forecast.shape != shape:
            wanted = f"one that returns Re and Im of psi, of shape {shape}"
            kind = type(self.network).__name__
            refuse(f"network {kind}", wanted, f"one that returns shape {forecast.shape}")
        return windows.decode(forecast, unit, self.system.n_channel)

    def step(self, params: PyTree, v: Potential) -> Step:
        """Return the step: forecasts of all windows, stitched."""
        config = self.form.windows
        forecast_all = jax.vmap(self.forecast_window, in_axes=(None, -2, -2), out_axes=-2)
        v_windows = windows.around_all(self.system.local(v, 0.0, None), config.n_window)

        def advance(history: Complex[Array, "..."]) -> Complex[Array, "..."]:
            psi_windows = windows.around_all(history, config.n_window)
            forecasts = forecast_all(params, psi_windows, v_windows)
            psi = windows.stitch(forecasts, config.sigma)
            return jnp.concatenate([history[1:], psi[None]])

        return Step(lambda frames, n: frames, advance, lambda history: history[-1])
