"""What `make docs` adds to the pages of this folder.

The README is the home page, `results/` and the scripts lie beside it, and the executed notebooks
become pages. Links are written for readers of the repository, and translated here. Equations
become MathML, which browsers set without scripts, so that the site needs no network.
"""

import base64
import html
import io
import json
import pathlib
import posixpath
import re
import tomllib
from typing import Any

import pages
from latex2mathml.converter import convert
from matplotlib import get_data_path
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from PIL import Image

ROOT = pathlib.Path(__file__).parents[1]
# Pages whose source lies elsewhere: where they stand in the site, and in the repository.
ELSEWHERE = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
# What of this folder is published.
PUBLISHED = (".md", ".css", ".js")
# For equations, on machines that have no font for mathematics. matplotlib brings them.
FONTS = ("DejaVuSerif.ttf", "LICENSE_DEJAVU", "STIXGeneral.ttf", "LICENSE_STIX")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
MATHS = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)
# A number with an exponent in a cell of a table; browsers may break it at the hyphen.
CELL = re.compile(r"<td\b[^>]*>.*?</td>", re.DOTALL)
EXPONENT = re.compile(r"(?<![\w.-])-?\d[\d.]*e-\d+(?![\w-])(?![^<]*>)")
PICTURE = re.compile(r'<img ([^>]*src="(?!\w+:)([^"]+)"[^>]*?) ?/?>')


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Link to the repository at the foot of each page, if pyproject.toml names one.

    `repo_url` would make the theme ask the network for the repository's stars.
    """
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    if link := project.get("urls", {}).get("Repository"):
        social = {"icon": "fontawesome/brands/git-alt", "link": link, "name": "Repository"}
        config.extra["social"] = [social]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that lie outside this folder, and leave out its other files."""
    for file in list(files):
        if file.src_dir == config.docs_dir and not file.src_uri.endswith(PUBLISHED):
            files.remove(file)
    added = {uri: ROOT / source for uri, source in ELSEWHERE.items()}
    added |= {f"results/{path.name}": path for path in sorted(ROOT.glob("results/*.md"))}
    added |= {f"fonts/{name}": pathlib.Path(get_data_path(), "fonts/ttf", name) for name in FONTS}
    for uri, path in added.items():
        files.append(File.generated(config, uri, abs_src_path=str(path)))
    for path in executed():
        text, pictures = read_notebook(path)
        files.append(File.generated(config, f"tutorial/{path.stem}.md", content=text))
        for name, content in pictures.items():
            files.append(File.generated(config, f"tutorial/{name}", content=content))
    return files


def on_nav(nav: Any, config: MkDocsConfig, files: Files) -> Any:
    """Nothing is to be forgotten: every executed notebook has its page in the navigation."""
    listed = {page.file.src_uri for page in nav.pages}
    missing = [path.stem for path in executed() if f"tutorial/{path.stem}.md" not in listed]
    if missing:
        raise ValueError(f"These notebooks are not in the `nav` of mkdocs.yml: {missing}.")
    return nav


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Translate links, publish the files that they lead to, and leave the marks of numbers out."""
    here = page.file.src_uri
    folder = posixpath.dirname(to_repository(here))

    def translate(match: re.Match[str]) -> str:
        link, anchor = match.groups()
        source = posixpath.normpath(posixpath.join(folder, link))
        target = to_site(source)
        if files.get_file_from_path(target) is None and (ROOT / source).is_file():
            files.append(File.generated(config, target, abs_src_path=str(ROOT / source)))
        return f"]({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor or ''})"

    return LINK.sub(translate, pages.strip(markdown))


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Set equations and numbers, describe the pictures, and keep sources out of the search."""
    folder = posixpath.dirname(page.file.src_uri)

    def describe(match: re.Match[str]) -> str:
        file = files.get_file_from_path(posixpath.normpath(posixpath.join(folder, match[2])))
        if file is None:
            return match[0]
        # A phone shows it too small to read: it opens in full.
        return f'<a href="{match[2]}"><img {match[1]} {attributes(file.content_bytes)}></a>'

    content = PICTURE.sub(describe, MATHS.sub(equation, content))
    content = CELL.sub(lambda cell: keep_together(cell[0]), content)
    source = '<details class="mkdocstrings-source"'
    return content.replace(source, f"{source} data-search-exclude")


def equation(match: re.Match[str]) -> str:
    """An equation as MathML, in a box that scrolls if the page is too narrow for it."""
    tag, bracket, formula = match.groups()
    maths = convert(html.unescape(formula), display="inline" if bracket == "(" else "block")
    return f'<{tag} class="equation">{maths}</{tag}>' if bracket == "[" else maths


def keep_together(cell: str) -> str:
    """Keep numbers with an exponent on one line, outside of tags."""
    return EXPONENT.sub(r'<span class="number">\g<0></span>', cell)


def attributes(picture: bytes) -> str:
    """The size of a picture, and its class in style.css: whether it is dark or light."""
    image = Image.open(io.BytesIO(picture))
    width, height = image.size
    grey = image.resize((160, 96), Image.Resampling.NEAREST).convert("L")
    # Maps of a phase have a black background, other figures a white one.
    black = sum(grey.histogram()[:32]) / (160 * 96)
    name = "dark" if black > 0.1 else "light"
    return f'width="{width}" height="{height}" loading="lazy" class="{name}"'


def to_repository(uri: str) -> str:
    """Where the source of a page lies."""
    if uri.startswith("tutorial/"):
        return f"notebooks/executed/{uri.removeprefix('tutorial/')}"
    return ELSEWHERE.get(uri, uri if uri.startswith("results/") else f"docs/{uri}")


def to_site(path: str) -> str:
    """Where a file of the repository stands in the site."""
    pages = {source: uri for uri, source in ELSEWHERE.items()}
    name = pathlib.PurePosixPath(path)
    if name.parts[0] == "notebooks" and name.stem in {path.stem for path in executed()}:
        return f"tutorial/{name.stem}.md"
    if name.parent.as_posix() == "notebooks/executed":
        return f"tutorial/{name.name}"
    return pages.get(path, path.removeprefix("docs/"))


def executed() -> list[pathlib.Path]:
    """The executed notebooks, in order."""
    return sorted((ROOT / "notebooks" / "executed").glob("*.ipynb"))


def read_notebook(path: pathlib.Path) -> tuple[str, dict[str, bytes]]:
    """A notebook as Markdown, and its pictures by name."""
    parts: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in json.loads(path.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            parts.append(source)
            continue
        parts.append(f"```python\n{source}\n```")
        for output in cell.get("outputs", ()):
            data = output.get("data", {})
            kind = next((k for k in ("image/gif", "image/png") if k in data), None)
            if kind:
                name = f"{path.stem}-{len(pictures) + 1}.{kind.removeprefix('image/')}"
                pictures[name] = base64.b64decode("".join(data[kind]))
                parts.append(f"![]({name})")
            else:
                text = output.get("text") or data.get("text/plain") or ""
                parts.append(f"```text\n{''.join(text).rstrip()}\n```")
    return "\n\n".join(parts) + "\n", pictures
