"""Cutting of frames into windows and stitching of forecasts, as in the paper."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Int, Shaped

from qdistill._checks import refuse, require_at_least, require_positive, require_settings
from qdistill._refusals import explained


@explained
@dataclasses.dataclass(frozen=True)
class WindowConfig:
    """Settings of the windows of a student.

    Attributes:
      n_window: Points of a window, odd, at least 3. The default 23 spans the light cone of one
        frame on the paper's lattice.
      n_history: Number of given frames.
      sigma: Width of the Gaussian, in points, by which overlapping forecasts are averaged.
      v_scale: Scale in hartree by which potentials are divided.
      gauge: Whether to divide the window's psi by one complex number, its amplitude and phase,
        before the network, and multiply the forecast by it. Then f(c psi) = c f(psi) holds exactly
        where the amplitude is well above the floor.
      floor: Amplitude in bohr^(-1/2) below which the gauge does not amplify, for empty space.
    """

    n_window: int = 23
    n_history: int = 4
    sigma: float = 2.8
    v_scale: float = 14.0
    gauge: bool = False
    floor: float = 3e-4

    def __post_init__(self) -> None:  # noqa: D105
        require_settings(self)
        require_at_least(3, n_window=self.n_window)
        require_at_least(1, n_history=self.n_history)
        if self.n_window % 2 == 0:
            refuse("n_window", "odd", self.n_window)
        require_positive(sigma=self.sigma, v_scale=self.v_scale, floor=self.floor)


@explained
def offsets(n_window: int) -> Int[np.ndarray, " n_window"]:
    """Return the offsets of a window's points from its centre.

    >>> offsets(5)
    array([-2, -1,  0,  1,  2])
    """
    require_at_least(1, n_window=n_window)
    if n_window % 2 == 0:
        refuse("n_window", "odd", n_window)
    return np.arange(n_window) - n_window // 2


@explained
def around(
    field: Shaped[Array | np.ndarray, "*axes n_x"], centres: Int[Array, " n_centre"], n_window: int
) -> Shaped[Array, "*axes n_centre n_window"]:
    """Return the windows of a field around given points, wrapped around the box.

    Raises:
      ValueError: For a box of fewer points than a window.

    >>> around(jnp.arange(6), jnp.array([0, 3]), 3)
    Array([[5, 0, 1],
           [2, 3, 4]], dtype=int32)
    """
    at = offsets(n_window)
    if n_window > field.shape[-1]:
        refuse("n_window", f"at most {field.shape[-1]}, the points of the box", n_window)
    return jnp.asarray(field)[..., (centres[:, None] + at[None]) % field.shape[-1]]


@explained
def around_all(
    field: Shaped[Array, "*axes n_x"], n_window: int
) -> Shaped[Array, "*axes n_x n_window"]:
    """Return the windows of a field around every point."""
    return around(field, jnp.arange(field.shape[-1]), n_window)


@explained
def stitching_weights(n_window: int, sigma: float) -> Float[np.ndarray, " n_window"]:
    """Return Gaussian weights of a window's points by offset from its centre; they sum to 1."""
    if sigma != np.inf:
        require_positive(sigma=sigma)
    weights = np.exp(-(offsets(n_window) ** 2) / (2 * sigma**2))
    return weights / weights.sum()


@explained
def stitch(forecasts: Complex[Array, "n_x n_window"], sigma: float) -> Complex[Array, " n_x"]:
    """Return one frame, stitched from the forecasts of the windows around all points.

    The value at a point is the average of all window forecasts that cover it, weighted by a
    Gaussian of the point's offset from the window's centre, `sigma` points wide.

    >>> frame = jnp.arange(8) * (1 + 0j)
    >>> bool(jnp.allclose(stitch(around_all(frame, 5), 2.8), frame))
    True
    """
    n_x, n_window = forecasts.shape
    weights = jnp.asarray(stitching_weights(n_window, sigma), forecasts.real.dtype)
    # The window around x - s has the point x at offset s.
    centres = (jnp.arange(n_x)[:, None] - offsets(n_window)[None]) % n_x
    return forecasts[centres, jnp.arange(n_window)[None]] @ weights.astype(forecasts.dtype)


@explained
def gauge_unit(config: WindowConfig, psi: Complex[Array, " n_window"]) -> Complex[Array, ""]:
    """Return the root-mean-square amplitude of a window times the phase of its sum.

    Both use the stitching weights, and the amplitude includes the floor. Gradients are stopped: the
    phase of a vanishing sum has no derivative.
    """
    weights = jnp.asarray(stitching_weights(config.n_window, config.sigma), psi.real.dtype)
    amplitude = jnp.sqrt(jnp.sum(weights * jnp.abs(psi) ** 2) + config.floor**2)
    phase = jnp.exp(1j * jnp.angle(jnp.sum(weights * psi)))
    return jax.lax.stop_gradient(amplitude * phase)


@explained
def encode(
    config: WindowConfig,
    psi: Complex[Array, "n_history n_window"],
    v: Float[Array, " n_window"],
) -> tuple[Float[Array, "n_history n_window 3"], Complex[Array, ""]]:
    """Return the network's input (Re psi, Im psi, v / v_scale), and the complex unit of its psi.

    The unit is 1 without the gauge, and the `gauge_unit` of the last frame with it.
    """
    unit = gauge_unit(config, psi[-1]) if config.gauge else jnp.ones((), psi.dtype)
    scaled = psi / unit
    channels = [scaled.real, scaled.imag, jnp.broadcast_to(v / config.v_scale, scaled.shape)]
    return jnp.stack(channels, axis=-1), unit


@explained
def decode(
    forecast: Float[Array, "n_window 2"], unit: Complex[Array, ""]
) -> Complex[Array, " n_window"]:
    """Return the complex window that a network's output represents."""
    return unit * (forecast[:, 0] + 1j * forecast[:, 1])
