"""Potentials from a formula, an array, a table or a drawing.

A potential that the grid cannot resolve is refused with the reason; `checks` lists what every
potential must satisfy. Energies are in hartree, lengths in bohr.

>>> from qdistill.physics.grid import Grid
>>> from qdistill.physics import files
>>> grid = Grid(1024, 100.0)
>>> v = files.read(grid, "5*exp(-(x-50)**2/8) + 2*(abs(x-60)<1)")
>>> print(f"{v[511]:.2f} at {grid.positions()[511]:.2f} bohr")
5.00 at 50.00 bohr
>>> files.read(grid, "5*exp(-(x-50)**2/8) + 2*step(x-60)")
Traceback (most recent call last):
ValueError: Argument `formula` must be of the functions abs, ..., but is `step` at character ...
"""

import pathlib
from collections.abc import Sequence
from typing import TypeAlias

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.physics.files.checks import require_periodic, require_sound
from qdistill.physics.files.drawing import from_drawing
from qdistill.physics.files.formula import from_formula
from qdistill.physics.files.table import from_csv
from qdistill.physics.grid import Grid

__all__ = ["from_array", "from_csv", "from_drawing", "from_formula", "read", "require_periodic"]

Source: TypeAlias = str | pathlib.Path | np.ndarray | jax.Array | Sequence

TABLES, DRAWINGS = (".csv", ".txt", ".dat"), (".png",)


@explained
def read(
    grid: Grid, source: Source, v_min: float = 0.0, v_max: float = 10.0
) -> Float[Array, "*n_x"]:
    """Return the potential that a source describes, on the points of a grid, in hartree.

    Args:
      grid: The grid of the result.
      source: A formula; the path of a table (`.csv`, `.txt`, `.dat`) or of a drawing (`.png`), as
        a path or as text; or values at the points of the grid.
      v_min, v_max: Potential at the lower and upper edge of a drawing, in hartree.

    Raises:
      ValueError: For a source that is not a potential of this grid, with the reason.

    >>> read(Grid(4, 2.0), [0.0, 1.0, 1.0, 0.0])
    Array([0., 1., 1., 0.], dtype=float32)
    """
    if not isinstance(source, str | pathlib.Path):
        return from_array(grid, source)
    ending = pathlib.Path(source).suffix.lower()
    if ending in TABLES:
        return from_csv(grid, source)
    if ending in DRAWINGS:
        return from_drawing(grid, source, v_min, v_max)
    if isinstance(source, pathlib.Path):
        refuse("source", f"a file that ends in {', '.join(TABLES + DRAWINGS)}", f"`{source}`")
    return from_formula(grid, source)


@explained
def from_array(grid: Grid, values: np.ndarray | jax.Array | Sequence) -> Float[Array, "*n_x"]:
    """Return values at the points of the grid as a potential, in hartree.

    Raises:
      ValueError: For values of another shape than the grid's, or that `checks` refuses.

    >>> from_array(Grid(4, 2.0), [0, 1, 1j, 0])
    Traceback (most recent call last):
    ValueError: Argument `v` must be made of real numbers, but is of type complex128.
    """
    try:
        array = np.asarray(values)
    except ValueError:
        refuse("v", f"of shape {grid.shape}", "a table with rows of unequal length")
    if array.dtype.kind not in "fiu" and array.dtype.name != "bfloat16":
        refuse("v", "made of real numbers", f"of type {array.dtype}")
    if array.shape != grid.shape:
        refuse("v", f"of shape {grid.shape}, one value for each point", f"of shape {array.shape}")
    return jnp.asarray(require_sound(grid, "v", array.astype(float)), float)
