"""The shape of the package: imports point only upward in one list, and importing it is light."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "qdistill"

# The reading order. A module may import only those above it.
ORDER = [
    "arguments",
    "devices",
    "cluster",
    "signals",
    "grid",
    "packets",
    "potentials",
    "landscapes",
    "scatterers",
    "planes",
    "expansion",
    "solver",
    "projection",
    "plane_projection",
    "teacher",
    "rollout",
    "substeps",
    "resampling",
    "observables",
    "lessons",
    "curriculum",
    "windows",
    "spectra",
    "batches",
    "students",
    "losses",
    "operators",
    "stages",
    "training",
    "records",
    "provenance",
    "datasets",
    "divergence",
    "checkpoints",
    "metrics",
    "benchmark",
    "generalisation",
    "operations",
    "contenders",
    "band_contenders",
    "plane_contenders",
    "costs",
    "frontier",
    "jobs",
    "plane_frontier",
    "symmetry",
    "probes",
    "design",
    "causes",
    "plots",
    "config",
    "presets",
    "runs",
    "pretrained",
    "ladder",
    "importance",
    "throughput",
    "diffraction",
    "fringes",
    "report",
    "story",
    "comparison",
    "tracking",
]


def imported_modules(path: pathlib.Path) -> set[str]:
    """The modules of this package that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module == "qdistill":
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("qdistill."):
            names.add((node.module or "").split(".")[1])
    return names


def test_every_module_has_its_place_in_the_order() -> None:
    files = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    packages = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert files | packages == set(ORDER)


@pytest.mark.parametrize("path", sorted(PACKAGE.glob("*.py")), ids=lambda path: path.stem)
def test_imports_point_only_upward(path: pathlib.Path) -> None:
    if path.stem == "__init__":
        return
    above = set(ORDER[: ORDER.index(path.stem)])
    assert imported_modules(path) <= above


@pytest.mark.parametrize(
    "package", sorted(path.parent.name for path in PACKAGE.glob("*/__init__.py"))
)
def test_packages_import_only_what_is_above_them(package: str) -> None:
    above = set(ORDER[: ORDER.index(package) + 1])
    for path in (PACKAGE / package).glob("*.py"):
        assert imported_modules(path) <= above, path


def test_only_plots_imports_matplotlib() -> None:
    users = {
        path.relative_to(PACKAGE).with_suffix("").parts[0]
        for path in PACKAGE.rglob("*.py")
        if any(
            "matplotlib" in (getattr(node, "module", None) or "")
            or any("matplotlib" in alias.name for alias in node.names)
            for node in ast.walk(ast.parse(path.read_text()))
            if isinstance(node, ast.Import | ast.ImportFrom)
        )
    }
    assert users == {"plots"}


def test_importing_the_package_imports_neither_matplotlib_nor_orbax() -> None:
    """Nor does a forecast by a student that comes with the package."""
    code = (
        "import sys, qdistill;"
        "heavy = lambda: {'matplotlib', 'orbax', 'flax'} & {m.split('.')[0] for m in sys.modules};"
        "print(heavy()); qdistill.load('demo'); print(heavy())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["set()", "{'flax'}"]


def test_files_and_functions_stay_short() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 75, (path, node.name)
