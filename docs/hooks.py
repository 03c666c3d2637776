"""What `make docs` adds to the pages of this folder.

The README is the home page, `results/` and the scripts lie beside it, and the executed notebooks
become pages. Links are written for readers of the repository, and translated here. Equations
become MathML, which browsers set without scripts, so that the site needs no network.
"""

import base64
import html
import json
import pathlib
import posixpath
import re
from typing import Any

import pages
from latex2mathml.converter import convert
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = pathlib.Path(__file__).parents[1]
# Pages whose source lies elsewhere: where they stand in the site, and in the repository.
ELSEWHERE = {"index.md": "README.md", "changelog.md": "CHANGELOG.md"}
BESIDE = ("results/**/*.png", "results/**/*.gif", "results/**/*.json", "results/*.md")
SCRIPTS = ("experiments/**/*.py", "notebooks/*.py")
LINK = re.compile(r"\]\((?!\w+:|#)([^)#\s]+)(#[^)\s]*)?\)")
MATHS = re.compile(r'<(span|div) class="arithmatex">\\([(\[])(.*?)\\[)\]]</\1>', re.DOTALL)


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what lies outside this folder."""
    for uri, source in ELSEWHERE.items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for pattern in (*BESIDE, *SCRIPTS):
        for path in sorted(ROOT.glob(pattern)):
            uri = path.relative_to(ROOT).as_posix()
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
    """Translate links from the repository to the site, and leave the marks of numbers out."""
    here = page.file.src_uri
    folder = posixpath.dirname(to_repository(here))

    def translate(match: re.Match[str]) -> str:
        link, anchor = match.groups()
        target = to_site(posixpath.normpath(posixpath.join(folder, link)))
        return f"]({posixpath.relpath(target, posixpath.dirname(here) or '.')}{anchor or ''})"

    return LINK.sub(translate, pages.strip(markdown))


def on_page_content(content: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Set the equations."""

    def render(match: re.Match[str]) -> str:
        display = "inline" if match[2] == "(" else "block"
        return convert(html.unescape(match[3]), display=display)

    return MATHS.sub(render, content)


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
