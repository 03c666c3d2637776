"""The scripts of the solvers' accuracy; the solvers' own tests have more."""

import json
import pathlib

import pytest
import scripts

from qdistill.forecast import paper


def test_smoke_run_has_the_errors_of_both_precisions(tmp_path: pathlib.Path) -> None:
    done = scripts.run("solver_accuracy", "--smoke", "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    found = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert found["n_cases"] == 2
    assert found["t_au"] == pytest.approx(1.0)
    for dispersion in ("lattice", "continuum"):
        row = found["errors"][f"{dispersion}, chebyshev, 1e-12, complex128"]
        assert row["rms_relative_error"] < 1e-10
        row = found["errors"][f"{dispersion}, chebyshev, 1e-6, complex64"]
        assert 1e-8 < row["rms_relative_error"] < 1e-4
    assert len(found["errors"]) == len(done.stdout.splitlines()) == 12


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--out", __file__], "is not an empty folder. Choose another with --out."),
        (["--out", "nowhere", "--n-cases", "0"], "`n_cases` must be at least 1, but is 0"),
    ],
)
def test_bad_options_are_refused_in_a_sentence(options: list[str], message: str) -> None:
    done = scripts.run("solver_accuracy", *options)
    assert done.returncode == 1
    assert done.stderr.startswith("experiments/solver_accuracy.py: ")
    assert message in done.stderr
    assert not pathlib.Path("nowhere").exists()


def test_the_shelf_is_scored_case_by_case(tmp_path: pathlib.Path) -> None:
    out = tmp_path / "out"
    done = scripts.run("shelf", "--smoke", "--out", str(out))
    assert done.returncode == 0, done.stderr
    rows = json.loads((out / "metrics.json").read_text())["lattice"]
    for name in ("strang", "takahashi-imada, share 0.21"):
        row = rows[f"{name}, 2 pairs"]
        assert set(row["paper"]["cases"]) == set(paper.CASES)
        assert row["paper"]["mean_infidelity"] < 1e-5
        assert row["held out"]["sharp"]["n_case"] + row["held out"]["smooth"]["n_case"] == 6


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--pairs"], "`pairs` must be at least one number of FFT pairs"),
        (["--pairs", "0"], "`pairs` must be at least 1, but is 0"),
        (["--only", "strang", "strung"], "`only` must be one of 'strang', "),
    ],
)
def test_the_shelf_needs_pairs_and_names_that_exist(
    options: list[str], message: str, tmp_path: pathlib.Path
) -> None:
    done = scripts.run("shelf", "--out", str(tmp_path / "out"), *options)
    assert done.returncode == 1
    assert message in done.stderr
