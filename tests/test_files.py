"""Potentials from files: right values from every source, and every refusal by its words."""

import pathlib
import struct
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from qdistill.physics import families, files
from qdistill.physics.files import checks
from qdistill.physics.grid import Grid

GRID = Grid(1024, 100.0)
X = np.arange(1, 1025) * 100 / 1024


@pytest.mark.parametrize(
    ("formula", "expected"),
    [
        ("5*exp(-(x-50)**2/8) + 2*(abs(x-60)<1)",
         5 * np.exp(-((X - 50) ** 2) / 8) + 2 * (np.abs(X - 60) < 1)),
        ("-2 * (40 < x <= 45) + 3*(x > 60 and x < 70)",
         -2.0 * ((X > 40) & (X <= 45)) + 3 * ((X > 60) & (X < 70))),
        ("where(abs(x - 50) < 5, sqrt(abs(25 - (x-50)**2)), 0)",
         np.sqrt(np.maximum(25 - (X - 50) ** 2, 0))),
        ("2 * sin(pi * x / 100)**2 % 1.5", 2 * np.sin(np.pi * X / 100) ** 2 % 1.5),
        (" min(x, 100 - x, 7) - max(0, 0.5) / 2", np.minimum(np.minimum(X, 100 - X), 7) - 0.25),
        ("(x < 30 or not x < 70)*2", 2.0 * ((X < 30) | (X >= 70))),
        ("7", np.full(1024, 7.0)),
    ],
)  # fmt: skip
def test_a_formula_has_its_value(formula: str, expected: np.ndarray) -> None:
    v = files.read(GRID, formula)
    np.testing.assert_allclose(v, expected, atol=2e-6)


def test_a_formula_of_two_dimensions() -> None:
    v = files.read(Grid((8, 4), (8.0, 4.0)), "1.5 * (2.5 < x < 5.5) ")
    assert v.shape == (8, 4)
    np.testing.assert_array_equal(np.asarray(v)[:, 0], [0, 0, 1.5, 1.5, 1.5, 0, 0, 0])


def test_the_families_of_the_package_are_potentials_of_this_kind() -> None:
    for family in families.FAMILIES:
        for seed in range(3):
            v = families.sample(jax.random.key(seed), GRID, family)
            np.testing.assert_array_equal(files.read(GRID, v), v)


PART = "of numbers, positions, operators and functions, but is "


@pytest.mark.parametrize(
    ("formula", "words"),
    [
        ("__import__('os').system('true')", r"is `__import__\('os'\).system` at character 1 of"),
        ("3 + open('x')", "of the functions abs, .*, but is `open` at character 5 of"),
        ("exp(x).real", PART + r"`exp\(x\).real` at character 1"),
        ("2*[x][0]", PART + r"`\[x\]\[0\]` at character 3"),
        ("(lambda: 1)()", "of the functions"),
        ("1j*x", PART + "`1j` at character 1"),
        ("x + True", PART + "`True` at character 5"),
        ("exp(x, out=x)", "of the functions"),
        ("2 + y", r"of the names pi, x, but is `y` at character 5 of `2 \+ y`"),
        ("exp(x, 2)", r"with 1 values in exp\(...\), but is `exp\(x, 2\)` at character 1"),
        ("where(x)", r"with 3 values in where\(...\)"),
        ("2 + x^2", r"without `\^`.* but is `x\^2`|`2 \+ x\^2` .* A power is written `\*\*`"),
        ("x<20 | x>80", r"but is `20 \| x` at character 3 .* joined by `and` and `or`"),
        ("5*exp(-(x-50)**2/8", "an expression such as .* wrong at character 6"),
        ("v = 5", "an expression .* wrong at character"),
        ("x == 5", PART + "`x == 5` at character 1"),
        ("  ", "of 1 to 1000 characters, but is of 0"),
        ("x" * 1001, "of 1 to 1000 characters, but is of 1001"),
        ("-" * 990 + "x", "less deeply nested"),
        ("1" + "0" * 400, "of numbers below 1e308"),
        ("9**9**9**9", "finite everywhere, but is inf at 0.09766 bohr"),
        ("sqrt(x - 60)", "finite everywhere, but is nan at 0.09766 bohr"),
        ("1/(x-50)", "finite everywhere, but is inf at 50 bohr"),
        ("300*exp(-(x-50)**2)", "within 104.9 hartree of zero, .* but is 300 at 50 bohr. If .* eV"),
        ("-9e9*exp(-(x-50)**2)", "within 104.9 hartree of zero, .* but is -9e.09 at 50 bohr.$"),
        ("5*(x > 50)", "the same at both ends of the box, which is periodic, but is 0 at one and"),
        ("0.1*x", "the same at both ends"),
        ("5*(abs(x-50) < 0.03)", "wider than the spacing of the grid, 0.09766 bohr, .* near 49.97"),
        ("5*(abs(x-50.04) < 0.03)", "wider than the spacing"),
        ("5*(abs(x-50) < 5) - 5*(abs(x-50.04) < 0.03)", "wider than the spacing"),
        ("sin(2*pi*x*20.48)", "wider than the spacing"),
        ("1/(x-50.01)", "wider than the spacing"),
    ],
)  # fmt: skip
def test_bad_formulas_are_refused(formula: str, words: str) -> None:
    with pytest.raises(ValueError, match="Argument `formula` must be .*" + words):
        files.read(GRID, formula)


def test_what_is_as_wide_as_the_spacing_passes() -> None:
    v = files.read(GRID, "5*(abs(x-50) < 0.05)")
    assert np.count_nonzero(v) == 1


def test_ends_are_compared_of_any_kind_of_array(without_checker: None) -> None:
    kinds: list[Any] = [np.ones(32), jnp.ones(32)]
    for ones in kinds:
        checks.require_periodic(Grid(32, 20.0), "v", ones)
        with pytest.raises(ValueError, match="`v` must be the same at both ends of the box"):
            checks.require_periodic(Grid(32, 20.0), "v", ones * np.arange(32))


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0] * 1023, r"of shape \(1024,\), one value for each point, but is of shape \(1023,\)"),
        ([[0.0] * 1024], "of shape"),
        ([0.0] * 1023 + [np.nan], "finite everywhere, but is nan at 100 bohr"),
        ([0.0] * 1023 + [np.inf], "finite everywhere"),
        ([0.0] * 1023 + [1j], "made of real numbers, but is of type complex128"),
        (["0"] * 1024, "made of real numbers"),
        ([False] * 1024, "made of real numbers, but is of type bool"),
        ([[0.0], [1.0, 2.0]], "a table with rows of unequal length"),
        ([0.0] * 500 + [200.0] * 24 + [0.0] * 500, "within 104.9 hartree of zero"),
        ([0.0] * 1000 + [3.0] * 24, "the same at both ends"),
    ],
)
def test_bad_arrays_are_refused(values: list, words: str) -> None:
    with pytest.raises(ValueError, match="Argument `v` must be .*" + words):
        files.read(GRID, values)


def write(folder: pathlib.Path, text: str) -> pathlib.Path:
    path = folder / "potential.csv"
    path.write_text(text)
    return path


def table(x: np.ndarray, v: np.ndarray, separator: str = ",") -> str:
    return "".join(f"{a:.6f}{separator}{b:.6f}\n" for a, b in zip(x, v, strict=True))


HILL_X = np.linspace(0, 100, 401)
HILL = 6 * np.exp(-((HILL_X - 45) ** 2) / 18)


@pytest.mark.parametrize("separator", [",", ";", "\t", ", "])
def test_a_table_is_interpolated(tmp_path: pathlib.Path, separator: str) -> None:
    text = "# in bohr, from a file in nm\nx,v\n\n" + table(HILL_X, HILL, separator)
    v = files.read(GRID, write(tmp_path, text))
    # A linear interpolation: V'' h^2 / 8 with V'' = 6 / 9 and h = 0.25.
    expected = 6 * np.exp(-((X - 45) ** 2) / 18)
    np.testing.assert_allclose(v, expected, atol=6 / 9 * 0.25**2 / 8 + 1e-5)
    assert np.abs(v - expected).max() > 1e-3


@pytest.mark.parametrize(
    "header",
    [
        "x (bohr), v (hartree)", "# x [a0], V [Eh]", "x/bohr; v/hartree", "x_bohr,v_hartree",
        "x,V(x)", "# V in hartree, converted from meV", "# made at 3:15 PM by J. Doe (draft), 2026",
        "x (a.u.), v (a.u.)",
    ],
)  # fmt: skip
def test_a_header_in_bohr_and_hartree_passes(tmp_path: pathlib.Path, header: str) -> None:
    rows = "0,0\n40,0\n50,0.25\n60,0\n100,0\n"
    v = files.from_csv(Grid(64, 100.0), write(tmp_path, f"{header}\n{rows}"))
    assert v[31] == 0.25


def test_a_table_of_v_alone_lies_on_the_points(tmp_path: pathlib.Path) -> None:
    values = 6 * np.exp(-((X - 45) ** 2) / 18)
    text = "".join(f"{value:.8f}\n" for value in values)
    v = files.read(GRID, str(write(tmp_path, text)))
    np.testing.assert_allclose(v, values, atol=1e-6)
    # A file that ends one row before the edge, as many do, is closed around it.
    end = write(tmp_path, table(X[:-1] - X[0], values[:-1]))
    np.testing.assert_allclose(files.read(GRID, end)[:-1], values[1:], atol=0.2)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("x,v\n0,0\n1,two\n", "finite numbers, but is `two` in line 3"),
        ("0,0\n1,nan\n", "finite numbers, but is `nan` in line 2"),
        ("0,0\n1,1e999\n", "finite numbers, but is `1e999` in line 2"),
        ("0,0\n1,1+2j\n", r"finite numbers, but is `1\+2j` in line 2"),
        ("0,0\n1\n", "of v alone, but is `1` in line 2"),
        ("0,0,0\n", "a table of x and v"),
        ("0,0\n50,1\n100,0\n", "at least 4 rows, but is of 3"),
        ("", "at least 4 rows, but is of 0"),
        ("x (nm), v (eV)\n0,0\n", "in bohr and hartree, but is in nm, by line 1. A bohr is"),
        ("# V in meV\n0,0\n", "in bohr and hartree, but is in meV"),
        ("x (bohr), v (meV)\n", "in bohr and hartree, but is in meV, by line 1"),
        ("# x (bohr), v (meV)\n", "in bohr and hartree, but is in meV, by line 1"),
        ("x (nm), v (hartree)\n", "in bohr and hartree, but is in nm, by line 1"),
        ("x_bohr,v_mHa\n", "in bohr and hartree, but is in mHa, by line 1"),
        ("x [furlong], v [hartree]\n", "in bohr and hartree, but is in furlong, by line 1"),
        ("x (bohr), v (zork)\n", "in bohr and hartree, but is in zork, by line 1"),
        ("# x/bohr, v/K\n", "in bohr and hartree, but is in K, by line 1"),
        ("V (kJ/mol)\n", "in bohr and hartree, but is in kJ/mol, by line 1"),
        ("x (hartree), v (bohr)\n", "in bohr and hartree, but is in hartree, by line 1"),
        ("0,0\n50,1\n40,1\n100,0\n", "of rising x, but is of x = 40 after 50 in line 3"),
        ("0,0\n50,1\n50,2\n100,0\n", "of rising x, but is of x = 50 after 50 in line 3"),
        (table(HILL_X[:200], HILL[:200]), "of x from 0 to 100 bohr, the box, but is .* to 49.75.$"),
        (table(HILL_X - 50, HILL), "of x from 0 to 100 bohr, the box, but is of x from -50 to 50"),
        (table(HILL_X * 0.0529177, HILL), "If x is in nm, divide by 0.0529177"),
        (table(HILL_X * 0.529177, HILL), "If x is in angstrom, divide by 0.529177"),
        (table(np.delete(HILL_X, range(100, 160)), np.delete(HILL, range(100, 160))),
         "without holes above 2.5 bohr, but is empty from x = 24.75 to 40, before line 101"),
        (table(HILL_X, 40 * HILL), "within 104.9 hartree of zero, .* If that is in eV"),
        (table(HILL_X, HILL_X / 100), "the same at both ends"),
        (table(np.sort([*HILL_X, 50.04]), np.insert(HILL, 201, 50.0)), "near 50.*bohr"),
    ],
)  # fmt: skip
def test_bad_tables_are_refused(tmp_path: pathlib.Path, text: str, words: str) -> None:
    with pytest.raises(ValueError, match="Argument `path` must be .*" + words):
        files.read(GRID, write(tmp_path, text))


def draw(path: pathlib.Path, heights: np.ndarray, n_row: int = 200, line: int = 0) -> pathlib.Path:
    """A picture of heights between 0 and 1: a silhouette, or a line some points thick."""
    rows = np.arange(n_row)[::-1, None] + 0.5
    dark = rows < heights * n_row
    if line:
        # With its flanks: as a pen would, from each column to the next.
        there, low = heights * n_row, np.minimum(heights, np.roll(heights, 1)) * n_row
        dark = (rows < there + line / 2) & (rows > low - line / 2)
    picture = np.where(dark, 0, 255).astype(np.uint8)
    Image.fromarray(picture).save(path)
    return path


COLUMNS = (np.arange(500) + 0.5) / 5
ARCH = 0.7 * np.exp(-((COLUMNS - 45) ** 2) / 50) + 0.1


@pytest.mark.parametrize("line", [0, 3, 6])
def test_a_drawing_is_read_to_a_pixel(tmp_path: pathlib.Path, line: int) -> None:
    path = draw(tmp_path / "drawing.png", ARCH, line=line)
    v = files.read(GRID, path, v_min=-2.0, v_max=8.0)
    expected = -2 + 10 * (0.7 * np.exp(-((X - 45) ** 2) / 50) + 0.1)
    # One point of the picture is 10 / 200 high and 0.2 bohr wide, where V' is 0.6 of 7 / 5 at most.
    np.testing.assert_allclose(v, expected, atol=10 / 200 + 0.2 * 0.9)


@pytest.mark.parametrize("line", [2, 4, 9])
def test_the_middle_of_a_line_counts(tmp_path: pathlib.Path, line: int) -> None:
    path = draw(tmp_path / "drawing.png", np.full(500, 0.5), line=line)
    # To half a point of the picture.
    np.testing.assert_allclose(files.read(GRID, path), 5.0, atol=0.5 * 10 / 200 + 1e-6)


def test_a_silhouette_may_leave_the_ground_free(tmp_path: pathlib.Path) -> None:
    path = draw(tmp_path / "drawing.png", np.where(np.abs(COLUMNS - 50) < 10, 0.5, 0))
    v = np.asarray(files.read(GRID, str(path), v_max=8.0))
    np.testing.assert_allclose(v[np.abs(X - 50) < 9.7], 4.0, atol=1e-6)
    np.testing.assert_array_equal(v[np.abs(X - 50) > 10.3], 0.0)


def test_what_is_transparent_is_light(tmp_path: pathlib.Path) -> None:
    path = draw(tmp_path / "drawing.png", ARCH)
    dark = np.asarray(Image.open(path)) == 0
    picture = np.zeros((*dark.shape, 4), np.uint8)
    picture[..., 3] = 255 * dark
    Image.fromarray(picture).save(tmp_path / "clear.png")
    np.testing.assert_array_equal(files.read(GRID, tmp_path / "clear.png"), files.read(GRID, path))


SPIKES = np.where(np.arange(4000) == 2000, 0.9, 0.1)


@pytest.mark.parametrize(
    ("heights", "line", "words"),
    [
        (np.zeros(500), 0, "drawn dark on light, but is light everywhere"),
        (np.full(500, 0.95), 0, "dark nearly everywhere. Invert the picture"),
        (ARCH + 0.3, 0, "below the upper edge of the picture, but is cut off by it in column"),
        (np.where(np.abs(COLUMNS - 50) < 10, -1, 0.5), 4,
         "or a silhouette .*, but is empty in columns 201 to 300 of 500"),
        (SPIKES, 0, "wider than the spacing of the grid, .* near 50"),
        (np.where(COLUMNS < 50, 0.2, 0.6), 0, "the same at both ends"),
        (ARCH[:10], 0, "of 16 to 10000 points on a side, but is of 10 by 200"),
    ],
)  # fmt: skip
def test_bad_drawings_are_refused(
    tmp_path: pathlib.Path, heights: np.ndarray, line: int, words: str
) -> None:
    path = draw(tmp_path / "drawing.png", heights, line=line)
    with pytest.raises(ValueError, match="Argument `path` must be .*" + words):
        files.read(GRID, path)


def header_of_png(width: int, height: int) -> bytes:
    """A PNG that promises a size, and ends before the points."""
    chunk = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 6, 0, 0, 0)
    length, check = struct.pack(">I", 13), struct.pack(">I", zlib.crc32(chunk))
    return b"\x89PNG\r\n\x1a\n" + length + chunk + check + struct.pack(">I", 99) + b"IDAT"


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((10_000, 2_000), "of at most 16,000,000 points, but is of 10000 by 2000"),
        ((10_000, 10_000), "of at most 16,000,000 points, but is of 10000 by 10000"),
        ((30_000, 30_000), "of at most 16,000,000 points, but is larger"),
        ((200, 200), "a picture that can be read"),
    ],
)
def test_a_picture_is_not_decoded_before_its_size_is_known(
    tmp_path: pathlib.Path, size: tuple[int, int], words: str
) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(header_of_png(*size))
    with pytest.raises(ValueError, match="Argument `path` must be " + words):
        files.read(GRID, path)


def test_other_pictures_with_the_name_of_a_png_are_refused(tmp_path: pathlib.Path) -> None:
    whole = draw(tmp_path / "drawing.png", ARCH)
    Image.open(whole).save(tmp_path / "jpeg.png", format="JPEG")
    with pytest.raises(
        ValueError, match=r"a picture that can be read, but is .*jpeg\.png`: no PNG"
    ):
        files.read(GRID, tmp_path / "jpeg.png")
    # Damaged in the data, and in the header.
    content = whole.read_bytes()
    for at in (20, 60, len(content) // 2):
        (tmp_path / "damaged.png").write_bytes(content[:at] + b"\0\0\0\0" + content[at + 4 :])
        with pytest.raises(ValueError, match="Argument `path` must be"):
            files.read(GRID, tmp_path / "damaged.png")


def test_two_lines_in_one_drawing_are_refused(tmp_path: pathlib.Path) -> None:
    one = np.asarray(Image.open(draw(tmp_path / "one.png", ARCH, line=3)))
    Image.fromarray(np.minimum(one, np.roll(one, -15, axis=0))).save(tmp_path / "two.png")
    with pytest.raises(ValueError, match="one height at every x, but is of 2 separate strokes"):
        files.read(GRID, tmp_path / "two.png")


def test_a_drawing_too_high_is_refused(tmp_path: pathlib.Path) -> None:
    path = draw(tmp_path / "drawing.png", ARCH)
    with pytest.raises(ValueError, match=r"within 104.9 hartree of zero"):
        files.read(GRID, path, v_max=1000.0)
    with pytest.raises(ValueError, match="`v_max - v_min` must be finite and positive"):
        files.read(GRID, path, v_min=3.0, v_max=2.0)


@pytest.mark.parametrize("name", ["missing.csv", "missing.png", "folder.csv", "noise.png", "n.csv"])
def test_files_that_cannot_be_read_are_refused(tmp_path: pathlib.Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "noise.png").write_bytes(b"\x00\x01" * 50)
    (tmp_path / "n.csv").write_bytes(b"\xff\xfe\x00" * 50)
    with pytest.raises(ValueError, match=r"Argument `path` must be a (file|picture|table)"):
        files.read(GRID, tmp_path / name)


def test_other_files_and_grids_are_refused(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match=r"`source` must be a file that ends in .csv, .txt, .dat"):
        files.read(GRID, tmp_path / "potential.jpg")
    flat = Grid((8, 8), (8.0, 8.0))
    for name in ("a.csv", "a.png"):
        with pytest.raises(ValueError, match="`grid` must be one-dimensional for a"):
            files.read(flat, tmp_path / name)


MOVED = Grid(512, 40.0, origin=-20.0)
MOVED_X = np.arange(1, 513) * 40 / 512 - 20


def test_sources_respect_the_origin_of_the_box(tmp_path: pathlib.Path) -> None:
    expected = 6 * np.exp(-((MOVED_X - 3) ** 2) / 18)
    v = files.read(MOVED, "6*exp(-(x-3)**2/18)")
    np.testing.assert_allclose(v, expected, atol=2e-6)
    x = np.linspace(-20, 20, 401)
    rows = write(tmp_path, table(x, 6 * np.exp(-((x - 3) ** 2) / 18)))
    # A linear interpolation: V'' h^2 / 8 with V'' = 6 / 9 and h = 0.1.
    np.testing.assert_allclose(files.read(MOVED, rows), expected, atol=6 / 9 * 0.1**2 / 8 + 1e-5)
    values = write(tmp_path, "".join(f"{value:.8f}\n" for value in expected))
    np.testing.assert_allclose(files.read(MOVED, values), expected, atol=1e-6)
    columns = (np.arange(500) + 0.5) * 40 / 500 - 20
    path = draw(tmp_path / "drawing.png", 0.6 * np.exp(-((columns - 3) ** 2) / 18))
    # One point of the picture is 10 / 200 high and 0.08 bohr wide, where V' is 1.2 at most.
    np.testing.assert_allclose(files.read(MOVED, path), expected, atol=10 / 200 + 0.08 * 1.2)


def test_places_in_refusals_respect_the_origin_of_the_box(tmp_path: pathlib.Path) -> None:
    with pytest.raises(ValueError, match="finite everywhere, but is inf at 5 bohr"):
        files.read(MOVED, "1/(x-5)")
    with pytest.raises(ValueError, match=r"wider than the spacing of the grid, .* near -10.03"):
        files.read(MOVED, "5*(abs(x+10) < 0.03)")
    rows = write(tmp_path, table(HILL_X, HILL))
    with pytest.raises(ValueError, match="of x from -20 to 20 bohr, the box, but is of x from 0"):
        files.read(MOVED, rows)


def test_a_heavy_particle_has_a_lower_limit() -> None:
    """The energy of a wave of four points goes with 1 / m."""
    heavy = Grid(1024, 100.0, mass=10.0)
    with pytest.raises(ValueError, match=r"within 10.49 hartree of zero"):
        files.read(heavy, "20*exp(-(x-50)**2/8)")
    assert files.read(GRID, "20*exp(-(x-50)**2/8)").shape == (1024,)
