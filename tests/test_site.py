"""The documentation site: nothing is left out of it, and it builds without a warning."""

import importlib.util
import os
import pathlib
import re
import subprocess
import sys
import types
from typing import Any

import pytest
import yaml

ROOT = pathlib.Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
LINKED = [*PAGES, ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "results").glob("*.md")]


def leaves(nav: Any) -> list[str]:
    """The pages of a navigation, in order."""
    if isinstance(nav, str):
        return [nav]
    branches = nav.values() if isinstance(nav, dict) else nav
    return [page for branch in branches for page in leaves(branch)]


NAV = leaves(yaml.safe_load((ROOT / "mkdocs.yml").read_text())["nav"])


def module(name: str) -> types.ModuleType:
    spec = importlib.util.spec_from_file_location(name, DOCS / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


def test_every_page_is_in_the_navigation() -> None:
    assert {path.relative_to(DOCS).as_posix() for path in PAGES} <= set(NAV)
    assert {f"results/{path.name}" for path in (ROOT / "results").glob("*.md")} <= set(NAV)


def test_the_api_has_every_module() -> None:
    pages = "\n".join((DOCS / page).read_text() for page in NAV if page.startswith("api/"))
    listed = set(re.findall(r"^::: (qdistill[\w.]*)$", pages, re.MULTILINE))
    for path in (ROOT / "qdistill").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if not any(part.startswith("_") for part in parts[1:]):
            names = {".".join(parts[:n]) for n in range(2, len(parts) + 1)}
            assert names & listed, path


@pytest.mark.parametrize("path", LINKED, ids=lambda path: path.stem)
def test_links_lead_to_files(path: pathlib.Path) -> None:
    for link in re.findall(r"\]\((?!\w+:|#)([^)#\s]+)", path.read_text()):
        assert (path.parent / link).exists(), link


def test_the_gallery_shows_every_experiment_that_draws() -> None:
    gallery = (DOCS / "gallery.md").read_text()
    for path in (ROOT / "results").rglob("*.*"):
        if path.suffix in (".png", ".gif"):
            assert f"(../results/{path.parent.name}/" in gallery, path


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.stem)
def test_scripts_that_are_named_exist(path: pathlib.Path) -> None:
    for name in re.findall(r"experiments/[\w/]+\.py", path.read_text()):
        assert (ROOT / name).exists(), name


def test_docstrings_are_made_ready_for_markdown() -> None:
    rewrite = module("docstrings").rewrite
    assert rewrite("|<phi|psi>| is v * u, `a * b`") == "|&lt;phi|psi&gt;| is v &#42; u, `a * b`"
    assert rewrite("  x, t: In bohr,\n    and a.u.") == "  x: In bohr,\n    and a.u.\n  t: See `x`."
    assert rewrite("One.\n\n>>> 1 + 1\n2\n") == "One.\n\n```pycon\n>>> 1 + 1\n2\n```\n"


def test_the_site_builds_without_a_warning_and_needs_no_network(tmp_path: pathlib.Path) -> None:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    pages = {
        path.relative_to(tmp_path).as_posix(): path.read_text() for path in tmp_path.rglob("*.html")
    }
    for name, text in pages.items():
        assert not re.findall(r'<(?:img|script|link)\b[^>]*(?:src|href)="https?:', text), name
    assert pages["physics.html"].count("<math") > 50
    assert "arithmatex" not in pages["physics.html"]
    assert 'src="results/movie/forecast.gif"' in pages["index.html"]
    assert "lattice, complex64" in pages["results.html"]
    assert pages["tutorial/5_design.html"].count("<img") == 2
    assert 'id="qdistill.teacher.expansion.chebyshev"' in pages["api/teacher.html"]
    for picture in re.findall(r'<img[^>]* src="([^"]+)"', pages["gallery.html"]):
        assert (tmp_path / picture).exists(), picture
