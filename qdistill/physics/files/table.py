"""Potentials from a table of numbers in a file."""

import os
import pathlib
import re
from typing import NoReturn

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from qdistill._checks import refuse
from qdistill._refusals import explained
from qdistill.physics.files.checks import positions, require_sound, require_wide
from qdistill.physics.grid import Grid

N_FINE = 64
# A gap in x larger than this many times the median spacing of the rows is a hole.
HOLE = 10
# One bohr in each unit.
UNITS = {"nm": 0.0529177, "angstrom": 0.529177, "pm": 52.9177}
# For each column: spellings of its unit, and of other known units.
OURS = {
    "x": r"bohrs?|bohr radi(us|i)|a_?0|a\.?u\.?|atomic units?",
    "v": r"hartrees?|ha|e_?h|a\.?u\.?|atomic units?",
}
FOREIGN = {
    "x": r"[fnuµμm]m|cm|(?<!\d)(?<!\d )pm|(nano|pico|micro)?met(er|re)s?|angstr(o|ö)ms?|å",
    "v": r"[mk]?ev|m(illi)?_?ha(rtrees?)?|k?cal(/mol)?|kj(/mol)?|k?joules?|cm(\^?-1|⁻¹)"
    r"|rydbergs?|ry|[gtm]?hz|kelvin",
}
# A unit in brackets, or after a slash, at the end of a column's name.
NAMED = r"[(\[]\s*([^)\]]*?)\s*[)\]]\s*$|/\s*([^\s/()]+)\s*$"


@explained
def from_csv(grid: Grid, path: str | os.PathLike[str]) -> Float[Array, " n_x"]:
    """Return the potential of a table of x and v, or of v alone, interpolated linearly.

    x is in bohr and v in hartree. Columns are separated by commas, semicolons or blanks. A first
    line of names and lines that begin with # are skipped, unless they name other units: a unit in
    brackets after the name of a column must be bohr or hartree. Without x the rows are equally
    spaced and the last lies at the end of the box, as the points of a grid do.

    Args:
      grid: A one-dimensional grid.
      path: Path of the file.

    Raises:
      ValueError: For an entry that is not a number, with its line; for other units; for x that does
        not rise or does not cover the box without holes; for values that `checks` refuses.
    """
    if grid.n_dim != 1:
        refuse("grid", "one-dimensional for a table", grid)
    rows, lines = _rows(path)
    length = grid.lengths[0]
    if rows.shape[1] == 1:
        x, v = grid.origin[0] + np.arange(1, len(rows) + 1) * length / len(rows), rows[:, 0]
    else:
        x, v = rows.T
        _require_cover(grid, x, lines)
    fine = np.interp(positions(grid, n_fine=N_FINE), x, v, period=length)
    sound = require_sound(grid, "path", fine[N_FINE - 1 :: N_FINE])
    require_wide(grid, "path", fine, 0, N_FINE)
    return jnp.asarray(sound, float)


def _rows(path: str | os.PathLike[str]) -> tuple[Float[np.ndarray, "n_row n_column"], list[int]]:
    """The numbers of a file, and the line number of each row."""
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8-sig")
    except OSError as error:
        refuse("path", "a file that can be read", f"`{path}`: {error.strerror}")
    except UnicodeDecodeError:
        refuse("path", "a table in text", f"`{path}`, which is not text")
    rows: list[list[float]] = []
    lines = []
    for i, line in enumerate(text.splitlines(), 1):
        words = [word for word in re.split(r"[,;\s]+", line.strip()) if word]
        if not words:
            continue
        if line.lstrip().startswith("#") or (not rows and not any(map(_is_number, words))):
            _require_our_units(line, i)
            continue
        for word in words:
            if not _is_number(word) or not np.isfinite(float(word)):
                refuse("path", "a table of finite numbers", f"`{word}` in line {i}")
        if len(words) > 2 or len(words) != len(rows[0] if rows else words):
            refuse("path", "a table of x and v, or of v alone", f"`{line.strip()}` in line {i}")
        rows.append([float(word) for word in words])
        lines.append(i)
    if len(rows) < 4:
        refuse("path", "a table of at least 4 rows", f"of {len(rows)}")
    return np.array(rows), lines


def _require_our_units(line: str, i: int) -> None:
    """Refuse a line of words that names units other than bohr and hartree, or unknown units.

    Units in brackets are checked one by one: in a line of names, and in comments with two names.
    """

    def fail(unit: str) -> NoReturn:
        cure = "A bohr is 0.0529177 nm, a hartree 27.2114 eV."
        refuse("path", "in bohr and hartree", f"in {unit}, by line {i}", cure)

    text = line.strip().lstrip("#").strip()
    for column in ("x", "v"):
        foreign = _unit(FOREIGN[column], text)
        if foreign and not _unit(OURS[column], text):
            fail(foreign[0])
    names = [name for name in re.split(r"[,;\t]", text) if name.strip()]
    units = [re.search(NAMED, name) for name in names]
    if line.lstrip().startswith("#") and not (len(names) == 2 and all(units)):
        return
    allowed = [OURS["v"]] if len(names) == 1 else [OURS["x"], OURS["v"]]
    for found, ours in zip(units, allowed, strict=False):
        unit = (found[1] or found[2]) if found else None
        # V(x) does not name a unit.
        if unit and unit.lower() not in ("x", "r") and not re.fullmatch(ours, unit, re.I):
            fail(unit)


def _unit(pattern: str, text: str) -> re.Match | None:
    """The match of a unit as a separate word, or after an underscore, as in v_meV."""
    return re.search(rf"(?<![a-zå])(?:{pattern})(?![a-z0-9_])", text, re.I)


def _require_cover(grid: Grid, x: Float[np.ndarray, " n_row"], lines: list[int]) -> None:
    """Refuse x that does not rise from row to row, or that leaves out a part of the box."""
    length, steps = grid.lengths[0], np.diff(x)
    low, high = grid.origin[0], grid.origin[0] + length
    if not np.all(steps > 0):
        i = int(np.argmin(steps > 0))
        refuse("path", "of rising x", f"of x = {x[i + 1]:g} after {x[i]:g} in line {lines[i + 1]}")
    hole = max(1.5 * grid.dx[0], HOLE * float(np.median(steps)))
    # The table may end one ordinary step before the edge of the box.
    around = x[0] + length - x[-1]
    sliver = 1e-6 * length
    if x[0] < low - sliver or x[-1] > high + sliver or around > hole:
        factors = {name: (x[-1] - x[0]) / unit / length for name, unit in UNITS.items()}
        named = [name for name, share in factors.items() if 0.97 < share < 1.03]
        cure = f"If x is in {named[0]}, divide by {UNITS[named[0]]}." if named else ""
        wanted = f"of x from {low:g} to {high:g} bohr, the box"
        refuse("path", wanted, f"of x from {x[0]:g} to {x[-1]:g}", cure)
    if steps.max() > hole:
        i = int(np.argmax(steps))
        refuse(
            "path",
            f"without holes above {hole:.3g} bohr",
            f"empty from x = {x[i]:g} to {x[i + 1]:g}, before line {lines[i + 1]}",
        )


def _is_number(word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True
