"""Colours of complex numbers: the hue is the phase, the brightness is the modulus."""

import numpy as np
from jaxtyping import Complex, Float
from matplotlib.axes import Axes
from matplotlib.patches import Circle

from qdistill._checks import require_positive
from qdistill._refusals import explained
from qdistill.plots.style import INK, Values, limit

# A circle in OKLab, on which equal steps of phase look equally large: mean lightness, radius, the
# hue of phase zero (orange; phase pi is blue), and tilt. The tilt makes red darker than green, so
# that colour-blind readers can distinguish them.
LIGHTNESS, RADIUS, ZERO, TILT = 0.7, 0.14, np.radians(55), 0.1
# The lightness of zero, where CIE's L* vanishes; above it OKLab's lightness is proportional to L*.
DARK = 16 / 116
# OKLab to the cube roots of cone responses, and cone responses to linear sRGB
# (Ottosson, "A perceptual color space for image processing", 2020).
CONES = np.array(
    [
        [1, 0.3963377774, 0.2158037573],
        [1, -0.1055613458, -0.0638541728],
        [1, -0.0894841775, -1.291485548],
    ]
)
LINEAR = np.array(
    [
        [4.0767416621, -3.3077115913, 0.2309699292],
        [-1.2684380046, 2.6097574011, -0.3413193965],
        [-0.0041960863, -0.7034186147, 1.707614701],
    ]
)


@explained
def colour_phase(
    psi: Complex[Values, "*n"], scale: float | None = None
) -> Float[np.ndarray, "*n 3"]:
    """Return colours (red, green, blue) of complex numbers: hue by phase, brightness by modulus.

    Zero is nearly black, positive numbers are orange, negative ones blue, i is green and -i is
    violet. The perceived lightness is proportional to the modulus up to `scale`. Values that are
    not finite are grey.

    Args:
      psi: Complex numbers.
      scale: Modulus of full brightness; by default the 99.5th percentile of all.

    >>> colour_phase(np.array([0, 1, -1j])).round(1)
    array([[0. , 0. , 0. ],
           [0.8, 0.5, 0.2],
           [0.6, 0.4, 0.7]])
    """
    psi = np.asarray(psi, dtype=np.complex128)
    known = np.isfinite(psi)
    psi = np.where(known, psi, 0)
    modulus = np.abs(psi)
    scale = limit(modulus) if scale is None else scale
    require_positive(scale=scale)
    bright = np.minimum(modulus / scale, 1)[..., None]
    zero = np.array([DARK, 0, 0])
    rgb = _to_rgb(zero + bright * (_circle(np.angle(psi)) - zero))
    return np.where(known[..., None], rgb, 0.79)


@explained
def colour_disc(n_ring: int = 9) -> Float[np.ndarray, "n 3"]:
    """Return a sample of the colours of `colour_phase`, on rings of about equal density.

    >>> colour_disc().shape
    (156, 3)
    """
    numbers = [np.zeros(1)]
    for ring in range(1, n_ring + 1):
        n_phase = round(1.1 * np.pi * ring)
        phase = 2 * np.pi * (np.arange(n_phase) + 0.5 * (ring % 2)) / n_phase
        numbers.append(ring / n_ring * np.exp(1j * phase))
    return colour_phase(np.concatenate(numbers), 1.0)


@explained
def draw_wheel(ax: Axes, scale: float, unit: str) -> None:
    """Draw the legend of `colour_phase` in a panel: a disc of all complex numbers up to a modulus.

    Args:
      ax: The panel.
      scale: Modulus at the rim.
      unit: Unit of the modulus, as text.
    """
    side = np.linspace(-1, 1, 241)
    z = side + 1j * side[:, None]
    ax.imshow(colour_phase(z, 1.0), origin="lower", extent=(-1, 1, -1, 1)).set_clip_path(
        Circle((0, 0), 0.99, transform=ax.transData)
    )
    for turn, word in enumerate(("0", r"$\pi/2$", r"$\pi$", r"$-\pi/2$")):
        across, up = 1.32 * np.cos(turn * np.pi / 2), 1.27 * np.sin(turn * np.pi / 2)
        ax.text(across, up, word, ha="center", va="center", fontsize=11)
    ax.set(xlim=(-1.6, 1.6), ylim=(-2.1, 1.6))
    words = f"phase of $\\psi$; bright:\n$|\\psi| \\geq$ {scale:.2g} {unit}"
    ax.text(0, -1.62, words, ha="center", va="top", fontsize=11, color=INK, linespacing=1.3)
    ax.set_axis_off()


def _circle(phase: np.ndarray) -> np.ndarray:
    """OKLab colours of numbers of modulus 1."""
    hue = phase + ZERO
    red = np.cos(hue)
    wide = np.sqrt(RADIUS**2 - TILT**2)
    return np.stack([LIGHTNESS - TILT * red, wide * red, RADIUS * np.sin(hue)], axis=-1)


def _to_rgb(oklab: np.ndarray) -> np.ndarray:
    """sRGB of OKLab colours, clipped to the gamut."""
    linear = np.clip((oklab @ CONES.T) ** 3 @ LINEAR.T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
