"""Potentials from a drawing: a dark line, or a dark silhouette, on a light background."""

import os
import warnings

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from qdistill._checks import refuse, require_finite, require_positive
from qdistill._refusals import explained
from qdistill.physics.files.checks import positions, require_sound, require_wide
from qdistill.physics.grid import Grid

N_FINE = 64
SMALLEST, LARGEST, MOST = 16, 10_000, 16_000_000
# Share of the columns that may differ from the rest.
STRAY = 0.02


@explained
def from_drawing(
    grid: Grid, path: str | os.PathLike[str], v_min: float = 0.0, v_max: float = 10.0
) -> Float[Array, " n_x"]:
    """Return the potential drawn in a picture, whose width is the box, in hartree.

    If all dark points stand on the lower edge, the picture is a silhouette and its upper rim is the
    potential; its empty columns have the value v_min. Otherwise it is a line, whose middle is the
    potential; it must not be broken.

    Args:
      grid: A one-dimensional grid.
      path: Path of a PNG of at most 16 million points; transparent points count as light.
      v_min: Potential at the lower edge of the picture, in hartree.
      v_max: Potential at its upper edge, in hartree.

    Raises:
      ValueError: For any other picture, and for potentials that `checks` refuses.
    """
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional for a drawing", grid)
    require_finite(v_min=v_min, v_max=v_max)
    require_positive(**{"v_max - v_min": v_max - v_min})
    dark = _dark(path)
    n_row, n_column = dark.shape
    v = v_min + (v_max - v_min) * _heights(dark) / n_row
    x = grid.origin[0] + (np.arange(n_column) + 0.5) * grid.lengths[0] / n_column
    fine = np.interp(positions(grid, n_fine=N_FINE), x, v, period=grid.lengths[0])
    sound = require_sound(grid, "path", fine[N_FINE - 1 :: N_FINE])
    require_wide(grid, "path", fine, 0, N_FINE)
    return jnp.asarray(sound, float)


def _dark(path: str | os.PathLike[str]) -> Bool[np.ndarray, "n_row n_column"]:
    """The mask of the dark points of a picture."""
    # Pillow comes with matplotlib; both are imported only where they are needed.
    from PIL import Image

    try:
        # Pillow warns at its own limit first; the size is checked before anything is decoded.
        with warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning):
            opened = Image.open(path, formats=["PNG"])
    except Image.DecompressionBombError:
        refuse("path", f"of at most {MOST:,} points", "larger")
    except Exception as error:
        # Pillow gives no `strerror` if it could read the file but found no picture in it.
        words = getattr(error, "strerror", None) or "no PNG"
        refuse("path", "a picture that can be read", f"`{path}`: {words}")
    with opened:
        width, height = opened.size
        if max(width, height) > LARGEST or min(width, height) < SMALLEST:
            sides = f"{SMALLEST} to {LARGEST}"
            refuse("path", f"of {sides} points on a side", f"of {width} by {height}")
        if width * height > MOST:
            refuse("path", f"of at most {MOST:,} points", f"of {width} by {height}")
        try:
            # Checksums are verified, because damaged data may still decode to a picture.
            opened.verify()
            with Image.open(path, formats=["PNG"]) as sound:
                picture = sound.convert("RGBA")
        except Exception as error:
            # Damaged data raise many types of errors, also of zlib and struct.
            refuse("path", "a picture that can be read", f"`{path}`: {error}")
    ground = Image.new("RGBA", picture.size, "white")
    light = np.asarray(Image.alpha_composite(ground, picture).convert("L"))
    dark = light < 128
    if not dark.any():
        refuse("path", "drawn dark on light", "light everywhere")
    if dark.mean() > 0.9:
        refuse("path", "drawn dark on light", "dark nearly everywhere", "Invert the picture.")
    return dark


def _heights(dark: Bool[np.ndarray, "n_row n_column"]) -> Float[np.ndarray, " n_column"]:
    """The height of the line or rim in every column, in points from the lower edge."""
    n_row, n_column = dark.shape
    drawn = np.any(dark, axis=0)
    begins = np.diff(dark.astype(int), axis=0, prepend=0) == 1
    n_strokes = begins.sum(axis=0)
    if np.mean(n_strokes > 1) > STRAY:
        column = int(np.argmax(n_strokes > 1))
        refuse(
            "path",
            "drawn with one height at every x",
            f"of {n_strokes[column]} separate strokes in column {column + 1} of {n_column}",
        )
    if dark[0].any():
        column = int(np.argmax(dark[0]))
        refuse(
            "path",
            "drawn below the upper edge of the picture",
            f"cut off by it in column {column + 1} of {n_column}",
            "Give it more room, and v_max with it.",
        )
    rims = n_row - np.argmax(dark, axis=0)
    if np.mean(dark[-1][drawn]) > 1 - STRAY:
        return np.where(drawn, rims, 0.0)
    if not drawn.all():
        first, last = _gap(drawn)
        refuse(
            "path",
            "a line from the left edge to the right, or a silhouette on the lower edge",
            f"empty in columns {first} to {last} of {n_column}",
        )
    thickness = np.median(dark.sum(axis=0))
    return np.maximum(rims - thickness / 2, 0.0)


def _gap(drawn: Bool[np.ndarray, " n_column"]) -> tuple[int, int]:
    """The first and last column of the first gap, counted from 1."""
    empty = np.flatnonzero(~drawn)
    breaks = np.flatnonzero(np.diff(empty) > 1)
    return int(empty[0]) + 1, int(empty[breaks[0] if breaks.size else -1]) + 1
