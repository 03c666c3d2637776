"""Docstrings as they are written here, made ready for Markdown.

They are plain text that reads well in a terminal: formulas such as <phi|psi> or v * psi, doctests
without a heading, `::` before a literal block, and several arguments in one
line. None of that is Markdown.
"""

import re
import textwrap
from typing import Any

from griffe import Docstring, Extension

DOCTEST = re.compile(r"^( *)>>> .*(?:\n\1\S.*|\n\1 .*)*", re.MULTILINE)
LITERAL = re.compile(r"::\n\n((?: {4}.*(?:\n|\Z)|\n+(?= {4}))+)")
GROUP = re.compile(r"^( +)(\w+), (\w+(?:, \w+)*): (.*(?:\n\1 +.*)*)", re.MULTILINE)
CODE = re.compile(r"(```.*?```|``.*?``|`[^`\n]+`)", re.DOTALL)


class Docstrings(Extension):
    """Rewrite each docstring before it is parsed."""

    def on_object(self, *, obj: Any, **kwargs: Any) -> None:
        """One object, as it is loaded."""
        if isinstance(obj.docstring, Docstring):
            obj.docstring.value = rewrite(obj.docstring.value)


def rewrite(text: str) -> str:
    """Fence doctests, and keep Markdown's hands off formulas.

    >>> print(rewrite("<phi|psi> a * b"))
    &lt;phi|psi&gt; a &#42; b
    """
    text = LITERAL.sub(literal, text)
    text = GROUP.sub(ungroup, text)
    text = DOCTEST.sub(lambda match: f"```pycon\n{match[0]}\n```", text)
    parts = CODE.split(text)
    return "".join(part if i % 2 else escape(part) for i, part in enumerate(parts))


def literal(match: re.Match[str]) -> str:
    """An indented block after `::`, empty lines included, as code."""
    return f":\n\n```python\n{textwrap.dedent(match[1]).rstrip()}\n```\n"


def ungroup(match: re.Match[str]) -> str:
    """`x, t: ...` as one entry for each name, so that every one is looked up in the signature."""
    indent, first, others, words = match.groups()
    rest = [f"{indent}{name}: See `{first}`." for name in others.split(", ")]
    return "\n".join([f"{indent}{first}: {words}", *rest])


def escape(text: str) -> str:
    """Formulas outside of code."""
    for character, entity in (("<", "&lt;"), (">", "&gt;"), ("*", "&#42;"), ("[", "&#91;")):
        text = text.replace(character, entity)
    return text
