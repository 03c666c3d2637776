"""Parsing of the options of a command or script, with error messages as sentences."""

import contextlib
import io
import itertools
import re
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import tyro

from qdistill._checks import refuse, require_one_of
from qdistill._refusals import explained

# The class of the options, or presets: for each name a description and the options.
Options: TypeAlias = type | Mapping[str, tuple[str, Any]]


@explained
def parse(options: Options, prog: str, words: Sequence[str]) -> Any:
    """Return the options given on the command line; end the process with status 2 for bad ones.

    Args:
      options: The class of the options, or presets.
      prog: Name of the command or script.
      words: The words after the name.
    """
    if isinstance(options, Mapping) and words and not words[0].startswith("-"):
        try:
            require_one_of(map(_typed, options), preset=_typed(words[0]))
        except ValueError as refusal:
            print(f"{prog}: {refusal} See {prog} --help.", file=sys.stderr)
            sys.exit(2)
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            if isinstance(options, Mapping):
                return tyro.extras.overridable_config_cli(dict(options), prog=prog, args=words)
            return tyro.cli(options, prog=prog, args=words)
    except SystemExit:
        print(plain(told.getvalue(), prog, words), end="", file=sys.stderr)
        raise


@explained
def plain(text: str, prog: str, words: Sequence[str]) -> str:
    """Return tyro's error message without its frame and internal names.

    >>> print(plain("Error parsing __inner__.grid: Argument `n` must be 2, but is 1.", "it", []))
    it: Argument `n` must be 2, but is 1. See it --help.
    """
    if not prog.strip():
        refuse("prog", "the name of a program", repr(prog))
    lines = [_unframed(line) for line in text.splitlines()]
    lines = [line for line in lines if line.strip(" -─")]
    flat = " ".join(" ".join(lines).split())
    found = re.search(
        r"Error parsing (\S+): (.*?)( Argument helptext:| For full helptext,|$)", flat
    )
    if found is None:
        # tyro names subcommands by the first word of the program only.
        first = prog.split()[0]
        lines = [re.sub(rf"^(\s*)in {re.escape(first)} ", rf"\1in {prog} ", x) for x in lines]
        # The first line is the title of the frame.
        return "\n".join([f"{prog}: {lines[1].strip()}", *lines[2:]]) + "\n" if lines[1:] else text
    name, message, _ = found.groups()
    if not message.startswith("Argument `"):
        form = next((line.split() for line in lines if line.split()[:1] == [name]), [name])
        given = " ".join(map(repr, _given(name, words)))
        message = f"Argument `{name}` must be {' '.join(form[1:])}, but is {given}."
    return f"{prog}: {message} See {prog} --help.\n"


def _typed(name: str) -> str:
    """A name as the help shows it; underscores are taken as hyphens."""
    return name.replace("_", "-")


def _unframed(line: str) -> str:
    return line.strip("│|╭╮╰╯+─").rstrip().removeprefix(" ") if line[:1] in "│|╭╰+" else line


def _given(name: str, words: Sequence[str]) -> list[str]:
    """The words given to an option."""
    rest = iter(_typed(word) if word.startswith("--") else word for word in words)
    for word in rest:
        if word.startswith(f"{name}="):
            return [word.removeprefix(f"{name}=")]
        if word == name:
            return list(itertools.takewhile(lambda word: not word.startswith("--"), rest))
    return []
