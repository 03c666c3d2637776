"""Put the numbers of results/ into the pages: `make pages`; with --check, name what is stale.

A marker in a page is a comment that holds a template of `str.format`. The text after it is
generated, up to the marker that closes it::

    an error of <!-- {demo.metrics.benchmark.mean_infidelity:.1e} -->4.5e-6<!-- / -->.

The first name is a folder of results/, the second one of its JSON files, then come keys and
indices. `{tables.NAME}` is a function of docs/tables.py, and so for the modules costs, learned,
scratch, filters, audits, compared, found, laws_found, plans, crossed and shares: a whole table, or
a number that is computed from several. A marker alone on its line has its text on the lines below.
"""

import functools
import importlib
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

ROOT = pathlib.Path(__file__).parents[1]
PAGES = ("README.md", "docs/*.md", "results/*.md")
# The modules with tables, next to this one.
MODULES = (
    *("tables", "costs", "learned", "scratch", "filters", "audits", "compared"),
    *("found", "laws_found", "plans", "crossed", "shares"),
)
MARKED = re.compile(r"<!-- ([^<>]*\{[^<>]+\}[^<>]*) -->((?s:.*?))<!-- / -->")
CODE = re.compile(r"^```.*?^```|`[^`\n]+`|\]\([^)]*\)", re.DOTALL | re.MULTILINE)
# In prose, a number like this was measured.
MEASURED = re.compile(r"(?<![\w.])\d(?:\.\d+)?e-\d+")


class Number(float):
    """A number of a result; it prints 4.5e-6, not 4.5e-06.

    >>> f"{Number(4.5e-6):.1e}, {Number(250):.1e}, {Number(20):.0f}"
    '4.5e-6, 2.5e2, 20'
    """

    def __format__(self, spec: str) -> str:
        """Format as a float does, with the shortest exponent."""
        return re.sub(r"e\+?(-?)0*(\d)", r"e\1\2", float(self).__format__(spec)).removesuffix("e0")


class Tree:
    """A part of results/: folders, files and keys are attributes and items."""

    def __init__(self, content: Any, name: str) -> None:
        """Hold what a file or folder contains, and its name for errors."""
        self._content, self._name = content, name

    def __getattr__(self, key: str) -> Any:
        """Return what is under a key."""
        return self[key]

    def __getitem__(self, key: Any) -> Any:
        """Return what is under a key or index."""
        try:
            found = self._content[key]
        except (LookupError, TypeError):
            raise LookupError(f"{self._name} has no {key!r}") from None
        return _wrap(found, f"{self._name}.{key}")

    def __iter__(self) -> Iterator[Any]:
        """The keys of a mapping, the values of a list."""
        if isinstance(self._content, dict):
            return iter(self._content)
        return (self[i] for i in range(len(self._content)))

    def items(self) -> Iterator[tuple[str, Any]]:
        """The keys of a mapping, each with its value."""
        return ((key, self[key]) for key in self._content)


def _wrap(found: Any, name: str) -> Any:
    if isinstance(found, dict | list):
        return Tree(found, name)
    if isinstance(found, float):
        return Number(found)
    # JSON has no infinity: what diverged was written as null.
    return Number("inf") if found is None else found


def read(folder: pathlib.Path = ROOT / "results") -> dict[str, Tree]:
    """Read every JSON file of every folder."""
    return {
        part.name: Tree(
            {file.stem: json.loads(file.read_text()) for file in sorted(part.glob("*.json"))},
            part.name,
        )
        for part in sorted(folder.iterdir())
        if part.is_dir()
    }


RESULTS = functools.cache(read)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table in Markdown.

    >>> print(table(("a", "b"), [["1", ""]]))
    | a | b |
    | --- | --- |
    | 1 |  |
    """
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


class _Called:
    """The functions of a module, called when they are looked up."""

    def __init__(self, module: Any) -> None:
        self._module = module

    def __getattr__(self, name: str) -> Any:
        return getattr(self._module, name)()


def fill(text: str, values: dict[str, Any]) -> str:
    """Replace what stands between the markers of a page.

    >>> fill("<!-- {a.b:.1f} --><!-- / --> eV", {"a": Tree({"b": 2.0}, "a")})
    '<!-- {a.b:.1f} -->2.0<!-- / --> eV'
    """

    def generate(match: re.Match[str]) -> str:
        made = match[1].format_map(values)
        is_block = match[2].startswith("\n") or "\n" in made
        return f"<!-- {match[1]} -->" + (f"\n\n{made}\n\n" if is_block else made) + "<!-- / -->"

    return MARKED.sub(generate, text)


def strip(text: str) -> str:
    """Remove the markers, and keep what stands between them."""
    return MARKED.sub(lambda match: match[2], text)


def find_unmarked(text: str) -> list[str]:
    """Find measured numbers that no marker holds, outside of code.

    >>> find_unmarked("1e-3 of `1e-4`, and <!-- {a} -->1e-5<!-- / -->")
    ['1e-3']
    """
    return MEASURED.findall(CODE.sub("", MARKED.sub("", text)))


def main(is_check: bool) -> int:
    """Fill the pages, or tell which would change; return the exit status."""
    values = {
        **read(),
        **{name: _Called(importlib.import_module(name)) for name in MODULES},
    }
    faults = []
    for path in (path for pattern in PAGES for path in sorted(ROOT.glob(pattern))):
        text, name = path.read_text(), path.relative_to(ROOT)
        faults += [f"{name}: no marker holds {number}" for number in find_unmarked(text)]
        filled = fill(text, values)
        # Markdown takes a line that begins with a marker as HTML, and shows its other signs.
        faults += [
            f"{name}: a line begins with a marker: {match[1]}"
            for match in MARKED.finditer(filled)
            if f"\n{filled}"[match.start()] == "\n" and not match[2].startswith("\n")
        ]
        if filled != text and is_check:
            faults.append(f"{name}: stale, run `make pages`")
        elif filled != text:
            path.write_text(filled)
            print(name)
    print(*faults, sep="\n", end="\n" * bool(faults))
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
