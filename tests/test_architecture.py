"""The layers of the package, one direction of imports, and a light import."""

import ast
import pathlib
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parents[1] / "qdistill"

# A layer may import only those above it.
LAYERS = [
    "_words",
    "_checks",
    "_files",
    "_refusals",
    "_doors",
    "_programs",
    "_distribute",
    "physics",
    "system",
    "teacher",
    "curriculum",
    "students",
    "training",
    "forecast",
    "insight",
    "plots",
    "runs",
]


def imported(path: pathlib.Path) -> set[str]:
    """The layers and packages that a file imports."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            first, *rest = (node.module or "").split(".")
            if first == "qdistill":
                names |= {rest[0]} if rest else {alias.name for alias in node.names}
            else:
                names.add(first)
        elif isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
    return names


def layer(path: pathlib.Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def test_every_layer_has_its_place() -> None:
    layers = {layer(path) for path in PACKAGE.rglob("*.py")} - {"__init__", "__main__"}
    assert layers == set(LAYERS)


@pytest.mark.parametrize("name", LAYERS)
def test_imports_point_one_way(name: str) -> None:
    above = set(LAYERS[: LAYERS.index(name) + 1])
    for path in PACKAGE.rglob("*.py"):
        if layer(path) == name:
            assert imported(path) & set(LAYERS) <= above, path
            assert "experiments" not in imported(path), path


def test_only_plots_imports_matplotlib() -> None:
    users = {layer(path) for path in PACKAGE.rglob("*.py") if "matplotlib" in imported(path)}
    assert users == {"plots"}


def test_importing_the_package_imports_neither_matplotlib_nor_orbax() -> None:
    """Nor does loading an emulator that comes with the package; the command has no matplotlib."""
    code = (
        "import sys, qdistill;"
        "heavy = lambda: {'matplotlib', 'orbax', 'flax'} & {m.split('.')[0] for m in sys.modules};"
        "print(heavy()); qdistill.load('demo'); print(heavy());"
        "import qdistill.__main__; print('matplotlib' in heavy())"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split() == ["set()", "{'flax'}", "False"]


def test_every_public_module_is_reached_from_the_package() -> None:
    paths = (path.relative_to(PACKAGE).with_suffix("") for path in PACKAGE.rglob("*.py"))
    names = [".".join(path.parts) for path in paths if not any(p[0] == "_" for p in path.parts)]
    assert "insight.discovery.laws" in names
    code = f"import operator, qdistill; operator.attrgetter(*{names})(qdistill)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert out.returncode == 0, out.stderr


def test_files_and_functions_stay_short() -> None:
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text()
        assert text.count("\n") <= 400, path
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef):
                assert (node.end_lineno or 0) - node.lineno < 75, (path, node.name)
