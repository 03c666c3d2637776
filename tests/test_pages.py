"""The generator of the numbers in pages."""

import importlib
import json
import pathlib
import sys
from typing import Any

import pytest

DOCS = pathlib.Path(__file__).parents[1] / "docs"


@pytest.fixture(scope="module")
def pages() -> Any:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(DOCS))
        yield importlib.import_module("pages")
    for name in ("pages", "tables", "costs", "learned", "scratch", "filters", "audits", "compared"):
        sys.modules.pop(name, None)


@pytest.fixture
def values(pages: Any, tmp_path: pathlib.Path) -> dict[str, Any]:
    (tmp_path / "run-1").mkdir()
    found = {"error": 4.49e-6, "of": [{"a b": None}, {"n": 1600}]}
    (tmp_path / "run-1" / "metrics.json").write_text(json.dumps(found))
    (tmp_path / "not_a_folder.md").write_text("")
    return pages.read(tmp_path)


def test_numbers_are_filled_in_and_stay(pages: Any, values: dict[str, Any]) -> None:
    page = (
        "An error of <!-- {run-1.metrics.error:.1e} -->9<!-- / --> after "
        "<!-- {run-1.metrics.of[1].n:,} steps --><!-- / -->, <!-- {run-1.metrics.of[0][a b]} -->"
        "<!-- / -->. <!-- a comment -->"
    )
    filled = pages.fill(page, values)
    assert pages.strip(filled) == "An error of 4.5e-6 after 1,600 steps, inf. <!-- a comment -->"
    assert pages.fill(filled, values) == filled


def test_a_block_stands_on_lines_of_its_own(pages: Any) -> None:
    made = {"table": "| a |\n| --- |"}
    filled = pages.fill("One\n\n<!-- {table} --><!-- / -->\n\ntwo", made)
    assert filled == "One\n\n<!-- {table} -->\n\n| a |\n| --- |\n\n<!-- / -->\n\ntwo"
    assert pages.fill(filled, made) == filled


@pytest.mark.parametrize("field", ["run-1.metrics.err", "run-1.metrics.of[2]", "run-1.other"])
def test_what_is_in_no_file_is_an_error(pages: Any, values: dict[str, Any], field: str) -> None:
    with pytest.raises(LookupError, match="has no"):
        pages.fill(f"<!-- {{{field}}} --><!-- / -->", values)


def test_a_number_without_a_marker_is_found(pages: Any) -> None:
    code = "`1e-3` and [a link](results-1e-4.png)\n```\n1e-5\n```\n"
    marked = "<!-- {a:.1e} -->2e-6<!-- / -->"
    assert pages.find_unmarked(code + marked) == []
    assert pages.find_unmarked(code + marked + " and 3.5e-7") == ["3.5e-7"]


def test_pages_are_checked(
    pages: Any, tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("An error of <!-- {tables.accuracy} -->stale<!-- / --> and 1e-3.\n")
    monkeypatch.setattr(pages, "ROOT", tmp_path)
    assert pages.main(is_check=True) == 1
    assert capsys.readouterr().out == (
        "README.md: no marker holds 1e-3\nREADME.md: stale, run `make pages`\n"
    )
    readme.write_text("Two:\n\n<!-- {tables.accuracy} -->stale<!-- / -->\n")
    assert pages.main(is_check=False) == 0
    assert "| teacher |" in readme.read_text()
    assert pages.main(is_check=True) == 0
    readme.write_text("<!-- {tables.accuracy} -->stale<!-- / --> begins a line.\n")
    assert pages.main(is_check=True) == 1


def test_every_table_has_rows_of_one_length(pages: Any) -> None:
    tables, costs = importlib.import_module("tables"), importlib.import_module("costs")
    compared = importlib.import_module("compared")
    made = [tables.paper_test(), tables.ladder(), costs.frontier(), costs.contenders()]
    made += [compared.barriers(), compared.held_out(), compared.factorial(), compared.effects()]
    for table in made:
        widths = {line.count(" | ") for line in table.splitlines()}
        assert len(widths) == 1
        assert len(table.splitlines()) > 5
