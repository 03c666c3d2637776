"""Cutting of frames into windows and stitching of forecasts, as in the paper."""

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Float, Inexact, Int, Shaped

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
        before the network, and multiply the forecast by it. Then f(c psi) = c f(psi) holds for
        phases c, and for amplitudes that stay well above the floor. All channels are divided by the
        same number: their relative phase is physics, and stays.
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
def stitch(
    forecasts: Complex[Array, "*axes n_x n_window"], sigma: float
) -> Complex[Array, "*axes n_x"]:
    """Return one frame, stitched from the forecasts of the windows around all points.

    The value at a point is the average of all window forecasts that cover it, weighted by a
    Gaussian of the point's offset from the window's centre, `sigma` points wide.

    >>> frame = jnp.arange(8) * (1 + 0j)
    >>> bool(jnp.allclose(stitch(around_all(frame, 5), 2.8), frame))
    True
    """
    n_x, n_window = forecasts.shape[-2:]
    weights = jnp.asarray(stitching_weights(n_window, sigma), forecasts.real.dtype)
    # The window around x - s has the point x at offset s.
    centres = (jnp.arange(n_x)[:, None] - offsets(n_window)[None]) % n_x
    return forecasts[..., centres, jnp.arange(n_window)[None]] @ weights.astype(forecasts.dtype)


@explained
def gauge_unit(
    config: WindowConfig, psi: Complex[Array, "*n_channel n_window"]
) -> Complex[Array, ""]:
    """Return the root-mean-square amplitude of a window times the phase of its sum.

    Both are sums over points, with the stitching weights, and over channels, and the amplitude
    includes the floor. Gradients are stopped: the phase of a vanishing sum has no derivative. Waves
    of more than about 1 / sigma per point have sums that nearly vanish.
    """
    weights = jnp.asarray(stitching_weights(config.n_window, config.sigma), psi.real.dtype)
    weights = jnp.broadcast_to(weights, psi.shape)
    amplitude = jnp.sqrt(jnp.sum(weights * jnp.abs(psi) ** 2) + config.floor**2)
    phase = jnp.exp(1j * jnp.angle(jnp.sum(weights * psi)))
    return jax.lax.stop_gradient(amplitude * phase)


@explained
def encode(
    config: WindowConfig,
    psi: Complex[Array, "n_history *n_channel n_window"],
    v: Inexact[Array, "*matrix n_window"],
) -> tuple[Float[Array, "n_history n_window n_field"], Complex[Array, ""]]:
    """Return the network's input (Re psi, Im psi, v / v_scale), and the complex unit of its psi.

    The unit is 1 without the gauge, and the `gauge_unit` of the last frame with it. With channels
    Re psi and Im psi are those of each channel, and v is the real numbers of a Hermitian matrix:
    its diagonal, then Re and Im of what is above it. So n_field is (n_channel + 1)^2 - 1, and 3
    without channels.

    Args:
      config: Settings of the windows.
      psi: Given frames, oldest first.
      v: Potential in hartree; (n_channel, n_channel, n_window) with channels, else (n_window,).
    """
    unit = gauge_unit(config, psi[-1]) if config.gauge else jnp.ones((), psi.dtype)
    scaled = psi / unit
    n_history, *channels, n_window = psi.shape
    if v.shape != (*channels, *channels, n_window):
        refuse("v", f"of shape {(*channels, *channels, n_window)}", f"of shape {v.shape}")
    parts = [part.reshape(n_history, -1, n_window) for part in (scaled.real, scaled.imag)]
    entries = _entries(v) / config.v_scale
    parts.append(jnp.broadcast_to(entries, (n_history, *entries.shape)))
    return jnp.moveaxis(jnp.concatenate(parts, axis=1), 1, -1), unit


@explained
def decode(
    forecast: Float[Array, "n_window n_part"], unit: Complex[Array, ""], n_channel: int = 0
) -> Complex[Array, "*n_channel n_window"]:
    """Return the complex window that a network's output represents.

    Args:
      forecast: Re psi, then Im psi, of each channel.
      unit: The complex unit of its psi, of `encode`.
      n_channel: Number of channels, 0 for psi without an axis of channels.

    Raises:
      ValueError: For another number of parts than 2, or 2 n_channel.
    """
    require_at_least(0, n_channel=n_channel)
    n_window, n_part = forecast.shape
    if n_part != 2 * max(1, n_channel):
        refuse("forecast", f"of shape {(n_window, 2 * max(1, n_channel))}", forecast.shape)
    real, imag = forecast.T.reshape(2, *[n_channel] * bool(n_channel), n_window)
    return unit * (real + 1j * imag)


def _entries(v: Inexact[Array, "*matrix n_window"]) -> Float[Array, "n_entry n_window"]:
    """The independent real numbers of a Hermitian matrix, or of one potential."""
    if v.ndim == 1:
        return v.real[None]
    above = np.triu_indices(len(v), 1)
    diagonal = np.arange(len(v))
    return jnp.concatenate([v[diagonal, diagonal].real, v[above].real, v[above].imag])
