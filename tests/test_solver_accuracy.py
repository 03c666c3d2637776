"""The refusals of the script; its numbers are those of the solvers' own tests."""

import pathlib
import runpy
import sys

import pytest

SCRIPT = pathlib.Path(__file__).parents[1] / "experiments" / "solver_accuracy.py"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", __file__], "is not an empty folder. Choose another."),
        (["--out", "nowhere", "--n-cases", "0"], "`n_cases` must be at least 1, but is 0"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(
    options: list[str], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *options])
    with pytest.raises(SystemExit) as caught:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert str(caught.value).startswith("solver_accuracy.py: ")
    assert message in str(caught.value)
