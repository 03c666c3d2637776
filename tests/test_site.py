"""The documentation site: nothing is left out of it, and it builds without a warning."""

import importlib.util
import io
import os
import pathlib
import re
import subprocess
import sys
import types
from typing import Any

import pytest
import yaml
from PIL import Image

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
    for name in re.findall(r"experiments/[a-z_/]+\.py", path.read_text()):
        assert (ROOT / name).exists(), name


def test_docstrings_are_made_ready_for_markdown() -> None:
    rewrite = module("docstrings").rewrite
    assert rewrite("|<phi|psi>| is v * u, `a * b`") == "|&lt;phi|psi&gt;| is v &#42; u, `a * b`"
    assert rewrite("  x, t: In bohr,\n    and a.u.") == "  x: In bohr,\n    and a.u.\n  t: See `x`."
    assert rewrite("One.\n\n>>> 1 + 1\n2\n") == "One.\n\n```pycon\n>>> 1 + 1\n2\n```\n"
    code = "```python\nif a:\n\n    b\n```\n"
    assert rewrite("So::\n\n    if a:\n\n        b\n\nEnd.") == f"So:\n\n{code}\nEnd."
    assert rewrite("So::\n\n    if a:\n\n        b") == f"So:\n\n{code}"


def test_pictures_on_black_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))

    def describe(colour: str) -> str:
        picture = io.BytesIO()
        image = Image.new("RGBA", (200, 100), "white")
        image.paste(colour, (0, 0, 100, 100))
        image.save(picture, "png")
        return module("hooks").attributes(picture.getvalue())

    size = 'width="200" height="100" loading="lazy"'
    assert describe("black") == f'{size} class="dark"'
    assert describe("navy") == f'{size} class="dark"'
    assert describe("lightblue") == f'{size} class="light"'


def test_numbers_in_tables_are_not_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(DOCS))
    keep = module("hooks").keep_together
    one = '<span class="number">-7.9e-1</span>'
    assert keep("<td>-7.9e-1 (1e-2)</td>") == f'<td>{one} (<span class="number">1e-2</span>)</td>'
    for cell in (
        "<td>takahashi-imada-2</td>",
        '<td><a href="a/1e-3">b</a></td>',
        "<td>1e-3-x-7e-1</td>",
    ):
        assert keep(cell) == cell


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> pathlib.Path:
    """The site, built once, without a warning."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    built = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert built.returncode == 0, built.stderr
    assert "WARNING" not in built.stderr
    return folder


@pytest.fixture(scope="module")
def pages(site: pathlib.Path) -> dict[str, str]:
    return {path.relative_to(site).as_posix(): path.read_text() for path in site.rglob("*.html")}


def test_pages_ask_nothing_of_the_network(pages: dict[str, str]) -> None:
    for name, text in pages.items():
        assert not re.findall(r'<(?:img|script|link)\b[^>]*(?:src|href)="https?:', text), name


def test_search_works_from_the_disk(site: pathlib.Path, pages: dict[str, str]) -> None:
    # What the theme loads in place of a request, and the stand-in for a worker.
    index = (site / "search" / "search_index.js").read_text()
    assert index.startswith("var __index = ")
    assert "qdistill.teacher.expansion.chebyshev" in index
    assert "Source code in" not in index
    for name, text in pages.items():
        assert re.search(r'<script src="[./]*iframe-worker.js">', text), name


def test_equations_are_set_and_scroll_in_a_box(pages: dict[str, str]) -> None:
    assert pages["physics.html"].count("<math") > 50
    assert "arithmatex" not in pages["physics.html"]
    n_blocks = pages["physics.html"].count('display="block"')
    assert pages["physics.html"].count('<div class="equation"><math') == n_blocks > 10


def test_pages_show_their_pictures_and_names(pages: dict[str, str], site: pathlib.Path) -> None:
    assert 'src="results/movie/forecast.gif"' in pages["index.html"]
    assert "lattice, complex64" in pages["solvers.html"]
    assert pages["tutorial/5_design.html"].count("<img") == 2
    assert 'id="qdistill.teacher.expansion.chebyshev"' in pages["api/teacher.html"]
    for name, text in pages.items():
        for picture, kind in re.findall(r'<img[^>]* src="([^"]+)"([^>]*)>', text):
            assert (site / name).parent.joinpath(picture).exists(), picture
            assert re.search(r'class="(dark|light)"', kind), picture


def test_the_api_names_everything_once(pages: dict[str, str]) -> None:
    text = "".join(text for name, text in pages.items() if name.startswith("api/"))
    headings = re.findall(r'<h\d id="(qdistill[\w.]*)"', text)
    assert len(headings) == len(set(headings)) > 200
    assert "qdistill.plots.plot_designs" in headings
    assert "qdistill.plots.design.plot_designs" not in headings


# What is published, by folder; the theme's own files are in assets/.
PLACES = {
    ".": {".html", ".css", ".js", ".xml", ".gz", ".inv"},
    "api": {".html"},
    "experiments": {".py"},
    "fonts": {"", ".ttf"},
    "notebooks": {".py"},
    "results": {".html", ".json", ".png", ".gif"},
    "search": {".js", ".json"},
    "tutorial": {".html", ".png", ".gif"},
}


def test_nothing_is_published_but_pages_and_what_they_link_to(
    site: pathlib.Path, pages: dict[str, str]
) -> None:
    links = {
        (site / name).parent.joinpath(link).resolve()
        for name, text in pages.items()
        for link in re.findall(r'(?:href|src)="([^":#]+)', text)
    }
    for path in site.rglob("*"):
        relative = path.relative_to(site)
        place = (*relative.parts[:-1], ".")[0]
        if place == "assets" or path.is_dir():
            continue
        assert path.suffix in PLACES[place], relative
        if place in ("experiments", "notebooks", "results", "tutorial"):
            assert path in links, relative
