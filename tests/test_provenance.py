"""What a run notes of the code and the machine that work on it."""

import json
import pathlib
import subprocess

import pytest
import small

from qdistill.runs import folder, provenance


@pytest.fixture
def checkout(tmp_path: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> pathlib.Path:
    """A git checkout of a package, in place of this one."""
    package = tmp_path / "checkout" / "package"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package.parent / "experiments").mkdir()
    git(package.parent, "init", "--quiet")
    git(package.parent, "add", ".")
    git(package.parent, "commit", "--quiet", "--message", "begin")
    monkeypatch.setattr(provenance, "PACKAGE", package)
    return package


def git(place: pathlib.Path, *words: str) -> str:
    who = ("-c", "user.name=Nobody", "-c", "user.email=nobody@localhost")
    done = subprocess.run(["git", *who, *words], cwd=place, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_run_notes_the_commit_it_was_begun_with(
    tmp_path: pathlib.Path, checkout: pathlib.Path
) -> None:
    out = tmp_path / "run"
    folder.open_folder(out, small.UNITARY, resume=False)
    (note,) = provenance.read(out)
    assert note["commit"] == git(checkout, "rev-parse", "HEAD")
    assert note["is_modified"] is False
    assert note["environment"] == provenance.environment()
    folder.open_folder(out, small.UNITARY, resume=True)
    assert provenance.read(out) == [note]


def test_other_code_that_goes_on_with_a_run_is_noted_too(
    tmp_path: pathlib.Path, checkout: pathlib.Path
) -> None:
    provenance.record(tmp_path)
    (checkout / "new.py").write_text("")
    provenance.record(tmp_path)
    git(checkout, "add", ".")
    git(checkout, "commit", "--quiet", "--message", "more")
    provenance.record(tmp_path)
    first, second, third = provenance.read(tmp_path)
    assert [note["is_modified"] for note in (first, second, third)] == [False, True, False]
    assert first["commit"] == second["commit"] != third["commit"]


def test_changes_of_the_studies_are_seen_and_others_are_not(checkout: pathlib.Path) -> None:
    (checkout.parent / "thesis.tex").write_text("")
    assert provenance.now()["is_modified"] is False
    (checkout.parent / "experiments" / "new.py").write_text("")
    assert provenance.now()["is_modified"] is True


def test_what_is_no_checkout_of_the_package_has_no_commit(
    tmp_path: pathlib.Path, checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert provenance.now()["commit"]
    # Installed into a folder that the checkout of something else ignores.
    installed = checkout / "installed"
    installed.mkdir()
    (installed / "__init__.py").write_text("")
    (tmp_path / "elsewhere").mkdir()
    for place in (installed, tmp_path / "elsewhere"):
        monkeypatch.setattr(provenance, "PACKAGE", place)
        assert provenance.now()["commit"] is provenance.now()["is_modified"] is None


def test_without_git_there_is_no_commit(
    checkout: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    assert provenance.now()["commit"] is None


@pytest.mark.parametrize("damage", ["", "7", "[7]", '[{"commit": 1}]'])
def test_damaged_notes_are_named(damage: str, tmp_path: pathlib.Path) -> None:
    (tmp_path / "provenance.json").write_text(damage)
    with pytest.raises(ValueError, match=r"provenance\.json` does not contain the provenance"):
        provenance.read(tmp_path)


def test_notes_are_strict_json(tmp_path: pathlib.Path) -> None:
    provenance.record(tmp_path)
    text = (tmp_path / "provenance.json").read_text()
    assert json.loads(text, parse_constant=pytest.fail) == provenance.read(tmp_path)
